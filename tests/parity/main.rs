//! One table of scenarios, through every preview: the same code, the same bytes.
//!
//! The scenarios are in `guests/parity`. Each preview's program plays a group of them over a folder of its own, made anew and
//! the same for each; what it prints has to be the same to the byte, what it says on stderr too, how it ends, and what it
//! leaves in the folder.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

#[path = "../harness/mod.rs"]
mod harness;

mod folder;
mod sockets;
mod transcript;

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

use harness::{bytes, granted, guest, start, turnkey};

use folder::Played;
use transcript::{Transcript, must_be_same};

/// The programs, a preview each. The first is what the others are compared with.
const PROGRAMS: [&str; 3] = ["parity_p1", "components/parity_p2", "components/parity_p3"];

/// `turnkey run FLAGS PROGRAM GROUP`, with the two directories of the folder.
fn playing<W: AsRef<OsStr>>(played: &Played, program: &str, flags: &[W], group: &str) -> Command {
    let mut command = turnkey();
    command.arg("run").args(flags);
    command.arg("--dir").arg(granted(&played.folder.path("rw"), "/rw"));
    command.arg("--ro-dir").arg(granted(&played.folder.path("ro"), "/ro"));
    command.arg(guest(program)).arg(group);
    command
}

/// Plays a group by all programs, and gives what all of them said.
#[track_caller]
fn played<W: AsRef<OsStr>>(flags: &[W], group: &str, prepare: impl Fn(&mut Command)) -> Transcript {
    let transcripts = PROGRAMS.map(|program| {
        let played = Played::new();
        let mut command = playing(&played, program, flags, group);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        prepare(&mut command);
        let ran = start(&mut command).wait();
        Transcript::new(program, group, ran.status(), ran.stdout, ran.stderr.into_bytes(), played.left())
    });
    let [first, others @ ..] = transcripts;
    others.iter().for_each(|other| must_be_same(&first, other));
    first
}

/// The same with nothing more to prepare: so many scenarios, all of which came to their end.
#[track_caller]
fn plays(flags: &[&str], group: &str, scenarios: usize) {
    let transcript = played(flags, group, |_| {});
    assert_eq!((transcript.status, transcript.stderr.as_slice()), (0, &b""[..]));
    assert_eq!(transcript.scenarios(), scenarios, "{group}");
}

#[test]
fn whatever_is_opened_however_is_the_same() {
    plays(&[], "opens", 40);
}

#[test]
fn contents_of_files_are_the_same() {
    plays(&[], "contents", 15);
}

#[test]
fn directories_are_the_same() {
    plays(&[], "directories", 15);
}

#[test]
fn renames_and_links_are_the_same() {
    plays(&[], "links", 16);
}

#[test]
fn names_of_all_kinds_are_the_same() {
    plays(&[], "names", 7);
}

#[test]
fn times_of_files_are_the_same() {
    plays(&[], "times", 6);
    plays(&["--clock-resolution", "1s"], "times-coarse", 3);
    plays(&["--clock", "frozen=2026-01-01T00:00:00Z"], "times-frozen", 3);
    plays(&["--clock", "frozen", "--clock-resolution", "7ms"], "times-frozen", 3);
}

#[test]
fn what_was_handed_over_to_be_read_is_changed_by_none() {
    let before = Played::new().left();
    let transcript = played(&[] as &[&str], "read-only", |_| {});
    assert_eq!((transcript.status, transcript.scenarios()), (0, 7));
    assert_eq!(transcript.left, before, "something has been changed after all");
}

/// Under `--explain`, what was refused, how often, and what would have allowed it: all but the name of the call.
#[test]
fn what_is_refused_is_explained_in_the_same_words() {
    let [first, others @ ..] = PROGRAMS.map(|program| {
        let played = Played::new();
        let ran = harness::run(&mut playing(&played, program, &["--explain"], "read-only"));
        let text = ran.stderr.replace(&played.folder.root().display().to_string(), "FOLDER");
        let rows =
            text.lines().map(|row| row.trim_start().split_once(' ').unwrap_or_default().1.trim_start().to_owned());
        rows.collect::<Vec<String>>()
    });
    assert!(first.len() > 100, "{first:?}");
    others.iter().for_each(|other| assert_eq!(first, *other));
}

#[test]
fn what_a_program_is_given_is_the_same() {
    let variables = ["A=1", "B=2=3", "EMPTY=", "GR\u{fc}N=gr\u{fc}n", "NEWLINE=a\nb"].map(OsStr::new);
    let odd = bytes(b"LATIN=latin \xfc");
    let flags: Vec<&OsStr> =
        variables.into_iter().chain([odd]).flat_map(|value| [OsStr::new("--env"), value]).collect();
    let words =
        [&b""[..], b"two words", "gr\u{fc}n".as_bytes(), b"latin \xfc", b"--dir", "\u{ef80}".as_bytes(), b"a\nb"];
    let transcript = played(&flags, "given", |command| {
        command.args(words.map(bytes));
    });
    assert_eq!((transcript.status, transcript.scenarios()), (0, 3));
    assert!(transcript.has(r"`latin \xfc`") && transcript.has(r"`LATIN` is `latin \xfc`"), "{transcript:?}");
}

#[test]
fn programs_end_with_the_same_status() {
    for status in [0, 1, 2, 7, 124, 255] {
        let transcript = played(&[] as &[&str], "exit", |command| {
            command.arg(status.to_string());
        });
        assert_eq!(transcript.status, status);
    }
    let transcript = played(&[] as &[&str], "no-such-group", |_| {});
    assert_eq!(transcript.status, 2);
}

/// A pipe that holds these bytes, or a part of them, and is given the rest by a thread.
fn pipe(contents: Vec<u8>) -> Stdio {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::thread::spawn(move || writer.write_all(&contents).unwrap());
    reader.into()
}

#[test]
fn standard_input_is_the_same_to_its_end() {
    let contents: Vec<u8> = (0..300_000).map(|index| (index * 31 % 251) as u8).collect();
    for length in [0, 1, 5_000, contents.len()] {
        let contents = &contents[..length];
        let piped = played(&[] as &[&str], "stdin", |command| {
            command.stdin(pipe(contents.to_vec()));
        });
        assert_eq!((piped.status, piped.scenarios()), (0, 3));
        assert!(piped.has(&format!("{length} bytes, sum ")), "{piped:?}");
        let folder = harness::Folder::new();
        let file = folder.file("in", contents);
        let flags = [OsStr::new("--stdin"), file.as_os_str()];
        let named = played(&flags, "stdin", |_| {});
        let inherited = played(&[] as &[&str], "stdin", |command| {
            command.stdin(File::open(&file).unwrap());
        });
        assert_eq!(piped.stdout, named.stdout);
        assert_eq!(piped.stdout, inherited.stdout);
    }
    let null = played(&["--stdin", "null"], "stdin", |_| {});
    assert!(null.has("0 bytes, sum 0"), "{null:?}");
}

#[test]
fn standard_output_is_the_same_to_the_byte() {
    let transcript = played(&[] as &[&str], "stdout", |_| {});
    assert_eq!((transcript.status, transcript.scenarios()), (0, 2));
    assert!(transcript.stderr.len() > 190_000 && transcript.stdout.len() > 320_000);
    let folder = harness::Folder::new();
    let out = folder.path("out");
    let flags = [OsStr::new("--stdout"), out.as_os_str()];
    let to_file = played(&flags, "stdout", |_| {});
    assert_eq!((to_file.status, to_file.stdout.len()), (0, 0));
    assert_eq!(std::fs::read(&out).unwrap(), transcript.stdout);
}

#[test]
fn what_cannot_be_written_fails_in_the_same_words() {
    let full = played(&["--stdout", "/dev/full"], "fails-on-stderr", |_| {});
    assert!(full.has("write: io"), "{full:?}");
    let gone = played(&[] as &[&str], "fails-on-stderr", |command| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdout(writer);
    });
    assert!(gone.has("write: pipe"), "{gone:?}");
    let null = played(&["--stdout", "null"], "fails-on-stderr", |_| {});
    assert!(null.has("write: ok"), "{null:?}");
}

#[test]
fn clocks_are_the_same() {
    plays(&[], "clocks", 4);
    plays(&["--timeout", "1m"], "clocks", 4);
    plays(&["--clock-resolution", "1ms"], "clocks-coarse", 5);
    plays(&["--timeout", "1m", "--clock-resolution", "10ms"], "clocks-coarse", 5);
}

#[test]
fn clocks_that_stand_still_move_by_the_same() {
    for flags in [
        &["--clock", "frozen"][..],
        &["--clock", "frozen=2026-01-01T00:00:00.123456789Z"],
        &["--clock", "frozen", "--timeout", "1m"],
        &["--deterministic"],
    ] {
        plays(flags, "clocks-frozen", 6);
    }
    plays(&["--clock", "frozen", "--clock-resolution", "1ms"], "clocks-frozen-coarse", 5);
    plays(&["--deterministic", "--clock-resolution", "1ms"], "clocks-frozen-coarse", 5);
}

#[test]
fn deterministic_runs_are_the_same_whatever_the_preview_and_how_often() {
    for flags in [&["--deterministic"][..], &["--deterministic", "--random-seed", "7"]] {
        let (once, again) = (played(flags, "deterministic", |_| {}), played(flags, "deterministic", |_| {}));
        assert_eq!((once.status, once.scenarios()), (0, 6));
        must_be_same(&once, &again);
    }
}

#[test]
fn there_are_as_many_descriptors_as_there_may_be() {
    plays(&["--max-descriptors", "20"], "limits", 1);
}
