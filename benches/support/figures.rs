//! Figures: medians, the CPU time and memory of processes, and the line that is printed of each.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What a process used until it ended.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Most memory that was resident at a time, in bytes.
    pub(crate) peak_bytes: f64,
    /// What it printed.
    pub(crate) output: String,
}

/// Runs a process to its end. Exit statuses above `worst` are errors.
pub(crate) fn run(command: &mut Command, worst: i32) -> io::Result<Used> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    let mut output = String::new();
    if let Some(pipe) = &mut child.stdout {
        io::Read::read_to_string(pipe, &mut output)?;
    }
    let (status, usage) = wait(&child)?;
    if !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) > worst {
        return Err(io::Error::other(format!("{command:?} ended with status {status}")));
    }
    Ok(Used { cpu: cpu_of(&usage), peak_bytes: usage.ru_maxrss as f64 * 1024.0, output })
}

/// Waits for a child and tells what it used, which the standard library does not.
fn wait(child: &Child) -> io::Result<(i32, libc::rusage)> {
    let mut status = 0;
    // SAFETY: plain numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to variables of ours; the child has not been waited for.
    let waited = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
    if waited < 0 { Err(io::Error::last_os_error()) } else { Ok((status, usage)) }
}

/// CPU time of this process so far.
#[allow(dead_code)]
pub(crate) fn own_cpu() -> Duration {
    // SAFETY: plain numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a variable of ours.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    cpu_of(&usage)
}

fn cpu_of(usage: &libc::rusage) -> Duration {
    let time =
        |time: libc::timeval| Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// The middle of the values; of an even number of them the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}

/// The median distance from the median.
pub(crate) fn mad(values: &[f64]) -> f64 {
    let middle = median(values);
    median(&values.iter().map(|value| (value - middle).abs()).collect::<Vec<_>>())
}

/// Prints a figure that is a ratio already; true when it holds.
pub(crate) fn print_ratio(name: &str, ratios: &[f64], target: f64) -> bool {
    print(name, median(ratios), ratios, target)
}

/// Prints an absolute figure, whose ratio is to its target; true when it holds.
#[allow(dead_code)]
pub(crate) fn print_absolute(name: &str, values: &[f64], target: f64) -> bool {
    print(name, median(values) / target, values, target)
}

fn print(name: &str, ratio: f64, values: &[f64], target: f64) -> bool {
    let ok = median(values) <= target;
    println!(
        r#"{{"name":"{name}","ratio":{ratio:.4},"pairs":{},"median":{:.4},"mad":{:.4},"target":{target},"ok":{ok}}}"#,
        values.len(),
        median(values),
        mad(values)
    );
    ok
}
