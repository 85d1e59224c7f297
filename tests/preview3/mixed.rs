//! Programs that wait in functions of 0.2 beside tasks and streams of 0.3: what else the host has to do for them goes on
//! meanwhile.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use crate::harness::process::Running;
use crate::harness::{Folder, granted, run, turnkey};
use crate::running;

const PROGRAM: &str = "p3_mixed";

/// What takes longer hangs.
const TIMEOUT: &str = "--timeout=50s";

#[test]
fn a_sleep_in_0_2_keeps_the_call_that_it_is_in_and_nobody_else() {
    let ran = run(&mut running::<&str>(&[], PROGRAM, &["sleep"]));
    let said = ran.quiet().strip_prefix("the timer was over after ").unwrap().strip_suffix(" ms\n").unwrap();
    let (timer, sleep) = said.split_once(" ms, the wait after ").unwrap();
    // Both are in one call of one instance: nothing of it can run before the sleep has come back into it.
    let (timer, sleep): (u64, u64) = (timer.parse().unwrap(), sleep.parse().unwrap());
    assert!(timer >= 200 && sleep >= 200, "{said}");

    // Another instance runs meanwhile, unless the sleep is in a function of that one: into the middle of it nobody comes.
    let folder = Folder::new();
    let composed = folder.file("composed.wat", include_str!("composed.wat"));
    for (function, meanwhile) in [("beside()", "true\n"), ("below()", "false\n")] {
        let ran = run(turnkey().args(["run", "--invoke", function]).arg(&composed));
        assert_eq!(ran.quiet(), meanwhile, "{function}");
    }
}

#[test]
fn a_stream_from_input_to_output_goes_on_while_the_program_waits_in_0_2() {
    let folder = Folder::new();
    let mut command = running(&[TIMEOUT.into(), "--dir".into(), granted(folder.root(), "/d")], PROGRAM, &["copy"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let running = Running::of(child);
    for word in ["one", "two", "three"] {
        input.write_all(word.as_bytes()).unwrap();
        let mut came = vec![0; word.len()];
        output.read_exact(&mut came).unwrap();
        assert_eq!(came, word.as_bytes());
    }
    folder.file("enough", "");
    assert_eq!(running.wait().status(), 0);
}

#[test]
fn a_write_that_waits_for_room_goes_on_while_the_program_waits_in_0_2() {
    let mut command = running(&[TIMEOUT], PROGRAM, &["write"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut says = BufReader::new(child.stderr.take().unwrap());
    let running = Running::of(child);
    let mut line = String::new();
    says.read_line(&mut line).unwrap();
    let written: usize = line.trim_end().parse().unwrap();
    // What it has written, and one byte of what waited.
    output.read_exact(&mut vec![0; written + 1]).unwrap();
    input.write_all(b"\n").unwrap();
    line.clear();
    says.read_line(&mut line).unwrap();
    assert!(line.starts_with("Complete("), "{line}");
    drop(output);
    assert_eq!(running.wait().status(), 0);
}
