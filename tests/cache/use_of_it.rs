//! That it is used, by whom, and for what.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;

use crate::Cache;
use crate::harness::{granted, guest, run, start};

#[test]
fn the_first_run_makes_a_folder_and_a_file_that_are_the_users_alone() {
    let cache = Cache::new();
    cache.says_hello();
    assert_eq!(fs::metadata(cache.path()).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(cache.entry().mode, 0o600);
}

#[test]
fn a_second_run_writes_nothing() {
    let cache = Cache::new();
    cache.says_hello();
    let (entry, folder) = (cache.entry(), fs::metadata(cache.path()).unwrap());
    cache.says_hello();
    assert_eq!(cache.entry(), entry);
    let after = fs::metadata(cache.path()).unwrap();
    assert_eq!((after.mtime(), after.mtime_nsec()), (folder.mtime(), folder.mtime_nsec()), "no file came or went");
}

/// By the kernel's account of processor time, which no busy machine stretches much: compiling this one takes a second, and
/// running it a few milliseconds.
#[test]
fn a_second_run_does_not_compile() {
    let cache = Cache::new();
    let once = || {
        let mut command = cache.turnkey();
        let data = cache.folder.folder("data");
        command.args(["run", "--dir"]).arg(granted(&data, "/d")).arg(guest("files_go")).arg("/d");
        let ran = run(&mut command);
        assert_eq!(ran.status(), 0, "{ran:?}");
        ran.cpu
    };
    let (first, second) = (once(), once());
    assert!(second * 3 < first, "the first took {first:?}, the second {second:?}");
}

/// What is in the cache is what runs: with the entries of two programs swapped, each runs as the other. Nobody but the user
/// can do that, and it is the plainest way to see that a run reads its entry and compiles nothing.
#[test]
fn a_second_run_is_what_the_cache_holds() {
    let cache = Cache::new();
    cache.says_hello();
    let hello = cache.entry().name;
    assert_eq!(cache.run(&cache.goodbye).quiet(), "goodbye");
    let goodbye = cache.entries().into_iter().map(|entry| entry.name).find(|name| *name != hello).unwrap();
    let aside = cache.folder.path("aside");
    fs::rename(&hello, &aside).unwrap();
    fs::rename(&goodbye, &hello).unwrap();
    fs::rename(&aside, &goodbye).unwrap();
    assert_eq!(cache.run(&cache.hello).quiet(), "goodbye");
    assert_eq!(cache.run(&cache.goodbye).quiet(), "hello");
}

#[test]
fn the_same_program_is_one_entry_wherever_it_lies_and_however_it_comes() {
    let cache = Cache::new();
    cache.says_hello();
    let entry = cache.entry();
    let copy = cache.folder.path("copy");
    fs::copy(&cache.hello, &copy).unwrap();
    assert_eq!(cache.run(&copy).quiet(), "hello");
    let piped = run(cache.turnkey().args(["run", "-"]).stdin(fs::File::open(&copy).unwrap()));
    assert_eq!(piped.quiet(), "hello");
    run(cache.turnkey().arg("check").arg(&copy)).quiet();
    assert_eq!(cache.entry(), entry);
}

#[test]
fn a_program_that_changed_is_compiled_again() {
    let cache = Cache::new();
    cache.says_hello();
    fs::write(&cache.hello, fs::read_to_string(&cache.hello).unwrap().replace("\\68\\65", "\\48\\45")).unwrap();
    assert_eq!(cache.run(&cache.hello).quiet(), "HEllo");
    assert_eq!(cache.entries().len(), 2);
}

#[test]
fn options_that_change_the_code_have_entries_of_their_own() {
    let cache = Cache::new();
    let flags: [&[&str]; 8] = [
        &[],
        &["--fuel=100000"],
        &["--timeout=1m"],
        &["--deterministic"],
        &["--fuel=100000", "--timeout=1m"],
        &["--fuel=100000", "--deterministic"],
        &["--timeout=1m", "--deterministic"],
        &["--fuel=100000", "--timeout=1m", "--deterministic"],
    ];
    for round in 0..2 {
        for (number, flags) in flags.iter().enumerate() {
            assert_eq!(run(cache.turnkey().arg("run").args(*flags).arg(&cache.hello)).quiet(), "hello");
            assert_eq!(cache.entries().len(), if round == 0 { number + 1 } else { 8 });
        }
    }
}

#[test]
fn options_that_do_not_change_the_code_share_one() {
    let cache = Cache::new();
    for flags in [
        &[][..],
        &["--max-memory=64MiB"],
        &["--max-descriptors=9"],
        &["--env=A=1"],
        &["--clock=frozen"],
        &["--random-seed=1"],
    ] {
        assert_eq!(run(cache.turnkey().arg("run").args(flags).arg(&cache.hello)).quiet(), "hello");
        cache.entry();
    }
    for fuel in ["--fuel=100000", "--fuel=200000"] {
        assert_eq!(run(cache.turnkey().args(["run", fuel]).arg(&cache.hello)).quiet(), "hello");
    }
    assert_eq!(cache.entries().len(), 2);
}

#[test]
fn what_is_not_valid_leaves_nothing_in_it() {
    let cache = Cache::new();
    let broken = cache.folder.file("broken", "(module (func");
    cache.run(&broken).refused(126);
    cache.run(&cache.folder.file("image", "\u{89}PNG")).refused(126);
    assert!(!cache.path().exists() || cache.entries().is_empty());
}

#[test]
fn neither_compile_nor_precompiled_use_it() {
    let cache = Cache::new();
    let out = cache.folder.path("out");
    run(cache.turnkey().arg("compile").arg(&cache.hello).arg("-o").arg(&out)).quiet();
    assert_eq!(run(cache.turnkey().args(["run", "--precompiled"]).arg(&out)).quiet(), "hello");
    assert!(!cache.path().exists());
}

#[test]
fn eight_first_runs_at_once_all_succeed_and_leave_one_entry() {
    let cache = Cache::new();
    let begin = || {
        let mut command = cache.turnkey();
        start(command.arg("run").arg(guest("small")).stdout(Stdio::piped()).stderr(Stdio::piped()))
    };
    let running: Vec<_> = (0..8).map(|_| begin()).collect();
    let printed: Vec<String> = running.into_iter().map(|running| running.wait().quiet().to_owned()).collect();
    assert!(printed[0].starts_with("even: ") && printed.iter().all(|line| *line == printed[0]), "{printed:?}");
    cache.entry();
}

#[test]
fn a_run_goes_on_while_the_cache_is_cleared_under_it() {
    let cache = Cache::new();
    let trap = cache.folder.module("(module (func (export \"_start\") (loop $l (br $l))))");
    let mut command = cache.turnkey();
    command.args(["run", "--timeout", "2s"]).arg(&trap).stderr(Stdio::piped()).stdout(Stdio::piped());
    let running = start(&mut command);
    for _ in 0..10 {
        run(cache.turnkey().args(["cache", "clear"]));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    running.wait().refused(124);
}
