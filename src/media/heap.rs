//! Memory that ended inputs leave behind in the C library.
//!
//! What FFmpeg frees stays with glibc, which hands it to the system only from the top of a heap: any small piece above keeps all below.
//! After 100 streams of 640x360 had been removed, 791 of 853 MiB stayed. Counted where inputs close; whoever has the time asks for the rest.

use std::sync::atomic::{AtomicU64, Ordering};

static CLOSED: AtomicU64 = AtomicU64::new(0);

/// Counts an input that was closed.
pub(in crate::media) fn note_closed() {
    CLOSED.fetch_add(1, Ordering::Relaxed);
}

/// Inputs that were closed since the start of the process.
pub(crate) fn closed() -> u64 {
    CLOSED.load(Ordering::Relaxed)
}

/// Gives what is free to the system; takes milliseconds for each 100 MB, in which others may wait for memory.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) may be called at any time by any thread; it touches only what is free.
    unsafe {
        libc::malloc_trim(0);
    }
}
