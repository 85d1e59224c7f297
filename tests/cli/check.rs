//! `turnkey check`: what a program is and can ask for, without running it.

use crate::harness::{Folder, Ran, guest, run, turnkey};

fn check(text: &str) -> Ran {
    let folder = Folder::new();
    run(turnkey().arg("check").arg(folder.module(text)))
}

#[test]
fn a_real_command_is_described_by_the_flags_that_it_needs() {
    let ran = run(turnkey().arg("check").arg(guest("tally")));
    let report = ran.quiet();
    assert!(report.contains("a Preview 1 command"), "{report}");
    let directories = report.lines().find(|line| line.contains("--dir, --ro-dir")).unwrap();
    assert!(directories.contains("path_open"), "{directories}");
    assert!(!report.contains("--tcp-listener"), "it cannot accept: {report}");
    let server = run(turnkey().arg("check").arg(guest("echo_server")));
    assert!(server.quiet().lines().any(|line| line.contains("--tcp-listener") && line.contains("sock_accept")));
}

#[test]
fn a_reactor_is_described_by_its_functions() {
    let ran = check(
        r#"(module (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
            (func (export "_initialize")) (func (export "draw")))"#,
    );
    let report = ran.quiet();
    assert!(
        report.contains("a Preview 1 reactor") && report.contains("`--invoke` calls") && report.contains("draw"),
        "{report}"
    );
}

#[test]
fn the_generations_of_wasi_are_told_apart() {
    let import = |module: &str| {
        format!(r#"(module (import "{module}" "sched_yield" (func (result i32))) (func (export "_start")))"#)
    };
    assert!(check(&import("wasi_snapshot_preview1")).quiet().contains("a Preview 1 command"));
    assert!(check(&import("wasi_unstable")).quiet().contains("preview 0"));
    assert!(check(r#"(module (func (export "_start")))"#).quiet().contains("it asks for nothing"));
}

#[test]
fn what_nobody_provides_is_named_and_the_status_says_that_it_cannot_run() {
    let ran = check(
        r#"(module (import "wasi_snapshot_preview1" "fd_raed" (func)) (import "env" "abort" (func)) (func (export "_start")))"#,
    );
    assert_eq!((ran.status(), ran.stderr.as_str()), (126, ""));
    let report = ran.text();
    assert!(
        report.contains("wasi_snapshot_preview1::fd_raed")
            && report.contains("nearest: wasi_snapshot_preview1::fd_read")
    );
    assert!(report.contains("env::abort"), "{report}");
}

#[test]
fn nothing_of_the_program_runs() {
    let ran = check(r#"(module (func $begin unreachable) (start $begin) (func (export "_start") unreachable))"#);
    ran.quiet();
    let ran = check(r#"(module (memory 65536 65536) (func (export "_start") (loop $l (br $l))))"#);
    ran.quiet();
    assert!(ran.peak_bytes < 200 << 20);
}

#[test]
fn every_guest_program_can_run_here() {
    for program in std::fs::read_dir(crate::harness::repository().join("guests/bin")).unwrap() {
        let path = program.unwrap().path();
        // Go's take a second each to compile, and run in another test.
        if path.extension().is_some_and(|extension| extension == "wasm") && !path.to_str().unwrap().contains("_go") {
            run(turnkey().arg("check").arg(&path)).quiet();
        }
    }
}
