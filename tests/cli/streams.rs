//! Standard streams: inherited, a file, or nothing; full, closed, or with nobody on the other side.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Stdio;

use crate::harness::tree::names;
use crate::harness::{Folder, guest, run, shell, start, turnkey};

/// Writes a line to stdout and ends with the errno of that.
fn writer(folder: &Folder) -> PathBuf {
    folder.command(
        r#"(data (i32.const 100) "a line\n")"#,
        "(call $must (call $put (i32.const 1) (i32.const 100) (i32.const 7)))",
    )
}

/// Reads from stdin once and ends with the errno of that.
fn reader(folder: &Folder) -> PathBuf {
    folder.command("", "(call $must (call $get (i32.const 0)))")
}

const BADF: i32 = 8;
const FBIG: i32 = 22;
const NOSPC: i32 = 51;
const PIPE: i32 = 64;

#[test]
fn a_full_disk_is_told_to_the_guest_that_writes() {
    let folder = Folder::new();
    let app = writer(&folder);
    assert_eq!(run(turnkey().args(["run", "--stdout", "/dev/full"]).arg(&app)).status(), NOSPC);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = turnkey();
    let ran = start(command.arg("run").arg(&app).stdout(full).stderr(Stdio::piped())).wait();
    assert_eq!((ran.status(), ran.stderr.as_str()), (NOSPC, ""));
}

#[test]
fn a_real_program_says_that_the_disk_is_full() {
    let ran = run(turnkey().args(["run", "--stdout", "/dev/full"]).arg(guest("hog")).arg("stdout"));
    assert_eq!((ran.status(), ran.stderr.as_str()), (3, "nospc\n"));
}

#[test]
fn what_was_written_before_an_error_is_not_lost() {
    let folder = Folder::new();
    let out = folder.path("out");
    let app = folder.command(
        r#"(data (i32.const 100) "kept\n")"#,
        "(call $must (call $put (i32.const 1) (i32.const 100) (i32.const 5)))
         (call $must (call $put (i32.const 2) (i32.const 100) (i32.const 5)))",
    );
    let ran = run(turnkey().args(["run", "--stderr", "/dev/full", "--stdout"]).arg(&out).arg(&app));
    assert_eq!(ran.status(), NOSPC);
    assert_eq!(fs::read(&out).unwrap(), b"kept\n");
}

/// A file that may not grow further is `fbig`, as `write(2)` says where `SIGXFSZ` is ignored: the signal, which kills by
/// default, is for programs that write themselves, and the guest would die without a word.
#[test]
fn a_file_that_may_not_grow_further_is_told_to_the_guest() {
    let folder = Folder::new();
    let app = writer(&folder);
    // Compiled before the bound is there, or the cache's own file would meet it.
    run(turnkey().arg("run").arg(guest("hog")).arg("recurse"));
    run(turnkey().arg("run").arg(&app)).quiet();
    let script = "ulimit -f 8; exec \"$0\" run --dir \"$1::/d\" \"$2\" disk /d/large";
    let ran = run(shell(script).arg(folder.root()).arg(guest("hog")));
    assert_eq!(ran.ended.code(), Some(0), "{ran:?}");
    assert_eq!(ran.text().split(' ').next(), Some("fbig"), "{ran:?}");
    let script = "ulimit -f 0; exec \"$0\" run --stdout \"$1/out\" \"$2\"";
    assert_eq!(run(shell(script).arg(folder.root()).arg(&app)).ended.code(), Some(FBIG));
}

#[test]
fn a_cache_that_may_not_grow_further_is_no_reason_not_to_run() {
    let folder = Folder::new();
    let app = writer(&folder);
    // Room for what the engine itself keeps of a memory, but not for an artifact.
    let script = "ulimit -f 16; exec \"$0\" run \"$1\" | cat";
    let ran = run(shell(script).arg(&app).env("XDG_CACHE_HOME", folder.path("cache")));
    assert_eq!(ran.text(), "a line\n", "{ran:?}");
    assert!(names(&folder.path("cache/turnkey")).is_empty(), "and no part of one is left");
}

#[test]
fn a_closed_stream_is_no_descriptor() {
    let folder = Folder::new();
    let (writer, reader) = (writer(&folder), reader(&folder));
    assert_eq!(run(shell("exec \"$0\" run \"$1\" >&-").arg(&writer)).status(), BADF);
    assert_eq!(run(shell("exec \"$0\" run \"$1\" <&-").arg(&reader)).status(), BADF);
    assert_eq!(run(shell("exec \"$0\" run \"$1\" <&- 2>&-").arg(&writer)).text(), "a line\n");
    let all = run(shell("exec \"$0\" run \"$1\" <&- >&- 2>&-").arg(&writer));
    assert_eq!((all.status(), all.stdout.len()), (BADF, 0));
}

/// POSIX gives out the lowest free number: a guest may so open a file as its stdout, but only by opening it.
#[test]
fn a_closed_stream_is_not_a_file_that_was_only_handed_over() {
    let folder = Folder::new();
    let victim = folder.file("d/victim", "precious");
    let app = writer(&folder);
    let script = "exec \"$0\" run --dir \"$1::/d\" --tcp-listener 127.0.0.1:0 \"$2\" <&- >&- 2>&-";
    let ran = run(shell(script).arg(folder.path("d")).arg(&app));
    assert_eq!(ran.status(), BADF, "neither the directory nor the listener is descriptor 1");
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn closed_streams_do_not_turn_messages_into_files() {
    let folder = Folder::new();
    let ran = run(shell("exec \"$0\" run nothing.wasm 2>&-").current_dir(folder.root()));
    assert_eq!(ran.status(), 127);
    let ran = run(shell("exec \"$0\" run --invoke f \"$1\" 1 >&-")
        .arg(folder.module(r#"(module (func (export "f") (param i32) (result i32) (local.get 0)))"#)));
    assert!(ran.status() == 0 || ran.status() == 125, "{ran:?}");
}

#[test]
fn a_guest_whose_reader_went_away_is_told_so_and_turnkey_dies_of_nothing() {
    let folder = Folder::new();
    let app = writer(&folder);
    let (gone, pipe) = std::io::pipe().unwrap();
    drop(gone);
    let mut command = turnkey();
    let ran = start(command.arg("run").arg(&app).stdout(pipe).stderr(Stdio::piped())).wait();
    assert_eq!((ran.ended.code(), ran.stderr.as_str()), (Some(PIPE), ""));
    let ran = run(shell("\"$0\" run \"$1\" stdout | head -c 3").arg(guest("hog")));
    assert_eq!((ran.text(), ran.stderr.as_str()), ("xxx", "pipe\n"));
}

#[test]
fn messages_that_nobody_reads_are_no_reason_to_die() {
    let (gone, pipe) = std::io::pipe().unwrap();
    drop(gone);
    let mut command = turnkey();
    assert_eq!(
        start(command.args(["run", "nothing.wasm"]).stderr(pipe).stdout(Stdio::piped())).wait().ended.code(),
        Some(127)
    );
    let folder = Folder::new();
    let app = folder.command("", "unreachable");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = turnkey();
    assert_eq!(start(command.arg("run").arg(&app).stderr(full)).wait().ended.code(), Some(134));
}

#[test]
fn streams_are_files_where_files_are_named() {
    let folder = Folder::new();
    let input = folder.file("in", "from a file\n");
    let (out, err) = (folder.path("out"), folder.file("err", "what was there before is gone"));
    let mut command = turnkey();
    command.arg("run").arg("--stdin").arg(&input).arg("--stdout").arg(&out).arg("--stderr").arg(&err);
    assert_eq!(run(command.arg(guest("environment"))).quiet(), "");
    assert_eq!(fs::read_to_string(&out).unwrap(), "argument 0: environment.wasm\nfrom a file\n");
    assert_eq!(fs::read_to_string(&err).unwrap(), "12 bytes copied\n");
}

#[test]
fn a_null_stream_is_at_its_end_and_takes_everything() {
    let mut command = turnkey();
    command.args(["run", "--stdin", "null", "--stdout", "null", "--stderr", "null"]).arg(guest("environment"));
    assert_eq!(run(&mut command).quiet(), "");
}

#[test]
fn a_stream_that_cannot_be_had_is_named() {
    let folder = Folder::new();
    let app = folder.command("", "");
    let (nothing, below) = (folder.path("nothing"), folder.path("no/folder"));
    for (flag, path) in [("--stdin", nothing.as_path()), ("--stdout", &below), ("--stderr", folder.root())] {
        let ran = run(turnkey().arg("run").arg(flag).arg(path).arg(&app));
        let message = ran.refused(125);
        assert!(message.contains(&path.display().to_string()) && message.contains(&flag[2..]), "{message}");
        assert!(message.contains(&format!("hint: `{flag}`")), "{message}");
    }
}

#[test]
fn inherited_streams_share_their_place_with_whoever_opened_them() {
    let folder = Folder::new();
    let app = writer(&folder);
    let out = folder.path("out");
    let script = "{ echo before; \"$0\" run \"$1\"; echo after; } > \"$2\"";
    run(shell(script).arg(&app).arg(&out));
    assert_eq!(fs::read_to_string(&out).unwrap(), "before\na line\nafter\n");
}

#[test]
fn a_guest_that_does_not_wait_makes_nobody_else_do_the_same() {
    const AGAIN: i32 = 6;
    let folder = Folder::new();
    let app = folder.command(
        "",
        "(call $must (call $fd_fdstat_set_flags (i32.const 0) (i32.const 4)))
         (call $must (call $get (i32.const 0)))",
    );
    let (reader, _writer) = std::io::pipe().unwrap();
    let mut command = turnkey();
    let ran = start(command.arg("run").arg(&app).stdin(reader.try_clone().unwrap()).stderr(Stdio::piped())).wait();
    assert_eq!(ran.status(), AGAIN);
    // SAFETY: asks for the flags of a descriptor that is open.
    #[allow(unsafe_code, reason = "the standard library does not tell")]
    let flags = unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_GETFL) };
    assert_eq!(flags & libc::O_NONBLOCK, 0, "whoever shares the pipe would have to live with it");
}

/// Writes so many bytes, in pieces of 60000, until all are taken.
fn in_pieces(folder: &Folder, bytes: u32) -> PathBuf {
    folder.command(
        "",
        &format!(
            "(local $left i32) (local.set $left (i32.const {bytes}))
             (memory.fill (i32.const 1024) (i32.const 120) (i32.const 60000))
             (loop $again
                (call $must (call $put (i32.const 1) (i32.const 1024)
                    (select (local.get $left) (i32.const 60000) (i32.lt_u (local.get $left) (i32.const 60000)))))
                (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.load (i32.const 16))))))"
        ),
    )
}

#[test]
fn large_output_arrives_whole_also_where_each_write_has_an_end() {
    let folder = Folder::new();
    let app = in_pieces(&folder, 3_000_000);
    for limit in [&[][..], &["--timeout", "1h"]] {
        assert_eq!(run(turnkey().arg("run").args(limit).arg(&app)).quiet().len(), 3_000_000);
    }
}

/// What is asked for and cannot be written has not been given: whoever redirected it into a full disk must hear of it.
#[test]
fn results_that_cannot_be_written_are_no_success() {
    let folder = Folder::new();
    let app = folder.module(r#"(module (func (export "f") (result i32) (i32.const 42)))"#);
    for words in ["run --invoke f \"$1\"", "check \"$1\"", "cache dir", "completions bash", "run --help"] {
        let ran = run(shell(&format!("exec \"$0\" {words} > /dev/full")).arg(&app));
        assert_eq!(ran.status(), 125, "{words}: {ran:?}");
        ran.in_form();
    }
}
