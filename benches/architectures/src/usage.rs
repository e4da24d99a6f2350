//! What processes use: CPU time and memory, as the kernel counts them.

use anyhow::{Result, bail};

use crate::page::figures::Usage;

/// Of a running process, all its threads included, those that have ended too.
pub fn of_process(id: u32) -> Result<Usage> {
    Ok(Usage { cpu_s: cpu_s(id)?, peak_bytes: peak_bytes(id)? })
}

/// To the nanosecond, where /proc counts in hundredths of a second.
fn cpu_s(id: u32) -> Result<f64> {
    let mut clock = 0;
    // SAFETY: the pointer is to a live local of the right type.
    let found = unsafe { libc::clock_getcpuclockid(id as i32, &mut clock) };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live local of the right type; a clock that does not exist is an error.
    if found != 0 || unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
        bail!("process {id} has no CPU clock: it has ended");
    }
    Ok(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

fn peak_bytes(id: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    match peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok()) {
        Some(kilobytes) => Ok(kilobytes * 1024),
        None => bail!("the kernel does not tell the memory of process {id}"),
    }
}
