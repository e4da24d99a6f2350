//! Proves that `avwatch check` tells what is planted in sound, through the codecs it comes in, and
//! raises nothing on what is clean.

#[path = "../common/mod.rs"]
mod common;

use common::binary::{assert_truth, check, events};
use common::media::Clip;
use common::sound_recipes::{self as recipes, Codec};

/// Onsets and ends that are exact to the hop, and a hop beside.
const EXACT: f64 = 0.02;
/// What the delay of a codec that its container does not tell adds.
const CODED: f64 = 0.06;

/// Events of `warning` or above, as text.
fn alarms(clip: &Clip) -> Vec<String> {
    let (_, input) = check(&clip.path, &["--profile", "file"]);
    let all = input["events"].as_array().expect("events are a list");
    all.iter().filter(|event| event["severity"] != "info").map(ToString::to_string).collect()
}

#[track_caller]
fn assert_told(clip: &Clip, tolerance: f64) {
    let (_, input) = check(&clip.path, &[]);
    assert_truth(clip, &input, tolerance);
}

#[test]
fn clean_programme_raises_no_alarm_in_any_codec() {
    for codec in Codec::ALL {
        for clip in recipes::clean(codec) {
            let alarms = alarms(&clip);
            assert!(alarms.is_empty(), "{}: {alarms:?}", clip.path.display());
        }
    }
}

#[test]
fn sound_that_misleads_raises_no_alarm_of_ours() {
    for clip in recipes::misleading() {
        let (_, input) = check(&clip.path, &[]);
        for detector in ["clipping", "phase", "dropout", "dc_offset", "hum", "mono"] {
            let told = events(&input, detector);
            assert!(told.is_empty(), "{}: {detector} {told:?}", clip.path.display());
        }
    }
}

#[test]
fn clipping_that_was_turned_down_is_told_where_it_is() {
    assert_told(&recipes::clipping(Codec::Pcm), EXACT);
}

#[test]
fn clipping_is_told_after_lossy_coding() {
    // Which half waves are flat enough is a matter of what the codec left of them.
    for codec in [Codec::Aac, Codec::Mp2, Codec::Ac3, Codec::Opus] {
        assert_told(&recipes::clipping(codec), 0.3);
    }
}

#[test]
fn noise_that_was_clipped_before_lossy_coding_is_told_although_it_has_no_flat_tops_left() {
    for codec in [Codec::Aac, Codec::Opus] {
        assert_told(&recipes::clipped_noise(codec), 0.3);
    }
}

#[test]
fn chords_that_were_clipped_and_turned_down_before_lossy_coding_are_told() {
    for codec in [Codec::Aac, Codec::Mp2, Codec::Ac3, Codec::Opus] {
        assert_told(&recipes::clipped_chords(codec), 0.3);
    }
}

#[test]
fn an_inverted_and_quieter_channel_is_told_where_it_is() {
    assert_told(&recipes::phase(Codec::Pcm), EXACT);
    for codec in [Codec::Aac, Codec::Mp2, Codec::Ac3, Codec::Opus] {
        assert_told(&recipes::phase(codec), CODED);
    }
}

#[test]
fn dual_mono_is_told_where_it_is() {
    assert_told(&recipes::mono(Codec::Pcm), EXACT);
    for codec in [Codec::Aac, Codec::Mp2, Codec::Opus] {
        assert_told(&recipes::mono(codec), CODED);
    }
}

#[test]
fn dual_mono_is_told_for_the_whole_of_a_coded_clip() {
    for codec in [Codec::Aac, Codec::Mp2] {
        assert_told(&recipes::mono_throughout(codec), CODED);
    }
}

#[test]
fn each_drop_out_is_told_where_it_is() {
    assert_told(&recipes::dropouts(Codec::Pcm), 0.001);
}

#[test]
fn drop_outs_are_told_as_notches_after_lossy_coding() {
    // Opus fills such short ones so well that they are no more than 15 dB deep.
    for codec in [Codec::Aac, Codec::Mp2, Codec::Ac3] {
        assert_told(&recipes::dropouts(codec), CODED);
    }
}

#[test]
fn sixty_milliseconds_lost_before_lossy_coding_are_told_each_by_itself() {
    for codec in Codec::ALL {
        assert_told(&recipes::long_dropouts(codec), CODED);
    }
}

#[test]
fn an_offset_is_told_around_where_it_is() {
    // The mean over 2 s is followed back to its onset; strong bass blurs that.
    assert_told(&recipes::dc_offset(Codec::Pcm), 0.05);
    assert_told(&recipes::dc_offset(Codec::Aac), 0.1);
}

#[test]
fn hum_is_told_to_the_second() {
    // Spectra of 4 s are taken once a second.
    for codec in [Codec::Pcm, Codec::Aac] {
        assert_told(&recipes::hum(codec), 1.1);
    }
}

#[test]
fn hum_is_told_under_music_that_hides_a_multiple() {
    for codec in Codec::ALL {
        assert_told(&recipes::hum_under_music(codec), 1.1);
    }
}

#[test]
fn news_are_not_nagged_about_mono() {
    let (status, input) = check(&recipes::mono_throughout(Codec::Pcm).path, &["--profile", "news-sport"]);
    assert_eq!((status, events(&input, "mono")), (0, vec![]));
}
