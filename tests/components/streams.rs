//! `wasi:io`: streams of files and of the program itself, and waiting for them.

use std::fs::{File, read};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::Duration;

use crate::harness::process::Running;
use crate::harness::tree::names;
use crate::harness::{Folder, Ran, granted, run, start};
use crate::{running, running_in};

#[test]
fn streams_of_files_do_what_the_standard_says() {
    let folder = Folder::new();
    let ran = run(&mut running_in(&folder, "--dir", "streams", &["files", "/d"]));
    assert_eq!(ran.quiet(), include_str!("transcripts/streams.txt"));
    assert!(names(folder.root()).is_empty());
}

/// As the program adds them up.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 31 % 251) as u8).collect()
}

/// A process that has this as its input, through a pipe.
fn fed(command: &mut std::process::Command, input: Vec<u8>) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let ran = Running::of(child).wait();
    writing.join().unwrap();
    ran
}

#[test]
fn standard_input_is_read_to_its_end_wherever_it_comes_from() {
    let folder = Folder::new();
    for size in [0, 1, 4096, 1_000_000] {
        let bytes = pattern(size);
        let expected = format!("{size} bytes, sum {}, then closed\nagain: closed\n", sum(&bytes));
        let file = folder.file("in", &bytes);
        let ran = run(running::<&str>(&[], "streams", &["stdin"]).stdin(File::open(&file).unwrap()));
        assert_eq!(ran.quiet(), expected);
        let ran = fed(&mut running::<&str>(&[], "streams", &["stdin"]), bytes);
        assert_eq!(ran.text(), expected);
    }
    let ran = run(&mut running(&["--stdin", "null"], "streams", &["stdin"]));
    assert!(ran.quiet().starts_with("0 bytes, "));
}

#[test]
fn what_is_spliced_from_input_to_output_arrives() {
    let folder = Folder::new();
    let bytes = pattern(1_000_000);
    let file = folder.file("in", &bytes);
    for what in ["copy", "blocking-copy"] {
        let ran = run(running::<&str>(&[], "streams", &[what]).stdin(File::open(&file).unwrap()));
        assert_eq!((ran.status(), ran.stderr.as_str()), (0, "1000000 bytes, then closed\n"));
        assert!(ran.stdout == bytes, "{what} of a file changed it");
        let ran = fed(running::<&str>(&[], "streams", &[what]).stderr(Stdio::null()), bytes.clone());
        assert!(ran.stdout == bytes, "{what} of a pipe changed it");
        let to = folder.path("out");
        let mut command = running::<&str>(&[], "streams", &[what]);
        command.stdin(File::open(&file).unwrap()).stdout(File::create(&to).unwrap()).stderr(Stdio::null());
        assert_eq!(start(&mut command).wait().status(), 0);
        assert!(read(&to).unwrap() == bytes, "{what} into a file changed it");
    }
}

#[test]
fn a_wait_for_input_and_a_timer_ends_with_whichever_comes_first() {
    let mut command = running::<&str>(&[], "streams", &["wait"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let running = Running::of(child);
    let mut line = || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(line(), "nothing came for 50 ms\n");
    for word in ["one", "two"] {
        input.write_all(word.as_bytes()).unwrap();
        assert_eq!(line(), format!("came: {word}\n"));
    }
    drop(input);
    assert_eq!(line(), "closed\n");
    assert_eq!(running.wait().status(), 0);
}

#[test]
fn an_output_that_nobody_reads_any_more_is_closed() {
    let mut command = running::<&str>(&[], "streams", &["flood"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut piece = [0; 1000];
    child.stdout.take().unwrap().read_exact(&mut piece).unwrap();
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    let ran = Running::of(child).wait();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(ran.status(), 3, "{said}");
    assert!(said.starts_with("closed") || said.starts_with("last-operation-failed"), "{said}");
}

#[test]
fn each_way_of_writing_reaches_the_output() {
    let ran = run(&mut running::<&str>(&[], "streams", &["stdout"]));
    let written = "by write\nby blocking-write-and-flush\n\0\0\0\0\0\n";
    assert_eq!(ran.text(), format!("stdout permits something: true\n{written}stderr permits something: true\n"));
    assert_eq!((ran.stderr.as_str(), ran.status()), (written, 0));
}

#[test]
fn what_no_program_may_do_is_a_trap() {
    let folder = Folder::new();
    for what in ["trap-write", "trap-zeroes", "trap-unasked", "trap-poll"] {
        let ran = run(&mut running_in(&folder, "--dir", "streams", &[what, "/d"]));
        assert!(ran.stdout.is_empty(), "{what}: {ran:?}");
        ran.ended_with(134);
    }
}

#[test]
fn blocking_writes_may_be_longer_than_a_permit_but_not_longer_than_the_time() {
    let folder = Folder::new();
    for what in ["choice-write", "choice-zeroes"] {
        let ran = run(&mut running_in(&folder, "--dir", "streams", &[what, "/d"]));
        assert_eq!(ran.quiet(), "done: 12289 bytes\n");
    }
    // The file has no name any more: whatever it has come to is gone with the process.
    let granted = granted(folder.root(), "/d");
    let flags = ["--timeout=100ms".as_ref(), "--dir".as_ref(), granted.as_os_str()];
    let ran = run(&mut running(&flags, "streams", &["choice-zeroes-without-end", "/d"]));
    assert!(ran.refused(124).contains("--timeout"), "{ran:?}");
}

#[test]
fn a_pollable_of_what_is_gone_is_a_trap() {
    let folder = Folder::new();
    let ran = run(&mut running_in(&folder, "--dir", "streams", &["choice-child", "/d"]));
    ran.ended_with(134);
}

#[test]
fn a_wait_ends_with_the_time() {
    let begin = std::time::Instant::now();
    let ran = run(&mut running(&["--timeout", "300ms"], "p2_hog", &["sleep"]));
    ran.refused(124);
    assert!(begin.elapsed() < Duration::from_secs(20));
}
