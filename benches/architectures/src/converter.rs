//! The media converter: decodes a stream and stores its pictures and its sound as objects.
//!
//! Every picture is an object, as in the design that was published. How long its buffers of sound were was not:
//! here they hold a second, the fewest calls that a workflow by the second can do with.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use avwatch::config::{Sources, load};
use avwatch::measure::MeasurePlan;
use avwatch::media::spec::Address;
use avwatch::stream_parts;
use avwatch_actors::item::Item;
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::FrameSource;
use avwatch_actors::track::{AudioFormat, SessionNumber, VideoFormat};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::detector::PROFILE;
use crate::page::figures::Calls;
use crate::store::Objects;
use crate::wire;

/// What the converter is asked: to go on to the end of that second.
#[derive(Serialize, Deserialize)]
pub struct Convert {
    pub second: u64,
}

/// What it made of it.
#[derive(Serialize, Deserialize)]
pub struct Converted {
    pub video: Vec<String>,
    pub audio: Vec<String>,
    pub format: Format,
    pub calls: Calls,
    /// Nothing follows.
    pub ended: bool,
}

/// What detectors have to know of the tracks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Format {
    pub width: u32,
    pub height: u32,
    pub frame_rate: f64,
    pub sample_rate: u32,
    pub channels: u16,
}

impl Format {
    /// As the engine describes a video track.
    pub fn video(&self) -> VideoFormat {
        VideoFormat {
            width: self.width,
            height: self.height,
            frame_rate: self.frame_rate,
            pixel_aspect: 1.0,
            ..VideoFormat::default()
        }
    }

    /// As the engine describes a stereo track.
    pub fn audio(&self) -> AudioFormat {
        use avwatch_actors::track::ChannelRole::{Left, Mono, Other, Right};
        let roles = match self.channels {
            1 => vec![Mono],
            2 => vec![Left, Right],
            more => vec![Other; usize::from(more)],
        };
        AudioFormat { sample_rate: self.sample_rate, channels: self.channels, layout: String::new(), roles }
    }
}

/// What makes an object of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Each picture.
    Picture,
    /// All pictures of a second.
    Second,
}

impl Packing {
    /// As an argument of the converter.
    pub fn word(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Second => "second",
        }
    }
}

struct Converter {
    stream: String,
    packing: Packing,
    source: Box<dyn FrameSource>,
    objects: Objects,
    format: Format,
    /// What was read past the end of the last second.
    ahead: Option<Item>,
}

/// `converter STREAM CLIP STORE picture|second`.
pub fn run(stream: String, clip: PathBuf, store: &str, packing: &str) -> Result<()> {
    let packing = if packing == Packing::Second.word() { Packing::Second } else { Packing::Picture };
    let loaded = load(&Sources::default()).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    let plan = loaded.input(&stream, Address::File(clip), PROFILE).context("the profile exists")?;
    let keep = MeasurePlan { keep_pictures: true, keep_samples: true, ..MeasurePlan::NOTHING };
    let opener = stream_parts::opener(&plan, keep)?;
    let source = opener.open(SessionNumber(1), &Arc::<Lifeline>::default())?;
    let objects = Objects::at(store);
    let mut converter = Converter { stream, packing, source, objects, format: Format::default(), ahead: None };
    wire::serve(wire::READY, |asked: Convert| converter.go_on(asked.second))
}

impl Converter {
    fn go_on(&mut self, second: u64) -> Result<Converted> {
        let until = MediaTime::from_millis(1_000 * (second as i64 + 1));
        let mut made = Made::default();
        let mut ended = false;
        loop {
            let Some(item) = self.ahead.take().map_or_else(|| self.source.next(), |item| Ok(Some(item)))? else {
                ended = true;
                break;
            };
            if item.is_frame() && begin(&item) >= until {
                self.ahead = Some(item);
                break;
            }
            self.take(&item, second, &mut made)?;
        }
        self.store_pictures(second, &mut made)?;
        if !made.sound.is_empty() {
            let key = format!("{}/{second}/sound", self.stream);
            self.objects.put(&key, &made.sound)?;
            made.audio.push(key);
        }
        let (format, calls) = (self.format.clone(), self.objects.take_calls());
        Ok(Converted { video: made.video, audio: made.audio, format, calls, ended })
    }

    fn take(&mut self, item: &Item, second: u64, made: &mut Made) -> Result<()> {
        match item {
            Item::Started(info) => {
                for track in &info.tracks {
                    if let Some(video) = &track.video {
                        (self.format.width, self.format.height) = (video.width, video.height);
                        self.format.frame_rate = video.frame_rate;
                    }
                    if let Some(audio) = &track.audio {
                        (self.format.sample_rate, self.format.channels) = (audio.sample_rate, audio.channels);
                    }
                }
            }
            Item::Video(frame) => {
                let is_there = codec::add_video(&mut made.pictures, frame)?;
                if is_there && self.packing == Packing::Picture {
                    self.store_pictures(second, made)?;
                }
            }
            Item::Audio(frame) => {
                codec::add_audio(&mut made.sound, frame)?;
            }
            Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
        Ok(())
    }

    /// Stores the pictures that have come together, if any.
    fn store_pictures(&mut self, second: u64, made: &mut Made) -> Result<()> {
        if made.pictures.is_empty() {
            return Ok(());
        }
        let key = format!("{}/{second}/pictures-{}", self.stream, made.video.len());
        self.objects.put(&key, &made.pictures)?;
        made.pictures.clear();
        made.video.push(key);
        Ok(())
    }
}

/// What a second has come to so far.
#[derive(Default)]
struct Made {
    /// Packs that are not stored yet.
    pictures: Vec<u8>,
    sound: Vec<u8>,
    /// Keys of what is.
    video: Vec<String>,
    audio: Vec<String>,
}

fn begin(item: &Item) -> MediaTime {
    match item {
        Item::Video(frame) => frame.stamp.media_time,
        Item::Audio(frame) => frame.stamp.media_time,
        _ => MediaTime::ZERO,
    }
}
