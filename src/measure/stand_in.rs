//! Stand-in for the measurers. Replaced by the real ones when they are merged.

use avwatch_actors::frame::{
    ChannelHop, ChromaFacts, LoudnessReading, LumaFacts, MotionFacts, PictureView, SoundHop, SoundHops,
};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::ChannelRole;

use super::MeasurePlan;

pub struct PictureMeasures {
    pub luma: LumaFacts,
    pub chroma: ChromaFacts,
    pub motion: MotionFacts,
}

pub struct PictureMeasurer;

impl PictureMeasurer {
    pub fn new(_plan: &MeasurePlan) -> Self {
        Self
    }

    pub fn measure(
        &mut self,
        picture: &PictureView<'_>,
        previous: Option<&PictureView<'_>>,
        _at: MediaTime,
    ) -> PictureMeasures {
        let width = if picture.depth > 8 { 2 } else { 1 };
        let row = picture.luma.row(picture.luma.height / 2, width);
        let sum: u64 = match width {
            1 => row.iter().map(|byte| u64::from(*byte)).sum(),
            _ => {
                row.chunks(2).map(|pair| u64::from(u16::from_le_bytes([pair[0], pair[1]])) >> (picture.depth - 8)).sum()
            }
        };
        let mean = sum as f32 / picture.luma.width.max(1) as f32;
        PictureMeasures {
            luma: LumaFacts { mean, active_share: 1.0, ..LumaFacts::default() },
            chroma: ChromaFacts::default(),
            motion: MotionFacts { compared: previous.is_some(), ..MotionFacts::default() },
        }
    }

    pub fn reset(&mut self) {}
}

pub struct SoundMeasures {
    pub hops: SoundHops,
    pub loudness: Option<LoudnessReading>,
}

pub struct SoundMeasurer {
    rate: u32,
    channels: u8,
    begin: Option<MediaTime>,
    held: Vec<Vec<f32>>,
    done: i64,
}

impl SoundMeasurer {
    pub fn new(_plan: &MeasurePlan, rate: u32, roles: &[ChannelRole]) -> Self {
        Self { rate, channels: roles.len() as u8, begin: None, held: vec![Vec::new(); roles.len()], done: 0 }
    }

    pub fn measure(&mut self, at: MediaTime, channels: &[&[f32]]) -> SoundMeasures {
        let begin = *self.begin.get_or_insert(at);
        for (held, new) in self.held.iter_mut().zip(channels) {
            held.extend_from_slice(new);
        }
        let hop = (self.rate / 100) as usize;
        let mut hops = SoundHops::new(self.channels);
        while self.held.first().is_some_and(|held| held.len() >= hop) {
            let facts: Vec<ChannelHop> = self
                .held
                .iter_mut()
                .map(|held| {
                    let power = held.drain(..hop).map(|sample| sample * sample).sum::<f32>() / hop as f32;
                    ChannelHop { power, ..ChannelHop::default() }
                })
                .collect();
            hops.push(
                SoundHop { at: begin + MediaTime::from_millis(10 * self.done), lasts: MediaTime::from_millis(10) },
                &facts,
            );
            self.done += 1;
        }
        SoundMeasures { hops, loudness: None }
    }

    pub fn gap(&mut self, at: MediaTime) {
        self.begin = Some(at);
        self.done = 0;
        self.held.iter_mut().for_each(Vec::clear);
    }

    pub fn finish(&mut self) -> SoundMeasures {
        SoundMeasures { hops: SoundHops::new(self.channels), loudness: Some(LoudnessReading::default()) }
    }
}
