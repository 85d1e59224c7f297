//! `--deterministic`: the same run twice is the same to the byte, whatever the host's files were made in what order.

use std::fs;
use std::path::Path;

use crate::harness::{Folder, granted, guest, run, turnkey};

/// Shows everything that could differ: clocks and their steps, random bytes, a raw listing with inode numbers, and all
/// that the host says of a file and of the directory.
fn show_all(folder: &Folder) -> std::path::PathBuf {
    folder.command(
        r#"(data (i32.const 100) "file-3")"#,
        "(call $must (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 1024)))
         (call $must (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 1032)))
         (call $must (call $clock_time_get (i32.const 2) (i64.const 1) (i32.const 1040)))
         (call $must (call $clock_time_get (i32.const 3) (i64.const 1) (i32.const 1048)))
         (call $must (call $random_get (i32.const 1056) (i32.const 64)))
         (call $must (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 6) (i32.const 1120)))
         (call $must (call $fd_filestat_get (i32.const 3) (i32.const 1184)))
         (call $must (call $fd_readdir (i32.const 3) (i32.const 1248) (i32.const 8192) (i64.const 0) (i32.const 32)))
         (call $must (call $put (i32.const 1) (i32.const 1024) (i32.add (i32.const 224) (i32.load (i32.const 32)))))",
    )
}

fn made_in_order(folder: &Path, order: &[usize]) {
    fs::create_dir(folder).unwrap();
    for index in order {
        fs::write(folder.join(format!("file-{index}")), "the same").unwrap();
    }
}

#[test]
fn two_runs_are_the_same_to_the_byte_whatever_the_host_did_before() {
    let folder = Folder::new();
    let app = show_all(&folder);
    let (up, down) = ((0..20).collect::<Vec<_>>(), (0..20).rev().collect::<Vec<_>>());
    made_in_order(&folder.path("one"), &up);
    made_in_order(&folder.path("two"), &down);
    let shown = |name: &str, flags: &[&str]| {
        let mut command = turnkey();
        command.arg("run").args(flags).arg("--dir").arg(granted(&folder.path(name), "/d"));
        let ran = run(command.arg(&app));
        assert_eq!(ran.status(), 0, "{ran:?}");
        ran.stdout
    };
    let first = shown("one", &["--deterministic"]);
    assert!(first.len() > 700, "{} bytes", first.len());
    assert_eq!(first, shown("one", &["--deterministic"]));
    assert_eq!(first, shown("two", &["--deterministic"]), "other files, made in another order");
    assert_ne!(first, shown("one", &["--deterministic", "--random-seed", "1"]));
    assert_ne!(shown("one", &[]), shown("one", &[]), "the test shows nothing if this is the same too");
}

#[test]
fn real_programs_run_the_same_twice() {
    let folder = Folder::new();
    folder.folder("d");
    let transcript = |name: &str, words: &[&str]| {
        let mut command = turnkey();
        command.args(["run", "--deterministic", "--dir"]).arg(granted(&folder.path("d"), "/d"));
        let ran = run(command.arg(guest(name)).args(words));
        assert_eq!(ran.status(), 0, "{ran:?}");
        ran.stdout
    };
    for (name, words) in
        [("random", &[][..]), ("clocks", &["show"]), ("poller", &["clock"]), ("lister", &["/d"]), ("files", &["/d"])]
    {
        assert_eq!(transcript(name, words), transcript(name, words), "{name}");
    }
}

#[test]
fn nans_have_the_same_bits() {
    let folder = Folder::new();
    let app = folder.module(
        r#"(module (func (export "bits") (param f64 f64) (result i64)
            (i64.reinterpret_f64 (f64.div (local.get 0) (local.get 1)))))"#,
    );
    let bits = run(turnkey().args(["run", "--deterministic", "--invoke", "bits"]).arg(&app).args(["0", "0"]));
    assert_eq!(bits.quiet(), format!("{}\n", 0x7ff8_0000_0000_0000_u64));
}
