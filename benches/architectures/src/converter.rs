//! The media converter: decodes a stream and stores every picture and block of samples as an object.

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
use crate::store::{Calls, Objects};
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

struct Converter {
    stream: String,
    source: Box<dyn FrameSource>,
    objects: Objects,
    format: Format,
    /// What was read past the end of the last second.
    ahead: Option<Item>,
}

/// `converter STREAM CLIP STORE`.
pub fn run(stream: String, clip: PathBuf, store: &str) -> Result<()> {
    let loaded = load(&Sources::default()).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    let plan = loaded.input(&stream, Address::File(clip), "file").context("the profile exists")?;
    let keep = MeasurePlan { keep_pictures: true, keep_samples: true, ..MeasurePlan::NOTHING };
    let opener = stream_parts::opener(&plan, keep)?;
    let source = opener.open(SessionNumber(1), &Arc::<Lifeline>::default())?;
    let mut converter =
        Converter { stream, source, objects: Objects::at(store), format: Format::default(), ahead: None };
    wire::serve(|asked: Convert| converter.go_on(asked.second))
}

impl Converter {
    fn go_on(&mut self, second: u64) -> Result<Converted> {
        let until = MediaTime::from_millis(1_000 * (second as i64 + 1));
        let (mut video, mut audio, mut ended) = (Vec::new(), Vec::new(), false);
        loop {
            let item = match self.ahead.take() {
                Some(item) => item,
                None => match self.source.next()? {
                    Some(item) => item,
                    None => {
                        ended = true;
                        break;
                    }
                },
            };
            if item.span().is_some_and(|_| item.is_frame() && begin(&item) >= until) {
                self.ahead = Some(item);
                break;
            }
            self.store(&item, second, &mut video, &mut audio)?;
        }
        Ok(Converted { video, audio, format: self.format.clone(), calls: self.objects.take_calls(), ended })
    }

    fn store(&mut self, item: &Item, second: u64, video: &mut Vec<String>, audio: &mut Vec<String>) -> Result<()> {
        let stream = &self.stream;
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
                if let Some(bytes) = codec::of_video(frame)? {
                    let key = format!("{stream}/{second}/v{}", frame.stamp.seq);
                    self.objects.put(&key, &bytes)?;
                    video.push(key);
                }
            }
            Item::Audio(frame) => {
                if let Some(bytes) = codec::of_audio(frame)? {
                    let key = format!("{stream}/{second}/a{}", frame.stamp.seq);
                    self.objects.put(&key, &bytes)?;
                    audio.push(key);
                }
            }
            Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
        Ok(())
    }
}

fn begin(item: &Item) -> MediaTime {
    match item {
        Item::Video(frame) => frame.stamp.media_time,
        Item::Audio(frame) => frame.stamp.media_time,
        _ => MediaTime::ZERO,
    }
}
