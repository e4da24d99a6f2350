//! What is clipped and what is not, told as facts of half waves.

use avwatch_actors::item::Item;

use super::super::testing::{STEREO, Track, audio_track, build, lasting, level};
use super::*;

/// Half waves of varying lengths.
fn lively() -> TopFacts {
    TopFacts { waves: 10.0, length: 480.0, unrest: 20_000.0, ..TopFacts::default() }
}

fn channel(peak: f32, tops: TopFacts) -> ChannelHop {
    ChannelHop { peak, tops, ..level(-12.0) }
}

fn clipped(peak: f32, tops: TopFacts) -> ChannelHop {
    channel(peak, TopFacts { plateau: 0.05, plateau_level: peak, ..tops })
}

fn found(profile: Profile, items: &[Item], hold: f64) -> Vec<(f64, Option<f64>)> {
    lasting(&mut *build(&KIND, profile, &audio_track(STEREO), &[]), items, hold)
}

#[test]
fn hidden_clipping_is_told_from_its_first_to_its_last_hop() {
    let items = Track::new()
        .then(3.0, |_| vec![channel(0.4, lively()); 2])
        .then(4.0, |_| vec![channel(0.4, lively()), clipped(0.5, lively())])
        .then(3.0, |_| vec![channel(0.4, lively()); 2]);
    assert_eq!(found(Profile::File, &items.items, 2.0), [(3.0, Some(7.0))]);
}

#[test]
fn now_and_then_a_plateau_is_no_clipping() {
    let rare = |index: u64| {
        let one = TopFacts { plateau: 0.006, plateau_level: 0.9, ..lively() };
        vec![channel(0.9, if index % 100 == 7 { one } else { lively() }); 2]
    };
    assert_eq!(found(Profile::File, &Track::new().then(8.0, rare).items, 2.0), []);
}

#[test]
fn plateaus_below_the_highest_peaks_are_no_clipping() {
    let low =
        |index: u64| vec![if index.is_multiple_of(20) { channel(0.9, lively()) } else { clipped(0.5, lively()) }; 2];
    assert_eq!(found(Profile::File, &Track::new().then(8.0, low).items, 2.0), []);
}

#[test]
fn a_square_wave_is_no_clipping_unless_it_fills_the_scale() {
    let even = TopFacts { unrest: 2.0, ..lively() };
    assert_eq!(found(Profile::File, &Track::new().then(8.0, |_| vec![clipped(0.5, even); 2]).items, 2.0), []);
    let items = Track::new().then(8.0, |_| vec![clipped(1.0, even); 2]).items;
    assert_eq!(found(Profile::File, &items, 2.0), [(0.0, None)]);
}

#[test]
fn stairs_are_no_clipping() {
    let stairs = TopFacts { stairs: 0.1, ..lively() };
    assert_eq!(found(Profile::File, &Track::new().then(8.0, |_| vec![clipped(0.5, stairs); 2]).items, 2.0), []);
}

#[test]
fn flat_tops_at_one_level_are_clipping_and_at_many_levels_are_not() {
    let flat = |level: f32| channel(0.6, TopFacts { flat: 0.02, flat_level: level, ..lively() });
    let coded = |index: u64| vec![flat(0.5 + 0.01 * (index % 3) as f32); 2];
    assert_eq!(found(Profile::File, &Track::new().then(8.0, coded).items, 2.0), [(0.0, None)]);
    let music = |index: u64| {
        let level = 0.05 + 0.005 * (index % 100) as f32;
        vec![channel(0.6, TopFacts { flat: 0.002, flat_level: level, ..lively() }); 2]
    };
    assert_eq!(found(Profile::File, &Track::new().then(8.0, music).items, 2.0), []);
}

/// Noise that peaks at 0.5, of whose samples these are how high.
fn ceiling(ceiling: CeilingFacts) -> ChannelHop {
    ChannelHop { ceiling, ..channel(0.5, lively()) }
}

#[test]
fn noise_that_is_cut_off_now_and_then_is_told_by_its_ties() {
    let noise = |ties: f32, near: f32| {
        move |index: u64| {
            // Loud once in a second.
            let loud = CeilingFacts { ties, near, over: 0.0 };
            vec![if index % 100 < 20 { ceiling(loud) } else { channel(0.3, lively()) }; 2]
        }
    };
    let told = |ties, near| found(Profile::File, &Track::new().then(8.0, noise(ties, near)).items, 2.0);
    assert_eq!(told(0.003, 0.002), [(0.0, None)]);
    assert_eq!(told(0.000_4, 0.000_2), [], "too few");
    assert_eq!(told(0.003, 0.02), [], "a limiter");
}

#[test]
fn samples_beyond_full_scale_on_all_channels_together_are_clipping() {
    let over = |over: f32| vec![ceiling(CeilingFacts { over, ..CeilingFacts::default() }); 6];
    let told = |share: f32| found(Profile::File, &Track::new().then(8.0, |_| over(share)).items, 2.0);
    assert_eq!(told(0.001), [(0.0, None)]);
    assert_eq!(told(0.000_3), [], "what a codec adds to a limiter's ceiling");
}

#[test]
fn chords_that_were_clipped_before_coding_are_told_and_square_waves_are_not() {
    let even = TopFacts { unrest: 2.0 * 0.3 * 0.3 * 23_040.0, ..lively() };
    let chord = |turns: f32| TopFacts { flat: 0.3, flat_level: 0.5, turns, stairs: 0.001, ..even };
    let told =
        |turns| found(Profile::File, &Track::new().then(8.0, |_| vec![channel(0.55, chord(turns)); 2]).items, 2.0);
    assert_eq!(told(0.1), [(0.0, None)]);
    assert_eq!(told(0.002), [], "square waves");
}

#[test]
fn a_chord_that_decoding_carries_beyond_full_scale_was_clipped_before_coding() {
    let chord = TopFacts { flat: 0.04, turns: 0.01, unrest: 2.0 * 0.4 * 0.4 * 23_040.0, ..lively() };
    let told = |peak, tops| found(Profile::File, &Track::new().then(8.0, |_| vec![channel(peak, tops); 2]).items, 2.0);
    assert_eq!(told(1.05, TopFacts { flat_level: 0.97, ..chord }), [(0.0, None)]);
    assert_eq!(told(0.95, TopFacts { flat_level: 0.9, ..chord }), [], "a synthesiser that keeps below full scale");
    assert_eq!(told(1.05, TopFacts { flat_level: 0.7, ..chord }), [], "below the peaks");
    assert_eq!(told(1.05, TopFacts { flat_level: 0.97, stairs: 0.02, ..chord }), [], "stairs");
    assert_eq!(told(1.05, TopFacts { flat_level: 0.97, unrest: 2.0, ..chord }), [], "a square wave");
}

#[test]
fn live_it_takes_three_seconds() {
    let items = Track::new().then(8.0, |_| vec![clipped(1.0, lively()); 2]).items;
    assert_eq!(found(Profile::Ott, &items, 3.0), [(0.0, None)]);
    assert_eq!(defaults(Profile::Ott).steps[0].0.as_secs(), 3);
}
