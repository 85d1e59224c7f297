//! Names are bytes.

use std::fs;

use crate::harness::{Folder, bytes, granted, guest, run, turnkey};
use crate::special_files::{CREAT, FD_READ, FD_WRITE, open_in};

const NAMES: [&[u8]; 6] = [b"caf\xe9", b"\xff\xfe", b" ", b"-rf", b"new\nline", b"..."];

#[test]
fn names_that_are_no_text_are_listed_and_opened() {
    let folder = Folder::new();
    for name in NAMES {
        folder.file(bytes(name), b"one line\n");
    }
    let ran = run(turnkey().args(["run", "--ro-dir"]).arg(granted(folder.root(), "/d")).arg(guest("lister")).arg("/d"));
    for name in NAMES {
        assert!(ran.quiet().contains(&format!("regular_file \"{}\"\n", name.escape_ascii())), "{ran:?}");
        assert_eq!(open_in(folder.root(), "--ro-dir", name, 0, 0, FD_READ), (0, b"one line\n".to_vec()));
    }
    let ran = run(turnkey().args(["run", "--ro-dir"]).arg(granted(folder.root(), "/d")).arg(guest("tally")).arg("/d"));
    assert!(ran.quiet().contains(&format!("total of {} files", NAMES.len())), "{ran:?}");
}

#[test]
fn names_that_are_no_text_are_made() {
    let folder = Folder::new();
    for name in NAMES {
        // Not for reading: what the guest then reads is refused, and it shows nothing.
        assert_eq!(open_in(folder.root(), "--dir", name, 0, CREAT, FD_WRITE).0, 0, "{}", name.escape_ascii());
        assert!(fs::exists(folder.path(bytes(name))).unwrap());
    }
}

#[test]
fn a_directory_whose_name_is_no_text_is_handed_over() {
    let folder = Folder::new();
    folder.file(bytes(b"caf\xe9/file"), "one line\n");
    let host = folder.path(bytes(b"caf\xe9"));
    let ran = run(turnkey().args(["run", "--dir"]).arg(granted(&host, "/d")).arg(guest("tally")).arg("/d/file"));
    assert!(ran.quiet().contains("total of 1 file"));
    let mut command = turnkey();
    command.args(["run", "--dir"]).arg(bytes(b"caf\xe9")).arg(guest("tally")).arg(bytes(b"caf\xe9/file"));
    assert!(run(command.current_dir(folder.root())).quiet().contains("total of 1 file"));
}
