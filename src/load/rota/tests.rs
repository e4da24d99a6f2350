use super::super::clip::tests::{clip_of, clocks, seen, small};
use super::*;
use crate::synthetic::{Defect, DefectKind, Recipe};

const S: fn(u64) -> Duration = Duration::from_secs;

fn clip() -> Clip {
    clip_of(&small())
}

/// A clip of which three quarters are black and silent, so that it takes fewer packets of both tracks however the encoder spends its
/// bits.
fn faulty() -> Clip {
    let defect = |kind| Defect { kind, from: S(1), lasts: S(3) };
    clip_of(&Recipe { defects: vec![defect(DefectKind::Black), defect(DefectKind::Silence)], ..small() })
}

/// One round in three has defects.
fn one_in_three() -> Rota {
    Rota::new(faulty(), Some(clip()), 3).unwrap()
}

fn sent(rota: &Rota, rounds: std::ops::Range<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for round in rounds {
        rota.copy(0..rota.clip(round).packets(), round, &mut bytes);
    }
    bytes
}

#[track_caller]
fn has_no_seam(bytes: &[u8]) {
    let mut timed = 0;
    for (pid, (counters, times)) in seen(bytes) {
        for pair in counters.windows(2) {
            assert_eq!((pair[0] + 1) % 16, pair[1], "continuity of PID {pid}");
        }
        let Some(step) = times.windows(2).map(|pair| pair[1] - pair[0]).next() else { continue };
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == step), "times of PID {pid}");
        timed += 1;
    }
    assert_eq!(timed, 2, "pictures and sound");
    // Clocks are 100 ms apart at most (ISO/IEC 13818-1, 2.7.2).
    let clocks = clocks(bytes);
    assert!(clocks.windows(2).all(|pair| (1..=9_000).contains(&(pair[1] - pair[0]))), "{clocks:?}");
}

#[test]
fn rounds_follow_each_other_without_a_seam() {
    has_no_seam(&sent(&Rota::new(clip(), None, 1).unwrap(), 0..3));
}

#[test]
fn rounds_with_and_without_defects_follow_each_other_without_a_seam() {
    let rota = one_in_three();
    let sizes: Vec<usize> = (0..4).map(|round| rota.clip(round).packets()).collect();
    assert!(sizes[0] < sizes[1] && sizes[1..] == [sizes[1], sizes[1], sizes[0]], "{sizes:?}");
    has_no_seam(&sent(&rota, 0..8));
    has_no_seam(&sent(&rota, 40..46));
}

#[test]
fn segments_of_rounds_hold_what_is_sent_in_them() {
    let rota = one_in_three();
    let mut bytes = Vec::new();
    for number in 0..rota.segments() * 4 {
        let (round, segment) = rota.segment(number);
        rota.copy(segment.from..segment.to, round, &mut bytes);
    }
    assert!(bytes == sent(&rota, 0..4), "segment after segment is round after round");
}

#[test]
fn clips_that_do_not_hold_the_same_frames_are_refused() {
    assert!(Rota::new(faulty(), Some(clip()), 3).is_ok());
    assert!(Rota::new(faulty(), Some(clip_of(&Recipe { channels: 0, ..small() })), 3).is_err());
}

#[test]
fn a_frame_is_due_as_late_in_every_round_as_in_the_first_one_of_its_clip() {
    let rota = one_in_three();
    let due = |round: u64, after| {
        let pts = rota.faulty.first_pts() + rota.faulty.ticks() * round as i64 + after;
        rota.due(TrackKind::Video, pts).unwrap() - rota.begins(round)
    };
    for after in [0, 3_600, 180_000, 270_000] {
        assert_eq!(due(0, after), due(3, after), "{after}");
        assert_eq!(due(1, after), due(2, after), "{after}");
        assert!(due(0, after).abs_diff(due(1, after)) < Duration::from_millis(300), "{after}");
    }
    assert_eq!(rota.due(TrackKind::Video, rota.faulty.first_pts() - 3_600), None);
}

#[test]
fn frames_that_are_due_in_a_span_are_counted_over_rounds() {
    for rota in [Rota::new(clip(), None, 1).unwrap(), one_in_three()] {
        let whole = rota.length();
        let count = |from, to| rota.count_due(TrackKind::Video, from, to);
        assert_eq!(count(whole * 6, whole * 9), 3 * rota.faulty.frames(TrackKind::Video));
        let (a, b) = (whole * 3 + Duration::from_millis(777), whole * 7 + Duration::from_millis(123));
        let middle = whole * 4 + Duration::from_millis(55);
        assert_eq!(count(a, middle) + count(middle, b), count(a, b));
        assert_eq!(count(whole * 4 + a - whole * 3, whole * 4 + a - whole * 3 + S(2)), 50);
    }
}

#[test]
fn at_any_time_one_stream_in_so_many_is_in_a_round_with_defects() {
    let rota = one_in_three();
    for streams in [12_usize, 30, 99] {
        // Of all of them, and of those that travel in one of four ways.
        for step in [1, 4] {
            let begins: Vec<u64> = (0..streams * step).step_by(step).map(|stream| rota.first_segment(stream)).collect();
            for later in 0..rota.segments() * 3 {
                let faulty = begins.iter().filter(|begin| rota.segment(*begin + later).0.is_multiple_of(3)).count();
                assert!(faulty.abs_diff(streams / 3) <= 2, "{faulty} of {streams}, {later} segments later");
            }
        }
    }
}

#[test]
fn the_bit_rate_is_that_of_all_rounds() {
    let rota = one_in_three();
    let bits = 8.0 * sent(&rota, 0..3).len() as f64 / (rota.length() * 3).as_secs_f64();
    assert!((rota.bit_rate() - bits).abs() < 1.0);
}
