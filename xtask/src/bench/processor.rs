//! One processor for this process and for all that it starts from then on.
//!
//! Two processes that answer each other take turns. On one processor that takes a few microseconds; where the other one is
//! asleep, above all in a virtual machine, it takes ten times as long, and which of the two it is changes from second to
//! second. It says nothing of a host.

use std::process::{Command, Stdio};

/// Keeps to one of the processors that this process may use, and says which. Threads that are there already stay where they are.
///
/// # Errors
/// A note for the reader: there is no `taskset`, or it failed.
pub(super) fn keep_to_one() -> Result<u32, String> {
    let kept = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let processor = last_allowed(&status)?;
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", "--pid", &processor.to_string(), &std::process::id().to_string()]);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().ok()?;
        status.success().then_some(processor)
    };
    kept().ok_or_else(|| {
        "not kept to one processor: the figures will differ from round to round\n\
         hint: `taskset`, which is part of util-linux"
            .to_owned()
    })
}

/// The first one mostly has the interrupts.
fn last_allowed(status: &str) -> Option<u32> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    list.trim().rsplit(['-', ',']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_the_allowed_processors_is_taken() {
        assert_eq!(last_allowed("Name:\txtask\nCpus_allowed_list:\t0-3\nThreads:\t1\n"), Some(3));
        assert_eq!(last_allowed("Cpus_allowed_list:\t0-2,7\n"), Some(7));
        assert_eq!(last_allowed("Cpus_allowed_list:\t5\n"), Some(5));
        assert_eq!(last_allowed("Name:\txtask\n"), None);
    }
}
