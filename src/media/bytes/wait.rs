//! Waiting for a descriptor in short slices, so that the lifeline is honoured in every wait.
//!
//! Used by every source that reads from a pipe or socket, on the session's thread.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Instant;

use avwatch_actors::lifeline::CutReason;
use avwatch_actors::source::SourceError;

use super::file::plain;
use super::patience::Patience;

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Bytes to read, an end, or an error to fetch.
    Read,
    /// Room to write, or a connection that came about or failed.
    Write,
}

/// How a wait ended without the descriptor being ready.
#[derive(Debug)]
pub(super) enum WaitEnd {
    /// Our patience ended.
    Cut(CutReason),
    /// The caller's own limit passed.
    Limit,
    /// The system refused to wait.
    System(io::Error),
}

impl WaitEnd {
    /// As an error of a reader that cannot carry more; who gets it asks the patience for the cause.
    pub(super) fn into_io(self) -> io::Error {
        match self {
            Self::Cut(_) | Self::Limit => io::ErrorKind::TimedOut.into(),
            Self::System(error) => error,
        }
    }

    /// As the error of a source; `what` names the input.
    pub(super) fn into_source(self, patience: &Patience, what: &str) -> SourceError {
        match self {
            Self::Cut(reason) => patience.error(&reason, what),
            Self::Limit => SourceError::Read { what: what.to_owned(), why: "timed out".to_owned() },
            Self::System(error) => SourceError::Read { what: what.to_owned(), why: plain(&error) },
        }
    }
}

/// Lets bytes of a slow input gather for some milliseconds; true when it did, so that it is worth a try whether there are any.
pub(super) fn gathered(patience: &Patience) -> bool {
    let Some(time) = patience.gathering() else { return false };
    patience.rests();
    std::thread::sleep(time);
    patience.idled(time);
    true
}

/// Waits until the descriptor is ready, asking `patience` at least every 100 ms, at most to `until`.
pub(super) fn wait_for(
    fd: BorrowedFd<'_>,
    ready: Ready,
    patience: &Patience,
    until: Option<Instant>,
) -> Result<(), WaitEnd> {
    let events = match ready {
        Ready::Read => libc::POLLIN,
        Ready::Write => libc::POLLOUT,
    };
    loop {
        if let Some(reason) = patience.verdict() {
            return Err(WaitEnd::Cut(reason));
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            return Err(WaitEnd::Limit);
        }
        let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
        // At most 100, so it fits; rounded up so that a last fraction does not spin.
        let timeout = patience.slice().as_millis() as libc::c_int + 1;
        patience.rests();
        let began = Instant::now();
        // SAFETY: `entry` is one valid pollfd for the whole call, and the count says one.
        let count = unsafe { libc::poll(&mut entry, 1, timeout) };
        patience.idled(began.elapsed());
        if count > 0 {
            // POLLERR and POLLHUP count as ready: the read or write that follows tells which.
            return Ok(());
        }
        if count < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(WaitEnd::System(error));
            }
        }
    }
}
