//! The thread `logs`: follows every log and hands what the judge says to the desk.
//!
//! Looks four times a second and takes a bounded share of each log; it never waits for the desk: while that has no
//! room for what was judged, lines are counted and nothing further is judged. What
//! it loses – lines that cannot be parsed, are too long, come too late, or for which there was no
//! time – is counted, and told once in ten minutes.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use avwatch_actors::event::{StreamCard, Wall};
use avwatch_actors::event_desk::{DeskHandle, DeskMessage};
use avwatch_actors::worker;
use crossbeam_channel::{RecvTimeoutError, Sender, TrySendError, bounded};

use super::clock::{LogClock, time_of};
use super::files::Files;
use super::judge::{Judge, Taken};
use super::plan::LogInputPlan;
use crate::catalogue::{Catalogue, Entry};
use crate::log_view::Moment;
use crate::stream_parts;

/// Longest line in bytes.
const LINE_BYTES_MAX: usize = 64 << 10;

/// How often the logs are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How often what they say is judged.
const JUDGE_EVERY: Duration = Duration::from_secs(1);

/// Bytes of one log, all its files together, per look: 4 MiB/s.
const LOOK_BYTES: u64 = 1 << 20;

/// What is farther behind than this is passed over.
const BEHIND_BYTES_MAX: u64 = 64 << 20;

/// How often losses of one log are told.
const TELL_EVERY: Duration = Duration::from_secs(600);

/// Longest example of a line that cannot be parsed, in characters.
const EXAMPLE_MAX: usize = 120;

/// What the thread needs.
#[derive(Clone)]
pub struct LogWatchParts {
    /// The logs; the thread sees when there are others.
    pub inputs: Arc<ArcSwap<Vec<LogInputPlan>>>,
    /// The streams there are.
    pub catalogue: Arc<ArcSwap<Catalogue>>,
    /// Where changes go.
    pub desk: DeskHandle,
}

/// The thread, which runs from the first log on; it ends within a look after this is dropped, and nobody waits for it.
pub struct LogWatch {
    parts: LogWatchParts,
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl LogWatch {
    /// Starts the thread; not where there are no logs.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(parts: LogWatchParts) -> io::Result<Self> {
        let mut watch = Self { parts, running: None };
        watch.run()?;
        Ok(watch)
    }

    /// Takes over other logs: those that stay as they are go on where they were.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn reload(&mut self, inputs: Vec<LogInputPlan>) -> io::Result<()> {
        self.parts.inputs.store(Arc::new(inputs));
        self.run()
    }

    /// Whether it has a thread that works.
    pub fn is_running(&self) -> bool {
        self.running.as_ref().is_some_and(|(_, handle)| !handle.is_finished())
    }

    fn run(&mut self) -> io::Result<()> {
        if self.is_running() || self.parts.inputs.load().is_empty() {
            return Ok(());
        }
        let (stop, stopped) = bounded::<()>(0);
        let mut watch = Watch::new(self.parts.clone(), Instant::now());
        let work = move |_: &Arc<_>| {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                watch.look(Instant::now(), SystemTime::now());
            }
        };
        let handle = worker::spawn_lasting("logs", Arc::default(), work, |end| {
            if let worker::WorkEnd::Panicked(why) = end {
                tracing::error!(fault = "panic", "logs are no longer watched: {why}");
            }
        })?;
        self.running = Some((stop, handle));
        Ok(())
    }
}

/// One log.
struct Input {
    plan: LogInputPlan,
    files: Files,
    losses: Losses,
    told: Losses,
    told_at: Option<Instant>,
    example: Option<String>,
    is_failing: bool,
}

/// What was not judged, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Losses {
    unparsed: u64,
    of_no_stream: u64,
    skewed: u64,
    late: u64,
    full: u64,
    too_long: u64,
    skipped_bytes: u64,
    /// Files that fit the pattern and are not followed now.
    files_left_out: usize,
}

/// The streams of one catalogue.
#[derive(Default)]
struct Streams {
    cards: HashMap<Arc<str>, Arc<StreamCard>>,
    /// Those of other clones.
    elsewhere: Arc<BTreeSet<Arc<str>>>,
}

/// Everything that the thread owns.
struct Watch {
    planned: Arc<ArcSwap<Vec<LogInputPlan>>>,
    /// What the inputs were made of.
    made_of: Arc<Vec<LogInputPlan>>,
    inputs: Vec<Input>,
    clocks: Vec<LogClock>,
    judge: Judge,
    catalogue: Arc<ArcSwap<Catalogue>>,
    desk: DeskHandle,
    unsent: VecDeque<DeskMessage>,
    judged: Instant,
    streams: Streams,
    of: Option<Arc<Catalogue>>,
}

impl Watch {
    fn new(parts: LogWatchParts, now: Instant) -> Self {
        let made_of = parts.inputs.load_full();
        Self {
            planned: parts.inputs,
            inputs: made_of.iter().cloned().map(Input::new).collect(),
            clocks: vec![LogClock::default(); made_of.len()],
            judge: Judge::new(&made_of, now),
            made_of,
            catalogue: parts.catalogue,
            desk: parts.desk,
            unsent: VecDeque::new(),
            judged: now,
            streams: Streams::default(),
            of: None,
        }
    }

    /// Takes other logs over, if there are any: one that stays as it is goes on where it was.
    fn know_logs(&mut self, now: Instant, wall: Wall) {
        let planned = self.planned.load_full();
        if Arc::ptr_eq(&planned, &self.made_of) {
            return;
        }
        let mut old: Vec<Option<Input>> = std::mem::take(&mut self.inputs).into_iter().map(Some).collect();
        let (mut clocks, mut from) = (Vec::new(), Vec::new());
        for plan in planned.iter() {
            let place = old.iter().position(|input| input.as_ref().is_some_and(|input| input.plan == *plan));
            let kept = place.and_then(|place| old[place].take());
            clocks.push(place.map_or_else(LogClock::default, |place| self.clocks[place]));
            self.inputs.push(kept.unwrap_or_else(|| Input::new(plan.clone())));
            from.push(place);
        }
        self.clocks = clocks;
        let plans: Vec<LogInputPlan> = self.inputs.iter().map(|input| input.plan.clone()).collect();
        let cards = &self.streams.cards;
        let changes = self.judge.replace(&plans, &from, now, wall, |stream| cards.get(stream).cloned());
        self.unsent.extend(changes.into_iter().map(|change| DeskMessage::Change(Box::new(change))));
        self.made_of = planned;
    }

    fn look(&mut self, now: Instant, wall: SystemTime) {
        self.know_streams();
        self.know_logs(now, Wall(wall));
        let at = Moment::of(wall);
        for (number, input) in self.inputs.iter_mut().enumerate() {
            input.look(number, &mut self.clocks[number], &mut self.judge, &self.streams, now, at);
            input.tell(now);
        }
        self.send();
        // What was judged and never said would be judged as said. So what waits is one judgement at most: as many changes
        // as there are pairs of stream and detector.
        if self.unsent.is_empty() && now.saturating_duration_since(self.judged) >= JUDGE_EVERY {
            self.judged = now;
            let cards = &self.streams.cards;
            let changes = self.judge.tick(&self.clocks, now, Wall(wall), |stream| cards.get(stream).cloned());
            self.unsent.extend(changes.into_iter().map(|change| DeskMessage::Change(Box::new(change))));
        }
        self.send();
    }

    fn know_streams(&mut self) {
        let newest = self.catalogue.load_full();
        if self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, &newest)) {
            return;
        }
        let card = |(name, entry): (&Arc<str>, &Entry)| (name.clone(), stream_parts::card(&entry.plan));
        self.streams =
            Streams { cards: newest.streams.iter().map(card).collect(), elsewhere: newest.share.elsewhere.clone() };
        self.of = Some(newest);
    }

    fn send(&mut self) {
        while let Some(message) = self.unsent.pop_front() {
            match self.desk.events.try_send(message) {
                Ok(()) => {}
                Err(TrySendError::Full(message)) => {
                    self.unsent.push_front(message);
                    break;
                }
                // The desk is gone: the process is ending.
                Err(TrySendError::Disconnected(_)) => self.unsent.clear(),
            }
        }
    }
}

impl Input {
    fn new(plan: LogInputPlan) -> Self {
        Self {
            files: Files::new(&plan.path, LINE_BYTES_MAX),
            plan,
            losses: Losses::default(),
            told: Losses::default(),
            told_at: None,
            example: None,
            is_failing: false,
        }
    }

    fn look(
        &mut self,
        number: usize,
        clock: &mut LogClock,
        judge: &mut Judge,
        streams: &Streams,
        now: Instant,
        wall: Moment,
    ) {
        let Self { plan, files, losses, example, .. } = self;
        let mut take = |bytes: &[u8]| -> io::Result<()> {
            let text = String::from_utf8_lossy(bytes);
            let line = text.trim_end_matches('\r');
            if line.trim().is_empty() {
                return Ok(());
            }
            let Some(fields) = plan.format.parse(line) else {
                losses.unparsed += 1;
                example.get_or_insert_with(|| shortened(line));
                return Ok(());
            };
            let (at, is_skewed) = clock.line(time_of(&fields, plan.time.as_deref()), wall, now);
            losses.skewed += u64::from(is_skewed);
            let name = plan.map.stream(&fields);
            let Some((stream, _)) = name.as_deref().and_then(|name| streams.cards.get_key_value(name)) else {
                // What is another clone's is not lost.
                losses.of_no_stream += u64::from(!name.is_some_and(|name| streams.elsewhere.contains(name.as_str())));
                return Ok(());
            };
            match judge.take(number, stream, &fields, at, now) {
                Taken::Counted => {}
                Taken::Late => losses.late += 1,
                Taken::Full => losses.full += 1,
            }
            Ok(())
        };
        let read = files.poll(now, LOOK_BYTES, BEHIND_BYTES_MAX, &mut take);
        (losses.too_long, losses.skipped_bytes) = (files.too_long(), files.skipped_bytes());
        losses.files_left_out = files.left_out();
        match read {
            Ok(()) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                let (input, path) = (&*self.plan.name, self.plan.path.display());
                tracing::warn!(input, fault = "log_input", "cannot read the log {path}: {error}");
            }
            Err(_) => {}
        }
    }

    /// Tells what was not judged, when there is something new and it is time.
    fn tell(&mut self, now: Instant) {
        let is_time = self.told_at.is_none_or(|told| now.saturating_duration_since(told) >= TELL_EVERY);
        if self.losses == self.told || !is_time {
            return;
        }
        let Losses { unparsed, of_no_stream, skewed, late, full, too_long, skipped_bytes, files_left_out } =
            self.losses;
        (self.told, self.told_at) = (self.losses, Some(now));
        let example = self.example.take();
        tracing::warn!(
            input = &*self.plan.name,
            fault = "log_input",
            unparsed,
            of_no_stream,
            skewed,
            late,
            full,
            too_long,
            skipped_bytes,
            files_left_out,
            example,
            "not every line of a log was judged"
        );
    }
}

/// The begin of a foreign line, without what stands behind a `?` or before an `@`: tokens and passwords do.
fn shortened(line: &str) -> String {
    let mut short = String::new();
    let mut is_hidden = false;
    for letter in line.chars().take(EXAMPLE_MAX) {
        match letter {
            ' ' | '"' | '\'' => is_hidden = false,
            '?' if !is_hidden => {
                short.push_str("?***");
                is_hidden = true;
            }
            '@' if !is_hidden => {
                let word = short.rfind([' ', '"', '\'', '/']).map_or(0, |at| at + 1);
                short.replace_range(word.., "***");
            }
            _ => {}
        }
        if !is_hidden {
            short.push(letter);
        }
    }
    short
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
