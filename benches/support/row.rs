//! One row of the registry on frames that are kept: what measuring and what judging takes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use avwatch::measure::{MeasurePlan, PictureMeasurer, SoundMeasurer};
use avwatch_actors::detector::{DetectorSpec, LaneKind, Verdicts};
use avwatch_actors::frame::{AudioFrame, PictureView, Plane, VideoFrame};
use avwatch_actors::item::Item;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{SessionInfo, TrackInfo};

use super::figures::median;

/// Pictures that are kept: more than the caches hold, as in a service with many streams.
const PICTURES: usize = 50;
/// Times that everything kept is gone through.
const ROUNDS: usize = 9;
/// Length of a hop of sound in milliseconds.
const HOP_MS: f64 = 10.0;

/// A copy of a picture: those that the decoder lends are few.
struct Pixels {
    at: MediaTime,
    planes: Vec<(Vec<u8>, usize, usize, usize)>,
    depth: u8,
    full_range: bool,
}

impl Pixels {
    fn copy(at: MediaTime, view: &PictureView<'_>) -> Self {
        let planes = std::iter::once(&view.luma).chain(view.chroma.iter().flatten());
        Self {
            at,
            planes: planes.map(|plane| (plane.bytes.to_vec(), plane.stride, plane.width, plane.height)).collect(),
            depth: view.depth,
            full_range: view.full_range,
        }
    }

    fn view(&self) -> PictureView<'_> {
        let plane = |of: usize| {
            let (bytes, stride, width, height) = &self.planes[of];
            Plane { bytes, stride: *stride, width: *width, height: *height }
        };
        let chroma = (self.planes.len() == 3).then(|| [plane(1), plane(2)]);
        PictureView { luma: plane(0), chroma, depth: self.depth, full_range: self.full_range }
    }
}

/// The first frames of a clip, with everything measured and all pixels and samples.
#[derive(Default)]
pub(crate) struct Kept {
    session: Option<Arc<SessionInfo>>,
    items: Vec<Item>,
    pictures: Vec<Pixels>,
    blocks: Vec<Arc<AudioFrame>>,
}

impl Kept {
    /// Keeps an item; false when it is enough.
    pub(crate) fn add(&mut self, item: Item) -> bool {
        match &item {
            Item::Started(session) => self.session = Some(session.clone()),
            Item::Video(frame) => {
                let copy = frame.picture().map(|picture| Pixels::copy(frame.stamp.media_time, &picture.view()));
                self.pictures.extend(copy);
            }
            Item::Audio(block) => self.blocks.push(block.clone()),
            _ => {}
        }
        // The frame without its pixels.
        self.items.push(match item {
            Item::Video(frame) => Item::Video(Arc::new(VideoFrame::new(frame.stamp, frame.facts, None))),
            other => other,
        });
        self.pictures.len() < PICTURES
    }

    fn track(&self, lane: LaneKind) -> Option<&TrackInfo> {
        let session = self.session.as_ref()?;
        session.tracks.iter().find(|track| match lane {
            LaneKind::Picture => track.video.is_some(),
            LaneKind::Sound => track.audio.is_some(),
            LaneKind::Input => true,
        })
    }

    /// Tens of milliseconds of sound that were kept.
    fn hops(&self) -> f64 {
        self.blocks.iter().map(|block| block.stamp.lasts.as_secs_f64()).sum::<f64>() * 1_000.0 / HOP_MS
    }
}

/// Median nanoseconds of a round of `work`.
fn nanos(mut work: impl FnMut()) -> f64 {
    let round = |_| {
        let begin = Instant::now();
        work();
        begin.elapsed().as_nanos() as f64
    };
    median(&(0..ROUNDS).map(round).collect::<Vec<_>>())
}

fn measure_pictures(kept: &Kept, plan: &MeasurePlan) -> f64 {
    let mut measurer = PictureMeasurer::new(plan);
    nanos(|| {
        measurer.reset();
        for (index, picture) in kept.pictures.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| kept.pictures[before].view());
            black_box(measurer.measure(&picture.view(), before.as_ref(), picture.at));
        }
    }) / kept.pictures.len() as f64
}

fn measure_sound(kept: &Kept, plan: &MeasurePlan) -> f64 {
    let Some(format) = kept.track(LaneKind::Sound).and_then(|track| track.audio.as_ref()) else { return f64::NAN };
    nanos(|| {
        let mut measurer = SoundMeasurer::new(plan, format.sample_rate, &format.roles);
        for block in &kept.blocks {
            let Some(samples) = block.samples() else { continue };
            let channels: Vec<&[f32]> = (0..samples.channels()).map(|channel| samples.channel(channel)).collect();
            black_box(measurer.measure(block.stamp.media_time, &channels));
        }
    }) / kept.hops()
}

fn judge(kept: &Kept, specs: &[&DetectorSpec], lane: LaneKind) -> f64 {
    let Some(track) = kept.track(lane) else { return f64::NAN };
    let total = nanos(|| {
        for spec in specs {
            let mut detector = (spec.build)(track);
            let mut verdicts = Verdicts::default();
            for item in &kept.items {
                let is_of_track = match item {
                    Item::Video(_) => lane == LaneKind::Picture,
                    Item::Audio(_) => lane == LaneKind::Sound,
                    Item::Packets(_) => lane == LaneKind::Input,
                    _ => true,
                };
                if is_of_track {
                    detector.inspect(item, &mut verdicts);
                    black_box(verdicts.take());
                }
            }
        }
    });
    if lane == LaneKind::Sound { total / kept.hops() } else { total / kept.pictures.len() as f64 }
}

/// Prints a line for each lane that the row drinks from.
pub(crate) fn print(name: &str, kept: &Kept, plan: &MeasurePlan, specs: &[DetectorSpec]) {
    for (lane, unit) in [
        (LaneKind::Picture, "ns per picture"),
        (LaneKind::Sound, "ns per 10 ms of sound"),
        (LaneKind::Input, "ns per picture time"),
    ] {
        let specs: Vec<&DetectorSpec> = specs.iter().filter(|spec| spec.lane == lane).collect();
        if specs.is_empty() {
            continue;
        }
        let measure = match lane {
            LaneKind::Picture => measure_pictures(kept, plan),
            LaneKind::Sound => measure_sound(kept, plan),
            LaneKind::Input => 0.0,
        };
        let judge = judge(kept, &specs, lane);
        println!(r#"{{"name":"row_{name}","unit":"{unit}","measure":{measure:.0},"judge":{judge:.0}}}"#);
    }
}
