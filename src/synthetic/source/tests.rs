//! Whole sessions: what they deliver against what the plan promises.

use std::collections::BTreeMap;

use avwatch_actors::frame::{AudioFrame, VideoFrame};
use avwatch_actors::item::TimelineSign;

use super::*;

const MEASURE: MeasurePlan = MeasurePlan {
    luma: true,
    chroma: true,
    motion: true,
    sound: true,
    loudness: false,
    true_peak: false,
    pair: false,
    tops: false,
    lulls: false,
    mains: false,
    black_level: 32.0,
    keep_pictures: true,
    keep_samples: true,
};

fn opener(text: &str) -> SyntheticOpener {
    SyntheticOpener::new("test", text.parse().unwrap(), MEASURE)
}

fn play(opener: &SyntheticOpener, session: u64) -> Vec<Item> {
    let mut source = opener.open(SessionNumber(session), &Arc::new(Lifeline::default())).unwrap();
    let mut items = Vec::new();
    while let Some(item) = source.next().unwrap() {
        items.push(item);
        assert!(items.len() < 100_000, "the session must end");
    }
    items
}

fn pictures(items: &[Item]) -> Vec<Arc<VideoFrame>> {
    items.iter().filter_map(|item| if let Item::Video(frame) = item { Some(frame.clone()) } else { None }).collect()
}

fn sounds(items: &[Item]) -> Vec<Arc<AudioFrame>> {
    items.iter().filter_map(|item| if let Item::Audio(frame) = item { Some(frame.clone()) } else { None }).collect()
}

/// Sums over all pixels and samples, cheap and sensitive to any change.
fn fingerprint(items: &[Item]) -> BTreeMap<(MediaTime, &'static str), u64> {
    let mix = |hash: u64, value: u64| (hash ^ value).wrapping_mul(0x0100_0000_01b3);
    let mut prints = BTreeMap::new();
    for frame in pictures(items) {
        let view = frame.picture().unwrap().view();
        let hash = view.luma.bytes.iter().fold(7, |hash, byte| mix(hash, u64::from(*byte)));
        prints.insert((frame.stamp.media_time, "video"), hash);
    }
    for frame in sounds(items) {
        let samples = frame.samples().unwrap().channel(0).iter();
        prints.insert((frame.stamp.media_time, "audio"), samples.fold(7, |hash, x| mix(hash, u64::from(x.to_bits()))));
    }
    prints
}

fn mean_luma(frame: &VideoFrame) -> f64 {
    let luma = frame.picture().unwrap().view().luma;
    let rows = (0..luma.height).map(|y| luma.row(y, 1).iter().map(|level| u64::from(*level)).sum::<u64>());
    rows.sum::<u64>() as f64 / (luma.width * luma.height) as f64
}

/// Start and end of every run of frames that are as `is` says.
fn runs(frames: &[Arc<VideoFrame>], is: impl Fn(&VideoFrame) -> bool) -> Vec<(MediaTime, MediaTime)> {
    let mut runs: Vec<(MediaTime, MediaTime)> = Vec::new();
    for frame in frames.iter().filter(|frame| is(frame)) {
        match runs.last_mut() {
            Some(run) if run.1 == frame.stamp.media_time => run.1 = frame.stamp.end(),
            _ => runs.push((frame.stamp.media_time, frame.stamp.end())),
        }
    }
    runs
}

fn truth(opener: &SyntheticOpener, detector: &str) -> Vec<(MediaTime, MediaTime)> {
    let all = opener.plan().truth_between(MediaTime::ZERO, MediaTime::MAX).into_iter();
    all.filter(|planned| planned.detector == detector).map(|planned| (planned.from, planned.to)).collect()
}

#[test]
fn the_same_recipe_gives_the_same_frames() {
    let text = "size=320x180&seed=7&duration=2&defects=black@1+0.5,clipping@0.5+1";
    assert_eq!(fingerprint(&play(&opener(text), 1)), fingerprint(&play(&opener(text), 2)));
    assert_ne!(fingerprint(&play(&opener(text), 1)), fingerprint(&play(&opener(&text.replace('7', "8")), 1)));
}

#[test]
fn items_come_in_order_of_time_with_stamps_without_holes() {
    for text in ["size=64x64&duration=3&fps=29.97&rate=44100", "size=64x64&duration=3&codec=h264&fps=30000/1001"] {
        let items = play(&opener(text), 4);
        assert!(matches!(&items[0], Item::Started(info) if info.tracks.len() == 2));
        let (video, audio) = (pictures(&items), sounds(&items));
        assert_eq!(video.len(), 90, "{text}");
        for (number, frame) in video.iter().enumerate() {
            assert_eq!(frame.stamp.seq, number as u64);
            assert_eq!(frame.stamp.media_time, MediaTime::from_ticks(number as i64, 1_001, 30_000));
        }
        for pair in audio.windows(2) {
            assert_eq!(pair[0].stamp.end(), pair[1].stamp.media_time, "{text}");
        }
        assert!(audio[0].stamp.media_time == MediaTime::ZERO);
        assert!(audio.last().unwrap().stamp.end() >= MediaTime::from_millis(2_999));
        let times = items.iter().filter_map(|item| match item {
            Item::Video(frame) => Some(frame.stamp.media_time),
            Item::Audio(frame) => Some(frame.stamp.media_time),
            _ => None,
        });
        assert!(times.is_sorted());
    }
}

#[test]
fn clock_and_packets_come_ten_times_a_second_up_to_the_end() {
    let items = play(&opener("size=64x64&duration=1.05"), 1);
    let clocks: Vec<i64> =
        items.iter().filter_map(|item| if let Item::Clock(at) = item { Some(at.as_millis()) } else { None }).collect();
    assert_eq!(clocks, [100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000, 1_050]);
    let packets = items.iter().filter_map(|item| if let Item::Packets(facts) = item { Some(facts) } else { None });
    let counted: u32 = packets.map(|facts| facts.tracks[0].1.packets).sum();
    assert_eq!(counted as usize, pictures(&items).len());
}

#[test]
fn black_pictures_are_black_exactly_where_the_plan_says() {
    for codec in ["raw", "h264"] {
        let text = format!("size=320x180&fps=29.97&codec={codec}&duration=8&loop=4&defects=black@1.01+1.5");
        let opener = opener(&text);
        let frames = pictures(&play(&opener, 1));
        let black = runs(&frames, |frame| mean_luma(frame) < 20.0);
        assert_eq!(black, truth(&opener, "black"), "{codec}");
        assert_eq!(black.len(), 2);
    }
}

#[test]
fn a_frozen_picture_stands_exactly_as_long_as_the_plan_says() {
    let opener = opener("size=320x180&duration=4&defects=freeze@1+2");
    let frames = pictures(&play(&opener, 1));
    let standing = runs(&frames, |frame| frame.facts.motion.identical);
    let [(from, to)] = truth(&opener, "freeze")[..] else { panic!("one freeze is planned") };
    // The first picture of the freeze is new; from the second on each equals the one before.
    assert_eq!(standing, [(from + MediaTime::from_millis(40), to)]);
}

#[test]
fn missing_pictures_and_sounds_leave_a_hole_while_the_clock_goes_on() {
    let opener = opener("size=64x64&duration=6&defects=video_missing@1+2,audio_missing@4+1");
    let items = play(&opener, 1);
    let all_frames = runs(&pictures(&items), |_| true);
    assert_eq!(all_frames[0].1, truth(&opener, "video_missing")[0].0);
    assert_eq!(all_frames[1].0, truth(&opener, "video_missing")[0].1);
    let heard: Vec<i64> = sounds(&items).iter().map(|frame| frame.stamp.media_time.as_millis()).collect();
    assert!(heard.contains(&3_980) && heard.contains(&5_000));
    assert!(!heard.iter().any(|at| (4_000..5_000).contains(at)));
    assert!(items.iter().any(|item| matches!(item, Item::Clock(at) if at.as_millis() == 2_500)));
    let marks: Vec<TimelineSign> = items
        .iter()
        .filter_map(|item| if let Item::Packets(facts) = item { Some(&facts.marks) } else { None })
        .flat_map(|marks| marks.iter().map(|mark| mark.sign))
        .collect();
    let gap = |millis| TimelineSign::Gap { missing: MediaTime::from_millis(millis) };
    assert_eq!(marks, [gap(2_000), gap(1_000)]);
}

#[test]
fn silence_shows_in_the_hops_where_the_plan_says() {
    let opener = opener("size=64x64&duration=4&defects=silence@1+1.5");
    let items = play(&opener, 1);
    let [(from, to)] = truth(&opener, "silence")[..] else { panic!("one silence is planned") };
    for frame in sounds(&items) {
        for (hop, channels) in frame.hops.iter() {
            let silent = channels.iter().all(|channel| channel.level_dbfs() < -60.0);
            assert_eq!(silent, from <= hop.at && hop.at < to, "{}", hop.at);
        }
    }
}

#[test]
fn raw_decode_errors_are_marked_on_the_pictures_of_the_plan() {
    let opener = opener("size=64x64&duration=3&defects=decode_error@1+0.5");
    let damaged = runs(&pictures(&play(&opener, 1)), |frame| frame.facts.signs.damaged);
    assert_eq!(damaged, truth(&opener, "decode_error"));
}

#[test]
fn bit_errors_in_packets_damage_real_pictures_until_the_plan_says_so() {
    let damaged = "size=320x180&codec=h264&duration=3&defects=decode_error@1.2+0.6";
    let opener = opener(damaged);
    let (bad, good) = (play(&opener, 1), play(&self::opener("size=320x180&codec=h264&duration=3"), 1));
    let frames = pictures(&bad);
    let [(from, to)] = truth(&opener, "decode_error")[..] else { panic!("one defect is planned") };
    for frame in &frames {
        let inside = from <= frame.stamp.media_time && frame.stamp.media_time < to;
        assert_eq!(frame.facts.signs.damaged, inside, "{}", frame.stamp.media_time);
    }
    assert!(frames.iter().any(|frame| frame.facts.signs.concealed || frame.facts.signs.errors > 0));
    let (bad, good) = (fingerprint(&bad), fingerprint(&good));
    let differs = |from: i64, to: i64| {
        let range = (MediaTime::from_millis(from), "video")..(MediaTime::from_millis(to), "video");
        bad.range(range).filter(|(key, print)| key.1 == "video" && good.get(key) != Some(print)).count()
    };
    assert_eq!(differs(0, 1_200), 0);
    assert!(differs(1_200, 1_800) >= 10, "{}", differs(1_200, 1_800));
}

#[test]
fn decoded_sound_is_the_made_sound_at_the_same_time() {
    let plain = "size=64x64&duration=3&seed=5";
    let raw = sounds(&play(&opener(plain), 1));
    let coded = sounds(&play(&opener(&format!("{plain}&codec=h264")), 1));
    let join = |frames: &[Arc<AudioFrame>]| -> Vec<f32> {
        frames.iter().flat_map(|frame| frame.samples().unwrap().channel(0).to_vec()).collect()
    };
    let (raw, coded) = (join(&raw), join(&coded));
    let error = |shift: usize| -> f64 {
        let pairs = raw[10_000..90_000].iter().zip(&coded[10_000 + shift - 1_024..]);
        pairs.map(|(raw, coded)| f64::from(raw - coded).powi(2)).sum()
    };
    let right = error(1_024);
    assert!([0, 512, 1_000, 1_048, 1_536, 2_048].into_iter().all(|shift| error(shift) > 4.0 * right));
}

#[test]
fn decoded_pictures_are_the_made_pictures_at_the_same_time() {
    let plain = "size=320x180&duration=2&seed=5";
    let raw = pictures(&play(&opener(plain), 1));
    let coded = pictures(&play(&opener(&format!("{plain}&codec=h264")), 1));
    let error = |one: &VideoFrame, other: &VideoFrame| -> u64 {
        let (one, other) = (one.picture().unwrap().view().luma, other.picture().unwrap().view().luma);
        let rows = (0..one.height).map(|y| one.row(y, 1).iter().zip(other.row(y, 1)));
        rows.flatten().map(|(one, other)| u64::from(one.abs_diff(*other))).sum()
    };
    for number in 1..49 {
        let right = error(&raw[number], &coded[number]);
        assert!(right < error(&raw[number - 1], &coded[number]), "{number}");
        assert!(right < error(&raw[number + 1], &coded[number]), "{number}");
    }
    assert!(coded.iter().step_by(25).all(|frame| frame.facts.signs.key));
}

#[test]
fn an_end_ends_the_session_and_the_next_one_goes_on_from_there() {
    let opener = opener("size=64x64&duration=3&defects=end@1");
    let first = play(&opener, 1);
    assert_eq!(pictures(&first).len(), 25);
    let second = play(&opener, 2);
    assert!(matches!(&second[0], Item::Started(info) if info.at == MediaTime::from_millis(1_000)));
    let frames = pictures(&second);
    assert_eq!((frames.len(), frames[0].stamp.seq, frames[0].stamp.session), (50, 0, SessionNumber(2)));
    assert_eq!(frames[0].stamp.media_time, MediaTime::from_millis(1_000));
    let line = Arc::new(Lifeline::default());
    assert!(matches!(opener.open(SessionNumber(3), &line), Err(SourceError::Refused { .. })));
}

#[test]
fn what_came_before_a_stall_is_delivered_before_it() {
    let opener = opener("size=64x64&defects=stall@0.25+3600");
    let line = Arc::new(Lifeline::default());
    let mut source = opener.open(SessionNumber(1), &line).unwrap();
    loop {
        if let Some(Item::Clock(at)) = source.next().unwrap()
            && at == MediaTime::from_millis(250)
        {
            break;
        }
    }
    line.cut(CutReason::Stopped);
    assert!(matches!(source.next(), Err(SourceError::Stopped)));
}

#[test]
fn a_stall_takes_real_time_and_the_stream_goes_on_after_it() {
    let opener = opener("size=64x64&duration=2&defects=stall@1+0.1");
    let begun = Instant::now();
    let items = play(&opener, 1);
    assert!(begun.elapsed() >= Duration::from_millis(100));
    let gaps: Vec<&Gap> =
        items.iter().filter_map(|item| if let Item::Gap(gap) = item { Some(gap) } else { None }).collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].from.as_millis(), gaps[0].to.as_millis()), (1_000, 1_100));
    assert_eq!(runs(&pictures(&items), |_| true)[1].0.as_millis(), 1_120);
}

#[test]
fn a_stall_ends_at_once_by_the_cut_and_the_next_session_waits_for_the_rest() {
    let opener = opener("size=64x64&defects=stall@0+3600");
    let line = Arc::new(Lifeline::default());
    let mut source = opener.open(SessionNumber(1), &line).unwrap();
    assert!(matches!(source.next(), Ok(Some(Item::Started(_)))));
    let (cutter, beats) = (line.clone(), line.beats());
    let thread = std::thread::spawn(move || {
        while cutter.beats() < beats + 3 {
            std::thread::yield_now();
        }
        cutter.cut(CutReason::Stalled);
    });
    assert!(matches!(source.next(), Err(SourceError::Stalled { .. })));
    thread.join().unwrap();
    assert!(opener.reached() > MediaTime::ZERO);
    let line = Arc::new(Lifeline::default());
    line.cut(CutReason::OpenLimit);
    assert!(matches!(opener.open(SessionNumber(2), &line), Err(SourceError::OpenLimit { .. })));
}

#[test]
fn pixels_and_samples_are_handed_out_only_when_asked_for() {
    let measure = MeasurePlan { keep_pictures: false, keep_samples: false, ..MEASURE };
    let opener = SyntheticOpener::new("test", "size=64x64&duration=0.2".parse().unwrap(), measure);
    let items = play(&opener, 1);
    assert!(pictures(&items).iter().all(|frame| frame.picture().is_none()));
    assert!(sounds(&items).iter().all(|frame| frame.samples().is_none()));
}

#[test]
fn without_audio_there_is_one_track() {
    let items = play(&opener("size=64x64&duration=0.5&audio=0"), 1);
    assert!(matches!(&items[0], Item::Started(info) if info.tracks.len() == 1));
    assert!(sounds(&items).is_empty() && pictures(&items).len() == 13);
}
#[test]
fn every_layout_rate_and_odd_size_goes_through_the_codecs() {
    for (text, count) in [
        ("size=66x70&audio=1&rate=32000", 25),
        ("size=96x64&audio=6&rate=44100&fps=240", 240),
        ("size=64x64&audio=2&rate=96000&fps=1", 1),
    ] {
        let items = play(&opener(&format!("{text}&duration=1&codec=h264")), 1);
        assert_eq!(pictures(&items).len(), count, "{text}");
        assert!(!sounds(&items).is_empty());
        assert!(sounds(&items).iter().all(|frame| frame.hops.iter().all(|(_, channels)| channels[0].peak < 0.8)));
    }
}
