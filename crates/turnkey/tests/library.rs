//! The library as an embedder has it: one engine, many guests, many runs, limits and outcomes.

#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

use std::thread;
use std::time::Duration;

use turnkey::{Engine, EngineKey, EngineOptions, Error, Exit, Grants, Limit, Limits, TrustedArtifact};

fn engine(key: EngineKey) -> Engine {
    Engine::new(EngineOptions { key, ..EngineOptions::default() }).unwrap()
}

const COUNTS_ITS_ARGUMENTS: &str = r#"(module
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (drop (call $sizes (i32.const 0) (i32.const 4)))
        (call $exit (i32.load (i32.const 0)))))"#;

const LOOPS: &str = r#"(module (func (export "_start") (loop (br 0))))"#;

fn arguments(count: usize) -> Grants {
    Grants { arguments: vec![b"word".to_vec(); count], ..Grants::default() }
}

#[test]
fn one_guest_runs_on_many_threads_and_each_run_has_its_own_grants() {
    let guest = engine(EngineKey::default()).load(COUNTS_ITS_ARGUMENTS.as_bytes()).unwrap();
    thread::scope(|scope| {
        for count in 0..8 {
            let guest = &guest;
            scope.spawn(move || {
                for _ in 0..50 {
                    let outcome = guest.run(arguments(count), Limits::default()).unwrap();
                    assert_eq!(outcome.exit, Exit::Status(count as u32));
                }
            });
        }
    });
}

/// The engine interrupts all of its guests when the time of one is up: the others must not notice.
#[test]
fn the_end_of_one_guest_does_not_end_its_neighbour() {
    let engine = engine(EngineKey { interruptible: true, ..EngineKey::default() });
    let (short, long) = (engine.load(LOOPS.as_bytes()).unwrap(), engine.load(LOOPS.as_bytes()).unwrap());
    let run = |guest: &turnkey::Guest, milliseconds| {
        let limits = Limits { timeout: Some(Duration::from_millis(milliseconds)), ..Limits::default() };
        let began = std::time::Instant::now();
        assert_eq!(guest.run(Grants::default(), limits).unwrap().exit, Exit::Stopped(Limit::Timeout));
        began.elapsed()
    };
    thread::scope(|scope| {
        let neighbour = scope.spawn(|| run(&long, 600));
        for _ in 0..5 {
            run(&short, 50);
        }
        assert!(neighbour.join().unwrap() >= Duration::from_millis(600));
    });
}

#[test]
fn fuel_ends_a_guest_at_the_same_instruction_each_time() {
    let engine = engine(EngineKey { fuel: true, ..EngineKey::default() });
    let guest = engine.load(LOOPS.as_bytes()).unwrap();
    for _ in 0..3 {
        let limits = Limits { fuel: Some(10_000), ..Limits::default() };
        assert_eq!(guest.run(Grants::default(), limits).unwrap().exit, Exit::Stopped(Limit::Fuel));
    }
    let guest = engine.load(COUNTS_ITS_ARGUMENTS.as_bytes()).unwrap();
    assert_eq!(guest.run(arguments(2), Limits::default()).unwrap().exit, Exit::Status(2));
}

#[test]
fn a_limit_that_the_engine_was_not_made_for_is_an_error_and_not_ignored() {
    let guest = engine(EngineKey::default()).load(LOOPS.as_bytes()).unwrap();
    let timeout = Limits { timeout: Some(Duration::from_secs(1)), ..Limits::default() };
    assert!(matches!(guest.run(Grants::default(), timeout), Err(Error::NotMadeFor(Limit::Timeout))));
    let fuel = Limits { fuel: Some(1), ..Limits::default() };
    assert!(matches!(guest.run(Grants::default(), fuel), Err(Error::NotMadeFor(Limit::Fuel))));
}

/// Growth that its own maximum forbids is not charged, however often it is tried.
#[test]
fn growth_that_fails_takes_nothing_of_the_limit() {
    let guest = engine(EngineKey::default())
        .load(
            br#"(module
                (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory $full (export "memory") 1 1)
                (memory $other 0 2)
                (func (export "_start") (local $tries i32)
                    (loop $again
                        (drop (memory.grow $full (i32.const 1)))
                        (local.set $tries (i32.add (local.get $tries) (i32.const 1)))
                        (br_if $again (i32.lt_u (local.get $tries) (i32.const 1000))))
                    (call $exit (i32.add (i32.const 10) (memory.grow $other (i32.const 2))))))"#,
        )
        .unwrap();
    let limits = |memory_bytes| Limits { memory_bytes: Some(memory_bytes), ..Limits::default() };
    // Three pages, and what the host holds for three standard streams.
    let outcome = guest.run(Grants::default(), limits((3 << 16) + 4096)).unwrap();
    assert_eq!((outcome.exit, outcome.met), (Exit::Status(10), None));
    let outcome = guest.run(Grants::default(), limits((3 << 16) - 1)).unwrap();
    assert_eq!((outcome.exit, outcome.met), (Exit::Status(9), Some(Limit::Memory)));
}

#[test]
fn what_is_compiled_ahead_runs_only_for_the_options_it_was_compiled_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts.compiled");
    let plain = engine(EngineKey::default());
    let artifact = plain.compile(COUNTS_ITS_ARGUMENTS.as_bytes()).unwrap();
    std::fs::write(&path, &artifact).unwrap();
    let artifact = TrustedArtifact::vouch(&path);
    let outcome = plain.load_precompiled(&artifact).unwrap().run(arguments(3), Limits::default()).unwrap();
    assert_eq!(outcome.exit, Exit::Status(3));
    let counting = engine(EngineKey { fuel: true, ..EngineKey::default() });
    let Err(Error::Artifact(why)) = counting.load_precompiled(&artifact) else {
        panic!("it was loaded for options that it was not compiled for");
    };
    assert!(why.contains("--fuel"), "{why}");
}

#[test]
fn shared_memory_is_refused_in_words() {
    let engine = engine(EngineKey::default());
    let guest = engine.load(br#"(module (memory 1 1 shared) (func (export "_start")))"#);
    let refused = guest.and_then(|guest| guest.run(Grants::default(), Limits::default()));
    let Err(Error::Invalid(why)) = refused else {
        panic!("a module with shared memory ran, or failed otherwise: {refused:?}");
    };
    assert!(why.contains("shared memory"), "{why}");
}
