//! The heap that FFmpeg and we share: memory of what was closed goes back to the system when it is told to.
//!
//! glibc keeps what was freed for later: after a hundred decoders of 360p were closed, 365 MB stayed with
//! the process, and 64 MB once it was told to give back, which took 80 ms. It locks one arena after the
//! other meanwhile, so this is called on a thread of its own, never on an arbiter or a session's thread.

use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[path = "arena_marks.rs"]
mod marks;

// Relaxed throughout: counts that nothing else is ordered by.
static CLOSED: AtomicU64 = AtomicU64::new(0);
static TRIMS: AtomicU64 = AtomicU64::new(0);

/// Whether this system's heap keeps freed memory and can be told to give it back.
pub const GIVES_BACK: bool = cfg!(all(target_os = "linux", target_env = "gnu"));

/// Blocks of at least so many bytes come from the system and go back to it one by one. Left to itself glibc raises its
/// threshold to the largest block that was freed, up to 32 MiB; then pictures lie in the heap, and what was allocated
/// between them keeps their memory from going back. Planes of luma from 720 rows on are larger than this; coded key
/// pictures, which come and go, and for which the system would clear pages each time, are smaller, and so are planes of
/// smaller pictures, which stay until their decoder is closed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM: libc::c_int = 896 << 10;

/// More arenas than there are threads, so that each has its own. glibc would share eight a core: on two cores a
/// hundred decoding threads, which step back, and those that answer requests wait for each other's locks, and a
/// thread that has stepped back is not run while it holds one. With 120 streams too many for the cores, the 99th
/// percentile of the API was 610 ms, and is 13 ms so.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS_MAX: libc::c_int = 4_096;

/// What is free at the end of an arena goes back to the system from so many bytes on, but for a page: more than a coded key
/// picture, so that pages do not come and go with each of them. Of threads that decoded and ended all of it does once
/// memory is given back, see [`marks`].
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const END_MAX: libc::c_int = 512 << 10;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const END_KEPT: libc::c_int = 4 << 10;

/// Blocks up to so many bytes are set aside, unmerged, when they are freed: none. The few of a thread that has ended
/// would lie in the way between what else it freed and the end of its arena, until `malloc_trim` merges it all; and
/// `malloc_trim` gives back what is between blocks, but not what is at the end. A hundred streams left 65 MiB that way.
/// Threads have caches of their own before this.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const UNMERGED_MAX: libc::c_int = 0;

/// Has large blocks always come from the system by themselves, threads allocate without waiting for each other, and
/// the ends of arenas go back; to be called before there are other threads.
pub fn arrange() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (what, value) in [
        (libc::M_MMAP_THRESHOLD, MAPPED_FROM),
        (libc::M_ARENA_MAX, ARENAS_MAX),
        (libc::M_MXFAST, UNMERGED_MAX),
        (libc::M_TRIM_THRESHOLD, END_MAX),
        (libc::M_TOP_PAD, END_KEPT),
    ] {
        // SAFETY: glibc's mallopt(3) takes the lock of its first arena and sets a number.
        unsafe { libc::mallopt(what, value) };
    }
}

/// Has the free end of the calling thread's arena go back as well when memory is given back after the thread has ended. For
/// threads that decode.
pub(in crate::media) fn leave_mark_at_end() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    marks::leave_at_end();
}

/// Counts a decoder that was closed.
pub(in crate::media) fn note_closed() {
    CLOSED.fetch_add(1, Ordering::Relaxed);
}

/// Decoders that were closed since start.
pub fn decoders_closed() -> u64 {
    CLOSED.load(Ordering::Relaxed)
}

/// How often memory was asked to be given back since start.
pub fn trims() -> u64 {
    TRIMS.load(Ordering::Relaxed)
}

/// Gives the system back what was freed; true if there was anything.
pub fn give_back() -> bool {
    TRIMS.fetch_add(1, Ordering::Relaxed);
    trim()
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() -> bool {
    let marks = marks::take();
    // SAFETY: mallopt(3) as above. The threshold is one for all arenas: while it is low, other threads give back more than
    // they would.
    let give_ends_from = |bytes| unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, bytes) };
    give_ends_from(END_KEPT);
    drop(marks);
    give_ends_from(END_MAX);
    // SAFETY: glibc's malloc_trim(3) may be called at any time from any thread; it takes the locks of its
    // arenas itself and touches no memory that is in use.
    unsafe { libc::malloc_trim(0) != 0 }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_snapshot::ProcessSnapshot;

    /// 128 MiB in blocks so small that the heap does not ask the system for each.
    const BLOCK: usize = 8 << 10;
    const BLOCKS: usize = 16 << 10;

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn memory_that_lies_between_what_is_in_use_goes_back_to_the_system() {
        let resident = || ProcessSnapshot::read().resident_bytes.unwrap();
        let mut blocks: Vec<Option<Box<[u8]>>> = (0..BLOCKS).map(|_| Some(vec![1_u8; BLOCK].into())).collect();
        // What stays in use is spread over all of it, as pictures still with somebody are.
        for (number, block) in blocks.iter_mut().enumerate() {
            if number % 64 != 0 {
                *block = None;
            }
        }
        let (before, asked) = (resident(), trims());
        assert!(give_back());
        let after = resident();
        assert!(before.saturating_sub(after) > 64 << 20, "{before} to {after}");
        assert!(trims() > asked);
        assert!(
            blocks.iter().flatten().all(|block| block.iter().all(|byte| *byte == 1)),
            "what is in use is untouched"
        );
    }

    /// Arenas that the heap has, as it tells itself.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn arenas() -> usize {
        let (mut text, mut length) = (std::ptr::null_mut(), 0);
        // SAFETY: the stream writes into memory that it allocates, which is read once it is closed and then freed.
        unsafe {
            let stream = libc::open_memstream(&mut text, &mut length);
            assert!(!stream.is_null() && libc::malloc_info(0, stream) == 0);
            libc::fclose(stream);
            let told = String::from_utf8_lossy(std::slice::from_raw_parts(text.cast::<u8>(), length)).into_owned();
            libc::free(text.cast());
            told.matches("<heap nr=").count()
        }
    }

    /// Gives threads an arena each and counts them. Once there are more threads than glibc gives arenas by itself,
    /// it has settled how many there may be, so this wants a process in which no other test has run.
    #[test]
    #[ignore = "run in a process of its own by the test below"]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn every_thread_has_an_arena_of_its_own() {
        arrange();
        // glibc shares eight arenas a core by itself.
        let threads = 8 * std::thread::available_parallelism().unwrap().get() + 8;
        let (allocated, end) = (std::sync::Barrier::new(threads + 1), std::sync::Barrier::new(threads + 1));
        let found = std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let block = std::hint::black_box(vec![1_u8; BLOCK]);
                    allocated.wait();
                    end.wait();
                    drop(block);
                });
            }
            allocated.wait();
            let found = arenas();
            end.wait();
            found
        });
        assert!(found >= threads, "{found} arenas, {threads} threads");
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn requests_do_not_wait_for_decoders_that_share_an_arena_with_them() {
        alone("every_thread_has_an_arena_of_its_own");
    }

    /// Has many threads at a time allocate and free as sessions do, large blocks and at the end of them small ones,
    /// and looks what stays when they have ended.
    #[test]
    #[ignore = "run in a process of its own by the test below"]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn threads_that_ended_leave_no_free_ends_of_arenas() {
        const THREADS: usize = 64;
        let blocks = END_MAX as usize * 3 / 4 / BLOCK;
        arrange();
        let resident = || ProcessSnapshot::read().resident_bytes.unwrap();
        let before = resident();
        let (begin, freed) = (std::sync::Barrier::new(THREADS), std::sync::Barrier::new(THREADS));
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        leave_mark_at_end();
                        begin.wait();
                        let large: Vec<Box<[u8]>> = (0..blocks).map(|_| vec![1_u8; BLOCK].into()).collect();
                        let small: Vec<Box<[u8]>> = (0..256).map(|_| vec![1_u8; 64].into()).collect();
                        drop((std::hint::black_box(large), std::hint::black_box(small)));
                        freed.wait();
                    })
                })
                .collect();
            // Leaving the scope waits for what they do, not for their ends.
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        give_back();
        let left = resident().saturating_sub(before);
        // They had 384 KiB each, too little for the end of an arena to go back by itself.
        assert!(left < THREADS as u64 * (128 << 10), "{left} bytes are left");
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn removed_streams_leave_no_memory_behind_in_the_arenas_of_their_threads() {
        alone("threads_that_ended_leave_no_free_ends_of_arenas");
    }

    /// Runs a test that is ignored in a process of its own.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn alone(test: &str) {
        let (_, module) = module_path!().split_once("::").unwrap();
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--test-threads=1", &format!("{module}::{test}")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
    }
}
