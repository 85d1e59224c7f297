//! Published advisories of WASI hosts that are about what a guest can make its host hold or do, each by its name, through
//! Preview 3: streams, futures, tasks, sets, and what is behind them, none of them without an end; and a guest's time, wherever
//! it is when that is up.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::async_component::{app, callback_app, large_app};
use crate::harness::{Folder, Ran, granted, guest, run, shell, start, turnkey};
use crate::limits_of_components::{borrows, deaf_server, flat, many_instances, own_resources, stopped_by};

/// What the process may have in all, where no limit is given: what the host may hold for a guest, and what is there anyway.
const MOST_BYTES: u64 = 320 << 20;
/// The same, where a limit allows the guest next to nothing. To a process that was started the kernel counts what it had
/// before: what this one has.
const SMALL_BYTES: u64 = 64 << 20;

/// A run over a directory of its own, with all of the network, and with nothing on its standard input, for ever.
fn run_app(limits: &[&str], app: &PathBuf, words: &[&str]) -> Ran {
    let folder = Folder::new();
    folder.file("file", [b'x'; 10_000]);
    let (silent, _nothing_comes) = std::io::pipe().unwrap();
    let mut command: Command = turnkey();
    command.args(["run", "--allow", "network"]).args(limits);
    if !limits.contains(&"--timeout") {
        command.args(["--timeout", "40s"]);
    }
    command.arg("--dir").arg(granted(folder.root(), "/d")).arg(app).args(words);
    start(command.stdin(silent).stdout(Stdio::piped()).stderr(Stdio::piped())).wait()
}

fn run_text(limits: &[&str], body: &str) -> Ran {
    let apps = Folder::new();
    run_app(limits, &app(&apps, "", body), &[])
}

fn hog(limits: &[&str], words: &[&str]) -> Ran {
    run_app(limits, &guest("components/p3_hog"), words)
}

/// A UDP socket that is bound, in `$socket`.
const BOUND: &str = "(call $udp-socket.create (i32.const 0) (i32.const 16)) (call $must (i32.const 16))
    (local.set $socket (i32.load (i32.const 20)))
    (call $udp-socket.bind (local.get $socket) (i32.const 0) (i32.const 0) (i32.const 127) (i32.const 0) (i32.const 0)
        (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))
    (call $must (i32.const 16))";

/// What is made without end, and what is done before: by the component alone, and by the host for it.
const MADE: [(&str, &str); 14] = [
    ("", "(drop (call $stdout.write-via-stream.0.new))"),
    ("", "(drop (call $stdout.write-via-stream.1.new))"),
    ("", "(drop (call $waitable-set.new))"),
    (
        "",
        "(drop (call $stdout.write-via-stream.0.read.async
            (i32.wrap_i64 (call $stdout.write-via-stream.0.new)) (i32.const 4096) (i32.const 10)))",
    ),
    ("", "(drop (call $monotonic-clock.wait-for.async (i64.const -1)))"),
    (
        "(local.set $file (call $waitable-set.new))",
        "(call $waitable.join
            (i32.shr_u (call $monotonic-clock.wait-for.async (i64.const -1)) (i32.const 4)) (local.get $file))",
    ),
    (BOUND, "(drop (call $udp-socket.receive.async (local.get $socket) (i32.const 4096)))"),
    ("", "(call $stdin.read-via-stream (i32.const 16))"),
    (
        "",
        "(call $stdin.read-via-stream (i32.const 16))
         (drop (call $stdin.read-via-stream.0.read.async (i32.load (i32.const 16)) (i32.const 4096) (i32.const 10)))
         (drop (call $stdin.read-via-stream.1.read.async (i32.load (i32.const 20)) (i32.const 4096)))",
    ),
    (
        "(local.set $file (call $file))",
        "(call $descriptor.read-via-stream (local.get $file) (i64.const 0) (i32.const 16))",
    ),
    // Read in pieces so small that the file is read ahead.
    (
        "(local.set $file (call $file))",
        "(call $descriptor.read-via-stream (local.get $file) (i64.const 0) (i32.const 16))
         (drop (call $descriptor.read-via-stream.0.read.async (i32.load (i32.const 16)) (i32.const 4096) (i32.const 10)))
         (drop (call $descriptor.read-via-stream.0.read.async (i32.load (i32.const 16)) (i32.const 4096) (i32.const 10)))
         (drop (call $descriptor.read-via-stream.0.read.async (i32.load (i32.const 16)) (i32.const 4096) (i32.const 10)))
         (drop (call $descriptor.read-via-stream.0.read.async (i32.load (i32.const 16)) (i32.const 4096) (i32.const 10)))",
    ),
    (
        "(local.set $file (call $file))",
        "(drop (call $descriptor.append-via-stream
            (local.get $file) (i32.wrap_i64 (call $descriptor.append-via-stream.0.new))))",
    ),
    ("", "(drop (call $stdout.write-via-stream (i32.wrap_i64 (call $stdout.write-via-stream.0.new))))"),
    (
        "",
        "(call $stdin.read-via-stream (i32.const 16))
         (drop (call $stdout.write-via-stream (i32.load (i32.const 16))))",
    ),
];

#[test]
fn ghsa_852m_cvvp_9p4w_streams_futures_tasks_and_sets_without_end_are_stopped_by_a_named_limit() {
    for (first, again) in MADE {
        let body = format!("(local $file i32) (local $socket i32) {first} (loop $again {again} (br $again))");
        let ran = run_text(&[], &body);
        let limit = if ran.stderr.contains("--max-handles") { "--max-handles 100000" } else { "--max-memory" };
        stopped_by(&ran, limit, MOST_BYTES);
        stopped_by(&run_text(&["--max-handles", "500"], &body), "--max-handles 500", SMALL_BYTES);
        stopped_by(&run_text(&["--max-memory", "8MiB"], &body), "--max-memory 8MiB", SMALL_BYTES);
    }
}

#[test]
fn ghsa_852m_cvvp_9p4w_what_async_functions_have_a_code_for_answers_with_that() {
    for (words, answer) in [
        (&["descriptors", "/d"][..], "insufficient-memory after 10"),
        (&["listings", "/d"], "insufficient-memory after 10"),
        (&["tcp-sockets"], "out-of-memory after 1024\n"),
        (&["udp-sockets"], "out-of-memory after 1024\n"),
        (&["listeners", "127.0.0.1:0"], "out-of-memory after 1024\n"),
        // Each that has been answered makes room for one.
        (&["lookups", "localhost"], "temporary-resolver-failure after "),
    ] {
        let ran = hog(&[], words);
        assert_eq!((ran.status(), ran.text().starts_with(answer)), (0, true), "{words:?}: {ran:?}");
        flat(&ran, SMALL_BYTES);
    }
    stopped_by(&hog(&[], &["preopens"]), "--max-handles 100000", SMALL_BYTES);
    let few = ["--max-descriptors", "20", "--max-sockets", "20"];
    for (words, answer) in [
        (&["descriptors", "/d"][..], "insufficient-memory after 18\n"),
        (&["listings", "/d"], "insufficient-memory after 18\n"),
        (&["tcp-sockets"], "out-of-memory after 20\n"),
    ] {
        let ran = hog(&few, words);
        assert_eq!((ran.status(), ran.text()), (0, answer), "{words:?}: {ran:?}");
    }
}

#[test]
fn ghsa_852m_cvvp_9p4w_listings_take_memory_that_is_bounded() {
    let ran = hog(&["--max-memory", "8MiB"], &["listings", "/d"]);
    assert!([0, 124].contains(&ran.status()), "{ran:?}");
    assert!(ran.stderr.contains("`--max-memory 8MiB`") || ran.text().starts_with("insufficient-memory"), "{ran:?}");
    flat(&ran, SMALL_BYTES);
}

#[test]
fn ghsa_852m_cvvp_9p4w_connections_without_end_are_bounded_by_sockets_whoever_began_them() {
    let (server, _streams) = deaf_server();
    let server = server.to_string();
    for (words, limit, answer) in [
        (&["connections", &server][..], "20", "out-of-memory after 20\n"),
        (&["unsent", &server], "20", "out-of-memory after 20\n"),
        // Two for each that is accepted, and one that listens.
        (&["accepted", "127.0.0.1:0"], "21", "out-of-memory after 20\n"),
    ] {
        let ran = hog(&["--max-sockets", limit], words);
        assert_eq!((ran.status(), ran.text()), (0, answer), "{words:?}: {ran:?}");
        flat(&ran, SMALL_BYTES);
    }
}

#[test]
fn a_connection_that_there_is_no_room_for_waits_and_costs_next_to_nothing() {
    // The last one has been begun, and cannot be accepted.
    let ran = hog(&["--max-sockets", "20", "--timeout", "1s"], &["accepted", "127.0.0.1:0"]);
    stopped_by(&ran, "--timeout 1s", SMALL_BYTES);
    assert!(ran.cpu < Duration::from_millis(900), "{ran:?}");
}

#[test]
fn ghsa_852m_cvvp_9p4w_what_an_async_component_gives_back_does_not_count() {
    // Many times as many as there may be at once.
    let body = format!(
        "(local $i i32) (local $file i32) (local $socket i32) (local $set i32) (local $ends i64) {BOUND}
         (local.set $file (call $file))
         (loop $again
            (call $descriptor.read-via-stream (local.get $file) (i64.const 0) (i32.const 16))
            (call $descriptor.read-via-stream.0.drop-readable (i32.load (i32.const 16)))
            (call $descriptor.read-via-stream.1.drop-readable (i32.load (i32.const 20)))
            (local.set $ends (call $descriptor.append-via-stream.0.new))
            (call $descriptor.append-via-stream.1.drop-readable
                (call $descriptor.append-via-stream (local.get $file) (i32.wrap_i64 (local.get $ends))))
            (call $descriptor.append-via-stream.0.drop-writable
                (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
            (local.set $set (call $waitable-set.new))
            (call $waitable-set.drop (local.set $set (call $waitable-set.new)) (local.get $set))
            (call $cancelled (i32.shr_u (call $monotonic-clock.wait-for.async (i64.const -1)) (i32.const 4)))
            (call $cancelled (i32.shr_u (call $udp-socket.receive.async (local.get $socket) (i32.const 16)) (i32.const 4)))
            (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20000))))"
    )
    .replace("(local.set $set (call $waitable-set.new)) (local.get $set)", "(local.get $set)");
    let cancelled = "(func $cancelled (param $task i32)
        (drop (call $subtask.cancel (local.get $task))) (call $subtask.drop (local.get $task)))";
    let apps = Folder::new();
    let limits = ["--max-handles", "16", "--max-memory", "1MiB", "--max-descriptors", "8"];
    let ran = run_app(&limits, &app(&apps, cancelled, &body), &[]);
    assert_eq!(ran.quiet(), "");
    flat(&ran, SMALL_BYTES);
}

#[test]
fn ghsa_852m_cvvp_9p4w_random_bytes_and_names_of_any_length_take_no_memory_of_the_host() {
    let apps = Folder::new();
    let long = "(i32.const 1048576) (i32.const 50331648)";
    for (body, status) in [
        ("(call $random.get-random-bytes (i64.const -1) (i32.const 16)) (call $end (i32.eqz (i32.load (i32.const 20))))".to_owned(), 0),
        ("(call $insecure.get-insecure-random-bytes (i64.const -1) (i32.const 16))".to_owned(), 0),
        (format!("(call $descriptor.stat-at (call $root) (i32.const 0) {long} (i32.const 16))"), 134),
        (format!("(call $descriptor.symlink-at (call $root) {long} {long} (i32.const 16))"), 134),
        (format!("(call $ip-name-lookup.resolve-addresses {long} (i32.const 16))"), 134),
        // As long as one call may pass: each has a code.
        ("(call $descriptor.stat-at (call $root) (i32.const 0) (i32.const 1048576) (i32.const 16000000) (i32.const 16)) (call $must64 (i32.const 16))".to_owned(), 117),
        ("(call $ip-name-lookup.resolve-addresses (i32.const 1048576) (i32.const 16000000) (i32.const 16)) (call $must (i32.const 16))".to_owned(), 101),
    ] {
        let fill = "(memory.fill (i32.const 1048576) (i32.const 97) (i32.const 50331648))";
        let body = if body.contains("1048576") { format!("{fill} {body}") } else { body };
        let ran = run_app(&["--explain"], &large_app(&apps, 1024, "", &body), &[]);
        assert_eq!(ran.status(), status, "{body}: {ran:?}");
        flat(&ran, SMALL_BYTES + (64 << 20));
    }
}

/// A read of this many from this stream, and how many came: the status is that, to 8 bits.
fn read_of(stream: &str, function: &str, count: u64) -> String {
    format!(
        "(local $stream i32) {stream} (local.set $stream (i32.load (i32.const 16)))
         (call $end (i32.and (i32.const 255) (i32.shr_u
            (call $settled
                (call ${function}.0.read.async (local.get $stream) (i32.const 65536) (i32.const {count})) (local.get $stream))
            (i32.const 4))))"
    )
}

#[test]
fn ghsa_x84v_gj2h_g759_a_read_of_more_than_there_is_takes_no_memory_for_what_was_asked_for() {
    // A gibibyte, of which the guest touches next to nothing.
    const PAGES: u32 = 16384;
    let apps = Folder::new();
    let stdin = "(call $stdin.read-via-stream (i32.const 16))";
    let file = "(call $descriptor.read-via-stream (call $file) (i64.const 0) (i32.const 16))";
    let entries = "(call $descriptor.read-directory (call $root) (i32.const 16))";
    let (bytes, most_entries) = (0x0fff_ffff, 40_000_000);
    for (stream, function, count, came) in [
        (stdin, "stdin.read-via-stream", bytes, 5),
        (file, "descriptor.read-via-stream", bytes, 7),
        (entries, "descriptor.read-directory", most_entries, 2),
    ] {
        let folder = Folder::new();
        folder.file("file", "7 bytes");
        folder.file("entry", "");
        let app = large_app(&apps, PAGES, "", &read_of(stream, function, count));
        // Five bytes come, and then no end.
        let (source, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, b"bytes").unwrap();
        let mut command = turnkey();
        command.args(["run", "--timeout", "20s", "--dir"]).arg(granted(folder.root(), "/d")).arg(app);
        let ran = start(command.stdin(source).stdout(Stdio::piped()).stderr(Stdio::piped())).wait();
        assert_eq!((ran.status(), ran.stderr.as_str()), (came, ""), "{function}");
        flat(&ran, SMALL_BYTES);
    }
}

#[test]
fn ghsa_x84v_gj2h_g759_a_read_of_256_mib_that_waits_takes_no_memory() {
    const PAGES: u32 = 16384;
    let apps = Folder::new();
    let listen = format!(
        "(local $socket i32) {BOUND} (call $udp-socket.drop (local.get $socket))
         (call $tcp-socket.create (i32.const 0) (i32.const 16)) (call $must (i32.const 16))
         (local.set $socket (i32.load (i32.const 20)))
         (call $tcp-socket.listen (local.get $socket) (i32.const 16)) (call $must (i32.const 16))
         (i32.store (i32.const 16) (i32.load (i32.const 20)))"
    );
    for (stream, function, count) in [
        ("(call $stdin.read-via-stream (i32.const 16))", "stdin.read-via-stream", 0x0fff_ffff_u64),
        (&listen, "tcp-socket.listen", 0x0fff_0000 / 4),
    ] {
        let app = large_app(&apps, PAGES, "", &read_of(stream, function, count));
        let ran = run_app(&["--timeout", "1s"], &app, &[]);
        stopped_by(&ran, "--timeout 1s", SMALL_BYTES);
        assert!(ran.cpu < Duration::from_millis(900), "{ran:?}");
    }
}

#[test]
fn ghsa_x84v_gj2h_g759_more_than_there_is_room_for_is_a_trap() {
    let apps = Folder::new();
    let stdin = "(call $stdin.read-via-stream (i32.const 16))";
    for count in [0x0003_0001, 0x0fff_ffff, 0x1000_0000, 0x7fff_ffff, 0xffff_ffff] {
        let ran = run_app(&[], &app(&apps, "", &read_of(stdin, "stdin.read-via-stream", count)), &[]);
        assert_eq!(ran.status(), 134, "{count}: {ran:?}");
        flat(&ran, SMALL_BYTES);
    }
    for count in [0x2001, 0x0fff_ffff, 0xffff_ffff] {
        let entries = "(call $descriptor.read-directory (call $root) (i32.const 16))";
        let ran = run_app(&[], &app(&apps, "", &read_of(entries, "descriptor.read-directory", count)), &[]);
        assert_eq!(ran.status(), 134, "{count}: {ran:?}");
        flat(&ran, SMALL_BYTES);
    }
}

#[test]
fn ghsa_x84v_gj2h_g759_what_goes_from_one_stream_of_the_host_to_another_takes_no_memory_and_stops_nobody() {
    // All of nothing, to nowhere: that has no end, and there is nothing to wait for.
    let cat = guest("components/p3_cat");
    let mut command = turnkey();
    command.args(["run", "--timeout", "1s", "--stdin=/dev/zero", "--stdout=null"]).arg(&cat);
    let begin = Instant::now();
    let ran = run(&mut command);
    stopped_by(&ran, "--timeout 1s", SMALL_BYTES);
    assert!(!ran.stderr.contains("does not come back"), "it was in a call of the host's all the time: {ran:?}");
    assert!(begin.elapsed() < Duration::from_secs(20));
    // The guest's own timer is heard beside it.
    let body = "(call $stdin.read-via-stream (i32.const 16))
        (drop (call $stdout.write-via-stream (i32.load (i32.const 16))))
        (call $monotonic-clock.wait-for (i64.const 100000000)) (call $end (i32.const 42))";
    let apps = Folder::new();
    let mut command = turnkey();
    command.args(["run", "--timeout", "20s", "--stdin=/dev/zero", "--stdout=null"]).arg(app(&apps, "", body));
    let ran = run(&mut command);
    assert_eq!((ran.status(), ran.stderr.as_str()), (42, ""));
    flat(&ran, SMALL_BYTES);
}

/// A stream to standard output, whose end to write to is in `$writer`.
const WRITER: &str = "(local $ends i64) (local $writer i32) (local.set $ends (call $stdout.write-via-stream.0.new))
    (drop (call $stdout.write-via-stream (i32.wrap_i64 (local.get $ends))))
    (local.set $writer (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))";

/// Writes so many bytes, without end.
fn writes(bytes: u32) -> String {
    format!(
        "{WRITER} (loop $again
            (if (i32.and (i32.const 15) (call $settled
                (call $stdout.write-via-stream.0.write.async (local.get $writer) (i32.const 65536) (i32.const {bytes}))
                (local.get $writer)))
                (then (call $end (i32.const 77))))
            (br $again))"
    )
}

/// Runs it with a pipe that nobody reads, and that is full already.
fn unread(command: &mut Command) -> Ran {
    let (_open, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, &[b'x'; 65536]).unwrap();
    start(command.stdout(writer).stderr(Stdio::piped())).wait()
}

#[test]
fn ghsa_gqmc_89g8_p25r_an_async_component_whose_output_nobody_takes_costs_no_memory() {
    let apps = Folder::new();
    let app = large_app(&apps, 4096, "", &writes(200 << 20));
    let begin = Instant::now();
    let ran =
        run(turnkey().args(["run", "--timeout", "1s", "--stdin=null", "--stdout=null", "--stderr=null"]).arg(&app));
    stopped_by(&ran, "--timeout 1s", SMALL_BYTES);
    assert!(begin.elapsed() < Duration::from_secs(20));
    // Closed: there is nowhere to write to, and the guest is told, at each of two streams; and nothing to read, which is the end.
    let closed = "(local $future i32)
        (local.set $future (call $stdout.write-via-stream (i32.wrap_i64 (call $stdout.write-via-stream.0.new))))
        (drop (call $settled
            (call $stdout.write-via-stream.1.read.async (local.get $future) (i32.const 16)) (local.get $future)))
        (if (i32.eqz (i32.load8_u (i32.const 16))) (then (call $end (i32.const 7))))
        (call $stdin.read-via-stream (i32.const 16))
        (if (i32.ne (i32.const 1) (call $settled
            (call $stdin.read-via-stream.0.read.async (i32.load (i32.const 16)) (i32.const 1024) (i32.const 10))
            (i32.load (i32.const 16))))
            (then (call $end (i32.const 8))))
        (call $end (i32.const 42))";
    let app = crate::async_component::app(&apps, "", closed);
    let ran = run(shell("exec \"$0\" run --timeout 20s \"$1\" <&- >&- 2>&-").arg(&app));
    assert_eq!(ran.status(), 42, "{ran:?}");
    flat(&ran, SMALL_BYTES);
}

#[test]
fn ghsa_gqmc_89g8_p25r_an_async_component_whose_output_nobody_reads_costs_no_memory() {
    let apps = Folder::new();
    let app = large_app(&apps, 4096, "", &writes(200 << 20));
    let ran = unread(turnkey().args(["run", "--timeout", "1s"]).arg(&app));
    stopped_by(&ran, "--timeout 1s", SMALL_BYTES);
    assert!(ran.cpu < Duration::from_millis(900), "it waited in the kernel, not by looking again and again: {ran:?}");
}

#[test]
fn ghsa_5m8g_xhq4_4h93_empty_writes_to_a_stream_without_end_cost_no_memory() {
    let (folder, apps) = (Folder::new(), Folder::new());
    let app = app(&apps, "", &writes(0));
    let command = |stdout: &str| {
        let mut command = turnkey();
        command.args(["run", "--timeout", "1s", stdout]).arg(&app);
        command
    };
    stopped_by(&run(&mut command("--stdout=null")), "--timeout 1s", SMALL_BYTES);
    stopped_by(&run(&mut command("--stdout=inherit")), "--timeout 1s", SMALL_BYTES);
    let ran = unread(&mut command("--stdout=inherit"));
    stopped_by(&ran, "--timeout 1s", SMALL_BYTES);
    assert!(ran.cpu < Duration::from_millis(900), "{ran:?}");
    // To a file, and by one stream after the other, each with an empty write of its own.
    let file = "(local $file i32) (local $ends i64) (local.set $file (call $file))
        (loop $again
            (local.set $ends (call $descriptor.append-via-stream.0.new))
            (call $descriptor.append-via-stream.1.drop-readable
                (call $descriptor.append-via-stream (local.get $file) (i32.wrap_i64 (local.get $ends))))
            (local.set $ends (i64.shr_u (local.get $ends) (i64.const 32)))
            (drop (call $settled
                (call $descriptor.append-via-stream.0.write.async
                    (i32.wrap_i64 (local.get $ends)) (i32.const 65536) (i32.const 0))
                (i32.wrap_i64 (local.get $ends))))
            (call $descriptor.append-via-stream.0.drop-writable (i32.wrap_i64 (local.get $ends)))
            (br $again))";
    let mut command = turnkey();
    command.args(["run", "--timeout", "1s", "--dir"]).arg(granted(folder.root(), "/d"));
    stopped_by(&run(command.arg(crate::async_component::app(&apps, "", file))), "--timeout 1s", SMALL_BYTES);
}

#[test]
fn ghsa_5m8g_xhq4_4h93_empty_writes_of_an_async_component_to_a_peer_that_reads_nothing_cost_no_memory() {
    let (server, _streams) = deaf_server();
    let ran = hog(&["--timeout", "2s"], &["empty", &server.to_string()]);
    stopped_by(&ran, "--timeout 2s", SMALL_BYTES);
}

#[test]
fn ghsa_5m8g_xhq4_4h93_empty_writes_that_wait_are_as_many_as_there_may_be_handles() {
    let apps = Folder::new();
    let body = format!(
        "(local $dummy i32) (loop $again {} (drop (call $stdout.write-via-stream.0.write.async
            (local.get $writer) (i32.const 65536) (i32.const 0))) (br $again))",
        WRITER.replace("(local $ends i64) (local $writer i32)", "")
    )
    .replace("(local $dummy i32)", "(local $ends i64) (local $writer i32)");
    let app = app(&apps, "", &body);
    let ran = unread(turnkey().args(["run", "--timeout", "40s", "--max-handles", "1000"]).arg(&app));
    stopped_by(&ran, "--max-handles 1000", SMALL_BYTES);
    let ran = unread(turnkey().args(["run", "--timeout", "40s", "--max-memory", "8MiB"]).arg(&app));
    stopped_by(&ran, "--max-memory 8MiB", SMALL_BYTES);
}

/// The same component for the engine of the asynchronous ABI.
fn async_abi(text: &str) -> String {
    text.replacen("(component", "(component (core func (canon waitable-set.new))", 1)
}

#[test]
fn ghsa_q554_3cjc_rx7p_handles_of_an_async_components_own_resources_are_stopped_by_a_named_limit() {
    let folder = Folder::new();
    let endless = own_resources("", "", "(loop $again (drop (call $new (i32.const 7))) (br $again))");
    let endless = folder.module(&async_abi(&endless));
    let run = |limits: &[&str]| run(turnkey().args(["run", "--timeout", "40s"]).args(limits).arg(&endless));
    stopped_by(&run(&[]), "--max-handles 100000", SMALL_BYTES);
    stopped_by(&run(&["--max-handles", "10"]), "--max-handles 10", SMALL_BYTES);
    stopped_by(&run(&["--max-memory", "1MiB"]), "--max-memory 1MiB", SMALL_BYTES);
}

#[test]
fn ghsa_q554_3cjc_rx7p_many_instances_in_one_async_component_have_no_more_handles_than_one() {
    let folder = Folder::new();
    let run = |text: &str| run(turnkey().args(["run", "--timeout", "40s"]).arg(folder.module(&async_abi(text))));
    stopped_by(&run(&many_instances(50, 90_000, false)), "--max-handles 100000", SMALL_BYTES);
    assert_eq!(run(&many_instances(50, 1000, false)).quiet(), "");
}

/// A component that calls another one so often, whose tasks do not end: `first` is what each does before it waits.
fn endless_tasks(count: u32, first: &str) -> String {
    format!(
        r#"(component
            (component $Callee
                (core func $return (canon task.return))
                (core func $new (canon waitable-set.new))
                (core module $m
                    (import "" "return" (func $return))
                    (import "" "new" (func $new (result i32)))
                    (global $set (mut i32) (i32.const 0))
                    (func (export "go") (result i32)
                        {first}
                        (if (i32.eqz (global.get $set)) (then (global.set $set (call $new))))
                        (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
                    (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
                (core instance $i (instantiate $m (with "" (instance
                    (export "return" (func $return)) (export "new" (func $new))))))
                (func (export "go") async (canon lift (core func $i "go") async (callback (func $i "callback")))))
            (component $Caller
                (import "go" (func $go async))
                (core func $go (canon lower (func $go) async))
                (core module $m
                    (import "" "go" (func $go (result i32)))
                    (func (export "run") (result i32) (local $i i32)
                        (loop $again (drop (call $go))
                            (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {count}))))
                        (i32.const 0)))
                (core instance $i (instantiate $m (with "" (instance (export "go" (func $go))))))
                (func (export "run") async (result (result)) (canon lift (core func $i "run"))))
            (instance $callee (instantiate $Callee))
            (instance $caller (instantiate $Caller (with "go" (func $callee "go"))))
            (instance $cli (export "run" (func $caller "run")))
            (export "wasi:cli/run@0.3.2" (instance $cli)))"#
    )
}

#[test]
fn ghsa_q554_3cjc_rx7p_tasks_of_a_components_own_without_end_are_stopped_by_a_named_limit() {
    let folder = Folder::new();
    // Those that have not given their result, which are waited for; and those that have, and go on.
    for first in ["", "(call $return)"] {
        let endless = folder.module(&endless_tasks(u32::MAX, first));
        let run = |limits: &[&str]| run(turnkey().args(["run", "--timeout", "40s"]).args(limits).arg(&endless));
        stopped_by(&run(&[]), "--max-handles 100000", MOST_BYTES);
        stopped_by(&run(&["--max-handles", "500"]), "--max-handles 500", SMALL_BYTES);
        stopped_by(&run(&["--max-memory", "8MiB"]), "--max-memory 8MiB", SMALL_BYTES);
        let few = folder.module(&endless_tasks(400, first));
        let ran = crate::harness::run(turnkey().args(["run", "--max-handles", "500"]).arg(few));
        assert_eq!(
            (ran.status(), ran.stderr.as_str()),
            (0, ""),
            "what is left when `run` has given its result is left"
        );
    }
}

/// A component with so many instances of another, in each of which a task waits at the end of a deep recursion.
fn deep_waits(instances: usize) -> String {
    let each = |line: &dyn Fn(usize) -> String| (0..instances).map(line).collect::<String>();
    format!(
        r#"(component
            (import "wasi:clocks/monotonic-clock@0.3.2" (instance $clock
                (export "wait-for" (func async (param "how-long" u64)))))
            (component $Waiter
                (import "wait" (func $wait async (param "how-long" u64)))
                (core func $wait (canon lower (func $wait)))
                (core module $m
                    (import "" "wait" (func $wait (param i64)))
                    (func $deep (param $left i32) (param $sum i64) (result i64)
                        (if (result i64) (local.get $left)
                            (then (i64.add (local.get $sum)
                                (call $deep (i32.sub (local.get $left) (i32.const 1)) (i64.add (local.get $sum) (i64.const 3)))))
                            (else (call $wait (i64.const -1)) (i64.const 3))))
                    (func (export "go") (result i32) (drop (call $deep (i32.const 9000) (i64.const 1))) (i32.const 0))
                    (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
                (core instance $i (instantiate $m (with "" (instance (export "wait" (func $wait))))))
                (func (export "go") async (canon lift (core func $i "go") async (callback (func $i "callback")))))
            (component $Main
                {}
                (core module $m {} (func (export "run") (result i32) {} (i32.const 0)))
                (core instance $i (instantiate $m (with "" (instance {}))))
                (func (export "run") async (result (result)) (canon lift (core func $i "run"))))
            {}
            (instance $main (instantiate $Main {}))
            (instance $cli (export "run" (func $main "run")))
            (export "wasi:cli/run@0.3.2" (instance $cli)))"#,
        each(&|n| format!(r#"(import "f{n}" (func $h{n} async)) (core func $f{n} (canon lower (func $h{n}) async))"#)),
        each(&|n| format!(r#"(import "" "f{n}" (func $f{n} (result i32)))"#)),
        each(&|n| format!("(drop (call $f{n}))")),
        each(&|n| format!(r#"(export "f{n}" (func $f{n}))"#)),
        each(&|n| format!(r#"(instance $h{n} (instantiate $Waiter (with "wait" (func $clock "wait-for"))))"#)),
        each(&|n| format!(r#"(with "f{n}" (func $h{n} "go"))"#)),
    )
}

#[test]
#[ignore = "the engine charges stacks of tasks that wait to nobody: half a megabyte for each instance, and offers no bound"]
fn ghsa_q554_3cjc_rx7p_stacks_of_tasks_that_wait_in_many_instances_are_bounded() {
    let folder = Folder::new();
    let app = folder.module(&deep_waits(500));
    flat(&run(turnkey().args(["run", "--timeout", "50s", "--max-memory", "8MiB"]).arg(app)), SMALL_BYTES);
}

#[test]
fn ghsa_6fr9_xmw9_5352_borrowed_handles_of_an_async_component_are_stopped_by_a_named_limit() {
    let folder = Folder::new();
    let run = |limits: &[&str], text: &str| {
        run(turnkey().args(["run", "--timeout", "40s"]).args(limits).arg(folder.module(&async_abi(text))))
    };
    stopped_by(&run(&[], &borrows(1 << 20, 1)), "--max-handles 100000", MOST_BYTES);
    stopped_by(&run(&["--max-handles", "1000"], &borrows(2000, 1)), "--max-handles 1000", SMALL_BYTES);
    let ran = run(&["--max-handles", "1000"], &borrows(900, 2000));
    assert_eq!(ran.quiet(), "", "what has been given back counts no more");
    flat(&ran, SMALL_BYTES);
}

#[test]
fn both_previews_in_one_component_share_descriptors_handles_and_sockets() {
    // Opened in turn, and by one alone: there are as many.
    for words in [&["both", "/d"][..], &["descriptors", "/d"]] {
        let ran = hog(&["--max-descriptors", "60"], words);
        let text = ran.text().to_owned();
        assert!(ran.status() == 0 && text.ends_with(" after 58\n"), "{words:?}: {ran:?}");
    }
    let apps = Folder::new();
    let times = |count: u32, what: &str| {
        format!(
            "(local.set $i (i32.const 0)) (loop $again {what}
                (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {count}))))"
        )
    };
    let old = "(drop (call $p2:monotonic-clock.subscribe-duration (i64.const 0)))";
    let new = "(global.set $heap (i32.const 65536)) (call $preopens.get-directories (i32.const 16))";
    for (olds, news, fits) in [(300, 150, true), (150, 300, true), (300, 300, false)] {
        let body = format!("(local $i i32) {} {}", times(olds, old), times(news, new));
        let ran = run_app(&["--max-handles", "500"], &app(&apps, "", &body), &[]);
        if fits {
            assert_eq!(ran.quiet(), "", "{olds} {news}");
        } else {
            stopped_by(&ran, "--max-handles 500", SMALL_BYTES);
        }
    }
    // How many of both there are, of ten.
    let create = |name: &str, code: u32| {
        format!(
            "(call ${name}.create (i32.const 0) (i32.const 16))
             (if (i32.load8_u (i32.const 16)) (then (call $end (i32.add (local.get $i) (i32.const {code})))))
             (local.set $i (i32.add (local.get $i) (i32.const 1)))"
        )
    };
    let old = create("p2:udp-create-socket", 100).replace(".create (", ".create-udp-socket (");
    let body = format!("(local $i i32) (loop $again {} {old} (br $again))", create("tcp-socket", 0));
    let ran = run_app(&["--max-sockets", "10"], &app(&apps, "", &body), &[]);
    assert!(ran.status() == 10 && ran.stderr.contains("`--max-sockets 10`"), "{ran:?}");
}

#[test]
fn ghsa_j366_h8gg_77pm_fuel_bounds_what_an_async_component_makes_the_host_do() {
    let apps = Folder::new();
    for call in [
        "(call $random.get-random-bytes (i64.const 65536) (i32.const 16))",
        "(call $insecure.get-insecure-random-bytes (i64.const 65536) (i32.const 16))",
        "(call $monotonic-clock.wait-for (i64.const 0))",
        "(call $monotonic-clock.wait-for (i64.const 1))",
        "(drop (call $monotonic-clock.wait-for.async (i64.const 0)))",
        "(drop (call $waitable-set.poll (call $set) (i32.const 8)))",
    ] {
        let set = "(global $set (mut i32) (i32.const 0)) (func $set (result i32)
            (if (i32.eqz (global.get $set)) (then (global.set $set (call $waitable-set.new)))) (global.get $set))";
        let body = format!("(loop $again (global.set $heap (i32.const 65536)) {call} (br $again))");
        let ran = run_app(&["--fuel", "2000000"], &app(&apps, set, &body), &[]);
        stopped_by(&ran, "--fuel 2000000", SMALL_BYTES);
        assert!(ran.cpu < Duration::from_secs(4), "two million instructions took {:?}: {call}", ran.cpu);
    }
    // A task that goes on at once, without end.
    let yields = callback_app(&apps, "", "(i32.const 1)", "(i32.const 1)");
    let ran = run_app(&["--fuel", "200000"], &yields, &[]);
    stopped_by(&ran, "--fuel 200000", SMALL_BYTES);
}

#[test]
fn ghsa_j366_h8gg_77pm_no_wait_of_an_async_component_outlasts_its_time() {
    for words in [&["sleep"][..], &["read"], &["accept", "127.0.0.1:0"], &["receive", "127.0.0.1:0"]] {
        let begin = Instant::now();
        let ran = hog(&["--timeout", "1s"], words);
        stopped_by(&ran, "--timeout 1s", SMALL_BYTES);
        assert!(
            begin.elapsed() < Duration::from_secs(20) && ran.cpu < Duration::from_millis(900),
            "{words:?}: {ran:?}"
        );
    }
    // For what will never come: where it stands, and by its callback.
    let apps = Folder::new();
    let here = app(&apps, "", "(drop (call $waitable-set.wait (call $waitable-set.new) (i32.const 8)))");
    let wait = "(i32.or (i32.const 2) (i32.shl (call $waitable-set.new) (i32.const 4)))";
    let by_callback = callback_app(&apps, "", wait, "unreachable");
    for app in [here, by_callback] {
        let ran = run_app(&["--timeout", "1s"], &app, &[]);
        stopped_by(&ran, "--timeout 1s", SMALL_BYTES);
    }
}

#[test]
fn a_connection_that_nobody_answers_does_not_outlast_its_time() {
    // The queue of those who wait to be accepted is full, and who comes then is not answered.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let begin = Instant::now();
    let ran = hog(
        &["--timeout", "2s", "--max-sockets", "10000", "--max-descriptors", "10000"],
        &["connections", &address.to_string()],
    );
    assert!(ran.status() == 124 || ran.text().starts_with("out-of-memory after"), "{ran:?}");
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_async_component_that_computes_or_never_rests_does_not_outlast_its_time() {
    let apps = Folder::new();
    let computes = "(loop $again (br $again)) unreachable";
    let hosted = "(loop $again (drop (call $monotonic-clock.now)) (br $again))";
    let timers = "(loop $again (call $monotonic-clock.wait-for (i64.const 1)) (br $again))";
    let mut all: Vec<(PathBuf, &[&str])> =
        [computes, hosted, timers].iter().map(|body| (app(&apps, "", body), &[][..])).collect();
    all.push((callback_app(&apps, "", "(i32.const 1)", "(i32.const 1)"), &[]));
    all.push((callback_app(&apps, "", "(i32.const 1)", computes), &[]));
    // Its result is there, and it goes on.
    all.push((callback_app(&apps, "", "(call $task.return (i32.const 0)) (i32.const 1)", computes), &[]));
    all.push((guest("components/p3_hog"), &["tasks"]));
    all.push((guest("components/p3_hog"), &["yields"]));
    for (app, words) in all {
        let begin = Instant::now();
        let ran = run_app(&["--timeout", "500ms"], &app, words);
        stopped_by(&ran, "--timeout 500ms", SMALL_BYTES);
        assert!(begin.elapsed() < Duration::from_secs(20), "{ran:?}");
    }
}

#[test]
fn what_an_async_component_leaves_running_when_it_has_given_its_result_does_not_go_on_for_ever() {
    let apps = Folder::new();
    let returned = "(call $task.return (i32.const 0))";
    let wait = "(i32.or (i32.const 2) (i32.shl (call $waitable-set.new) (i32.const 4)))";
    // One that waits for nothing, one that goes on and on.
    for (first, callback) in
        [(format!("{returned} {wait}"), "unreachable"), (format!("{returned} (i32.const 1)"), "(i32.const 1)")]
    {
        let begin = Instant::now();
        let ran = run_app(&[], &callback_app(&apps, "", &first, callback), &[]);
        assert_eq!((ran.status(), ran.stderr.as_str()), (0, ""), "{ran:?}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{ran:?}");
        flat(&ran, SMALL_BYTES);
    }
}

#[test]
fn memory_of_an_async_component_grows_no_further_than_it_may() {
    // As far as it goes, a page at a time; how many there are then.
    let grow = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (call $end (memory.size))";
    let apps = Folder::new();
    let ran = run_app(&["--max-memory", "8MiB"], &app(&apps, "", grow), &[]);
    assert!((100..=128).contains(&ran.status()), "{ran:?}");
    flat(&ran, SMALL_BYTES);
}
