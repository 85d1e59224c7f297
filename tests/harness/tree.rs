//! A picture of a directory on the host: two that are equal say that nothing in it was touched.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Of one file: mode, links, time of writing, and what is in it, or where it leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    mode: u32,
    links: u64,
    inode: u64,
    modified: (i64, i64),
    contents: Vec<u8>,
}

/// Everything below `root`, and `root` itself. Times of reading are left out: reading is what a guest may do.
pub(crate) fn picture(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut found = BTreeMap::new();
    add(root, Path::new("."), &mut found);
    found
}

/// The same without what lies below one name.
pub(crate) fn picture_without(root: &Path, name: &str) -> BTreeMap<PathBuf, Entry> {
    let mut found = picture(root);
    found.retain(|path, _| !path.starts_with(Path::new(".").join(name)));
    found
}

fn add(root: &Path, below: &Path, found: &mut BTreeMap<PathBuf, Entry>) {
    let path = root.join(below);
    let metadata = fs::symlink_metadata(&path).unwrap();
    let kind = metadata.file_type();
    let contents = if kind.is_symlink() {
        fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
    } else if kind.is_file() {
        fs::read(&path).unwrap()
    } else {
        Vec::new()
    };
    if kind.is_dir() {
        for name in names(&path) {
            add(root, &below.join(name), found);
        }
    }
    found.insert(
        below.to_owned(),
        Entry {
            mode: metadata.mode(),
            links: metadata.nlink(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            contents,
        },
    );
}

/// The names in a directory, sorted.
pub(crate) fn names(path: &Path) -> Vec<OsString> {
    let mut names: Vec<OsString> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}
