//! A component with CPython in it: its standard library on Preview 2, by names of both 0.2.0 and a later version.

use std::fs::File;

use crate::harness::tree::{names, picture};
use crate::harness::{Folder, run};
use crate::peer::{NOBODY, echo, echoed, listening};
use crate::scripted::{running, running_in, scripted};

const LANGUAGE: &str = "python";

#[test]
fn python_reads_and_writes_files() {
    let Some(component) = scripted(LANGUAGE) else { return };
    let folder = Folder::new();
    let ran = run(&mut running_in(&folder, "--dir", &component, &["files", "/d"]));
    let expected = "\
lines: ['one', 'two', 'three']
length: 14
then: ['one', 'TWO', 'appended']
found: folder -
found: folder/binary 256000
found: folder/inner -
found: folder/renamed 17
absent: FileNotFoundError
folder: IsADirectoryError
../outside: PermissionError
left: []
";
    assert_eq!(ran.quiet(), expected);
    assert!(names(folder.root()).is_empty());
}

#[test]
fn python_changes_nothing_that_is_for_reading() {
    let Some(component) = scripted(LANGUAGE) else { return };
    let folder = Folder::new();
    folder.file("text", "do not touch");
    let before = picture(folder.root());
    let ran = run(&mut running_in(&folder, "--ro-dir", &component, &["files", "/d"]));
    assert_eq!(ran.status(), 1, "{ran:?}");
    assert!(ran.text().starts_with("refused: "), "{ran:?}");
    assert_eq!(picture(folder.root()), before);
}

#[test]
fn python_connects_where_it_may_and_nowhere_else() {
    let Some(component) = scripted(LANGUAGE) else { return };
    let there = echo();
    let target = there.to_string();
    let granted = format!("--allow=tcp-connect={target}");
    let connect = |flags: &[&str], target: &str| run(&mut running(&component, flags, &["connect", target, "hello"]));
    assert_eq!(connect(&[&granted], &target).quiet(), "came back: hello\n");
    let refused = "refused: PermissionError EACCES\n";
    for (flags, target) in [
        (&[][..], target.as_str()),
        (&[granted.as_str()], &format!("127.0.0.1:{}", there.port() ^ 1)),
        (&["--allow=tcp-connect=10.0.0.0/8:*"], &target),
    ] {
        let ran = connect(flags, target);
        assert_eq!((ran.status(), ran.text()), (1, refused), "{flags:?}: {ran:?}");
    }
    let ran = connect(&["--allow=tcp-connect=127.0.0.1:1"], NOBODY);
    assert_eq!((ran.status(), ran.text()), (1, "refused: ConnectionRefusedError ECONNREFUSED\n"));
    let ran = connect(&["--explain"], &target);
    assert!(ran.stderr.contains(&format!("--allow tcp-connect={target}")), "{}", ran.stderr);
}

#[test]
fn python_looks_up_names_that_are_granted() {
    let Some(component) = scripted(LANGUAGE) else { return };
    let there = echo();
    let hosts = ["--add-host=server.example:127.0.0.1", "--add-host=other.example:127.0.0.1"];
    let grant = format!("--allow=tcp-connect=server.example:{}", there.port());
    let flags = [hosts[0], hosts[1], &grant];
    let ran = run(&mut running(&component, &flags, &["resolve", "server.example"]));
    assert_eq!(ran.quiet(), "addresses: 127.0.0.1\n");
    let target = format!("server.example:{}", there.port());
    assert_eq!(run(&mut running(&component, &flags, &["connect", &target, "by name"])).quiet(), "came back: by name\n");
    for (task, name) in
        [("resolve", "other.example".to_owned()), ("connect", format!("other.example:{}", there.port()))]
    {
        let ran = run(&mut running(&component, &flags, &[task, &name, "x"][..if task == "resolve" { 2 } else { 3 }]));
        assert_eq!(ran.status(), 1, "{ran:?}");
        assert!(ran.text().starts_with("refused: "), "{ran:?}");
    }
}

#[test]
fn python_serves_where_it_may_listen() {
    let Some(component) = scripted(LANGUAGE) else { return };
    let flags = ["--allow=tcp-listen=127.0.0.1:0"];
    let server = listening(&mut running(&component, &flags, &["serve", "127.0.0.1:0"]));
    assert_eq!(echoed(server.address, b"to python and back"), b"to python and back");
    assert_eq!(server.end(), "served\n");
    let ran = run(&mut running(&component, &[], &["serve", "127.0.0.1:0"]));
    assert_eq!((ran.status(), ran.text()), (1, "refused: PermissionError EACCES\n"), "{ran:?}");
}

#[test]
fn python_is_given_words_variables_and_input() {
    let Some(component) = scripted(LANGUAGE) else { return };
    let folder = Folder::new();
    let input = folder.file("in", "some input\n");
    let flags = ["--env", "GUEST_NAME=value", "--env", "OTHER=hidden"];
    let ran = run(running(&component, &flags, &["given", "one", "two words"]).stdin(File::open(&input).unwrap()));
    let expected = "words: ('one', 'two words')\nGUEST_NAME=value\ninput: 'some input\\n'\n";
    assert_eq!((ran.text(), ran.stderr.as_str(), ran.status()), (expected, "said on stderr\n", 0));
}
