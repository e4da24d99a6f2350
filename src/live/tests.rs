//! Streams on the live board.

use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::frame::{ChannelHop, LumaFacts, MotionFacts, PictureFacts};
use avwatch_actors::item::{Item, PacketFacts};
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::scripted::{ScriptStep, ScriptedOpener, even_hops};
use avwatch_actors::source::Opener;
use avwatch_actors::track::{SessionNumber, TrackId};

use super::*;
use crate::measure::MeasurePlan;
use crate::synthetic::SyntheticOpener;

const LASTS: MediaTime = MediaTime::from_millis(40);

fn drain(opener: &Arc<dyn Opener>) -> Vec<Item> {
    let mut source = opener.open(SessionNumber(1), &Arc::<Lifeline>::default()).expect("opens");
    std::iter::from_fn(|| source.next().expect("goes on")).collect()
}

/// Pictures, sound and reports of so many pictures at 25 a second; every second is 10 levels brighter than the one
/// before. Sound trails by half a second, as in a multiplex.
fn programme(pictures: i64) -> Vec<ScriptStep> {
    let at = |index: i64| MediaTime::from_millis(40 * index);
    let step = move |index: i64| {
        let luma = LumaFacts { mean: 20.0 + 10.0 * (index / 25) as f32, ..LumaFacts::default() };
        let motion = MotionFacts { compared: index > 0, difference: 0.5, ..MotionFacts::default() };
        let facts = PictureFacts { luma, motion, ..PictureFacts::default() };
        let mut steps = vec![ScriptStep::Picture { at: at(index), lasts: LASTS, facts }];
        if index >= 13 {
            let heard = at(index - 13);
            let hops = even_hops(heard, LASTS, 2, ChannelHop { power: 0.01, peak: 0.25, ..ChannelHop::default() });
            steps.push(ScriptStep::Sound { at: heard, lasts: LASTS, hops });
        }
        let report = PacketFacts { at: at(index + 1), lasts: LASTS, bytes: 5_000, ..PacketFacts::default() };
        steps.push(ScriptStep::Item(Item::Packets(Arc::new(report))));
        steps.push(ScriptStep::Clock(at(index - 13)));
        steps
    };
    (0..pictures).flat_map(step).collect()
}

fn watched(steps: Vec<ScriptStep>) -> Vec<Arc<StreamReading>> {
    let board = LiveBoard::start().expect("a thread can be made");
    let opener: Arc<dyn Opener> = Arc::new(ScriptedOpener::new("lobby", [Ok(steps)]));
    drain(&board.watch("lobby", opener, Pixels::ForLive));
    board.stream("lobby").expect("is there").take_readings()
}

#[test]
fn every_second_is_told_once_with_what_was_measured_in_it() {
    let readings = watched(programme(5 * 25 + 14));
    let at: Vec<i64> = readings.iter().map(|reading| reading.at.as_millis()).collect();
    assert_eq!(at, [0, 1_000, 2_000, 3_000, 4_000]);
    for (index, reading) in readings.iter().enumerate() {
        let [picture] = reading.pictures[..] else { panic!("one video track") };
        assert_eq!((picture.track, picture.frames, picture.damaged), (TrackId::video(0), 25, 0));
        assert_eq!(picture.luma_mean, Some(20.0 + 10.0 * index as f32));
        assert_eq!((picture.difference, picture.coverage), (Some(0.5), 1.0));
        assert_eq!(reading.bitrate, Some(25.0 * 5_000.0 * 8.0));
        let [sound] = &reading.sounds[..] else { panic!("one audio track") };
        assert_eq!((sound.channels.len(), sound.momentary_lufs), (2, None));
        let level = sound.channels[1];
        assert!((level.rms_dbfs + 20.0).abs() < 1e-3 && (level.peak_dbfs + 12.041).abs() < 1e-3, "{level:?}");
        assert!(sound.coverage > 0.99);
    }
}

#[test]
fn a_hole_in_the_timeline_is_a_hole_in_the_readings() {
    let mut steps = programme(25);
    steps.push(ScriptStep::Clock(MediaTime::from_millis(60_000)));
    let facts = PictureFacts::default();
    steps.push(ScriptStep::Picture { at: MediaTime::from_millis(60_000), lasts: LASTS, facts });
    steps.push(ScriptStep::Clock(MediaTime::from_millis(61_000)));
    let at: Vec<i64> = watched(steps).iter().map(|reading| reading.at.as_millis()).collect();
    assert_eq!(at, [0, 60_000]);
}

#[test]
fn readings_that_nobody_fetches_are_bounded_and_counted() {
    let board = LiveBoard::start().expect("a thread can be made");
    let opener: Arc<dyn Opener> = Arc::new(ScriptedOpener::new("lobby", [Ok(programme(100 * 25 + 13))]));
    drain(&board.watch("lobby", opener, Pixels::ForLive));
    let live = board.stream("lobby").expect("is there");
    assert_eq!(live.readings_lost(), 99 - READINGS_MAX as u64);
    let readings = live.take_readings();
    assert_eq!((readings.len(), readings[0].at.as_millis()), (READINGS_MAX, 35_000));
    assert!(live.reading().is_some_and(|newest| newest.at.as_millis() == 98_000));
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "no {what} within 10 s");
        std::thread::yield_now();
    }
}

#[test]
fn a_stream_shows_its_newest_picture_and_no_frame_carries_pixels_on() {
    let board = LiveBoard::start().expect("a thread can be made");
    let recipe = "?size=640x360&duration=3s".parse().expect("is a recipe");
    let measure = MeasurePlan::NOTHING.with_readings();
    let opener: Arc<dyn Opener> = Arc::new(SyntheticOpener::new("lobby", recipe, measure));
    for item in drain(&board.watch("lobby", opener, Pixels::ForLive)) {
        assert!(!matches!(item, Item::Video(frame) if frame.picture().is_some()));
    }
    let live = board.stream("lobby").expect("is there");
    let thumbnail = wait_for("picture", || live.thumbnail());
    assert_eq!((thumbnail.width, thumbnail.height), (320, 180));
    assert!(thumbnail.jpeg.starts_with(&[0xff, 0xd8]) && !thumbnail.is_stale());
    board.remove("lobby");
    assert!(board.stream("lobby").is_none());
}

#[test]
fn who_asks_for_a_picture_looks_at_the_stream() {
    let live = LiveStream::default();
    assert!(!live.is_looked_at());
    assert!(live.thumbnail().is_none());
    assert!(live.is_looked_at());
}

#[test]
fn pixels_that_detectors_ask_for_reach_them() {
    let board = LiveBoard::start().expect("a thread can be made");
    let recipe = "?size=640x360&duration=1s".parse().expect("is a recipe");
    let measure = MeasurePlan { keep_pictures: true, ..MeasurePlan::NOTHING }.with_readings();
    let opener: Arc<dyn Opener> = Arc::new(SyntheticOpener::new("lobby", recipe, measure));
    let items = drain(&board.watch("lobby", opener, Pixels::ForDetectors));
    let bare = items.iter().filter(|item| matches!(item, Item::Video(frame) if frame.picture().is_none()));
    assert_eq!(bare.count(), 0);
}
