//! Components of the asynchronous ABI at the command line: what they are said to be, what they miss, calling their functions,
//! compiling them; and streams that are handed from one side of the host to the other.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Stdio;

use crate::harness::{Folder, granted, repository, run, start, turnkey};

/// A component that exports an asynchronous function, `add`.
const ADD: &str = r#"(component
    (core module $m
        (import "" "return" (func $return (param i32)))
        (func (export "add") (param i32 i32) (result i32)
            (call $return (i32.add (local.get 0) (local.get 1)))
            i32.const 0)
        (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
    (core func $return (canon task.return (result u32)))
    (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
    (func (export "add") async (param "a" u32) (param "b" u32) (result u32)
        (canon lift (core func $i "add") async (callback (core func $i "callback")))))"#;

fn component(name: &str) -> PathBuf {
    repository().join("guests/bin/components").join(name).with_extension("wasm")
}

#[test]
fn a_command_of_preview_3_is_said_to_be_one_and_each_interface_is_named_once() {
    let ran = run(turnkey().arg("check").arg(component("p3_hello")));
    let report = ran.quiet();
    assert!(report.contains("a component: a Preview 3 command"), "{report}");
    assert_eq!(report.matches("wasi:cli/stdout").count(), 1, "{report}");
}

#[test]
fn the_newer_of_two_ways_to_be_started_is_taken() {
    // Its `wasi:cli/run@0.2` is what a compiler makes of an empty `main`.
    let ran = run(turnkey().arg("run").arg(component("p3_hello")).args(["you", "me"]));
    assert_eq!(ran.quiet(), "hello, you and me\n");
}

#[test]
fn an_asynchronous_function_is_called_by_name_however_it_is_run() {
    let folder = Folder::new();
    let (app, artifact) = (folder.file("add.wat", ADD), folder.path("add.tk"));
    let call = |words: &[&str]| run(turnkey().arg("run").args(words).arg("--invoke=add(3, 4)").arg(&app));
    for words in [&[][..], &["--timeout", "1min"], &["--fuel", "100000"], &["--deterministic"]] {
        assert_eq!(call(words).quiet(), "7\n", "{words:?}");
    }
    let compiled = run(turnkey().arg("compile").arg(&app).arg("-o").arg(&artifact));
    compiled.quiet();
    let ran = run(turnkey().args(["run", "--precompiled", "--invoke=add(5, 6)"]).arg(&artifact));
    assert_eq!(ran.quiet(), "11\n");
}

#[test]
fn a_candidate_whose_types_were_others_is_missing_and_what_came_of_it_is_named() {
    let folder = Folder::new();
    let app = folder.file(
        "old.wat",
        r#"(component
            (import "wasi:cli/stdout@0.3.0-rc-2026-01-06" (instance (export "write-via-stream" (func))))
            (import "wasi:cli/stdin@0.3.0-rc-2026-01-06" (instance))
            (import "wasi:cli/stdim@0.3.0" (instance))
            (import "wasi:random/random@0.3.1" (instance (export "get-random-byte" (func)))))"#,
    );
    let ran = run(turnkey().arg("check").arg(&app));
    let report = String::from_utf8(ran.stdout).unwrap();
    for part in [
        "wasi:cli/stdout@0.3.0-rc-2026-01-06  nearest: wasi:cli/stdout@0.3.2",
        "wasi:cli/stdim@0.3.0  nearest: wasi:cli/stdin@0.3.2",
        "wasi:random/random@0.3.1#get-random-byte  nearest: wasi:random/random@0.3.2#get-random-bytes",
    ] {
        assert!(report.contains(part), "no {part} in {report}");
    }
    assert!(!report.contains("wasi:cli/stdin@0.3.0-rc"), "{report}");
    assert_eq!(ran.ended.code(), Some(126));
}

#[test]
fn a_component_is_one_of_the_asynchronous_abi_by_what_it_uses_and_not_by_what_it_imports() {
    // Functions of 0.3 that are no `async` need none of it: such a component is compiled for the plain engine, where its code
    // takes other bytes than for the other.
    let folder = Folder::new();
    let compiled = |name: &str, text: &str| {
        let (app, artifact) = (folder.file(format!("{name}.wat"), text), folder.path(format!("{name}.tk")));
        run(turnkey().arg("compile").arg(&app).arg("-o").arg(&artifact)).quiet();
        std::fs::read(artifact).unwrap()
    };
    let plain = compiled(
        "plain",
        r#"(component
            (import "wasi:random/random@0.3.0" (instance $random (export "get-random-u64" (func (result u64)))))
            (alias export $random "get-random-u64" (func $number))
            (core func $number (canon lower (func $number)))
            (core module $m (import "" "n" (func $n (result i64))) (func (export "f") (result i64) call $n))
            (core instance $i (instantiate $m (with "" (instance (export "n" (func $number))))))
            (func (export "f") (result u64) (canon lift (core func $i "f"))))"#,
    );
    // The kind is the second byte of the options, 16 bytes before the end.
    let kind = |artifact: &[u8]| artifact[artifact.len() - 48 + 33];
    assert_eq!((kind(&plain), kind(&compiled("async", ADD))), (1, 2));
    let ran =
        run(turnkey().args(["run", "--precompiled", "--random-seed=7", "--invoke=f()"]).arg(folder.path("plain.tk")));
    assert!(ran.quiet().trim().parse::<u64>().is_ok());
}

#[test]
fn files_go_to_standard_output_by_streams_that_the_guest_never_reads() {
    let folder = Folder::new();
    let big: Vec<u8> = (0..3_000_000_u32).map(|number| (number * 7 / 3) as u8).collect();
    folder.file("big", &big);
    folder.file("small", "and this\n");
    let cat = |files: &[&str]| {
        run(turnkey().args(["run", "--dir"]).arg(granted(folder.root(), "/")).arg(component("p3_cat")).args(files))
    };
    let ran = cat(&["big", "small"]);
    assert!(ran.stdout == [&big[..], b"and this\n"].concat() && ran.ended.success(), "{}", ran.stderr);
    let ran = cat(&["missing"]);
    assert_eq!((ran.ended.code(), ran.stderr.as_str()), (Some(1), "missing: no-entry\n"));
}

#[test]
fn what_comes_in_goes_out_as_it_comes_and_ends_when_it_ends() {
    let mut command = turnkey();
    command.arg("run").arg(component("p3_cat")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    for word in ["first", "second"] {
        input.write_all(word.as_bytes()).unwrap();
        let mut came = vec![0; word.len()];
        output.read_exact(&mut came).unwrap();
        assert_eq!(came, word.as_bytes());
    }
    drop(input);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty() && child.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_away_is_told_to_the_guest_and_kills_nobody() {
    let mut command = turnkey();
    command.arg("run").arg(component("p3_cat")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = start(command.stdout(std::io::pipe().unwrap().1));
    running.child.stdin.take().unwrap().write_all(b"to nobody").unwrap();
    let ran = running.wait();
    assert_eq!((ran.ended.code(), ran.stderr.as_str()), (Some(1), ""));
}
