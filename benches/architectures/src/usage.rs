//! What processes use: CPU time and memory, as the kernel counts them.

use serde::Serialize;

/// What a process has used.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Usage {
    /// User and system time, in seconds.
    pub cpu_s: f64,
    /// Most memory that it had at a time, in bytes.
    pub peak_bytes: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.cpu_s += other.cpu_s;
        self.peak_bytes += other.peak_bytes;
    }
}

/// Of a running process, its ended children included; nothing of one that is gone.
pub fn of_process(id: u32) -> Usage {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Behind the name user time is the 12th field, system time the 13th, those of its children follow.
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0);
    // Linux counts in hundredths of a second for everybody.
    Usage { cpu_s: (ticks(11) + ticks(12) + ticks(13) + ticks(14)) / 100.0, peak_bytes: kilobytes * 1024 }
}
