//! Text that a guest, or whoever made it, controls: wherever it is shown, a terminal does nothing by it.

use std::fs;

use crate::harness::wat::escaped;
use crate::harness::{Folder, granted, run, turnkey};

/// Clears a screen, sets a title, moves up, turns a line around, and begins a line of its own.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[9A\u{202e}drow\r\nerror: forged";

/// The same as text modules are written.
fn in_wat() -> String {
    escaped(HOSTILE.as_bytes())
}

fn shows_it_harmlessly(command: &mut std::process::Command) {
    let ran = run(command);
    ran.harmless();
    assert!(ran.stderr.contains("\\u{1b}[2J"), "it is not shown at all: {ran:?}");
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{ran:?}");
}

#[test]
fn names_of_imports_and_exports_are_harmless() {
    let folder = Folder::new();
    let name = in_wat();
    for module in [
        format!(r#"(module (import "env" "{name}" (func)) (func (export "_start")))"#),
        format!(r#"(module (import "{name}" "f" (func)) (func (export "_start")))"#),
        format!(r#"(module (func (export "{name}")))"#),
    ] {
        shows_it_harmlessly(turnkey().arg("run").arg(folder.module(&module)));
    }
}

#[test]
fn a_report_about_a_program_is_harmless() {
    let folder = Folder::new();
    let name = in_wat();
    let module = folder.module(&format!(r#"(module (import "{name}" "{name}" (func)) (func (export "{name}")))"#));
    let ran = run(turnkey().arg("check").arg(module));
    assert_eq!(ran.status(), 126);
    let report = ran.text();
    assert!(report.contains("\\u{1b}[2J") && !report.contains(['\u{1b}', '\u{7}', '\r', '\u{202e}']), "{report:?}");
}

#[test]
fn names_in_a_backtrace_are_harmless() {
    let folder = Folder::new();
    let name = in_wat();
    let module = format!(r#"(module (@name "{name}") (func $f (@name "{name}") (export "_start") unreachable))"#);
    shows_it_harmlessly(turnkey().arg("run").arg(folder.module(&module)));
}

#[test]
fn paths_in_the_table_of_refusals_are_harmless() {
    let folder = Folder::new();
    let path = format!("../{HOSTILE}");
    let app = folder.command(
        &format!(r#"(data (i32.const 100) "../{}")"#, in_wat()),
        &format!(
            "(drop (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 100) (i32.const {}) (i32.const 1024)))
             unreachable",
            path.len()
        ),
    );
    shows_it_harmlessly(turnkey().args(["run", "--explain", "--dir"]).arg(granted(folder.root(), "/d")).arg(app));
}

#[test]
fn paths_outside_every_grant_are_harmless_in_what_is_suggested() {
    let folder = Folder::new();
    let app = folder.command(
        &format!(r#"(data (i32.const 100) "{}/x")"#, in_wat()),
        &format!(
            "(drop (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 100) (i32.const {}) (i32.const 1024)))
             unreachable",
            HOSTILE.len() + 2
        ),
    );
    shows_it_harmlessly(turnkey().args(["run", "--explain"]).arg(app));
}

#[test]
fn a_programs_own_name_is_harmless() {
    let folder = Folder::new();
    let name = HOSTILE.replace('/', "");
    for (contents, status) in
        [("", 126), ("(module (func (export \"_start\") unreachable))", 134), ("(module (func", 126)]
    {
        fs::write(folder.path(&name), contents).unwrap();
        let ran = run(turnkey().arg("run").arg(&name).current_dir(folder.root()));
        assert_eq!(ran.status(), status);
        ran.harmless();
    }
    shows_it_harmlessly(turnkey().arg("run").arg(folder.path(format!("{HOSTILE}-absent"))));
    let ran = run(turnkey().arg("check").arg(&name).current_dir(folder.root()));
    ran.harmless();
}

#[test]
fn what_a_text_module_says_where_it_is_wrong_is_harmless() {
    let folder = Folder::new();
    for text in [
        format!("(module {HOSTILE})"),
        format!("(module (func (call ${HOSTILE})))"),
        format!("(module (import \"{HOSTILE}\""),
    ] {
        let ran = run(turnkey().arg("run").arg(folder.module(&text)));
        assert_eq!(ran.status(), 126);
        ran.harmless();
    }
}

#[test]
fn what_the_guest_itself_writes_is_its_own_business() {
    let folder = Folder::new();
    let app = folder.command(
        r#"(data (i32.const 100) "\1b[2J")"#,
        "(call $must (call $put (i32.const 2) (i32.const 100) (i32.const 4)))",
    );
    assert_eq!(run(turnkey().arg("run").arg(app)).stderr, "\u{1b}[2J");
}
