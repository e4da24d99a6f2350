//! Workers: the one place where threads of this program are made.
//!
//! Each has a name, a lifeline, and a root that catches panics and says how it ended.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::lifeline::{Lifeline, Phase};

/// Stack of a worker in bytes: decoders keep their tables on the heap, 2 MiB is ample.
const STACK_BYTES: usize = 2 << 20;

/// So many panics of lasting work within that time end it.
const PANICS_MAX: (usize, Duration) = (5, Duration::from_secs(300));
/// Pause between a panic of lasting work and its next turn.
const PAUSE: Duration = Duration::from_millis(500);

static LIVING: AtomicU64 = AtomicU64::new(0);

/// How a worker's work ended.
#[derive(Debug)]
pub enum WorkEnd<T> {
    /// It returned.
    Returned(T),
    /// It panicked with that message.
    Panicked(String),
}

/// Workers that are running now, abandoned ones included.
pub fn living() -> u64 {
    LIVING.load(Ordering::Relaxed)
}

/// Starts a named thread that does `work` and then calls `done` with the outcome.
///
/// Neither a panic of the work nor one of `done` leaves the thread. Errors are the system's refusal
/// to make another thread.
pub fn spawn<T>(
    name: &str,
    line: Arc<Lifeline>,
    work: impl FnOnce(&Arc<Lifeline>) -> T + Send + 'static,
    done: impl FnOnce(WorkEnd<T>) + Send + 'static,
) -> std::io::Result<thread::JoinHandle<()>> {
    let label = name.to_owned();
    thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(move || {
        LIVING.fetch_add(1, Ordering::Relaxed);
        let end = match catch_unwind(AssertUnwindSafe(|| work(&line))) {
            Ok(value) => WorkEnd::Returned(value),
            Err(panic) => WorkEnd::Panicked(panic_message(&*panic)),
        };
        line.enter(Phase::Done);
        if catch_unwind(AssertUnwindSafe(|| done(end))).is_err() {
            tracing::error!(thread = label, "the report of a worker's end panicked");
        }
        LIVING.fetch_sub(1, Ordering::Relaxed);
    })
}

/// The same for work that the service needs for as long as it runs: after a panic it is called again.
///
/// What it owns is as the panic left it, so work must be such that one lost turn does no harm. After five panics
/// in five minutes it ends, as it does after one when it has been cut; `done` hears of the end alone.
pub fn spawn_lasting<T>(
    name: &str,
    line: Arc<Lifeline>,
    mut work: impl FnMut(&Arc<Lifeline>) -> T + Send + 'static,
    done: impl FnOnce(WorkEnd<T>) + Send + 'static,
) -> std::io::Result<thread::JoinHandle<()>> {
    let label = name.to_owned();
    let lasting = move |line: &Arc<Lifeline>| {
        let mut panics = VecDeque::new();
        loop {
            let panic = match catch_unwind(AssertUnwindSafe(|| work(line))) {
                Ok(value) => return value,
                Err(panic) => panic,
            };
            let now = Instant::now();
            panics.retain(|before: &Instant| now - *before < PANICS_MAX.1);
            panics.push_back(now);
            if panics.len() >= PANICS_MAX.0 || line.is_cut() {
                resume_unwind(panic);
            }
            tracing::error!(
                thread = label,
                fault = "panic",
                "a thread panicked, and goes on: {}",
                panic_message(&*panic)
            );
            thread::sleep(PAUSE);
        }
    };
    spawn(name, line, lasting, done)
}

/// How far threads that decode in real time step back: in `nice` values, 0 to 19.
///
/// With five 1080p streams at 60 % of two cores, the 99th percentile from decoded frame to verdict
/// was 7 to 9 ms at 0 and 4 to 5 ms at 10: a detector actor no longer waits for the turn of a decoder.
const STEP_BACK: i32 = 10;

/// Lets every other thread of the process go first when there are not enough cores.
///
/// For the calling thread and for good, since only the privileged may take it back. Judging takes
/// microseconds and decoding milliseconds, so decoders lose nothing by it. In a control group of its
/// own, as services and containers have, it changes nothing against other programs.
pub fn step_back() {
    let thread = rustix::thread::gettid();
    let stepped = rustix::process::getpriority_process(Some(thread))
        .and_then(|now| rustix::process::setpriority_process(Some(thread), now + STEP_BACK));
    if let Err(error) = stepped {
        tracing::debug!(%error, "a decoding thread keeps its priority");
    }
}

/// The text of a panic, at most 300 bytes.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic without a message");
    text.char_indices().take_while(|(at, _)| *at < 300).map(|(_, c)| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    #[test]
    fn a_thread_that_steps_back_leaves_the_priority_of_others_alone() {
        let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).expect("it can be read");
        let before = niceness();
        let stepped = thread::spawn(move || {
            step_back();
            niceness()
        });
        assert_eq!(stepped.join().expect("it does not panic"), (before + STEP_BACK).min(19));
        assert_eq!(niceness(), before);
    }

    /// How often work was called that panics so many times, and how it ended.
    fn lasting(panics: u32, cut: bool) -> (u32, bool) {
        let (sender, receiver) = bounded(1);
        let line = Arc::<Lifeline>::default();
        if cut {
            line.cut(crate::lifeline::CutReason::Stopped);
        }
        let mut calls = 0;
        let work = move |_: &Arc<Lifeline>| {
            calls += 1;
            assert!(calls > panics, "call {calls}");
            calls
        };
        let done = move |end| {
            let told = match end {
                WorkEnd::Returned(calls) => (calls, true),
                WorkEnd::Panicked(why) => (why["call ".len()..].parse().expect("it tells the call"), false),
            };
            sender.send(told).expect("the test waits");
        };
        spawn_lasting("lasting", line, work, done).expect("a thread").join().expect("it does not panic");
        receiver.recv().expect("a report")
    }

    #[test]
    fn lasting_work_goes_on_after_a_panic_but_not_for_ever_and_not_past_its_cut() {
        assert_eq!(lasting(0, false), (1, true));
        assert_eq!(lasting(2, false), (3, true));
        assert_eq!(lasting(9, false), (5, false));
        assert_eq!(lasting(9, true), (1, false));
    }

    #[test]
    fn a_panic_ends_in_a_report_not_in_the_process() {
        let (sender, receiver) = bounded(1);
        let handle = spawn(
            "test",
            Arc::default(),
            |_| -> () { panic!("boom\n{}", "x".repeat(999)) },
            move |end| sender.send(end).expect("the test listens"),
        )
        .expect("a thread can be made");
        handle.join().expect("the root catches everything");
        let WorkEnd::Panicked(text) = receiver.recv().expect("a report") else { panic!("it panicked") };
        assert!(text.starts_with("boom ") && text.len() <= 300);
    }
}
