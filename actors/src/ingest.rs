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
    line.enter(Phase::Opening);
    let mut meters = MeterReader::new(parts.meters.clone());
    let reason = match parts.opener.open(session, line) {
        Ok(source) => {
            line.enter(Phase::Reading);
            let mut source = Paced::new(source, parts.pace, line.clone());
            pump(&mut source, session, parts, line, &mut meters, news)
        }
        Err(error) => EndReason::Failed(Arc::new(error)),
    };
    let reason = why_it_ended(reason, line, parts);
    if line.is_fenced() {
        return reason;
    }
    let ended = Item::Ended(reason.clone());
    meters.note(&ended, Instant::now());
    if parts.fan_out.offer(&ended, line) == Delivery::Cut {
        tracing::debug!(%session, "a lane was full when the session was cut; its actor is gone or going");
    }
    reason
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

fn pump(
    source: &mut dyn FrameSource,
    session: SessionNumber,
    parts: &SessionParts,
    line: &Arc<Lifeline>,
    meters: &mut MeterReader,
    news: &dyn Fn(SessionNews),
) -> EndReason {
    let mut batch: Vec<(Stage, Duration)> = Vec::with_capacity(BATCH_MAX);
    let mut is_open = false;
    let reason = loop {
        if line.is_cut() {
            break EndReason::Stopped;
        }
        let item = match source.next() {
            Ok(Some(item)) => item,
            Ok(None) => break EndReason::Finished,
            Err(error) => break EndReason::Failed(Arc::new(error)),
        };
        // A thread that hung and was replaced may wake up here: what it brings is too late.
        if line.is_cut() {
            break EndReason::Stopped;
        }
        line.beat();
        let now = Instant::now();
        if !is_open {
            is_open = true;
            news(SessionNews::Opened(session));
        }
        if let Some(latency) = decode_latency(&item) {
            batch.push((Stage::Decode, latency));
            if batch.len() >= BATCH_MAX {
                parts.latencies.record(&mut batch);
            }
        }
        meters.note(&item, now);
        if parts.fan_out.offer(&item, line) == Delivery::Cut {
            break EndReason::Stopped;
        }
    };
    parts.latencies.record(&mut batch);
    reason
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
