//! Guests that do what WebAssembly does not allow: 134, what it was, and where.

use crate::harness::{Folder, Ran, run, turnkey};

fn run_module(text: &str) -> Ran {
    let folder = Folder::new();
    run(turnkey().arg("run").arg(folder.module(text)))
}

fn run_command(fields: &str, body: &str) -> Ran {
    run_module(&crate::harness::wat::command(fields, body))
}

#[test]
fn endless_recursion_ends_the_guest_and_not_the_host() {
    let ran = run_module(r#"(module $deep (func $down (export "_start") (call $down)))"#);
    let message = ran.ended_with(134);
    assert!(message.contains("call stack"), "{message}");
    assert!(message.lines().count() < 30, "a stack that ran out has thousands of frames: {message}");
}

#[test]
fn a_trap_has_a_backtrace_with_the_names_that_the_guest_has() {
    let ran = run_module(
        r#"(module $kitchen
            (func $bake_bread (export "_start") (call $knead_dough))
            (func $knead_dough unreachable))"#,
    );
    let message = ran.ended_with(134);
    assert!(message.contains("unreachable"), "{message}");
    let (inner, outer) = (message.find("knead_dough").unwrap(), message.find("bake_bread").unwrap());
    assert!(inner < outer, "the innermost comes first: {message}");
}

#[test]
fn each_kind_of_trap_is_said_in_words() {
    for (body, words) in [
        ("unreachable", "unreachable"),
        ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", "divide by zero"),
        ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", "overflow"),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "integer"),
        ("(drop (i32.load (i32.const 0x7fffffff)))", "out of bounds memory access"),
        ("(call_indirect (i32.const 7))", "table"),
        ("(call_indirect (i32.const 0))", "uninitialized"),
    ] {
        let ran = run_command("(table 1 funcref)", body);
        let message = ran.ended_with(134);
        assert!(message.contains(" trapped: ") && message.contains(words), "{body}: {message}");
    }
}

#[test]
fn a_pointer_beyond_the_memory_is_a_trap_and_names_the_call() {
    for (call, body) in [
        ("fd_write", "(drop (call $fd_write (i32.const 1) (i32.const 65533) (i32.const 1) (i32.const 0)))"),
        ("fd_write", "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 0xffffffff) (i32.const 0)))"),
        ("random_get", "(drop (call $random_get (i32.const 0) (i32.const 65537)))"),
        ("random_get", "(drop (call $random_get (i32.const -1) (i32.const -1)))"),
        ("clock_time_get", "(drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 65529)))"),
        (
            "path_open",
            "(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 65535) (i32.const 2) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0)))",
        ),
    ] {
        let ran = run_command("", body);
        let message = ran.ended_with(134);
        assert!(
            message.contains(&format!("`{call}`")) && message.contains("beyond the memory of 65536 bytes"),
            "{message}"
        );
    }
}

#[test]
fn a_guest_without_a_memory_gets_a_trap_from_every_pointer() {
    let ran = run_module(
        r#"(module
            (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
            (func (export "_start") (drop (call $random_get (i32.const 0) (i32.const 1)))))"#,
    );
    assert!(ran.ended_with(134).contains("memory of 0 bytes"));
}

#[test]
fn a_trap_in_the_modules_own_start_function_is_one_too() {
    let ran = run_module(r#"(module (func $begin unreachable) (start $begin) (func (export "_start")))"#);
    assert!(ran.ended_with(134).contains("begin"));
}

#[test]
fn a_segment_that_does_not_fit_traps_before_anything_runs() {
    let ran =
        run_module(r#"(module (memory (export "memory") 1) (data (i32.const 65535) "ab") (func (export "_start")))"#);
    assert!(ran.ended_with(134).contains("out of bounds"));
}

#[test]
fn what_a_guest_wrote_before_it_trapped_is_there() {
    let ran = run_command(
        r#"(data (i32.const 100) "last words\n")"#,
        "(drop (call $put (i32.const 1) (i32.const 100) (i32.const 11))) unreachable",
    );
    ran.ended_with(134);
    assert_eq!(ran.text(), "last words\n");
}
