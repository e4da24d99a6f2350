//! What is a drop-out and what is not, fact by fact.

use avwatch_actors::frame::Stamp;
use avwatch_actors::item::Item;

use super::super::testing::{STEREO, Track, audio_track, build, level, stretches};
use super::*;

const SHARP: Lull = Lull { lasts_ms: 12.0, ended_ms: 4.0, before: 0.1, earlier: 0.1, after: 0.1, alive: 1.0 };

/// Ten seconds of sound with a lull told in each of these hops.
fn with_lulls(lulls: &[(u64, Lull)]) -> Vec<Item> {
    let hop = |index: u64| {
        let lull = lulls.iter().find(|(at, _)| *at == index).map(|(_, lull)| *lull).unwrap_or_default();
        vec![ChannelHop { lull, ..level(-20.0) }, level(-20.0)]
    };
    Track::new().then(10.0, hop).items
}

fn found(profile: Profile, items: &[Item]) -> Vec<(f64, Option<f64>)> {
    let found = stretches(&mut *build(&KIND, profile, &audio_track(STEREO), &[]), items);
    found.into_iter().map(|stretch| (stretch.start, stretch.end)).collect()
}

#[test]
fn in_a_file_every_one_is_told_to_the_sample() {
    let items = with_lulls(&[(200, SHARP), (600, Lull { lasts_ms: 1.0, ended_ms: -1.0, ..SHARP })]);
    assert_eq!(found(Profile::File, &items), [(1.992, Some(2.004)), (5.998, Some(5.999))]);
}

#[test]
fn live_it_takes_two_within_ten_seconds() {
    assert_eq!(found(Profile::Ott, &with_lulls(&[(200, SHARP)])), []);
    let items = with_lulls(&[(200, SHARP), (600, SHARP)]);
    assert_eq!(found(Profile::Ott, &items), [(1.992, Some(6.004))]);
}

#[test]
fn what_fades_or_begins_softly_or_is_level_is_no_dropout() {
    for lull in [
        Lull { before: 0.01, ..SHARP },
        Lull { before: 0.5, ..SHARP },
        Lull { after: 0.002, ..SHARP },
        Lull { before: 0.004, earlier: 0.004, after: 0.004, ..SHARP },
        Lull { alive: 0.1, ..SHARP },
    ] {
        assert_eq!(found(Profile::File, &with_lulls(&[(500, lull)])), [], "{lull:?}");
    }
}

#[test]
fn a_longer_one_counts_only_when_it_stands_alone() {
    let long = Lull { lasts_ms: 200.0, ..SHARP };
    assert_eq!(found(Profile::File, &with_lulls(&[(500, long)])), [(4.804, Some(5.004))]);
    assert_eq!(found(Profile::File, &with_lulls(&[(450, long), (500, long), (550, long)])), []);
    assert_eq!(found(Profile::File, &with_lulls(&[(500, Lull { lasts_ms: 800.0, ..SHARP })])), []);
    let faint = Lull { before: 0.006, earlier: 0.006, after: 0.006, ..long };
    assert_eq!(found(Profile::File, &with_lulls(&[(500, faint)])), []);
}

#[test]
fn a_voice_from_a_machine_makes_pauses_of_zeros_and_loses_nothing_between_its_words() {
    let pause = Lull { lasts_ms: 80.0, before: 0.001, ..SHARP };
    assert_eq!(found(Profile::File, &with_lulls(&[(200, pause), (300, SHARP)])), []);
    assert_eq!(found(Profile::File, &with_lulls(&[(200, pause), (600, SHARP)])), [(5.992, Some(6.004))]);
}

#[test]
fn the_same_on_both_channels_is_one() {
    let both = |index: u64| {
        let lull = if index == 300 { SHARP } else { Lull::default() };
        vec![ChannelHop { lull, ..level(-20.0) }; 2]
    };
    assert_eq!(found(Profile::Ott, &Track::new().then(6.0, both).items), []);
}

#[test]
fn a_buffer_played_again_is_told_and_a_steady_tone_is_not() {
    let echo = Echo { lasts_ms: 19.5, lag_ms: 21.3, ended_ms: 3.0, sound_ms: 900.0, unsteady: 0.5 };
    let with = |echo: Echo| {
        let hop = move |index: u64| {
            let echo = if index == 300 { echo } else { Echo::default() };
            (SoundHop { echo, ..SoundHop::default() }, vec![level(-20.0); 2])
        };
        found(Profile::File, &Track::new().then_hops(6.0, hop).items)
    };
    assert_eq!(with(echo), [(2.9835, Some(3.003))]);
    assert_eq!(with(Echo { lasts_ms: 41.0, ..echo }).len(), 1);
    for other in [
        Echo { unsteady: 1e-6, ..echo },
        Echo { sound_ms: 0.0, ..echo },
        Echo { lag_ms: 5.0, ..echo },
        Echo { lasts_ms: 300.0, ..echo },
        Echo { lasts_ms: 25.0, ..echo },
    ] {
        assert_eq!(with(other), [], "{other:?}");
    }
}

/// Six seconds of sound on two channels, each with its level in dB in every quarter hop, and how much
/// duller it is then.
fn by_quarters(level: impl Fn(usize, u64) -> (f32, f32)) -> Vec<Item> {
    let channel = |number: usize, index: u64| {
        let power = |quarter: usize| {
            let (level, duller) = level(number, 4 * index + quarter as u64);
            (0.01 * 10f32.powf(0.1 * level), 0.001 * 10f32.powf(0.1 * (level - duller)))
        };
        let (quarters, slopes) = (std::array::from_fn(|n| power(n).0), std::array::from_fn(|n| power(n).1));
        ChannelHop { quarters, slopes, ..super::super::testing::level(-20.0) }
    };
    Track::new().then(6.0, |index| vec![channel(0, index), channel(1, index)]).items
}

fn notches(level: impl Fn(usize, u64) -> (f32, f32)) -> Vec<(f64, Option<f64>)> {
    found(Profile::File, &by_quarters(level))
}

/// Down by 40 dB in these quarters.
fn down(quarters: std::ops::Range<u64>) -> impl Fn(usize, u64) -> (f32, f32) {
    move |_, quarter| (if quarters.contains(&quarter) { -40.0 } else { 0.0 }, 0.0)
}

#[test]
fn a_notch_in_steady_sound_is_told_by_quarter_hops() {
    assert_eq!(notches(down(1_190..1_196)), [(2.975, Some(2.99))]);
    assert_eq!(notches(down(1_190..1_191)), [], "too short");
    let louder = |_, quarter| (if quarter < 1_190 { 0.0 } else { [-40.0, 6.0][usize::from(quarter >= 1_196)] }, 0.0);
    assert_eq!(notches(louder), [], "not the same afterwards");
    assert_eq!(notches(down(120..126)), [], "too little was heard before");
}

#[test]
fn sixty_milliseconds_after_lossy_coding_are_told() {
    assert_eq!(notches(down(1_190..1_214)), [(2.975, Some(3.035))]);
    let edges = |_, quarter: u64| {
        let level = match quarter {
            1_190 | 1_213 => -8.0,
            1_191 | 1_212 => -17.0,
            1_192..1_212 => -60.0,
            _ => 0.0,
        };
        (level, 0.0)
    };
    assert_eq!(notches(edges), [(2.975, Some(3.035))]);
}

#[test]
fn what_a_codec_rings_on_with_fills_no_gap() {
    let ringing = |_, quarter| if (1_190..1_214).contains(&quarter) { (-12.0, 14.0) } else { (0.0, 0.0) };
    assert_eq!(notches(ringing), [(2.975, Some(3.035))]);
}

#[test]
fn a_pause_of_half_a_second_and_pauses_one_after_the_other_are_no_drop_outs() {
    assert_eq!(notches(down(1_190..1_400)), []);
    assert_eq!(notches(|_, quarter| (if quarter % 300 < 30 { -40.0 } else { 0.0 }, 0.0)), []);
}

#[test]
fn a_rest_of_one_channel_is_none_unless_it_is_the_only_one() {
    let rest = |other: f32| {
        move |number: usize, quarter: u64| match number {
            0 => (if (1_190..1_196).contains(&quarter) { -40.0 } else { 0.0 }, 0.0),
            _ => (other, 0.0),
        }
    };
    assert_eq!(notches(rest(0.0)), []);
    assert_eq!(notches(rest(-60.0)), [(2.975, Some(2.99))]);
}

#[test]
fn applause_is_full_of_dips_and_has_no_notches() {
    let clapping = |_, quarter: u64| {
        let dip = (1_190..1_196).contains(&quarter) || (quarter % 50 < 2 && quarter < 1_100);
        (if dip { -25.0 } else { 0.0 }, 0.0)
    };
    assert_eq!(notches(clapping), []);
}

#[test]
fn where_the_times_run_backwards_another_stream_begins_and_nothing_is_lost() {
    let again = |item: Item| match item {
        Item::Audio(frame) if frame.stamp.media_time >= MediaTime::from_millis(3_000) => {
            let stamp = Stamp { repair: Repair::Backward, ..frame.stamp };
            Item::Audio(Arc::new(AudioFrame::new(stamp, frame.signs, frame.hops.clone(), None, None)))
        }
        other => other,
    };
    for quarters in [1_190..1_196, 1_204..1_220] {
        let items: Vec<Item> = by_quarters(down(quarters)).into_iter().map(again).collect();
        assert_eq!(found(Profile::File, &items), []);
    }
}

#[test]
fn messages_say_what_and_how_often() {
    let situation = |peak, class| Situation { lasted: MediaTime::ZERO, peak, class };
    assert_eq!(message(&situation(1.0, LOST)), "sound dropped out");
    assert_eq!(message(&situation(3.0, REPEATED)), "a stretch of sound was played twice, 3 times within 10 s");
}
