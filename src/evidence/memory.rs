//! How much memory the system grants this process: what its control group or the machine has.

use std::fs;

/// Without any word from the system: a small machine.
const UNKNOWN: u64 = 1 << 30;

/// Share of it that packets may take when nothing is configured: a tenth.
const SHARE: u64 = 10;

/// Memory for packets of all streams, as configured or a tenth of what the system grants.
pub fn budget(configured: Option<u64>) -> u64 {
    configured.unwrap_or_else(|| {
        let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
        let machine = fs::read_to_string("/proc/meminfo").ok();
        granted(group.as_deref(), machine.as_deref()) / SHARE
    })
}

fn granted(group: Option<&str>, machine: Option<&str>) -> u64 {
    // "max" when the group has no bound.
    let group = group.and_then(|text| text.trim().parse::<u64>().ok());
    let machine = machine.and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
    });
    match (group, machine) {
        (Some(group), Some(machine)) => group.min(machine),
        (group, machine) => group.or(machine).unwrap_or(UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_of_group_and_machine_counts() {
        let machine = Some("MemTotal:        8000000 kB\nMemFree: 5 kB\n");
        assert_eq!(granted(Some("max\n"), machine), 8_192_000_000);
        assert_eq!(granted(Some("1073741824\n"), machine), 1 << 30);
        assert_eq!(granted(None, Some("nonsense")), UNKNOWN);
        assert_eq!(budget(Some(7)), 7);
    }
}
