//! Marks in the arenas of threads that ended, by which the free ends of these arenas go back to the system.
//!
//! `malloc_trim` gives back what is free between blocks, but no ends of arenas. Those are looked at when something large
//! is freed in them. The thread itself cannot do so: what it has cached lies before the end until it is gone. So it leaves
//! a block behind, which whoever gives memory back frees. For glibc only.

use std::sync::{Mutex, PoisonError};

/// glibc looks at the end of an arena when a free stretch of so many bytes comes about.
const NOTICED: usize = 64 << 10;
/// Marks that are kept, 64 MiB of addresses, of which one page each is in RAM as a rule; after streams without decoders
/// nobody gives back. The ends of further arenas go back with what is freed there next.
const MARKS_MAX: usize = 1_024;

static MARKS: Mutex<Vec<Mark>> = Mutex::new(Vec::new());

/// A block in the arena of the thread that made it, freed when it is dropped.
pub(super) struct Mark(*mut libc::c_void);

// SAFETY: blocks of malloc(3) may be freed by any thread.
unsafe impl Send for Mark {}

impl Mark {
    fn new() -> Self {
        // SAFETY: malloc(3) may be called at any time. Nobody reads or writes the block, and it may be none.
        Self(unsafe { libc::malloc(NOTICED) })
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // SAFETY: a block of malloc(3), or none, and nobody else's.
        unsafe { libc::free(self.0) };
    }
}

/// Leaves a mark when it is dropped.
struct Marker;

impl Drop for Marker {
    fn drop(&mut self) {
        let mark = Mark::new();
        let mut marks = MARKS.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() < MARKS_MAX {
            marks.push(mark);
        }
    }
}

/// Has the calling thread leave a mark when it ends.
pub(super) fn leave_at_end() {
    thread_local! {
        static MARKER: Marker = const { Marker };
    }
    MARKER.with(|_| ());
}

/// Takes all marks; those of threads that end from now on are others.
pub(super) fn take() -> Vec<Mark> {
    std::mem::take(&mut *MARKS.lock().unwrap_or_else(PoisonError::into_inner))
}
