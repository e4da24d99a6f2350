//! The sound of one track: converted, measured, stamped, in blocks of at most 100 ms.
//!
//! Owned by a track of a session, on its thread. Never resamples. Ends with a block without samples
//! that carries the last hops and the final loudness.

use avwatch_actors::frame::{AudioFrame, DecodeSigns, Repair, Samples, SoundHops};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::AudioFormat;
use ffmpeg_next::ffi;

use super::adopt::{AdoptError, Block, OwnedSamples, describe_layout};
use super::stamper::{Stamper, Work};
use crate::measure::{MeasurePlan, SoundMeasurer, SoundMeasures};

/// Blocks a second at least: longer ones are split, so that verdicts come in good time.
const BLOCKS_PER_SECOND: usize = 10;
/// From this distance on, sound does not join what came before.
const JOINS: MediaTime = MediaTime::from_millis(20);

/// What makes one block incompatible with the next: rate, channels, order and mask of the layout.
type Shape = (i32, i32, u32, u64);

/// The sound side of a track.
pub(crate) struct AudioReader {
    plan: MeasurePlan,
    block: Block,
    measurer: Option<SoundMeasurer>,
    shape: Option<Shape>,
    /// What is known of the sound.
    pub format: Option<AudioFormat>,
}

impl AudioReader {
    pub(crate) fn new(plan: &MeasurePlan, format: Option<AudioFormat>) -> Self {
        Self { plan: *plan, block: Block::default(), measurer: None, shape: None, format }
    }

    /// Takes a decoded block.
    pub(crate) fn frame(
        &mut self,
        frame: &mut ffi::AVFrame,
        stamper: &mut Stamper,
        work: &mut Work<'_>,
    ) -> Result<(), AdoptError> {
        let signs = stamper.signs(frame);
        self.block.fill(frame)?;
        let rate = usize::try_from(frame.sample_rate).unwrap_or(0);
        if self.block.len() == 0 || rate == 0 {
            return Err(AdoptError::OutOfBounds);
        }
        let shape = shape_of(frame);
        let changed = self.shape != Some(shape);
        if changed {
            self.finish(stamper, work);
            self.change(frame, shape);
        }
        let before = work.timeline.end(stamper.line);
        let lasts = MediaTime::from_ticks(self.block.len() as i64, 1, frame.sample_rate);
        let (stamp, placed) = stamper.place(frame, lasts, work);
        if changed {
            work.outlet.changed(stamp.media_time);
        } else if before.is_some_and(|before| before.distance(placed.at) >= JOINS)
            && let Some(measurer) = &mut self.measurer
        {
            measurer.gap(placed.at);
        }
        let longest = (rate / BLOCKS_PER_SECOND).max(1);
        let mut from = 0;
        while from < self.block.len() {
            let to = (from + longest).min(self.block.len());
            let offset = |samples: usize| MediaTime::from_ticks(samples as i64, 1, frame.sample_rate);
            let mut part = stamp;
            if from > 0 {
                part.seq = stamper.stamp(placed.at, lasts, None).seq;
                // Only the first part has the timestamp that was sent.
                (part.source_time, part.repair) = (None, Repair::None);
            }
            part.media_time = placed.at + offset(from);
            part.lasts = offset(to) - offset(from);
            let signs = if from == 0 { signs } else { DecodeSigns { errors: 0, ..signs } };
            let (measures, samples) = self.measure(part.media_time, from, to);
            part.ready = std::time::Instant::now();
            work.outlet.audio(AudioFrame::new(part, signs, measures.hops, measures.loudness, samples));
            from = to;
        }
        Ok(())
    }

    /// Ends the measuring until sound is decoded again: then it begins anew.
    pub(crate) fn leave(&mut self, stamper: &mut Stamper, work: &mut Work<'_>) {
        self.finish(stamper, work);
        self.shape = None;
    }

    /// Ends the measuring: the last hops and the final loudness leave with a block without samples.
    pub(crate) fn finish(&mut self, stamper: &mut Stamper, work: &mut Work<'_>) {
        let (Some(mut measurer), Some(end)) = (self.measurer.take(), work.timeline.end(stamper.line)) else { return };
        let measures = measurer.finish();
        let stamp = stamper.stamp(end, MediaTime::ZERO, None);
        let signs = DecodeSigns { tuned: true, ..DecodeSigns::default() };
        work.outlet.audio(AudioFrame::new(stamp, signs, measures.hops, measures.loudness, None));
    }

    fn measure(&mut self, at: MediaTime, from: usize, to: usize) -> (SoundMeasures, Option<Box<dyn Samples>>) {
        let (slices, channels) = self.block.stretch(from, to);
        let measures = match &mut self.measurer {
            Some(measurer) => measurer.measure(at, &slices[..channels]),
            None => SoundMeasures { hops: SoundHops::default(), loudness: None },
        };
        let samples: Option<Box<dyn Samples>> =
            if self.plan.keep_samples { Some(Box::new(OwnedSamples::copy(&slices[..channels]))) } else { None };
        (measures, samples)
    }

    fn change(&mut self, frame: &ffi::AVFrame, shape: Shape) {
        let (layout, roles) = describe_layout(&frame.ch_layout);
        let rate = frame.sample_rate.unsigned_abs();
        self.shape = Some(shape);
        self.measurer = Some(SoundMeasurer::new(&self.plan, rate, &roles));
        let channels = u16::try_from(frame.ch_layout.nb_channels).unwrap_or(u16::MAX);
        self.format = Some(AudioFormat { sample_rate: rate, channels, layout, roles });
    }
}

fn shape_of(frame: &ffi::AVFrame) -> Shape {
    let layout = &frame.ch_layout;
    let mask = match layout.order {
        // SAFETY: in native order the union holds the mask.
        ffi::AVChannelOrder::AV_CHANNEL_ORDER_NATIVE => unsafe { layout.u.mask },
        _ => 0,
    };
    (frame.sample_rate, layout.nb_channels, layout.order as u32, mask)
}
