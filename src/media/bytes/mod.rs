//! Bytes: how they come in, whatever they come from, always under the lifeline.
//!
//! A [`ByteSource`] is owned by one session and read on its thread, mostly from within FFmpeg's read
//! callback. It may wait, but never longer than its [`Patience`] lasts, and it may never panic.

mod decrypt;
mod exchange;
mod file;
mod guard;
mod http;
mod http_transport;
mod interface;
mod memory;
mod patience;
mod resolve;
mod rtp;
mod special;
mod stdin;
mod tcp;
mod tls;
mod udp;
mod udp_batch;
mod wait;

#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod tls_tests;
#[cfg(test)]
mod udp_tests;

use avwatch_actors::source::SourceError;

pub use decrypt::{DecryptingSource, SegmentKey};
pub use exchange::{Answer, Exchange, Method};
pub use file::FileSource;
pub use guard::{Guard, OwnSockets, Reach};
pub use http::{ByteRange, HttpClient, HttpSource};
pub use memory::{MemorySource, PrefixedSource};
pub use patience::{Patience, ReceiveCounts, SLICE};
#[cfg(test)]
pub(in crate::media) use resolve::Lookup;
pub use stdin::open as open_stdin;
pub use tcp::TcpSource;
pub use udp::UdpSource;

/// Where bytes come from.
///
/// Its [`Patience`] is given to it when it is made; reading returns within 250 ms of a cut.
pub trait ByteSource: Send {
    /// Reads what is there, waiting for at least one byte; 0 is the end.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError>;

    /// Moves to that byte, counted from the start. Only for sources that say they can.
    fn seek(&mut self, to: u64) -> Result<(), SourceError>;

    /// How large it is and whether it can be sought.
    fn extent(&self) -> Extent;
}

/// How large a source is, as far as known, and whether it can be sought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes from start to end, when known.
    pub size: Option<u64>,
    /// Whether [`ByteSource::seek`] works.
    pub seekable: bool,
}

/// The error of a source that cannot be sought. FFmpeg never asks such a source to seek.
fn cannot_seek(what: &str) -> SourceError {
    SourceError::Read { what: what.to_owned(), why: "it can only be read from front to back".to_owned() }
}

#[cfg(test)]
pub(in crate::media) mod testing {
    use std::sync::Arc;
    use std::time::Duration;

    use avwatch_actors::lifeline::Lifeline;
    use avwatch_actors::source::SourceLimits;

    use super::Patience;

    /// Patience for that many milliseconds of opening and stalling, on a lifeline of its own.
    pub(in crate::media) fn patience(limit_ms: u64) -> Arc<Patience> {
        patience_on(&Arc::new(Lifeline::default()), limit_ms)
    }

    /// The same on a given lifeline.
    pub(in crate::media) fn patience_on(line: &Arc<Lifeline>, limit_ms: u64) -> Arc<Patience> {
        let limit = Duration::from_millis(limit_ms);
        Patience::opening(line, SourceLimits { open: limit, stall: limit, ..SourceLimits::default() })
    }
}
