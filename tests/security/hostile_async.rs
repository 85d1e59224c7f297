//! Components that use streams, futures, tasks and sets in every order there is, allowed or not: each ends by itself or by a
//! trap; the host does not panic, does not hang and does not grow. The published advisories of the engine that are about this
//! are here by their names.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::async_component::{app, callback_app};
use crate::harness::{Folder, Ran, granted, run, start, turnkey};

/// Far more than any of these needs.
const FLAT_BYTES: u64 = 100 << 20;

/// Runs a component over a directory of its own. Its standard input is a pipe in which nothing comes; its output one that
/// nobody reads, and that is full if `full` says so.
fn run_it(app: &Path, full: bool) -> Ran {
    let folder = Folder::new();
    folder.file("file", "bytes");
    let (silent, _nothing_comes) = std::io::pipe().unwrap();
    let (_unread, mut writer) = std::io::pipe().unwrap();
    if full {
        std::io::Write::write_all(&mut writer, &[b'x'; 65536]).unwrap();
    }
    let mut command = turnkey();
    command
        .args(["run", "--timeout", "10s", "--allow", "network"])
        .arg("--dir")
        .arg(granted(folder.root(), "/d"))
        .arg(app);
    let ran = start(command.stdin(silent).stdout(writer).stderr(Stdio::piped())).wait();
    assert!(!ran.stderr.contains("panicked") && ran.status() != 101, "{ran:?}");
    assert!(!ran.stderr.contains("BUG"), "{ran:?}");
    assert!(ran.peak_bytes < FLAT_BYTES, "the process took {} MiB", ran.peak_bytes >> 20);
    ran
}

/// Two ends of a stream, or a future, of the component's own; and `$pair`, which makes them: the reading end in `$r`, the
/// writing one in `$w`.
const PAIR: &str = "(global $r (mut i32) (i32.const 0)) (global $w (mut i32) (i32.const 0))
    (func $keep (param $ends i64)
        (global.set $r (i32.wrap_i64 (local.get $ends)))
        (global.set $w (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32)))))";

/// What a scene comes to: the status, of which the last four bits are what an operation says, or the trap's words.
enum Comes {
    To(i32),
    Trap(&'static str),
}

/// `DROPPED` and `CANCELLED` of the canonical ABI; `BLOCKED` has all bits.
const DROPPED: i32 = 1;
const CANCELLED: i32 = 2;
const BLOCKED: i32 = 15;

fn scene(text: &str, body: &str, full: bool, comes: &Comes) {
    let apps = Folder::new();
    let ran = run_it(&app(&apps, text, body), full);
    match comes {
        Comes::To(status) => assert_eq!((ran.status(), ran.stderr.as_str()), (*status, ""), "{body}: {ran:?}"),
        Comes::Trap(words) => assert!(ran.status() == 134 && ran.stderr.contains(words), "{body}: {ran:?}"),
    }
}

/// Ends with what an operation says: its last four bits.
fn says(operation: &str) -> String {
    format!("(call $end (i32.and (i32.const 15) {operation}))")
}

/// Ends with how many an operation has moved.
fn moved(operation: &str) -> String {
    format!("(call $end (i32.shr_u {operation} (i32.const 4)))")
}

#[test]
fn ghsa_xrvr_8678_5wp8_streams_and_futures_of_a_components_own_can_be_cancelled_in_every_state() {
    for (name, more) in [("$stdout.write-via-stream.0", " (i32.const 10)"), ("$stdout.write-via-stream.1", "")] {
        let is_stream = !more.is_empty();
        let new = format!("(call $keep (call {name}.new))");
        let read = format!("(call {name}.read.async (global.get $r) (i32.const 1024){more})");
        let write = format!("(call {name}.write.async (global.get $w) (i32.const 2048){more})");
        let cancel_read = format!("(call {name}.cancel-read (global.get $r))");
        let cancel_write = format!("(call {name}.cancel-write (global.get $w))");
        let drop_readable = format!("(call {name}.drop-readable (global.get $r))");
        let drop_writable = format!("(call {name}.drop-writable (global.get $w))");
        // What is no number does not go from a component to itself.
        let done = || if is_stream { Comes::To(10) } else { Comes::Trap("non-numeric") };
        let join = |which: &str| format!("(call $waitable.join (global.get ${which}) (call $waitable-set.new))");
        let leave = |which: &str| format!("(call $waitable.join (global.get ${which}) (i32.const 0))");
        let scenes = [
            // Nothing has begun.
            (format!("{new} (drop {cancel_read})"), Comes::Trap("")),
            (format!("{new} (drop {cancel_write})"), Comes::Trap("")),
            // It waits.
            (format!("{new} {}", says(&read)), Comes::To(BLOCKED)),
            (format!("{new} {}", says(&write)), Comes::To(BLOCKED)),
            (format!("{new} (drop {read}) {}", says(&cancel_read)), Comes::To(CANCELLED)),
            (format!("{new} (drop {write}) {}", says(&cancel_write)), Comes::To(CANCELLED)),
            // It has been cancelled.
            (format!("{new} (drop {read}) (drop {cancel_read}) (drop {cancel_read})"), Comes::Trap("")),
            (format!("{new} (drop {write}) (drop {cancel_write}) (drop {cancel_write})"), Comes::Trap("")),
            (format!("{new} (drop {read}) (drop {cancel_read}) {}", says(&read)), Comes::To(BLOCKED)),
            (format!("{new} (drop {write}) (drop {cancel_write}) {}", says(&read)), Comes::To(BLOCKED)),
            (format!("{new} (drop {read}) (drop {cancel_read}) {}", says(&write)), Comes::To(BLOCKED)),
            // It is done, and nobody has been told: then that is told, with all of the ten bytes.
            (format!("{new} (drop {read}) (drop {write}) {}", moved(&cancel_read)), done()),
            (format!("{new} (drop {write}) (drop {read}) {}", moved(&cancel_write)), done()),
            // It waits in a set, where events come to: it has to be taken out first.
            (format!("{new} {} (drop {read}) (drop {cancel_read})", join("r")), Comes::Trap("waitable set")),
            (format!("{new} (drop {write}) {} (drop {cancel_write})", join("w")), Comes::Trap("waitable set")),
            (format!("{new} {} (drop {read}) {} {}", join("r"), leave("r"), says(&cancel_read)), Comes::To(CANCELLED)),
            (
                format!("{new} {} (drop {read}) (drop {write}) {} {}", join("r"), leave("r"), moved(&cancel_read)),
                done(),
            ),
            // An end that waits cannot go.
            (format!("{new} (drop {read}) {drop_readable}"), Comes::Trap("")),
            (format!("{new} (drop {write}) {drop_writable}"), Comes::Trap("")),
            // The other end is gone.
            (format!("{new} (drop {write}) {drop_readable} {}", says(&cancel_write)), Comes::To(DROPPED)),
            (format!("{new} {drop_readable} {}", says(&write)), Comes::To(DROPPED)),
            // Two at once; an end for the other.
            (format!("{new} (drop {read}) (drop {read})"), Comes::Trap("")),
            (format!("{new} (drop {write}) (drop {write})"), Comes::Trap("")),
            (format!("{new} (drop {read}) (drop {})", read.replace("$r)", "$w)")), Comes::Trap("")),
            (format!("{new} (drop {write}) (drop {})", write.replace("$w)", "$r)")), Comes::Trap("")),
            // Given away while it waits.
            (format!("{new} (drop {read}) (drop (call $stdout.write-via-stream (global.get $r)))"), Comes::Trap("")),
        ];
        for (body, comes) in &scenes {
            scene(PAIR, body, false, comes);
        }
        // A future's writing end cannot go before it has written, and a stream's can.
        let gone = [
            format!("{new} (drop {read}) {drop_writable} {}", says(&cancel_read)),
            format!("{new} {drop_writable} {}", says(&read)),
        ];
        for body in gone {
            scene(PAIR, &body, false, &if is_stream { Comes::To(DROPPED) } else { Comes::Trap("") });
        }
    }
}

/// The engine does not look which end it is that is cancelled while it waits, and then has it for the other one.
#[test]
#[cfg_attr(debug_assertions, ignore = "with debug assertions the engine panics where it traps without them")]
fn ghsa_xrvr_8678_5wp8_an_end_that_is_cancelled_as_if_it_were_the_other_one_is_no_panic() {
    for (name, more) in [("$stdout.write-via-stream.0", " (i32.const 10)"), ("$stdout.write-via-stream.1", "")] {
        for (verb, wrong, end, other) in [("read", "cancel-write", "r", "w"), ("write", "cancel-read", "w", "r")] {
            let operations = ["r", "w"].iter().flat_map(|end| {
                let handle = format!("(global.get ${end})");
                [
                    format!("(drop (call {name}.read.async {handle} (i32.const 3000){more}))"),
                    format!("(drop (call {name}.write.async {handle} (i32.const 3000){more}))"),
                    format!("(call {name}.drop-readable {handle})"),
                    format!("(call {name}.drop-writable {handle})"),
                ]
            });
            let operations: Vec<String> = operations.collect();
            let begin = format!(
                "(call $keep (call {name}.new)) (drop (call {name}.{verb}.async (global.get ${end}) (i32.const 1024){more}))"
            );
            let noun = if other == "r" { "readable" } else { "writable" };
            for gone in ["".to_owned(), format!("(call {name}.drop-{noun} (global.get ${other}))")] {
                for (one, two) in operations.iter().flat_map(|one| operations.iter().map(move |two| (one, two))) {
                    let body = format!("{begin} {gone} (drop (call {name}.{wrong} (global.get ${end}))) {one} {two}");
                    let apps = Folder::new();
                    let ran = run(turnkey().args(["run", "--timeout", "10s"]).arg(app(&apps, PAIR, &body)));
                    assert!([0, 134].contains(&ran.status()) && !ran.stderr.contains("panicked"), "{body}: {ran:?}");
                }
            }
        }
    }
}

#[test]
fn ghsa_xrvr_8678_5wp8_what_waits_for_the_host_can_be_cancelled_in_every_state() {
    let stdin = "(call $stdin.read-via-stream (i32.const 16)) (global.set $r (i32.load (i32.const 16))) (global.set $w (i32.load (i32.const 20)))";
    let read = "(call $stdin.read-via-stream.0.read.async (global.get $r) (i32.const 1024) (i32.const 10))";
    let cancel = "(call $stdin.read-via-stream.0.cancel-read (global.get $r))";
    let end = "(call $stdin.read-via-stream.1.read.async (global.get $w) (i32.const 1024))";
    let cancel_end = "(call $stdin.read-via-stream.1.cancel-read (global.get $w))";
    let drop_end = "(call $stdin.read-via-stream.1.drop-readable (global.get $w))";
    let stdout = "(call $keep (call $stdout.write-via-stream.0.new))
        (global.set $r (call $stdout.write-via-stream (global.get $r)))";
    let write = "(call $stdout.write-via-stream.0.write.async (global.get $w) (i32.const 2048) (i32.const 10))";
    let nothing = "(call $stdout.write-via-stream.0.write.async (global.get $w) (i32.const 2048) (i32.const 0))";
    let cancel_write = "(call $stdout.write-via-stream.0.cancel-write (global.get $w))";
    for (body, comes) in [
        (format!("{stdin} {}", says(read)), Comes::To(BLOCKED)),
        (format!("{stdin} (drop {read}) {}", says(cancel)), Comes::To(CANCELLED)),
        (format!("{stdin} (drop {read}) (drop {cancel}) (drop {read}) {}", says(cancel)), Comes::To(CANCELLED)),
        (format!("{stdin} (drop {cancel})"), Comes::Trap("")),
        (format!("{stdin} (drop {end}) {}", says(cancel_end)), Comes::To(CANCELLED)),
        (format!("{stdin} (drop {end}) (drop {cancel_end}) (drop {end}) {}", says(cancel_end)), Comes::To(CANCELLED)),
        (format!("{stdin} (drop {end}) (drop {read}) {}", says(cancel_end)), Comes::To(CANCELLED)),
        (format!("{stdin} {drop_end} (drop {read}) {}", says(cancel)), Comes::To(CANCELLED)),
        (
            format!("{stdin} (call $stdin.read-via-stream.0.drop-readable (global.get $r)) (call $end (i32.const 5))"),
            Comes::To(5),
        ),
        (format!("{stdout} {}", says(write)), Comes::To(BLOCKED)),
        (format!("{stdout} (drop {write}) {}", says(cancel_write)), Comes::To(CANCELLED)),
        (format!("{stdout} (drop {nothing}) {}", says(cancel_write)), Comes::To(CANCELLED)),
        (
            format!("{stdout} (drop {write}) (drop {cancel_write}) (drop {write}) {}", says(cancel_write)),
            Comes::To(CANCELLED),
        ),
        (format!("{stdout} (drop {cancel_write})"), Comes::Trap("")),
        (
            format!(
                "{stdout} (call $stdout.write-via-stream.1.drop-readable (global.get $r)) (drop {write}) {}",
                says(cancel_write)
            ),
            Comes::To(CANCELLED),
        ),
        // From one stream of the host's to another, and every end of it that there is is dropped.
        (
            format!(
                "{stdin} (call $stdout.write-via-stream.1.drop-readable (call $stdout.write-via-stream (global.get $r))) {drop_end} (call $end (i32.const 5))"
            ),
            Comes::To(5),
        ),
    ] {
        scene(PAIR, &body, true, &comes);
    }
}

#[test]
fn ghsa_xrvr_8678_5wp8_tasks_of_the_host_can_be_cancelled_in_every_state() {
    let forever = "(global.set $r (i32.shr_u (call $monotonic-clock.wait-for.async (i64.const -1)) (i32.const 4)))";
    let soon = forever.replace("-1", "1000000");
    let receive = "(call $udp-socket.create (i32.const 0) (i32.const 16)) (call $must (i32.const 16))
        (global.set $w (i32.load (i32.const 20)))
        (call $udp-socket.bind (global.get $w) (i32.const 0) (i32.const 0) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))
        (call $must (i32.const 16))
        (global.set $r (i32.shr_u (call $udp-socket.receive.async (global.get $w) (i32.const 16)) (i32.const 4)))";
    let cancel = "(call $subtask.cancel (global.get $r))";
    let wait = "(global.set $w (call $waitable-set.new)) (call $waitable.join (global.get $r) (global.get $w))
        (drop (call $waitable-set.wait (global.get $w) (i32.const 8)))";
    let (returned, cancelled) = (2, 4);
    for (body, comes) in [
        (format!("{forever} {}", says(cancel)), Comes::To(cancelled)),
        (format!("{forever} (drop {cancel}) (drop {cancel})"), Comes::Trap("")),
        (
            format!("{forever} (drop {cancel}) (call $subtask.drop (global.get $r)) (call $end (i32.const 5))"),
            Comes::To(5),
        ),
        (format!("{forever} (call $subtask.drop (global.get $r))"), Comes::Trap("")),
        (format!("{soon} {wait} (call $end (i32.load (i32.const 12)))"), Comes::To(returned)),
        (format!("{soon} {wait} (drop {cancel})"), Comes::Trap("")),
        (
            format!("{soon} {wait} (call $subtask.drop (global.get $r)) (call $subtask.drop (global.get $r))"),
            Comes::Trap(""),
        ),
        (format!("{receive} {}", says(cancel)), Comes::To(cancelled)),
        // It is still being received by when the socket goes.
        (format!("{receive} (call $udp-socket.drop (global.get $w)) {}", says(cancel)), Comes::Trap("")),
        (
            format!("{forever} {} (call $waitable-set.drop (global.get $w))", wait.split("(drop").next().unwrap()),
            Comes::Trap(""),
        ),
        ("(drop (call $subtask.cancel (i32.const 1)))".to_owned(), Comes::Trap("")),
        ("(drop (call $waitable-set.wait (i32.const 9) (i32.const 8)))".to_owned(), Comes::Trap("")),
        ("(call $waitable.join (call $waitable-set.new) (call $waitable-set.new))".to_owned(), Comes::Trap("")),
    ] {
        scene(PAIR, &body, false, &comes);
    }
}

/// A component whose `run` is called without waiting, with a core function for its callback that is what is said.
fn with_callback(callback: &str) -> String {
    format!(
        r#"(component
            (core func $return (canon task.return (result (result))))
            (core module $m
                (import "" "return" (func $return (param i32)))
                (func (export "run") (result i32) (call $return (i32.const 0)) (i32.const 1))
                (func (export "callback") {callback}))
            (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
            (func $run async (result (result)) (canon lift (core func $i "run") async (callback (func $i "callback"))))
            (instance $cli (export "run" (func $run)))
            (export "wasi:cli/run@0.3.2" (instance $cli)))"#
    )
}

#[test]
fn ghsa_32h6_97mm_8q3c_a_callback_that_gives_other_than_one_result_is_no_component() {
    let folder = Folder::new();
    let run_text = |text: &str| run(turnkey().args(["run", "--timeout", "20s"]).arg(folder.module(text)));
    let ran = run_text(&with_callback("(param i32 i32 i32) (result i32) (i32.const 0)"));
    assert_eq!(ran.quiet(), "", "one is what it has to be");
    for results in [0, 2, 3, 4, 16, 17, 100, 1000] {
        let callback =
            format!("(param i32 i32 i32) (result{}) {}", " i32".repeat(results), "(i32.const 0)".repeat(results));
        let ran = run_text(&with_callback(&callback));
        assert!(ran.ended_with(126).contains("not valid WebAssembly"), "{results}: {ran:?}");
    }
    for parameters in [0, 1, 2, 4, 100, 1000] {
        let callback = format!("(param{}) (result i32) (i32.const 0)", " i32".repeat(parameters));
        let ran = run_text(&with_callback(&callback));
        assert!(ran.ended_with(126).contains("not valid WebAssembly"), "{parameters}: {ran:?}");
    }
}

/// A component in which another one calls `go`, whose core function gives that many results, or takes that many parameters.
fn calls_async(parameters: usize, results: usize) -> String {
    let (params, result) = (" (param \"p\" u32)", format!("(tuple{})", " u32".repeat(results)));
    let params: String = (0..parameters).map(|number| params.replace("\"p\"", &format!("\"p{number}\""))).collect();
    let flat = if parameters > 16 { 1 } else { parameters };
    let returned = if results > 16 { 1 } else { results };
    let lowered = if parameters > 4 { 1 } else { parameters };
    format!(
        r#"(component
            (component $Callee
                (core module $room (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
                (core instance $room (instantiate $room))
                (core func $return (canon task.return (result {result}) (memory $room "memory")))
                (core module $m
                    (import "" "return" (func $return (param{})))
                    (func (export "go") (param{}) (result i32) (call $return {}) (i32.const 0))
                    (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
                (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
                (func (export "go") async {params} (result {result}) (canon lift (core func $i "go") async
                    (callback (func $i "callback")) (memory $room "memory") (realloc (func $room "realloc")))))
            (component $Caller
                (import "go" (func $go async {params} (result {result})))
                (core module $room (memory (export "memory") 1))
                (core instance $room (instantiate $room))
                (core func $waits (canon lower (func $go) (memory $room "memory")))
                (core func $goes_on (canon lower (func $go) async (memory $room "memory")))
                (core module $m
                    (import "" "goes-on" (func $goes_on (param{} i32) (result i32)))
                    (func (export "run") (result i32)
                        (if (i32.ne (call $goes_on {} (i32.const 1024)) (i32.const 2)) (then unreachable))
                        (i32.const 0)))
                (core instance $i (instantiate $m (with "" (instance (export "goes-on" (func $goes_on))))))
                (func (export "run") async (result (result)) (canon lift (core func $i "run"))))
            (instance $callee (instantiate $Callee))
            (instance $caller (instantiate $Caller (with "go" (func $callee "go"))))
            (instance $cli (export "run" (func $caller "run")))
            (export "wasi:cli/run@0.3.2" (instance $cli)))"#,
        " i32".repeat(returned),
        " i32".repeat(flat),
        "(i32.const 64)".repeat(returned),
        " i32".repeat(lowered),
        "(i32.const 64)".repeat(lowered),
    )
}

#[test]
fn ghsa_32h6_97mm_8q3c_as_many_parameters_and_results_as_there_can_be_go_through_an_async_call() {
    let folder = Folder::new();
    for parameters in [0, 4, 5, 16, 17, 100] {
        for results in [1, 2, 15, 16, 17, 100] {
            let app = folder.module(&calls_async(parameters, results));
            let ran = run(turnkey().args(["run", "--timeout", "20s"]).arg(app));
            assert_eq!((ran.status(), ran.stderr.as_str()), (0, ""), "{parameters} {results}");
        }
    }
}

#[test]
fn what_a_callback_gives_that_is_no_code_is_a_trap() {
    let apps = Folder::new();
    // Codes that are none; sets that are none; to give no result; to give two; to end before it has given one.
    let give = "(call $task.return (i32.const 0))";
    for (body, comes) in [
        (format!("{give} (i32.const 0)"), Comes::To(0)),
        ("(i32.const 0)".to_owned(), Comes::Trap("")),
        (format!("{give} {give} (i32.const 0)"), Comes::Trap("")),
        ("(i32.const 3)".to_owned(), Comes::Trap("")),
        ("(i32.const 15)".to_owned(), Comes::Trap("")),
        ("(i32.const -1)".to_owned(), Comes::Trap("")),
        ("(i32.const 2)".to_owned(), Comes::Trap("")),
        ("(i32.const 0x12)".to_owned(), Comes::Trap("")),
        ("(call $task.return (i32.const 7)) (i32.const 0)".to_owned(), Comes::Trap("")),
    ] {
        for again in [false, true] {
            let app = match again {
                false => callback_app(&apps, "", &body, "unreachable"),
                // The same, once others had a turn.
                true => callback_app(&apps, "", "(i32.const 1)", &body),
            };
            let ran = run_it(&app, false);
            match &comes {
                Comes::To(status) => assert_eq!((ran.status(), ran.stderr.as_str()), (*status, ""), "{body}: {ran:?}"),
                Comes::Trap(words) => assert!(ran.ended_with(134).contains(words), "{body}: {ran:?}"),
            }
        }
    }
}

/// Numbers that are always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

/// What is known of an end of a stream or a future of the component's own.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// It can be read or written.
    Idle,
    /// It can only be dropped.
    Done,
    Gone,
}

/// A component that does so much with streams and futures of its own, in an order that these numbers give: each thing is one
/// that is allowed, as far as it can be known beforehand; the last may be anything.
fn random_operations(numbers: &mut Numbers, count: usize) -> (String, String) {
    const PAIRS: usize = 6;
    let mut fields = String::from("(global $set (mut i32) (i32.const 0))");
    for pair in 0..PAIRS {
        write!(fields, "(global $r{pair} (mut i32) (i32.const 0)) (global $w{pair} (mut i32) (i32.const 0))").unwrap();
    }
    let mut body = String::from("(local $ends i64) (global.set $set (call $waitable-set.new))");
    // Streams, and futures, each with its reading and its writing end.
    let name = |pair: usize| format!("$stdout.write-via-stream.{}", pair % 2);
    let mut ends = [[End::Gone; 2]; PAIRS];
    for _ in 0..count {
        let (pair, side) = (numbers.below(PAIRS), numbers.below(2));
        let (is_stream, name, [this, other]) = (pair % 2 == 0, name(pair), [ends[pair][side], ends[pair][1 - side]]);
        let (end, verb, noun) = [("r", "read", "readable"), ("w", "write", "writable")][side];
        let handle = format!("(global.get ${end}{pair})");
        match numbers.below(7) {
            _ if ends[pair] == [End::Gone; 2] => {
                write!(
                    body,
                    "(local.set $ends (call {name}.new)) (global.set $r{pair} (i32.wrap_i64 (local.get $ends)))
                     (global.set $w{pair} (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))"
                )
                .unwrap();
                ends[pair] = [End::Idle; 2];
            }
            // Begun, and taken back where it waits; or left as it is, with the end that it is at.
            how @ 0..3 if this == End::Idle && (is_stream || other == End::Idle) => {
                let (at, bytes) = (1024 + numbers.below(1000), numbers.below(100));
                let bytes = if is_stream { format!("(i32.const {bytes})") } else { String::new() };
                let begin = format!("(call {name}.{verb}.async {handle} (i32.const {at}) {bytes})");
                if how == 0 {
                    write!(body, "(drop {begin})").unwrap();
                    // Whether it waits is known no more.
                    ends[pair] = [End::Gone; 2];
                } else {
                    write!(
                        body,
                        "(if (i32.eq {begin} (i32.const -1)) (then
                            (call $waitable.join {handle} (i32.const 0)) (drop (call {name}.cancel-{verb} {handle}))))"
                    )
                    .unwrap();
                    if other == End::Gone {
                        ends[pair][side] = End::Done;
                    }
                }
            }
            3 if this != End::Gone => {
                let set = if numbers.below(2) == 0 { "(global.get $set)" } else { "(i32.const 0)" };
                write!(body, "(call $waitable.join {handle} {set})").unwrap();
            }
            4 if this != End::Gone && is_stream => {
                write!(body, "(call {name}.drop-{noun} {handle})").unwrap();
                ends[pair][side] = End::Gone;
            }
            5 => body += "(drop (call $waitable-set.poll (global.get $set) (i32.const 8)))",
            6 => body += "(drop (call $monotonic-clock.wait-for.async (i64.const 0)))",
            _ => {}
        }
    }
    // Whatever comes of it.
    let pair = numbers.below(PAIRS);
    let operation = ["cancel-read", "cancel-write", "drop-readable", "drop-writable"][numbers.below(4)];
    let end = if operation.contains("read") { "r" } else { "w" };
    let call = format!("(call {}.{operation} (global.get ${end}{pair}))", name(pair));
    body += "(i32.store (i32.const 512) (i32.const 0x0a646e65)) (call $print (i32.const 512) (i32.const 4))";
    body += &if operation.starts_with("cancel") { format!("(drop {call})") } else { call };
    (fields, body)
}

#[test]
fn ghsa_xrvr_8678_5wp8_random_operations_on_streams_and_futures_end_by_themselves_or_by_a_trap() {
    let mut numbers = Numbers(1);
    let mut got_there = 0;
    for number in 0..40 {
        let (fields, body) = random_operations(&mut numbers, 150);
        let apps = Folder::new();
        let app = app(&apps, &fields, &body);
        let ran = run(turnkey().args(["run", "--timeout", "10s"]).arg(app));
        assert!([0, 134].contains(&ran.status()) && !ran.stderr.contains("panicked"), "{number}: {ran:?}");
        assert!(!ran.stderr.contains("BUG") && ran.peak_bytes < FLAT_BYTES, "{number}: {ran:?}");
        got_there += u32::from(ran.text() == "end\n");
    }
    assert!(got_there > 30, "{got_there} of 40 got to what may be a trap");
}
