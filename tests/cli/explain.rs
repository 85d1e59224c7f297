//! `--explain`: what was refused, with the flag that would have allowed it; and that flag, typed, allows it.

use std::path::Path;
use std::process::Command;

use crate::harness::{Folder, Ran, granted, guest, run, turnkey};

const HEADER: [&str; 4] = ["refused", "times", "asked for", "would have been allowed by"];

/// The rows of the table; the columns begin where those of the header do.
#[track_caller]
fn table(ran: &Ran) -> Vec<[String; 4]> {
    let mut lines = ran.stderr.lines().skip_while(|line| !line.trim_start().starts_with(HEADER[0]));
    let header = lines.next().unwrap_or_else(|| panic!("no table: {ran:?}"));
    let columns = HEADER.map(|name| header.find(name).unwrap_or_else(|| panic!("no column {name}: {header}")));
    let cell = |line: &str, index: usize| {
        let until = columns.get(index + 1).copied().unwrap_or(line.len()).min(line.len());
        line[columns[index].min(until)..until].trim().to_owned()
    };
    lines.map(|line| std::array::from_fn(|index| cell(line, index))).collect()
}

fn tally(grants: &[&str], paths: &[&str], in_folder: &Path) -> Ran {
    run(turnkey().arg("run").args(grants).arg(guest("tally")).args(paths).current_dir(in_folder))
}

#[test]
fn what_lies_outside_every_grant_is_shown_with_a_flag_that_opens_it() {
    let folder = Folder::new();
    folder.file("in/a", "1\n");
    let outside = folder.file("out/b", "2\n");
    let asked = outside.to_str().unwrap();
    let ran = tally(&["--explain", "--dir", "in"], &["in/a", asked], folder.root());
    assert_eq!(ran.status(), 1);
    let rows = table(&ran);
    let [[call, times, path, flag]] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((call.as_str(), times.as_str(), path.as_str()), ("path_filestat_get", "1", asked));
    let mut typed = vec!["--dir", "in"];
    typed.extend(flag.split(' '));
    let ran = tally(&typed, &["in/a", asked], folder.root());
    assert!(ran.quiet().contains("total of 2 files"));
}

#[test]
fn a_file_to_be_made_outside_every_grant_is_shown_with_a_flag_that_lets_it() {
    let folder = Folder::new();
    let outside = folder.folder("out");
    let files = |typed: &[&str]| run(turnkey().arg("run").args(typed).arg(guest("files")).arg(&outside));
    let rows = table(&files(&["--explain"]));
    assert_eq!((rows[0][0].as_str(), rows[0][2].as_str()), ("path_open", outside.join("greeting").to_str().unwrap()));
    let typed: Vec<&str> = rows[0][3].split(' ').collect();
    let ran = files(&typed);
    assert_eq!(ran.status(), 0, "{typed:?}: {ran:?}");
}

#[test]
fn a_relative_path_is_shown_with_a_flag_that_opens_it() {
    let folder = Folder::new();
    folder.file("a", "1\n");
    let rows = table(&tally(&["--explain"], &["a"], folder.root()));
    let typed: Vec<&str> = rows[0][3].split(' ').collect();
    assert!(tally(&typed, &["a"], folder.root()).quiet().contains("total of 1 file"), "{typed:?}");
}

#[test]
fn a_write_to_what_is_for_reading_is_shown_with_the_flag_that_allows_it() {
    let folder = Folder::new();
    folder.folder("data");
    let files = |flag: &str, written: &str| {
        let mut command = turnkey();
        command.args(["run", "--explain", flag, written]).arg(guest("files")).arg("/data").current_dir(folder.root());
        run(&mut command)
    };
    let ran = files("--ro-dir", "data::/data");
    assert_ne!(ran.status(), 0);
    let rows = table(&ran);
    assert_eq!(rows[0], ["path_open", "1", "greeting", "--dir data::/data"], "{rows:?}");
    let (flag, written) = rows[0][3].split_once(' ').unwrap();
    let ran = files(flag, written);
    assert_eq!(ran.status(), 0, "{ran:?}");
}

#[test]
fn a_path_that_climbs_out_is_shown_and_no_flag_is_promised() {
    let folder = Folder::new();
    folder.file("in/a", "1\n");
    folder.file("secret", "SECRET\n");
    std::os::unix::fs::symlink("../secret", folder.path("in/link")).unwrap();
    let ran = tally(&["--explain", "--dir", "in"], &["in/../secret", "in/link"], folder.root());
    let rows = table(&ran);
    assert_eq!(rows.len(), 2, "{rows:?}");
    for (row, path) in rows.iter().zip(["../secret", "link"]) {
        assert_eq!((row[2].as_str(), row[3].as_str()), (path, "none: leads outside of `in`"));
    }
    assert!(!ran.text().contains("SECRET"));
}

#[test]
fn the_same_refusal_is_one_row_with_its_count() {
    let folder = Folder::new();
    folder.folder("in");
    let paths: Vec<&str> = std::iter::repeat_n("in/../secret", 50).collect();
    let rows = table(&tally(&["--explain", "--dir", "in"], &paths, folder.root()));
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][1], "50");
}

#[test]
fn a_guest_that_is_refused_without_end_does_not_fill_the_screen_or_the_host() {
    let folder = Folder::new();
    // Looks up `../aaaa`, `../baaa`, …: two million names that all lead out.
    let app = folder.command(
        r#"(data (i32.const 100) "../aaaa")"#,
        "(local $i i32)
         (loop $again
            (i32.store (i32.const 103) (i32.add (i32.const 0x61616161)
                (i32.or (i32.and (local.get $i) (i32.const 0xf)) (i32.shl (i32.and (local.get $i) (i32.const 0xff0)) (i32.const 4)))))
            (drop (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 7) (i32.const 1024)))
            (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20000))))",
    );
    let ran = run(turnkey().args(["run", "--explain", "--dir"]).arg(granted(folder.root(), "/d")).arg(&app));
    assert_eq!(ran.status(), 0);
    assert!(ran.stderr.lines().count() < 300, "{} lines", ran.stderr.lines().count());
    assert!(ran.stderr.contains("more refusals"));
    ran.harmless();
}

#[test]
fn nothing_refused_is_said_too_and_only_when_asked() {
    let folder = Folder::new();
    let app = folder.command("", "");
    assert_eq!(run(turnkey().args(["run", "--explain"]).arg(&app)).stderr, "refused: nothing\n");
    folder.folder("in");
    let ran = tally(&["--dir", "in"], &["in/../secret"], folder.root());
    assert!(!ran.stderr.contains("refused"), "no terminal, not asked for: {ran:?}");
}

#[test]
fn explaining_changes_neither_status_nor_output() {
    let folder = Folder::new();
    folder.file("in/a", "1 2\n");
    for (paths, status) in [(&["in/a"][..], 0), (&["in/a", "/etc/passwd"], 1)] {
        let (plain, explained) =
            (tally(&["--dir", "in"], paths, folder.root()), tally(&["--explain", "--dir", "in"], paths, folder.root()));
        assert_eq!((plain.status(), explained.status()), (status, status));
        assert_eq!(plain.text(), explained.text());
    }
}

#[test]
fn refusals_are_shown_also_of_a_guest_that_trapped() {
    let folder = Folder::new();
    let app = folder.command(
        r#"(data (i32.const 100) "../secret")"#,
        "(drop (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 9) (i32.const 1024))) unreachable",
    );
    let mut command: Command = turnkey();
    let ran = run(command.args(["run", "--explain", "--dir"]).arg(granted(folder.root(), "/d")).arg(&app));
    ran.ended_with(134);
    assert!(ran.stderr.contains("../secret"), "{ran:?}");
}
