//! Where the guest's memory is, whatever the module looks like.

use std::io::{Read, pipe};

use turnkey_core::stream::StreamGrant;
use turnkey_p1::{Generation, OutOfBounds};

use crate::harness::signatures::SIGNATURES;
use crate::harness::{Guest, MEMORY_BYTES, RESULT, RESULT2, Setup, compile, module};

const ALL: Generation = Generation::Preview1;

fn start(rest: &str, memory: Option<&str>) -> Guest {
    let mut guest = Setup::new().start_module(&compile(&module(ALL, rest)), memory).unwrap();
    guest.fill(0xa5);
    guest
}

#[test]
fn the_table_and_the_standard_have_the_same_functions_with_the_same_parameters() {
    for (row, (name, parameters)) in std::iter::zip(turnkey_p1::FUNCTIONS, SIGNATURES) {
        assert_eq!((row.name, row.parameters.split_whitespace().count()), (name, parameters.len()));
    }
}

#[test]
fn a_memory_of_another_name_is_used_if_it_is_the_one() {
    let mut guest = start("(memory (export \"elsewhere\") 2)", Some("elsewhere"));
    guest.gives("args_sizes_get", &[RESULT, RESULT2], &[(RESULT, &[0; 4]), (RESULT2, &[0; 4])]);
}

#[test]
fn of_two_memories_the_named_one_is_used() {
    for memories in [
        "(memory (export \"memory\") 2) (memory (export \"other\") 1)",
        "(memory (export \"other\") 1) (memory (export \"memory\") 2)",
    ] {
        let mut guest = start(memories, Some("memory"));
        assert_eq!(guest.bytes().len(), MEMORY_BYTES);
        guest.gives("args_sizes_get", &[RESULT, RESULT2], &[(RESULT, &[0; 4]), (RESULT2, &[0; 4])]);
    }
}

#[test]
fn without_a_memory_every_pointer_traps_and_what_needs_none_works() {
    for (rest, memory) in [
        ("", None),
        ("", Some("memory")),
        ("(memory 1)", Some("memory")),
        ("(memory (export \"other\") 1)", Some("memory")),
        ("(global (export \"memory\") i32 (i32.const 0))", Some("memory")),
    ] {
        let mut guest = start(rest, memory);
        for address in [0, 1, 0xffff_ffff] {
            let trap = guest.traps::<OutOfBounds>("fd_tell", &[CLOSED_TOO, address]);
            assert_eq!((trap.memory_bytes, trap.bytes), (0, 8));
        }
        guest.gives("sched_yield", &[], &[]);
        guest.gives("fd_close", &[2], &[]);
        guest.gives("random_get", &[0, 0], &[]);
    }
}

/// Pointers are looked at before the descriptor is.
const CLOSED_TOO: u64 = 999;

#[test]
fn a_start_function_can_write_before_there_is_an_instance() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 8) "\10\00\00\00\05\00\00\00hello")
        (func $start (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 100))))
        (start $start))"#;
    let mut setup = Setup::new();
    let (mut reader, writer) = pipe().unwrap();
    setup.grants.stdout = StreamGrant::Descriptor(writer.into());
    let guest = setup.start_module(&compile(text), Some("memory")).unwrap();
    assert_eq!(guest.u32_at(100), 5);
    drop(guest);
    let mut written = String::new();
    reader.read_to_string(&mut written).unwrap();
    assert_eq!(written, "hello");
}

#[test]
fn a_start_function_that_exits_ends_the_guest_with_its_status() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
        (func $start (call $proc_exit (i32.const 7)))
        (start $start))"#;
    let error = Setup::new().start_module(&compile(text), Some("memory")).err().unwrap();
    assert_eq!(error.downcast_ref(), Some(&turnkey_p1::Exit(7)));
}

#[test]
fn a_memory_that_has_grown_is_used_to_its_new_end() {
    let grow = "(memory (export \"memory\") 2) (func (export \"grow\") (drop (memory.grow (i32.const 1))))";
    let mut guest = start(grow, Some("memory"));
    guest.traps::<OutOfBounds>("random_get", &[MEMORY_BYTES as u64, 16]);
    guest.run("grow");
    guest.writes("random_get", &[MEMORY_BYTES as u64, 16], &[(MEMORY_BYTES as u64, 16)]);
    let trap = guest.traps::<OutOfBounds>("random_get", &[MEMORY_BYTES as u64 + 0x1_0000, 1]);
    assert_eq!(trap.memory_bytes, MEMORY_BYTES as u64 + 0x1_0000);
}

/// An embedder that calls an import which a module exports as it is calls it without the module.
#[test]
fn an_import_exported_as_it_is_has_no_memory_and_is_no_panic() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_tell" (func $fd_tell (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (export "fd_tell" (func $fd_tell)))"#;
    let mut guest = Setup::new().start_module(&compile(text), Some("memory")).unwrap();
    let trap = guest.traps::<OutOfBounds>("fd_tell", &[0, 0]);
    assert_eq!(trap.memory_bytes, 0);
}

#[test]
fn a_guest_that_has_trapped_can_be_called_again() {
    let mut guest = start("(memory (export \"memory\") 2)", Some("memory"));
    for _ in 0..3 {
        guest.traps::<OutOfBounds>("fd_tell", &[0, 0xffff_ffff]);
        guest.traps::<turnkey_p1::Exit>("proc_exit", &[1]);
    }
    guest.gives("sched_yield", &[], &[]);
}

#[test]
fn a_trap_says_what_was_asked_for() {
    let mut guest = Guest::new();
    let trap = guest.traps::<OutOfBounds>("fd_tell", &[0, MEMORY_BYTES as u64 - 7]);
    let expected =
        OutOfBounds { call: "fd_tell", address: MEMORY_BYTES as u32 - 7, bytes: 8, memory_bytes: MEMORY_BYTES as u64 };
    assert_eq!(trap, expected);
    assert!(trap.to_string().contains("`fd_tell`"), "{trap}");
}
