//! The portrait of a clip: its small pictures and its facts over time, by decoding it once.
//!
//! Runs on the evidence thread, with the same opener, measurer and recorder as a report of `check`. Players that cannot
//! decode a clip show its pictures and curves instead.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::Opener;
use avwatch_actors::track::{SessionNumber, TrackKind};
use serde_json::{Value, json};

use crate::live::StreamReading;
use crate::measure::MeasurePlan;
use crate::media::MediaOpener;
use crate::media::spec::{Address, InputSpec};
use crate::record::{self, Pictures, Record, Recorder, Series, Still};

/// Longest that it may take to decode a clip; what was seen until then has to do.
const DECODE_WITHIN: Duration = Duration::from_secs(60);

/// How much after its begin a condition is sure to be seen: decoders hand out pictures in another order than that in
/// which they came.
const LITTLE_AFTER: MediaTime = MediaTime::from_millis(200);

/// Points of a curve: eight a second of a clip of thirty.
const POINTS_MAX: usize = 256;

/// What is known of a clip.
pub(super) struct Portrait {
    record: Record,
}

impl Portrait {
    /// Decodes a clip.
    pub(super) fn of(clip: &Path) -> Result<Self, String> {
        let mut plan = MeasurePlan::NOTHING;
        record::add_needs(&mut plan);
        let opener: Arc<dyn Opener> =
            Arc::new(MediaOpener::new(InputSpec::new("evidence", Address::File(clip.to_owned()), plan)));
        let recorder = Recorder::new(Pictures::ForRecord);
        let opener = recorder.wrap(opener);
        let until = Instant::now() + DECODE_WITHIN;
        let mut source =
            opener.open(SessionNumber(1), &Arc::<Lifeline>::default()).map_err(|error| error.to_string())?;
        while Instant::now() < until {
            match source.next() {
                Ok(Some(_)) => {}
                // Damage may end it early: what was seen until then has to do.
                Ok(None) | Err(_) => break,
            }
        }
        drop(source);
        Ok(Self { record: recorder.take() })
    }

    /// The pictures of the main track, one a second.
    pub(super) fn stills(&self) -> impl Iterator<Item = &Still> {
        let main = self.record.pictures.iter().find(|(track, _)| track.kind == TrackKind::Video);
        main.into_iter().flat_map(|(_, pictures)| pictures.stills.iter())
    }

    /// The picture that shows what began at `at` in the clip: the first one a little after it.
    pub(super) fn nearest(&self, at: MediaTime) -> Option<&Still> {
        let main = self.record.pictures.iter().find(|(track, _)| track.kind == TrackKind::Video);
        main.and_then(|(_, pictures)| pictures.stills.nearest(at + LITTLE_AFTER))
    }

    /// When in the clip its first picture is shown: sound of before it may be in the clip, too.
    pub(super) fn first_picture(&self) -> Option<MediaTime> {
        self.stills().next().map(|still| still.at)
    }

    /// Curves by track, in seconds after `zero` of the clip.
    fn curves(&self, zero: MediaTime) -> Value {
        let curve = |series: &Series| -> Value {
            let point = |from: MediaTime, low: f32, mean: f64, high: f32| {
                json!([
                    rounded((from - zero).as_secs_f64()),
                    rounded(f64::from(low)),
                    rounded(mean),
                    rounded(f64::from(high))
                ])
            };
            series.points(POINTS_MAX).iter().map(|at| point(at.from, at.low, at.mean(), at.high)).collect()
        };
        let pictures = self.record.pictures.iter().map(|(track, pictures)| {
            let curves = json!({
                "luma_mean": curve(&pictures.mean), "luma_p1": curve(&pictures.p1), "luma_p99": curve(&pictures.p99),
                "difference": curve(&pictures.difference),
            });
            (track.to_string(), curves)
        });
        let sounds = self.record.sounds.iter().map(|(track, sound)| {
            let channel = |channel: &record::ChannelRecord| {
                json!({ "role": channel.role, "power": curve(&channel.power), "peak": curve(&channel.peak) })
            };
            let curves = json!({
                "momentary_lufs": curve(&sound.momentary), "short_term_lufs": curve(&sound.short_term),
                "channels": sound.channels.iter().map(channel).collect::<Vec<_>>(),
            });
            (track.to_string(), curves)
        });
        Value::Object(pictures.chain(sounds).collect())
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// The facts over time: curves of the clip, each point as [seconds after the begin of the condition, lowest, mean,
/// highest], and the readings of every second around it. `started` is that begin on the wall's clock.
pub(super) fn trace(
    portrait: Option<&Portrait>,
    zero: MediaTime,
    readings: &[Arc<StreamReading>],
    started: f64,
) -> Value {
    let reading = |reading: &Arc<StreamReading>| {
        json!({ "at_s": rounded(reading.second as f64 - started), "pictures": reading.pictures, "sounds": reading.sounds,
                "bitrate": reading.bitrate })
    };
    json!({
        "schema": "avwatch.trace/1",
        "curves": portrait.map_or(Value::Null, |portrait| portrait.curves(zero)),
        "readings": readings.iter().map(reading).collect::<Vec<_>>(),
    })
}
