//! True peak: the reconstructed signal exceeds the limit.
//!
//! The highest magnitude of the four times oversampled signal of any channel (ITU-R BS.1770-5
//! Annex 2), hop by hop, in dBTP: `20·log10(peak)`. The condition spans from the first hop above
//! `limit_dbtp` to the end of the last one. Score: dBTP.
//!
//! Sources: −1 dBTP from EBU R 128, −2 dBTP from ATSC A/85. Measurement first: `info` everywhere.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::frame::AudioFrame;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::Info;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackInfo, TrackKind};

use super::sound_judge::{OfSound, SoundJudge};
use super::table::Table;
use super::{DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 204,
    name: "true_peak",
    summary: "The true peak of the sound exceeds its limit",
    unit: "dBTP",
    worse: Worse::Higher,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Apart,
    cheapest: Tier::Audio,
    standard_ref: Some("ITU-R BS.1770-5 Annex 2"),
    source: "EBU R 128 (-1 dBTP), ATSC A/85 (-2 dBTP)",
    options: &[OptionDoc {
        name: "limit_dbtp",
        doc: "Highest true peak in dBTP that is still right.",
        default: |profile| OptionValue::Number(if profile == Profile::BroadcastUs { -2.0 } else { -1.0 }),
        range: (-20.0, 6.0),
    }],
    defaults: |profile| Table { live: &[(0, Info)], fast: &[(0, Info)], file: &[(0, Info)] }.defaults(profile),
    needs: |_, plan| {
        plan.sound = true;
        plan.true_peak = true;
    },
    threshold: |options| Some(options.number("limit_dbtp") as f32),
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Audio,
    message: |situation: &Situation| format!("true peak {:.1} dBTP", situation.peak),
    build: |options, _| {
        let limit = 10f64.powf(options.number("limit_dbtp") / 20.0) as f32;
        Arc::new(move |track: &TrackInfo| OfSound::boxed(track, TruePeak { limit, over: None, clear_since: None }))
    },
};

struct TruePeak {
    /// As a magnitude.
    limit: f32,
    /// Begin of the first hop over the limit, in blocks that each have one.
    over: Option<MediaTime>,
    clear_since: Option<MediaTime>,
}

impl SoundJudge for TruePeak {
    fn listen(&mut self, frame: &AudioFrame, out: &mut Verdicts) {
        let mut highest = 0.0_f32;
        let mut first_over = None;
        let mut last_end = None;
        for (hop, channels) in frame.hops.iter() {
            let peak = channels.iter().fold(0.0_f32, |peak, channel| peak.max(channel.true_peak));
            highest = highest.max(peak);
            if peak > self.limit {
                first_over = first_over.or(Some(hop.at));
                last_end = Some(hop.at + hop.lasts);
            }
        }
        let Some((first, _)) = frame.hops.iter().next() else { return };
        let score = 20.0 * highest.max(1e-10).log10();
        if let Some(since) = self.over.or(first_over).filter(|_| first_over.is_some()) {
            self.over = Some(since);
            self.clear_since = last_end;
            out.faulty(since, score);
        } else {
            self.over = None;
            out.clear(*self.clear_since.get_or_insert(first.at), score);
        }
    }

    fn begin(&mut self) {
        self.over = None;
        self.clear_since = None;
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::ChannelHop;

    use super::super::testing::{STEREO, Track, audio_track, build, level, stretches};
    use super::*;

    fn peak(dbtp: f32) -> ChannelHop {
        ChannelHop { true_peak: 10f32.powf(dbtp / 20.0), ..level(-20.0) }
    }

    fn found(profile: Profile, dbtp: f32) -> Vec<super::super::testing::Stretch> {
        let one = |index: u64| vec![level(-20.0), peak(if index == 10 { dbtp } else { -6.0 })];
        let items = Track::new().then(1.0, one).items;
        stretches(&mut *build(&KIND, profile, &audio_track(STEREO), &[]), &items)
    }

    #[test]
    fn a_peak_over_the_limit_is_found_at_its_hop() {
        let found = found(Profile::File, 0.5);
        assert_eq!((found.len(), found[0].start, found[0].end), (1, 0.1, Some(0.11)));
        assert!((found[0].score - 0.5).abs() < 0.01, "{}", found[0].score);
    }

    #[test]
    fn a_peak_below_the_limit_is_none_and_the_limit_is_lower_under_atsc() {
        assert_eq!(found(Profile::File, -1.2), []);
        assert_eq!(found(Profile::BroadcastUs, -1.2).len(), 1);
    }
}
