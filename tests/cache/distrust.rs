//! What others can write to is not believed; where there can be no cache, programs run without.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::Cache;
use crate::harness::ordinary_user::as_ordinary_user;
use crate::harness::{Ran, run};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_entry_that_others_can_write_to_is_compiled_again() {
    let cache = Cache::new();
    cache.says_hello();
    for mode in [0o620, 0o602, 0o666, 0o777] {
        let entry = cache.entry();
        set_mode(&entry.name, mode);
        cache.says_hello();
        let rebuilt = cache.entry();
        assert_ne!(rebuilt.inode, entry.inode, "{mode:o}");
        assert_eq!(rebuilt.mode, 0o600);
    }
    // Others may read what they could compile themselves.
    let entry = cache.entry();
    set_mode(&entry.name, 0o644);
    cache.says_hello();
    assert_eq!(cache.entry().inode, entry.inode);
}

#[test]
fn somebody_elses_code_in_an_entry_that_others_can_write_to_does_not_run() {
    let cache = Cache::new();
    cache.says_hello();
    let hello = cache.entry().name;
    assert_eq!(cache.run(&cache.goodbye).quiet(), "goodbye");
    let goodbye = cache.entries().into_iter().map(|entry| entry.name).find(|name| *name != hello).unwrap();
    fs::copy(&goodbye, &hello).unwrap();
    set_mode(&hello, 0o620);
    cache.says_hello();
}

#[track_caller]
fn warned(ran: &Ran, cache: &Cache) {
    assert_eq!((ran.status(), ran.text()), (0, "hello"));
    let expected =
        format!("warning: the cache `{}` is not used: it is not yours alone to write to\n", cache.path().display());
    assert_eq!(ran.stderr, expected);
}

#[test]
fn a_folder_that_others_can_write_to_is_not_used_and_that_is_said() {
    let cache = Cache::new();
    cache.says_hello();
    let before = cache.entries();
    for mode in [0o770, 0o702, 0o777, 0o1777] {
        set_mode(&cache.path(), mode);
        warned(&cache.run(&cache.hello), &cache);
        assert_eq!(cache.entries(), before, "{mode:o}");
        let ran = run(cache.turnkey().args(["cache", "size"]));
        assert!(ran.refused(125).contains("it is not yours alone to write to"));
    }
}

#[test]
fn a_folder_of_another_user_is_not_used() {
    let cache = Cache::new();
    cache.says_hello();
    let before = cache.entries();
    set_mode(cache.folder.root(), 0o755);
    set_mode(&cache.home(), 0o755);
    set_mode(&cache.path(), 0o755);
    let mut command = cache.turnkey();
    command.arg("run").arg(&cache.hello);
    // Where the tests run as an ordinary user, there is no other to be.
    let other = fs::metadata("/proc/self").map(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0).unwrap();
    if other && as_ordinary_user(&mut command, &[]) {
        warned(&run(&mut command), &cache);
        assert_eq!(cache.entries(), before);
    }
}

#[test]
fn a_folder_that_cannot_be_had_is_no_reason_not_to_run() {
    let cache = Cache::new();
    fs::create_dir(cache.home()).unwrap();
    fs::write(cache.path(), "a file").unwrap();
    cache.says_hello();
    assert_eq!(fs::read(cache.path()).unwrap(), b"a file");
    fs::remove_file(cache.path()).unwrap();
    fs::remove_dir(cache.home()).unwrap();
    fs::write(cache.home(), "a file too").unwrap();
    cache.says_hello();
}

#[test]
fn a_folder_that_cannot_be_written_is_no_reason_not_to_run() {
    let cache = Cache::new();
    let (home, path) = (cache.home(), cache.path());
    fs::create_dir_all(&path).unwrap();
    set_mode(cache.folder.root(), 0o755);
    set_mode(&path, 0o500);
    let mut command = cache.turnkey();
    command.arg("run").arg(&cache.hello);
    if as_ordinary_user(&mut command, &[&home, &path]) {
        assert_eq!(run(&mut command).quiet(), "hello");
        assert!(cache.entries().is_empty());
        fs::remove_dir(&path).unwrap();
        set_mode(&home, 0o500);
        assert_eq!(run(&mut command).quiet(), "hello");
    }
}

#[test]
fn a_full_disk_is_no_reason_not_to_run() {
    let cache = Cache::new();
    // A directory that is on no disk: nothing can be made in it, whoever asks.
    let ran = run(cache.turnkey().env("XDG_CACHE_HOME", "/proc/self").arg("run").arg(&cache.hello));
    assert_eq!(ran.quiet(), "hello");
}

#[test]
fn a_user_without_a_home_has_no_cache_and_runs_all_the_same() {
    let cache = Cache::new();
    let homeless = || {
        let mut command = cache.turnkey();
        command.env_remove("XDG_CACHE_HOME").env_remove("HOME");
        command
    };
    assert_eq!(run(homeless().arg("run").arg(&cache.hello)).quiet(), "hello");
    assert!(run(homeless().args(["cache", "dir"])).refused(125).contains("no home directory"));
    // A relative path means nothing here, and is passed over.
    let mut relative = homeless();
    relative.env("XDG_CACHE_HOME", "caches").current_dir(cache.folder.root()).arg("run").arg(&cache.hello);
    assert_eq!(run(&mut relative).quiet(), "hello");
    assert!(!cache.home().exists());
    let home = cache.folder.folder("home");
    assert_eq!(run(homeless().env("HOME", &home).arg("run").arg(&cache.hello)).quiet(), "hello");
    assert!(home.join(".cache/turnkey").is_dir());
}
