//! What is planted in pictures is told to the frame, and what only looks like it is not.

use serde_json::Value;

use crate::common::binary::{assert_truth, check, events};
use crate::common::media::{Clip, FPS, encoded};
use crate::common::recipes::{self, Coding, StillAt};

/// Less than half a frame: the frame itself must be told.
const TO_THE_FRAME: f64 = 0.45 / FPS;

#[track_caller]
fn told(clip: &Clip) -> Value {
    let (_, input) = check(&clip.path, &[]);
    assert_eq!(input["error"], Value::Null, "{}", clip.path.display());
    assert_truth(clip, &input, TO_THE_FRAME);
    input
}

/// Nothing at warning or above, and not a word of what must be absent.
#[track_caller]
fn told_clean(clip: &Clip) {
    let (status, input) = check(&clip.path, &[]);
    assert_eq!((status, &input["verdict"]), (0, &Value::from("pass")), "{}: {input:#}", clip.path.display());
    assert_truth(clip, &input, TO_THE_FRAME);
}

/// Nothing that fails but what was planted.
#[track_caller]
fn fails_for(input: &Value, expected: &[&str]) {
    let mut failing: Vec<&str> = input["events"]
        .as_array()
        .expect("events are a list")
        .iter()
        .filter(|event| event["severity"] != "info")
        .map(|event| event["detector"].as_str().expect("is a text"))
        .collect();
    failing.dedup();
    assert_eq!(failing, expected, "{input:#}");
}

#[test]
fn a_clean_programme_passes_in_every_coding() {
    told_clean(&recipes::clean());
    told_clean(&recipes::clean_transport_stream());
    for coding in Coding::ALL {
        told_clean(&recipes::clean_in(coding));
    }
}

#[test]
fn black_is_told_to_the_frame() {
    fails_for(&told(&recipes::black()), &["black"]);
}

#[test]
fn black_is_told_to_the_frame_in_every_coding() {
    for coding in Coding::ALL {
        fails_for(&told(&recipes::black_in(coding)), &["black"]);
    }
}

#[test]
fn black_until_the_end_of_the_file_counts_its_last_frame() {
    let input = told(&recipes::black_tail());
    let [(_, _, end, _)] = events(&input, "black")[..] else { panic!("one black: {input:#}") };
    let event = input["events"].as_array().expect("is a list").iter().find(|event| event["detector"] == "black");
    assert_eq!(event.expect("was just found")["ongoing"], true);
    assert_eq!(Some(end), input["duration_s"].as_f64());
}

#[test]
fn black_at_the_head_of_a_file_is_told_from_its_first_frame_as_info() {
    // Two of its three seconds are how files begin.
    fails_for(&told(&recipes::black_head()), &[]);
}

#[test]
fn a_still_is_one_freeze_at_every_bit_rate_although_each_key_frame_pulses() {
    for at in [StillAt::X264(100), StillAt::X264(300), StillAt::X264(1_000), StillAt::Mpeg2] {
        fails_for(&told(&recipes::still(at)), &["freeze"]);
    }
}

#[test]
fn a_freeze_inside_moving_film_is_told_to_the_frame() {
    for kilobits in [100, 300] {
        fails_for(&told(&recipes::freeze(kilobits)), &["freeze"]);
    }
}

#[test]
fn a_freeze_is_told_to_the_frame_in_every_coding() {
    for coding in Coding::ALL {
        fails_for(&told(&recipes::freeze_in(coding)), &["freeze"]);
    }
}

#[test]
fn a_still_under_noise_is_one_freeze() {
    for strength in [4, 6, 10] {
        fails_for(&told(&recipes::freeze_under_noise(strength)), &["freeze"]);
    }
}

#[test]
fn a_small_box_that_moves_all_the_time_is_no_freeze() {
    told_clean(&recipes::moving_box());
}

#[test]
fn a_slow_fade_is_neither_freeze_nor_black() {
    told_clean(&recipes::slow_fade());
}

#[test]
fn a_slow_zoom_that_goes_by_whole_pixels_does_not_stutter() {
    told_clean(&recipes::slow_zoom());
}

#[test]
fn credits_that_roll_over_black_are_not_letterboxed() {
    told_clean(&recipes::rolling_credits());
}

#[test]
fn a_title_card_is_still_but_not_black() {
    fails_for(&told(&recipes::title_card()), &["freeze"]);
}

#[test]
fn the_blue_of_a_missing_signal_is_not_black() {
    for clip in [recipes::blue(), recipes::pale_blue()] {
        let (_, input) = check(&clip.path, &[]);
        assert_eq!(events(&input, "black"), [], "{input:#}");
    }
}

#[test]
fn the_green_of_a_zeroed_buffer_is_not_black() {
    let (_, input) = check(&recipes::zero_green().path, &[]);
    assert_eq!(events(&input, "black"), [], "{input:#}");
}

#[test]
fn every_container_of_one_programme_gives_the_same_onsets() {
    let clips = recipes::in_containers();
    let told = |clip: &Clip| {
        let (status, input) = check(&clip.path, &[]);
        assert_eq!(status, 1, "{input:#}");
        fails_for(&input, &["black", "silence"]);
        let span = |detector| {
            let [(_, start, end, _)] = events(&input, detector)[..] else { panic!("one {detector}: {input:#}") };
            (start, end)
        };
        (span("black"), span("silence"))
    };
    // A transport stream counts from the priming of its sound, which the others know to leave out:
    // at most two blocks of AAC.
    let (black, silence) = told(&clips[0]);
    for clip in &clips[1..] {
        let (other_black, other_silence) = told(clip);
        let shift = other_black.0 - black.0;
        assert!((0.0..0.0427).contains(&shift), "{}: {other_black:?} against {black:?}", clip.path.display());
        let same = |one: (f64, f64), two: (f64, f64), tolerance: f64| {
            (one.0 + shift - two.0).abs() <= tolerance && (one.1 + shift - two.1).abs() <= tolerance
        };
        assert!(same(black, other_black, 0.001), "{}: {other_black:?}", clip.path.display());
        // Hops of 10 ms are counted from the first sample, which differs.
        assert!(same(silence, other_silence, 0.0105), "{}: {other_silence:?}", clip.path.display());
    }
}

#[test]
fn a_small_test_pattern_that_moves_in_whole_pictures_is_not_called_interlaced() {
    let coding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];
    let pattern =
        |rate: u32| ["-f".to_owned(), "lavfi".to_owned(), "-i".to_owned(), format!("testsrc2=s=320x180:r={rate}:d=12")];
    let whole = pattern(25).into_iter().chain(coding.map(str::to_owned)).collect::<Vec<_>>();
    let (_, input) = check(&encoded("small-pattern-whole", "mp4", &whole), &[]);
    assert_eq!(events(&input, "interlacing"), [], "{input:#}");
    let weave = ["-vf", "tinterlace=interleave_top,setfield=prog"];
    let woven = pattern(50).into_iter().chain(weave.into_iter().chain(coding).map(str::to_owned)).collect::<Vec<_>>();
    let (_, input) = check(&encoded("small-pattern-woven", "mp4", &woven), &[]);
    assert!(!events(&input, "interlacing").is_empty(), "{input:#}");
}

#[test]
fn a_large_test_pattern_whose_squares_move_along_the_grid_of_blocks_is_not_called_damaged() {
    let words = "-f lavfi -i testsrc2=s=1280x720:r=25:d=4 -c:v libx264 -preset ultrafast -crf 18 -pix_fmt yuv420p";
    let arguments: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let (_, input) = check(&encoded("large-pattern", "mp4", &arguments), &[]);
    assert_eq!(events(&input, "block_corruption"), [], "{input:#}");
}

#[test]
fn fields_in_the_order_that_is_declared_are_no_fault() {
    let clip = recipes::clean_in(Coding::Mpeg2Interlaced);
    let (_, input) = check(&clip.path, &[]);
    assert_eq!(events(&input, "interlacing"), [], "{input:#}");
}
