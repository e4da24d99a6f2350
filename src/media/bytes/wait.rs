//! Waiting for a descriptor in short slices, so that the lifeline is honoured in every wait.
//!
//! Used by every source that reads from a pipe or socket, on the session's thread.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use avwatch_actors::lifeline::CutReason;

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
    /// The system refused to wait.
    System(io::Error),
}

/// Waits until the descriptor is ready, asking `patience` at least every 100 ms.
pub(super) fn wait(fd: BorrowedFd<'_>, ready: Ready, patience: &Patience) -> Result<(), WaitEnd> {
    let events = match ready {
        Ready::Read => libc::POLLIN,
        Ready::Write => libc::POLLOUT,
    };
    loop {
        if let Some(reason) = patience.verdict() {
            return Err(WaitEnd::Cut(reason));
        }
        let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
        // At most 100, so it fits; rounded up so that a last fraction does not spin.
        let timeout = patience.slice().as_millis() as libc::c_int + 1;
        // SAFETY: `entry` is one valid pollfd for the whole call, and the count says one.
        let count = unsafe { libc::poll(&mut entry, 1, timeout) };
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
