//! Telemetry: the operations log, from a `tracing` event to a line on disk or on standard output.
//!
//! One layer turns events into lines on the thread that logs and hands them to the thread
//! `log:writer` through a bounded queue. Logging never waits: what finds no room is dropped and
//! counted. Fields by convention, inherited from spans: `stream`, `session`, `detector`, `fault`.

pub(crate) mod escape;
mod latency_log;
mod layer;
mod levels;
mod record;
mod repeats;
mod rolling;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use latency_log::{LATENCY_EXTENSION, LATENCY_PREFIX, LatencyLog, LatencyLogSettings};
pub use levels::{LevelControl, LevelError};
pub use rolling::{LOG_FILE_NAME, RollingFile};
pub use writer::LogCounts;

use layer::LogLayer;
use repeats::Repeats;
use writer::{LineOutput, LogWriter};

/// How the log is set up.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// How lines look.
    pub format: LogFormat,
    /// What is logged at start, see [`LevelControl`].
    pub level: LevelFilter,
    /// Where lines go.
    pub output: LogOutput,
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line: for machines and for `avwatch logs`.
    #[default]
    Json,
    /// For people who read along.
    Text,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOutput {
    /// Standard output: in containers and under systemd, which keep the lines themselves.
    Stdout,
    /// Standard error: for commands whose result goes to standard output.
    Stderr,
    /// Files with a cap on size: on machines where nobody else looks after logs.
    Files {
        /// The directory; made if missing. The newest file is `avwatch.log` in it.
        directory: PathBuf,
        /// Size at which a new file is begun, in bytes, from 64 KiB.
        file_bytes_max: u64,
        /// Number of files kept, the newest included, from 1.
        files_max: usize,
    },
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directory or file cannot be made or written.
    #[error("cannot write logs to {}: {source}", path.display())]
    Files {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The writer thread could not be started.
    #[error("cannot start the thread log:writer: {0}")]
    Thread(io::Error),
    /// The process has a log already.
    #[error("cannot set up the log twice")]
    Twice,
}

/// The running log. Dropping it writes what is queued, waiting two seconds at most.
#[derive(Debug)]
pub struct Telemetry {
    levels: LevelControl,
    writer: LogWriter,
}

impl Telemetry {
    /// Changes levels while the service runs.
    pub fn levels(&self) -> &LevelControl {
        &self.levels
    }

    /// What was written, folded and lost so far.
    pub fn counts(&self) -> LogCounts {
        self.writer.counts()
    }

    /// Writes what is queued, waiting two seconds at most; returns whether all of it was written.
    pub fn flush(&self) -> bool {
        self.writer.flush()
    }
}

/// Sets the log of the process up. The log ends when the returned value is dropped.
///
/// # Errors
/// The files cannot be written, the thread cannot be started, or there is a log already.
pub fn init(settings: &TelemetrySettings) -> Result<Telemetry, TelemetryError> {
    let output: Box<dyn LineOutput> = match &settings.output {
        LogOutput::Stdout => Box::new(io::stdout()),
        LogOutput::Stderr => Box::new(io::stderr()),
        LogOutput::Files { directory, file_bytes_max, files_max } => {
            let mut file = RollingFile::new(directory, *file_bytes_max, *files_max);
            // Tried now, so that a wrong directory is refused at start instead of losing every line.
            file.open().map_err(|source| TelemetryError::Files { path: directory.clone(), source })?;
            Box::new(file)
        }
    };
    let (subscriber, telemetry) = build(settings.format, settings.level, output)?;
    subscriber.try_init().map_err(|_| TelemetryError::Twice)?;
    Ok(telemetry)
}

type Subscriber = tracing_subscriber::layer::Layered<LogLayer, tracing_subscriber::Registry>;

fn build(
    format: LogFormat,
    level: LevelFilter,
    output: Box<dyn LineOutput>,
) -> Result<(Subscriber, Telemetry), TelemetryError> {
    let levels = LevelControl::new(level);
    let repeats = Arc::new(Repeats::default());
    let writer = LogWriter::start(output, format, repeats.clone()).map_err(TelemetryError::Thread)?;
    let layer = LogLayer::new(levels.clone(), format, repeats, writer.queue());
    Ok((tracing_subscriber::registry().with(layer), Telemetry { levels, writer }))
}
