//! The virtual `/` that is handed over last where the user wants to see what a guest looks for: there is nothing in it,
//! nothing can be made in it, and every path asked of it is recorded.

use crate::harness::errno::{BADF, NOENT, ROFS};
use crate::harness::{BUF, CREAT, DIRECTORY, FIRST, FOLLOW, Guest, READ, RESULT, Setup, TRUNC, WORK, WRITE};

const ROOT: u64 = FIRST;

fn recording() -> Guest {
    let mut setup = Setup::new().file("file", "contents");
    setup.grants.record_paths = true;
    setup.start()
}

fn recorded(guest: &Guest) -> Vec<(&'static str, String)> {
    let refusals = guest.store.data().host.audit.refusals();
    refusals.iter().map(|refusal| (refusal.call, String::from_utf8_lossy(&refusal.asked).into_owned())).collect()
}

#[test]
fn it_is_the_last_preopen_and_a_directory() {
    let mut guest = recording();
    guest.gives("fd_prestat_get", &[ROOT, RESULT], &[(RESULT, &[0, 0, 0, 0, 1, 0, 0, 0])]);
    guest.gives("fd_prestat_dir_name", &[ROOT, BUF, 1], &[(BUF, b"/")]);
    guest.fails("fd_prestat_get", &[ROOT + 1, RESULT], BADF);
    assert_eq!(guest.stat(ROOT).filetype, 3);
    guest.gives("fd_readdir", &[ROOT, BUF, 100, 0, RESULT], &[(RESULT, &[0; 4])]);
}

#[test]
fn nothing_is_found_in_it_and_what_was_looked_for_is_told() {
    let mut guest = recording();
    for (oflags, rights) in [(0, READ), (DIRECTORY, READ), (CREAT, WRITE), (TRUNC, WRITE)] {
        assert_eq!(guest.try_open(ROOT, "etc/passwd", oflags, rights, 0), Err(NOENT));
    }
    assert_eq!(guest.stat_path(ROOT, FOLLOW, "usr/share"), Err(NOENT));
    assert_eq!(
        recorded(&guest),
        [("path_open", "/etc/passwd".to_owned()), ("path_filestat_get", "/usr/share".to_owned())]
    );
}

#[test]
fn nothing_is_made_in_it_or_moved_into_it() {
    let mut guest = recording();
    let ([old, old_bytes], [new, new_bytes]) = (guest.path("file"), guest.path2("new"));
    for (name, arguments) in [
        ("path_create_directory", &[ROOT, new, new_bytes][..]),
        ("path_remove_directory", &[ROOT, new, new_bytes]),
        ("path_unlink_file", &[ROOT, new, new_bytes]),
        ("path_symlink", &[old, old_bytes, ROOT, new, new_bytes]),
        ("path_filestat_set_times", &[ROOT, 0, new, new_bytes, 1, 1, 5]),
        ("path_readlink", &[ROOT, new, new_bytes, BUF, 9, RESULT]),
        ("path_rename", &[WORK, old, old_bytes, ROOT, new, new_bytes]),
        ("path_rename", &[ROOT, new, new_bytes, WORK, new, new_bytes]),
        ("path_link", &[WORK, 0, old, old_bytes, ROOT, new, new_bytes]),
        ("path_link", &[ROOT, 0, new, new_bytes, WORK, new, new_bytes]),
    ] {
        guest.fails(name, arguments, NOENT);
    }
    guest.fails("fd_filestat_set_times", &[ROOT, 1, 1, 5], ROFS);
    assert_eq!(std::fs::read(guest.disk.work("file")).unwrap(), b"contents");
    assert!(!guest.disk.work("new").exists());
}
