//! The journal: what every stream showed in each second, for strips and curves of the past.
//!
//! A database of its own (`journal.db` in the data directory), so that it never stands in the way of an
//! alarm. Its thread fetches readings from the live board and states from the node snapshot once a second;
//! when the disk is slow, readings are lost and counted, nobody waits. It keeps 24 hours by the second and 30 days
//! by the minute, within a bound in bytes: the oldest seconds go first. Beside them it keeps for 24 hours when conditions of
//! detectors held, however short, so that `tune` can judge the past under other hold times.

mod book;
mod database;
mod reader;
mod record;
mod seen;
mod stretch;
mod verdicts;
mod writer;

#[cfg(test)]
mod tests;

pub use database::JournalError;
pub use reader::{JournalReader, POINTS_MAX};
pub use seen::{SEEN_SPANS_MAX, SeenSpans};
pub use stretch::{LatencyReading, Stretch};
pub use verdicts::KeptSpan;
pub use writer::{Journal, JournalCounts, JournalKeep};
