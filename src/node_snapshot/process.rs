//! What the process uses of the machine, read from `/proc/self`.
//!
//! Read by whoever makes the node snapshot, once a second; a figure that cannot be read is absent,
//! as it is on systems without `/proc`.

use std::fs;
use std::path::Path;

/// Clock ticks a second in `/proc`: `USER_HZ`, part of Linux's interface to programs, 100 on every
/// architecture that avwatch is built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the process uses of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessSnapshot {
    /// CPU time since start, user and system, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Memory in RAM, in bytes.
    pub resident_bytes: Option<u64>,
    /// Address space, in bytes.
    pub virtual_bytes: Option<u64>,
    /// Open file descriptors.
    pub open_fds: Option<u64>,
    /// Most file descriptors that may be open.
    pub max_fds: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// When the process began, in seconds since 1970.
    pub start_time_seconds: Option<f64>,
}

impl ProcessSnapshot {
    /// Reads the figures of this process.
    pub fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (stat, status) = (text("/proc/self/stat"), text("/proc/self/status"));
        let start_ticks = stat_field(&stat, 22);
        let boot = keyed_number(&text("/proc/stat"), "btime");
        Self {
            cpu_seconds: stat_field(&stat, 14).zip(stat_field(&stat, 15)).map(|(u, s)| (u + s) / TICKS_PER_SECOND),
            resident_bytes: resident_of(&status),
            virtual_bytes: keyed_number(&status, "VmSize:").map(|kilobytes| kilobytes * 1024),
            open_fds: count_entries(Path::new("/proc/self/fd")),
            max_fds: keyed_number(&text("/proc/self/limits"), "Max open files"),
            threads: keyed_number(&status, "Threads:"),
            start_time_seconds: boot.zip(start_ticks).map(|(boot, ticks)| boot as f64 + ticks / TICKS_PER_SECOND),
        }
    }
}

/// Memory of this process in RAM, in bytes.
pub fn resident_bytes() -> Option<u64> {
    resident_of(&fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_of(status: &str) -> Option<u64> {
    keyed_number(status, "VmRSS:").map(|kilobytes| kilobytes * 1024)
}

/// Field of `/proc/self/stat` by its number in proc(5), which counts from 1; only from 3 on.
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    // The second field is the program's name in brackets and may itself hold spaces and brackets.
    let after_name = &stat[stat.rfind(')')? + 1..];
    after_name.split_ascii_whitespace().nth(number - 3)?.parse().ok()
}

/// The first number after a key at the start of a line.
fn keyed_number(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn count_entries(directory: &Path) -> Option<u64> {
    // One of the entries is the descriptor that lists them.
    Some((fs::read_dir(directory).ok()?.count() as u64).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4 0 0 0 0 250 50 0 0 20 0 9 0 4000 1 2";
        assert_eq!(stat_field(stat, 14), Some(250.0));
        assert_eq!(stat_field(stat, 15), Some(50.0));
        assert_eq!(stat_field(stat, 22), Some(4000.0));
        assert_eq!(stat_field("", 14), None);
    }

    #[test]
    fn this_process_has_memory_threads_and_descriptors() {
        let read = ProcessSnapshot::read();
        assert!(read.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{read:?}");
        assert!(read.virtual_bytes > read.resident_bytes, "{read:?}");
        assert!(read.threads.is_some_and(|threads| threads >= 1), "{read:?}");
        assert!(read.open_fds.is_some_and(|fds| fds >= 3), "{read:?}");
        assert!(read.max_fds >= read.open_fds, "{read:?}");
        assert!(read.start_time_seconds.is_some_and(|start| start > 1.6e9), "{read:?}");
        assert!(read.cpu_seconds.is_some(), "{read:?}");
    }
}
