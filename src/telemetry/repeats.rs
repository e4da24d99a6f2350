//! Repeats: the same message of the same stream is logged once in ten seconds, with a count.
//!
//! Shared by all threads that log and the writer thread, behind one lock that is held for a look-up.
//! `debug` and `trace` lines pass: a person has asked for each of them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Level, Metadata};

use super::record::{Fields, Value};

/// For how long repetitions are folded.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// Lines of one place in the code that belong to no stream and pass within a window: one place may
/// speak of several files or receivers in a row.
const BURST_WITHOUT_STREAM: u32 = 20;

/// Messages that are tracked at the same time; beyond that, new ones are folded without a summary.
const TRACKED_MAX: usize = 16_384;

/// What makes two lines the same message: the place in the code, stream and detector.
type Key = (Identifier, Option<Box<str>>, Option<Box<str>>);

/// The table of what was logged lately.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<HashMap<Key, Tracked>>);

#[derive(Debug)]
struct Tracked {
    since: Instant,
    passed: u32,
    folded: u64,
    metadata: &'static Metadata<'static>,
    message: String,
}

/// What to do with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Log it; it stands for that many folded ones before it.
    Log { repeated: u64 },
    /// Fold it: a later line or summary will count it.
    Fold,
    /// There is no room to track it: it is lost.
    Lose,
}

/// A count of folded lines whose message did not come again by itself.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) level: Level,
    pub(super) target: &'static str,
    pub(super) fields: Fields,
}

impl Repeats {
    pub(super) fn decide(&self, metadata: &'static Metadata<'static>, fields: &Fields, now: Instant) -> Decision {
        if *metadata.level() > Level::INFO {
            return Decision::Log { repeated: 0 };
        }
        let stream = fields.text("stream");
        let burst = if stream.is_some() { 1 } else { BURST_WITHOUT_STREAM };
        let key = (metadata.callsite(), stream.map(Box::from), fields.text("detector").map(Box::from));
        let Ok(mut table) = self.0.lock() else {
            // Another thread panicked here; a flood is better than silence.
            return Decision::Log { repeated: 0 };
        };
        if let Some(tracked) = table.get_mut(&key) {
            if now.saturating_duration_since(tracked.since) >= WINDOW {
                let repeated = std::mem::take(&mut tracked.folded);
                (tracked.since, tracked.passed) = (now, 1);
                return Decision::Log { repeated };
            }
            if tracked.passed < burst {
                tracked.passed += 1;
                return Decision::Log { repeated: 0 };
            }
            tracked.folded += 1;
            return Decision::Fold;
        }
        if table.len() >= TRACKED_MAX {
            return Decision::Lose;
        }
        let message = fields.text("message").unwrap_or_default().to_owned();
        table.insert(key, Tracked { since: now, passed: 1, folded: 0, metadata, message });
        Decision::Log { repeated: 0 }
    }

    /// Summaries of what was folded in windows that have passed; forgets what did not come again.
    pub(super) fn sweep(&self, now: Instant) -> Vec<Summary> {
        self.collect(|tracked| now.saturating_duration_since(tracked.since) >= WINDOW, now)
    }

    /// Summaries of everything that was folded: at the end.
    pub(super) fn finish(&self) -> Vec<Summary> {
        self.collect(|_| true, Instant::now())
    }

    fn collect(&self, due: impl Fn(&Tracked) -> bool, now: Instant) -> Vec<Summary> {
        let Ok(mut table) = self.0.lock() else {
            return Vec::new();
        };
        let mut summaries = Vec::new();
        table.retain(|(_, stream, detector), tracked| {
            if !due(tracked) {
                return true;
            }
            let repeated = std::mem::take(&mut tracked.folded);
            if repeated == 0 {
                return false;
            }
            tracked.since = now;
            summaries.push(tracked.summary(stream.as_deref(), detector.as_deref(), repeated));
            true
        });
        summaries
    }
}

impl Tracked {
    fn summary(&self, stream: Option<&str>, detector: Option<&str>, repeated: u64) -> Summary {
        let mut fields = Fields::default();
        fields.set("message", Value::Text(self.message.clone()));
        for (name, value) in [("stream", stream), ("detector", detector)] {
            if let Some(value) = value {
                fields.set(name, Value::Text(value.to_owned()));
            }
        }
        fields.set("repeated", Value::Unsigned(repeated));
        // The line is no message of its own: it only counts.
        fields.set("sum", Value::Flag(true));
        Summary { level: *self.metadata.level(), target: self.metadata.target(), fields }
    }
}
