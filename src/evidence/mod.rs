//! Evidence: what a stream sent and showed around an event, so that people can look for themselves.
//!
//! The last seconds of every stream are held as compressed packets ([`Rings`], fed by the sessions). Committed events
//! reach the thread `evidence:writer` through a sink of its own ([`EvidenceSink`]); it holds on to the packets around
//! the event, and when the time after it has passed too, writes a folder into `data_dir/evidence/`: the clip as it
//! was sent, small pictures, and the facts over time ([`Shelf`]). A slow disk or too many events at a time cost
//! evidence, counted, never events. Nothing here runs on a session's thread or an arbiter.

mod budget;
mod job;
mod manifest;
mod on_air;
mod portrait;
mod rings;
mod shelf;
mod sink;
mod writer;

#[cfg(test)]
mod tests;

pub use manifest::{ClipPart, Manifest, PicturePart, SCHEMA};
pub use rings::Rings;
pub use shelf::{Shelf, ShelfFile};
pub use sink::{EvidenceCounts, EvidenceSink};
pub use writer::{EvidenceParts, start};

/// Where the API serves the evidence of an event: what events say of it.
pub fn path_of(event: &str) -> String {
    format!("/api/v1/events/{event}/evidence")
}
