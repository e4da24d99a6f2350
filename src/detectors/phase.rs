//! Phase: the channels of a stereo pair are out of phase, and cancel where they are mixed to mono.
//!
//! The correlation `ρ = Σxy / √(Σx²·Σy²)` of the AC parts of front left and right over 400 ms is below
//! `correlation`; to end it must rise by a tenth. It does not depend on how loud the channels are against each other, so a channel that is inverted
//! and quieter is told as well, and digital silence or a dead channel is not (see `pair`, also for
//! onset and end). Tracks without such a pair are not watched. Score: ρ.
//!
//! Sources: inverted stereo measures −1.000, after MP2 at 192 kbit/s −0.998 or less, ordinary films
//! 0.13 to 0.89 (own measurements); hold times are the published defaults; `news-sport` halves them.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Worse};
use avwatch_actors::severity::Severity::Warning;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackInfo, TrackKind};

use super::kind::lasted;
use super::pair::{Pair, PairJudge, Rule};
use super::sound_judge::OfSound;
use super::table::{Table, info_only};
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 206,
    name: "phase",
    summary: "Left and right are out of phase",
    unit: "correlation",
    worse: Worse::Lower,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Rest,
    cheapest: Tier::Audio,
    standard_ref: None,
    source: "Own measurements: inverted -1.00, after MP2 -0.998, films 0.13 to 0.89",
    options: &[OptionDoc {
        name: "correlation",
        doc: "Correlation of left and right over 400 ms, from -1 to 0, below which they are out of phase.",
        default: |_| OptionValue::Number(-0.9),
        range: (-0.999, 0.0),
    }],
    defaults,
    needs: |_, plan| {
        plan.sound = true;
        plan.pair = true;
    },
    threshold: |options| Some(options.number("correlation") as f32),
    class_limits: |_| None,
    applies: |track| {
        track.track.kind == TrackKind::Audio && track.audio.as_ref().is_none_or(|format| format.channels != 1)
    },
    message: |situation: &Situation| format!("left and right out of phase for {}", lasted(situation)),
    build: |options, _| {
        let rule = Rule {
            over_window: |pair: &Pair, limit| pair.correlation() < limit,
            of_hop: |pair| pair.correlation() < -0.7,
            limits: (options.number("correlation"), 0.9 * options.number("correlation")),
            low: false,
        };
        Arc::new(move |track: &TrackInfo| OfSound::boxed(track, PairJudge::new(track, rule)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table { live: &[(10_000, Warning)], fast: &[(5_000, Warning)], file: &[(2_000, Warning)] };
    let mut defaults = table.defaults(profile);
    defaults.secondary_steps = Some(info_only(&defaults.steps));
    defaults
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{ChannelHop, PairFacts, SoundHop};
    use avwatch_actors::item::Item;
    use avwatch_actors::track::ChannelRole;

    use super::super::testing::{STEREO, Track, audio_track, build, lasting, level, stretches};
    use super::*;

    /// Left and right of these levels and correlation.
    fn pair(left: f32, right: f32, correlation: f32) -> (SoundHop, Vec<ChannelHop>) {
        let (left, right) = (level(left), level(right));
        let covariance = correlation * (left.power * right.power).sqrt();
        (SoundHop { pair: PairFacts { covariance, ..PairFacts::default() }, ..SoundHop::default() }, vec![left, right])
    }

    fn found(items: &[Item]) -> Vec<(f64, Option<f64>)> {
        lasting(&mut *build(&KIND, Profile::File, &audio_track(STEREO), &[]), items, 2.0)
    }

    #[test]
    fn an_inverted_and_quieter_channel_is_told_from_its_first_to_its_last_hop() {
        let items = Track::new()
            .then_hops(3.0, |_| pair(-20.0, -20.0, 0.4))
            .then_hops(4.03, |_| pair(-20.0, -23.0, -1.0))
            .then_hops(3.0, |_| pair(-20.0, -20.0, 0.4));
        assert_eq!(found(&items.items), [(3.0, Some(7.03))]);
    }

    #[test]
    fn coding_noise_in_single_hops_does_not_interrupt_it() {
        let noisy = |index: u64| pair(-20.0, -20.0, if index % 17 < 2 { -0.3 } else { -1.0 });
        let items = Track::new().then_hops(6.0, noisy).items;
        assert_eq!(found(&items).len(), 1);
    }

    #[test]
    fn digital_silence_and_a_dead_channel_are_not_out_of_phase() {
        assert_eq!(found(&Track::new().then_hops(8.0, |_| pair(-200.0, -200.0, 0.0)).items), []);
        assert_eq!(found(&Track::new().then_hops(8.0, |_| pair(-20.0, -200.0, 0.0)).items), []);
    }

    #[test]
    fn wide_stereo_is_not_out_of_phase() {
        assert_eq!(found(&Track::new().then_hops(8.0, |_| pair(-20.0, -20.0, -0.6)).items), []);
    }

    #[test]
    fn pauses_between_words_do_not_end_it_and_silence_does() {
        let speech = |index: u64| if index % 150 < 90 { pair(-20.0, -20.0, -1.0) } else { pair(-90.0, -90.0, 0.0) };
        let items = Track::new().then_hops(6.0, speech).then_hops(5.0, |_| pair(-200.0, -200.0, 0.0)).items;
        let found = stretches(&mut *build(&KIND, Profile::File, &audio_track(STEREO), &[]), &items);
        assert_eq!(found.len(), 1);
        // The window hears the last word for as long as it reaches.
        let end = found[0].end.unwrap_or_default();
        assert!((5.4..=5.8).contains(&end), "{end}");
    }

    #[test]
    fn the_front_pair_of_surround_sound_is_judged_and_mono_is_not() {
        use ChannelRole::{Center, Left, Lfe, Right};
        let roles = [Center, Left, Right, Lfe];
        let surround = |_| {
            let (hop, front) = pair(-20.0, -20.0, -1.0);
            (hop, vec![level(-20.0), front[0], front[1], level(-20.0)])
        };
        let items = Track::new().then_hops(4.0, surround).items;
        let found = lasting(&mut *build(&KIND, Profile::File, &audio_track(&roles), &[]), &items, 2.0);
        assert_eq!(found, [(0.0, None)]);
        assert!(!(KIND.applies)(&audio_track(&[ChannelRole::Mono])));
    }
}
