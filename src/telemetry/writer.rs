//! The writer: the queue of lines and the thread `log:writer` that empties it.
//!
//! The thread is the only one that touches the output; a full disk or a blocked pipe stops it alone.
//! It belongs to [`super::Telemetry`] and is given up after two seconds if it does not end.

use std::io::{self, Stderr, Stdout, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use avwatch_actors::worker::{self, WorkEnd};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tracing::Level;

use super::LogFormat;
use super::record::{Fields, Record, Value};
use super::repeats::{Repeats, Summary};

/// Lines that may wait to be written.
const LINES_MAX: usize = 8_192;

/// Bytes that may wait to be written.
const BYTES_MAX: usize = 16 << 20;

/// How often the thread looks after repeats, losses and the output.
const TICK: Duration = Duration::from_secs(1);

/// Longest that flushing and ending may take.
const END_TIME_MAX: Duration = Duration::from_secs(2);

/// Where whole lines go.
pub(super) trait LineOutput: Send {
    /// Writes one line, its end included.
    fn write_line(&mut self, line: &[u8]) -> io::Result<()>;

    /// Called about once a second.
    fn tick(&mut self) {}
}

impl LineOutput for Stdout {
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.write_all(line)?;
        self.flush()
    }
}

impl LineOutput for Stderr {
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.write_all(line)
    }
}

/// What became of log lines since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Written.
    pub written: u64,
    /// Folded into the count of a repeated message.
    pub folded: u64,
    /// Dropped for lack of room in the queue.
    pub dropped: u64,
    /// Lost because the output refused them.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Counters {
    written: AtomicU64,
    folded: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    /// Bytes in the queue: added before a line is offered, taken off when it was written.
    waiting_bytes: AtomicUsize,
}

enum Message {
    Line(String),
    Flush(Sender<()>),
    Stop(Sender<()>),
}

/// The way into the queue.
#[derive(Clone, Debug)]
pub(super) struct LineQueue {
    sender: Sender<Message>,
    counters: Arc<Counters>,
}

impl LineQueue {
    /// Queues a line, or drops and counts it.
    pub(super) fn offer(&self, line: String) {
        let bytes = line.len();
        // Relaxed throughout: the counters stand for themselves, the channel orders the lines.
        let waiting = self.counters.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting + bytes > BYTES_MAX || self.sender.try_send(Message::Line(line)).is_err() {
            self.counters.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.count_dropped();
        }
    }

    pub(super) fn count_folded(&self) {
        self.counters.folded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_dropped(&self) {
        self.counters.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// The owner of the thread.
#[derive(Debug)]
pub(super) struct LogWriter(LineQueue);

impl LogWriter {
    pub(super) fn start(
        output: Box<dyn LineOutput>,
        format: LogFormat,
        repeats: Arc<Repeats>,
    ) -> Result<Self, io::Error> {
        let (sender, receiver) = bounded(LINES_MAX);
        let counters = Arc::new(Counters::default());
        let mut writer =
            Worker { receiver, output, format, repeats, counters: counters.clone(), reported: 0, failing: false };
        // It ends when the last sender is gone: no cut, and nobody waits for it.
        drop(worker::spawn_lasting(
            "log:writer",
            Arc::default(),
            move |_| writer.run(),
            |end| {
                if let WorkEnd::Panicked(_) = end {
                    // The queue closes with the worker, so every later line is counted as dropped.
                    complain("the thread log:writer panicked; nothing more is logged");
                }
            },
        )?);
        Ok(Self(LineQueue { sender, counters }))
    }

    pub(super) fn queue(&self) -> LineQueue {
        self.0.clone()
    }

    pub(super) fn counts(&self) -> LogCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.0.counters;
        LogCounts {
            written: read(&counters.written),
            folded: read(&counters.folded),
            dropped: read(&counters.dropped),
            failed: read(&counters.failed),
        }
    }

    pub(super) fn flush(&self) -> bool {
        self.ask(Message::Flush)
    }

    /// Sends a question and waits for its answer, both within the limit.
    fn ask(&self, question: impl FnOnce(Sender<()>) -> Message) -> bool {
        let deadline = Instant::now() + END_TIME_MAX;
        let (done, answer) = bounded(1);
        self.0.sender.send_deadline(question(done), deadline).is_ok() && answer.recv_deadline(deadline).is_ok()
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        if !self.ask(Message::Stop) {
            complain("the log could not be written to its end");
        }
    }
}

struct Worker {
    receiver: Receiver<Message>,
    output: Box<dyn LineOutput>,
    format: LogFormat,
    repeats: Arc<Repeats>,
    counters: Arc<Counters>,
    /// Dropped lines that a line in the log has told of.
    reported: u64,
    /// The last write failed; told once on standard error.
    failing: bool,
}

impl Worker {
    /// Writes until told to stop or until nobody can log any more.
    fn run(&mut self) {
        let mut next_tick = Instant::now() + TICK;
        loop {
            match self.receiver.recv_deadline(next_tick) {
                Ok(Message::Line(line)) => {
                    self.write(&line);
                    self.counters.waiting_bytes.fetch_sub(line.len(), Ordering::Relaxed);
                }
                Ok(Message::Flush(done)) => {
                    // Who asked may have stopped waiting; then nobody wants the answer.
                    let _ = done.send(());
                }
                Ok(Message::Stop(done)) => {
                    self.summarise(self.repeats.finish());
                    self.report_dropped();
                    // As above.
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if Instant::now() >= next_tick {
                next_tick = Instant::now() + TICK;
                self.output.tick();
                self.summarise(self.repeats.sweep(Instant::now()));
                self.report_dropped();
            }
        }
    }

    fn write(&mut self, line: &str) {
        match self.output.write_line(line.as_bytes()) {
            Ok(()) => {
                self.counters.written.fetch_add(1, Ordering::Relaxed);
                self.failing = false;
            }
            Err(error) => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                if !self.failing {
                    complain(&format!("cannot write the log: {error}"));
                }
                self.failing = true;
            }
        }
    }

    fn summarise(&mut self, summaries: Vec<Summary>) {
        for Summary { level, target, fields } in summaries {
            let record = Record { time: SystemTime::now(), level, target, fields: &fields };
            self.write(&record.line(self.format));
        }
    }

    fn report_dropped(&mut self) {
        let dropped = self.counters.dropped.load(Ordering::Relaxed);
        if dropped > self.reported {
            let mut fields = Fields::default();
            fields.set("message", Value::Text("log lines were dropped: the queue was full".to_owned()));
            fields.set("dropped", Value::Unsigned(dropped - self.reported));
            let record =
                Record { time: SystemTime::now(), level: Level::WARN, target: "avwatch::telemetry", fields: &fields };
            self.write(&record.line(self.format));
            self.reported = dropped;
        }
    }
}

/// The last resort when the log itself fails.
fn complain(message: &str) {
    // If standard error is gone too, there is nobody left to tell.
    let _ = writeln!(io::stderr(), "avwatch: {message}");
}
