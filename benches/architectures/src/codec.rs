//! Frames as objects: what the converter stores and the detector workers fetch.
//!
//! An object is a pack of one or more frames, each behind its length: a header of JSON behind its own length,
//! then the samples as they are. Nothing is compressed: without loss it would take more CPU time than it saves, and
//! with loss detectors would judge other pictures.

use std::sync::Arc;

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
    /// What decoder and packets said, see [`DecodeSigns`].
    pub errors: u16,
    pub concealed: bool,
    pub packet_corrupt: bool,
    pub reference_missing: bool,
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
            concealed: signs.concealed,
            packet_corrupt: signs.packet_corrupt,
            reference_missing: signs.reference_missing,
            damaged: signs.damaged,
        }
    }

    /// What the decoder said.
    pub fn signs(&self) -> DecodeSigns {
        DecodeSigns {
            errors: self.errors,
            concealed: self.concealed,
            packet_corrupt: self.packet_corrupt,
            reference_missing: self.reference_missing,
            damaged: self.damaged,
            key: self.key,
            tuned: self.tuned,
        }
    }
}

/// Appends a picture to a pack; says whether its pixels were there.
pub fn add_video(pack: &mut Vec<u8>, frame: &VideoFrame) -> Result<bool> {
    let Some(picture) = frame.picture() else { return Ok(false) };
    let view = picture.view();
    let chroma = view.chroma.as_ref().map(|planes| (planes[0].width, planes[0].height));
    let (width, height) = (view.luma.width, view.luma.height);
    let kind = Kind::Video { width, height, chroma, depth: view.depth, full_range: view.full_range };
    let sample = if view.depth > 8 { 2 } else { 1 };
    let header = Header::of(kind, &frame.stamp, &frame.facts.signs);
    add(pack, &header, |pack| {
        for plane in [view.luma].into_iter().chain(view.chroma.into_iter().flatten()) {
            (0..plane.height).for_each(|y| pack.extend_from_slice(plane.row(y, sample)));
        }
    })?;
    Ok(true)
}

/// Appends a block of samples to a pack; says whether its samples were there.
pub fn add_audio(pack: &mut Vec<u8>, frame: &AudioFrame) -> Result<bool> {
    let Some(samples) = frame.samples() else { return Ok(false) };
    let channels = samples.channels();
    let kind = Kind::Audio { channels, samples: samples.channel(0).len() };
    add(pack, &Header::of(kind, &frame.stamp, &frame.signs), |pack| {
        for channel in 0..channels {
            samples.channel(channel).iter().for_each(|sample| pack.extend_from_slice(&sample.to_le_bytes()));
        }
    })?;
    Ok(true)
}

fn add(pack: &mut Vec<u8>, header: &Header, body: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let json = serde_json::to_vec(header)?;
    let begin = pack.len();
    pack.extend_from_slice(&[0; 4]);
    pack.extend_from_slice(&u32::try_from(json.len())?.to_le_bytes());
    pack.extend_from_slice(&json);
    body(pack);
    let length = u32::try_from(pack.len() - begin - 4)?;
    pack[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// A frame of an object that was fetched; the bytes are shared, not copied.
pub struct Stored {
    pub header: Header,
    bytes: Arc<Vec<u8>>,
    /// Where its samples are.
    begin: usize,
    end: usize,
}

/// The frames of an object.
pub fn unpack(bytes: Vec<u8>) -> Result<Vec<Stored>> {
    let bytes = Arc::new(bytes);
    let length_at = |at: usize| -> Result<usize> {
        let length = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).context("an object that is cut off")?;
        Ok(u32::from_le_bytes(*length) as usize)
    };
    let mut frames = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = at + 4 + length_at(at)?;
        let begin = at + 8 + length_at(at + 4)?;
        let json = bytes.get(at + 8..begin).context("a header that is cut off")?;
        if end > bytes.len() || begin > end {
            bail!("an object that is cut off");
        }
        frames.push(Stored { header: serde_json::from_slice(json)?, bytes: bytes.clone(), begin, end });
        at = end;
    }
    Ok(frames)
}

/// A picture that was fetched.
pub struct StoredPicture {
    bytes: Arc<Vec<u8>>,
    begin: usize,
    width: usize,
    height: usize,
    chroma: Option<(usize, usize)>,
    depth: u8,
    full_range: bool,
}

impl StoredPicture {
    /// The picture of a stored frame; it must hold what its header says.
    pub fn of(stored: &Stored) -> Result<Self> {
        let Kind::Video { width, height, chroma, depth, full_range } = stored.header.kind else {
            bail!("the frame is no picture");
        };
        let sample = if depth > 8 { 2 } else { 1 };
        let samples = width * height + 2 * chroma.map_or(0, |(width, height)| width * height);
        if stored.end - stored.begin != samples * sample {
            bail!("a picture of {} bytes in place of {}", stored.end - stored.begin, samples * sample);
        }
        Ok(Self { bytes: stored.bytes.clone(), begin: stored.begin, width, height, chroma, depth, full_range })
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

/// The samples of a stored frame, by channel.
pub fn samples(stored: &Stored) -> Result<Vec<Vec<f32>>> {
    let Kind::Audio { channels, samples } = stored.header.kind else { bail!("the frame is no sound") };
    let body = &stored.bytes[stored.begin..stored.end];
    if body.len() != channels * samples * 4 {
        bail!("sound of {} bytes in place of {}", body.len(), channels * samples * 4);
    }
    let floats: Vec<f32> = body.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok(floats.chunks(samples.max(1)).map(<[f32]>::to_vec).collect())
}
