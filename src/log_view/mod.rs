//! The view of operations logs: finds, filters, follows and sums up what [`crate::telemetry`] wrote.
//!
//! Used by `avwatch logs` on its main thread, apart from any service. Lines are foreign text here:
//! whoever can write the files may have written anything, so nothing of them reaches a terminal
//! before it was escaped, and every table has a limit.

mod clock;
mod files;
mod filter;
mod fold;
mod follow;
mod lines;
mod parse;
mod show;
mod summary;

pub use clock::Moment;
pub use files::{Found, LogFiles, Unreadable};
pub use filter::Filter;
pub use follow::{Follower, Source};
pub use lines::{LINE_BYTES_MAX, LineReader, Read};
pub use parse::{Importance, Line, Pairs, Value};
pub use show::{Printer, Style};
pub use summary::{Latencies, Summary, SummaryReport};
