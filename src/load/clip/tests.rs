use std::path::PathBuf;

use super::*;
use crate::synthetic::{FrameRate, Recipe, clip_length, encode};

/// A small clip of 4 s with sound.
fn clip() -> Clip {
    let length = clip_length(25, Duration::from_secs(4));
    let recipe = Recipe {
        width: 128,
        height: 96,
        fps: FrameRate { numerator: 25, denominator: 1 },
        duration: Some(length),
        ..Recipe::default()
    };
    // Threads of one test process share the number; tests do not share the name.
    let file: PathBuf =
        std::env::temp_dir().join(format!("avwatch-clip-{}-{:?}.ts", std::process::id(), std::thread::current().id()));
    encode(&recipe, &file).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    Clip::read(bytes, length).unwrap()
}

/// Counters and presentation times by PID, as they are sent over so many rounds.
fn sent(clip: &Clip, rounds: u64) -> BTreeMap<u16, (Vec<u8>, Vec<i64>)> {
    let mut bytes = Vec::new();
    for round in 0..rounds {
        clip.copy(0..clip.packets(), round, &mut bytes);
    }
    let mut seen = BTreeMap::<u16, (Vec<u8>, Vec<i64>)>::new();
    for packet in bytes.chunks(PACKET) {
        let header = header(packet);
        let (counters, times) = seen.entry(header.pid).or_default();
        if header.payload.is_some() {
            counters.push(packet[3] & 0x0F);
        }
        if let (Some(pts), dts) = time_places(packet, &header) {
            times.push(read_time(&packet[dts.unwrap_or(pts)..]));
        }
    }
    seen
}

#[test]
fn rounds_follow_each_other_without_a_seam() {
    let clip = clip();
    let seen = sent(&clip, 3);
    let mut timed = 0;
    for (pid, (counters, times)) in seen {
        for pair in counters.windows(2) {
            assert_eq!((pair[0] + 1) % 16, pair[1], "continuity of PID {pid}");
        }
        let Some(step) = times.windows(2).map(|pair| pair[1] - pair[0]).next() else { continue };
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == step), "times of PID {pid}");
        timed += 1;
    }
    assert_eq!(timed, 2, "pictures and sound");
}

#[test]
fn everything_leaves_in_order_within_its_round() {
    let clip = clip();
    assert!(clip.times.is_sorted());
    assert!(clip.times.iter().all(|time| *time <= clip.length()));
    let mut next = 0;
    for segment in clip.segments() {
        assert_eq!(segment.from, next);
        next = segment.to;
    }
    assert_eq!(next, clip.packets());
    assert!(clip.segments().len() >= 2);
}

#[test]
fn a_frame_is_due_after_its_decoding_time_and_by_a_few_pictures_at_most() {
    let clip = clip();
    for (pts, due) in &clip.video {
        let shown = Duration::from_secs_f64(*pts as f64 / 90_000.0);
        assert!(*due >= shown && *due <= shown + Duration::from_millis(250), "{pts} {due:?}");
    }
    assert_eq!(clip.video.len() as u64, (clip.length().as_secs_f64() * 25.0).round() as u64);
    assert_eq!(clip.audio.len() as f64, (clip.length().as_secs_f64() * 46.875).round());
    let next_round = clip.due(TrackKind::Video, clip.first_pts + clip.round_ticks()).unwrap();
    assert_eq!(next_round, clip.due(TrackKind::Video, clip.first_pts).unwrap() + clip.length());
}

#[test]
fn frames_that_are_due_in_a_span_are_counted_over_rounds() {
    let clip = clip();
    let whole = clip.length();
    let count = |from, to| clip.count_due(TrackKind::Video, from, to);
    assert_eq!(count(whole * 5, whole * 6), clip.video.len() as u64);
    let (a, b) = (whole * 3 + Duration::from_millis(777), whole * 7 + Duration::from_millis(123));
    let middle = whole * 4 + Duration::from_millis(55);
    assert_eq!(count(a, middle) + count(middle, b), count(a, b));
    assert_eq!(count(a, a + Duration::from_secs(2)), 50);
}

#[test]
fn times_that_wrap_are_counted_in_33_bits() {
    let mut bytes = [0x2F, 0xFF, 0xFF, 0xFF, 0xFF];
    let before = read_time(&bytes);
    add_time(&mut bytes, 1);
    assert_eq!(before, TIME_MASK as i64);
    assert_eq!(read_time(&bytes), 0);
    assert_eq!(bytes[0] & 0xF1, 0x21);
}

#[test]
fn what_is_no_transport_stream_is_refused() {
    assert!(Clip::read(vec![0; 188], Duration::from_secs(1)).is_err());
    assert!(Clip::read(vec![0x47; 100], Duration::from_secs(1)).is_err());
}
