//! Programs of Preview 1, made components with the adapter that compilers use: what they do goes through Preview 2.

use std::fs::{File, read};
use std::process::Stdio;

use xtask::componentize::{Kind, componentize};

use crate::harness::tree::{names, picture};
use crate::harness::{Folder, granted, guest, run, turnkey};
use crate::native::{self, same};
use crate::{running, running_in};

#[test]
fn tally_counts_what_it_counts_natively() {
    let folder = Folder::new();
    folder.file("a/one", "one line\n");
    folder.file("a/b/two", "two words\nand no newline at the end");
    folder.file("binary", (0..=255).cycle().take(100_000).collect::<Vec<u8>>());
    folder.file("ü and blanks", "  \t \n\n");
    std::os::unix::fs::symlink("a", folder.path("link")).unwrap();
    for paths in [&["."][..], &["binary"], &["a/one", "absent"], &["link/one"]] {
        let mut wasm = running(&["--ro-dir", "."], "tally", paths);
        same(wasm.current_dir(folder.root()), native::rust("tally").args(paths).current_dir(folder.root()));
    }
    let input = folder.file("in", "some words\n".repeat(50_000));
    let open = || Stdio::from(File::open(&input).unwrap());
    same(running::<&str>(&[], "tally", &[]).stdin(open()), native::rust("tally").stdin(open()));
}

#[test]
fn files_in_rust_does_what_it_does_natively_and_leaves_nothing() {
    let (here, there) = (Folder::new(), Folder::new());
    let ran = run(&mut running_in(&here, "--dir", "files", &["/d"]));
    let native = run(native::rust("files").arg(there.root()));
    // Of several buffers the adapter takes the first.
    let lines = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.contains("_vectored: ")).map(str::to_owned).collect()
    };
    assert!(lines(ran.quiet()).len() > 40);
    assert_eq!(lines(ran.text()), lines(native.text()));
    assert!(names(here.root()).is_empty());
}

#[test]
fn files_on_what_is_for_reading_leave_it_as_it_was() {
    let folder = Folder::new();
    folder.file("greeting", "do not touch");
    folder.folder("folder");
    let before = picture(folder.root());
    let ran = run(&mut running_in(&folder, "--ro-dir", "files", &["/d"]));
    assert_ne!(ran.status(), 0, "{ran:?}");
    ran.harmless();
    assert_eq!(picture(folder.root()), before);
}

#[test]
fn lister_sees_every_type() {
    let folder = Folder::new();
    folder.file("file", "");
    folder.folder("folder");
    std::os::unix::fs::symlink("nowhere", folder.path("link")).unwrap();
    let ran = run(&mut running_in(&folder, "--ro-dir", "lister", &["/d"]));
    let expected = [
        "directory \".\"\n",
        "directory \"..\"\n",
        "regular_file \"file\"\n",
        "directory \"folder\"\n",
        "symbolic_link \"link\"\n",
    ];
    assert_eq!(ran.quiet(), expected.concat());
}

#[test]
fn environment_is_given_what_a_module_is_given() {
    let folder = Folder::new();
    let input = folder.file("in", "from standard input");
    let flags = ["--env", "ONE=1", "--env", "TWO=zwei \u{e4}"];
    let ran = run(running(&flags, "environment", &["a", "b c", ""]).stdin(File::open(&input).unwrap()));
    let expected = "argument 1: a\nargument 2: b c\nargument 3: \nvariable ONE=1\nvariable TWO=zwei \\xc3\\xa4\nfrom standard input";
    assert_eq!(ran.text().split_once('\n').unwrap().1, expected);
    assert_eq!((ran.stderr.as_str(), ran.status()), ("19 bytes copied\n", 0));
    // The adapter knows no other status.
    assert_eq!(run(&mut running(&["--env", "EXIT=33"], "environment", &[])).status(), 1);
}

#[test]
fn clocks_poller_and_random_do_what_they_do_as_modules() {
    let ran = run(&mut running::<&str>(&[], "clocks", &[]));
    assert_eq!(ran.quiet().lines().count(), 5, "{ran:?}");
    let seeded = |name: &str| run(&mut running(&["--random-seed", "7"], name, &[])).text().to_owned();
    assert_eq!(seeded("random"), seeded("random"));
    let unseeded = || run(&mut running::<&str>(&[], "random", &[])).quiet().to_owned();
    assert_ne!(unseeded(), unseeded());
    let folder = Folder::new();
    let input = folder.file("in", "four");
    let ran = run(running::<&str>(&[], "poller", &["stdin"]).stdin(File::open(&input).unwrap()));
    assert!(ran.quiet().contains("read 4 bytes\n"), "{ran:?}");
}

#[test]
fn racer_never_gets_out() {
    let folder = Folder::new();
    folder.file("secret", "SECRET");
    folder.file("inside/a/file", "inside");
    std::os::unix::fs::symlink("../../secret", folder.path("inside/a/link")).unwrap();
    let granted = granted(&folder.path("inside"), "/d");
    let flags = ["--dir".as_ref(), granted.as_os_str()];
    let ran = run(&mut running(&flags, "racer", &["/d", "a/link", "100"]));
    assert_ne!(ran.status(), 66, "{ran:?}");
    assert!(!ran.text().contains("SECRET"), "{ran:?}");
}

/// Its component is made here: the module alone has three megabytes.
#[test]
fn files_in_go_does_as_a_component_what_it_does_as_a_module() {
    let outside = Folder::new();
    let program = outside.path("files_go.wasm");
    std::fs::write(&program, componentize(&read(guest("files_go")).unwrap(), Kind::Command).unwrap()).unwrap();
    let input = outside.file("in", "short\nthe longest of all\nlast");
    let [component, module] = [program, guest("files_go")].map(|program| {
        let folder = Folder::new();
        let mut command = turnkey();
        command.args(["run", "--dir"]).arg(granted(folder.root(), "/d")).arg(program).args(["/d", "one", "two"]);
        let ran = run(command.stdin(File::open(&input).unwrap()));
        assert!(names(folder.root()).is_empty());
        ran.quiet().to_owned()
    });
    assert!(component.lines().count() > 30);
    assert_eq!(component, module);
}
