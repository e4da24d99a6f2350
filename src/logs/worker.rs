//! The thread `logs`: follows every log and hands what the judge says to the desk.
//!
//! Looks four times a second and takes a bounded share of each log; it never waits for the desk: while that has no
//! room for what was judged, lines are counted and nothing further is judged. What
//! it loses – lines that cannot be parsed, are too long, come too late, or for which there was no
//! time – is counted, and told once in ten minutes.

use std::collections::{HashMap, VecDeque};
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

    fn run(&mut self) -> io::Result<()> {
        let is_running = self.running.as_ref().is_some_and(|(_, handle)| !handle.is_finished());
        if is_running || self.parts.inputs.load().is_empty() {
            return Ok(());
        }
        let (stop, stopped) = bounded::<()>(0);
        let parts = self.parts.clone();
        let work = move |_: &Arc<_>| {
            let mut watch = Watch::new(parts, Instant::now());
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                watch.look(Instant::now(), SystemTime::now());
            }
        };
        let handle = worker::spawn("logs", Arc::default(), work, |end| {
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
    /// Cards of the streams of one catalogue.
    cards: HashMap<Arc<str>, Arc<StreamCard>>,
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
            cards: HashMap::new(),
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
        let cards = &self.cards;
        let changes = self.judge.replace(&plans, &from, now, wall, |stream| cards.get(stream).cloned());
        self.unsent.extend(changes.into_iter().map(|change| DeskMessage::Change(Box::new(change))));
        self.made_of = planned;
    }

    fn look(&mut self, now: Instant, wall: SystemTime) {
        self.know_streams();
        self.know_logs(now, Wall(wall));
        let at = Moment::of(wall);
        for (number, input) in self.inputs.iter_mut().enumerate() {
            input.look(number, &mut self.clocks[number], &mut self.judge, &self.cards, now, at);
            input.tell(now);
        }
        self.send();
        // What was judged and never said would be judged as said. So what waits is one judgement at most: as many changes
        // as there are pairs of stream and detector.
        if self.unsent.is_empty() && now.saturating_duration_since(self.judged) >= JUDGE_EVERY {
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
    }
}

impl Input {
    fn new(plan: LogInputPlan) -> Self {
        Self {
            tail: Tail::new(&plan.path, Begin::End, LINE_BYTES_MAX),
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
    use crate::logs::RulePlan;
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

    fn append(path: &std::path::Path, text: &str) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    impl Bench {
        fn new() -> Self {
            Self::of(["lobby"])
        }

        fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
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
            let mut catalogue = Catalogue::default();
            for name in names {
                let plan = crate::config::StreamPlan { name: name.into(), ..plan.streams[0].clone() };
                let entry = crate::catalogue::Entry {
                    plan: Arc::new(plan),
                    origin: crate::catalogue::StreamOrigin::File,
                    revision: None,
                    settings: None,
                };
                catalogue.streams.insert(name.into(), entry);
            }
            let (events, changes) = bounded(100);
            let parts = LogWatchParts {
                inputs: Arc::new(ArcSwap::from_pointee(plan.logs)),
                catalogue: Arc::new(ArcSwap::from_pointee(catalogue)),
                desk: DeskHandle { events, board: Arc::default(), rules: Arc::default() },
            };
            let now = Instant::now();
            Self { watch: Watch::new(parts, now), folder, now, wall: SystemTime::now(), changes }
        }

        fn write(&self, text: &str) {
            append(&self.folder.path().join("a.log"), text);
        }

        fn pass(&mut self, seconds: u64, text: &str) {
            for _ in 0..seconds {
                self.write(text);
                self.now += Duration::from_secs(1);
                self.wall += Duration::from_secs(1);
                self.watch.look(self.now, self.wall);
            }
        }

        /// Leaves the event lane no room.
        fn fill_lane(&self) {
            let other = || DeskMessage::Drained(avwatch_actors::detector::LaneKind::Input);
            while self.watch.desk.events.try_send(other()).is_ok() {}
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
    fn a_reload_changes_one_log_and_leaves_the_others_where_they_were() {
        let mut bench = Bench::new();
        let edge = bench.watch.planned.load()[0].clone();
        let encoder = LogInputPlan {
            name: "encoder".into(),
            path: bench.folder.path().join("b.log"),
            rules: vec![Arc::new(RulePlan { detector: "log_errors", ..(*edge.rules[0]).clone() })],
            ..edge.clone()
        };
        let plan = |inputs: &[&LogInputPlan]| Arc::new(inputs.iter().map(|&input| input.clone()).collect());
        bench.watch.planned.store(plan(&[&encoder, &edge]));
        bench.pass(1, "");
        let write = |bench: &Bench, text: &str| append(&bench.folder.path().join("b.log"), text);
        for _ in 0..25 {
            write(&bench, "stream=lobby status=503\n");
            bench.pass(1, "stream=lobby status=503\n");
        }
        let mut told = bench.told();
        told.sort();
        assert_eq!(told, ["lobby/input/log_errors major Raised", "lobby/input/log_http_errors major Raised"]);
        // One of them goes. The other one's event stays open, and its window is still full.
        bench.watch.planned.store(plan(&[&edge]));
        bench.pass(3, "");
        assert_eq!(bench.told(), ["lobby/input/log_errors major Ended(ConfigChanged)"]);
        // Other thresholds are another rule: what was open under the old ones ends.
        let lax = RulePlan {
            thresholds: vec![(0.999, avwatch_actors::severity::Severity::Info)],
            ..(*edge.rules[0]).clone()
        };
        bench.watch.planned.store(plan(&[&LogInputPlan { rules: vec![Arc::new(lax)], ..edge.clone() }]));
        bench.pass(1, "");
        assert_eq!(bench.told(), ["lobby/input/log_http_errors major Ended(ConfigChanged)"]);
        bench.pass(30, "stream=lobby status=503\n");
        assert_eq!(bench.told(), ["lobby/input/log_http_errors info Raised"]);
        bench.watch.planned.store(plan(&[]));
        bench.pass(1, "");
        assert_eq!(bench.told(), ["lobby/input/log_http_errors info Ended(ConfigChanged)"]);
    }

    #[test]
    fn none_of_many_changes_is_lost_while_the_desk_has_no_room() {
        let names: Vec<String> = (0..1_200).map(|number| format!("s{number}")).collect();
        let mut bench = Bench::of(names.iter().map(String::as_str));
        bench.fill_lane();
        bench.pass(2, "");
        let lines = |status: u16| -> String {
            names.iter().map(|name| format!("stream={name} status={status}\n").repeat(20)).collect()
        };
        bench.pass(1, &lines(503));
        bench.pass(9, "");
        bench.pass(1, &lines(200));
        // There is room again, little by little.
        let mut told = Vec::new();
        for _ in 0..200 {
            told.extend(bench.told().into_iter().filter(|word| word != "another message"));
            bench.pass(1, "");
        }
        for name in &names {
            let of = |word: &&String| word.starts_with(&format!("{name}/"));
            let whats: Vec<&str> = told.iter().filter(of).filter_map(|word| word.rsplit(' ').next()).collect();
            assert_eq!(whats, ["Raised", "Ended(Cleared)"], "{name}");
        }
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
