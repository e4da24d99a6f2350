//! Sources under a recorder.

use std::sync::Arc;

use avwatch_actors::frame::{AudioFrame, ChannelHop, LoudnessReading, LumaFacts, MotionFacts, PictureFacts};
use avwatch_actors::item::Item;
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::scripted::{ScriptStep, ScriptedOpener, even_hops};
use avwatch_actors::source::Opener;
use avwatch_actors::track::{ChannelRole, SessionNumber, TrackId};

use super::*;
use crate::synthetic::SyntheticOpener;

const LASTS: MediaTime = MediaTime::from_millis(40);

fn drain(opener: &Arc<dyn Opener>) -> Vec<Item> {
    let mut source = opener.open(SessionNumber(1), &Arc::<Lifeline>::default()).expect("opens");
    std::iter::from_fn(|| source.next().expect("goes on")).collect()
}

fn at(index: i64) -> MediaTime {
    MediaTime::from_millis(40 * index)
}

/// Pictures that grow brighter, and steady sound.
fn programme() -> Vec<ScriptStep> {
    let step = |index: i64| {
        let level = 20.0 + index as f32;
        let luma = LumaFacts { mean: level, p1: level - 4.0, p99: level + 4.0, ..LumaFacts::default() };
        let motion = MotionFacts { compared: index > 0, difference: 0.5, ..MotionFacts::default() };
        let hops = even_hops(at(index), LASTS, 2, ChannelHop { power: 0.01, peak: 0.25, ..ChannelHop::default() });
        let facts = PictureFacts { luma, motion, ..PictureFacts::default() };
        [
            ScriptStep::Picture { at: at(index), lasts: LASTS, facts },
            ScriptStep::Sound { at: at(index), lasts: LASTS, hops },
        ]
    };
    (0..100).flat_map(step).collect()
}

#[test]
fn what_passes_is_recorded_at_its_time() {
    let recorder = Recorder::new(Pictures::ForRecord);
    let opener: Arc<dyn Opener> = Arc::new(ScriptedOpener::new("clip", [Ok(programme())]));
    drain(&recorder.wrap(opener));
    let record = recorder.take();
    let pictures = &record.pictures[&TrackId::video(0)];
    for (series, offset) in [(&pictures.mean, 20.0), (&pictures.p1, 16.0), (&pictures.p99, 24.0)] {
        let told: Vec<(MediaTime, f32)> = series.points(1_000).iter().map(|point| (point.at(), point.low)).collect();
        assert_eq!(told, (0..100).map(|index| (at(index), index as f32 + offset)).collect::<Vec<_>>());
    }
    assert_eq!(pictures.difference.points(1_000)[0].from, at(1), "the first picture is compared with nothing");
    let sound = &record.sounds[&TrackId::audio(0)];
    let roles: Vec<ChannelRole> = sound.channels.iter().map(|channel| channel.role).collect();
    assert_eq!(roles, [ChannelRole::Left, ChannelRole::Right]);
    let points = sound.channels[1].power.points(1_000);
    assert_eq!((points.len(), points[0].low, sound.channels[1].peak.points(1_000)[0].high), (400, 0.01, 0.25));
}

#[test]
fn the_loudness_of_silence_is_left_out() {
    let reading = |index: i64, lufs: Option<f64>| {
        let hops = even_hops(at(index), LASTS, 1, ChannelHop::default());
        let Item::Audio(frame) =
            avwatch_actors::scripted::Scribe::new(SessionNumber(1)).sound(at(index), LASTS, hops, None)
        else {
            panic!("sound is sound");
        };
        let loudness = LoudnessReading { momentary_lufs: lufs, ..LoudnessReading::default() };
        let frame = AudioFrame::new(frame.stamp, frame.signs, frame.hops.clone(), Some(loudness), None);
        ScriptStep::Item(Item::Audio(Arc::new(frame)))
    };
    let steps = vec![reading(0, Some(-23.0)), reading(5, None), reading(10, Some(-20.0))];
    let recorder = Recorder::new(Pictures::ForRecord);
    drain(&recorder.wrap(Arc::new(ScriptedOpener::new("clip", [Ok(steps)]))));
    let record = recorder.take();
    let sound = &record.sounds[&TrackId::audio(0)];
    let told: Vec<(MediaTime, f32)> = sound.momentary.points(9).iter().map(|point| (point.from, point.low)).collect();
    assert_eq!(told, [(at(1), -23.0), (at(11), -20.0)]);
    assert!(sound.short_term.is_empty());
}

fn synthetic(pictures: Pictures) -> (Vec<Item>, Record) {
    let mut measure = MeasurePlan::NOTHING;
    add_needs(&mut measure);
    let recipe = "?size=192x108&duration=4&audio=0&defects=black@2+1".parse().expect("is a recipe");
    let recorder = Recorder::new(pictures);
    let items = drain(&recorder.wrap(Arc::new(SyntheticOpener::new("clip", recipe, measure))));
    (items, recorder.take())
}

fn with_pixels(items: &[Item]) -> usize {
    items.iter().filter(|item| matches!(item, Item::Video(frame) if frame.picture().is_some())).count()
}

#[test]
fn a_small_picture_of_every_second_is_kept_and_no_detector_gets_the_pixels() {
    let (items, record) = synthetic(Pictures::ForRecord);
    let stills = &record.pictures[&TrackId::video(0)].stills;
    for second in 0..4 {
        let still = stills.nearest(MediaTime::from_millis(second * 1_000)).expect("there are some");
        assert_eq!((still.at.as_millis(), still.width, still.height), (second * 1_000, 192, 108));
        assert!(still.jpeg.starts_with(&[0xff, 0xd8, 0xff]) && still.jpeg.ends_with(&[0xff, 0xd9]));
    }
    assert!(items.iter().filter(|item| item.is_frame()).count() == 100 && with_pixels(&items) == 0);
}

#[test]
fn pixels_that_a_detector_asked_for_stay() {
    assert_eq!(with_pixels(&synthetic(Pictures::ForDetectors).0), 100);
}

#[test]
fn the_same_input_gives_the_same_record() {
    assert!(synthetic(Pictures::ForRecord).1 == synthetic(Pictures::ForRecord).1);
}
