//! Proves that the clips of the integration tests hold what their recipes promise, by decoding them
//! with the `ffmpeg` binary and looking at every picture and sample in the simplest way.

mod common;

use common::media::{Clip, FPS, Planted};
use common::naive::{self, Picture};
use common::recipes::{Coding, StillAt};
use common::{damage, recipes};

/// The frames at which a condition holds, as spans of seconds; single frames count.
fn spans(holds: impl Iterator<Item = bool>) -> Vec<(f64, f64)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (index, _) in holds.enumerate().filter(|(_, holds)| *holds) {
        match spans.last_mut() {
            Some((_, end)) if *end == index => *end = index + 1,
            _ => spans.push((index, index + 1)),
        }
    }
    spans.into_iter().map(|(from, to)| (from as f64 / FPS, to as f64 / FPS)).collect()
}

fn truth(clip: &Clip, detector: &str) -> Vec<(f64, f64)> {
    let wanted = |planted: &&Planted| planted.detector == detector;
    clip.truth.iter().filter(wanted).map(|planted| (planted.start, planted.end)).collect()
}

/// Where the picture holds `condition` must be where the truth of `detector` says.
#[track_caller]
fn pictures_hold(clip: &Clip, detector: &str, condition: impl Fn(&Picture) -> bool) {
    let pictures = naive::pictures(&clip.path);
    assert_eq!(pictures.len(), (clip.seconds * FPS).round() as usize);
    assert_eq!(spans(pictures.iter().map(condition)), truth(clip, detector));
}

/// Changes from each picture to the next, the first one's counted as large.
fn changes(pictures: &[Picture]) -> Vec<f64> {
    let mut changes = vec![f64::MAX];
    changes.extend(pictures.windows(2).map(|pair| pair[1].change(&pair[0])));
    changes
}

/// Seconds during which a channel stays under a magnitude, from the first such sample to the last.
fn quiet(clip: &Clip, track: usize, channel: usize, magnitude: f32) -> (f64, f64) {
    let samples = naive::samples(&clip.path, track);
    assert_eq!(samples.len(), (clip.seconds * 48_000.0) as usize);
    let (mut longest, mut from) = ((0, 0), 0);
    for (index, pair) in samples.iter().enumerate() {
        if pair[channel].abs() > magnitude {
            from = index + 1;
        } else if index + 1 - from > longest.1 - longest.0 {
            longest = (from, index + 1);
        }
    }
    (longest.0 as f64 / 48_000.0, longest.1 as f64 / 48_000.0)
}

/// A zero sample may belong to the programme on either side of a planted silence.
const SAMPLES_OFF: f64 = 4.0 / 48_000.0;

#[track_caller]
fn near((start, end): (f64, f64), (true_start, true_end): (f64, f64), tolerance: f64) {
    let near = (start - true_start).abs() <= tolerance && (end - true_end).abs() <= tolerance;
    assert!(near, "{start}–{end} is not {true_start}–{true_end}");
}

#[test]
fn the_clean_programme_is_bright_moves_always_and_is_never_silent() {
    let clip = recipes::clean();
    let pictures = naive::pictures(&clip.path);
    assert_eq!(pictures.len(), 300);
    assert!(pictures.iter().all(|picture| picture.share(0..=37) < 0.3 && naive::mean(&picture.y) > 60.0));
    assert!(changes(&pictures).iter().all(|change| *change > 2.0));
    let quietest = naive::samples(&clip.path, 0)
        .chunks_exact(4_800)
        .map(|hop| hop.iter().map(|pair| pair[0].abs().min(pair[1].abs())).fold(0.0, f32::max))
        .fold(1.0, f32::min);
    assert!(quietest > 0.02, "{quietest}");
}

#[test]
fn black_is_black_on_exactly_the_planted_frames() {
    for clip in [recipes::black(), recipes::black_head(), recipes::black_tail()] {
        pictures_hold(&clip, "black", |picture| picture.share(0..=20) >= 0.98);
    }
}

#[test]
fn full_range_black_is_code_value_zero_in_a_full_range_track() {
    let clip = recipes::black_in(Coding::FullRange);
    assert_eq!(naive::probe(&clip.path, "v:0", "color_range"), "pc");
    // Read without conversion the track's black would be 0; ffmpeg converts it to limited range here.
    pictures_hold(&clip, "black", |picture| picture.share(0..=20) >= 0.98);
}

#[test]
fn ten_bit_hevc_has_ten_bits_and_the_planted_black() {
    let clip = recipes::black_in(Coding::Hevc10Bit);
    assert_eq!(naive::probe(&clip.path, "v:0", "codec_name"), "hevc");
    assert_eq!(naive::probe(&clip.path, "v:0", "pix_fmt"), "yuv420p10le");
    pictures_hold(&clip, "black", |picture| picture.share(0..=20) >= 0.98);
}

#[test]
fn interlaced_mpeg_2_says_so_combs_and_has_the_planted_black() {
    let clip = recipes::black_in(Coding::Mpeg2Interlaced);
    assert_eq!(naive::probe(&clip.path, "v:0", "codec_name"), "mpeg2video");
    assert_eq!(naive::probe(&clip.path, "v:0", "field_order"), "tt");
    pictures_hold(&clip, "black", |picture| picture.share(0..=20) >= 0.98);
    // Neighbouring rows come of different moments, so they differ more than rows of one field.
    let picture = &naive::pictures(&clip.path)[20];
    let rows: Vec<&[u8]> = picture.y.chunks_exact(naive::SIZE.0).collect();
    let apart = |distance: usize| -> u64 {
        let pairs = rows.iter().zip(&rows[distance..]);
        pairs.flat_map(|(one, two)| one.iter().zip(*two)).map(|(one, two)| u64::from(one.abs_diff(*two))).sum()
    };
    assert!(apart(1) > apart(2), "{} is not more than {}", apart(1), apart(2));
}

#[test]
fn a_freeze_stands_still_on_the_planted_frames_only() {
    for clip in [recipes::freeze(300), recipes::freeze(100)] {
        let pictures = naive::pictures(&clip.path);
        assert_eq!(pictures.len(), 300);
        let (from, to) = (100, 175);
        // Every cell stays near the first frozen picture; key frames may pulse a little.
        let still = pictures[from..to].iter().map(|picture| picture.change(&pictures[from])).fold(0.0, f64::max);
        assert!(still < 16.0, "{still}");
        let moved = pictures[from - 25].change(&pictures[from]).min(pictures[to + 25].change(&pictures[to - 1]));
        assert!(moved > 2.0 * still.max(10.0), "{moved} is not clearly more than {still}");
        // The freeze begins and ends with these very frames.
        let step = |frame: usize| pictures[frame].change(&pictures[frame - 1]);
        assert!(step(from) > 2.0 * step(from + 1), "{} then {}", step(from), step(from + 1));
        assert!(step(to) > 2.0 * step(to - 1), "{} then {}", step(to - 1), step(to));
    }
}

#[test]
fn vp9_has_the_planted_black() {
    let clip = recipes::black_in(Coding::Vp9);
    assert_eq!(naive::probe(&clip.path, "v:0", "codec_name"), "vp9");
    pictures_hold(&clip, "black", |picture| picture.share(0..=20) >= 0.98);
}

#[test]
fn a_freeze_stands_still_on_the_planted_frames_in_every_coding() {
    for coding in Coding::ALL {
        let clip = recipes::freeze_in(coding);
        let pictures = naive::pictures(&clip.path);
        assert_eq!(pictures.len(), (clip.seconds * FPS) as usize, "{coding:?}");
        let [(from, to)] = truth(&clip, "freeze")[..] else { panic!("one span") };
        let (from, to) = ((from * FPS) as usize, (to * FPS) as usize);
        let still = pictures[from..to].iter().map(|picture| picture.change(&pictures[from])).fold(0.0, f64::max);
        // The pictures right beside must differ: else the freeze would be longer than planted.
        let moved = pictures[from - 1].change(&pictures[from]).min(pictures[to].change(&pictures[to - 1]));
        assert!(moved > 2.0 * still, "{coding:?}: {moved} is not clearly more than {still}");
    }
}

#[test]
fn a_still_changes_in_every_picture_but_stays_the_same_picture() {
    for at in [StillAt::X264(100), StillAt::X264(300), StillAt::X264(1_000), StillAt::Mpeg2] {
        let pictures = naive::pictures(&recipes::still(at).path);
        assert_eq!(pictures.len(), 300, "{at:?}");
        let apart = pictures.iter().map(|picture| picture.change(&pictures[150])).fold(0.0, f64::max);
        assert!(apart < 24.0, "{at:?}: {apart}");
        assert!(pictures.windows(2).any(|pair| pair[0].y != pair[1].y), "{at:?} never pulses");
    }
}

#[test]
fn a_noisy_freeze_changes_every_pixel_but_not_the_picture() {
    for (strength, psnr_max) in [(4, 50.0), (6, 45.0), (10, 42.0)] {
        let pictures = naive::pictures(&recipes::freeze_under_noise(strength).path);
        let (first, last) = (&pictures[0], &pictures[299]);
        assert!(first.psnr(last) < psnr_max, "{strength}: {}", first.psnr(last));
        assert!(first.change(last) < 8.0, "{strength}: {}", first.change(last));
    }
}

#[test]
fn the_same_packets_are_in_every_container() {
    let [mp4, others @ ..] = recipes::in_containers();
    let whole = naive::pictures(&mp4.path);
    for clip in &others {
        let pictures = naive::pictures(&clip.path);
        assert!(whole.len() == pictures.len() && whole.iter().zip(&pictures).all(|(one, two)| one.y == two.y));
    }
    pictures_hold(&mp4, "black", |picture| picture.share(0..=20) >= 0.98);
}

#[test]
fn the_title_card_is_dark_by_share_but_shows_writing() {
    pictures_hold(&recipes::title_card(), "freeze", |picture| {
        let writing = picture.y.iter().filter(|level| **level > 180).count();
        picture.share(0..=37) >= 0.95 && writing > 2_000 && writing < 6_000
    });
}

#[test]
fn the_blue_screen_is_dark_in_luma_and_blue_in_chroma() {
    for (clip, u_min) in [(recipes::blue(), 230.0), (recipes::pale_blue(), 205.0)] {
        pictures_hold(&clip, "solid_color", |picture| picture.share(0..=37) >= 0.98 && naive::mean(&picture.u) > u_min);
    }
}

#[test]
fn the_zeroed_buffer_is_zero_in_all_planes() {
    pictures_hold(&recipes::zero_green(), "solid_color", |picture| {
        [&picture.y, &picture.u, &picture.v].iter().all(|plane| naive::mean(plane) < 3.0)
    });
}

#[test]
fn the_moving_box_moves_between_all_pictures_and_little_else_does() {
    let pictures = naive::pictures(&recipes::moving_box().path);
    assert_eq!(pictures.len(), 300);
    for pair in pictures.windows(2) {
        let moved = pair[0].y.iter().zip(&pair[1].y).filter(|(one, two)| one.abs_diff(**two) > 30).count();
        assert!((10..500).contains(&moved), "{moved} pixels");
    }
}

#[test]
fn the_slow_fade_never_stops_and_never_jumps() {
    let pictures = naive::pictures(&recipes::slow_fade().path);
    assert_eq!(pictures.len(), 200);
    assert!(pictures.windows(26).all(|second| second[25].change(&second[0]) > 3.0));
    assert!(pictures.windows(2).all(|pair| pair[1].change(&pair[0]) < 8.0));
}

#[test]
fn silence_is_exact_to_the_sample() {
    let clip = recipes::silence();
    for channel in 0..2 {
        near(quiet(&clip, 0, channel, 0.0), truth(&clip, "silence")[0], SAMPLES_OFF);
    }
}

#[test]
fn silence_with_clicks_has_an_offset_and_four_clicks() {
    let samples = naive::samples(&recipes::silence_with_clicks().path, 0);
    let silent = &samples[3 * 48_000..9 * 48_000];
    let clicks = silent.iter().filter(|pair| pair[0] > 0.5).count();
    assert_eq!(clicks, 4);
    let rest = silent.iter().filter(|pair| (pair[0] - 0.002).abs() < 0.0001).count();
    assert_eq!(rest, silent.len() - clicks);
}

#[test]
fn silence_with_an_offset_is_the_offset_alone() {
    let samples = naive::samples(&recipes::silence_with_offset().path, 0);
    assert!(samples[3 * 48_000..9 * 48_000].iter().flatten().all(|sample| (sample - 0.002).abs() < 0.0001));
    assert!(samples[2 * 48_000..3 * 48_000].iter().any(|pair| pair[0].abs() > 0.1));
}

#[test]
fn one_channel_is_dead_and_the_other_lives() {
    let clip = recipes::dead_channel();
    near(quiet(&clip, 0, 1, 0.0), truth(&clip, "channel_silence")[0], SAMPLES_OFF);
    let (from, to) = quiet(&clip, 0, 0, 0.0);
    assert!(to - from < 0.01);
}

#[test]
fn of_two_sound_tracks_only_the_second_is_silent() {
    let clip = recipes::two_sound_tracks();
    near(quiet(&clip, 1, 0, 0.0), truth(&clip, "silence")[0], SAMPLES_OFF);
    let (from, to) = quiet(&clip, 0, 0, 0.0);
    assert!(to - from < 0.01);
}

#[test]
fn the_calibrated_tone_peaks_at_minus_23_dbfs() {
    let samples = naive::samples(&recipes::calibrated_tone().path, 0);
    let peak = samples.iter().map(|pair| pair[0].abs()).fold(0.0, f32::max);
    assert!((20.0 * peak.log10() + 23.0).abs() < 0.01, "{peak}");
}

#[test]
fn lost_packets_damage_the_promised_frames_and_no_other() {
    let (clean, lost) = (recipes::clean_transport_stream(), damage::lost_packets());
    let (whole, damaged) = (naive::pictures(&clean.path), naive::pictures(&lost.path));
    assert_eq!(whole.len(), damaged.len());
    let [(start, end)] = truth(&lost, "decode_error")[..] else { panic!("one span of damage") };
    assert!((4.0..5.0).contains(&start) && end == 5.0, "{start}–{end}");
    let bad = spans(whole.iter().zip(&damaged).map(|(one, two)| one.psnr(two) < 100.0));
    assert_eq!(bad.first().map(|span| span.0), Some(start));
    assert!(bad.last().is_some_and(|span| span.1 <= end), "{bad:?}");
    let worst = whole.iter().zip(&damaged).map(|(one, two)| one.psnr(two)).fold(100.0, f64::min);
    assert!(worst < 35.0, "{worst}");
}

#[test]
fn a_cut_transport_stream_can_be_read_as_far_as_it_goes() {
    let clip = damage::cut_transport_stream();
    let count = naive::pictures(&clip.path).len() as f64;
    assert!((count / FPS - clip.seconds).abs() < 1.5, "{count}");
}

#[test]
fn what_is_no_media_gives_nothing() {
    for path in [damage::mp4_without_index(), damage::no_media()] {
        assert!(naive::pictures(&path).is_empty(), "{}", path.display());
    }
}

#[test]
fn an_mp4_file_has_its_index_at_the_end() {
    let bytes = std::fs::read(recipes::clean().path).expect("the clip was just made");
    let place = |name: &[u8]| bytes.windows(4).position(|word| word == name).expect("the box is there");
    assert!(place(b"mdat") < place(b"moov"));
}
