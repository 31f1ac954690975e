//! The size of the server's page cache.

use std::fs;

const MB: u64 = 1024 * 1024;
/// The server's part of the memory is one in this many, because the daemon and the system's page cache share it.
const PART: u64 = 8;
const LEAST_MB: u64 = 128;
const MOST_MB: u64 = 2_048;
/// The size for a machine of unknown memory.
const UNKNOWN_MB: u64 = 256;

/// Returns the server's `shared_buffers`: an eighth of the memory of this machine or its container.
pub(super) fn shared_buffers() -> String {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine(&text));
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    format!("{}MB", part_mb(machine, container))
}

/// Returns the machine's memory in bytes.
fn machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kb: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kb * 1024)
}

fn part_mb(machine: Option<u64>, container: Option<u64>) -> u64 {
    let there_is = machine.into_iter().chain(container).min();
    there_is.map_or(UNKNOWN_MB, |bytes| (bytes / MB / PART).clamp(LEAST_MB, MOST_MB))
}

#[cfg(test)]
mod tests {
    use super::{MB, machine, part_mb};

    #[test]
    fn the_page_cache_is_an_eighth_of_memory_within_bounds() {
        let gb = 1024 * MB;
        assert_eq!(part_mb(Some(8 * gb), None), 1_024);
        assert_eq!(part_mb(Some(64 * gb), Some(4 * gb)), 512);
        assert_eq!(part_mb(Some(64 * gb), None), 2_048);
        assert_eq!(part_mb(Some(gb / 2), None), 128);
        assert_eq!(part_mb(None, None), 256);
    }

    #[test]
    fn machine_memory_is_read_in_kilobytes() {
        assert_eq!(machine("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 * MB));
        assert_eq!(machine("MemFree: 1 kB\n"), None);
    }
}
