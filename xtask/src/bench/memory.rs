//! What Linux says of a process that runs: its memory, and the mappings that it is made of.

/// A row of its status, such as `VmRSS:`, in KiB.
///
/// # Errors
/// There is no such process, or no such row.
pub(super) fn status_kib(process: u32, row: &str) -> Result<f64, String> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
    kib(&text, row).ok_or_else(|| format!("`{path}` has no {row}"))
}

/// How many mappings it has: the kernel allows no more than `vm.max_map_count`.
///
/// # Errors
/// There is no such process.
pub(super) fn mappings(process: u32) -> Result<f64, String> {
    let path = format!("/proc/{process}/maps");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
    Ok(text.lines().count() as f64)
}

fn kib(text: &str, row: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(row))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_rows_of_a_process() {
        let text = "Name:\tturnkey\nVmHWM:\t   30720 kB\nVmRSS:\t   20480 kB\n";
        assert_eq!(kib(text, "VmRSS:"), Some(20_480.0));
        assert_eq!(kib(text, "VmSwap:"), None);
        assert!(status_kib(std::process::id(), "VmRSS:").unwrap() > 0.0);
    }

    #[test]
    fn a_process_has_mappings() {
        assert!(mappings(std::process::id()).unwrap() > 1.0);
        assert!(mappings(0).is_err());
    }
}
