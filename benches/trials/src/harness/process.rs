//! What the kernel tells of a process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// A process by its number.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

impl Process {
    fn path(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.0))
    }

    fn status(self, key: &str) -> Result<u64> {
        let text = fs::read_to_string(self.path("status")).context("the process is gone")?;
        let line = text.lines().find_map(|line| line.strip_prefix(key)).with_context(|| format!("no {key}"))?;
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse().context("the kernel writes numbers")
    }

    /// Memory in RAM, in bytes.
    pub fn resident(self) -> Result<u64> {
        Ok(self.status("VmRSS:")? << 10)
    }

    /// The most that it was since the last [`Self::forget_peak`], in bytes.
    pub fn resident_peak(self) -> Result<u64> {
        Ok(self.status("VmHWM:")? << 10)
    }

    /// Makes the peak what is resident now.
    pub fn forget_peak(self) -> Result<()> {
        fs::write(self.path("clear_refs"), "5").context("the peak cannot be reset")
    }

    /// Threads.
    pub fn threads(self) -> Result<u64> {
        self.status("Threads:")
    }

    /// Open descriptors.
    pub fn descriptors(self) -> Result<u64> {
        Ok(fs::read_dir(self.path("fd")).context("the process is gone")?.count() as u64)
    }

    /// How many threads there are of each name; numbers at the end of names are left off.
    pub fn thread_names(self) -> BTreeMap<String, usize> {
        let mut names = BTreeMap::new();
        for task in fs::read_dir(self.path("task")).into_iter().flatten().flatten() {
            // A thread may end meanwhile.
            let Ok(name) = fs::read_to_string(task.path().join("comm")) else { continue };
            let name = name.trim_end().trim_end_matches(|c: char| c.is_ascii_digit());
            *names.entry(name.to_owned()).or_insert(0) += 1;
        }
        names
    }

    /// CPU seconds of all threads, or of those of that name.
    pub fn cpu(self, thread: Option<&str>) -> Result<f64> {
        let Some(wanted) = thread else {
            return ticks(&fs::read_to_string(self.path("stat")).context("the process is gone")?);
        };
        let mut sum = 0.0;
        for task in fs::read_dir(self.path("task")).context("the process is gone")?.flatten() {
            let Ok(name) = fs::read_to_string(task.path().join("comm")) else { continue };
            if name.trim_end() == wanted {
                sum += ticks(&fs::read_to_string(task.path().join("stat")).unwrap_or_default()).unwrap_or(0.0);
            }
        }
        Ok(sum)
    }

    /// Sends a signal.
    pub fn signal(self, signal: i32) -> Result<()> {
        // SAFETY: kill(2) takes two numbers and touches no memory.
        let sent = unsafe { libc::kill(self.0 as i32, signal) };
        if sent == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()).context("the process is gone") }
    }
}

/// User and system time of a `stat` line, in seconds; names may hold blanks and brackets.
fn ticks(stat: &str) -> Result<f64> {
    let (_, fields) = stat.rsplit_once(')').context("no stat line")?;
    let sum: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // SAFETY: sysconf(3) takes a number and touches no memory.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok(sum as f64 / per_second as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_threads_descriptors_and_time() {
        let own = Process(std::process::id());
        assert!(own.resident().unwrap() > 1 << 20);
        assert!(own.threads().unwrap() >= 1 && own.descriptors().unwrap() >= 3);
        assert!(own.cpu(None).unwrap() >= 0.0);
        assert!(own.thread_names().values().sum::<usize>() >= 1);
    }

    #[test]
    fn odd_names_do_not_shift_the_fields() {
        let line = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 300 200 0 0";
        assert!((ticks(line).unwrap() - 5.0).abs() < 1.0);
    }
}
