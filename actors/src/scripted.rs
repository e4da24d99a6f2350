//! A source that plays a script: for the tests and benches of the engine.
//!
//! Made-up facts at made-up times, failures, stalls, hangs and panics, without pixels and without a
//! decoder. Implements the ports of [`crate::source`]; runs on whatever thread drives it. Nothing is
//! allocated per step beyond the frames themselves. It is public so that benches and the
//! application's tests can use it; the service never does.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::frame::{
    AudioFrame, DecodeSigns, LoudnessReading, PictureFacts, Repair, SoundHop, SoundHops, Stamp, VideoFrame,
};
use crate::item::Item;
use crate::lifeline::{CutReason, Lifeline, Phase};
use crate::media_time::MediaTime;
use crate::source::{FrameSource, Opener, SourceError, SourceLimits};
use crate::tier::Tier;
use crate::track::{AudioFormat, ChannelRole, SessionInfo, SessionNumber, TrackId, TrackInfo, VideoFormat};

/// How often a waiting script looks at its lifeline.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Makes items for as long as it is asked; `None` ends this step, not the script.
pub type Generator = Box<dyn FnMut(&mut Scribe) -> Option<Item> + Send>;

/// One step of a script.
pub enum ScriptStep {
    /// This item, as it is.
    Item(Item),
    /// A picture on `video:0` with these facts.
    Picture {
        /// When it is shown.
        at: MediaTime,
        /// For how long.
        lasts: MediaTime,
        /// What was measured of it.
        facts: PictureFacts,
    },
    /// A block of sound on `audio:0` that completes these hops.
    Sound {
        /// When it is heard.
        at: MediaTime,
        /// For how long.
        lasts: MediaTime,
        /// The hops that it completes.
        hops: SoundHops,
    },
    /// The stream as a whole has reached this time.
    Clock(MediaTime),
    /// Everything that the closure makes, one item per call of `next`.
    Generate(Generator),
    /// Nothing arrives for that long in real time, or until the cut.
    Stall(Duration),
    /// Returns no more and is deaf to the cut, until the release is set: a thread to be abandoned.
    Hang(Arc<AtomicBool>),
    /// Fails.
    Fail(SourceError),
    /// Panics with these words.
    Panic(&'static str),
}

impl fmt::Debug for ScriptStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(item) => write!(f, "Item({item:?})"),
            Self::Picture { at, .. } => write!(f, "Picture({at})"),
            Self::Sound { at, .. } => write!(f, "Sound({at})"),
            Self::Clock(at) => write!(f, "Clock({at})"),
            Self::Generate(_) => f.write_str("Generate"),
            Self::Stall(lasts) => write!(f, "Stall({lasts:?})"),
            Self::Hang(_) => f.write_str("Hang"),
            Self::Fail(error) => write!(f, "Fail({error})"),
            Self::Panic(words) => write!(f, "Panic({words})"),
        }
    }
}

/// Makes frames with consecutive numbers for one session.
#[derive(Debug)]
pub struct Scribe {
    session: SessionNumber,
    video_seq: u64,
    audio_seq: u64,
}

impl Scribe {
    /// Starts counting for that session.
    pub fn new(session: SessionNumber) -> Self {
        Self { session, video_seq: 0, audio_seq: 0 }
    }

    /// A picture on `video:0`, without pixels.
    pub fn picture(&mut self, at: MediaTime, lasts: MediaTime, facts: PictureFacts) -> Item {
        let stamp = self.stamp(TrackId::video(0), self.video_seq, at, lasts);
        self.video_seq += 1;
        Item::Video(Arc::new(VideoFrame::new(stamp, facts, None)))
    }

    /// A block of sound on `audio:0`, without samples.
    pub fn sound(
        &mut self,
        at: MediaTime,
        lasts: MediaTime,
        hops: SoundHops,
        loudness: Option<LoudnessReading>,
    ) -> Item {
        let stamp = self.stamp(TrackId::audio(0), self.audio_seq, at, lasts);
        self.audio_seq += 1;
        Item::Audio(Arc::new(AudioFrame::new(stamp, DecodeSigns::default(), hops, loudness, None)))
    }

    fn stamp(&self, track: TrackId, seq: u64, at: MediaTime, lasts: MediaTime) -> Stamp {
        let now = Instant::now();
        Stamp {
            track,
            session: self.session,
            seq,
            media_time: at,
            lasts,
            source_time: None,
            repair: Repair::None,
            arrived: now,
            ready: now,
        }
    }
}

/// Hops of 10 ms from `at` on that fill `lasts`, every channel with the same facts.
pub fn even_hops(at: MediaTime, lasts: MediaTime, channels: u8, facts: crate::frame::ChannelHop) -> SoundHops {
    let hop_lasts = MediaTime::from_millis(10);
    let mut hops = SoundHops::new(channels);
    let every = vec![facts; usize::from(channels)];
    let mut hop_at = at;
    while hop_at < at + lasts {
        hops.push(SoundHop { at: hop_at, lasts: hop_lasts, ..SoundHop::default() }, &every);
        hop_at += hop_lasts;
    }
    hops
}

/// What a session of a [`ScriptedOpener`] does.
pub type Script = Result<Vec<ScriptStep>, SourceError>;

/// Opens scripts, one per session in the given order.
pub struct ScriptedOpener {
    stream: Arc<str>,
    tracks: Vec<TrackInfo>,
    limits: SourceLimits,
    scripts: Mutex<VecDeque<Script>>,
}

impl ScriptedOpener {
    /// Plays these scripts, one per open; an `Err` makes that open fail. When they are used up,
    /// opening is refused.
    pub fn new(stream: &str, scripts: impl IntoIterator<Item = Script>) -> Self {
        Self {
            stream: stream.into(),
            tracks: default_tracks(),
            limits: SourceLimits::default(),
            scripts: Mutex::new(scripts.into_iter().collect()),
        }
    }

    /// Announces these tracks instead of [`default_tracks`].
    #[must_use]
    pub fn with_tracks(mut self, tracks: Vec<TrackInfo>) -> Self {
        self.tracks = tracks;
        self
    }

    /// Asks for this patience instead of the default one.
    #[must_use]
    pub fn with_limits(mut self, limits: SourceLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Number of scripts not yet played.
    pub fn remaining(&self) -> usize {
        self.scripts.lock().map_or(0, |scripts| scripts.len())
    }

    fn take(&self) -> Script {
        let next = self.scripts.lock().map_or(None, |mut scripts| scripts.pop_front());
        next.unwrap_or_else(|| {
            Err(SourceError::Refused { what: self.stream.to_string(), why: "the scripts are used up".to_owned() })
        })
    }
}

impl Opener for ScriptedOpener {
    fn open(&self, session: SessionNumber, line: &Arc<Lifeline>) -> Result<Box<dyn FrameSource>, SourceError> {
        line.enter(Phase::Opening);
        let steps = self.take()?;
        let source = ScriptedSource::new(&self.stream, session, self.tracks.clone(), steps, line.clone());
        Ok(Box::new(source.with_limits(self.limits)))
    }

    fn limits(&self) -> SourceLimits {
        self.limits
    }
}

/// Plays one script: first [`Item::Started`], then the steps, then a clean end.
pub struct ScriptedSource {
    stream: Arc<str>,
    started: Option<Arc<SessionInfo>>,
    steps: VecDeque<ScriptStep>,
    scribe: Scribe,
    line: Arc<Lifeline>,
    limits: SourceLimits,
}

impl ScriptedSource {
    /// Makes a source that announces these tracks and then plays the steps.
    pub fn new(
        stream: &str,
        session: SessionNumber,
        tracks: Vec<TrackInfo>,
        steps: Vec<ScriptStep>,
        line: Arc<Lifeline>,
    ) -> Self {
        let stream: Arc<str> = stream.into();
        let started = Some(Arc::new(session_info(&stream, session, tracks)));
        let scribe = Scribe::new(session);
        Self { stream, started, steps: steps.into(), scribe, line, limits: SourceLimits::default() }
    }

    /// The limits that its words on a cut mention.
    #[must_use]
    pub fn with_limits(mut self, limits: SourceLimits) -> Self {
        self.limits = limits;
        self
    }

    fn cut_error(&self) -> SourceError {
        let reason = self.line.cut_reason().unwrap_or(CutReason::Stopped);
        SourceError::from_cut(&reason, &self.stream, &self.limits)
    }

    /// Beats for that long, or until the cut.
    fn stall(&self, lasts: Duration) -> Result<(), SourceError> {
        let until = Instant::now() + lasts;
        loop {
            if self.line.is_cut() {
                return Err(self.cut_error());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.line.beat();
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }

    /// Does one step: an item to deliver, or `None` to go on with the next step.
    fn perform(&mut self, step: ScriptStep) -> Result<Option<Item>, SourceError> {
        match step {
            ScriptStep::Item(item) => Ok(Some(item)),
            ScriptStep::Picture { at, lasts, facts } => Ok(Some(self.scribe.picture(at, lasts, facts))),
            ScriptStep::Sound { at, lasts, hops } => Ok(Some(self.scribe.sound(at, lasts, hops, None))),
            ScriptStep::Clock(at) => Ok(Some(Item::Clock(at))),
            ScriptStep::Generate(mut generator) => {
                let item = generator(&mut self.scribe);
                if item.is_some() {
                    self.steps.push_front(ScriptStep::Generate(generator));
                }
                Ok(item)
            }
            ScriptStep::Stall(lasts) => self.stall(lasts).map(|()| None),
            ScriptStep::Hang(release) => {
                while !release.load(Ordering::Acquire) {
                    std::thread::sleep(LOOK_EVERY);
                }
                Ok(None)
            }
            ScriptStep::Fail(error) => Err(error),
            ScriptStep::Panic(words) => panic!("{words}"),
        }
    }
}

impl FrameSource for ScriptedSource {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        if self.line.is_cut() {
            return Err(self.cut_error());
        }
        self.line.enter(Phase::Reading);
        if let Some(info) = self.started.take() {
            self.line.progress();
            return Ok(Some(Item::Started(info)));
        }
        while let Some(step) = self.steps.pop_front() {
            if let Some(item) = self.perform(step)? {
                self.line.progress();
                return Ok(Some(item));
            }
        }
        Ok(None)
    }
}

/// `video:0` of 1280 × 720 at 25 pictures a second and stereo `audio:0` at 48 kHz.
pub fn default_tracks() -> Vec<TrackInfo> {
    let mut video = TrackInfo::bare(TrackId::video(0));
    video.codec = "scripted".to_owned();
    video.video = Some(VideoFormat {
        width: 1280,
        height: 720,
        frame_rate: 25.0,
        pixel_format: "yuv420p".to_owned(),
        pixel_aspect: 1.0,
        ..VideoFormat::default()
    });
    let mut audio = TrackInfo::bare(TrackId::audio(0));
    audio.codec = "scripted".to_owned();
    audio.audio = Some(AudioFormat {
        sample_rate: 48_000,
        channels: 2,
        layout: "stereo".to_owned(),
        roles: vec![ChannelRole::Left, ChannelRole::Right],
    });
    vec![video, audio]
}

/// The announcement of a session that begins now, at media time zero.
pub fn session_info(stream: &Arc<str>, session: SessionNumber, tracks: Vec<TrackInfo>) -> SessionInfo {
    SessionInfo {
        stream: stream.clone(),
        session,
        revision: 0,
        at: MediaTime::ZERO,
        container: "scripted".to_owned(),
        tracks,
        tier: Tier::Full,
        burst: MediaTime::ZERO,
        started: Instant::now(),
        started_wall: SystemTime::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: MediaTime = MediaTime::from_millis(40);

    fn source(steps: Vec<ScriptStep>) -> (ScriptedSource, Arc<Lifeline>) {
        let line = Arc::new(Lifeline::default());
        let source = ScriptedSource::new("test", SessionNumber(3), default_tracks(), steps, line.clone());
        (source, line)
    }

    fn picture(number: i64) -> ScriptStep {
        let at = MediaTime::from_millis(40 * number);
        ScriptStep::Picture { at, lasts: FRAME, facts: PictureFacts::default() }
    }

    #[test]
    fn a_script_starts_plays_its_steps_in_order_and_ends_cleanly() {
        let (mut source, line) = source(vec![picture(0), ScriptStep::Clock(FRAME), picture(1)]);
        assert!(matches!(source.next(), Ok(Some(Item::Started(info))) if info.session == SessionNumber(3)));
        assert!(matches!(source.next(), Ok(Some(Item::Video(frame))) if frame.stamp.seq == 0));
        assert!(matches!(source.next(), Ok(Some(Item::Clock(FRAME)))));
        assert!(matches!(source.next(), Ok(Some(Item::Video(frame))) if frame.stamp.seq == 1));
        assert!(matches!(source.next(), Ok(None)));
        assert_eq!(line.progress_count(), 4);
    }

    #[test]
    fn a_generator_is_asked_until_it_says_none_and_then_the_script_goes_on() {
        let mut made = 0;
        let generator: Generator = Box::new(move |scribe| {
            made += 1;
            (made <= 3).then(|| scribe.picture(MediaTime::from_millis(40 * (made - 1)), FRAME, PictureFacts::default()))
        });
        let (mut source, _line) =
            source(vec![ScriptStep::Generate(generator), ScriptStep::Clock(MediaTime::from_millis(120))]);
        let mut times = Vec::new();
        while let Some(item) = source.next().unwrap() {
            match item {
                Item::Video(frame) => times.push((frame.stamp.seq, frame.stamp.media_time.as_millis())),
                Item::Clock(at) => times.push((99, at.as_millis())),
                _ => {}
            }
        }
        assert_eq!(times, [(0, 0), (1, 40), (2, 80), (99, 120)]);
    }

    #[test]
    fn a_stall_beats_without_progress_and_ends_by_the_cut() {
        let (mut source, line) = source(vec![ScriptStep::Stall(Duration::from_secs(60))]);
        source.next().unwrap();
        let progress = line.progress_count();
        let cutter = line.clone();
        let from_beats = line.beats();
        let thread = std::thread::spawn(move || {
            while cutter.beats() < from_beats + 3 {
                std::thread::yield_now();
            }
            cutter.cut(CutReason::Stalled);
        });
        assert!(matches!(source.next(), Err(SourceError::Stalled { .. })));
        thread.join().unwrap();
        assert_eq!(line.progress_count(), progress);
    }

    #[test]
    fn a_hang_is_deaf_to_the_cut_and_ends_by_its_release() {
        let release = Arc::new(AtomicBool::new(false));
        let (mut source, line) = source(vec![ScriptStep::Hang(release.clone()), picture(0)]);
        source.next().unwrap();
        let (done, finished) = std::sync::mpsc::channel();
        let beats = line.beats();
        let thread = std::thread::spawn(move || {
            let item = source.next();
            done.send(()).unwrap();
            item
        });
        // `next` beats once after it has looked for a cut.
        while line.beats() == beats {
            std::thread::yield_now();
        }
        line.cut(CutReason::Stopped);
        assert!(finished.recv_timeout(Duration::from_millis(30)).is_err());
        release.store(true, Ordering::Release);
        assert!(matches!(thread.join().unwrap(), Ok(Some(Item::Video(_)))));
    }

    #[test]
    fn failures_and_panics_come_where_the_script_says() {
        let why = SourceError::Read { what: "test".to_owned(), why: "planned".to_owned() };
        let (mut failing, _line) = source(vec![ScriptStep::Fail(why)]);
        failing.next().unwrap();
        assert!(matches!(failing.next(), Err(SourceError::Read { .. })));

        let (mut panicking, _line) = source(vec![ScriptStep::Panic("planned")]);
        panicking.next().unwrap();
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panicking.next())).is_err());
    }

    #[test]
    fn an_opener_plays_one_script_per_session_and_then_refuses() {
        let refused = SourceError::Connect { what: "test".to_owned(), why: "planned".to_owned() };
        let opener = ScriptedOpener::new("test", [Ok(vec![picture(0)]), Err(refused), Ok(vec![])]);
        let line = Arc::new(Lifeline::default());
        assert!(opener.open(SessionNumber(1), &line).is_ok());
        assert!(matches!(opener.open(SessionNumber(2), &line), Err(SourceError::Connect { .. })));
        assert_eq!(opener.remaining(), 1);
        assert!(opener.open(SessionNumber(3), &line).is_ok());
        assert!(matches!(opener.open(SessionNumber(4), &line), Err(SourceError::Refused { .. })));
    }

    #[test]
    fn even_hops_fill_their_block() {
        let facts = crate::frame::ChannelHop { power: 0.5, ..Default::default() };
        let hops = even_hops(FRAME, MediaTime::from_millis(20), 2, facts);
        let times: Vec<_> = hops.iter().map(|(hop, channels)| (hop.at.as_millis(), channels.len())).collect();
        assert_eq!(times, [(40, 2), (50, 2)]);
    }
}
