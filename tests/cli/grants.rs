//! What is handed over, and what it takes for that: directories, variables, listeners, clocks, random numbers.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::harness::{Folder, Ran, granted, guest, run, turnkey, turnkey_with};

fn run_guest(name: &str, grants: &[&str], words: &[&str]) -> Ran {
    run(turnkey().arg("run").args(grants).arg(guest(name)).args(words))
}

#[test]
fn a_directory_that_cannot_be_handed_over_is_named() {
    let folder = Folder::new();
    let app = folder.command("", "");
    let file = folder.file("file", "");
    std::os::unix::fs::symlink("nowhere", folder.path("dangling")).unwrap();
    for flag in ["--dir", "--ro-dir"] {
        for (path, why) in [
            (folder.path("nothing"), "there is none"),
            (folder.path("dangling"), "there is none"),
            (file.clone(), "it is not a directory"),
            (file.join("below"), "it is not a directory"),
        ] {
            let ran = run(turnkey().arg("run").arg(flag).arg(granted(&path, "/data")).arg(&app));
            let message = ran.refused(125);
            assert!(message.contains(&format!("`{}`", path.display())) && message.contains(why), "{message}");
            assert!(message.contains("hint: "), "{message}");
        }
    }
}

#[test]
fn a_guest_finds_directories_by_the_names_they_were_given() {
    let folder = Folder::new();
    folder.file("one/a", "1\n");
    folder.file("two/b", "2\n2\n");
    let ran = run(turnkey()
        .arg("run")
        .arg("--dir")
        .arg(granted(&folder.path("one"), "/first"))
        .arg("--ro-dir")
        .arg(granted(&folder.path("two"), "second"))
        .arg(guest("tally"))
        .args(["/first/a", "second/b"]));
    let text = ran.quiet();
    assert!(text.contains("  /first/a\n") && text.contains("  second/b\n"), "{text}");
}

#[test]
fn a_directory_without_another_name_has_the_one_it_was_written_by() {
    let folder = Folder::new();
    folder.file("data/a", "1\n");
    for name in ["data", "./data", "data/", "."] {
        // Libraries of guests take `./` off the name that was handed over.
        let ran =
            run(turnkey().args(["run", "--dir", name]).arg(guest("tally")).arg("data/a").current_dir(folder.root()));
        assert!(ran.quiet().contains("total of 1 file"), "{name}");
    }
}

#[test]
fn nothing_is_open_without_a_grant() {
    let folder = Folder::new();
    folder.file("a", "secret");
    let ran = run(turnkey()
        .arg("run")
        .arg(guest("tally"))
        .arg(folder.path("a"))
        .arg("/etc/passwd")
        .current_dir(folder.root()));
    assert_eq!(ran.status(), 1);
    assert!(ran.text().contains("total of 0 files"));
    let ran = run_guest("environment", &[], &[]);
    assert_eq!(ran.text(), "argument 0: environment.wasm\n", "no variable of the host");
}

fn variables(grants: &[&str]) -> Vec<String> {
    let mut command = turnkey();
    command.env("FROM_HOST", "inherited").env("EMPTY", "").env("EQUALS", "a=b").arg("run").args(grants);
    let ran = run(command.arg(guest("environment")));
    assert_eq!(ran.status(), 0, "{ran:?}");
    ran.text().lines().filter_map(|line| Some(line.strip_prefix("variable ")?.to_owned())).collect()
}

#[test]
fn variables_are_given_with_a_value_or_taken_from_the_host() {
    assert_eq!(variables(&["--env", "MODE=prod"]), ["MODE=prod"]);
    assert_eq!(variables(&["--env=A=1", "--env", "B=2=3", "--env", "C="]), ["A=1", "B=2=3", "C="]);
    assert_eq!(
        variables(&["--env", "FROM_HOST", "--env", "EMPTY", "--env", "EQUALS"]),
        ["EMPTY=", "EQUALS=a=b", "FROM_HOST=inherited"]
    );
    assert_eq!(variables(&["--env", "A=first", "--env", "A=last"]), ["A=last"]);
    assert_eq!(variables(&["--env", "A=ü\n"]), ["A=\\xc3\\xbc\\n"]);
}

#[test]
fn every_variable_of_the_host_is_inherited_only_when_asked_for() {
    let all = variables(&["--inherit-env", "--env", "FROM_HOST=mine", "--env", "ADDED=1"]);
    for expected in ["FROM_HOST=mine", "EQUALS=a=b", "ADDED=1"] {
        assert_eq!(all.iter().filter(|variable| *variable == expected).count(), 1, "{expected}");
    }
    assert!(!all.contains(&"FROM_HOST=inherited".to_owned()));
    assert!(all.iter().any(|variable| variable.starts_with("PATH=")));
}

#[test]
fn a_variable_that_the_host_has_not_is_named_with_how_to_give_it_a_value() {
    let ran = turnkey_with(["run", "--env", "NO_SUCH_VARIABLE", "app.wasm"]);
    let message = ran.refused(125);
    assert!(
        message.contains("`--env NO_SUCH_VARIABLE`") && message.contains("`--env NO_SUCH_VARIABLE=VALUE`"),
        "{message}"
    );
}

#[test]
fn an_address_that_is_taken_or_not_ours_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ran = turnkey_with(["run", &format!("--tcp-listener={address}"), "app.wasm"]);
    let message = ran.refused(125);
    assert!(message.contains(&format!("`{address}`")) && message.contains("in use"), "{message}");
    // A documentation address: no host has it.
    assert!(
        turnkey_with(["run", "--tcp-listener=192.0.2.1:0", "app.wasm"]).refused(125).contains("not one of this host")
    );
}

#[test]
fn more_grants_than_descriptors_are_named_by_their_limit() {
    let folder = Folder::new();
    let app = folder.command("", "");
    let mut command = turnkey();
    command.args(["run", "--max-descriptors", "4"]);
    for name in ["a", "b"] {
        command.arg("--dir").arg(granted(folder.root(), name));
    }
    assert!(run(command.arg(&app)).refused(125).contains("`--max-descriptors`"));
}

/// What `clocks show` says, by the words before each number.
fn clocks(grants: &[&str]) -> Vec<(String, u64)> {
    let ran = run_guest("clocks", grants, &["show"]);
    let pair = |line: &str| {
        let (name, number) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), number.parse().unwrap())
    };
    ran.quiet().lines().map(pair).collect()
}

#[test]
fn a_frozen_clock_stands_where_it_was_told_to() {
    let readings = clocks(&["--clock", "frozen=2026-01-02T03:04:05Z"]);
    assert_eq!(readings[0], ("realtime".to_owned(), 1_767_323_045_000_000_000));
    assert!(readings.iter().filter(|(name, _)| name == "monotonic").all(|(_, reading)| *reading == 0), "{readings:?}");
    assert_eq!(clocks(&["--clock=frozen"])[0].1, 0);
}

#[test]
fn on_a_frozen_clock_an_hour_is_slept_at_once() {
    let folder = Folder::new();
    let app = folder.command(
        "",
        "(call $must (call $poll_oneoff (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 0)))
         (call $must (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 8)))
         (call $proc_exit (i64.ne (i64.load (i32.const 8)) (i64.const 3600000000000)))",
    );
    let text = fs::read_to_string(&app).unwrap();
    // A subscription to the monotonic clock, for an hour from now.
    let hour = r#"(data (i32.const 1040) "\01") (data (i32.const 1048) "\00\a0\b8\30\46\03")"#;
    fs::write(&app, text.trim_end().strip_suffix(')').unwrap().to_owned() + hour + ")").unwrap();
    let ran = run(turnkey().args(["run", "--clock", "frozen"]).arg(&app));
    assert_eq!(ran.quiet(), "");
}

#[test]
fn a_coarse_clock_shows_nothing_finer_in_any_reading_or_timestamp() {
    let coarse = clocks(&["--clock-resolution", "10ms"]);
    assert!(coarse.iter().all(|(_, reading)| reading % 10_000_000 == 0), "{coarse:?}");
    assert_eq!(coarse[1], ("realtime resolution".to_owned(), 10_000_000));
    let fine = clocks(&[]);
    assert!(fine[1].1 < 10_000_000 && fine.iter().any(|(_, reading)| reading % 10_000_000 != 0), "{fine:?}");
}

#[test]
fn a_seed_makes_random_numbers_the_same_again_and_nothing_else_does() {
    let random = |grants: &[&str]| run_guest("random", grants, &[]).quiet().to_owned();
    assert_eq!(random(&["--random-seed", "7"]), random(&["--random-seed=7"]));
    assert_ne!(random(&["--random-seed", "7"]), random(&["--random-seed", "8"]));
    assert_ne!(random(&[]), random(&[]));
}

#[test]
fn a_program_runs_from_wherever_it_lies_and_whatever_it_is_called() {
    let folder = Folder::new();
    for name in ["plain", "with space", "ü.wasm", "-"] {
        folder.file(name, "(module (func (export \"_start\")))");
        let path = Path::new(".").join(name);
        assert_eq!(run(turnkey().arg("run").arg(path).current_dir(folder.root())).quiet(), "", "{name}");
    }
}
