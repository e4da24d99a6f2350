//! The journal's thread: fetches what streams showed, and writes it in batches.
//!
//! `journal:writer` wakes once a second. It reads the live board and the node snapshot and never asks a stream, the
//! desk or the store. Nobody waits for it: while the disk is slow, readings pile up to their bounds and are then lost
//! and counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::severity::Severity;
use avwatch_actors::verdict_notes::{NotedSpan, VerdictNotes};
use avwatch_actors::worker;
use rusqlite::Connection;

use super::book::{Book, Closed};
pub use super::database::JournalKeep;
use super::database::{self, JournalError, Rows};
use super::record;
use super::stretch::LatencyReading;
use super::verdicts;
use crate::live::LiveBoard;
use crate::node_snapshot::NodeSnapshot;
use crate::snapshot::BLIND;

/// How often seconds are written.
const WRITE_EVERY: Duration = Duration::from_secs(10);
/// How often old rows are looked for; each time at most so long.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
const SWEEP_WITHIN: Duration = Duration::from_millis(200);
/// How often the thread looks whether it shall end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long it may take to write what it has at the end.
const END_WITHIN: Duration = Duration::from_secs(2);

/// Spans of verdicts that wait while the database takes none; what is more is lost and counted.
const SPANS_MAX: usize = 100_000;

/// Gives the newest snapshot at once.
type SnapshotSource = Box<dyn Fn() -> Arc<NodeSnapshot> + Send>;

/// Counts of the journal.
#[derive(Debug, Default)]
pub struct JournalCounts {
    lost: AtomicU64,
    written: AtomicU64,
    bytes: AtomicU64,
}

impl JournalCounts {
    /// Seconds of streams that were not written: the disk was too slow, or they came too late.
    pub fn lost(&self) -> u64 {
        // Relaxed, here and below: counts of their own.
        self.lost.load(Ordering::Relaxed)
    }

    /// Seconds of streams that were written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Bytes in use in the database.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// The running journal. Dropping it writes what waits, within two seconds.
pub struct Journal {
    line: Arc<Lifeline>,
    counts: Arc<JournalCounts>,
    handle: Option<std::thread::JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal in a data directory and starts its thread.
    ///
    /// # Errors
    /// The file cannot be made, opened or written; the system refuses the thread.
    pub fn start(
        directory: &Path,
        keep: JournalKeep,
        live: Arc<LiveBoard>,
        verdicts: Arc<VerdictNotes>,
        snapshot: impl Fn() -> Arc<NodeSnapshot> + Send + 'static,
    ) -> Result<Self, JournalError> {
        let connection = database::open(directory)?;
        let counts = Arc::<JournalCounts>::default();
        let mut writer = Writer {
            directory: directory.to_owned(),
            connection: Some(connection),
            keep,
            live,
            verdicts,
            spans: Vec::new(),
            snapshot: Box::new(snapshot),
            book: Book::default(),
            board_lost: 0,
            unwritten: Vec::new(),
            counts: counts.clone(),
            troubled: false,
        };
        let line = Arc::<Lifeline>::default();
        let work = move |line: &Arc<Lifeline>| writer.run(line);
        let done = |end| {
            if let worker::WorkEnd::Panicked(why) = end {
                tracing::error!(fault = "panic", "the journal is no longer written: {why}");
            }
        };
        let handle = worker::spawn_lasting("journal:writer", line.clone(), work, done)
            .map_err(|source| JournalError::File { path: directory.join(database::FILE), source })?;
        Ok(Self { line, counts, handle: Some(handle) })
    }

    /// What it has written and lost.
    pub fn counts(&self) -> &Arc<JournalCounts> {
        &self.counts
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.line.cut(CutReason::Stopped);
        let Some(handle) = self.handle.take() else { return };
        let until = Instant::now() + END_WITHIN;
        while !handle.is_finished() {
            if Instant::now() >= until {
                tracing::warn!("the journal did not write its last seconds in time");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What runs on the thread.
struct Writer {
    directory: PathBuf,
    /// Absent only after damage, until it is opened again.
    connection: Option<Connection>,
    keep: JournalKeep,
    live: Arc<LiveBoard>,
    verdicts: Arc<VerdictNotes>,
    /// What detectors said and is not written yet.
    spans: Vec<NotedSpan>,
    snapshot: SnapshotSource,
    book: Book,
    /// Readings that the live board lost before we fetched them.
    board_lost: u64,
    /// What the database did not take last time.
    unwritten: Vec<Closed>,
    counts: Arc<JournalCounts>,
    troubled: bool,
}

impl Writer {
    fn run(&mut self, line: &Lifeline) {
        worker::step_back();
        let (mut fetched, mut written, mut swept) = (0, Instant::now(), Instant::now());
        while !line.is_cut() {
            std::thread::sleep(LOOK_EVERY);
            let now = unix_now();
            if now == fetched {
                continue;
            }
            fetched = now;
            self.fetch(now);
            if written.elapsed() >= WRITE_EVERY {
                written = Instant::now();
                if self.unwritten.is_empty() {
                    self.unwritten = self.book.close(now);
                }
                self.write();
            }
            if swept.elapsed() >= SWEEP_EVERY {
                swept = Instant::now();
                self.sweep(now);
            }
        }
        self.fetch(unix_now());
        self.write();
        self.unwritten.extend(self.book.close_all(unix_now()));
        self.write();
    }

    fn fetch(&mut self, now: u64) {
        let snapshot = (self.snapshot)();
        // What is not looked at on purpose leaves a hole: nothing is known of it.
        for stream in snapshot.streams.iter().filter(|stream| is_watched(stream.state)) {
            let open: Vec<(u64, Severity)> =
                stream.events.iter().map(|event| (unix(event.started_at.0), event.severity)).collect();
            let latency = stream.latency.map(|all| LatencyReading {
                p50: all.p50.as_secs_f32(),
                p95: all.p95.as_secs_f32(),
                p99: all.p99.as_secs_f32(),
            });
            self.book.state(&stream.name, now, (stream.up, stream.state == BLIND), latency, &open);
        }
        let mut board_lost = 0;
        for (name, live) in self.live.streams() {
            for reading in live.take_readings() {
                self.book.reading(&name, &reading);
            }
            board_lost += live.readings_lost();
        }
        // The count of a removed stream leaves the board with it.
        self.book.lost += board_lost.saturating_sub(self.board_lost);
        self.board_lost = board_lost;
        for span in self.verdicts.take() {
            if self.spans.len() < SPANS_MAX {
                self.spans.push(span);
            } else {
                self.book.lost += 1;
            }
        }
        self.book.bound();
        self.counts.lost.store(self.book.lost, Ordering::Relaxed);
    }

    fn write(&mut self) {
        if self.unwritten.is_empty() && self.spans.is_empty() {
            return;
        }
        match self.try_write() {
            Ok(seconds) => {
                if std::mem::take(&mut self.troubled) {
                    tracing::info!("the journal is written again");
                }
                self.unwritten.clear();
                self.spans.clear();
                self.counts.written.fetch_add(seconds, Ordering::Relaxed);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.troubled, true) {
                    tracing::warn!(fault = %error, "the journal cannot be written: the past of streams will have a hole");
                }
                let is_damage = |error: &JournalError| match error {
                    JournalError::Database { source, .. } => database::is_damage(source),
                    JournalError::File { .. } => false,
                };
                if is_damage(&error) {
                    // The next attempt opens it, and begins a fresh one.
                    self.connection = None;
                }
            }
        }
    }

    fn try_write(&mut self) -> Result<u64, JournalError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => database::open(&self.directory)?,
        };
        let path = self.directory.join(database::FILE);
        let failed = |source| JournalError::Database { what: "write", path, source };
        write(self.connection.insert(connection), &self.unwritten, &self.spans).map_err(failed)
    }

    fn sweep(&mut self, now: u64) {
        let Some(connection) = &self.connection else { return };
        let started = Instant::now();
        let sweep = || -> Result<u64, rusqlite::Error> {
            while database::sweep(connection, self.keep, now)? && started.elapsed() < SWEEP_WITHIN {}
            database::used_bytes(connection)
        };
        match sweep() {
            Ok(bytes) => self.counts.bytes.store(bytes, Ordering::Relaxed),
            Err(error) => tracing::warn!(fault = %error, "upkeep of the journal failed"),
        }
    }
}

/// Writes what was closed in one transaction; tells how many seconds it was.
pub(super) fn write(
    connection: &mut Connection,
    closed: &[Closed],
    spans: &[NotedSpan],
) -> Result<u64, rusqlite::Error> {
    let transaction = connection.transaction()?;
    let mut seconds = 0;
    for closed in closed {
        let Some(stream) = database::claim_stream(&transaction, &closed.stream)? else { continue };
        seconds += closed.seconds.len() as u64;
        for (rows, stretches) in [(Rows::Seconds, &closed.seconds), (Rows::Minutes, &closed.minutes)] {
            let mut by_row: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
            for stretch in stretches {
                let place = (stretch.at % rows.lasts() / rows.step()) as u8;
                record::write(by_row.entry(rows.number(stretch.at, stream)).or_default(), place, stretch);
            }
            for (number, records) in by_row {
                database::append(&transaction, rows, number, &records)?;
            }
        }
    }
    let mut by_row: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
    for span in spans {
        let Some(stream) = database::claim_stream(&transaction, &span.stream)? else { continue };
        let second = unix(span.ended_at.0);
        verdicts::write(by_row.entry(Rows::Verdicts.number(second, stream)).or_default(), (second % 60) as u8, span);
    }
    for (number, records) in by_row {
        database::append(&transaction, Rows::Verdicts, number, &records)?;
    }
    transaction.commit()?;
    Ok(seconds)
}

/// Whether a stream in that state is meant to be looked at: what is off air, suspended or stopped is not.
fn is_watched(state: &str) -> bool {
    !matches!(state, "idle" | "stopping" | "stopped" | "suspended" | "off_air")
}

fn unix(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn unix_now() -> u64 {
    unix(SystemTime::now())
}
