//! Limits: each stops what it is for, says by which flag, and is silent where nothing met it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Folder, Ran, granted, guest, run, start, turnkey};

fn limited(limit: &[&str], app: &PathBuf) -> Command {
    let mut command = turnkey();
    command.arg("run").args(limit).arg(app);
    command
}

#[track_caller]
fn stopped_by(ran: &Ran, flag: &str) {
    let message = ran.ended_with(124);
    assert!(message.contains("was stopped by") && message.contains(flag), "{message}");
}

#[test]
fn a_memory_declared_beyond_the_limit_stops_the_guest_before_it_begins() {
    let folder = Folder::new();
    let app = folder.module(r#"(module (memory (export "memory") 65536) (func (export "_start")))"#);
    let ran = run(&mut limited(&["--max-memory", "64MiB"], &app));
    assert!(ran.refused(124).contains("`--max-memory 64MiB`"));
    assert!(ran.peak_bytes < 200 << 20, "it took {} bytes to say so", ran.peak_bytes);
}

#[test]
fn tables_are_memory_too() {
    let folder = Folder::new();
    let app = folder.module(r#"(module (table 9000000 funcref) (func (export "_start")))"#);
    stopped_by(&run(&mut limited(&["--max-memory", "64MiB"], &app)), "--max-memory");
    let app = folder.module(
        r#"(module (table $t 1 funcref)
            (func (export "grow") (result i32) (table.grow $t (ref.null func) (i32.const 9000000))))"#,
    );
    assert_eq!(run(&mut limited(&["--max-memory", "64MiB", "--invoke", "grow"], &app)).quiet(), "-1\n");
}

/// Every kind of memory that a module can have, taken without end.
#[test]
fn every_kind_of_memory_counts() {
    let folder = Folder::new();
    let memory_64 = r#"(module (memory (export "memory") i64 1) (func (export "_start")
        (loop $again (br_if $again (i64.ne (memory.grow (i64.const 16)) (i64.const -1)))) unreachable))"#;
    let second_memory = r#"(module (memory (export "memory") 1) (memory $b 1) (func (export "_start")
        (loop $again (br_if $again (i32.ne (memory.grow $b (i32.const 16)) (i32.const -1)))) unreachable))"#;
    let list = r#"(module (type $n (struct (field (ref null $n)) (field i64))) (global $g (mut (ref null $n)) (ref.null $n))
        (func (export "_start") (loop $again (global.set $g (struct.new $n (global.get $g) (i64.const 1))) (br $again))))"#;
    let array = r#"(module (type $a (array (mut i8)))
        (func (export "_start") (drop (array.new $a (i32.const 1) (i32.const 1000000000)))))"#;
    for text in [memory_64, second_memory, list, array] {
        let ran = run(&mut limited(&["--max-memory", "64MiB", "--timeout", "50s"], &folder.module(text)));
        assert!(ran.ended_with(134).contains("met `--max-memory 64MiB`"), "{ran:?}");
        assert!(ran.peak_bytes < 200 << 20, "{text}: {} bytes", ran.peak_bytes);
    }
}

/// No limit reaches a memory that threads share, so there are none.
#[test]
fn a_memory_that_could_be_shared_is_refused() {
    let folder = Folder::new();
    let app = folder.module(r#"(module (memory (export "memory") 1 65536 shared) (func (export "_start")))"#);
    assert!(run(&mut limited(&["--max-memory", "64MiB"], &app)).refused(126).contains("shared memory"));
}

/// Grows by a megabyte at a time until that fails.
const GROW: &str = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))";

#[test]
fn growth_beyond_the_limit_fails_and_a_guest_that_bears_it_has_done_well() {
    let folder = Folder::new();
    let ran = run(&mut limited(&["--max-memory", "64MiB"], &folder.command("", GROW)));
    assert_eq!(ran.quiet(), "");
    assert!(ran.peak_bytes < 200 << 20);
}

#[test]
fn a_guest_that_ends_badly_after_it_met_a_limit_is_said_to_have_met_it() {
    let folder = Folder::new();
    let app = folder.command("", &format!("{GROW} unreachable"));
    let ran = run(&mut limited(&["--max-memory", "64MiB"], &app));
    let message = ran.ended_with(134);
    assert!(message.contains("met `--max-memory 64MiB`"), "{message}");
    let app = folder.command("", &format!("{GROW} (call $proc_exit (i32.const 9))"));
    let ran = run(&mut limited(&["--max-memory", "64MiB"], &app));
    assert_eq!(ran.status(), 9);
    assert!(ran.stderr.contains("met `--max-memory 64MiB`"), "{ran:?}");
}

#[test]
fn a_real_program_that_takes_all_memory_is_said_to_have_met_the_limit() {
    let ran = run(turnkey().args(["run", "--max-memory", "16MiB"]).arg(guest("hog")).arg("memory"));
    assert!(ran.ended_with(134).contains("`--max-memory 16MiB`"));
    let pages: u32 = ran.text().split(' ').find_map(|word| word.parse().ok()).unwrap();
    assert!((200..=256).contains(&pages), "{pages} pages in 16 MiB");
}

#[test]
fn a_limit_that_is_enough_changes_nothing() {
    let limits = ["run", "--max-memory", "64MiB", "--timeout", "1h", "--fuel", "1000000000", "--max-descriptors", "10"];
    let bare = run(turnkey().arg("run").arg(guest("small")));
    let limited = run(turnkey().args(limits).arg(guest("small")));
    assert_eq!(limited.quiet(), bare.quiet());
}

/// Runs the command, which must be stopped by its timeout of a second: not before, and not long after.
#[track_caller]
fn stopped_in_time(command: &mut Command) -> Ran {
    let begin = Instant::now();
    let ran = run(command);
    let took = begin.elapsed();
    stopped_by(&ran, "`--timeout 1s`");
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(20), "it took {took:?}");
    ran
}

const SECOND: [&str; 2] = ["--timeout", "1s"];

#[test]
fn a_loop_is_stopped_in_time() {
    let folder = Folder::new();
    stopped_in_time(&mut limited(&SECOND, &folder.command("", "(loop $for_ever (br $for_ever))")));
}

#[test]
fn a_loop_in_the_modules_own_start_function_is_stopped_in_time() {
    let folder = Folder::new();
    let text = r#"(module (func $begin (loop $for_ever (br $for_ever))) (start $begin) (func (export "_start")))"#;
    stopped_in_time(&mut limited(&SECOND, &folder.module(text)));
}

#[test]
fn a_sleep_of_an_hour_is_stopped_in_time() {
    stopped_in_time(turnkey().arg("run").args(SECOND).arg(guest("hog")).arg("sleep"));
}

#[test]
fn a_read_of_what_never_comes_is_stopped_in_time() {
    let (reader, _open) = std::io::pipe().unwrap();
    stopped_in_time(turnkey().arg("run").args(SECOND).arg(guest("hog")).arg("stdin").stdin(reader));
}

#[test]
fn a_write_that_nobody_reads_is_stopped_in_time() {
    let (_open, writer) = std::io::pipe().unwrap();
    let mut command = turnkey();
    command.arg("run").args(SECOND).arg(guest("hog")).arg("stdout").stdout(writer).stderr(Stdio::piped());
    let begin = Instant::now();
    let ran = start(&mut command).wait();
    stopped_by(&ran, "`--timeout 1s`");
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_accept_that_nobody_connects_to_is_stopped_in_time() {
    stopped_in_time(
        turnkey().arg("run").args(SECOND).args(["--tcp-listener", "127.0.0.1:0"]).arg(guest("echo_server")),
    );
}

#[test]
fn a_connection_that_says_nothing_is_stopped_in_time() {
    let mut command = turnkey();
    command.arg("run").args(["--timeout", "2s", "--tcp-listener", "127.0.0.1:0"]).arg(guest("echo_server"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let address = line.split('`').nth(1).unwrap_or_else(|| panic!("no address in {line:?}"));
    let mut connection = std::net::TcpStream::connect(address).unwrap();
    connection.write_all(b"hello").unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(124));
    assert!(rest.contains("`--timeout 2s`"), "{rest}");
}

#[test]
fn a_listener_on_a_port_of_the_hosts_choice_says_which_and_in_time() {
    let mut command = turnkey();
    command.arg("run").args(SECOND).args(["--tcp-listener", "127.0.0.1:0", "--tcp-listener", "[::1]:0"]);
    let ran = run(command.arg(guest("echo_server")));
    let said: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("listening on `")).collect();
    // A host without IPv6 says so instead.
    assert!(said.len() == 2 || ran.stderr.contains("[::1]:0"), "{ran:?}");
}

#[test]
fn endless_short_calls_of_the_host_are_stopped_in_time() {
    let folder = Folder::new();
    let yields = folder.command("", "(loop $again (drop (call $sched_yield)) (br $again))");
    stopped_in_time(&mut limited(&SECOND, &yields));
    let ready = folder.command(
        "",
        "(loop $again (drop (call $poll_oneoff (i32.const 0) (i32.const 4096) (i32.const 1) (i32.const 2048))) (br $again))",
    );
    stopped_in_time(&mut limited(&SECOND, &ready));
}

#[test]
fn a_timeout_that_was_not_needed_keeps_nobody_waiting() {
    let begin = Instant::now();
    let folder = Folder::new();
    assert_eq!(run(&mut limited(&["--timeout", "1h"], &folder.command("", ""))).quiet(), "");
    assert!(begin.elapsed() < Duration::from_secs(20));
}

/// Writes a dot, for ever.
const DOTS: &str = "(loop $again (drop (call $put (i32.const 1) (i32.const 100) (i32.const 1))) (br $again))";
const DOT: &str = r#"(data (i32.const 100) ".")"#;

#[test]
fn fuel_ends_at_the_same_point_each_time() {
    let folder = Folder::new();
    let app = folder.command(DOT, DOTS);
    let dots = |fuel: &str| {
        let ran = run(&mut limited(&["--fuel", fuel], &app));
        stopped_by(&ran, &format!("`--fuel {fuel}`"));
        ran.stdout.len()
    };
    let first = dots("10000");
    assert!(first > 100);
    assert_eq!(dots("10000"), first);
    assert!(dots("20000") > first);
}

#[test]
fn fuel_that_is_enough_to_the_last_unit_is_enough() {
    let folder = Folder::new();
    let app = folder.command("", "(local $i i32) (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))");
    let enough = |fuel: u32| run(&mut limited(&["--fuel", &fuel.to_string()], &app)).status() == 0;
    let (mut too_little, mut plenty) = (0, 100_000);
    assert!(enough(plenty) && !enough(too_little));
    while plenty - too_little > 1 {
        let middle = (too_little + plenty) / 2;
        if enough(middle) { plenty = middle } else { too_little = middle }
    }
    assert!(enough(plenty) && !enough(plenty - 1), "the same amount is judged the same");
}

#[test]
fn descriptors_end_at_the_limit_with_the_standards_own_error() {
    let folder = Folder::new();
    folder.file("f", "");
    let hog = |limit: &[&str]| {
        let mut command = turnkey();
        command.arg("run").args(limit).arg("--dir").arg(granted(folder.root(), "/d"));
        run(command.arg(guest("hog")).args(["descriptors", "/d/f"])).quiet().to_owned()
    };
    // Three streams and the directory are open already.
    assert_eq!(hog(&["--max-descriptors", "10"]), "nfile after 6 opens\n");
    assert_eq!(hog(&[]), "nfile after 1020 opens\n");
    assert_eq!(hog(&["--max-descriptors", "4"]), "nfile after 0 opens\n");
}

#[test]
fn a_bound_of_the_host_on_descriptors_is_no_crash() {
    let folder = Folder::new();
    folder.file("f", "");
    let script = "ulimit -n 64; exec \"$0\" run --dir \"$1::/d\" \"$2\" descriptors /d/f";
    let ran = run(crate::harness::shell(script).arg(folder.root()).arg(guest("hog")));
    assert_eq!(ran.status(), 0, "{ran:?}");
    assert!(ran.text().starts_with("nfile after "), "{ran:?}");
}
