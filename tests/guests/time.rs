//! Programs that are about clocks, waiting and randomness.

use std::io::Write;
use std::process::Stdio;

use crate::harness::process::Running;
use crate::harness::{Folder, granted, guest, run, start, turnkey};

#[test]
fn clocks_keep_their_promises() {
    let promises = "\
ok: realtime is after 2020
ok: monotonic time never goes back
ok: slept 0 ms
ok: slept 1 ms
ok: slept 20 ms
";
    for flags in
        [&[][..], &["--timeout", "1m"], &["--clock-resolution", "1ms"], &["--clock=frozen=2026-01-01T00:00:00Z"]]
    {
        assert_eq!(run(turnkey().arg("run").args(flags).arg(guest("clocks"))).quiet(), promises, "{flags:?}");
    }
}

#[test]
fn random_bytes_differ_within_a_run_and_between_runs() {
    let draw = || run(turnkey().arg("run").arg(guest("random"))).quiet().to_owned();
    let (one, two) = (draw(), draw());
    let lines: Vec<&str> = one.lines().chain(two.lines()).collect();
    assert_eq!(lines.len(), 6);
    let bytes = lines[0].strip_prefix("bytes ").unwrap();
    assert!(bytes.len() == 64 && bytes != "0".repeat(64), "{bytes}");
    for (left, right) in [(0, 3), (1, 2), (1, 4), (2, 5)] {
        assert_ne!(lines[left], lines[right], "{lines:?}");
    }
}

#[test]
fn poller_waits_for_clocks_in_their_order() {
    let expected = "\
event 0: clock, success
event 40: clock, success
event 100: clock, success
event 200: clock, success
in order: true
no earlier than asked: true
";
    for flags in [&[][..], &["--timeout", "1m"], &["--clock-resolution", "1ms"], &["--clock", "frozen"]] {
        assert_eq!(
            run(turnkey().arg("run").args(flags).arg(guest("poller")).arg("clock")).quiet(),
            expected,
            "{flags:?}"
        );
    }
}

fn poller(mode: &str) -> Running {
    let mut command = turnkey();
    command.arg("run").arg(guest("poller")).arg(mode);
    start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

#[test]
fn poller_waits_for_input_to_its_end() {
    let mut running = poller("stdin");
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(&[b'x'; 10_000]).unwrap();
    drop(stdin);
    let ran = running.wait();
    let text = ran.quiet();
    assert!(text.ends_with("end after 10000 bytes\n") && text.starts_with("event 7: fd_read, success"), "{text}");
    // Everything that came was read before the hangup counted as the end.
    assert!(text.contains(", hangup\nend after") || text.contains("success\nend after"), "{text}");
    let nothing = run(turnkey().arg("run").arg(guest("poller")).arg("stdin"));
    assert!(nothing.quiet().ends_with("end after 0 bytes\n"), "{nothing:?}");
}

#[test]
fn poller_waits_for_input_from_a_file_and_from_nowhere() {
    let folder = Folder::new();
    let input = folder.file("in", "12345");
    let ran = run(turnkey().args(["run", "--stdin"]).arg(&input).arg(guest("poller")).arg("stdin"));
    assert!(ran.quiet().ends_with("read 5 bytes\nevent 7: fd_read, success\nend after 5 bytes\n"), "{ran:?}");
    let ran = run(turnkey().args(["run", "--stdin", "null"]).arg(guest("poller")).arg("stdin"));
    assert!(ran.quiet().ends_with("end after 0 bytes\n"), "{ran:?}");
}

#[test]
fn poller_waits_no_longer_than_its_clock_for_input_that_does_not_come() {
    let mut running = poller("mixed");
    let stdin = running.child.stdin.take().unwrap();
    assert_eq!(running.wait().quiet(), "event 2: clock, success\n");
    drop(stdin);
    let mut running = poller("mixed");
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"now").unwrap();
    let ran = running.wait();
    assert!(ran.quiet().starts_with("event 1: fd_read, success\n"), "{ran:?}");
}

#[test]
fn poller_finds_files_ready_at_once() {
    let folder = Folder::new();
    let mut command = turnkey();
    command.args(["run", "--dir"]).arg(granted(folder.root(), "/d")).arg(guest("poller")).args(["files", "/d"]);
    assert_eq!(run(&mut command).quiet(), "event 1: fd_read, success\nevent 2: fd_write, success\n");
}
