//! A detector as a service of its own: it fetches what it looks at, measures it and judges.
//!
//! The judge and the measuring are those of the monolith; what differs is how frames come to them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use avwatch::config::{Sources, StreamPlan, load};
use avwatch::measure::{MeasurePlan, PictureMeasurer, SoundMeasurer};
use avwatch::media::spec::Address;
use avwatch::stream_parts;
use avwatch_actors::cpu_accounts::CpuAccounts;
use avwatch_actors::detector::{DetectorSpec, LaneKind};
use avwatch_actors::detector_group::{AtEnd, DetectorGroup};
use avwatch_actors::event::{ChangeKind, EventChange, Wall};
use avwatch_actors::frame::{AudioFrame, Picture, Repair, Stamp, VideoFrame};
use avwatch_actors::item::{EndReason, Item};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::pulse::Pulse;
use avwatch_actors::track::{SessionInfo, SessionNumber, TrackId, TrackInfo};
use serde::{Deserialize, Serialize};

use crate::codec::{self, Header, Stored, StoredPicture};
use crate::converter::Format;
use crate::page::figures::Calls;
use crate::store::Objects;
use crate::told::{Change, What};
use crate::wire;

/// What a detector is asked: to look at these objects of a stream.
#[derive(Serialize, Deserialize)]
pub struct Inspect {
    pub stream: String,
    pub second: u64,
    pub video: Vec<String>,
    pub audio: Vec<String>,
    pub format: Format,
    pub ended: bool,
}

/// What it found.
#[derive(Serialize, Deserialize)]
pub struct Inspected {
    /// Where it stored what it found.
    pub result: String,
    pub calls: Calls,
}

/// The profile in which both designs judge.
pub const PROFILE: &str = "file";

struct Worker {
    name: String,
    specs: Arc<Vec<Arc<DetectorSpec>>>,
    plan: StreamPlan,
    measure: MeasurePlan,
    objects: Objects,
    streams: BTreeMap<String, Watched>,
}

/// What a detector remembers of a stream.
struct Watched {
    groups: Vec<DetectorGroup>,
    picture: PictureMeasurer,
    previous: Option<StoredPicture>,
    sound: SoundMeasurer,
}

/// `detector NAME STORE`.
pub fn run(name: String, store: &str) -> Result<()> {
    let loaded = load(&Sources::default()).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    let plan = loaded.input("stream", Address::File(PathBuf::from("unused")), PROFILE).context("the profile exists")?;
    let detectors = stream_parts::resolve_detectors(&plan, std::slice::from_ref(&name))?;
    let (specs, measure) = (detectors.specs, detectors.measure);
    let mut worker = Worker { name, specs, plan, measure, objects: Objects::at(store), streams: BTreeMap::new() };
    wire::serve(wire::READY, |asked: Inspect| worker.inspect(&asked))
}

impl Worker {
    fn inspect(&mut self, asked: &Inspect) -> Result<Inspected> {
        let mut watched = match self.streams.remove(&asked.stream) {
            Some(watched) => watched,
            None => self.begin(asked),
        };
        let looks_at = |lane: LaneKind| self.specs.iter().any(|spec| spec.lane == lane);
        if looks_at(LaneKind::Picture) {
            for key in &asked.video {
                for stored in codec::unpack(self.objects.get(key)?)? {
                    let item = watched.picture(&stored)?;
                    watched.tell(&item);
                }
            }
        }
        if looks_at(LaneKind::Sound) {
            for key in &asked.audio {
                for stored in codec::unpack(self.objects.get(key)?)? {
                    let item = watched.sound(&stored)?;
                    watched.tell(&item);
                }
            }
        }
        if asked.ended {
            watched.tell(&Item::Ended(EndReason::Finished));
        }
        let told = watched.told();
        self.streams.insert(asked.stream.clone(), watched);
        let result = format!("{}/{}/result-{}", asked.stream, asked.second, self.name);
        self.objects.put(&result, &serde_json::to_vec(&told)?)?;
        Ok(Inspected { result, calls: self.objects.take_calls() })
    }

    fn begin(&self, asked: &Inspect) -> Watched {
        let card = stream_parts::card(&self.plan);
        let group = |kind| {
            let (accounts, pulse) = (Arc::<CpuAccounts>::default(), Arc::<Pulse>::default());
            DetectorGroup::new(1, kind, card.clone(), &self.specs, accounts, pulse, AtEnd::Settle)
        };
        let (video, audio) = (asked.format.video(), asked.format.audio());
        let sound = SoundMeasurer::new(&self.measure, audio.sample_rate, &audio.roles);
        let mut watched = Watched {
            groups: vec![group(LaneKind::Picture), group(LaneKind::Sound)],
            picture: PictureMeasurer::new(&self.measure),
            previous: None,
            sound,
        };
        let tracks = vec![
            TrackInfo { video: Some(video), ..TrackInfo::bare(TrackId::video(0)) },
            TrackInfo { audio: Some(audio), ..TrackInfo::bare(TrackId::audio(0)) },
        ];
        let info = SessionInfo {
            stream: asked.stream.as_str().into(),
            session: SessionNumber(1),
            revision: 0,
            at: MediaTime::ZERO,
            container: "mpegts".to_owned(),
            tracks,
            burst: MediaTime::ZERO,
            tier: Default::default(),
            started: Instant::now(),
            started_wall: SystemTime::now(),
        };
        watched.tell(&Item::Started(Arc::new(info)));
        watched
    }
}

impl Watched {
    fn tell(&mut self, item: &Item) {
        let now = Wall(SystemTime::now());
        self.groups.iter_mut().for_each(|group| group.handle(item, now));
    }

    fn picture(&mut self, frame: &Stored) -> Result<Item> {
        let stored = StoredPicture::of(frame)?;
        let stamp = stamp(&frame.header, TrackId::video(0));
        let previous = self.previous.as_ref().map(Picture::view);
        let mut facts = self.picture.measure(&stored.view(), previous.as_ref(), stamp.media_time).facts();
        facts.signs = frame.header.signs();
        self.previous = Some(stored);
        Ok(Item::Video(Arc::new(VideoFrame::new(stamp, facts, None))))
    }

    fn sound(&mut self, frame: &Stored) -> Result<Item> {
        let samples = codec::samples(frame)?;
        let stamp = stamp(&frame.header, TrackId::audio(0));
        let channels: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
        let measures = self.sound.measure(stamp.media_time, &channels);
        let signs = frame.header.signs();
        Ok(Item::Audio(Arc::new(AudioFrame::new(stamp, signs, measures.hops, measures.loudness, None))))
    }

    /// What is to be told to people.
    fn told(&mut self) -> Vec<Change> {
        let changes = self.groups.iter_mut().flat_map(DetectorGroup::drain_changes);
        let told = |change: EventChange| {
            let what = match change.what {
                ChangeKind::Raised => What::Raised,
                ChangeKind::Found => What::Found,
                ChangeKind::Ended(_) => What::Ended,
                ChangeKind::Escalated | ChangeKind::Fading | ChangeKind::Holding | ChangeKind::Ongoing => return None,
            };
            let detector = change.key.detector.to_string();
            let (start_s, end_s) = (change.start.as_secs_f64(), change.end.map(MediaTime::as_secs_f64));
            Some(Change { detector, what, start_s, end_s })
        };
        changes.filter_map(told).collect()
    }
}

fn stamp(header: &Header, track: TrackId) -> Stamp {
    Stamp {
        track,
        session: SessionNumber(1),
        seq: header.seq,
        media_time: MediaTime::from_nanos(header.at),
        lasts: MediaTime::from_nanos(header.lasts),
        source_time: None,
        repair: Repair::None,
        arrived: Instant::now(),
        ready: Instant::now(),
    }
}
