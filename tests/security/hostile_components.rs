//! Components that keep no rule of the canonical ABI and none of Preview 2's: each ends by a code of the standard, by a trap,
//! or by a limit that is named; the host does not panic, does not hang and does not grow.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::component::{app, data, large_app};
use crate::harness::{Folder, Ran, granted, run, turnkey};

/// Far more than any of these needs.
const FLAT_BYTES: u64 = 100 << 20;

/// Runs a component over a directory of its own, which is given back with it.
fn run_in(folder: &Folder, flags: &[&str], app: &Path) -> Ran {
    let mut command: Command = turnkey();
    if !flags.contains(&"--timeout") {
        command.args(["run", "--timeout", "20s"]);
    } else {
        command.arg("run");
    }
    let begin = Instant::now();
    let ran = run(command.args(flags).arg("--dir").arg(granted(folder.root(), "/d")).arg(app));
    assert!(!ran.stderr.contains("panicked") && ran.status() != 101, "{ran:?}");
    assert!(ran.peak_bytes < FLAT_BYTES, "the process took {} MiB", ran.peak_bytes >> 20);
    assert!(begin.elapsed() < Duration::from_secs(30), "{ran:?}");
    ran
}

fn run_text(flags: &[&str], fields: &str, body: &str) -> Ran {
    let (folder, apps) = (Folder::new(), Folder::new());
    run_in(&folder, flags, &app(&apps, fields, body))
}

/// It ends by a trap, of which these words are said.
#[track_caller]
fn traps(fields: &str, body: &str, words: &str) {
    let ran = run_text(&[], fields, body);
    assert!(ran.ended_with(134).contains(words), "{body}: {ran:?}");
}

/// It ends with a status of its own.
#[track_caller]
fn ends(flags: &[&str], body: &str, status: i32) {
    let ran = run_text(flags, "", body);
    assert_eq!((ran.status(), ran.stderr.as_str()), (status, ""), "{body}");
}

/// It is stopped by a limit.
#[track_caller]
fn stopped(flags: &[&str], body: &str, limit: &str) {
    let ran = run_text(flags, "", body);
    assert!(ran.ended_with(124).contains(&format!("`{limit}")), "{body}: {ran:?}");
}

#[test]
fn results_are_written_nowhere_but_inside_the_memory_and_aligned() {
    for at in ["0x3fffc", "0x40000", "0x7ffffffc", "-4", "-8"] {
        traps("", &format!("(call $preopens.get-directories (i32.const {at}))"), "pointer out of bounds");
        traps("", &format!("(call $random.get-random-bytes (i64.const 9) (i32.const {at}))"), "pointer out of bounds");
    }
    for at in ["0x3fff8", "0x40000", "0x7ffffff8", "-8", "-16"] {
        traps("", &format!("(call $wall-clock.now (i32.const {at}))"), "pointer out of bounds");
    }
    for at in [1, 2, 3, 17, 0x3ffff] {
        traps("", &format!("(call $preopens.get-directories (i32.const {at}))"), "pointer");
        traps("", &format!("(call $output-stream.check-write (call $stdout.get-stdout) (i32.const {at}))"), "pointer");
    }
}

#[test]
fn lists_and_strings_beyond_the_memory_are_a_trap_and_nothing_has_happened() {
    let beyond = "list pointer/length out of bounds of memory";
    for (at, bytes) in
        [("65536", "0x7fffffff"), ("0x40000", "1"), ("-1", "1"), ("-1", "-1"), ("0", "0x40001"), ("0x40001", "0")]
    {
        let range = format!("(i32.const {at}) (i32.const {bytes})");
        let stream = "(local $s i32) (local.set $s (call $stdout.get-stdout)) (call $output-stream.check-write (local.get $s) (i32.const 16))";
        traps("", &format!("{stream} (call $output-stream.write (local.get $s) {range} (i32.const 16))"), beyond);
        traps(
            "",
            &format!("{stream} (call $output-stream.blocking-write-and-flush (local.get $s) {range} (i32.const 16))"),
            beyond,
        );
        traps("", &format!("(call $descriptor.write (call $file) {range} (i64.const 0) (i32.const 16))"), beyond);
        for call in ["create-directory-at", "unlink-file-at", "readlink-at", "remove-directory-at"] {
            traps("", &format!("(call $descriptor.{call} (call $root) {range} (i32.const 16))"), "out of bounds");
        }
        traps(
            "",
            &format!("(call $descriptor.symlink-at (call $root) (i32.const 64) (i32.const 1) {range} (i32.const 16))"),
            "out of bounds",
        );
    }
    for (at, count) in [("65536", "0x40000000"), ("65536", "0x3fffffff"), ("0x40000", "1"), ("-4", "1"), ("-4", "-1")] {
        traps("", &format!("(call $poll.poll (i32.const {at}) (i32.const {count}) (i32.const 16))"), beyond);
    }
    traps("", "(call $poll.poll (i32.const 65537) (i32.const 1) (i32.const 16))", "pointer is not aligned");
}

#[test]
fn datagrams_that_lie_beyond_the_memory_are_a_trap() {
    // A socket with streams, bound to any free port of this machine; and one datagram at 4096, whose bytes lie elsewhere.
    let socket = "(local $socket i32) (local $out i32)
        (call $udp-create-socket.create-udp-socket (i32.const 0) (i32.const 16)) (call $must (i32.const 16))
        (local.set $socket (i32.load (i32.const 20)))
        (call $udp-socket.start-bind (local.get $socket) (call $instance-network.instance-network)
            (i32.const 0) (i32.const 0) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))
        (if (i32.load8_u (i32.const 16)) (then (call $end (i32.const 8))))
        (call $udp-socket.finish-bind (local.get $socket) (i32.const 16))
        (call $udp-socket.stream (local.get $socket) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))
        (if (i32.load8_u (i32.const 16)) (then (call $end (i32.const 9))))
        (local.set $out (i32.load (i32.const 24)))
        (call $outgoing-datagram-stream.check-send (local.get $out) (i32.const 16)) (call $must64 (i32.const 16))";
    let send = |at: &str, count: &str| {
        format!(
            "(call $outgoing-datagram-stream.send (local.get $out) (i32.const {at}) (i32.const {count}) (i32.const 16))"
        )
    };
    let datagram = |bytes: &str, length: &str| {
        format!("(i32.store (i32.const 4096) (i32.const {bytes})) (i32.store (i32.const 4100) (i32.const {length}))")
    };
    for (body, words) in [
        (send("0x40000", "1"), "out of bounds"),
        (send("4096", "0x7fffffff"), "out of bounds"),
        (send("4097", "1"), "not aligned"),
        (send("4096", "65"), "than `check-send` has permitted"),
        (datagram("0x40000", "1") + &send("4096", "1"), "out of bounds"),
        (datagram("64", "-1") + &send("4096", "1"), "out of bounds"),
        (datagram("64", "1") + "(i32.store8 (i32.const 4104) (i32.const 9))" + &send("4096", "1"), "discriminant"),
    ] {
        let ran = run_text(&["--allow", "network"], "", &format!("{socket} {body}"));
        assert!(ran.ended_with(134).contains(words), "{body}: {ran:?}");
    }
    let none =
        run_text(&["--allow", "network"], "", &format!("{socket} {} (call $must64 (i32.const 16))", send("4096", "0")));
    assert_eq!(none.quiet(), "");
}

#[test]
fn a_realloc_that_gives_what_is_no_room_is_a_trap() {
    let realloc = |body: &str| format!("(func $realloc (param i32 i32 i32 i32) (result i32) {body})");
    let list = "(call $preopens.get-directories (i32.const 16))";
    let bytes = "(call $random.get-random-bytes (i64.const 100) (i32.const 16))";
    let read = "(call $descriptor.read (call $file) (i64.const 100000) (i64.const 0) (i32.const 16))
        (call $must (i32.const 16))
        (call $input-stream.read (call $reader (call $file) (i64.const 0)) (i64.const 100000) (i32.const 16))";
    for (body, words) in [
        ("(i32.const 0x7ffffff0)", "beyond end of memory"),
        ("(i32.const -16)", "beyond end of memory"),
        ("(i32.const 0x40000)", "beyond end of memory"),
        ("(i32.const 0x3fffc)", "beyond end of memory"),
        ("unreachable", "unreachable"),
        ("(loop (br 0)) unreachable", "`--timeout"),
        ("(drop (call $stdin.get-stdin)) (i32.const 1024)", "cannot leave component instance"),
    ] {
        for call in [list, bytes] {
            let ran = run_text(&["--timeout", "1s"], &realloc(body), call);
            assert!(
                ran.ended_with(ran.status()).contains(words) && [124, 134].contains(&ran.status()),
                "{body}: {ran:?}"
            );
        }
    }
    traps(&realloc("(i32.const 1001)"), list, "not aligned");
    // Of a file with something in it, into a place that is made after the read was asked for.
    let (folder, apps) = (Folder::new(), Folder::new());
    folder.file("file", vec![b'x'; 100_000]);
    for place in ["0x3fffc", "0x7ffffff0", "-1"] {
        // The directories are told well: the first two times there is room.
        let late = format!(
            "(global $times (mut i32) (i32.const 0))
             (func $realloc (param i32 i32 i32 i32) (result i32)
                (global.set $times (i32.add (global.get $times) (i32.const 1)))
                (if (result i32) (i32.le_u (global.get $times) (i32.const 2)) (then (i32.mul (global.get $times) (i32.const 1024))) (else (i32.const {place}))))"
        );
        let ran = run_in(&folder, &[], &app(&apps, &late, read));
        assert!(ran.ended_with(134).contains("beyond end of memory"), "{ran:?}");
    }
}

#[test]
fn a_realloc_that_gives_the_same_place_again_harms_only_its_guest() {
    let same = "(func $realloc (param i32 i32 i32 i32) (result i32) (i32.const 16))";
    let body = "(call $environment.get-environment (i32.const 16))
        (call $environment.get-arguments (i32.const 16))
        (call $preopens.get-directories (i32.const 16))
        (call $random.get-random-bytes (i64.const 1000) (i32.const 16))
        (call $input-stream.blocking-read (call $stdin.get-stdin) (i64.const 100000) (i32.const 16))
        (call $input-stream.blocking-read (call $stdin.get-stdin) (i64.const 100) (i32.const 16))";
    let ran = run_text(&["--env=A=B", "--env=C=DDDDDDDDDDDDDDDDDDDDDDDDDDDD", "--stdin=/dev/zero"], same, body);
    assert_eq!(ran.quiet(), "");
}

#[test]
fn strings_that_are_not_utf_8_are_a_trap() {
    for bytes in
        [&b"\xff"[..], b"a\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"..\xe0\x80\xaf", b"\xee\xbe"]
    {
        let at = format!("(i32.const 1024) (i32.const {})", bytes.len());
        for call in [
            format!(
                "(call $descriptor.open-at (call $root) (i32.const 1) {at} (i32.const 1) (i32.const 3) (i32.const 16))"
            ),
            format!("(call $descriptor.stat-at (call $root) (i32.const 0) {at} (i32.const 16))"),
            format!("(call $descriptor.rename-at (call $root) {at} (call $root) {at} (i32.const 16))"),
            format!(
                "(call $ip-name-lookup.resolve-addresses (call $instance-network.instance-network) {at} (i32.const 16))"
            ),
        ] {
            traps(&data(1024, bytes), &call, "utf-8");
        }
    }
}

#[test]
fn flags_that_there_are_none_of_are_nothing_and_cases_that_there_are_none_of_are_a_trap() {
    // Flags of -16 and the like are the lowest ones that there are, and the rest is nothing (the ABI says so).
    let open = "(i32.store (i32.const 64) (i32.const 0x61616161))
        (call $descriptor.open-at (call $root) (i32.const -1) (i32.const 64) (i32.const 4) (i32.const -15) (i32.const -61) (i32.const 16))";
    ends(&[], &format!("{open} (call $must (i32.const 16))"), 0);
    let time = "(i32.const 0) (i64.const 0) (i32.const 0)";
    for (call, words) in [
        (
            "(call $descriptor.advise (call $file) (i64.const 0) (i64.const 0) (i32.const 6) (i32.const 16))"
                .to_owned(),
            "discriminant",
        ),
        (
            "(call $descriptor.advise (call $file) (i64.const 0) (i64.const 0) (i32.const -1) (i32.const 16))"
                .to_owned(),
            "discriminant",
        ),
        (
            format!(
                "(call $descriptor.set-times (call $file) (i32.const 3) (i64.const 0) (i32.const 0) {time} (i32.const 16))"
            ),
            "discriminant",
        ),
        (
            format!(
                "(call $descriptor.set-times (call $file) {time} (i32.const -1) (i64.const 0) (i32.const 0) (i32.const 16))"
            ),
            "discriminant",
        ),
        ("(call $tcp-create-socket.create-tcp-socket (i32.const 2) (i32.const 16))".to_owned(), "discriminant"),
        ("(call $udp-create-socket.create-udp-socket (i32.const 0x10000) (i32.const 16))".to_owned(), "discriminant"),
        ("(call $exit.exit (i32.const 2))".to_owned(), "discriminant"),
    ] {
        traps("", &call, words);
    }
}

/// What the standard's function for the end gives is looked at when no code of the guest runs any more.
#[test]
fn a_result_of_run_that_is_none_is_a_trap() {
    for result in [2, 7, -1] {
        traps("", &format!("(return (i32.const {result}))"), "invalid expected discriminant");
    }
    ends(&[], "(return (i32.const 1))", 1);
}

#[test]
fn a_handle_that_was_dropped_never_was_or_is_of_another_kind_is_a_trap() {
    let pollable = "(local $p i32) (local.set $p (call $monotonic-clock.subscribe-duration (i64.const 0)))";
    for (body, words) in [
        (
            format!("{pollable} (call $pollable.drop (local.get $p)) (call $pollable.block (local.get $p))"),
            "unknown handle",
        ),
        (
            format!("{pollable} (call $pollable.drop (local.get $p)) (call $pollable.drop (local.get $p))"),
            "unknown handle",
        ),
        ("(call $pollable.block (i32.const 0))".to_owned(), "unknown handle"),
        ("(call $pollable.block (i32.const -1))".to_owned(), "unknown handle"),
        ("(call $pollable.drop (i32.const 0x10000000))".to_owned(), "unknown handle"),
        ("(call $pollable.block (call $stdin.get-stdin))".to_owned(), "wrong type"),
        ("(call $input-stream.drop (call $stdout.get-stdout))".to_owned(), "wrong type"),
        ("(call $descriptor.sync (call $stdout.get-stdout) (i32.const 16))".to_owned(), "wrong type"),
        (
            format!(
                "{pollable} (i32.store (i32.const 64) (local.get $p)) (i32.store (i32.const 68) (i32.const 99))
                 (call $poll.poll (i32.const 64) (i32.const 2) (i32.const 16))"
            ),
            "unknown handle",
        ),
        ("(call $poll.poll (i32.const 64) (i32.const 0) (i32.const 16))".to_owned(), "nothing to wait for"),
    ] {
        traps("", &body, words);
    }
}

#[test]
fn a_pollable_outlives_what_it_belongs_to_only_to_trap() {
    let gone = "had been dropped";
    for (parent, subscribe, drop) in [
        ("(call $stdin.get-stdin)", "input-stream.subscribe", "input-stream.drop"),
        ("(call $stdout.get-stdout)", "output-stream.subscribe", "output-stream.drop"),
        ("(call $reader (call $file) (i64.const 0))", "input-stream.subscribe", "input-stream.drop"),
        ("(call $socket)", "tcp-socket.subscribe", "tcp-socket.drop"),
    ] {
        let socket = "(func $socket (result i32)
            (call $tcp-create-socket.create-tcp-socket (i32.const 0) (i32.const 16)) (call $must (i32.const 16))
            (i32.load (i32.const 20)))";
        let fields = if parent == "(call $socket)" { socket } else { "" };
        let dropped = format!(
            "(local $parent i32) (local $p i32) (local.set $parent {parent})
             (local.set $p (call ${subscribe} (local.get $parent)))
             (call ${drop} (local.get $parent))"
        );
        traps(fields, &format!("{dropped} (call $pollable.block (local.get $p))"), gone);
        traps(fields, &format!("{dropped} (drop (call $pollable.ready (local.get $p)))"), gone);
        let poll =
            "(i32.store (i32.const 64) (local.get $p)) (call $poll.poll (i32.const 64) (i32.const 1) (i32.const 16))";
        traps(fields, &format!("{dropped} {poll}"), gone);
        // Nor does it become one of what comes to lie in the same place.
        traps(fields, &format!("{dropped} (local.set $parent {parent}) (call $pollable.block (local.get $p))"), gone);
        let well = format!("{dropped} (call $pollable.drop (local.get $p))");
        assert_eq!(run_text(&[], fields, &well).quiet(), "");
    }
}

#[test]
fn more_than_was_permitted_is_a_trap() {
    let writer = "(local $s i32) (local.set $s (call $writer (call $file) (i64.const 0)))";
    let permit = "(call $output-stream.check-write (local.get $s) (i32.const 16))";
    let write = |bytes: &str| {
        format!("(call $output-stream.write (local.get $s) (i32.const 0) (i32.const {bytes}) (i32.const 16))")
    };
    let zeroes =
        |bytes: &str| format!("(call $output-stream.write-zeroes (local.get $s) (i64.const {bytes}) (i32.const 16))");
    let words = "than `check-write` has permitted";
    traps("", &format!("{writer} {}", write("1")), words);
    traps("", &format!("{writer} {}", zeroes("1")), words);
    traps("", &format!("{writer} {permit} {}", zeroes("1048577")), words);
    traps("", &format!("{writer} {permit} {}", zeroes("-1")), words);
    traps("", &format!("{writer} {permit} {} {}", zeroes("1048576"), write("1")), words);
    traps("", &format!("{writer} {permit} {permit} {} {}", write("200000"), zeroes("900000")), words);
    ends(&[], &format!("{writer} {permit} {} {} (call $must (i32.const 16))", zeroes("1000000"), write("48576")), 0);
}

#[test]
fn zeroes_without_end_are_ended_by_the_guests_time_and_by_its_fuel() {
    let zeroes = |stream: &str| {
        format!(
            "(call $output-stream.blocking-write-zeroes-and-flush {stream} (i64.const -1) (i32.const 16)) (call $must (i32.const 16))"
        )
    };
    let stdout = zeroes("(call $stdout.get-stdout)");
    stopped(&["--timeout", "1s", "--stdout=null"], &stdout, "--timeout 1s");
    stopped(&["--timeout", "10s", "--fuel=100000", "--stdout=null"], &stdout, "--fuel 100000");
    // Where no file goes further, that is what it is told.
    let failed = 100;
    ends(&[], &zeroes("(call $writer (call $file) (i64.const 0x7ffffffffff00000))"), failed);
    // With a pipe that nobody reads it waits.
    let (folder, apps) = (Folder::new(), Folder::new());
    let (_open, writer) = std::io::pipe().unwrap();
    let mut command = turnkey();
    command.args(["run", "--timeout", "1s"]).arg(app(&apps, "", &stdout)).current_dir(folder.root());
    let ran = crate::harness::start(command.stdout(writer).stderr(std::process::Stdio::piped())).wait();
    assert!(ran.ended_with(124).contains("`--timeout 1s`") && ran.cpu < Duration::from_millis(900), "{ran:?}");
}

#[test]
fn waits_as_long_as_a_number_can_say_end_with_the_guests_time() {
    for flags in [&["--timeout", "1s"][..], &["--timeout", "1s", "--clock-resolution=7s"]] {
        for pollable in [
            "subscribe-duration (i64.const -1)",
            "subscribe-instant (i64.const -1)",
            "subscribe-instant (i64.const 0x7fffffffffffffff)",
        ] {
            stopped(flags, &format!("(call $pollable.block (call $monotonic-clock.{pollable}))"), "--timeout 1s");
        }
    }
    // Where the clock stands still, such a wait is over at once, and so is the one after it.
    let body = "(call $pollable.block (call $monotonic-clock.subscribe-instant (i64.const -1)))
        (call $pollable.block (call $monotonic-clock.subscribe-duration (i64.const -1)))
        (call $pollable.block (call $monotonic-clock.subscribe-duration (i64.const 1)))
        (call $wall-clock.now (i32.const 16)) (drop (call $monotonic-clock.now))";
    ends(&["--clock=frozen"], body, 0);
    ends(&["--deterministic"], body, 0);
    ends(&["--clock=frozen", "--clock-resolution=7s"], body, 0);
}

/// Where a result `result<_, error-code>` lies behind its case at once, its code is the byte after it.
const MUST_NOT: &str = "(if (i32.eqz (i32.load8_u (i32.const 16))) (then (call $end (i32.const 99))))";

#[test]
fn offsets_and_sizes_as_large_as_a_number_can_say_have_a_code_or_the_end() {
    for offset in ["0x7fffffffffffffff", "0x8000000000000000", "0x8000000000000001", "-1", "-2"] {
        let n = format!("(i64.const {offset})");
        let must_not = [
            format!("(call $descriptor.write (call $file) (i32.const 0) (i32.const 1000) {n} (i32.const 16))"),
            format!(
                "(call $output-stream.blocking-write-and-flush (call $writer (call $file) {n}) (i32.const 0) (i32.const 9) (i32.const 16))"
            ),
            format!("(call $descriptor.advise (call $file) {n} {n} (i32.const 3) (i32.const 16))"),
        ];
        for call in must_not {
            ends(&[], &format!("{call} {MUST_NOT}"), 0);
        }
        for call in [
            format!("(call $descriptor.set-size (call $file) {n} (i32.const 16))"),
            format!("(call $descriptor.advise (call $file) (i64.const 0) {n} (i32.const 3) (i32.const 16))"),
            format!("(call $descriptor.read (call $file) (i64.const 100000) {n} (i32.const 16))"),
            format!("(call $descriptor.read (call $file) (i64.const 100) {n} (i32.const 16))"),
            format!("(call $descriptor.read (call $file) {n} {n} (i32.const 16))"),
            format!(
                "(call $input-stream.blocking-read (call $reader (call $file) {n}) (i64.const 1000) (i32.const 16))"
            ),
            format!("(call $input-stream.blocking-read (call $reader (call $file) {n}) {n} (i32.const 16))"),
            format!("(call $input-stream.blocking-skip (call $reader (call $file) {n}) {n} (i32.const 16))"),
            format!(
                "(call $output-stream.splice (call $writer (call $file) {n}) (call $reader (call $file) {n}) {n} (i32.const 16))"
            ),
        ] {
            ends(&[], &call, 0);
        }
    }
}

#[test]
fn numbers_as_large_as_there_are_have_a_code_as_options_of_sockets() {
    let tcp = [
        "set-listen-backlog-size",
        "set-keep-alive-idle-time",
        "set-keep-alive-interval",
        "set-receive-buffer-size",
        "set-send-buffer-size",
    ];
    for number in ["0", "1", "0x7fffffff", "0x80000000", "0xffffffff", "0x7fffffffffffffff", "-1"] {
        let mut body = String::from(
            "(local $s i32)
             (call $tcp-create-socket.create-tcp-socket (i32.const 0) (i32.const 16)) (call $must (i32.const 16))
             (local.set $s (i32.load (i32.const 20)))",
        );
        for option in tcp {
            body += &format!("(call $tcp-socket.{option} (local.get $s) (i64.const {number}) (i32.const 16))");
        }
        body += &format!(
            "(call $tcp-socket.set-keep-alive-count (local.get $s) (i32.wrap_i64 (i64.const {number})) (i32.const 16))
             (call $tcp-socket.set-hop-limit (local.get $s) (i32.wrap_i64 (i64.const {number})) (i32.const 16))
             (call $udp-create-socket.create-udp-socket (i32.const 1) (i32.const 16)) (call $must (i32.const 16))
             (local.set $s (i32.load (i32.const 20)))
             (call $udp-socket.set-receive-buffer-size (local.get $s) (i64.const {number}) (i32.const 16))
             (call $udp-socket.set-send-buffer-size (local.get $s) (i64.const {number}) (i32.const 16))
             (call $udp-socket.set-unicast-hop-limit (local.get $s) (i32.wrap_i64 (i64.const {number})) (i32.const 16))"
        );
        ends(&[], &body, 0);
    }
}

#[test]
fn a_file_spliced_into_itself_grows_no_faster_than_it_is_asked_to() {
    let (folder, apps) = (Folder::new(), Folder::new());
    let file = folder.file("file", vec![b'x'; 1000]);
    // What is read is what was written before: a thousand times, and each time a thousand bytes at the most.
    let body = "(local $file i32) (local $in i32) (local $out i32) (local $i i32)
        (local.set $file (call $file)) (local.set $in (call $reader (local.get $file) (i64.const 0)))
        (call $descriptor.append-via-stream (local.get $file) (i32.const 16)) (call $must (i32.const 16))
        (local.set $out (i32.load (i32.const 20)))
        (loop $again
            (call $output-stream.blocking-splice (local.get $out) (local.get $in) (i64.const 1000) (i32.const 16))
            (call $must64 (i32.const 16))
            (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))";
    assert_eq!(run_in(&folder, &[], &app(&apps, "", body)).quiet(), "");
    assert_eq!(fs::metadata(&file).unwrap().len(), 1_001_000);
    // And as much as a number can say is what goes over at once.
    let once = body.replace("(i64.const 1000)", "(i64.const -1)").replace("(i32.const 1000))))", "(i32.const 1))))");
    assert_eq!(run_in(&folder, &[], &app(&apps, "", &once)).quiet(), "");
    assert!(fs::metadata(&file).unwrap().len() <= 1_001_000 + (1 << 20));
}

#[test]
fn streams_of_a_file_keep_it_open_and_count_when_its_descriptor_is_dropped() {
    let opened = |then: &str| {
        format!(
            "(local $file i32) (local $i i32)
             (loop $again (local.set $file (call $file)) {then} (call $descriptor.drop (local.get $file)) (br $again))"
        )
    };
    let insufficient_memory = 100 + 22;
    let reader = "(drop (call $reader (local.get $file) (i64.const 0)))";
    let many = "(local.set $i (i32.const 0))
        (loop $streams (drop (call $writer (local.get $file) (i64.const 0)))
            (br_if $streams (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5000))))";
    for then in [reader, many] {
        let ran = run_text(&["--max-descriptors=10"], "", &opened(then));
        assert_eq!(ran.status(), insufficient_memory, "{ran:?}");
        assert!(ran.stderr.contains("`--max-descriptors 10`"), "{ran:?}");
    }
    // Without a stream none is left.
    let ran = run_text(&["--max-descriptors=10", "--timeout", "1s"], "", &opened(""));
    assert!([124, insufficient_memory].contains(&ran.status()), "{ran:?}");
}

#[test]
fn a_listing_outlives_its_directory() {
    let (folder, apps) = (Folder::new(), Folder::new());
    let names = data(1024, b"gone") + &data(1088, b"gone/x");
    let body = "(local $root i32) (local $gone i32) (local $list i32) (local $i i32)
        (local.set $root (call $root))
        (call $descriptor.create-directory-at (local.get $root) (i32.const 1024) (i32.const 4) (i32.const 16))
        (call $descriptor.create-directory-at (local.get $root) (i32.const 1088) (i32.const 6) (i32.const 16))
        (call $descriptor.open-at (local.get $root) (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const 2) (i32.const 33) (i32.const 16))
        (call $must (i32.const 16)) (local.set $gone (i32.load (i32.const 20)))
        (call $descriptor.read-directory (local.get $gone) (i32.const 16)) (call $must (i32.const 16))
        (local.set $list (i32.load (i32.const 20)))
        (call $descriptor.remove-directory-at (local.get $root) (i32.const 1088) (i32.const 6) (i32.const 16))
        (call $descriptor.remove-directory-at (local.get $root) (i32.const 1024) (i32.const 4) (i32.const 16))
        (if (i32.load8_u (i32.const 16)) (then (call $end (i32.const 9))))
        (loop $again
            (call $directory-entry-stream.read-directory-entry (local.get $list) (i32.const 16))
            (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
        (call $descriptor.read-directory (local.get $gone) (i32.const 16))
        (call $descriptor.stat (local.get $gone) (i32.const 1024))
        (call $descriptor.sync (local.get $gone) (i32.const 16))
        (call $descriptor.create-directory-at (local.get $gone) (i32.const 1024) (i32.const 4) (i32.const 16))
        (if (i32.eqz (i32.load8_u (i32.const 16))) (then (call $end (i32.const 10))))
        (call $descriptor.drop (local.get $gone))
        (call $directory-entry-stream.read-directory-entry (local.get $list) (i32.const 16))";
    let app = app(&apps, &names, body);
    for flags in [&[][..], &["--deterministic"]] {
        assert_eq!(run_in(&folder, flags, &app).quiet(), "");
    }
}

#[test]
fn a_component_that_calls_itself_to_the_end_of_its_stack_traps() {
    traps("(func $deep (call $deep) (call $deep))", "(call $deep)", "call stack is exhausted");
    let in_realloc = "(func $realloc (param i32 i32 i32 i32) (result i32)
        (drop (call $realloc (local.get 0) (local.get 0) (local.get 0) (local.get 0)))
        (call $realloc (local.get 0) (local.get 0) (local.get 0) (local.get 0)))";
    traps(in_realloc, "(call $random.get-random-bytes (i64.const 9) (i32.const 16))", "call stack is exhausted");
}

#[test]
fn the_end_comes_at_once_wherever_it_is_called() {
    for status in [0, 1, 77, 255] {
        ends(&[], &format!("(call $exit.exit-with-code (i32.const {status})) unreachable"), status);
    }
    // More than a byte is its lowest one (the ABI says so).
    ends(&[], "(call $exit.exit-with-code (i32.const 0x107)) unreachable", 7);
}

#[test]
fn memory_that_grows_between_a_list_and_its_use_is_the_same_memory() {
    // The room for what is read is made by growing; the list that is written lies where it lay.
    let grows = "(func $realloc (param i32 i32 i32 i32) (result i32)
        (i32.mul (memory.grow (i32.const 2)) (i32.const 65536)))";
    let (folder, apps) = (Folder::new(), Folder::new());
    folder.file("file", vec![b'x'; 100_000]);
    let body = "(call $descriptor.read (call $file) (i64.const 100000) (i64.const 0) (i32.const 16)) (call $must (i32.const 16))
        (if (i32.ne (i32.load8_u (i32.add (i32.load (i32.const 20)) (i32.const 99999))) (i32.const 120)) (then (call $end (i32.const 9))))
        (call $input-stream.read (call $reader (call $file) (i64.const 0)) (i64.const 100000) (i32.const 16)) (call $must (i32.const 16))
        (if (i32.ne (i32.load8_u (i32.add (i32.load (i32.const 20)) (i32.const 99999))) (i32.const 120)) (then (call $end (i32.const 9))))
        (call $random.get-random-bytes (i64.const 100000) (i32.const 16))
        (if (i64.eqz (i64.load (i32.add (i32.load (i32.const 16)) (i32.const 99992)))) (then (call $end (i32.const 9))))";
    assert_eq!(run_in(&folder, &[], &large_app(&apps, 1, grows, body)).quiet(), "");
}
