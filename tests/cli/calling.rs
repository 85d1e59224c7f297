//! Arguments, functions by name, programs from standard input, and the status that comes back.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use crate::harness::{Folder, Ran, bytes, guest, run, start, turnkey, turnkey_with};

/// `environment` prints its arguments; its lines without the count on stderr.
fn arguments<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Vec<String> {
    let ran = run(turnkey().arg("run").args(words));
    assert_eq!((ran.status(), ran.stderr.as_str()), (0, "0 bytes copied\n"));
    ran.text().lines().map(|line| line.split_once(": ").unwrap().1.to_owned()).collect()
}

fn environment() -> PathBuf {
    guest("environment")
}

#[test]
fn every_status_of_a_guest_is_the_status_of_turnkey() {
    let folder = Folder::new();
    let exit = folder.module(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (func (export "exit") (param i32) (call $exit (local.get 0))))"#,
    );
    for status in 0..=255 {
        let ran =
            turnkey_with(["run".as_ref(), "--invoke=exit".as_ref(), exit.as_os_str(), status.to_string().as_ref()]);
        assert_eq!((ran.status(), ran.stdout.len(), ran.stderr.len()), (status, 0, 0), "{ran:?}");
    }
}

#[test]
fn a_status_that_does_not_fit_is_still_no_success() {
    let folder = Folder::new();
    for status in ["256", "512", "65536", "0x80000000", "0xffffffff"] {
        let app = folder.command("", &format!("(call $proc_exit (i32.const {status}))"));
        assert_ne!(turnkey_with(["run".as_ref(), app.as_os_str()]).status(), 0, "{status}");
    }
}

#[test]
fn a_guest_that_comes_back_by_itself_has_done_well() {
    let folder = Folder::new();
    assert_eq!(turnkey_with(["run".as_ref(), folder.command("", "").as_os_str()]).quiet(), "");
}

#[test]
fn flags_after_the_program_are_the_programs() {
    let app = environment();
    let words = ["--dir", "--help", "-x", "--", "--timeout=1s", "", "-", "--precompiled"];
    let given = arguments(std::iter::once(app.as_os_str()).chain(words.iter().map(OsStr::new)));
    assert_eq!(given[0], "environment.wasm");
    assert_eq!(given[1..], words);
}

#[test]
fn two_dashes_end_the_flags_of_turnkey() {
    let app = environment();
    assert_eq!(arguments([OsStr::new("--"), app.as_os_str(), "--".as_ref(), "-v".as_ref()])[1..], ["--", "-v"]);
    let folder = Folder::new();
    std::fs::copy(&app, folder.path("--help")).unwrap();
    let ran = run(turnkey().args(["run", "--", "--help"]).current_dir(folder.root()));
    assert_eq!(ran.text(), "argument 0: --help\n", "a program whose name begins with dashes");
}

#[test]
fn a_program_is_told_its_name_without_the_folders_of_the_host() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("private")).unwrap();
    std::fs::copy(environment(), folder.path("private/app")).unwrap();
    assert_eq!(arguments([folder.path("private/app")]), ["app"]);
}

#[test]
fn arguments_that_are_no_text_arrive_as_they_are() {
    let app = environment();
    let given = arguments([app.as_os_str(), bytes(b"caf\xe9"), bytes("ü\n".as_bytes())]);
    assert_eq!(given[1..], ["caf\\xe9", "\\xc3\\xbc\\n"]);
}

#[test]
fn a_program_comes_through_a_pipe() {
    let program = std::fs::read(environment()).unwrap();
    let piped = |program: &[u8], words: &[&str]| -> Ran {
        let mut running = start(
            turnkey()
                .args(["run", "-"])
                .args(words)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        );
        // A program that is refused may not have been read to its end.
        let _ = running.child.stdin.take().unwrap().write_all(program);
        running.wait()
    };
    let ran = piped(&program, &["one", "-two"]);
    assert_eq!(ran.text(), "argument 0: -\nargument 1: one\nargument 2: -two\n");
    assert_eq!(ran.status(), 0);
    assert_eq!(piped(b"(module (func (export \"_start\")))", &[]).quiet(), "");
    assert!(piped(b"", &[]).refused(126).contains("it is empty"));
    assert!(piped(b"\x89PNG", &[]).refused(126).contains("PNG"));
}

const ARITHMETIC: &str = r#"(module
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "long") (param i64) (result i64) (local.get 0))
    (func (export "single") (param f32) (result f32) (local.get 0))
    (func (export "double") (param f64) (result f64) (local.get 0))
    (func (export "both") (param i32 f64) (result f64 i32) (local.get 1) (local.get 0))
    (func (export "reference") (param externref))
    (func (export "silent"))
    (memory (export "memory") 1))"#;

fn invoke(text: &str, words: &[&str]) -> Ran {
    let folder = Folder::new();
    let app = folder.module(text);
    run(turnkey().args(["run", "--invoke", words[0]]).arg(&app).args(&words[1..]))
}

#[test]
fn a_function_is_called_by_name_with_numbers() {
    for (words, printed) in [
        (&["add", "2", "40"][..], "42\n"),
        (&["add", "-2", "-40"], "-42\n"),
        (&["add", "0x10", "-0x1"], "15\n"),
        (&["add", "4294967295", "1"], "0\n"),
        (&["long", "-9223372036854775808"], "-9223372036854775808\n"),
        (&["long", "18446744073709551615"], "-1\n"),
        (&["single", "1.5"], "1.5\n"),
        (&["double", "-0.1"], "-0.1\n"),
        (&["double", "inf"], "inf\n"),
        (&["both", "7", "0.5"], "0.5\n7\n"),
        (&["silent"], ""),
    ] {
        assert_eq!(invoke(ARITHMETIC, words).quiet(), printed, "{words:?}");
    }
}

#[test]
fn arguments_that_do_not_fit_a_function_are_a_usage_error() {
    for (words, said) in [
        (&["add", "1"][..], "takes 2 arguments, and was given 1"),
        (&["add", "1", "2", "3"], "takes 2 arguments, and was given 3"),
        (&["silent", "1"], "takes 0 arguments"),
        (&["add", "one", "2"], "`one` is no i32"),
        (&["add", "1.5", "2"], "`1.5` is no i32"),
        (&["add", "4294967296", "2"], "`4294967296` is no i32"),
        (&["add", "-2147483649", "2"], "`-2147483649` is no i32"),
        (&["add", "", "2"], "`` is no i32"),
        (&["long", "18446744073709551616"], "is no i64"),
        (&["long", "--5"], "is no i64"),
        (&["double", "much"], "`much` is no f64"),
        (&["reference", "1"], "cannot be typed"),
    ] {
        let ran = invoke(ARITHMETIC, words);
        let message = ran.refused(2);
        assert!(message.contains(said), "{words:?}: {message}");
    }
}

#[test]
fn a_function_that_is_not_there_is_answered_with_those_that_are() {
    let ran = invoke(ARITHMETIC, &["sub", "1", "2"]);
    let message = ran.refused(126);
    assert!(message.contains("exports no function `sub`") && message.contains("`add`, `long`"), "{message}");
    assert!(invoke(ARITHMETIC, &["memory"]).refused(126).contains("exports no function `memory`"));
}

#[test]
fn a_reactor_is_initialised_once_before_its_function_is_called() {
    let reactor = r#"(module
        (global $times (mut i32) (i32.const 0))
        (func (export "_initialize") (global.set $times (i32.add (global.get $times) (i32.const 1))))
        (func (export "times") (result i32) (global.get $times)))"#;
    assert_eq!(invoke(reactor, &["times"]).quiet(), "1\n");
    assert_eq!(invoke(reactor, &["_initialize"]).quiet(), "");
}

#[test]
fn a_reactor_that_fails_to_initialise_is_not_called() {
    let trapping = r#"(module (func $init (export "_initialize") unreachable) (func (export "f")))"#;
    assert!(invoke(trapping, &["f"]).ended_with(134).contains("init"));
    let odd = r#"(module (func (export "_initialize") (param i32)) (func (export "f")))"#;
    assert!(invoke(odd, &["f"]).refused(126).contains("_initialize"));
}

#[test]
fn a_function_that_was_called_can_end_the_program_or_trap() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (func (export "leave") (call $exit (i32.const 7)))
        (func $fall (export "fall") unreachable))"#;
    assert_eq!(invoke(text, &["leave"]).status(), 7);
    assert!(invoke(text, &["fall"]).ended_with(134).contains("fall"));
}

#[test]
fn a_command_has_functions_to_call_too() {
    let text = r#"(module (func (export "_start") unreachable) (func (export "answer") (result i32) (i32.const 42)))"#;
    assert_eq!(invoke(text, &["answer"]).quiet(), "42\n");
}
