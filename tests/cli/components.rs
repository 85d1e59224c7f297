//! Components at the command line: what they are said to be, what they miss, calling their functions, compiling them.

use std::path::PathBuf;

use crate::harness::{Folder, Ran, repository, run, turnkey};

fn component(name: &str) -> PathBuf {
    repository().join("guests/bin/components").join(name).with_extension("wasm")
}

fn text(folder: &Folder, text: &str) -> PathBuf {
    folder.file("component.wat", text)
}

fn invoke(words: &[&str]) -> Ran {
    let (call, rest) = words.split_first().unwrap();
    run(turnkey().arg("run").arg(format!("--invoke={call}")).arg(component("reactor")).args(rest))
}

#[test]
fn a_command_is_described_by_the_flags_that_it_needs() {
    let ran = run(turnkey().arg("check").arg(component("tcp_client")));
    let report = ran.quiet();
    assert!(report.contains("a component: a Preview 2 command"), "{report}");
    let line = |flag: &str| report.lines().find(|line| line.contains(flag)).unwrap();
    assert!(line("--allow").contains("wasi:sockets/tcp-create-socket"), "{report}");
    assert!(line("--dir, --ro-dir").contains("wasi:filesystem/preopens"), "{report}");
}

#[test]
fn one_that_is_no_command_is_described_by_its_functions() {
    let report = run(turnkey().arg("check").arg(component("reactor")));
    let report = report.quiet();
    assert!(report.contains("no command") && report.contains("`--invoke` calls add greet"), "{report}");
    assert!(report.contains("guests:reactor/texts@1.0.0#reverse"), "{report}");
    let ran = run(turnkey().arg("run").arg(component("reactor")));
    let message = ran.refused(126);
    assert!(message.contains("exports no `wasi:cli/run`") && message.contains("`add`, `greet`"), "{message}");
}

#[test]
fn what_nothing_provides_is_named_with_its_version_and_what_is_nearest() {
    let folder = Folder::new();
    let app = text(
        &folder,
        r#"(component
            (import "wasi:io/streams@0.3.0" (instance))
            (import "acme:paper/printer@1.2.3" (instance (export "feed" (func)) (export "cut" (func))))
            (import "wasi:cli/exit@0.2.0" (instance (export "exitt" (func))))
            (import "log" (func))
            (core module $m (func (export "run") (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $cli (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $cli)))"#,
    );
    let ran = run(turnkey().arg("run").arg(&app));
    let message = ran.refused(126);
    for part in [
        "`wasi:io/streams@0.3.0`",
        "`acme:paper/printer@1.2.3`",
        "`wasi:cli/exit@0.2.0#exitt`",
        "`log`",
        "nearest to `wasi:io/streams@0.3.0`: `wasi:io/streams@0.2.12`",
        "nearest to `wasi:cli/exit@0.2.0#exitt`: `wasi:cli/exit@0.2.12#exit`",
    ] {
        assert!(message.contains(part), "no {part} in {message}");
    }
    assert_eq!(message.matches("acme:paper/printer").count(), 1, "an interface is missing once: {message}");
    let ran = run(turnkey().arg("check").arg(&app));
    assert_eq!(ran.status(), 126);
    assert!(ran.text().contains("wasi:io/streams@0.3.0  nearest: wasi:io/streams@0.2.12"), "{}", ran.text());
}

#[test]
fn functions_are_called_with_values_in_wave() {
    for (call, printed) in [
        (&["add(1, 2)"][..], "3\n"),
        (&["add", "1", "2"], "3\n"),
        (&["add(4294967295, 1)"], "0\n"),
        (&[r#"greet("a\"b\u{e9}")"#], "\"hello, a\\\"b\u{e9}\"\n"),
        (&["mirror({x: 1, y: -2})"], "{x: -1, y: 2}\n"),
        (&["turn(north)"], "east\n"),
        (&["divide(7, 2)"], "ok(3)\n"),
        (&["guests:reactor/texts@1.0.0#reverse(\"abc\")"], "\"cba\"\n"),
        (&["reverse(\"abc\")"], "\"cba\"\n"),
    ] {
        let ran = invoke(call);
        assert_eq!((ran.status(), ran.text(), ran.stderr.as_str()), (0, printed, ""), "{call:?}");
    }
}

#[test]
fn a_call_that_does_not_fit_says_how_the_function_is_called() {
    for call in ["add(1)", "add(1, 2, 3)", "add(\"one\", 2)", "add(-1, 2)", "add(1, 2", "add 1"] {
        let ran = invoke(&[call]);
        if ran.status() == 126 {
            // What is no name at all is no function.
            assert!(ran.stderr.contains("exports no function"), "{}", ran.stderr);
            continue;
        }
        let message = ran.refused(2);
        assert!(message.contains("it is called as `add(a: u32, b: u32)`"), "{call}: {message}");
    }
    assert!(invoke(&["nothing(1)"]).refused(126).contains("exports no function `nothing`"));
}

#[test]
fn a_function_that_traps_is_a_trap() {
    let ran = invoke(&["trap()"]);
    assert_eq!(ran.status(), 134, "{}", ran.stderr);
}

#[test]
fn a_compiled_component_runs_only_where_it_is_vouched_for() {
    let folder = Folder::new();
    let compiled = folder.path("compiled");
    run(turnkey().arg("compile").arg(component("environment")).arg("-o").arg(&compiled)).quiet();
    let plain = run(turnkey().arg("run").arg(component("environment")).arg("word"));
    let ran = run(turnkey().args(["run", "--precompiled"]).arg(&compiled).arg("word"));
    assert_eq!(ran.status(), 0, "{}", ran.stderr);
    assert_eq!(ran.text().lines().nth(1), plain.text().lines().nth(1));
    assert!(run(turnkey().arg("run").arg(&compiled)).refused(126).contains("precompiled"));
}

#[test]
fn a_component_that_is_none_is_not_valid() {
    let folder = Folder::new();
    for (bytes, what) in [(&b"\0asm\x0d\0\x01\0\xff"[..], "not valid"), (b"(component (import))", "not valid")] {
        let ran = run(turnkey().arg("run").arg(folder.file("broken", bytes)));
        assert!(ran.refused(126).contains(what), "{}", ran.stderr);
    }
}

#[test]
fn limits_end_a_component_as_they_end_a_module() {
    let folder = Folder::new();
    let app = text(
        &folder,
        r#"(component
            (core module $m
                (memory 1)
                (func (export "run") (result i32) (loop (br 0)) unreachable))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $cli (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $cli)))"#,
    );
    for flag in ["--timeout=200ms", "--fuel=100000"] {
        let ran = run(turnkey().args(["run", flag]).arg(&app));
        assert!(ran.refused(124).contains(flag.split('=').next().unwrap()), "{}", ran.stderr);
    }
    let ran = run(turnkey().args(["run", "--max-memory=64KiB"]).arg(component("tally")));
    assert_eq!(ran.status(), 124, "{}", ran.stderr);
}

#[test]
fn what_a_component_looks_for_outside_its_grants_is_explained() {
    let ran = run(turnkey().args(["run", "--explain"]).arg(component("tally")).arg("/etc/passwd"));
    assert!(ran.stderr.contains("stat-at") && ran.stderr.contains("--ro-dir /etc"), "{}", ran.stderr);
}
