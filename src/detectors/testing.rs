//! Made-up frames for the detectors' tests: a stream told as a few lines of facts.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use avwatch_actors::detector::{Detector, Finding, Verdict, Verdicts};
use avwatch_actors::frame::{
    AudioFrame, ChannelHop, DecodeSigns, LoudnessReading, PictureFacts, Repair, SoundHop, SoundHops, Stamp, VideoFrame,
};
use avwatch_actors::item::{Item, PacketCounts, PacketFacts};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{AudioFormat, ChannelRole, SessionInfo, SessionNumber, TrackId, TrackInfo, VideoFormat};

use super::{DetectorKind, OptionValue, Options};
use crate::media::spec::Expect;
use crate::profile::Profile;

/// The time of that many seconds.
pub(super) fn at(seconds: f64) -> MediaTime {
    MediaTime::from_secs_f64(seconds)
}

/// A 640×360 video track of that frame rate.
pub(super) fn video_track(frame_rate: f64) -> TrackInfo {
    let format = VideoFormat {
        width: 640,
        height: 360,
        frame_rate,
        pixel_format: "yuv420p".to_owned(),
        pixel_aspect: 1.0,
        ..VideoFormat::default()
    };
    TrackInfo { codec: "h264".to_owned(), video: Some(format), ..TrackInfo::bare(TrackId::video(0)) }
}

/// A 48 kHz audio track with these channels.
pub(super) fn audio_track(roles: &[ChannelRole]) -> TrackInfo {
    let format = AudioFormat {
        sample_rate: 48_000,
        channels: roles.len() as u16,
        layout: format!("{} channels", roles.len()),
        roles: roles.to_vec(),
    };
    TrackInfo { codec: "aac".to_owned(), audio: Some(format), ..TrackInfo::bare(TrackId::audio(0)) }
}

/// Left and right.
pub(super) const STEREO: &[ChannelRole] = &[ChannelRole::Left, ChannelRole::Right];

/// The announcement of a session.
pub(super) fn started(session: u64, revision: u32, from: f64, tracks: Vec<TrackInfo>) -> Item {
    Item::Started(Arc::new(SessionInfo {
        stream: "test".into(),
        session: SessionNumber(session),
        revision,
        at: at(from),
        container: "mpegts".to_owned(),
        tracks,
        tier: Tier::Full,
        burst: MediaTime::ZERO,
        started: Instant::now(),
        started_wall: SystemTime::UNIX_EPOCH,
    }))
}

/// The stamp of a frame of the first session.
pub(super) fn stamp(track: TrackId, seq: u64, from: MediaTime, to: MediaTime) -> Stamp {
    let now = Instant::now();
    Stamp {
        track,
        session: SessionNumber(1),
        seq,
        media_time: from,
        lasts: to - from,
        source_time: None,
        repair: Repair::None,
        arrived: now,
        ready: now,
    }
}

/// Pictures one after the other, at a steady rate from a start.
pub(super) struct Film {
    fps: f64,
    number: u64,
    start: f64,
    /// All pictures so far.
    pub(super) items: Vec<Item>,
}

impl Film {
    pub(super) fn new(fps: f64) -> Self {
        Self { fps, number: 0, start: 0.0, items: Vec::new() }
    }

    pub(super) fn from(fps: f64, start: f64) -> Self {
        Self { start, ..Self::new(fps) }
    }

    /// Adds pictures for that long; `facts` gets the number of the picture within this stretch.
    pub(super) fn then(mut self, seconds: f64, facts: impl Fn(u64) -> PictureFacts) -> Self {
        for index in 0..(seconds * self.fps).round() as u64 {
            let from = at(self.start + self.number as f64 / self.fps);
            let to = at(self.start + (self.number + 1) as f64 / self.fps);
            let stamp = stamp(TrackId::video(0), self.number, from, to);
            self.items.push(Item::Video(Arc::new(VideoFrame::new(stamp, facts(index), None))));
            self.number += 1;
        }
        self
    }
}

/// One picture that is shown from one time to another.
pub(super) fn picture(from: f64, to: f64, facts: PictureFacts) -> Item {
    Item::Video(Arc::new(VideoFrame::new(stamp(TrackId::video(0), 1, at(from), at(to)), facts, None)))
}

/// Blocks of two hops, one after the other.
pub(super) struct Track {
    hop: i64,
    /// All blocks so far.
    pub(super) items: Vec<Item>,
}

/// A channel with noise of that level in dBFS; −200 is digital silence.
pub(super) fn level(dbfs: f32) -> ChannelHop {
    let power = if dbfs <= -200.0 { 0.0 } else { 10f32.powf(dbfs / 10.0) };
    let peak = power.sqrt() * 3.0;
    ChannelHop { power, peak, true_peak: peak, equal_run: 1, ..ChannelHop::default() }
}

impl Track {
    pub(super) fn new() -> Self {
        Self { hop: 0, items: Vec::new() }
    }

    /// Adds hops for that long; `channels` gets the number of the hop within this stretch.
    pub(super) fn then(self, seconds: f64, channels: impl Fn(u64) -> Vec<ChannelHop>) -> Self {
        self.then_hops(seconds, |index| (SoundHop::default(), channels(index)))
    }

    /// The same with what is known of the channels together; the times of the hops are filled in.
    pub(super) fn then_hops(mut self, seconds: f64, facts: impl Fn(u64) -> (SoundHop, Vec<ChannelHop>)) -> Self {
        let count = (seconds * 100.0).round() as u64;
        let mut index = 0;
        while index < count {
            let from = self.hop;
            let mut hops = SoundHops::new(facts(index).1.len() as u8);
            for _ in 0..2.min(count - index) {
                let (together, channels) = facts(index);
                let (at, lasts) = (MediaTime::from_millis(self.hop * 10), MediaTime::from_millis(10));
                hops.push(SoundHop { at, lasts, ..together }, &channels);
                self.hop += 1;
                index += 1;
            }
            self.items.push(self.block(from, DecodeSigns::default(), hops, None));
        }
        self
    }

    /// Adds stereo noise of these levels.
    pub(super) fn stereo(self, seconds: f64, left: f32, right: f32) -> Self {
        self.then(seconds, |_| vec![level(left), level(right)])
    }

    /// Adds a block every 100 ms with this reading of loudness and nothing else.
    pub(super) fn readings(mut self, seconds: f64, reading: impl Fn(u64) -> LoudnessReading) -> Self {
        for index in 0..(seconds * 10.0).round() as u64 {
            let from = self.hop;
            self.hop += 10;
            self.items.push(self.block(from, DecodeSigns::default(), SoundHops::new(2), Some(reading(index))));
        }
        self
    }

    /// Adds blocks of 20 ms with these signs of the decoder.
    pub(super) fn signs(mut self, blocks: u64, signs: DecodeSigns) -> Self {
        for _ in 0..blocks {
            let from = self.hop;
            self.hop += 2;
            self.items.push(self.block(from, signs, SoundHops::new(2), None));
        }
        self
    }

    fn block(&self, from: i64, signs: DecodeSigns, hops: SoundHops, reading: Option<LoudnessReading>) -> Item {
        let (from, to) = (MediaTime::from_millis(from * 10), MediaTime::from_millis(self.hop * 10));
        let stamp = stamp(TrackId::audio(0), self.items.len() as u64, from, to);
        Item::Audio(Arc::new(AudioFrame::new(stamp, signs, hops, reading, None)))
    }
}

/// Reports of the demuxer every 100 ms, one after the other.
pub(super) struct Packets {
    now: MediaTime,
    /// All reports so far.
    pub(super) items: Vec<Item>,
}

impl Packets {
    pub(super) fn new() -> Self {
        Self { now: MediaTime::ZERO, items: Vec::new() }
    }

    /// Adds one report of that length, filled in by `fill`.
    pub(super) fn stretch(mut self, seconds: f64, fill: impl FnOnce(&mut PacketFacts)) -> Self {
        self.now += at(seconds);
        let mut facts = PacketFacts { at: self.now, lasts: at(seconds), ..PacketFacts::default() };
        fill(&mut facts);
        self.items.push(Item::Packets(Arc::new(facts)));
        self
    }

    /// Adds reports for that long; `counts` gets the number of the report within this stretch.
    pub(super) fn then(mut self, seconds: f64, track: TrackId, counts: impl Fn(u64) -> PacketCounts) -> Self {
        for index in 0..(seconds * 10.0).round() as u64 {
            self = self.stretch(0.1, |facts| facts.tracks.push((track, counts(index))));
        }
        self
    }

    /// The same of packets of pictures that have that many bytes together.
    pub(super) fn bytes(self, seconds: f64, bytes: impl Fn(u64) -> u64) -> Self {
        self.then(seconds, TrackId::video(0), |index| PacketCounts {
            packets: 2,
            bytes: bytes(index),
            ..PacketCounts::default()
        })
    }
}

/// An instance for a track, with the defaults of a profile but for these options.
pub(super) fn build(
    kind: &'static DetectorKind,
    profile: Profile,
    track: &TrackInfo,
    options: &[(&'static str, OptionValue)],
) -> Box<dyn Detector> {
    build_expecting(kind, profile, track, options, &Expect::default())
}

/// The same, for a stream of which something is known.
pub(super) fn build_expecting(
    kind: &'static DetectorKind,
    profile: Profile,
    track: &TrackInfo,
    options: &[(&'static str, OptionValue)],
    expect: &Expect,
) -> Box<dyn Detector> {
    let mut all = Options::defaults(kind, profile);
    all.0.extend(options.iter().cloned());
    (kind.build)(&all, expect)(track)
}

/// A stretch during which a detector called its condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stretch {
    pub(super) start: f64,
    /// Absent when it was still called at the end.
    pub(super) end: Option<f64>,
    /// Longest time held at any frame's end: what an event lifecycle would count.
    pub(super) held: f64,
    pub(super) class: u8,
    pub(super) score: f32,
}

/// The verdicts on each item, in order.
pub(super) fn verdicts(detector: &mut dyn Detector, items: &[Item]) -> Vec<Verdict> {
    let mut out = Verdicts::default();
    let mut said = Vec::new();
    for item in items {
        detector.inspect(item, &mut out);
        said.push(out.take().0);
    }
    said
}

/// What an event lifecycle without hold times and with `clear_after` zero would make of it.
pub(super) fn stretches(detector: &mut dyn Detector, items: &[Item]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for (verdict, item) in verdicts(detector, items).into_iter().zip(items) {
        let open = stretches.last_mut().filter(|stretch| stretch.end.is_none());
        match (verdict, open) {
            (Verdict::Faulty { since, score, class }, open) => {
                let start = since.as_report_secs();
                let held = end_of(item) - start;
                match open {
                    Some(open) => {
                        open.held = open.held.max(end_of(item) - open.start);
                        open.score = open.score.max(score);
                        open.class = class;
                    }
                    None => stretches.push(Stretch { start, end: None, held, class, score }),
                }
            }
            (Verdict::Clear { since, .. }, Some(open)) => open.end = Some(since.as_report_secs()),
            (Verdict::Clear { .. } | Verdict::Undecided | Verdict::Overruled, _) => {}
        }
    }
    stretches
}

/// The stretches that last at least that long: those that the hold time of an event lets through.
pub(super) fn lasting(detector: &mut dyn Detector, items: &[Item], hold: f64) -> Vec<(f64, Option<f64>)> {
    let mut stretches = stretches(detector, items);
    stretches.retain(|stretch| stretch.held >= hold && stretch.end.is_none_or(|end| end - stretch.start >= hold));
    stretches.into_iter().map(|stretch| (stretch.start, stretch.end)).collect()
}

/// All findings, in order.
pub(super) fn findings(detector: &mut dyn Detector, items: &[Item]) -> Vec<Finding> {
    let mut out = Verdicts::default();
    let mut all = Vec::new();
    for item in items {
        detector.inspect(item, &mut out);
        all.extend(out.take().1);
    }
    all
}

fn end_of(item: &Item) -> f64 {
    match item {
        Item::Video(frame) => frame.stamp.end().as_report_secs(),
        Item::Audio(frame) => frame.stamp.end().as_report_secs(),
        Item::Clock(now) => now.as_report_secs(),
        Item::Packets(facts) => facts.at.as_report_secs(),
        Item::Gap(gap) => gap.to.as_report_secs(),
        Item::Started(info) => info.at.as_report_secs(),
        Item::Ended(_) => f64::NAN,
    }
}
