//! A stretch of a stream's past: what was so in a second, a minute or any other length of time.
//!
//! Plain data. Stretches add up: one made of others says the worst severity and the highest peak of them, and
//! means of what is a mean. What was not measured is absent.

use avwatch_actors::severity::Severity;
use serde::Serialize;

use crate::live::{ChannelLevel, FLOOR_DB, PictureReading, SoundReading, StreamReading};

/// One stretch.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stretch {
    /// When it begins, in seconds since the beginning of 1970; who tells it says it in the form that people read.
    #[serde(skip)]
    pub at: u64,
    /// How long it is, in seconds.
    pub lasts: u32,
    /// Of how many of its seconds something is known.
    pub known: u32,
    /// Of how many of them nothing but the arrival of bytes was looked at, since load left no room for more.
    #[serde(skip_serializing_if = "is_zero")]
    pub blind: u32,
    /// Share of the known seconds in which frames arrived, 0 to 1.
    pub up: f32,
    /// Worst severity of the events that were open; absent when none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<Severity>,
    /// Bits a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<f64>,
    /// From arrival to verdict; absent when nothing was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_s: Option<LatencyReading>,
    /// Pictures by track: frames a second, damaged ones in all, means of the rest.
    pub pictures: Vec<PictureReading>,
    /// Sound by track: the highest loudness and peaks, means of the rest.
    pub sounds: Vec<SoundReading>,
}

/// How long frames took from arrival to verdict, in seconds: of a longer stretch the mean of its medians, and the
/// highest of the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LatencyReading {
    /// The median.
    pub p50: f32,
    /// 95 % were not longer.
    pub p95: f32,
    /// 99 % were not longer.
    pub p99: f32,
}

impl Stretch {
    /// A second of which only its reading is known.
    pub fn of_reading(reading: &StreamReading) -> Self {
        Self {
            at: reading.second,
            lasts: 1,
            known: 1,
            blind: 0,
            up: 1.0,
            worst: None,
            bitrate: reading.bitrate,
            latency_s: None,
            pictures: reading.pictures.clone(),
            sounds: reading.sounds.clone(),
        }
    }

    /// The stretch that these make up; how long it is is given, and they lie in it.
    pub fn of(at: u64, lasts: u32, parts: &[Self]) -> Self {
        let known = parts.iter().map(|part| part.known).sum::<u32>();
        let up = mean(parts.iter().map(|part| (part.up, part.known))).unwrap_or(0.0);
        let bitrate = parts.iter().filter_map(|part| Some((part.bitrate?, f64::from(part.known.max(1)))));
        let (bits, seconds) = bitrate.fold((0.0, 0.0), |(sum, of), (rate, weight)| (sum + rate * weight, of + weight));
        Self {
            at,
            lasts,
            known: known.min(lasts),
            blind: parts.iter().map(|part| part.blind).sum::<u32>().min(lasts),
            up,
            worst: parts.iter().filter_map(|part| part.worst).max(),
            bitrate: (seconds > 0.0).then(|| bits / seconds),
            latency_s: latency(parts),
            pictures: pictures(parts),
            sounds: sounds(parts),
        }
    }
}

/// What is left out of JSON.
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The mean by weight; nothing when nothing has any.
fn mean(values: impl Iterator<Item = (f32, u32)>) -> Option<f32> {
    let (sum, of) = values.fold((0.0, 0.0), |(sum, of), (value, weight)| {
        let weight = f64::from(weight);
        (sum + f64::from(value) * weight, of + weight)
    });
    (of > 0.0).then(|| (sum / of) as f32)
}

fn latency(parts: &[Stretch]) -> Option<LatencyReading> {
    let known = || parts.iter().filter_map(|part| Some((part.latency_s?, part.known.max(1))));
    let highest = |value: fn(LatencyReading) -> f32| known().map(|(one, _)| value(one)).fold(0.0, f32::max);
    let p50 = mean(known().map(|(one, weight)| (one.p50, weight)))?;
    Some(LatencyReading { p50, p95: highest(|one| one.p95), p99: highest(|one| one.p99) })
}

fn pictures(parts: &[Stretch]) -> Vec<PictureReading> {
    let mut tracks: Vec<_> = parts.iter().flat_map(|part| &part.pictures).map(|picture| picture.track).collect();
    tracks.sort_unstable();
    tracks.dedup();
    let made = |track| {
        let of: Vec<(&PictureReading, u32)> = parts
            .iter()
            .flat_map(|part| part.pictures.iter().map(|picture| (picture, part.known.max(1))))
            .filter(|(picture, _)| picture.track == track)
            .collect();
        let all =
            |value: fn(&PictureReading) -> f32| mean(of.iter().map(|(picture, weight)| (value(picture), *weight)));
        let some = |value: fn(&PictureReading) -> Option<f32>| {
            mean(of.iter().filter_map(|(picture, weight)| Some((value(picture)?, *weight))))
        };
        PictureReading {
            track,
            frames: all(|picture| f32::from(picture.frames)).unwrap_or(0.0).round() as u16,
            damaged: of.iter().fold(0, |sum: u16, (picture, _)| sum.saturating_add(picture.damaged)),
            luma_mean: some(|picture| picture.luma_mean),
            difference: some(|picture| picture.difference),
            coverage: all(|picture| picture.coverage).unwrap_or(0.0),
        }
    };
    tracks.into_iter().map(made).collect()
}

fn sounds(parts: &[Stretch]) -> Vec<SoundReading> {
    let mut tracks: Vec<_> = parts.iter().flat_map(|part| &part.sounds).map(|sound| sound.track).collect();
    tracks.sort_unstable();
    tracks.dedup();
    let made = |track| {
        let of: Vec<(&SoundReading, u32)> = parts
            .iter()
            .flat_map(|part| part.sounds.iter().map(|sound| (sound, part.known.max(1))))
            .filter(|(sound, _)| sound.track == track)
            .collect();
        let highest = |value: fn(&SoundReading) -> Option<f32>| {
            of.iter()
                .filter_map(|(sound, _)| value(sound))
                .fold(None, |max: Option<f32>, value| Some(max.map_or(value, |max| max.max(value))))
        };
        let channels = of.iter().map(|(sound, _)| sound.channels.len()).max().unwrap_or(0);
        SoundReading {
            track,
            momentary_lufs: highest(|sound| sound.momentary_lufs),
            short_term_lufs: highest(|sound| sound.short_term_lufs),
            channels: (0..channels).map(|place| channel(&of, place)).collect(),
            coverage: mean(of.iter().map(|(sound, weight)| (sound.coverage, *weight))).unwrap_or(0.0),
        }
    };
    tracks.into_iter().map(made).collect()
}

/// The mean power and the highest peak of a channel.
fn channel(of: &[(&SoundReading, u32)], place: usize) -> ChannelLevel {
    let levels = || of.iter().filter_map(|(sound, weight)| Some((sound.channels.get(place)?, *weight)));
    let power = mean(levels().map(|(level, weight)| (10_f32.powf(level.rms_dbfs / 10.0), weight)));
    ChannelLevel {
        rms_dbfs: (10.0 * power.unwrap_or(0.0).max(1e-30).log10()).max(FLOOR_DB),
        peak_dbfs: levels().map(|(level, _)| level.peak_dbfs).fold(FLOOR_DB, f32::max),
    }
}
