//! The escape artist of the guest programs, let loose on a directory that has all that it asks for.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::harness::tree::{picture, picture_without};
use crate::harness::{Folder, Ran, granted, guest, run, turnkey};
use crate::system_calls::Openat2;

/// `inside`, to be handed over, as the climber's header asks for; and around it what it must neither read nor change.
pub(crate) fn mountain() -> Folder {
    let folder = Folder::new();
    folder.file("secret", "SECRET beside the directory");
    folder.file("elsewhere/secret", "SECRET in a directory beside it");
    folder.file("elsewhere/deeper/secret", "SECRET further down");
    folder.file("inside/file", "the climber's own");
    folder.folder("inside/a/inside");
    let inside = folder.path("inside");
    let link = |target: &std::path::Path, name: &str| symlink(target, inside.join(name)).unwrap();
    link(&folder.path("secret"), "link");
    link(&folder.path("elsewhere"), "linkdir");
    for (target, name) in [
        ("../secret", "relative"),
        ("chain1", "chain"),
        ("link", "chain1"),
        ("../planted", "dangling"),
        ("loop", "loop"),
    ] {
        link(target.as_ref(), name);
    }
    folder
}

fn climb(folder: &Folder, flag: &str, openat2: Openat2) -> Ran {
    let mut command: Command = turnkey();
    command.arg("run").arg(flag).arg(granted(&folder.path("inside"), "/d")).arg(guest("climber")).arg("/d");
    run(openat2.for_command(&mut command))
}

/// Lets it loose: it got nowhere, and nothing around the directory is other than before. Its transcript.
fn climbs_in_vain(flag: &str, openat2: Openat2) -> String {
    let folder = mountain();
    let before = (picture_without(folder.root(), "inside"), picture(&folder.path("inside")));
    let ran = climb(&folder, flag, openat2);
    let transcript = ran.quiet().to_owned();
    assert!(!transcript.contains("ESCAPED"), "{transcript}");
    assert!(transcript.lines().last().unwrap().starts_with("stayed inside, "), "{transcript}");
    assert!(picture_without(folder.root(), "inside") == before.0, "something outside was changed");
    if flag == "--ro-dir" {
        assert!(picture(&folder.path("inside")) == before.1, "something was changed that was for reading only");
    }
    transcript
}

#[test]
fn the_climber_stays_inside() {
    let transcript = climbs_in_vain("--dir", Openat2::Works);
    assert!(transcript.lines().count() > 1000, "it tried only {} things", transcript.lines().count());
    assert!(transcript.contains("path_open \"file\": success\n"), "it reaches its own");
}

#[test]
fn the_climber_stays_inside_and_changes_nothing_of_what_is_for_reading() {
    let transcript = climbs_in_vain("--ro-dir", Openat2::Works);
    let changed =
        ["path_symlink", "path_link", "path_rename", "path_create", "path_remove", "path_unlink", "path_filestat_set"];
    for line in transcript.lines() {
        assert!(!changed.iter().any(|call| line.starts_with(call)) || !line.ends_with(": success"), "{line}");
    }
}

#[test]
fn the_climber_cannot_tell_whether_the_kernel_resolves_its_paths() {
    for flag in ["--dir", "--ro-dir"] {
        let kernel = climbs_in_vain(flag, Openat2::Works);
        for openat2 in [Openat2::Missing, Openat2::Refused] {
            let walk = climbs_in_vain(flag, openat2);
            let differs = kernel.lines().zip(walk.lines()).find(|(kernel, walk)| kernel != walk);
            assert!(kernel == walk, "{openat2:?}: {differs:?}");
        }
    }
}

#[test]
fn the_filter_that_these_tests_block_a_call_with_works() {
    let folder = mountain();
    let killed = climb(&folder, "--dir", Openat2::Kills);
    assert_eq!(killed.ended.signal(), Some(libc::SIGSYS), "{killed:?}");
}

/// Has a link of the mountain lead elsewhere.
pub(crate) fn link_to(folder: &Folder, name: &str, target: &str) {
    let link = folder.path("inside").join(name);
    fs::remove_file(&link).unwrap();
    symlink(target, link).unwrap();
}

#[test]
fn links_to_directories_by_relative_paths_lead_nowhere_either() {
    let folder = mountain();
    link_to(&folder, "linkdir", "../elsewhere");
    let before = picture_without(folder.root(), "inside");
    let ran = climb(&folder, "--dir", Openat2::Works);
    assert!(!ran.quiet().contains("ESCAPED"));
    assert!(picture_without(folder.root(), "inside") == before);
}
