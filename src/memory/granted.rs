//! How much memory the system grants this process: what its control group or the machine has.

use std::fs;
use std::path::Path;

use crate::node_snapshot::resident_bytes;

/// Without any word from the system: a small machine.
const UNKNOWN: u64 = 1 << 30;

/// Share of it that packets may take when nothing is configured: a tenth.
const PACKETS_SHARE: u64 = 10;

/// Control groups above ours that are looked at; they are nested less deep.
const GROUPS_MAX: usize = 32;

/// Memory for packets of all streams, as configured or a tenth of what the system grants.
pub fn for_packets(configured: Option<u64>) -> u64 {
    configured.unwrap_or_else(|| granted(group_bound(), machine("MemTotal:")) / PACKETS_SHARE)
}

/// Memory that the process may take, as configured or what the system grants: the bound of its control
/// groups, or what is available on the machine now. Asked once, at start.
pub fn for_process(configured: Option<u64>) -> u64 {
    configured.unwrap_or_else(|| {
        let own = resident_bytes().unwrap_or_default();
        granted(group_bound(), machine("MemAvailable:").map(|available| available.saturating_add(own)))
    })
}

/// The tighter of the two.
fn granted(group: Option<u64>, machine: Option<u64>) -> u64 {
    match (group, machine) {
        (Some(group), Some(machine)) => group.min(machine),
        (group, machine) => group.or(machine).unwrap_or(UNKNOWN),
    }
}

fn machine(key: &str) -> Option<u64> {
    figure(&fs::read_to_string("/proc/meminfo").ok()?, key)
}

fn figure(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// The tightest bound of the control groups (version 2) in which the process is.
fn group_bound() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let root = Path::new("/sys/fs/cgroup");
    tightest(root, &root.join(own))
}

fn tightest(root: &Path, own: &Path) -> Option<u64> {
    let groups = own.ancestors().take(GROUPS_MAX).take_while(|group| group.starts_with(root));
    // "max" when a group has no bound.
    let bound = |group: &Path| fs::read_to_string(group.join("memory.max")).ok()?.trim().parse::<u64>().ok();
    groups.filter_map(bound).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_of_group_and_machine_counts() {
        let meminfo = "MemTotal:        8000000 kB\nMemFree: 5 kB\n";
        assert_eq!((figure(meminfo, "MemTotal:"), figure(meminfo, "MemAvailable:")), (Some(8_192_000_000), None));
        assert_eq!(granted(None, figure(meminfo, "MemTotal:")), 8_192_000_000);
        assert_eq!(granted(Some(1 << 30), figure(meminfo, "MemTotal:")), 1 << 30);
        assert_eq!(granted(None, figure("nonsense", "MemTotal:")), UNKNOWN);
        assert_eq!((for_packets(Some(7)), for_process(Some(8))), (7, 8));
    }

    #[test]
    fn the_tightest_of_nested_control_groups_counts() {
        let root = tempfile::tempdir().unwrap();
        let service = root.path().join("system.slice/avwatch.service");
        fs::create_dir_all(&service).unwrap();
        assert_eq!(tightest(root.path(), &service), None);
        fs::write(service.join("memory.max"), "max\n").unwrap();
        fs::write(service.parent().unwrap().join("memory.max"), "4096\n").unwrap();
        assert_eq!(tightest(root.path(), &service), Some(4_096));
        fs::write(service.join("memory.max"), "1024\n").unwrap();
        assert_eq!(tightest(root.path(), &service), Some(1_024));
    }

    #[test]
    fn this_process_is_granted_more_than_it_takes() {
        assert!(for_process(None) > resident_bytes().unwrap_or_default());
    }
}
