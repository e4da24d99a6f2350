//! Ingest: one session from open to end, on a thread of its own.
//!
//! Pulls items from the source, reads the meters off them, and offers them to the lanes. The
//! thread owns the source; nothing of it is touched by anyone else. It ends by itself, by an error,
//! or by the cut of its lifeline, and says how exactly once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::fan_out::{Delivery, FanOut};
use crate::item::{EndReason, Item};
use crate::latency::{LatencyBook, Stage, between};
use crate::lifeline::{CutReason, Lifeline, Phase};
use crate::media_time::MediaTime;
use crate::meters::{MeterBook, MeterReader};
use crate::paced::{Pace, Paced};
use crate::source::{FrameSource, Opener, SourceError};
use crate::track::SessionNumber;
use crate::worker::{self, WorkEnd};

/// Latencies are handed over in batches of at most so many.
const BATCH_MAX: usize = 64;

/// What a session needs of its stream.
#[derive(Clone)]
pub struct SessionParts {
    /// Opens the source.
    pub opener: Arc<dyn Opener>,
    /// Where items go.
    pub fan_out: Arc<FanOut>,
    /// Where latencies go.
    pub latencies: Arc<LatencyBook>,
    /// Where readings go.
    pub meters: Arc<MeterBook>,
    /// How fast items may leave.
    pub pace: Pace,
}

/// What a session tells its stream's supervisor.
#[derive(Debug)]
pub enum SessionNews {
    /// The source is open and has delivered its first item.
    Opened(SessionNumber),
    /// The session is over; said exactly once unless the thread hangs for ever.
    Ended(SessionNumber, EndReason),
}

/// Starts a session's thread. `news` is called on that thread.
pub fn start(
    stream: &str,
    session: SessionNumber,
    parts: SessionParts,
    line: Arc<Lifeline>,
    news: impl Fn(SessionNews) + Send + Sync + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let name = format!("ingest:{stream}{session}");
    let news = Arc::new(news);
    let (opened, label, guarded) = (news.clone(), name.clone(), parts.clone());
    let watched = line.clone();
    let work = move |line: &Arc<Lifeline>| run(session, &parts, line, &*opened);
    let done = move |end| {
        let reason = match end {
            WorkEnd::Returned(reason) => reason,
            WorkEnd::Panicked(why) => {
                let reason = EndReason::Failed(Arc::new(SourceError::Panicked { what: label, why }));
                // The run could not say so itself.
                if !watched.is_fenced()
                    && guarded.fan_out.offer(&Item::Ended(reason.clone()), &watched) == Delivery::Cut
                {
                    tracing::debug!("a session that was cut while it panicked leaves no end in its lanes");
                }
                reason
            }
        };
        news(SessionNews::Ended(session, reason));
    };
    worker::spawn(&name, line, work, done)
}

/// Runs a session on the calling thread, from open to end.
pub fn run(
    session: SessionNumber,
    parts: &SessionParts,
    line: &Arc<Lifeline>,
    news: &dyn Fn(SessionNews),
) -> EndReason {
    if parts.pace != Pace::Unbound {
        worker::step_back();
    }
    let fan_out = parts.fan_out.clone();
    line.before_waiting(move || fan_out.ring_owed());
    let mut run = SessionRun::new(session, parts.clone(), line.clone());
    let reason = match run.open() {
        Ok(()) => loop {
            match run.step(news) {
                Step::Delivered(_) => {}
                Step::Ended(reason) => break reason,
            }
        },
        Err(reason) => reason,
    };
    run.finish(reason)
}

/// Plays a session in the calling task, each item when its time on the tokio clock has come. For
/// tests on virtual time with sources that never block.
pub async fn play(session: SessionNumber, parts: SessionParts, line: Arc<Lifeline>, news: impl Fn(SessionNews)) {
    let mut run = SessionRun::new(session, SessionParts { pace: Pace::Unbound, ..parts }, line);
    let begin = tokio::time::Instant::now();
    let reason = match run.open() {
        Ok(()) => loop {
            match run.step(&news) {
                Step::Delivered(Some(at)) => tokio::time::sleep_until(begin + at.to_duration()).await,
                Step::Delivered(None) => tokio::task::yield_now().await,
                Step::Ended(reason) => break reason,
            }
        },
        Err(reason) => reason,
    };
    let reason = run.finish(reason);
    news(SessionNews::Ended(session, reason));
}

/// What one step of a session came to.
#[derive(Debug)]
pub enum Step {
    /// An item was offered to the lanes; the time that it takes the stream to, if it moves time.
    Delivered(Option<MediaTime>),
    /// Nothing more comes.
    Ended(EndReason),
}

/// A session in steps, for threads and for tests that play it inline on virtual time.
pub struct SessionRun {
    session: SessionNumber,
    parts: SessionParts,
    line: Arc<Lifeline>,
    meters: MeterReader,
    source: Option<Paced>,
    batch: Vec<(Stage, Duration)>,
    is_open: bool,
}

impl SessionRun {
    /// A session that has not been opened.
    pub fn new(session: SessionNumber, parts: SessionParts, line: Arc<Lifeline>) -> Self {
        let meters = MeterReader::new(parts.meters.clone());
        Self { session, parts, line, meters, source: None, batch: Vec::with_capacity(BATCH_MAX), is_open: false }
    }

    /// Opens the source.
    pub fn open(&mut self) -> Result<(), EndReason> {
        self.line.enter(Phase::Opening);
        match self.parts.opener.open(self.session, &self.line) {
            Ok(source) => {
                self.line.enter(Phase::Reading);
                self.source = Some(Paced::new(source, self.parts.pace, self.line.clone()));
                Ok(())
            }
            Err(error) => Err(EndReason::Failed(Arc::new(error))),
        }
    }

    /// Takes one item from the source to the lanes.
    pub fn step(&mut self, news: &dyn Fn(SessionNews)) -> Step {
        if self.line.is_cut() {
            return Step::Ended(EndReason::Stopped);
        }
        let item = match self.source.as_mut().map_or(Ok(None), FrameSource::next) {
            Ok(Some(item)) => item,
            Ok(None) => return Step::Ended(EndReason::Finished),
            Err(error) => return Step::Ended(EndReason::Failed(Arc::new(error))),
        };
        // A thread that hung and was replaced may wake up here: what it brings is too late.
        if self.line.is_cut() {
            return Step::Ended(EndReason::Stopped);
        }
        self.line.beat();
        if !self.is_open {
            self.is_open = true;
            news(SessionNews::Opened(self.session));
        }
        if let Some(latency) = decode_latency(&item) {
            self.batch.push((Stage::Decode, latency));
            if self.batch.len() >= BATCH_MAX {
                self.parts.latencies.record(&mut self.batch);
            }
        }
        let now = Instant::now();
        self.meters.note(&item, now);
        if let Item::Clock(at) = &item
            && (self.parts.pace == Pace::RealTime || self.line.tells_idle())
        {
            self.meters.note_pace(now, *at, self.line.idle());
        }
        match self.parts.fan_out.offer(&item, &self.line) {
            Delivery::Done => Step::Delivered(time_of(&item)),
            Delivery::Cut => Step::Ended(EndReason::Stopped),
        }
    }

    /// Closes the source and puts the end into the lanes, unless the thread was fenced off.
    pub fn finish(mut self, reason: EndReason) -> EndReason {
        self.parts.latencies.record(&mut self.batch);
        // Closed before the end is told: who hears of it may open the same address again.
        self.source = None;
        let reason = why_it_ended(reason, &self.line, &self.parts);
        if self.line.is_fenced() {
            return reason;
        }
        let ended = Item::Ended(reason.clone());
        self.meters.note(&ended, Instant::now());
        if self.parts.fan_out.offer(&ended, &self.line) == Delivery::Cut {
            tracing::debug!(session = %self.session, "a lane was full when the session was cut");
        }
        reason
    }
}

/// A cut that we asked for has our reason, whatever the source made of it.
fn why_it_ended(reason: EndReason, line: &Lifeline, parts: &SessionParts) -> EndReason {
    match line.cut_reason() {
        None => reason,
        Some(CutReason::Stopped) => EndReason::Stopped,
        Some(cut) => match reason {
            // The source's own words name the input, and the limit it kept to.
            EndReason::Failed(error) if !matches!(*error, SourceError::Stopped) => EndReason::Failed(error),
            EndReason::Failed(_) | EndReason::Finished | EndReason::Stopped => {
                EndReason::Failed(Arc::new(SourceError::from_cut(&cut, "the input", &parts.opener.limits())))
            }
        },
    }
}

fn decode_latency(item: &Item) -> Option<Duration> {
    match item {
        Item::Video(frame) => Some(between(frame.stamp.arrived, frame.stamp.ready)),
        Item::Audio(frame) => Some(between(frame.stamp.arrived, frame.stamp.ready)),
        Item::Started(_) | Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => None,
    }
}

/// Up to where an item takes the stream, if it moves time at all.
pub fn time_of(item: &Item) -> Option<MediaTime> {
    match item {
        Item::Video(frame) => Some(frame.stamp.media_time),
        Item::Audio(frame) => Some(frame.stamp.media_time),
        Item::Packets(facts) => Some(facts.at),
        Item::Clock(at) => Some(*at),
        Item::Started(_) | Item::Gap(_) | Item::Ended(_) => None,
    }
}
