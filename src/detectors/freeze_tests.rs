//! What freezes and what does not, told as facts of motion.

use avwatch_actors::frame::{MotionFacts, PictureFacts};

use super::super::testing::{Film, build, lasting, picture, started, stretches, verdicts, video_track};
use super::*;

fn with(motion: MotionFacts) -> PictureFacts {
    PictureFacts { width: 640, height: 360, motion, ..PictureFacts::default() }
}

/// Not one pixel differs.
fn still() -> PictureFacts {
    with(MotionFacts { compared: true, identical: true, cells: 3600, ..MotionFacts::default() })
}

/// The first picture.
fn first() -> PictureFacts {
    with(MotionFacts { cells: 3600, ..MotionFacts::default() })
}

/// A standing picture, coded anew at a key frame.
fn pulse() -> PictureFacts {
    with(MotionFacts {
        compared: true,
        cells: 3600,
        active_cells: 40,
        difference: 0.6,
        largest: 8.5,
        noise: 0.4,
        ..MotionFacts::default()
    })
}

/// Film: a third of the cells move, the reference is outdated at once.
fn film() -> PictureFacts {
    with(MotionFacts {
        compared: true,
        cells: 3600,
        active_cells: 1233,
        difference: 6.0,
        largest: 80.0,
        noise: 0.8,
        drifted_share: 0.3,
        reference_replaced: true,
        ..MotionFacts::default()
    })
}

/// Film with little motion: the reference lasts.
fn calm_film() -> PictureFacts {
    with(MotionFacts {
        compared: true,
        cells: 3600,
        active_cells: 6,
        difference: 0.3,
        largest: 12.0,
        noise: 0.3,
        drifted_share: 0.004,
        ..MotionFacts::default()
    })
}

/// A picture that stands still under temporal noise.
fn noisy_still() -> PictureFacts {
    with(MotionFacts {
        compared: true,
        cells: 3600,
        difference: 3.0,
        largest: 2.0,
        noise: 0.6,
        ..MotionFacts::default()
    })
}

fn detector() -> Box<dyn Detector> {
    build(&KIND, Profile::File, &video_track(25.0), &[])
}

fn frozen(items: &[Item]) -> Vec<(f64, Option<f64>)> {
    lasting(&mut *detector(), items, 1.0)
}

#[test]
fn a_coded_still_with_a_pulse_at_every_key_frame_is_frozen_throughout() {
    let coded = |index: u64| match index {
        0 => first(),
        index if index % 50 == 0 => pulse(),
        _ => still(),
    };
    let items = Film::new(25.0).then(12.0, coded).items;
    let found = stretches(&mut *detector(), &items);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].start, found[0].end, found[0].held), (0.0, None, 12.0));
}

#[test]
fn a_pulse_in_every_second_of_mpeg_2_does_not_hide_a_still() {
    let coded = |index: u64| if index.is_multiple_of(15) { pulse() } else { still() };
    let items = Film::new(25.0).then(1.0, |_| film()).then(6.0, coded).items;
    assert_eq!(frozen(&items).len(), 1);
}

#[test]
fn a_still_coded_anew_in_every_fourth_picture_is_frozen_from_its_first() {
    let items = Film::new(25.0).then(6.0, |index| if index % 4 == 3 { pulse() } else { still() }).items;
    assert_eq!(frozen(&items), [(0.0, None)]);
}

#[test]
fn movement_that_coding_foreshadows_ends_a_freeze_at_its_first_real_picture() {
    let items = Film::new(25.0).then(3.0, |_| still()).then(0.08, |_| pulse()).then(1.0, |_| calm_film()).items;
    assert_eq!(frozen(&items), [(0.0, Some(3.08))]);
}

#[test]
fn weak_movement_in_every_picture_is_no_freeze() {
    assert_eq!(frozen(&Film::new(25.0).then(10.0, |_| pulse()).items), []);
}

#[test]
fn a_freeze_in_film_is_found_with_both_ends_exact_to_the_frame() {
    let coded = |index: u64| if index == 30 { pulse() } else { still() };
    let items = Film::new(25.0).then(4.0, |_| film()).then(3.0, coded).then(1.0, |_| film()).items;
    // The last picture of the film is shown at 3.96 s and held from there.
    assert_eq!(frozen(&items), [(3.96, Some(7.0))]);
}

#[test]
fn an_instance_that_begins_amid_a_stream_does_not_call_it_frozen_since_its_begin() {
    let items = Film::new(25.0).then(60.0, |_| film()).then(0.4, |_| still()).then(2.0, |_| film()).items;
    assert_eq!(frozen(&items[60 * 25 - 1..]), [], "a few pictures that stand still are no minute");
    let items = Film::new(25.0).then(60.0, |_| film()).then(3.0, |_| still()).items;
    assert_eq!(frozen(&items[61 * 25..]), [(61.0, None)], "what it has not seen, it does not tell");
}

#[test]
fn a_pulse_right_after_the_onset_does_not_move_it() {
    let coded = |index: u64| if index == 8 { pulse() } else { still() };
    let items = Film::new(25.0).then(4.0, |_| film()).then(3.0, coded).items;
    assert_eq!(frozen(&items), [(3.96, None)]);
}

#[test]
fn calm_film_after_a_freeze_ends_it_at_its_first_picture() {
    let items = Film::new(25.0).then(2.0, |_| calm_film()).then(3.0, |_| still()).then(2.0, |_| calm_film()).items;
    assert_eq!(frozen(&items), [(1.96, Some(5.0))]);
}

#[test]
fn the_end_is_said_within_a_quarter_of_a_second_of_calm_motion() {
    let items = Film::new(25.0).then(3.0, |_| still()).then(0.24, |_| calm_film()).items;
    let said = verdicts(&mut *detector(), &items);
    assert!(said.iter().any(|verdict| matches!(verdict, avwatch_actors::detector::Verdict::Clear { .. })));
}

#[test]
fn a_still_under_temporal_noise_is_frozen() {
    let items = Film::new(25.0).then(1.0, |_| film()).then(5.0, |_| noisy_still()).items;
    assert_eq!(frozen(&items), [(0.96, None)]);
}

#[test]
fn a_small_box_that_moves_all_the_time_is_no_freeze() {
    let box_moves = |_| {
        with(MotionFacts {
            compared: true,
            cells: 3600,
            active_cells: 4,
            difference: 0.05,
            largest: 55.0,
            drifted_share: 0.001,
            ..MotionFacts::default()
        })
    };
    let items = Film::new(25.0).then(10.0, box_moves).items;
    assert_eq!(stretches(&mut *detector(), &items), []);
}

/// A linear fade as the measurer would see it: uniform, slow, with the reference replaced at 10.
fn fade(seconds: f64, levels: f64) -> impl Fn(u64) -> PictureFacts {
    let step = levels / (seconds * 25.0);
    move |index| {
        let drift = |index: u64| {
            let mut reference = 0.0;
            for past in 1..=index {
                let level = past as f64 * step;
                if level - reference > 10.0 {
                    reference = level;
                    if past == index {
                        return (10.0 + step, true);
                    }
                }
            }
            (index as f64 * step - reference, false)
        };
        let (drift, reference_replaced) = drift(index);
        with(MotionFacts {
            compared: true,
            cells: 3600,
            difference: step as f32,
            noise: 1.4826 * step as f32,
            largest: step as f32,
            drifted_share: if reference_replaced { 1.0 } else { 0.0 },
            drift: -drift as f32,
            reference_replaced,
            ..MotionFacts::default()
        })
    }
}

#[test]
fn slow_fades_are_no_freeze() {
    for seconds in [8.0, 60.0] {
        let items = Film::new(25.0).then(1.0, |_| film()).then(seconds, fade(seconds, 90.0)).items;
        assert_eq!(frozen(&items), [], "{seconds} s");
    }
}

#[test]
fn a_dissolve_that_keeps_the_level_is_believed_still_only_once() {
    // No picture is active and the level stays, but the reference is outdated every 3 s.
    let dissolve = |index: u64| {
        let phase = index % 75;
        with(MotionFacts {
            compared: true,
            cells: 3600,
            difference: 0.2,
            noise: 0.2,
            drifted_share: if phase == 74 { 0.021 } else { 0.01 * f32::from(u8::from(phase > 37)) },
            reference_replaced: phase == 74,
            ..MotionFacts::default()
        })
    };
    let items = Film::new(25.0).then(1.0, |_| film()).then(60.0, dissolve).items;
    assert!(frozen(&items).len() <= 1, "{:?}", frozen(&items));
}

#[test]
fn a_still_after_a_slow_fade_is_found_from_where_it_settled() {
    let items = Film::new(25.0).then(8.0, fade(8.0, 9.0)).then(6.0, |_| {
        let mut facts = still();
        facts.motion.drift = -9.0;
        facts
    });
    let found = frozen(&items.items);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!((found[0].0 - 8.0).abs() <= 0.12 && found[0].1.is_none(), "{found:?}");
}

#[test]
fn film_calm_or_not_and_snow_are_no_freeze() {
    let snow =
        |_| with(MotionFacts { compared: true, cells: 3600, difference: 40.0, noise: 12.0, ..MotionFacts::default() });
    for items in [
        Film::new(25.0).then(10.0, |_| film()).items,
        Film::new(25.0).then(10.0, |_| calm_film()).items,
        Film::new(25.0).then(10.0, |index| if index % 4 == 0 { calm_film() } else { still() }).items,
        Film::new(25.0).then(10.0, snow).items,
    ] {
        assert_eq!(frozen(&items), []);
    }
}

#[test]
fn each_slide_is_a_still_of_its_own() {
    let slides = |index: u64| if index.is_multiple_of(100) { film() } else { still() };
    let items = Film::new(25.0).then(12.0, slides).items;
    assert_eq!(frozen(&items), [(0.0, Some(4.0)), (4.0, Some(8.0)), (8.0, None)]);
}

#[test]
fn a_cut_is_told_clear_for_long_enough_to_end_an_event() {
    let slides = |index: u64| if index.is_multiple_of(100) { film() } else { still() };
    let items = Film::new(25.0).then(6.0, slides).items;
    let clear = verdicts(&mut *detector(), &items[100..]);
    let clear = clear.iter().filter(|verdict| matches!(verdict, avwatch_actors::detector::Verdict::Clear { .. }));
    assert!(clear.count() >= 8, "0.3 s of frames");
}

#[test]
fn slates_of_one_and_five_pictures_a_second_are_frozen_from_their_first_picture() {
    for fps in [1.0, 5.0] {
        let items = Film::new(fps).then(20.0, |index| if index == 0 { first() } else { still() }).items;
        assert_eq!(frozen(&items), [(0.0, None)], "{fps} fps");
    }
}

#[test]
fn a_camera_of_one_picture_a_second_is_no_freeze() {
    let items = Film::new(1.0).then(60.0, |_| calm_film()).items;
    assert_eq!(frozen(&items), []);
}

#[test]
fn motion_at_one_picture_a_second_ends_a_freeze_at_its_first_picture() {
    let items = Film::new(1.0).then(20.0, |_| still()).then(10.0, |_| calm_film()).items;
    assert_eq!(frozen(&items), [(0.0, Some(20.0))]);
}

#[test]
fn one_picture_shown_for_three_seconds_is_a_freeze() {
    let mut items = Film::new(25.0).then(2.0, |_| film()).items;
    items.push(picture(2.0, 5.0, film()));
    items.extend(Film::from(25.0, 5.0).then(1.0, |_| film()).items);
    assert_eq!(frozen(&items), [(2.0, Some(5.0))]);
}

#[test]
fn a_change_of_size_ends_a_freeze_and_may_begin_another() {
    let items = Film::new(25.0).then(3.0, |_| still()).then(3.0, |index| if index == 0 { first() } else { still() });
    assert_eq!(frozen(&items.items), [(0.0, Some(3.0)), (3.0, None)]);
}

#[test]
fn a_new_session_begins_a_new_judgement() {
    let mut items = Film::new(25.0).then(3.0, |_| still()).items;
    items.push(started(2, 0, 9.0, vec![video_track(25.0)]));
    items.extend(Film::from(25.0, 9.0).then(2.0, |index| if index == 0 { first() } else { still() }).items);
    match verdicts(&mut *detector(), &items).last() {
        Some(avwatch_actors::detector::Verdict::Faulty { since, .. }) => assert_eq!(since.as_secs_f64(), 9.0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_window_never_holds_more_than_its_limit() {
    let mut freeze = Freeze::new(video_track(960.0).track);
    let mut out = Verdicts::default();
    for item in Film::new(960.0).then(3.0, |_| still()).items {
        freeze.inspect(&item, &mut out);
        assert!(freeze.ring.len() <= WINDOW_MAX);
    }
    assert_eq!(freeze.active, 0);
}

/// A few cells just over the least change, as strong noise coded at a low rate brings about.
fn trembling(drifted_share: f32) -> PictureFacts {
    with(MotionFacts {
        compared: true,
        cells: 3600,
        active_cells: 4,
        difference: 1.6,
        largest: 5.5,
        noise: 0.5,
        drifted_share,
        ..MotionFacts::default()
    })
}

#[test]
fn noise_that_coding_bundles_in_a_few_cells_does_not_hide_a_still() {
    assert_eq!(frozen(&Film::new(25.0).then(6.0, |_| trembling(0.0)).items), [(0.0, None)]);
}

#[test]
fn a_faint_box_that_is_elsewhere_than_in_the_reference_is_no_freeze() {
    assert_eq!(frozen(&Film::new(25.0).then(10.0, |_| trembling(0.001)).items), []);
}

#[test]
fn pairs_of_coding_pulses_after_the_onset_do_not_move_it() {
    let coded = |index: u64| if index > 10 && index % 12 < 2 { pulse() } else { still() };
    let items = Film::new(25.0).then(4.0, |_| calm_film()).then(4.0, coded).items;
    assert_eq!(frozen(&items), [(3.96, None)]);
}

/// Coded a little anew, which carries a few more cells away from the reference.
fn faint_pulse(drifted_share: f32) -> PictureFacts {
    with(MotionFacts {
        compared: true,
        cells: 3600,
        difference: 0.2,
        largest: 0.5,
        drifted_share,
        reference_replaced: drifted_share > 0.02,
        ..MotionFacts::default()
    })
}

/// Film that has led 1.9 % of the cells away from the reference when it comes to stand still.
fn film_then_still() -> Film {
    let moving = |_| {
        let mut facts = calm_film();
        facts.motion.drifted_share = 0.019;
        facts
    };
    Film::new(10.0).then(1.0, |_| film()).then(3.0, moving)
}

#[test]
fn a_still_is_frozen_though_a_key_picture_leads_a_little_further_from_the_movement_before_it() {
    for key in [5, 25] {
        let coded = |index: u64| match index.cmp(&key) {
            std::cmp::Ordering::Less => faint_pulse(0.019),
            std::cmp::Ordering::Equal => faint_pulse(0.0205),
            std::cmp::Ordering::Greater => still(),
        };
        assert_eq!(frozen(&film_then_still().then(6.0, coded).items), [(3.9, None)], "{key}");
    }
}

#[test]
fn a_dissolve_after_movement_that_had_led_away_from_the_reference_is_no_still() {
    // Cells leave the old reference and then, one after the other, those that are taken anew.
    let dissolve = |index: u64| match index {
        0 | 1 => faint_pulse(0.0195 + 0.001 * index as f32),
        later => faint_pulse(0.00105 * ((later - 2) % 20 + 1) as f32),
    };
    let found = frozen(&film_then_still().then(60.0, dissolve).items);
    assert!(found.len() <= 1 && found.iter().all(|(from, to)| to.is_some_and(|to| to - from < 3.0)), "{found:?}");
}
