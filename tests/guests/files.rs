//! Programs that are about files and directories.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use crate::harness::tree::{names, picture};
use crate::harness::{Folder, bytes, granted, guest, run, turnkey};
use crate::native::{self, same};

/// `turnkey run --dir FOLDER::/d GUEST`
fn with_folder(folder: &Folder, flag: &str, name: &str) -> Command {
    let mut command = turnkey();
    command.arg("run").arg(flag).arg(granted(folder.root(), "/d")).arg(guest(name));
    command
}

#[test]
fn tally_counts_what_it_counts_natively() {
    let folder = Folder::new();
    folder.file("a/one", "one line\n");
    folder.file("a/b/two", "two words\nand no newline at the end");
    folder.file("empty", "");
    folder.file("binary", (0..=255).cycle().take(100_000).collect::<Vec<u8>>());
    folder.file("ü and blanks", "  \t \n\n");
    std::os::unix::fs::symlink("a", folder.path("link")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path("a/outside")).unwrap();
    for paths in
        [&["."][..], &["a", "empty"], &["binary"], &["a/one", "absent", "empty"], &["link/one"], &["empty/", "a"]]
    {
        let mut wasm = turnkey();
        wasm.args(["run", "--ro-dir", "."]).arg(guest("tally")).args(paths).current_dir(folder.root());
        same(&mut wasm, native::rust("tally").args(paths).current_dir(folder.root()));
    }
}

#[test]
fn tally_counts_its_input() {
    let folder = Folder::new();
    let input = folder.file("in", "some words\n".repeat(50_000));
    let open = || Stdio::from(fs::File::open(&input).unwrap());
    let ran = same(turnkey().arg("run").arg(guest("tally")).stdin(open()), native::rust("tally").stdin(open()));
    assert!(ran.text().contains("50000    100000"), "{}", ran.text());
}

#[test]
fn files_in_rust_does_what_it_does_natively_and_leaves_nothing() {
    let (here, there) = (Folder::new(), Folder::new());
    let ran = same(with_folder(&here, "--dir", "files").arg("/d"), native::rust("files").arg(there.root()));
    assert!(ran.text().lines().count() > 40 && ran.status() == 0);
    assert!(names(here.root()).is_empty());
}

#[test]
fn files_in_c_does_what_it_does_natively_and_leaves_nothing() {
    let (here, there) = (Folder::new(), Folder::new());
    let Some(mut native) = native::c("files_c") else { return };
    let ran = same(with_folder(&here, "--dir", "files_c").arg("/d"), native.arg(there.root()));
    assert!(ran.text().lines().count() > 40 && ran.status() == 0);
    assert!(names(here.root()).is_empty());
}

/// What the program prints on every system, as its source says: for where there is no Go to run it natively.
const FILES_GO: &str = "\
arguments: one, two
ReadFile: hello, world
Seek: 7
Read: 5 world
ReadAt: 5 hello
WriteAt: 5
ReadAt over the end: EOF
Stat: file 5 true
Read after Close: file already closed
appended: HELLO again
Chtimes: true
Open of the old name: file does not exist
O_EXCL of what is there: file already exists
Readlink: file-renamed
through links: HELLO again, HELLO again
Mkdir again: file already exists
WalkDir: . d--------- 0
WalkDir: file-linked ---------- 11
WalkDir: file-pointer L--------- 0
WalkDir: file-renamed ---------- 11
WalkDir: tree d--------- 0
WalkDir: tree/a ---------- 6
WalkDir: tree/branch d--------- 0
WalkDir: tree/branch/b ---------- 13
WalkDir: tree/branch/twig d--------- 0
WalkDir: tree/branch/twig/c ---------- 18
Glob: 3
ReadFile in an fs.FS: tree/branch/b
left: 0
stdin: 3 lines, the longest \"the longest of all\"
slept long enough: true
woken: 0 30 60
sum through a channel: 499500
select: nothing came
";

#[test]
fn files_in_go_does_what_it_does_natively_and_leaves_nothing() {
    let (here, there) = (Folder::new(), Folder::new());
    let outside = Folder::new();
    let input = outside.file("in", "short\nthe longest of all\nlast");
    let open = || Stdio::from(fs::File::open(&input).unwrap());
    let mut wasm = turnkey();
    wasm.args(["run", "--env", "EXIT=5", "--dir"]).arg(granted(here.root(), "/d")).arg(guest("files_go"));
    let ran = run(wasm.args(["/d", "one", "two"]).stdin(open()));
    assert_eq!((ran.text(), ran.stderr.as_str(), ran.status()), (FILES_GO, "", 5));
    assert!(names(here.root()).is_empty());
    if let Some(mut native) = native::go("files_go") {
        let native = run(native.arg(there.root()).args(["one", "two"]).env("EXIT", "5").stdin(open()));
        assert_eq!((native.text(), native.status()), (FILES_GO, 5));
    }
}

#[test]
fn files_on_what_is_for_reading_leave_it_as_it_was() {
    let folder = Folder::new();
    folder.file("greeting", "do not touch");
    folder.folder("folder");
    let before = picture(folder.root());
    for name in ["files", "files_c"] {
        let ran = run(with_folder(&folder, "--ro-dir", name).arg("/d"));
        assert_ne!(ran.status(), 0, "{ran:?}");
        ran.harmless();
    }
    assert_eq!(picture(folder.root()), before);
}

#[test]
fn lister_sees_every_type_and_names_that_are_no_text() {
    let folder = Folder::new();
    folder.file("file", "");
    folder.folder("folder");
    std::os::unix::fs::symlink("nowhere", folder.path("link")).unwrap();
    folder.file(bytes(b"caf\xe9 \xff"), "");
    folder.file("n".repeat(255), "");
    let _socket = UnixListener::bind(folder.path("socket")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap().success());
    let long = format!("regular_file \"{}\"... (255 bytes)\n", "n".repeat(16));
    let expected = [
        "directory \".\"\n",
        "directory \"..\"\n",
        "regular_file \"caf\\xe9 \\xff\"\n",
        "regular_file \"file\"\n",
        "directory \"folder\"\n",
        "symbolic_link \"link\"\n",
        &long,
        // Neither has a type of its own in the standard.
        "unknown \"pipe\"\n",
        "socket_stream \"socket\"\n",
    ];
    for flag in ["--dir", "--ro-dir"] {
        let ran = run(with_folder(&folder, flag, "lister").arg("/d"));
        assert_eq!(ran.quiet(), expected.concat());
    }
}

#[test]
fn lister_sees_each_name_once_while_others_come_and_go() {
    let folder = Folder::new();
    for flags in [&[][..], &["--deterministic"]] {
        let mut command = turnkey();
        command.arg("run").args(flags).arg("--dir").arg(granted(folder.root(), "/d"));
        let ran = run(command.arg(guest("lister")).args(["/d", "while-changing"]));
        let sizes: String =
            [64, 65, 100, 256, 1000, 4096].map(|size| format!("ok: a buffer of {size} bytes\n")).concat();
        assert_eq!(ran.quiet(), sizes);
        assert!(names(folder.root()).is_empty());
    }
}

#[test]
fn hostcalls_does_the_same_work_as_natively() {
    let (here, there) = (Folder::new(), Folder::new());
    let few = [
        "clock_time_get=10",
        "fd_read_16=10",
        "fd_write_16=10",
        "fd_seek=10",
        "open_close=10",
        "path_filestat_get=10",
        "readdir_1000=1",
        "stdout_line=100",
    ];
    let wasm = run(with_folder(&here, "--dir", "hostcalls").arg("/d").args(few));
    let native = run(native::rust("hostcalls").arg(there.root()).args(few));
    assert_eq!((wasm.status(), native.status()), (0, 0), "{wasm:?} {native:?}");
    assert_eq!(wasm.stdout, native.stdout);
    assert_eq!(wasm.stderr.lines().count(), few.len());
    assert_eq!(names(here.root()), names(there.root()));
}
