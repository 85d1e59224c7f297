//! `turnkey compile`, and `--precompiled`: what it takes for native code to be loaded.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Folder, Ran, guest, run, turnkey};

fn compiled(folder: &Folder, name: &str, flags: &[&str]) -> PathBuf {
    let out = folder.path(name);
    run(turnkey().arg("compile").args(flags).arg(guest("small")).arg("-o").arg(&out)).quiet();
    out
}

fn precompiled(flags: &[&str], artifact: &Path) -> Ran {
    run(turnkey().args(["run", "--precompiled"]).args(flags).arg(artifact))
}

#[test]
fn what_was_compiled_runs_as_what_it_was_compiled_from() {
    let folder = Folder::new();
    let plain = run(turnkey().arg("run").arg(guest("small")).arg("1 2 3"));
    let out = compiled(&folder, "out", &[]);
    let ran = run(turnkey().args(["run", "--precompiled"]).arg(&out).arg("1 2 3"));
    assert_eq!(ran.quiet(), plain.quiet());
    assert_eq!(crate::harness::tree::names(folder.root()), ["out"], "nothing else is left behind");
}

#[test]
fn an_artifact_is_replaced_whole() {
    let folder = Folder::new();
    folder.file("out", "something else");
    let out = compiled(&folder, "out", &["--fuel"]);
    precompiled(&["--fuel", "100000000"], &out).quiet();
}

const OPTIONS: [(&str, &[&str]); 3] = [
    ("--fuel", &["--fuel", "100000000"]),
    ("--timeout", &["--timeout", "1m"]),
    ("--deterministic", &["--deterministic"]),
];

#[test]
fn options_that_differ_are_named_one_by_one() {
    let folder = Folder::new();
    let plain = compiled(&folder, "plain", &[]);
    let flags: Vec<&str> = OPTIONS.iter().map(|(flag, _)| *flag).collect();
    let all = compiled(&folder, "all", &flags);
    for (flag, typed) in OPTIONS {
        let ran = precompiled(typed, &plain);
        let message = ran.refused(126);
        assert!(message.contains(&format!("without `{flag}`")), "{message}");
        assert!(flags.iter().all(|other| other == &flag || !message.contains(&format!("`{other}`"))), "{message}");
        let made = compiled(&folder, "made", &[flag]);
        precompiled(typed, &made).quiet();
        assert!(precompiled(&[], &made).refused(126).contains(&format!("with `{flag}`")));
    }
    let ran = precompiled(&[], &all);
    let message = ran.refused(126);
    assert!(flags.iter().all(|flag| message.contains(&format!("with `{flag}`"))), "{message}");
}

#[test]
fn native_code_is_not_loaded_by_a_run_that_does_not_vouch_for_it() {
    let folder = Folder::new();
    let out = compiled(&folder, "out", &[]);
    let ran = run(turnkey().arg("run").arg(&out));
    let message = ran.refused(126);
    assert!(message.contains("precompiled") && message.contains("`--precompiled`"), "{message}");
    for command in ["check", "compile"] {
        let mut again = turnkey();
        again.arg(command).arg(&out);
        if command == "compile" {
            again.arg("-o").arg(folder.path("again"));
        }
        assert!(run(&mut again).refused(126).contains("precompiled"));
    }
}

#[test]
fn an_artifact_that_was_cut_short_is_not_loaded() {
    let folder = Folder::new();
    let whole = fs::read(compiled(&folder, "out", &[])).unwrap();
    let cut = folder.path("cut");
    for bytes in
        [0, 1, 47, 48, 49, whole.len() / 2, whole.len() - 49, whole.len() - 48, whole.len() - 47, whole.len() - 1]
    {
        fs::write(&cut, &whole[..bytes]).unwrap();
        assert!(precompiled(&[], &cut).refused(126).contains("is not loaded"), "{bytes} bytes");
        fs::write(&cut, &whole[whole.len() - bytes..]).unwrap();
        assert!(precompiled(&[], &cut).refused(126).contains("is not loaded"), "the last {bytes} bytes");
    }
}

#[test]
fn an_artifact_of_another_version_or_with_more_behind_it_is_not_loaded() {
    let folder = Folder::new();
    let whole = fs::read(compiled(&folder, "out", &[])).unwrap();
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        precompiled(&[], &folder.file("changed", bytes))
    };
    let footer = whole.len() - 48;
    let ran = changed(&|bytes| bytes[footer + 8] = b'9');
    let message = ran.refused(126);
    assert!(message.contains("is of engine 9") && message.contains("hint: "), "{message}");
    changed(&|bytes| bytes.push(0)).refused(126);
    changed(&|bytes| bytes[footer] ^= 1).refused(126);
    changed(&|bytes| bytes[footer + 40] ^= 1).refused(126);
    // The footer is right, and what it stands behind is no image of the engine.
    changed(&|bytes| bytes[..64].fill(0)).refused(126);
    changed(&|bytes| bytes[..footer].fill(0)).refused(126);
}

#[test]
fn what_is_no_artifact_is_not_loaded_as_one() {
    let folder = Folder::new();
    for foreign in [
        guest("small"),
        PathBuf::from(env!("CARGO_BIN_EXE_turnkey")),
        folder.file("empty", ""),
        folder.file("text", "x".repeat(100)),
    ] {
        assert!(precompiled(&[], &foreign).refused(126).contains("not one that `turnkey compile` made"), "{foreign:?}");
    }
    precompiled(&[], &folder.path("nothing")).refused(127);
    precompiled(&[], folder.root()).refused(126);
}

#[test]
fn an_output_that_cannot_be_written_is_named_and_nothing_is_left() {
    let folder = Folder::new();
    for out in [folder.path("no/such/folder/out"), folder.folder("folder"), folder.file("file", "").join("below")] {
        let ran = run(turnkey().arg("compile").arg(guest("small")).arg("-o").arg(&out));
        assert!(ran.refused(125).contains("cannot be written"), "{out:?}");
    }
    assert_eq!(crate::harness::tree::names(folder.root()), ["file", "folder"]);
}

#[test]
fn what_does_not_compile_leaves_no_output() {
    let folder = Folder::new();
    let app = folder.file("app", "(module (func");
    let out = folder.path("out");
    run(turnkey().arg("compile").arg(&app).arg("-o").arg(&out)).refused(126);
    assert!(!out.exists());
}

#[test]
fn a_program_that_cannot_run_here_says_so_when_it_is_run_from_an_artifact_too() {
    let folder = Folder::new();
    let app = folder.file("app", r#"(module (import "env" "abort" (func)) (func (export "_start")))"#);
    let out = folder.path("out");
    run(turnkey().arg("compile").arg(&app).arg("-o").arg(&out)).quiet();
    assert!(precompiled(&[], &out).refused(126).contains("`env::abort`"));
}
