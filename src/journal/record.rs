//! Records: stretches as bytes, 23 of them for a second of one picture and stereo sound.
//!
//! A row holds the records of one stream one after the other, each with its place in the row, in the order in
//! which they were written: of two with the same place the later one counts. Values are rounded to what an eye can
//! tell on a strip: levels to 0.5 dB, luma to 1 level, shares to 1/254, latencies to a fifteenth. Pure.

use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackId;

use super::stretch::{LatencyReading, Stretch};
use crate::live::{ChannelLevel, PictureReading, SoundReading};

/// What stands for a byte that is not known.
const ABSENT: u8 = 255;
/// The same of a bit rate.
const NO_RATE: u16 = u16::MAX;
/// Set in the number of pictures when latencies follow it: records from before there were any have none.
const HAS_LATENCY: u8 = 0x80;
/// Set there when the number of blind seconds follows.
const HAS_BLIND: u8 = 0x40;
/// Latencies are kept as logarithms of microseconds; the highest step is 100 s.
const STEPS_PER_DECADE: f32 = 254.0 / 8.0;
/// Most tracks of a kind and channels of a track in a record.
const TRACKS_MAX: usize = 16;
const CHANNELS_MAX: usize = 16;

/// Appends a stretch at a place of its row.
pub(super) fn write(into: &mut Vec<u8>, place: u8, stretch: &Stretch) {
    let worst = stretch.worst.map_or(0, |severity| severity as u8 + 1);
    into.extend([place, worst, stretch.known.min(60) as u8, share(stretch.up)]);
    // The upper half of a float: three digits.
    let rate = stretch.bitrate.map_or(NO_RATE, |rate| ((rate.max(0.0) as f32).to_bits() >> 16) as u16);
    into.extend(rate.to_le_bytes());
    let pictures = &stretch.pictures[..stretch.pictures.len().min(TRACKS_MAX)];
    let has_latency = if stretch.latency_s.is_some() { HAS_LATENCY } else { 0 };
    let has_blind = if stretch.blind > 0 { HAS_BLIND } else { 0 };
    into.push(pictures.len() as u8 | has_latency | has_blind);
    if let Some(latency) = stretch.latency_s {
        into.extend([latency.p50, latency.p95, latency.p99].map(step_of));
    }
    if stretch.blind > 0 {
        into.push(stretch.blind.min(60) as u8);
    }
    for picture in pictures {
        let few = |count: u16| count.min(255) as u8;
        into.extend([picture.track.number, few(picture.frames), few(picture.damaged)]);
        into.extend([scaled(picture.luma_mean, 1.0), scaled(picture.difference, 8.0), share(picture.coverage)]);
    }
    let sounds = &stretch.sounds[..stretch.sounds.len().min(TRACKS_MAX)];
    into.push(sounds.len() as u8);
    for sound in sounds {
        let channels = &sound.channels[..sound.channels.len().min(CHANNELS_MAX)];
        into.extend([sound.track.number, level(sound.momentary_lufs), level(sound.short_term_lufs)]);
        into.extend([share(sound.coverage), channels.len() as u8]);
        for channel in channels {
            into.extend([level(Some(channel.rms_dbfs)), level(Some(channel.peak_dbfs))]);
        }
    }
}

/// Reads a row: each record with its place, in order of writing. Ends at the first one that is cut off.
pub(super) fn read(row: &[u8], mut each: impl FnMut(u8, Stretch)) {
    let mut rest = Rest(row);
    while let Some((place, stretch)) = rest.record() {
        each(place, stretch);
    }
}

/// Reads of each record of a row only its place and in how many of its seconds the stream was really watched.
pub(super) fn read_watched(row: &[u8], mut each: impl FnMut(u8, u32)) {
    let mut rest = Rest(row);
    while let Some((place, watched, _)) = rest.looked_at() {
        each(place, watched);
    }
}

/// Tells of a row the places in which frames arrived and were looked at, for a moment at least.
pub(super) fn read_seen(row: &[u8], mut each: impl FnMut(u8)) {
    let mut rest = Rest(row);
    while let Some((place, watched, up)) = rest.looked_at() {
        if watched > 0 && up > 0 {
            each(place);
        }
    }
}

fn share(share: f32) -> u8 {
    (share.clamp(0.0, 1.0) * 254.0).round() as u8
}

fn scaled(value: Option<f32>, by: f32) -> u8 {
    value.map_or(ABSENT, |value| (value * by).round().clamp(0.0, 254.0) as u8)
}

/// Half decibels above −120.
fn level(value: Option<f32>) -> u8 {
    scaled(value.map(|value| value + 120.0), 2.0)
}

/// The logarithmic step of a latency in seconds.
fn step_of(seconds: f32) -> u8 {
    ((seconds * 1e6).max(1.0).log10() * STEPS_PER_DECADE).round().clamp(0.0, 254.0) as u8
}

/// The latency of a step, in seconds.
fn of_step(step: u8) -> f32 {
    10_f32.powf(f32::from(step) / STEPS_PER_DECADE) / 1e6
}

/// What is left of a row.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    /// How many pictures follow; the latencies and the number of blind seconds that stand before them.
    fn pictures(&mut self) -> Option<(u8, Option<LatencyReading>, u32)> {
        let byte = self.byte()?;
        let mut latency = None;
        if byte & HAS_LATENCY != 0 {
            let [p50, p95, p99] = self.bytes()?.map(of_step);
            latency = Some(LatencyReading { p50, p95, p99 });
        }
        let blind = if byte & HAS_BLIND != 0 { self.byte()? } else { 0 };
        Some((byte & !(HAS_LATENCY | HAS_BLIND), latency, u32::from(blind)))
    }

    /// The place of a record, in how many of its seconds the stream was watched, and the share in which frames arrived.
    fn looked_at(&mut self) -> Option<(u8, u32, u8)> {
        let [place, _, known, up, _, _] = self.bytes()?;
        let (pictures, _, blind) = self.pictures()?;
        self.skip(usize::from(pictures) * 6)?;
        for _ in 0..self.byte()? {
            let [_, _, _, _, channels] = self.bytes()?;
            self.skip(usize::from(channels) * 2)?;
        }
        Some((place, u32::from(known).saturating_sub(blind), up))
    }

    fn record(&mut self) -> Option<(u8, Stretch)> {
        let value = |byte: u8, by: f32| (byte != ABSENT).then(|| f32::from(byte) / by);
        let level = |byte: u8| value(byte, 2.0).map(|level| level - 120.0);
        let share = |byte: u8| f32::from(byte.min(254)) / 254.0;
        let [place, worst, known, up] = self.bytes()?;
        let rate = u16::from_le_bytes(self.bytes()?);
        let mut stretch = Stretch {
            known: u32::from(known),
            up: share(up),
            worst: usize::from(worst).checked_sub(1).and_then(|place| Severity::ALL.get(place).copied()),
            bitrate: (rate != NO_RATE).then(|| f64::from(f32::from_bits(u32::from(rate) << 16))),
            ..Stretch::default()
        };
        let (pictures, latency_s, blind) = self.pictures()?;
        (stretch.latency_s, stretch.blind) = (latency_s, blind);
        for _ in 0..pictures {
            let [number, frames, damaged, luma, difference, coverage] = self.bytes()?;
            stretch.pictures.push(PictureReading {
                track: TrackId::video(number),
                frames: u16::from(frames),
                damaged: u16::from(damaged),
                luma_mean: value(luma, 1.0),
                difference: value(difference, 8.0),
                coverage: share(coverage),
            });
        }
        for _ in 0..self.byte()? {
            let [number, momentary, short_term, coverage, channels] = self.bytes()?;
            let mut sound = SoundReading {
                track: TrackId::audio(number),
                momentary_lufs: level(momentary),
                short_term_lufs: level(short_term),
                channels: Vec::new(),
                coverage: share(coverage),
            };
            for _ in 0..channels {
                let [rms, peak] = self.bytes()?;
                let level = |byte| f32::from(byte) / 2.0 - 120.0;
                sound.channels.push(ChannelLevel { rms_dbfs: level(rms), peak_dbfs: level(peak) });
            }
            stretch.sounds.push(sound);
        }
        Some((place, stretch))
    }
}
