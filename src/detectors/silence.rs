//! Silence: a track carries no sound.
//!
//! Silent means that the AC level of every channel but LFE is below `level_dbfs`, by the hop of
//! 10 ms and over the last 100 ms; to end it takes 3 dB more. A DC offset is no sound, one click a
//! second does not end a silence or hide its onset (see `quiet`). Onset and end are those of the first quiet and the
//! first loud hop. Score: the level of the loudest channel in dBFS, −200 for digital silence.
//!
//! Sources: −60 dBFS is FFmpeg's `silencedetect` and common in quality control; radio is held to
//! −50 dBFS, because a programme without pictures that is so low is dead air to its listeners. Hold
//! times are the published defaults; `news-sport` halves them. Secondary tracks (descriptions,
//! other languages) are silent by nature for long: `info` only.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::frame::AudioFrame;
use avwatch_actors::severity::Severity::{Info, Major, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{CHANNELS_MAX, ChannelRole, TrackInfo, TrackKind};

use super::kind::lasted;
use super::quiet::{ChannelSpan, Quiet, QuietRun, dbfs_of};
use super::sound_judge::{OfSound, SoundJudge};
use super::table::{Table, info_only};
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 201,
    name: "silence",
    summary: "All channels of an audio track are silent",
    unit: "dBFS",
    worse: Worse::Lower,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Rest,
    cheapest: Tier::Audio,
    standard_ref: None,
    source: "FFmpeg silencedetect (-60 dB); AC level and click tolerance from own measurements",
    options: &[OptionDoc {
        name: "level_dbfs",
        doc: "AC level in dBFS below which a channel is silent.",
        default: |profile| OptionValue::Number(if profile == Profile::Radio { -50.0 } else { -60.0 }),
        range: (-100.0, -20.0),
    }],
    defaults,
    needs: |_, plan| plan.sound = true,
    threshold: |options| Some(options.number("level_dbfs") as f32),
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Audio,
    message: |situation: &Situation| format!("sound silent for {}", lasted(situation)),
    build: |options, _| {
        let level_dbfs = options.number("level_dbfs");
        Arc::new(move |track: &TrackInfo| OfSound::boxed(track, Silence::new(track, level_dbfs)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table {
        live: &[(5_000, Info), (10_000, Warning), (30_000, Major)],
        fast: &[(3_000, Info), (5_000, Warning), (15_000, Major)],
        file: &[(1_000, Info), (2_000, Warning)],
    };
    let mut defaults = table.defaults(profile);
    defaults.secondary_steps = Some(info_only(&defaults.steps));
    defaults
}

struct Silence {
    level_dbfs: f64,
    run: QuietRun,
    spans: [ChannelSpan; CHANNELS_MAX],
    roles: [ChannelRole; CHANNELS_MAX],
}

impl Silence {
    fn new(track: &TrackInfo, level_dbfs: f64) -> Self {
        Self { level_dbfs, run: QuietRun::new(level_dbfs), spans: Default::default(), roles: roles_of(track) }
    }
}

/// The roles of the measured channels; `Other` for those of which nothing is known.
pub(super) fn roles_of(track: &TrackInfo) -> [ChannelRole; CHANNELS_MAX] {
    let mut roles = [ChannelRole::Other; CHANNELS_MAX];
    if let Some(format) = &track.audio {
        for (role, known) in roles.iter_mut().zip(&format.roles) {
            *role = *known;
        }
    }
    roles
}

impl SoundJudge for Silence {
    fn listen(&mut self, frame: &AudioFrame, out: &mut Verdicts) {
        for (hop, channels) in frame.hops.iter() {
            let limit = self.run.limit();
            let only_lfe = self.roles.iter().take(channels.len()).all(|role| *role == ChannelRole::Lfe);
            let mut loudest = 0.0_f32;
            for ((channel, span), role) in channels.iter().zip(&mut self.spans).zip(self.roles) {
                if role != ChannelRole::Lfe || only_lfe {
                    loudest = loudest.max(span.power(channel, limit));
                }
            }
            match self.run.step(hop, loudest) {
                Quiet::Silent(since) => out.faulty(since, dbfs_of(loudest)),
                Quiet::Clicked => out.say(avwatch_actors::detector::Verdict::Undecided),
                Quiet::Loud(since) => out.clear(since, dbfs_of(loudest)),
            }
        }
    }

    fn learn(&mut self, track: &TrackInfo) {
        self.roles = roles_of(track);
    }

    fn begin(&mut self) {
        self.run = QuietRun::new(self.level_dbfs);
        self.spans = Default::default();
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::detector::Detector;
    use avwatch_actors::frame::ChannelHop;
    use avwatch_actors::item::Item;

    use super::super::testing::{STEREO, Track, audio_track, build, lasting, level, stretches};
    use super::*;

    fn detector(profile: Profile) -> Box<dyn Detector> {
        build(&KIND, profile, &audio_track(STEREO), &[])
    }

    fn silent(items: &[Item]) -> Vec<(f64, Option<f64>)> {
        lasting(&mut *detector(Profile::File), items, 1.0)
    }

    #[test]
    fn silence_begins_and_ends_at_its_hop() {
        let items = Track::new().stereo(4.0, -20.0, -23.0).stereo(3.03, -200.0, -200.0).stereo(1.0, -20.0, -23.0).items;
        assert_eq!(silent(&items), [(4.0, Some(7.03))]);
    }

    #[test]
    fn dead_air_with_a_dc_offset_is_silence() {
        let offset = |_| vec![ChannelHop { mean: 0.002, ..level(-80.0) }; 2];
        let items = Track::new().stereo(4.0, -20.0, -20.0).then(4.0, offset).items;
        assert_eq!(silent(&items), [(4.0, None)]);
    }

    #[test]
    fn one_click_every_second_and_a_half_does_not_hide_dead_air() {
        let clicks = |index: u64| vec![level(if index % 150 == 149 { -15.0 } else { -90.0 }); 2];
        let items = Track::new().stereo(2.0, -20.0, -20.0).then(12.0, clicks).items;
        assert_eq!(silent(&items), [(2.0, None)]);
    }

    #[test]
    fn dead_air_between_clicks_is_told_from_its_first_to_its_last_hop() {
        // The first click comes 0.75 s after the onset, the last 0.75 s before the end; one smears.
        let clicks = |index: u64| vec![level(if index % 150 == 75 || index == 226 { -15.0 } else { -90.0 }); 2];
        let items = Track::new().stereo(3.0, -20.0, -20.0).then(6.0, clicks).stereo(2.0, -20.0, -20.0).items;
        assert_eq!(silent(&items), [(3.0, Some(9.0))]);
    }

    #[test]
    fn two_clicks_in_a_second_end_a_silence_at_the_first() {
        let clicks =
            |index: u64| vec![level(if index == 300 || (340..343).contains(&index) { -15.0 } else { -90.0 }); 2];
        let items = Track::new().then(6.0, clicks).items;
        assert_eq!(silent(&items), [(0.0, Some(3.0)), (3.43, None)]);
    }

    #[test]
    fn sound_in_one_channel_is_no_silence_but_the_lfe_does_not_count() {
        let items = Track::new().stereo(5.0, -200.0, -30.0).items;
        assert_eq!(stretches(&mut *detector(Profile::File), &items), []);
        let track = audio_track(&[ChannelRole::Left, ChannelRole::Lfe]);
        let found = lasting(&mut *build(&KIND, Profile::File, &track, &[]), &items, 1.0);
        assert_eq!(found, [(0.0, None)]);
    }

    #[test]
    fn a_low_tone_that_hides_within_each_hop_is_no_silence() {
        // 20 Hz at −50 dBFS: each hop sees little more than a moving mean.
        let tone = |index: u64| {
            let mean = 0.0044 * (index as f32 * 0.4 * std::f32::consts::PI).sin();
            vec![ChannelHop { mean, ..level(-64.0) }; 2]
        };
        let items = Track::new().then(5.0, tone).items;
        assert_eq!(silent(&items), []);
    }

    #[test]
    fn a_level_that_trembles_at_the_limit_stays_one_silence() {
        let trembling = |index: u64| vec![level(if index.is_multiple_of(2) { -60.5 } else { -58.5 }); 2];
        let items = Track::new().stereo(1.0, -80.0, -80.0).then(5.0, trembling).items;
        assert_eq!(silent(&items), [(0.0, None)]);
    }

    #[test]
    fn radio_calls_minus_55_dbfs_silent_and_others_do_not() {
        let items = Track::new().stereo(8.0, -55.0, -55.0).items;
        assert_eq!(lasting(&mut *detector(Profile::Radio), &items, 1.0), [(0.0, None)]);
        assert_eq!(lasting(&mut *detector(Profile::Ott), &items, 1.0), []);
    }

    #[test]
    fn pauses_of_speech_are_short_runs() {
        let speech = |index: u64| vec![level(if index % 120 < 80 { -25.0 } else { -70.0 }); 2];
        let items = Track::new().then(20.0, speech).items;
        assert_eq!(silent(&items), []);
    }

    #[test]
    fn the_score_is_the_level_of_the_loudest_channel() {
        let items = Track::new().stereo(2.0, -200.0, -70.0).items;
        let found = stretches(&mut *detector(Profile::File), &items);
        assert!((found[0].score + 70.0).abs() < 0.1, "{}", found[0].score);
    }
}
