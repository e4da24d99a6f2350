//! A stand-in for the measurer of `crate::measure`, with the same names, until that is merged.

use avwatch_actors::frame::{
    ChannelHop, ChromaFacts, LoudnessReading, LumaFacts, MotionFacts, PictureView, SoundHop, SoundHops,
};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::ChannelRole;

use crate::measure::MeasurePlan;

pub(super) struct PictureMeasures {
    pub(super) luma: LumaFacts,
    pub(super) chroma: ChromaFacts,
    pub(super) motion: MotionFacts,
}

pub(super) struct PictureMeasurer {
    plan: MeasurePlan,
}

impl PictureMeasurer {
    pub(super) fn new(plan: &MeasurePlan) -> Self {
        Self { plan: *plan }
    }

    pub(super) fn measure(
        &mut self,
        picture: &PictureView<'_>,
        previous: Option<&PictureView<'_>>,
        _at: MediaTime,
    ) -> PictureMeasures {
        let mut measures = PictureMeasures {
            luma: LumaFacts::default(),
            chroma: ChromaFacts::default(),
            motion: MotionFacts::default(),
        };
        let luma = &picture.luma;
        let count = (luma.width * luma.height) as f32;
        if self.plan.luma {
            let (mut sum, mut dark, mut low, mut high) = (0_u64, 0_u64, u8::MAX, 0);
            for y in 0..luma.height {
                for level in luma.row(y, 1) {
                    sum += u64::from(*level);
                    dark += u64::from(f32::from(*level) <= self.plan.black_level);
                    low = low.min(*level);
                    high = high.max(*level);
                }
            }
            measures.luma.mean = sum as f32 / count;
            measures.luma.dark_share = dark as f32 / count;
            (measures.luma.min, measures.luma.max) = (f32::from(low), f32::from(high));
        }
        if let (true, Some(previous)) = (self.plan.motion, previous) {
            let mut sum = 0_u64;
            for y in 0..luma.height {
                let rows = luma.row(y, 1).iter().zip(previous.luma.row(y, 1));
                sum += rows.map(|(now, before)| u64::from(now.abs_diff(*before))).sum::<u64>();
            }
            measures.motion.compared = true;
            measures.motion.identical = sum == 0;
            measures.motion.difference = sum as f32 / count;
        }
        measures
    }
}

pub(super) struct SoundMeasures {
    pub(super) hops: SoundHops,
    pub(super) loudness: Option<LoudnessReading>,
}

pub(super) struct SoundMeasurer {
    plan: MeasurePlan,
    sample_rate: u32,
    begun: Option<MediaTime>,
    held: Vec<Vec<f32>>,
}

impl SoundMeasurer {
    pub(super) fn new(plan: &MeasurePlan, sample_rate: u32, roles: &[ChannelRole]) -> Self {
        Self { plan: *plan, sample_rate, begun: None, held: vec![Vec::new(); roles.len()] }
    }

    pub(super) fn measure(&mut self, at: MediaTime, channels: &[&[f32]]) -> SoundMeasures {
        if self.held.first().is_none_or(Vec::is_empty) {
            self.begun = Some(at);
        }
        for (held, channel) in self.held.iter_mut().zip(channels) {
            held.extend_from_slice(channel);
        }
        self.hops(self.sample_rate as usize / 100)
    }

    pub(super) fn finish(&mut self) -> SoundMeasures {
        let left = self.held.first().map_or(0, Vec::len);
        self.hops(left.max(1))
    }

    fn hops(&mut self, hop_len: usize) -> SoundMeasures {
        let mut hops = SoundHops::new(self.held.len() as u8);
        while self.plan.sound && self.held.first().is_some_and(|held| held.len() >= hop_len) {
            let at = self.begun.unwrap_or_default();
            let lasts = MediaTime::from_ticks(hop_len as i64, 1, self.sample_rate as i32);
            let facts: Vec<ChannelHop> = self.held.iter().map(|held| hop_facts(&held[..hop_len])).collect();
            hops.push(SoundHop { at, lasts }, &facts);
            self.held.iter_mut().for_each(|held| drop(held.drain(..hop_len)));
            self.begun = Some(at + lasts);
        }
        SoundMeasures { hops, loudness: None }
    }
}

fn hop_facts(samples: &[f32]) -> ChannelHop {
    let count = samples.len() as f32;
    let mean = samples.iter().sum::<f32>() / count;
    let power = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f32>() / count;
    let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    ChannelHop { mean, power, peak, true_peak: peak, equal_run: 1 }
}
