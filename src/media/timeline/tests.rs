use proptest::prelude::*;

use super::*;

const FRAME: MediaTime = MediaTime::from_millis(40);

fn clockwork(sound: Sound) -> Clockwork {
    Clockwork { base: (1, 90_000), wrap_bits: Some(33), sound, steady: true }
}

fn ms(millis: i64) -> MediaTime {
    MediaTime::from_millis(millis)
}

/// Ticks of that many milliseconds.
fn at(millis: i64) -> Option<i64> {
    Some(millis * 90)
}

/// A timeline with a video track 0 and an audio track 1, both at zero after ten frames.
fn running(first: i64, frames: i64) -> Timeline {
    let mut timeline = Timeline::default();
    timeline.add(clockwork(Sound::No));
    timeline.add(clockwork(Sound::Yes));
    for frame in 0..frames {
        for track in 0..2 {
            let placed = timeline.place(track, at(first + frame * 40), FRAME);
            assert_eq!((placed.at, placed.sign), (ms(frame * 40), None));
        }
    }
    timeline
}

#[test]
fn a_missing_timestamp_is_counted_on() {
    let mut timeline = running(1_000, 10);
    let placed = timeline.place(0, None, FRAME);
    assert_eq!((placed.at, placed.repair), (ms(400), Repair::Counted));
    assert_eq!(timeline.place(0, at(1_440), FRAME).repair, Repair::None);
}

#[test]
fn a_stream_without_any_timestamp_counts_from_zero() {
    let mut timeline = Timeline::default();
    timeline.add(clockwork(Sound::No));
    assert_eq!(timeline.place(0, None, FRAME).at, MediaTime::ZERO);
    assert_eq!(timeline.place(0, None, FRAME).at, FRAME);
}

#[test]
fn a_wrap_of_33_bits_goes_unnoticed() {
    let mut timeline = Timeline::default();
    timeline.add(clockwork(Sound::No));
    let period = 1_i64 << 33;
    let first = timeline.place(0, Some(period - 3_600), FRAME);
    let second = timeline.place(0, Some(0), FRAME);
    let third = timeline.place(0, Some(3_600), FRAME);
    assert_eq!([first.at, second.at, third.at], [ms(0), ms(40), ms(80)]);
    assert_eq!([first.repair, second.repair, third.repair], [Repair::None, Repair::Wrapped, Repair::None]);
    assert_eq!(second.sign, None);
}

#[test]
fn a_hole_stays_a_hole() {
    let mut timeline = running(0, 10);
    let placed = timeline.place(0, at(3_400), FRAME);
    assert_eq!(placed.at, ms(3_400));
    assert_eq!(placed.sign, Some(TimelineSign::Gap { missing: ms(3_000) }));
    assert_eq!(placed.gap_from, Some(ms(400)));
}

#[test]
fn one_wild_timestamp_moves_nothing_but_its_own_frame() {
    for wild in [500_000, -400_000] {
        let mut timeline = running(450_000, 10);
        let placed = timeline.place(0, at(450_400 + wild), FRAME);
        assert_eq!((placed.at, placed.repair), (ms(400), Repair::Rebased));
        let next = timeline.place(0, at(450_440), FRAME);
        assert_eq!((next.at, next.repair, next.sign), (ms(440), Repair::None, None));
    }
}

#[test]
fn a_restart_of_the_sender_moves_all_tracks_together() {
    // Sound begins 100 ms before the picture in the new programme.
    let mut timeline = running(80_000_000, 10);
    let mut skew = Vec::new();
    for frame in 0..20 {
        let video = timeline.place(0, at(5_100 + frame * 40), FRAME);
        let audio = timeline.place(1, at(5_000 + frame * 40), FRAME);
        skew.push(video.at - audio.at);
        assert!(video.at >= ms(400) && audio.at >= ms(400));
    }
    assert_eq!(skew[19], ms(100), "as sent: {skew:?}");
}

#[test]
fn a_jump_of_one_track_alone_is_told_once() {
    let mut timeline = running(0, 10);
    let signs: Vec<_> = (0..50).filter_map(|frame| timeline.place(0, at(60_000 + frame * 40), FRAME).sign).collect();
    assert_eq!(signs, [TimelineSign::Gap { missing: ms(59_600) }]);
    assert_eq!(timeline.end(0), Some(ms(400 + 50 * 40)));
    assert_eq!(timeline.place(1, at(400), FRAME).at, ms(400), "the other track does not move");
}

#[test]
fn a_small_step_back_is_counted_on_and_told_once() {
    let mut timeline = running(1_000, 10);
    let mut signs = 0;
    for frame in 0..10 {
        let placed = timeline.place(0, at(1_000 + frame * 40), FRAME);
        assert_eq!((placed.at, placed.repair), (ms(400 + frame * 40), Repair::Backward));
        signs += usize::from(placed.sign.is_some());
    }
    assert_eq!(signs, 1);
}

#[test]
fn an_announced_jump_is_marked_as_signalled() {
    let mut timeline = running(0, 10);
    timeline.announce(0);
    assert_eq!(timeline.place(0, at(90_000), FRAME).sign, Some(TimelineSign::Signalled));
}

#[test]
fn rounded_timestamps_leave_sound_on_its_sample_clock() {
    let mut timeline = Timeline::default();
    timeline.add(Clockwork { base: (1, 1000), wrap_bits: None, sound: Sound::Yes, steady: true });
    let block = MediaTime::from_ticks(1024, 1, 48_000);
    for number in 0..1_000_i64 {
        let rounded = (number * 1024 * 1000 + 24_000) / 48_000;
        let placed = timeline.place(0, Some(rounded), block);
        assert_eq!(placed.repair, Repair::None);
        let exact = MediaTime::from_ticks(number * 1024, 1, 48_000);
        assert!(placed.at.distance(exact) <= MediaTime::from_micros(1), "{number}");
    }
}

#[test]
fn a_late_track_with_a_clock_of_its_own_joins_the_others() {
    let mut timeline = running(1_000, 10);
    timeline.add(clockwork(Sound::Yes));
    assert_eq!(timeline.place(2, at(77_000_000), FRAME).at, ms(400));
    assert_eq!(timeline.place(2, at(77_000_040), FRAME).at, ms(440));
}

#[test]
fn pictures_of_changing_rate_are_neither_gaps_nor_overlaps() {
    let mut timeline = Timeline::default();
    timeline.add(Clockwork { base: (1, 1000), wrap_bits: None, sound: Sound::No, steady: false });
    for pts in [0, 16, 33, 500, 516, 1400] {
        let placed = timeline.place(0, Some(pts), FRAME);
        assert_eq!((placed.at, placed.sign), (ms(pts), None));
    }
}

proptest! {
    #[test]
    fn media_time_always_goes_on(
        frames in prop::collection::vec((0_usize..3, prop::option::of(any::<i64>()), 1_i64..200_000_000), 1..200)
    ) {
        let mut timeline = Timeline::default();
        for sound in [Sound::No, Sound::Yes, Sound::Yes] {
            timeline.add(clockwork(sound));
        }
        let mut last: [Option<MediaTime>; 3] = [None; 3];
        for (track, raw, lasts) in frames {
            let placed = timeline.place(track, raw, MediaTime::from_nanos(lasts));
            prop_assert!(last[track].is_none_or(|last| placed.at > last));
            last[track] = Some(placed.at);
        }
    }

    #[test]
    fn sound_and_picture_stay_aligned_over_any_common_jump(start in 0_i64..4_000_000, jump in -3_900_000_i64..4_000_000) {
        prop_assume!(!(-1_200..11_000).contains(&jump) && start + jump >= 0);
        let mut timeline = running(start, 10);
        for frame in 10..60 {
            let raw = at(start + jump + frame * 40);
            let (video, audio) = (timeline.place(0, raw, FRAME).at, timeline.place(1, raw, FRAME).at);
            prop_assert!(video.distance(audio) <= FRAME, "{video} {audio}");
            prop_assert!(frame < 20 || video == audio);
        }
    }

    #[test]
    fn every_jump_ends_close_to_where_counting_would(start in 0_i64..4_000_000, jump in 11_000_i64..4_000_000) {
        let mut timeline = running(start, 10);
        for frame in 10..60 {
            timeline.place(0, at(start + jump + frame * 40), FRAME);
        }
        prop_assert!(timeline.end(0).expect("placed").distance(ms(60 * 40)) <= ms(80));
    }
}
