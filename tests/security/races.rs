//! One half of a race is a guest that opens a path again and again, the other a thread of the host that changes under it
//! what the path leads through. Nothing outside may ever open, and what is inside must still be found now and then.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Folder, granted, guest, start, turnkey};
use crate::system_calls::Openat2;

/// Swaps while a guest opens, and gives how often it opened something and how often it was refused.
fn race(folder: &Folder, path: &str, count: u32, openat2: Openat2, swap: impl Fn(&Path) + Sync) -> (u32, u32) {
    let mut command: Command = turnkey();
    command.args(["run", "--timeout", "50s", "--dir"]).arg(granted(&folder.path("inside"), "/d"));
    command.arg(guest("racer")).args(["/d", path, &count.to_string()]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = start(openat2.for_command(&mut command));
    let over = AtomicBool::new(false);
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                swap(folder.root());
            }
        });
        let ran = running.wait();
        over.store(true, Ordering::Relaxed);
        ran
    });
    let text = ran.quiet().trim_end().to_owned();
    let numbers: Vec<u32> = text.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    let [opened, refused] = numbers[..] else { panic!("{text}") };
    assert_eq!(opened + refused, count);
    (opened, refused)
}

/// Both, in turn, by one name: first what is inside, then the way out, and back.
fn alternate(inside: &Path, shown: &str, honest: &str, trap: &str) {
    let path = |name: &str| inside.join(name);
    fs::rename(path(honest), path(shown)).unwrap();
    fs::rename(path(shown), path(honest)).unwrap();
    fs::rename(path(trap), path(shown)).unwrap();
    fs::rename(path(shown), path(trap)).unwrap();
}

fn around() -> Folder {
    let folder = Folder::new();
    folder.file("secret", "SECRET beside it");
    folder.file("outside/secret", "SECRET outside");
    folder.folder("inside");
    folder
}

const MANY: u32 = 100_000;
const SOME: u32 = 20_000;

/// Races until something opened and something was refused: on a busy machine one side may have no processor for a while.
fn some_of_both(folder: &Folder, path: &str, count: u32, openat2: Openat2, swap: impl Fn(&Path) + Sync) {
    let (mut opened, mut refused) = (0, 0);
    for _ in 0..20 {
        let round = race(folder, path, count, openat2, &swap);
        opened += round.0;
        refused += round.1;
        if opened > 0 && refused > 0 {
            return;
        }
    }
    panic!("opened {opened}, refused {refused}: there was no race");
}

fn directory_swapped_for_a_link(count: u32, openat2: Openat2) {
    let folder = around();
    folder.file("inside/honest/secret", "only a name");
    symlink("../outside", folder.path("inside/trap")).unwrap();
    some_of_both(&folder, "swap/secret", count, openat2, |root| {
        alternate(&root.join("inside"), "swap", "honest", "trap")
    });
}

#[test]
fn a_directory_that_is_swapped_for_a_link_lets_nobody_out() {
    directory_swapped_for_a_link(MANY, Openat2::Works);
}

#[test]
fn a_directory_that_is_swapped_for_a_link_lets_nobody_out_without_openat2() {
    directory_swapped_for_a_link(SOME, Openat2::Missing);
    directory_swapped_for_a_link(SOME, Openat2::Refused);
}

#[test]
fn a_file_that_is_swapped_for_a_link_lets_nobody_out() {
    for openat2 in Openat2::ANY {
        let folder = around();
        folder.file("inside/honest", "only a name");
        symlink(folder.path("secret"), folder.path("inside/trap")).unwrap();
        some_of_both(&folder, "swap", SOME, openat2, |root| alternate(&root.join("inside"), "swap", "honest", "trap"));
    }
}

/// Where the walk stands in `a/b` when `b` is moved out, `..` is outside.
#[test]
fn a_directory_that_is_moved_out_takes_nobody_with_it() {
    for openat2 in Openat2::ANY {
        let folder = around();
        folder.folder("inside/a/b");
        folder.folder("outside/deep");
        folder.file("outside/deep/secret", "SECRET where the directory was moved to");
        let (opened, refused) = race(&folder, "a/b/../secret", SOME, openat2, |root| {
            fs::rename(root.join("inside/a/b"), root.join("outside/deep/b")).unwrap();
            fs::rename(root.join("outside/deep/b"), root.join("inside/a/b")).unwrap();
        });
        assert_eq!((opened, refused), (0, SOME), "inside there is no such file, where it was moved to there is");
        folder.file("inside/secret", "only a name");
        some_of_both(&folder, "a/b/../../secret", SOME, openat2, |root| {
            fs::rename(root.join("inside/a/b"), root.join("outside/deep/b")).unwrap();
            fs::rename(root.join("outside/deep/b"), root.join("inside/a/b")).unwrap();
        });
    }
}
