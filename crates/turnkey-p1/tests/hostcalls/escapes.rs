//! That no path leaves the directory it starts from: by `..`, by being absolute, through links and chains of them, or with
//! slashes at its end. The kernel is not trusted to be asked in the right way: after each attempt the disk is looked at.

use std::path::Path;

use crate::harness::errno::{BUSY, EXIST, INVAL, ISDIR, LOOP, NOENT, NOTDIR, PERM};
use crate::harness::{BUF, CREAT, DIRECTORY, EXCL, FOLLOW, Guest, READ, RESULT, Setup, TRUNC, WORK, WRITE};

/// Paths that lead out of the directory, to what is there.
const TO_DIRECTORY: [&str; 10] =
    ["..", "../", "dir/../..", "dir/../../", "./../.", "up", "up/", "dir/up", "chain1", "chain1/"];

/// Paths that lead out of the directory, to a file or to what could be one.
const TO_FILE: [&str; 12] = [
    "../secret",
    "dir/../../secret",
    "up/secret",
    "up//secret",
    "dir/up/secret",
    "chain1/secret",
    "to_secret",
    "dir/to_secret",
    "chain_to_secret",
    "../made",
    "up/made",
    "to_made",
];

/// A tree with every way out that a link can be.
fn tree() -> Guest {
    let setup = Setup::new()
        .file("dir/file", "inside")
        .link("..", "up")
        .link("../..", "dir/up")
        .link("../secret", "to_secret")
        .link("../../secret", "dir/to_secret")
        .link("../made", "to_made")
        .link("chain2", "chain1")
        .link("dir/chain3", "chain2")
        .link("../up", "dir/chain3")
        .link("dir/to_secret", "chain_to_secret")
        .link("/", "root")
        .link("/etc/passwd", "passwd")
        .link("/proc/self/root", "magic")
        .link("../work", "around")
        .link("../work/dir/file", "around_to_file");
    let outside = setup.disk.outer("secret");
    std::os::unix::fs::symlink(&outside, setup.disk.work("absolute")).unwrap();
    setup.start()
}

/// Everything outside of the directory that the guest may write, as it should be after all attempts.
#[track_caller]
fn untouched(guest: &Guest) {
    let mut names: Vec<_> =
        std::fs::read_dir(guest.disk.outer("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["fixed", "secret", "work"]);
    assert_eq!(std::fs::read_to_string(guest.disk.outer("secret")).unwrap(), "SECRET");
}

#[test]
fn nothing_outside_is_opened() {
    let mut guest = tree();
    for path in TO_DIRECTORY.iter().chain(&TO_FILE).chain(&["around", "around_to_file"]) {
        for oflags in [0, DIRECTORY, CREAT, CREAT | EXCL, TRUNC, CREAT | TRUNC] {
            for rights in [READ, WRITE] {
                let opened = guest.try_open(WORK, path, oflags, rights, 0);
                let errno = opened.expect_err(path);
                // What is to be made anew is met as it is, and a directory is never opened to write: said before the path is
                // looked at. All else leads outside.
                let said_before = oflags & (CREAT | DIRECTORY) != 0 && [EXIST, ISDIR, INVAL].contains(&errno);
                assert!(said_before || errno == PERM, "{path} {oflags} {rights}: {errno}");
                untouched(&guest);
            }
        }
    }
}

#[test]
fn an_absolute_path_is_refused_everywhere() {
    let mut guest = tree();
    for path in ["/", "//", "/etc/passwd", "/work", "/work/dir/file"] {
        assert_eq!(guest.try_open(WORK, path, 0, READ, 0), Err(PERM));
        assert_eq!(guest.stat_path(WORK, 0, path), Err(PERM));
        for (name, count) in [("path_create_directory", 3), ("path_remove_directory", 3), ("path_unlink_file", 3)] {
            let [path, bytes] = guest.path(path);
            guest.fails(name, &[WORK, path, bytes][..count], PERM);
        }
    }
}

#[test]
fn a_link_to_an_absolute_path_leads_nowhere() {
    let mut guest = tree();
    for path in ["root", "root/", "root/etc/passwd", "passwd", "absolute", "absolute/", "root/.."] {
        let errno = guest.try_open(WORK, path, 0, READ, 0).unwrap_err();
        assert_eq!(errno, PERM, "{path}");
        assert_eq!(guest.stat_path(WORK, FOLLOW, path), Err(PERM), "{path}");
    }
}

#[test]
fn a_magic_link_of_proc_is_not_reached() {
    let mut guest = tree();
    for path in ["magic", "magic/", "magic/etc/passwd"] {
        let errno = guest.try_open(WORK, path, 0, READ, 0).unwrap_err();
        assert!([PERM, LOOP].contains(&errno), "{path}: {errno}");
    }
}

#[test]
fn going_out_and_in_again_is_going_out() {
    let mut guest = tree();
    for path in ["../work", "../work/dir/file", "around/dir/file", "dir/../../work/dir/file"] {
        assert_eq!(guest.stat_path(WORK, FOLLOW, path), Err(PERM), "{path}");
    }
}

#[test]
fn what_stays_inside_may_go_up_and_down() {
    let mut guest = tree();
    for path in ["dir/../dir/file", "./dir/./file", "dir/..//dir//file"] {
        assert_eq!(guest.stat_path(WORK, 0, path).unwrap().size, 6, "{path}");
    }
}

#[test]
fn nothing_outside_is_looked_at() {
    let mut guest = tree();
    for path in TO_DIRECTORY.iter().chain(&TO_FILE) {
        assert_eq!(guest.stat_path(WORK, FOLLOW, path), Err(PERM), "{path}");
        // Not followed, a link is told of as it is, and so are no links.
        if let Ok(stat) = guest.stat_path(WORK, 0, path) {
            assert_eq!(stat.filetype, 7, "{path}");
        }
    }
}

#[test]
fn nothing_outside_is_given_times() {
    let mut guest = tree();
    let before = std::fs::metadata(guest.disk.outer("secret")).unwrap().modified().unwrap();
    for path in TO_DIRECTORY.iter().chain(&TO_FILE) {
        let [path, bytes] = guest.path(path);
        guest.fails("path_filestat_set_times", &[WORK, FOLLOW, path, bytes, 0, 0, 5], PERM);
    }
    assert_eq!(std::fs::metadata(guest.disk.outer("secret")).unwrap().modified().unwrap(), before);
    assert_ne!(std::fs::metadata(guest.disk.outer("")).unwrap().modified().unwrap(), std::time::UNIX_EPOCH);
}

#[test]
fn nothing_outside_is_made_or_removed() {
    for name in ["path_create_directory", "path_remove_directory", "path_unlink_file"] {
        let mut guest = tree();
        for path in
            TO_DIRECTORY.iter().chain(&TO_FILE).chain(&["../made/", "up/made/", "to_made/", "root/made", "magic/x"])
        {
            let [address, bytes] = guest.path(path);
            let errno = guest.call(name, &[WORK, address, bytes]);
            let is_link = guest.disk.work(path.trim_end_matches('/')).is_symlink();
            let removed_link = name == "path_unlink_file" && errno == 0 && is_link;
            assert!(errno != 0 || removed_link || !is_link, "{path}: {errno}");
            untouched(&guest);
        }
    }
}

#[test]
fn nothing_outside_is_renamed_linked_or_replaced() {
    for name in ["path_rename", "path_link"] {
        for path in TO_DIRECTORY.iter().chain(&TO_FILE).chain(&["../made/", "root/made", "magic/x", "/made"]) {
            for outside_is_old in [true, false] {
                let mut guest = tree();
                let (old, new) = if outside_is_old { (*path, "new") } else { ("dir/file", *path) };
                let ([old, old_bytes], [new, new_bytes]) = (guest.path(old), guest.path2(new));
                let errno = match name {
                    "path_rename" => guest.call(name, &[WORK, old, old_bytes, WORK, new, new_bytes]),
                    _ => guest.call(name, &[WORK, 0, old, old_bytes, WORK, new, new_bytes]),
                };
                untouched(&guest);
                // A link can be renamed, linked and replaced itself, and then nothing has been followed.
                let inside = guest.disk.work("new").symlink_metadata();
                if errno == 0 && outside_is_old {
                    assert!(inside.unwrap().is_symlink(), "{name} {path}");
                } else if outside_is_old {
                    assert!(inside.is_err(), "{name} {path}: {errno}");
                }
            }
        }
    }
}

#[test]
fn nothing_outside_is_linked_to_or_read_as_a_link() {
    let mut guest = tree();
    for path in TO_DIRECTORY.iter().chain(&TO_FILE) {
        let [address, bytes] = guest.path(path);
        let errno = guest.call("path_readlink", &[WORK, address, bytes, BUF, 100, RESULT]);
        let is_link = guest.disk.work(path).is_symlink() && !path.ends_with('/') && !path.contains("up/");
        assert_eq!(errno == 0, is_link && !path.starts_with("..") && !path.starts_with("chain1/"), "{path}: {errno}");
        let ([contents, contents_bytes], [path, bytes]) = (guest.path("x"), guest.path2(path));
        assert_ne!(guest.call("path_symlink", &[contents, contents_bytes, WORK, path, bytes]), 0);
        untouched(&guest);
    }
}

/// The class of a published advisory: with a slash at its end, a name that is a link was followed out of the directory.
#[test]
fn a_slash_after_a_link_does_not_follow_it_out_in_any_operation() {
    for link in ["up/", "up//", "up/.", "dir/up/", "to_secret/", "root/", "chain1/", "magic/"] {
        let mut guest = tree();
        let before = std::fs::read_link(guest.disk.work(link.trim_end_matches(['/', '.']))).unwrap();
        assert!([PERM, LOOP].contains(&guest.try_open(WORK, link, 0, READ, 0).unwrap_err()), "{link}");
        let made = guest.try_open(WORK, link, CREAT, WRITE, 0).unwrap_err();
        assert!([PERM, ISDIR, LOOP].contains(&made), "{link}: {made}");
        assert!([PERM, LOOP].contains(&guest.stat_path(WORK, 0, link).unwrap_err()), "{link}");
        for (name, errnos) in [
            ("path_create_directory", [EXIST, PERM, LOOP]),
            ("path_remove_directory", [NOTDIR, PERM, LOOP]),
            ("path_unlink_file", [NOTDIR, PERM, LOOP]),
        ] {
            let [path, bytes] = guest.path(link);
            let errno = guest.call(name, &[WORK, path, bytes]);
            assert!(errnos.contains(&errno), "{name} {link}: {errno}");
        }
        let ([old, old_bytes], [new, new_bytes]) = (guest.path(link), guest.path2("new"));
        let renamed = guest.call("path_rename", &[WORK, old, old_bytes, WORK, new, new_bytes]);
        assert!([NOTDIR, PERM, LOOP, BUSY].contains(&renamed), "{link}: {renamed}");
        let linked = guest.call("path_link", &[WORK, 0, old, old_bytes, WORK, new, new_bytes]);
        assert!([NOTDIR, PERM, LOOP].contains(&linked), "{link}: {linked}");
        // And as the destination, of a directory and of a file.
        for source in ["dir", "dir/", "dir/file"] {
            let ([old, old_bytes], [new, new_bytes]) = (guest.path(source), guest.path2(link));
            assert_ne!(guest.call("path_rename", &[WORK, old, old_bytes, WORK, new, new_bytes]), 0, "{source} {link}");
            assert_ne!(guest.call("path_link", &[WORK, 0, old, old_bytes, WORK, new, new_bytes]), 0, "{source} {link}");
        }
        untouched(&guest);
        assert_eq!(std::fs::read_link(guest.disk.work(link.trim_end_matches(['/', '.']))).unwrap(), before);
        assert!(guest.disk.work("new").symlink_metadata().is_err());
    }
}

#[test]
fn a_link_with_a_slash_that_stays_inside_is_still_not_renamed_through() {
    let mut guest = Setup::new().file("dir/file", "inside").link("dir", "link").start();
    for (old, new, errno) in [("link/", "new", NOTDIR), ("dir", "link/", NOTDIR), ("dir/", "link/", NOTDIR)] {
        let ([old, old_bytes], [new, new_bytes]) = (guest.path(old), guest.path2(new));
        guest.fails("path_rename", &[WORK, old, old_bytes, WORK, new, new_bytes], errno);
    }
    assert_eq!(std::fs::read_link(guest.disk.work("link")).unwrap(), Path::new("dir"));
    assert_eq!(std::fs::read_to_string(guest.disk.work("dir/file")).unwrap(), "inside");
}

#[test]
fn a_link_that_the_guest_makes_leads_out_no_more_than_one_it_found() {
    let mut guest = tree();
    for (contents, path) in [("../secret", "l1"), ("dir/../../secret", "l2"), ("..", "l3"), ("l3/secret", "l4")] {
        let ([old, old_bytes], [new, new_bytes]) = (guest.path(contents), guest.path2(path));
        guest.gives("path_symlink", &[old, old_bytes, WORK, new, new_bytes], &[]);
        assert_eq!(guest.try_open(WORK, path, 0, READ, 0), Err(PERM), "{path}");
    }
    assert_eq!(guest.try_open(WORK, "l3/secret", 0, READ, 0), Err(PERM));
    untouched(&guest);
}

#[test]
fn a_directory_that_is_moved_deeper_takes_no_one_out_with_it() {
    let mut guest = Setup::new().file("a/b/file", "inside").start();
    let inner = guest.open(WORK, "a/b", DIRECTORY, READ, 0);
    std::fs::rename(guest.disk.work("a/b"), guest.disk.outer("moved")).unwrap();
    // The guest holds it still, and nothing above it.
    assert_eq!(guest.stat_path(inner, 0, "file").unwrap().size, 6);
    for path in ["..", "../secret", "../work"] {
        assert_eq!(guest.stat_path(inner, 0, path), Err(PERM), "{path}");
    }
    assert_eq!(guest.stat_path(WORK, 0, "a/b/file"), Err(NOENT));
}

#[test]
fn each_descriptor_is_a_root_of_its_own() {
    let mut guest = tree();
    let dir = guest.open(WORK, "dir", DIRECTORY, READ, 0);
    for path in ["..", "../dir/file", "up", "chain3", "../up"] {
        assert_eq!(guest.stat_path(dir, FOLLOW, path), Err(PERM), "{path}");
    }
}

#[test]
fn links_that_lead_in_circles_end() {
    let mut setup = Setup::new().link("b", "a").link("a", "b").link("deep0", "start").file("end", "");
    for number in 0..45 {
        setup = setup.link(&format!("deep{}", number + 1), &format!("deep{number}"));
    }
    let mut guest = setup.link("end", "deep45").start();
    for path in ["a", "a/", "a/x", "start"] {
        assert_eq!(guest.try_open(WORK, path, 0, READ, 0), Err(LOOP), "{path}");
        assert_eq!(guest.stat_path(WORK, FOLLOW, path), Err(LOOP), "{path}");
    }
}

#[test]
fn what_is_refused_because_of_where_it_leads_is_recorded() {
    let mut guest = tree();
    for path in ["../secret", "/etc/passwd", "up/secret"] {
        guest.try_open(WORK, path, 0, READ, 0).unwrap_err();
    }
    let refusals = guest.store.data().host.audit.refusals();
    let asked: Vec<_> = refusals.iter().map(|refusal| (refusal.call, refusal.asked.as_slice())).collect();
    let expected = ["../secret", "/etc/passwd", "up/secret"].map(|path| ("path_open", path.as_bytes()));
    assert_eq!(asked, expected);
}
