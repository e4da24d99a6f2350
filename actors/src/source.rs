//! Where frames come from: the ports [`Opener`] and [`FrameSource`], and how they fail.
//!
//! Implemented by the application (media, synthetic, scripted), driven by the ingest thread.
//! Both may block, but only as long as the lifeline is not cut: within 250 ms of a cut they return.

use std::sync::Arc;
use std::time::Duration;

use crate::item::Item;
use crate::lifeline::{CutReason, Lifeline};
use crate::track::SessionNumber;

/// Opens a stream. Called once per session, on that session's own thread.
pub trait Opener: Send + Sync {
    /// Connects, probes and returns a source whose first item is [`Item::Started`].
    ///
    /// Sets the lifeline's phase, beats while it works, and calls `progress` when bytes arrive.
    fn open(&self, session: SessionNumber, line: &Arc<Lifeline>) -> Result<Box<dyn FrameSource>, SourceError>;

    /// How patient the supervisor should be with this input.
    fn limits(&self) -> SourceLimits;

    /// The host that is contacted, for the per-host connect limit; absent for local inputs.
    fn host(&self) -> Option<&str> {
        None
    }
}

/// Delivers one session's items. Owned by one thread from open to end.
pub trait FrameSource {
    /// The next item; `None` is a clean end. [`Item::Ended`] is added by the ingest, not here.
    fn next(&mut self) -> Result<Option<Item>, SourceError>;
}

/// How patient a supervisor is with an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLimits {
    /// From the start of opening to the first item.
    pub open: Duration,
    /// From bytes to bytes. Past it the session is cut and opened anew.
    pub stall: Duration,
    /// False for inputs whose socket stays open across a silent source (UDP, SRT listener): there
    /// silence is reported but the session lives on.
    pub cut_when_silent: bool,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self { open: Duration::from_secs(15), stall: Duration::from_secs(10), cut_when_silent: true }
    }
}

/// Whose fault a failure is: decides back-off, quarantine and wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultClass {
    /// Expected of sources: refused, timed out, ended, not found. Retried for ever.
    Source,
    /// The source says that it is over. Asked every few seconds whether it has begun again, for ever.
    Over,
    /// Ours: a panic, a hang, memory. Repeated ones lead to quarantine.
    Ours,
    /// Will not go away by itself: unsupported, forbidden by policy. Retried slowly.
    Permanent,
    /// We asked for it.
    Cancelled,
}

/// How opening or reading a stream failed. Messages never contain credentials or query strings.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceError {
    /// The name did not resolve.
    #[error("cannot resolve {host}: {why}")]
    Resolve {
        /// Host as configured.
        host: String,
        /// The resolver's words.
        why: String,
    },
    /// No connection came about.
    #[error("cannot connect to {what}: {why}")]
    Connect {
        /// Host and port, or the URL without credentials.
        what: String,
        /// The system's words.
        why: String,
    },
    /// The server answered with a refusal.
    #[error("cannot open {what}: {why}")]
    Refused {
        /// URL without credentials.
        what: String,
        /// Status and reason.
        why: String,
    },
    /// A local file could not be opened or is no regular file.
    #[error("cannot open {what}: {why}")]
    File {
        /// Path as given.
        what: String,
        /// The system's words.
        why: String,
    },
    /// Opening took longer than the limit.
    #[error("cannot open {what}: no answer within {} s", limit.as_secs_f64())]
    OpenLimit {
        /// URL without credentials.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// Nothing arrived for longer than the stall limit.
    #[error("cannot read {what}: nothing arrived for {} s", limit.as_secs_f64())]
    Stalled {
        /// URL without credentials.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// Reading failed midway.
    #[error("cannot read {what}: {why}")]
    Read {
        /// URL without credentials.
        what: String,
        /// The system's or FFmpeg's words.
        why: String,
    },
    /// The bytes are not media that we know.
    #[error("cannot read {what}: {why}")]
    NotMedia {
        /// URL without credentials.
        what: String,
        /// What was found instead.
        why: String,
    },
    /// Policy forbids it: scheme, address, codec or size.
    #[error("cannot open {what}: {why}")]
    Forbidden {
        /// URL without credentials.
        what: String,
        /// Which rule, and the key that opens it.
        why: String,
    },
    /// There is nothing to look at: no track of a supported kind, or none left after selection.
    #[error("cannot inspect {what}: {why}")]
    NoTracks {
        /// URL without credentials.
        what: String,
        /// What was found.
        why: String,
    },
    /// It has come to its announced end, and nothing has come after it.
    #[error("cannot open {what}: {why}")]
    Over {
        /// URL without credentials.
        what: String,
        /// What said so, and where it ended.
        why: String,
    },
    /// The thread panicked.
    #[error("internal failure while reading {what}: {why}")]
    Panicked {
        /// Name of the thread.
        what: String,
        /// The panic's message.
        why: String,
    },
    /// The thread did not return in time after a cut and was abandoned.
    #[error("internal failure while reading {what}: the thread hangs and was abandoned")]
    Abandoned {
        /// Name of the thread.
        what: String,
    },
    /// It was told to stop.
    #[error("stopped")]
    Stopped,
}

impl SourceError {
    /// Whose fault it is.
    pub fn class(&self) -> FaultClass {
        match self {
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Refused { .. }
            | Self::OpenLimit { .. }
            | Self::Stalled { .. }
            | Self::Read { .. }
            | Self::NotMedia { .. }
            | Self::File { .. }
            | Self::NoTracks { .. } => FaultClass::Source,
            Self::Over { .. } => FaultClass::Over,
            Self::Forbidden { .. } => FaultClass::Permanent,
            Self::Panicked { .. } | Self::Abandoned { .. } => FaultClass::Ours,
            Self::Stopped => FaultClass::Cancelled,
        }
    }

    /// A word from a bounded set, for metric labels.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Resolve { .. } => "resolve",
            Self::Connect { .. } => "connect",
            Self::Refused { .. } => "refused",
            Self::File { .. } => "file",
            Self::OpenLimit { .. } => "open_limit",
            Self::Stalled { .. } => "stalled",
            Self::Read { .. } => "read",
            Self::NotMedia { .. } => "not_media",
            Self::Forbidden { .. } => "forbidden",
            Self::NoTracks { .. } => "no_tracks",
            Self::Over { .. } => "over",
            Self::Panicked { .. } => "panic",
            Self::Abandoned { .. } => "abandoned",
            Self::Stopped => "stopped",
        }
    }

    /// The error that a cut stands for; `what` names the input.
    pub fn from_cut(reason: &CutReason, what: &str, limits: &SourceLimits) -> Self {
        match reason {
            CutReason::Stopped => Self::Stopped,
            CutReason::OpenLimit => Self::OpenLimit { what: what.to_owned(), limit: limits.open },
            CutReason::Stalled => Self::Stalled { what: what.to_owned(), limit: limits.stall },
        }
    }
}
