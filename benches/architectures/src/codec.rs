//! Frames as objects: what the converter stores and the detector workers fetch.
//!
//! A header of JSON behind its length, then the samples as they are: nothing is compressed, because that
//! would cost the converter more CPU time than the bytes cost.

use std::io::Cursor;

use anyhow::{Context, Result, bail};
use avwatch_actors::frame::{AudioFrame, DecodeSigns, Picture, PictureView, Plane, VideoFrame};
use serde::{Deserialize, Serialize};

/// What a frame object says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// Video or audio.
    pub kind: Kind,
    /// Number of the frame in its track.
    pub seq: u64,
    /// When it is shown or heard, and for how long, in nanoseconds of media time.
    pub at: i64,
    pub lasts: i64,
    /// A random access point, and the first one has been seen.
    pub key: bool,
    pub tuned: bool,
    /// Decoder errors since the frame before, and whether the frame is damaged.
    pub errors: u16,
    pub damaged: bool,
}

/// What the bytes behind the header are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Planes one after the other, rows without padding.
    Video { width: usize, height: usize, chroma: Option<(usize, usize)>, depth: u8, full_range: bool },
    /// Channels one after the other, 32-bit floats.
    Audio { channels: usize, samples: usize },
}

impl Header {
    fn of(kind: Kind, stamp: &avwatch_actors::frame::Stamp, signs: &DecodeSigns) -> Self {
        Self {
            kind,
            seq: stamp.seq,
            at: stamp.media_time.as_nanos(),
            lasts: stamp.lasts.as_nanos(),
            key: signs.key,
            tuned: signs.tuned,
            errors: signs.errors,
            damaged: signs.damaged,
        }
    }

    /// What the decoder said.
    pub fn signs(&self) -> DecodeSigns {
        DecodeSigns {
            key: self.key,
            tuned: self.tuned,
            errors: self.errors,
            damaged: self.damaged,
            ..DecodeSigns::default()
        }
    }
}

/// A picture as an object; `None` when its pixels were not kept.
pub fn of_video(frame: &VideoFrame) -> Result<Option<Vec<u8>>> {
    let Some(picture) = frame.picture() else { return Ok(None) };
    let view = picture.view();
    let chroma = view.chroma.as_ref().map(|planes| (planes[0].width, planes[0].height));
    let (width, height) = (view.luma.width, view.luma.height);
    let kind = Kind::Video { width, height, chroma, depth: view.depth, full_range: view.full_range };
    let mut bytes = head(&Header::of(kind, &frame.stamp, &frame.facts.signs))?;
    let sample = if view.depth > 8 { 2 } else { 1 };
    for plane in [view.luma].into_iter().chain(view.chroma.into_iter().flatten()) {
        (0..plane.height).for_each(|y| bytes.extend_from_slice(plane.row(y, sample)));
    }
    Ok(Some(bytes))
}

/// A block of samples as an object; `None` when its samples were not kept.
pub fn of_audio(frame: &AudioFrame) -> Result<Option<Vec<u8>>> {
    let Some(samples) = frame.samples() else { return Ok(None) };
    let channels = samples.channels();
    let kind = Kind::Audio { channels, samples: samples.channel(0).len() };
    let mut bytes = head(&Header::of(kind, &frame.stamp, &frame.signs))?;
    for channel in 0..channels {
        samples.channel(channel).iter().for_each(|sample| bytes.extend_from_slice(&sample.to_le_bytes()));
    }
    Ok(Some(bytes))
}

fn head(header: &Header) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(header)?;
    let mut bytes = u32::try_from(json.len())?.to_le_bytes().to_vec();
    bytes.extend_from_slice(&json);
    Ok(bytes)
}

/// The header of an object, and where its samples begin.
pub fn parse(bytes: &[u8]) -> Result<(Header, usize)> {
    let length = bytes.first_chunk::<4>().context("an object without a header")?;
    let end = 4 + u32::from_le_bytes(*length) as usize;
    let json = bytes.get(4..end).context("an object that is cut off")?;
    Ok((serde_json::from_reader(Cursor::new(json))?, end))
}

/// A picture that was fetched.
pub struct StoredPicture {
    bytes: Vec<u8>,
    begin: usize,
    width: usize,
    height: usize,
    chroma: Option<(usize, usize)>,
    depth: u8,
    full_range: bool,
}

impl StoredPicture {
    /// The picture of an object; it must hold what its header says.
    pub fn of(bytes: Vec<u8>, header: &Header, begin: usize) -> Result<Self> {
        let Kind::Video { width, height, chroma, depth, full_range } = header.kind else {
            bail!("the object is no picture");
        };
        let sample = if depth > 8 { 2 } else { 1 };
        let samples = width * height + 2 * chroma.map_or(0, |(width, height)| width * height);
        if bytes.len() != begin + samples * sample {
            bail!("a picture of {} bytes in place of {}", bytes.len() - begin, samples * sample);
        }
        Ok(Self { bytes, begin, width, height, chroma, depth, full_range })
    }
}

impl Picture for StoredPicture {
    fn view(&self) -> PictureView<'_> {
        let sample = if self.depth > 8 { 2 } else { 1 };
        let mut from = self.begin;
        let mut plane = |width: usize, height: usize| {
            let stride = width * sample;
            let bytes = &self.bytes[from..from + stride * height];
            from += stride * height;
            Plane { bytes, stride, width, height }
        };
        let luma = plane(self.width, self.height);
        let chroma = self.chroma.map(|(width, height)| [plane(width, height), plane(width, height)]);
        PictureView { luma, chroma, depth: self.depth, full_range: self.full_range }
    }
}

/// The samples of an object, by channel.
pub fn samples(bytes: &[u8], header: &Header, begin: usize) -> Result<Vec<Vec<f32>>> {
    let Kind::Audio { channels, samples } = header.kind else { bail!("the object is no sound") };
    let body = bytes.get(begin..).unwrap_or_default();
    if body.len() != channels * samples * 4 {
        bail!("sound of {} bytes in place of {}", body.len(), channels * samples * 4);
    }
    let floats: Vec<f32> = body.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok(floats.chunks(samples.max(1)).map(<[f32]>::to_vec).collect())
}
