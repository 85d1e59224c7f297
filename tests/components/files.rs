//! `wasi:filesystem` by its own functions.

use crate::harness::tree::{names, picture};
use crate::harness::{Folder, run};
use crate::running_in;

#[test]
fn descriptors_do_what_the_standard_says_and_leave_nothing() {
    let folder = Folder::new();
    let ran = run(&mut running_in(&folder, "--dir", "p2_files", &["/d"]));
    assert_eq!(ran.quiet(), include_str!("transcripts/p2_files.txt"));
    assert!(names(folder.root()).is_empty());
}

#[test]
fn what_is_for_reading_is_not_changed_by_any_function() {
    let folder = Folder::new();
    folder.file("file", "do not touch");
    folder.folder("folder");
    let before = picture(folder.root());
    let ran = run(&mut running_in(&folder, "--ro-dir", "p2_files", &["readonly", "/d"]));
    assert_eq!(ran.quiet(), include_str!("transcripts/p2_files_readonly.txt"));
    assert_eq!(picture(folder.root()), before);
}

#[test]
fn without_a_directory_there_is_none() {
    let folder = Folder::new();
    let ran = run(&mut running_in(&folder, "--dir", "p2_files", &["/other"]));
    assert_eq!((ran.status(), ran.stderr.as_str()), (1, "/other: no such directory was handed over\n"));
}
