//! Where somebody is looking: what is shown on a terminal, and nowhere else.
#![allow(unsafe_code, reason = "the standard library makes no terminals")]

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use crate::harness::{Folder, PATIENCE, granted, turnkey};

/// A terminal: the side that a person sits at, and the side that is given to programs.
fn terminal() -> (File, OwnedFd) {
    let (mut person, mut program) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: the two numbers are written, and nothing else is given.
    let made = unsafe { libc::openpty(&mut person, &mut program, none, none.cast(), none.cast()) };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both were opened a moment ago, for nobody else.
    unsafe { (File::from_raw_fd(person), OwnedFd::from_raw_fd(program)) }
}

/// What a person sees of a command whose streams, or these of them, are one terminal; and its status.
fn seen(command: &mut Command, out: bool, err: bool) -> (String, i32) {
    let (mut person, program) = terminal();
    let side = |is: bool| if is { Stdio::from(program.try_clone().unwrap()) } else { Stdio::null() };
    let mut child = command.stdout(side(out)).stderr(side(err)).spawn().unwrap();
    // The command still holds what it was given.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    drop(program);
    let (done, text) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // The end of a terminal is an error: nobody has its other side open any more.
        let _ = person.read_to_end(&mut bytes);
        let _ = done.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    let text = text.recv_timeout(PATIENCE);
    let _ = child.kill().ok().filter(|()| text.is_err());
    let status = child.wait().unwrap().code().unwrap_or(-1);
    (text.unwrap(), status)
}

#[test]
fn refusals_are_shown_to_whoever_looks_without_being_asked() {
    let folder = Folder::new();
    folder.folder("in");
    let app = folder.command(
        r#"(data (i32.const 100) "../secret")"#,
        "(drop (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 9) (i32.const 1024)))",
    );
    let mut command = turnkey();
    command.args(["run", "--dir"]).arg(granted(&folder.path("in"), "/d")).arg(app);
    let (text, status) = seen(&mut command, true, true);
    assert!(text.contains("../secret") && text.contains("would have been allowed by") && status == 0, "{text}");
    let (text, _) = seen(&mut command, true, false);
    assert_eq!(text, "", "nothing on a stdout that is a terminal while stderr goes elsewhere");
}

#[test]
fn help_is_in_colour_for_whoever_looks_and_has_not_asked_for_less() {
    for (variable, colour) in [(None, true), (Some(""), true), (Some("1"), false)] {
        let mut command = turnkey();
        command.args(["run", "--help"]).env_remove("NO_COLOR");
        if let Some(variable) = variable {
            command.env("NO_COLOR", variable);
        }
        let (text, status) = seen(&mut command, true, false);
        assert!(text.contains("--max-memory") && status == 0);
        assert_eq!(text.contains('\u{1b}'), colour, "NO_COLOR {variable:?}");
    }
}

#[test]
fn a_short_compilation_says_nothing() {
    let folder = Folder::new();
    let (text, status) =
        seen(turnkey().arg("run").arg(folder.command("", "(call $proc_exit (i32.const 5))")), true, true);
    assert_eq!((text.as_str(), status), ("", 5));
}

#[test]
fn a_guest_knows_that_it_writes_to_a_terminal() {
    const CHARACTER_DEVICE: i32 = 2;
    let folder = Folder::new();
    // The type of descriptor 1, and whether it may be moved in: `isatty` of wasi-libc asks for both.
    let app = folder.command(
        "",
        "(call $must (call $fd_fdstat_get (i32.const 1) (i32.const 1024)))
         (call $proc_exit (i32.or (i32.load8_u (i32.const 1024))
            (i32.wrap_i64 (i64.shl (i64.and (i64.load (i32.const 1032)) (i64.const 0x24)) (i64.const 2)))))",
    );
    assert_eq!(seen(turnkey().arg("run").arg(&app), true, true).1, CHARACTER_DEVICE);
    let file = folder.path("out");
    let status = turnkey().arg("run").arg(&app).stdout(File::create(file).unwrap()).status().unwrap();
    assert_ne!(status.code(), Some(CHARACTER_DEVICE));
}
