//! What is typed wrong: status 2, and what was meant; what is asked for help; completions.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::{Folder, turnkey_with};

#[test]
fn a_flag_that_does_not_exist_is_answered_with_the_one_that_was_meant() {
    for (typed, meant) in [
        ("--tiemout", "--timeout"),
        ("--max-memroy", "--max-memory"),
        ("--dirs", "--dir"),
        ("--detreministic", "--deterministic"),
    ] {
        let ran = turnkey_with(["run", typed, "app.wasm"]);
        let message = ran.refused(2);
        assert!(message.contains(&format!("there is no flag `{typed}`")), "{message}");
        assert!(message.contains(&format!("hint: did you mean `{meant}`?")), "{message}");
    }
}

#[test]
fn a_flag_that_resembles_none_is_answered_with_where_to_look() {
    let ran = turnkey_with(["run", "--xyzzy", "app.wasm"]);
    assert!(ran.refused(2).contains("hint: `--help`"));
}

#[test]
fn sizes_times_and_numbers_that_are_none_are_named_with_their_flag() {
    let too_much = "999999999999999999999999";
    for (flag, values) in [
        ("--max-memory", &["lots", "1.5GB", "-1", "", "64 parsecs", "99999999999GiB", too_much][..]),
        ("--timeout", &["0s", "soon", "-1s", "", "5", "1 fortnight", too_much]),
        ("--fuel", &["many", "-1", "1.5", "", too_much]),
        ("--max-descriptors", &["many", "-1", "", "4294967296"]),
        (
            "--clock",
            &["melted", "frozen=", "frozen=yesterday", "frozen=1969-12-31T23:59:59Z", "frozen=9999-12-31T23:59:59Z"],
        ),
        ("--clock-resolution", &["0s", "2days", "fine", ""]),
        ("--random-seed", &["dice", "-1", too_much]),
        ("--tcp-listener", &["8080", "localhost", "1.2.3.4", "1.2.3.4:99999", "::1:80", ""]),
    ] {
        for value in values {
            let ran = turnkey_with(["run", &format!("{flag}={value}"), "app.wasm"]);
            let message = ran.refused(2);
            assert!(message.contains(&format!("`{flag}`")), "{flag}={value}: {message}");
            assert!(
                message.contains(&format!("`{value}`")) || message.contains("needs a value"),
                "{flag}={value}: {message}"
            );
        }
    }
}

#[test]
fn a_flag_without_its_value_says_so() {
    for flag in ["--dir", "--env", "--timeout", "--invoke", "--stdin"] {
        assert!(turnkey_with(["run", flag]).refused(2).contains(&format!("`{flag}` needs a value")));
    }
}

#[test]
fn a_limit_that_is_given_twice_is_not_taken_by_luck() {
    for flag in ["--timeout=1s", "--fuel=1", "--max-memory=1MiB", "--invoke=f"] {
        assert!(turnkey_with(["run", flag, flag, "app.wasm"]).refused(2).contains("more than once"));
    }
}

#[test]
fn no_program_is_a_word_short() {
    for words in
        [&["run"][..], &["run", "--dir", "x"], &["run", "--"], &["check"], &["compile"], &["compile", "app.wasm"]]
    {
        assert!(turnkey_with(words).refused(2).contains("is missing"), "{words:?}");
    }
}

#[test]
fn grants_that_are_written_wrong_show_how_they_are_written() {
    for (flag, value) in
        [("--dir", "::/data"), ("--dir", "data::"), ("--ro-dir", "::"), ("--env", "="), ("--env", "=value")]
    {
        let ran = turnkey_with(["run", flag, value, "app.wasm"]);
        let message = ran.refused(2);
        assert!(message.contains(value) && message.contains("hint: a "), "{message}");
    }
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    assert!(turnkey_with(["ran"]).refused(2).contains("did you mean `run`?"));
    assert!(turnkey_with(["xyzzy"]).refused(2).contains("there is no command `xyzzy`"));
    assert!(turnkey_with(["cache", "claer"]).refused(2).contains("did you mean `clear`?"));
}

#[test]
fn nothing_typed_is_answered_with_what_there_is() {
    for words in [&[][..], &["cache"]] {
        let ran = turnkey_with(words);
        assert_eq!(ran.status(), 2);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("Usage:"), "{ran:?}");
    }
}

#[test]
fn what_was_typed_does_not_reach_the_terminal_as_a_command() {
    for words in [
        &["run", "--\x1b[2J", "x"][..],
        &["\x1b]0;title\x07"],
        &["run", "--timeout", "\x1b[31m", "x"],
        &["run", "--env", "\x1b[2J=\x07", "--env", "\x1b", "x"],
    ] {
        turnkey_with(words).harmless();
    }
}

#[test]
fn every_command_has_help_on_stdout() {
    for words in [
        &["--help"][..],
        &["-h"],
        &["run", "--help"],
        &["run", "-h"],
        &["compile", "--help"],
        &["check", "--help"],
        &["cache", "--help"],
        &["cache", "dir", "--help"],
        &["cache", "size", "--help"],
        &["cache", "clear", "--help"],
        &["completions", "--help"],
    ] {
        let ran = turnkey_with(words);
        assert!(ran.quiet().contains("Usage: turnkey"), "{words:?}");
    }
    assert_eq!(turnkey_with(["--version"]).quiet(), format!("turnkey {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_names_every_flag_of_a_run() {
    let help = turnkey_with(["run", "--help"]).quiet().to_owned();
    for flag in [
        "--dir",
        "--ro-dir",
        "--env",
        "--inherit-env",
        "--tcp-listener",
        "--stdin",
        "--stdout",
        "--stderr",
        "--clock",
        "--clock-resolution",
        "--random-seed",
        "--deterministic",
        "--max-memory",
        "--timeout",
        "--fuel",
        "--max-descriptors",
        "--invoke",
        "--precompiled",
        "--explain",
    ] {
        assert!(help.contains(&format!("{flag} ")) || help.contains(&format!("{flag}\n")), "{flag}");
    }
}

#[test]
fn completions_know_commands_and_flags_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = turnkey_with(["completions", shell]).quiet().to_owned();
        for word in ["completions", "precompiled", "max-memory", "ro-dir"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let ran = turnkey_with(["completions", "tcsh"]);
    assert!(ran.refused(2).contains("`SHELL` does not take `tcsh`"));
}

#[test]
fn the_shells_themselves_can_read_their_completions() {
    for (shell, check) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        let script = turnkey_with(["completions", shell]).stdout;
        let started = Command::new(shell).args(check).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let Ok(mut child) = started else {
            eprintln!("skipped: there is no {shell} here");
            continue;
        };
        child.stdin.take().unwrap().write_all(&script).unwrap();
        let read = child.wait_with_output().unwrap();
        assert!(read.status.success() && read.stderr.is_empty(), "{shell}: {read:?}");
    }
}

#[test]
fn completions_that_nobody_reads_to_the_end_are_no_error() {
    let folder = Folder::new();
    let ran =
        crate::harness::run(crate::harness::shell("\"$0\" completions bash | head -c 10").current_dir(folder.root()));
    assert_eq!(ran.quiet().len(), 10);
}
