//! `/proc` has names that lead to whatever this process has open: they are followed for nobody.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::harness::Folder;
use crate::special_files::{DIRECTORY, FD_READ, FOLLOW, open_without};
use crate::system_calls::Openat2;

/// Its errno, which must be one, and nothing that was read.
#[track_caller]
fn is_refused(directory: &Path, path: &str) {
    for openat2 in Openat2::ANY {
        for oflags in [0, DIRECTORY] {
            let (errno, read) = open_without(openat2, directory, "--ro-dir", path.as_bytes(), FOLLOW, oflags, FD_READ);
            assert!(errno != 0 && errno != 124 && read.is_empty(), "{openat2:?} {path}: {errno}");
        }
    }
}

#[test]
fn the_descriptors_of_the_host_are_not_opened_through_proc() {
    for path in
        ["fd/0", "fd/1", "fd/3", "fd/4", "fd/5", "fd/3/..", "task/../fd/0", "root", "root/etc/passwd", "cwd", "exe"]
    {
        is_refused(Path::new("/proc/self"), path);
    }
    is_refused(Path::new("/proc/self/fd"), "0");
    is_refused(Path::new("/proc/self/fd"), "3");
    is_refused(Path::new("/proc"), "self/root/etc/passwd");
    is_refused(Path::new("/proc"), "thread-self/fd/0");
}

#[test]
fn links_of_a_directory_to_proc_lead_nowhere() {
    let folder = Folder::new();
    folder.file("inside/file", "");
    for (number, target) in
        ["/proc/self/fd/0", "/proc/self/root/etc/passwd", "/proc/self/cwd", "/dev/fd/0", "/dev/stdin"]
            .iter()
            .enumerate()
    {
        let name = format!("link-{number}");
        symlink(target, folder.path("inside").join(&name)).unwrap();
        is_refused(&folder.path("inside"), &name);
        is_refused(&folder.path("inside"), &format!("{name}/"));
    }
}
