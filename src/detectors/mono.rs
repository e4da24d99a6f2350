//! Mono: a stereo track carries the same sound left and right.
//!
//! Over 400 ms the correlation of left and right, below some 5 kHz, is above `correlation` and their levels differ by
//! less than 0.2 dB (see `pair`, also for onset and end); to end, twice as much must be missing. Higher up
//! codecs replace noise by noise of their own, different left and right. Coding leaves dual mono within that; a voice in the middle of a stereo
//! programme does not reach it. Digital silence and a dead channel are not mono. Only tracks with
//! just a stereo pair are watched. Score: the correlation.
//!
//! Sources: dual mono measures 1.000 also after AAC at 128 kbit/s (own measurements); hold times are the
//! published defaults. Off in `news-sport`, where reports are mono by nature; `info` elsewhere.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Worse};
use avwatch_actors::severity::Severity::Info;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackInfo, TrackKind};

use super::kind::lasted;
use super::pair::{Pair, PairJudge, Rule};
use super::sound_judge::OfSound;
use super::table::Table;
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 207,
    name: "mono",
    summary: "A stereo track carries the same sound left and right",
    unit: "correlation",
    worse: Worse::Higher,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Rest,
    cheapest: Tier::Audio,
    standard_ref: None,
    source: "Own measurements: dual mono 1.000, also after AAC at 128 kbit/s; films 0.13 to 0.89",
    options: &[OptionDoc {
        name: "correlation",
        doc: "Correlation of left and right over 400 ms, from 0 to 1, above which they are the same.",
        default: |_| OptionValue::Number(0.998),
        range: (0.9, 0.999_99),
    }],
    defaults,
    needs: |_, plan| {
        plan.sound = true;
        plan.pair = true;
    },
    threshold: |options| Some(options.number("correlation") as f32),
    class_limits: |_| None,
    applies: |track| {
        track.track.kind == TrackKind::Audio && track.audio.as_ref().is_none_or(|format| format.channels == 2)
    },
    message: |situation: &Situation| format!("left and right the same for {}", lasted(situation)),
    build: |options, _| {
        let rule = Rule {
            over_window: |pair: &Pair, limit| pair.correlation() > limit && pair.imbalance_db() < 0.2,
            of_hop: |pair| pair.correlation() > 0.995 && pair.imbalance_db() < 0.5,
            limits: (options.number("correlation"), 2.0 * options.number("correlation") - 1.0),
            low: true,
        };
        Arc::new(move |track: &TrackInfo| OfSound::boxed(track, PairJudge::new(track, rule)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let live = &[(10_000, Info)];
    let mut defaults = Table { live, fast: live, file: &[(2_000, Info)] }.defaults(profile);
    defaults.enabled = profile != Profile::NewsSport;
    defaults
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{ChannelHop, PairFacts, SoundHop};
    use avwatch_actors::item::Item;
    use avwatch_actors::track::ChannelRole;

    use super::super::testing::{STEREO, Track, audio_track, build, lasting, level};
    use super::*;

    fn pair(left: f32, right: f32, correlation: f32) -> (SoundHop, Vec<ChannelHop>) {
        let (left, right) = (level(left), level(right));
        let low_covariance = correlation * (left.power * right.power).sqrt();
        let pair = PairFacts { covariance: 0.0, low_left: left.power, low_right: right.power, low_covariance };
        (SoundHop { pair, ..SoundHop::default() }, vec![left, right])
    }

    fn found(items: &[Item]) -> Vec<(f64, Option<f64>)> {
        lasting(&mut *build(&KIND, Profile::File, &audio_track(STEREO), &[]), items, 2.0)
    }

    #[test]
    fn dual_mono_is_told_from_its_first_to_its_last_hop() {
        let items = Track::new()
            .then_hops(2.0, |_| pair(-20.0, -20.0, 0.9))
            .then_hops(5.0, |_| pair(-20.0, -20.05, 0.9995))
            .then_hops(2.0, |_| pair(-20.0, -20.0, 0.9));
        assert_eq!(found(&items.items), [(2.0, Some(7.0))]);
    }

    #[test]
    fn a_centred_voice_over_stereo_music_is_not_mono() {
        assert_eq!(found(&Track::new().then_hops(8.0, |_| pair(-20.0, -20.0, 0.99)).items), []);
    }

    #[test]
    fn sound_that_is_panned_to_one_side_is_not_mono() {
        assert_eq!(found(&Track::new().then_hops(8.0, |_| pair(-20.0, -21.0, 1.0)).items), []);
    }

    #[test]
    fn digital_silence_and_a_dead_channel_are_not_mono() {
        assert_eq!(found(&Track::new().then_hops(8.0, |_| pair(-200.0, -200.0, 0.0)).items), []);
        assert_eq!(found(&Track::new().then_hops(8.0, |_| pair(-20.0, -200.0, 0.0)).items), []);
    }

    #[test]
    fn only_stereo_tracks_are_watched_and_news_not_at_all() {
        assert!((KIND.applies)(&audio_track(STEREO)));
        assert!(!(KIND.applies)(&audio_track(&[ChannelRole::Mono])));
        assert!(!(KIND.applies)(&audio_track(&[ChannelRole::Left; 6])));
        assert!(!defaults(Profile::NewsSport).enabled && defaults(Profile::Ott).enabled);
    }
}
