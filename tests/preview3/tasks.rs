//! Ten thousand tasks at once in one program: they all come to their ends, and what the host needed for them is there for the
//! next.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Stdio};

use crate::harness::process::Running;
use crate::peer::echo;
use crate::running;

/// Rounds of it.
const ROUNDS: usize = 4;

/// A quarter more handles than tasks, and memory for half as much again as a round takes: what a round left behind would be
/// missing in the next.
const LIMITS: [&str; 5] =
    ["--max-handles=12500", "--max-memory=20MiB", "--max-sockets=1100", "--allow=network", "--timeout=55s"];

/// What all tasks may take of the host at most, each of them 4 KiB.
const MOST_KIB: u64 = 40_000;

/// What the host's allocator may keep of it for the next time.
const KEPT_KIB: u64 = 20_000;

/// What may come on top of that from one round to the next: nothing, but an allocator is no accountant.
const GROWTH_KIB: u64 = 2_000;

/// What a process had when it said something.
#[derive(Clone, Copy, Debug)]
struct Held {
    descriptors: usize,
    /// Memory, without the program's own.
    host_kib: u64,
}

/// A program of very many tasks.
struct Tasks {
    running: Running,
    input: ChildStdin,
    output: Box<dyn BufRead>,
}

impl Tasks {
    /// `p3_tasks ROUNDS TIMERS STREAMS DATAGRAMS CONNECTIONS ADDRESS`
    fn begin(counts: [&str; 4]) -> Self {
        let (rounds, server) = (ROUNDS.to_string(), echo().to_string());
        let [timers, streams, datagrams, connections] = counts;
        let words = [&rounds, timers, streams, datagrams, connections, &server];
        let mut command = running(&LIMITS, "p3_tasks", &words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Tasks { running: Running::of(child), input, output: Box::new(BufReader::new(output)) }
    }

    /// Waits until the program says this, and lets it go on; what it had.
    fn says(&mut self, what: &str) -> Held {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let (said, own) = line.trim_end().split_once("; ").unwrap_or_else(|| panic!("no line: {line:?}"));
        assert_eq!(said, what);
        let own: u64 = own.strip_suffix(" KiB").unwrap().parse().unwrap();
        let process = format!("/proc/{}", self.running.child.id());
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident: u64 = resident.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        let descriptors = std::fs::read_dir(format!("{process}/fd")).unwrap().count();
        self.input.write_all(b"\n").unwrap();
        Held { descriptors, host_kib: resident.saturating_sub(own) }
    }
}

/// All rounds of so many tasks, ten thousand in all.
fn rounds(counts: [&str; 4]) {
    let mut tasks = Tasks::begin(counts);
    let before = tasks.says("ready");
    let mut after_one = None;
    for _ in 0..ROUNDS {
        let at_once = tasks.says("10000 wait");
        assert!(at_once.host_kib < before.host_kib + MOST_KIB, "{before:?}, at once {at_once:?}");
        let after = tasks.says("10000 have ended");
        assert_eq!(after.descriptors, before.descriptors);
        assert!(after.host_kib < before.host_kib + KEPT_KIB, "{before:?}, after {after:?}");
        let after_one = after_one.get_or_insert(after);
        assert!(after.host_kib < after_one.host_kib + GROWTH_KIB, "after one {after_one:?}, then {after:?}");
    }
    let ran = tasks.running.wait();
    assert_eq!(ran.status(), 0, "{ran:?}");
}

#[test]
fn ten_thousand_timers_end_and_leave_nothing_behind() {
    rounds(["10000", "0", "0", "0"]);
}

#[test]
fn ten_thousand_streams_end_and_leave_nothing_behind() {
    rounds(["0", "10000", "0", "0"]);
}

#[test]
fn ten_thousand_tasks_of_all_kinds_end_and_leave_nothing_behind() {
    // No more connections at once than wait in the queue of a listener of Rust's library.
    rounds(["5000", "4000", "900", "100"]);
}
