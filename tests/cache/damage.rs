//! Entries that are not what was written: rebuilt, and the program runs.

use std::fs;
use std::os::unix::fs::symlink;

use crate::Cache;

const FOOTER_BYTES: usize = 48;

/// Puts these bytes in the place of the entry, as a crash or a full disk might leave them: in the file itself.
#[track_caller]
fn is_rebuilt(cache: &Cache, whole: &[u8], damaged: &[u8], what: &str) {
    let entry = cache.entry();
    fs::write(&entry.name, damaged).unwrap();
    cache.says_hello();
    let rebuilt = cache.entry();
    assert_eq!(rebuilt.name, entry.name, "{what}");
    assert_ne!(rebuilt.inode, entry.inode, "{what}: it was replaced whole, not mended in place");
    let written = fs::read(&rebuilt.name).unwrap();
    assert_eq!(written.len(), whole.len(), "{what}");
    assert!(written.ends_with(&whole[whole.len() - FOOTER_BYTES..]), "{what}");
}

fn cached() -> (Cache, Vec<u8>) {
    let cache = Cache::new();
    cache.says_hello();
    let whole = fs::read(cache.entry().name).unwrap();
    (cache, whole)
}

#[test]
fn an_entry_that_was_cut_short_at_any_length_is_rebuilt() {
    let (cache, whole) = cached();
    let all = whole.len();
    for bytes in [
        0,
        1,
        8,
        FOOTER_BYTES - 1,
        FOOTER_BYTES,
        FOOTER_BYTES + 1,
        4096,
        all / 2,
        all - FOOTER_BYTES - 1,
        all - FOOTER_BYTES,
        all - FOOTER_BYTES + 1,
        all - 8,
        all - 1,
    ] {
        is_rebuilt(&cache, &whole, &whole[..bytes], &format!("the first {bytes} of {all} bytes"));
    }
}

#[test]
fn an_entry_of_which_only_the_end_is_left_is_rebuilt() {
    let (cache, whole) = cached();
    for bytes in [FOOTER_BYTES, FOOTER_BYTES + 1, 4096, whole.len() / 2, whole.len() - 1] {
        is_rebuilt(&cache, &whole, &whole[whole.len() - bytes..], &format!("the last {bytes} bytes"));
    }
}

#[test]
fn an_entry_of_zeros_is_rebuilt() {
    let (cache, whole) = cached();
    is_rebuilt(&cache, &whole, &vec![0; whole.len()], "zeros, as a file system leaves them that lost power");
    let mut footer_alone = vec![0; whole.len()];
    let code = whole.len() - FOOTER_BYTES;
    footer_alone[code..].copy_from_slice(&whole[code..]);
    is_rebuilt(&cache, &whole, &footer_alone, "zeros before a footer that is right");
    let mut longer = whole.clone();
    longer.extend([0; 100]);
    is_rebuilt(&cache, &whole, &longer, "zeros behind it");
}

#[test]
fn an_entry_of_another_version_or_other_options_is_rebuilt() {
    let (cache, whole) = cached();
    let footer = whole.len() - FOOTER_BYTES;
    for (at, what) in [(0, "its magic"), (8, "its version"), (32, "its options"), (40, "its length")] {
        let mut changed = whole.clone();
        changed[footer + at] ^= 1;
        is_rebuilt(&cache, &whole, &changed, what);
    }
}

#[test]
fn an_entry_that_is_no_file_is_no_reason_not_to_run() {
    let (cache, _) = cached();
    let entry = cache.entry();
    fs::remove_file(&entry.name).unwrap();
    symlink("/dev/zero", &entry.name).unwrap();
    cache.says_hello();
    fs::remove_file(&entry.name).unwrap();
    fs::create_dir(&entry.name).unwrap();
    cache.says_hello();
}

#[test]
fn an_entry_that_links_somewhere_else_is_not_followed() {
    let (cache, whole) = cached();
    let entry = cache.entry();
    let elsewhere = cache.folder.file("elsewhere", &whole);
    fs::remove_file(&entry.name).unwrap();
    symlink(&elsewhere, &entry.name).unwrap();
    cache.says_hello();
    assert!(!fs::symlink_metadata(&entry.name).unwrap().is_symlink(), "it was replaced by a file");
    assert_eq!(fs::read(&elsewhere).unwrap(), whole, "and what it led to was not written");
}
