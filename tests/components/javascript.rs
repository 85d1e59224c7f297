//! A component with a JavaScript engine in it, which calls Preview 2 by imports of its own.

use std::fs::File;

use crate::harness::tree::{names, picture};
use crate::harness::{Folder, run};
use crate::scripted::{running, running_in, scripted};

const LANGUAGE: &str = "js";

#[test]
fn javascript_reads_and_writes_files() {
    let Some(component) = scripted(LANGUAGE) else { return };
    let folder = Folder::new();
    let ran = run(&mut running_in(&folder, "--dir", &component, &["files", "/d"]));
    let expected = "\
read: one,two,three,
then: one,TWO,appended,
size: 17 regular-file
the same: true
found: regular-file binary,regular-file renamed
absent: no-entry
created again: exist
outside: not-permitted
removed: not-empty
removed: done
";
    assert_eq!(ran.quiet(), expected);
    assert!(names(folder.root()).is_empty());
}

#[test]
fn javascript_changes_nothing_that_is_for_reading() {
    let Some(component) = scripted(LANGUAGE) else { return };
    let folder = Folder::new();
    folder.file("there", "do not touch");
    let before = picture(folder.root());
    let ran = run(&mut running_in(&folder, "--ro-dir", &component, &["files", "/d"]));
    assert_eq!((ran.status(), ran.text()), (1, "refused: read-only\n"), "{ran:?}");
    assert_eq!(picture(folder.root()), before);
}

#[test]
fn javascript_is_given_words_variables_input_and_time() {
    let Some(component) = scripted(LANGUAGE) else { return };
    let folder = Folder::new();
    let input = folder.file("in", "some input\n");
    let flags = ["--env", "GUEST_NAME=value", "--env", "OTHER=hidden"];
    let ran = run(running(&component, &flags, &["given", "one", "two words"]).stdin(File::open(&input).unwrap()));
    let expected = "words: one,two words\nGUEST_NAME=value\ninput: \"some input\\n\"\nrandom bytes: 16\n";
    assert_eq!((ran.text(), ran.stderr.as_str(), ran.status()), (expected, "said on stderr\n", 0));
    assert_eq!(run(&mut running(&component, &[], &["wait", "50"])).quiet(), "waited: true\n");
}
