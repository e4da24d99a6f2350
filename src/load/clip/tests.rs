use std::path::PathBuf;

use super::*;
use crate::synthetic::{FrameRate, Recipe, clip_length, encode};

/// The recipe of a small clip of 4 s with sound.
pub(in crate::load) fn small() -> Recipe {
    Recipe {
        width: 128,
        height: 96,
        fps: FrameRate { numerator: 25, denominator: 1 },
        duration: Some(clip_length(25, Duration::from_secs(4))),
        ..Recipe::default()
    }
}

/// The clip of a recipe.
pub(in crate::load) fn clip_of(recipe: &Recipe) -> Clip {
    // Threads of one test process share the number; tests do not share the name.
    let file: PathBuf =
        std::env::temp_dir().join(format!("avwatch-clip-{}-{:?}.ts", std::process::id(), std::thread::current().id()));
    encode(recipe, &file).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    Clip::read(bytes, recipe.duration.unwrap()).unwrap()
}

/// Counters, and decoding times of those that have any, by PID, of packets as they are sent.
pub(in crate::load) fn seen(bytes: &[u8]) -> BTreeMap<u16, (Vec<u8>, Vec<i64>)> {
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

/// The program clock, in ticks of 90 kHz, of packets that have it.
pub(in crate::load) fn clocks(bytes: &[u8]) -> Vec<i64> {
    let clock = |packet: &[u8]| {
        let base = i64::from(u32::from_be_bytes([packet[6], packet[7], packet[8], packet[9]]));
        header(packet).has_clock.then_some(base << 1 | i64::from(packet[10] >> 7))
    };
    bytes.chunks(PACKET).filter_map(clock).collect()
}

#[test]
fn everything_leaves_in_order_within_its_round() {
    let clip = clip_of(&small());
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
    let clip = clip_of(&small());
    for (pts, due) in &clip.video {
        let shown = Duration::from_secs_f64(*pts as f64 / 90_000.0);
        assert!(*due >= shown && *due <= shown + Duration::from_millis(250), "{pts} {due:?}");
    }
    assert_eq!(clip.video.len() as u64, (clip.length().as_secs_f64() * 25.0).round() as u64);
    assert_eq!(clip.audio.len() as f64, (clip.length().as_secs_f64() * 46.875).round());
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
