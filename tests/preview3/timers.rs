//! Time by Preview 3's clock, when it stands still: tasks that sleep at once wake in the order of their ends, and what can happen
//! happens before the clock is moved.

use std::io::Write;
use std::process::Stdio;

use crate::harness::{run, start};
use crate::running;

#[test]
fn tasks_that_sleep_at_once_by_a_clock_that_stands_still_sleep_at_the_same_time() {
    // Nothing can be read, and nothing ends: whoever holds the other end of the pipe says nothing.
    let (input, _silent) = std::io::pipe().unwrap();
    let mut command = running(&["--clock", "frozen"], "p3_timers", &[]);
    let ran = run(command.stdin(input));
    assert_eq!(ran.quiet(), "10 after 10\n20 after 20\n30 after 30\nnothing until 80\n");
}

#[test]
fn what_is_there_already_comes_before_a_time_that_only_the_clock_has_to_reach() {
    let mut command = running(&["--clock", "frozen"], "p3_timers", &[]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = start(&mut command);
    running.child.stdin.as_mut().unwrap().write_all(b"a line\n").unwrap();
    let ran = running.wait();
    assert!(ran.quiet().ends_with("read a line\n"), "{:?}", ran.stdout);
}
