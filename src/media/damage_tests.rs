//! Damaged and hostile input through real decoders: sessions end, and their promises hold.

use std::path::Path;

use avwatch_actors::media_time::MediaTime;

use super::test_media::{Heard, assembled, clip, hear, spec};

/// Times of every track go on, times of the clock too, and numbers have no holes.
fn check_promises(heard: &Heard) {
    for number in 0..4 {
        let video = heard.video_of(number).into_iter().map(|frame| frame.stamp).collect::<Vec<_>>();
        let audio = heard.audio_of(number).into_iter().map(|frame| frame.stamp).collect::<Vec<_>>();
        for stamps in [video, audio] {
            assert!(stamps.windows(2).all(|pair| pair[0].media_time < pair[1].media_time));
            assert!(stamps.windows(2).all(|pair| pair[0].seq < pair[1].seq));
            assert!(stamps.iter().all(|stamp| stamp.lasts > MediaTime::ZERO && stamp.ready >= stamp.arrived));
        }
    }
    assert!(heard.clock.windows(2).all(|pair| pair[0] <= pair[1]));
}

/// Overwrites one byte in every `distance`, at places and with values that never change.
fn altered(path: &Path, distance: u64) -> Vec<u8> {
    let mut bytes = std::fs::read(path).expect("made");
    let mut state = distance;
    for byte in bytes.iter_mut().skip(4 * 188) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if (state >> 33).is_multiple_of(distance) {
            *byte = (state >> 24) as u8;
        }
    }
    bytes
}

#[test]
fn altered_bytes_never_break_a_promise() {
    for codec in [
        "libx264 -preset veryfast -g 25 -bf 2 -c:a aac",
        "mpeg2video -g 12 -bf 2 -c:a mp2",
        "libx265 -preset ultrafast -x265-params log-level=none:keyint=25 -c:a ac3",
    ] {
        let whole =
            clip("ts", &format!("-f lavfi -i testsrc2=s=320x240:r=25:d=4 -f lavfi -i sine=r=48000:d=4 -c:v {codec}"));
        for distance in [200, 2_000, 20_000] {
            let heard = hear(spec(&assembled(&altered(&whole, distance))));
            check_promises(&heard);
            assert!(heard.video.len() + heard.audio.len() > 10, "{codec} {distance}");
        }
    }
}

#[test]
fn altered_bytes_show_as_damage_of_some_frames() {
    let whole = clip(
        "ts",
        "-f lavfi -i testsrc2=s=320x240:r=25:d=4 -f lavfi -i sine=r=48000:d=4 -c:v libx264 -preset veryfast -g 25 -bf 2 -c:a aac",
    );
    let heard = hear(spec(&assembled(&altered(&whole, 5_000))));
    let damaged = heard.video.iter().filter(|frame| frame.facts.signs.damaged && frame.facts.signs.tuned).count();
    assert!(damaged > 10, "{damaged} of {}", heard.video.len());
}

#[test]
fn a_truncated_file_is_inspected_as_far_as_it_goes() {
    let whole = clip(
        "ts",
        "-f lavfi -i testsrc2=s=320x240:r=25:d=4 -f lavfi -i sine=r=48000:d=4 -c:v libx264 -preset veryfast -g 25 -bf 2 -c:a aac",
    );
    let bytes = std::fs::read(&whole).expect("made");
    let heard = hear(spec(&assembled(&bytes[..bytes.len() / 2 + 77])));
    check_promises(&heard);
    assert!((35..65).contains(&heard.video.len()), "{}", heard.video.len());
}
