//! The thread `logs`: follows every log and hands what the judge says to the desk.
//!
//! Looks four times a second and takes a bounded share of each log; it never waits for the desk. What
//! it loses – lines that cannot be parsed, are too long, come too late, or for which there was no
//! time – is counted, and told once in ten minutes.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use avwatch_actors::event::{StreamCard, Wall};
use avwatch_actors::event_desk::{DeskHandle, DeskMessage};
use avwatch_actors::worker;
use crossbeam_channel::{RecvTimeoutError, Sender, TrySendError, bounded};

use super::clock::{LogClock, time_of};
use super::judge::{Judge, Taken};
use super::plan::LogInputPlan;
use crate::catalogue::Catalogue;
use crate::log_view::{Moment, Read};
use crate::stream_parts;
use crate::tail::{Begin, Tail};

/// Longest line in bytes.
const LINE_BYTES_MAX: usize = 64 << 10;

/// How often the logs are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How often what they say is judged.
const JUDGE_EVERY: Duration = Duration::from_secs(1);

/// Bytes of one log per look: 4 MiB/s.
const LOOK_BYTES: u64 = 1 << 20;

/// What is farther behind than this is passed over.
const BEHIND_BYTES_MAX: u64 = 64 << 20;

/// Changes that wait for room in the event lane; more are lost and counted.
const UNSENT_MAX: usize = 1_000;

/// How often losses of one log are told.
const TELL_EVERY: Duration = Duration::from_secs(600);

/// Longest example of a line that cannot be parsed, in characters.
const EXAMPLE_MAX: usize = 120;

/// What the thread needs.
pub struct LogWatchParts {
    /// The logs.
    pub inputs: Vec<LogInputPlan>,
    /// The streams there are.
    pub catalogue: Arc<ArcSwap<Catalogue>>,
    /// Where changes go.
    pub desk: DeskHandle,
}

/// The running thread; it ends within a look after this is dropped, and nobody waits for it.
#[derive(Debug)]
pub struct LogWatch(#[expect(dead_code, reason = "dropping it ends the thread")] Sender<()>);

impl LogWatch {
    /// Starts the thread; nothing where there are no logs.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(parts: LogWatchParts) -> io::Result<Option<Self>> {
        if parts.inputs.is_empty() {
            return Ok(None);
        }
        let (stop, stopped) = bounded::<()>(0);
        let mut watch = Watch::new(parts, Instant::now());
        let work = move |_: &Arc<_>| {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                watch.look(Instant::now(), SystemTime::now());
            }
        };
        drop(worker::spawn_lasting("logs", Arc::default(), work, |end| {
            if let worker::WorkEnd::Panicked(why) = end {
                tracing::error!(fault = "panic", "logs are no longer watched: {why}");
            }
        })?);
        Ok(Some(Self(stop)))
    }
}

/// One log.
struct Input {
    plan: LogInputPlan,
    tail: Tail,
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
}

/// Everything that the thread owns.
struct Watch {
    inputs: Vec<Input>,
    clocks: Vec<LogClock>,
    judge: Judge,
    catalogue: Arc<ArcSwap<Catalogue>>,
    desk: DeskHandle,
    unsent: VecDeque<DeskMessage>,
    judged: Instant,
    /// Cards of the streams of one catalogue.
    cards: HashMap<Arc<str>, Arc<StreamCard>>,
    of: Option<Arc<Catalogue>>,
}

impl Watch {
    fn new(parts: LogWatchParts, now: Instant) -> Self {
        let judge = Judge::new(&parts.inputs, now);
        let clocks = vec![LogClock::default(); parts.inputs.len()];
        let input = |plan: LogInputPlan| Input {
            tail: Tail::new(&plan.path, Begin::End, LINE_BYTES_MAX),
            plan,
            losses: Losses::default(),
            told: Losses::default(),
            told_at: None,
            example: None,
            is_failing: false,
        };
        Self {
            inputs: parts.inputs.into_iter().map(input).collect(),
            clocks,
            judge,
            catalogue: parts.catalogue,
            desk: parts.desk,
            unsent: VecDeque::new(),
            judged: now,
            cards: HashMap::new(),
            of: None,
        }
    }

    fn look(&mut self, now: Instant, wall: SystemTime) {
        self.know_streams();
        let at = Moment::of(wall);
        for (number, input) in self.inputs.iter_mut().enumerate() {
            input.look(number, &mut self.clocks[number], &mut self.judge, &self.cards, now, at);
            input.tell(now);
        }
        if now.saturating_duration_since(self.judged) >= JUDGE_EVERY {
            self.judged = now;
            let cards = &self.cards;
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
        self.cards =
            newest.streams.iter().map(|(name, entry)| (name.clone(), stream_parts::card(&entry.plan))).collect();
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
        let lost = self.unsent.len().saturating_sub(UNSENT_MAX);
        if lost > 0 {
            self.unsent.truncate(UNSENT_MAX);
            tracing::error!(lost, "the event lane stayed full, changes of events out of logs are lost");
        }
    }
}

impl Input {
    fn look(
        &mut self,
        number: usize,
        clock: &mut LogClock,
        judge: &mut Judge,
        cards: &HashMap<Arc<str>, Arc<StreamCard>>,
        now: Instant,
        wall: Moment,
    ) {
        let Self { plan, tail, losses, example, .. } = self;
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
            let stream = plan.map.stream(&fields).and_then(|name| cards.get_key_value(name.as_str()));
            let Some((stream, _)) = stream else {
                losses.of_no_stream += 1;
                return Ok(());
            };
            match judge.take(number, stream, &fields, at, now) {
                Taken::Counted => {}
                Taken::Late => losses.late += 1,
                Taken::Full => losses.full += 1,
            }
            Ok(())
        };
        let read = tail.poll(now, LOOK_BYTES, &mut take);
        let read = read.and_then(|read| if read == Read::More { tail.catch_up(BEHIND_BYTES_MAX) } else { Ok(0) });
        (losses.too_long, losses.skipped_bytes) = (tail.too_long(), tail.skipped_bytes());
        match read {
            Ok(_) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                let (input, path) = (&*self.plan.name, self.tail.path().display());
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
        let Losses { unparsed, of_no_stream, skewed, late, full, too_long, skipped_bytes } = self.losses;
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
mod tests {
    use super::*;
    use crate::config::Plan;
    use std::io::Write;

    #[test]
    fn an_example_hides_what_may_be_secret() {
        assert_eq!(shortened("GET http://a:b@host/x?token=S3cret \"next\""), "GET http://***@host/x?*** \"next\"");
        assert_eq!(shortened(&"x".repeat(1_000)).len(), EXAMPLE_MAX);
    }

    struct Bench {
        folder: tempfile::TempDir,
        watch: Watch,
        now: Instant,
        wall: SystemTime,
        changes: crossbeam_channel::Receiver<DeskMessage>,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let config = format!(
                "[[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1\"\n[[logs]]\nname = \"edge\"\npath = \"{}\"\n\
                format = \"logfmt\"\nstream_field = \"stream\"\n[logs.rules.http]\ndetector = \"log_http_errors\"\n\
                thresholds = {{ major = 0.5 }}\nclear_after = \"5s\"\n",
                folder.path().join("a.log").display()
            );
            let file = folder.path().join("avwatch.toml");
            std::fs::write(&file, config).unwrap();
            let loaded = crate::config::load(&crate::config::Sources { files: vec![file], ..Default::default() });
            let plan: Plan = loaded.unwrap().plan;
            let entry = crate::catalogue::Entry {
                plan: Arc::new(plan.streams[0].clone()),
                origin: crate::catalogue::StreamOrigin::File,
                revision: None,
                settings: None,
            };
            let catalogue = Catalogue { streams: [("lobby".into(), entry)].into(), ..Catalogue::default() };
            let (events, changes) = bounded(100);
            let parts = LogWatchParts {
                inputs: plan.logs,
                catalogue: Arc::new(ArcSwap::from_pointee(catalogue)),
                desk: DeskHandle { events, board: Arc::default(), rules: Arc::default() },
            };
            let now = Instant::now();
            Self { watch: Watch::new(parts, now), folder, now, wall: SystemTime::now(), changes }
        }

        fn write(&self, text: &str) {
            let path = self.folder.path().join("a.log");
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn pass(&mut self, seconds: u64, text: &str) {
            for _ in 0..seconds {
                self.write(text);
                self.now += Duration::from_secs(1);
                self.wall += Duration::from_secs(1);
                self.watch.look(self.now, self.wall);
            }
        }

        fn told(&self) -> Vec<String> {
            let words = |message: DeskMessage| match message {
                DeskMessage::Change(change) => format!("{} {} {:?}", change.key, change.severity, change.what),
                _ => "another message".to_owned(),
            };
            self.changes.try_iter().map(words).collect()
        }
    }

    #[test]
    fn lines_become_an_event_of_their_stream_and_what_is_lost_is_counted() {
        let mut bench = Bench::new();
        bench.pass(5, "");
        bench.pass(25, "stream=lobby status=503\nstream=roof status=503\nplain words\n");
        assert_eq!(bench.told(), ["lobby/input/log_http_errors major Raised"]);
        let losses = bench.watch.inputs[0].losses;
        assert_eq!((losses.unparsed, losses.of_no_stream), (25, 25));
        bench.pass(120, "stream=lobby status=200\n");
        assert_eq!(bench.told().last().map(String::as_str), Some("lobby/input/log_http_errors major Ended(Cleared)"));
    }

    #[test]
    fn a_rotation_in_the_middle_loses_no_line() {
        let mut bench = Bench::new();
        bench.pass(1, "");
        bench.pass(10, "stream=lobby status=503\n");
        let moved = bench.folder.path().join("a.log.1");
        std::fs::rename(bench.folder.path().join("a.log"), moved).unwrap();
        bench.pass(10, "stream=lobby status=503\n");
        // Twenty lines are the least that say anything.
        assert_eq!(bench.told(), ["lobby/input/log_http_errors major Raised"]);
    }
}
