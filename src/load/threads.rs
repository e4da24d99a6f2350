//! CPU time of the process by what its threads do, read from `/proc/self/task`.
//!
//! Linux only, as is the rest. Threads are told by the names that they were given; what has ended by the time of reading is
//! in the total alone.

use std::fs;
use std::time::Duration;

/// CPU time so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadTimes {
    /// Sessions: reading, decoding, measuring; making frames.
    pub sessions: Duration,
    /// Detector arbiters.
    pub arbiters: Duration,
    /// The sender.
    pub sender: Duration,
    /// All threads, ended ones included.
    pub total: Duration,
}

impl ThreadTimes {
    /// Reads them. What cannot be read counts as nothing.
    pub fn read() -> Self {
        let mut times = Self::default();
        let entries = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        for entry in entries {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            let Some(sum) = times.of(name.trim_end()) else { continue };
            let text = fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
            *sum += on_cpu(&text);
        }
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        times.total = Duration::new(
            u64::try_from(time.tv_sec).unwrap_or_default(),
            u32::try_from(time.tv_nsec).unwrap_or_default(),
        );
        times
    }

    /// What passed since an earlier reading.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            sessions: self.sessions.saturating_sub(earlier.sessions),
            arbiters: self.arbiters.saturating_sub(earlier.arbiters),
            sender: self.sender.saturating_sub(earlier.sender),
            total: self.total.saturating_sub(earlier.total),
        }
    }

    fn of(&mut self, name: &str) -> Option<&mut Duration> {
        if name.starts_with("ingest:") {
            Some(&mut self.sessions)
        } else if name.starts_with("actix-rt|") {
            Some(&mut self.arbiters)
        } else if name.starts_with("load:sender") {
            Some(&mut self.sender)
        } else {
            None
        }
    }
}

/// The first field of `schedstat`: nanoseconds on a CPU.
fn on_cpu(text: &str) -> Duration {
    text.split_ascii_whitespace()
        .next()
        .and_then(|nanos| nanos.parse().ok())
        .map_or(Duration::ZERO, Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_counted_by_its_name_and_in_the_total() {
        let before = ThreadTimes::read();
        let (say, said) = crossbeam_channel::bounded::<ThreadTimes>(1);
        let work = move || {
            let sum: u64 = (0..20_000_000_u64).map(std::hint::black_box).sum();
            assert!(std::hint::black_box(sum) > 0);
            say.send(ThreadTimes::read()).expect("the test listens");
        };
        std::thread::Builder::new().name("ingest:test#1".to_owned()).spawn(work).expect("a thread can be made");
        let used = said.recv().expect("it answers").since(&before);
        assert!(used.sessions > Duration::ZERO && used.total >= used.sessions, "{used:?}");
        assert_eq!(on_cpu("123456 5 7\n"), Duration::from_nanos(123_456));
    }
}
