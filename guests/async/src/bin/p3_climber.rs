//! The escape artist, by the functions of `wasi:filesystem` 0.3: tries to get out of the one directory that was handed
//! over to it, by every function that takes a path and every shape of path that ever led out of somewhere.
//!
//! `p3_climber DIRECTORY`. The host has made there: `file`; directories `a` and `a/inside`; symbolic links `link` (to an
//! absolute path outside), `linkdir` (to a directory outside, with a file `secret` in it), `relative` (`../secret`),
//! `chain` (to `chain1`, and that to `link`), `dangling` (to `../planted`, where nothing is), `loop` (to itself).
//! Whatever is missing of these is only a missing name. Files outside that should not be read begin with `SECRET`.
//!
//! Prints a line `FUNCTION PATH: CODE` for each attempt, in an order that stays, and ends with status 66 as soon as it has
//! read a secret. What it may have changed outside, the host must look for. Functions that change nothing come first.

use async_components::{code, command, directory, drained, fail, leave, whether};
use wasip3::cli::environment::get_arguments;
use wasip3::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};

command!(run);

/// A file of the climber's own, which it tries to move and to link out, and the name that it tries to bring others in by.
const SOURCE: &str = "climber-source";
const TARGET: &str = "climber-target";

const STAY: PathFlags = PathFlags::empty();
const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
const NOTHING: OpenFlags = OpenFlags::empty();
const READ: DescriptorFlags = DescriptorFlags::READ;

async fn run() -> Result<(), ()> {
    let arguments = get_arguments();
    let argument = arguments.get(1).unwrap_or_else(|| fail("p3_climber", "usage: p3_climber DIRECTORY"));
    let climber = Climber { root: directory(argument) };
    let paths = paths();
    for path in &paths {
        climber.look(path).await;
    }
    for path in &paths {
        climber.plant(path).await;
    }
    for path in &paths {
        climber.change(path).await;
    }
    for path in &paths {
        climber.truncate(path).await;
    }
    // Backwards: what is spelled with more after the name comes while the name is still there.
    for path in paths.iter().rev() {
        climber.remove(path).await;
    }
    let _ = climber.root.unlink_file_at(SOURCE.to_owned()).await;
    println!("stayed inside, {} paths", paths.len());
    Ok(())
}

fn paths() -> Vec<String> {
    let written = [
        // Up.
        "..",
        "../",
        "../.",
        "../..",
        "../../..",
        "../secret",
        "../secret/",
        "./../secret",
        ".//..//secret",
        "../../../../../../../../etc/passwd",
        "...",
        ".. /secret",
        "..\\secret",
        "a\\..\\..\\secret",
        // Up, after something that is there, is not, or is no directory.
        "a/..",
        "a/../",
        "a/../..",
        "a/../../secret",
        "a/inside/../../../secret",
        "a/./.././../secret",
        "missing/..",
        "missing/../../secret",
        "missing/../file",
        "file/..",
        "file/../../secret",
        // From the top.
        "/",
        "//",
        "/.",
        "/..",
        "/secret",
        "/etc/passwd",
        "//etc/passwd",
        "/file",
        "a//etc/passwd",
        // Through links.
        "link",
        "link/",
        "link//",
        "link/.",
        "link/..",
        "linkdir",
        "linkdir/",
        "linkdir//",
        "linkdir/.",
        "linkdir/..",
        "linkdir/secret",
        "linkdir/../secret",
        "linkdir/missing",
        "a/../linkdir/secret",
        "relative",
        "relative/",
        "./relative",
        "chain",
        "chain/",
        "chain/../secret",
        "dangling",
        "dangling/",
        "dangling/x",
        "loop",
        "loop/",
        "loop/secret",
        // Where a host keeps its own descriptors.
        "proc/self/fd/3",
        "/proc/self/fd/0",
        "/proc/self/root/etc/passwd",
        "/proc/self/cwd/secret",
        "/dev/fd/0",
        "/dev/stdin",
        // Nothing, here, and things with a slash at the end.
        "",
        ".",
        "./",
        "./.",
        "a",
        "a/",
        "a/.",
        "file",
        "file/",
        "file/.",
        "missing/",
        // Characters that end strings, and such as a host may take for something else: by which names that are no text are
        // written, and what they would be if only their last byte were looked at.
        "file\0",
        "file\0/../../secret",
        "\u{efae}\u{efae}/secret",
        "\u{ef80}\u{efff}/../../secret",
        "\u{12e}\u{12e}\u{12f}secret",
        "\u{2024}\u{2024}/secret",
        "\u{2025}/secret",
        "\u{ff0e}\u{ff0e}/secret",
        "..\u{2215}secret",
        "..\u{ff0f}secret",
    ];
    let mut paths: Vec<String> = written.iter().map(|path| (*path).to_owned()).collect();
    // As long as names and paths may be, and longer.
    paths.push("n".repeat(255));
    paths.push("n".repeat(256));
    paths.push("a/../".repeat(1000));
    paths.push(["a/../".repeat(1000), "../secret".to_owned()].concat());
    paths.push("./".repeat(2500));
    paths.push("/".repeat(5000));
    paths
}

fn report<T>(function: &str, path: &str, result: Result<T, ErrorCode>) -> Option<T> {
    let path = path.escape_debug();
    println!("{function} {path}: {}", result.as_ref().err().map_or_else(|| "ok".to_owned(), code));
    result.ok()
}

async fn is_secret(file: &Descriptor) -> bool {
    drained(file.read_via_stream(0)).await.0.starts_with(b"SECRET")
}

struct Climber {
    root: Descriptor,
}

impl Climber {
    /// Opens, and reads what opened, or the secret in it.
    async fn open(&self, function: &str, follow: PathFlags, path: &str, open: OpenFlags, flags: DescriptorFlags) {
        let opened = self.root.open_at(follow, path.to_owned(), open, flags).await;
        let Some(opened) = report(function, path, opened) else { return };
        let inside = opened.open_at(STAY, "secret".to_owned(), NOTHING, READ).await;
        let mut found = is_secret(&opened).await;
        if let Ok(inside) = inside {
            found |= is_secret(&inside).await;
        }
        if found {
            println!("ESCAPED via {function} {}", path.escape_debug());
            leave(66);
        }
    }

    /// What changes nothing.
    async fn look(&self, path: &str) {
        for (with, follow) in [("", STAY), ("+follow", FOLLOW)] {
            self.open(&format!("open-at{with}"), follow, path, NOTHING, READ).await;
            self.open(&format!("open-at{with}+directory"), follow, path, OpenFlags::DIRECTORY, READ).await;
            let mutable = READ | DescriptorFlags::MUTATE_DIRECTORY;
            self.open(&format!("open-at{with}+mutate-directory"), follow, path, NOTHING, mutable).await;
            report(&format!("stat-at{with}"), path, self.root.stat_at(follow, path.to_owned()).await);
            report(&format!("metadata-hash-at{with}"), path, self.root.metadata_hash_at(follow, path.to_owned()).await);
        }
        report("readlink-at", path, self.root.readlink_at(path.to_owned()).await);
    }

    /// A symbolic link of the climber's own, first to the path, then in its place.
    async fn plant(&self, path: &str) {
        if report("symlink-at to", path, self.symlink(path, TARGET).await).is_some() {
            self.open("open-at+follow through a link to", FOLLOW, TARGET, NOTHING, READ).await;
            let with_slash = format!("{TARGET}/");
            self.open("open-at+follow through a link with a slash to", FOLLOW, &with_slash, NOTHING, READ).await;
            self.open("open-at through a link to", STAY, &format!("{TARGET}/secret"), NOTHING, READ).await;
            let renamed = self.rename(&with_slash, "climber-renamed").await;
            if report("rename-at of a link with a slash to", path, renamed).is_some() {
                self.clear("climber-renamed").await;
            }
            self.clear(TARGET).await;
        }
        if report("symlink-at at", path, self.symlink("file", path).await).is_some() {
            self.clear(path).await;
        }
    }

    /// What makes or changes something, undone where it went.
    async fn change(&self, path: &str) {
        for (with, follow) in [("", STAY), ("+follow", FOLLOW)] {
            let now = NewTimestamp::Now;
            let times = self.root.set_times_at(follow, path.to_owned(), now, now).await;
            report(&format!("set-times-at{with}"), path, times);
            let linked = self.link(follow, path, TARGET).await;
            if report(&format!("link-at{with} from"), path, linked).is_some() {
                self.open("open-at+follow of a link to", FOLLOW, TARGET, NOTHING, READ).await;
                self.clear(TARGET).await;
            }
        }
        let both = READ | DescriptorFlags::WRITE;
        drop(self.root.open_at(STAY, SOURCE.to_owned(), OpenFlags::CREATE, both).await);
        if report("link-at to", path, self.link(STAY, SOURCE, path).await).is_some() {
            self.clear(path).await;
        }
        if report("rename-at from", path, self.rename(path, TARGET).await).is_some() {
            self.open("open-at of what was moved from", STAY, TARGET, NOTHING, READ).await;
            report("rename-at back to", path, self.rename(TARGET, path).await);
        }
        let present = self.root.stat_at(STAY, path.to_owned()).await;
        let absent = matches!(present, Err(ErrorCode::NoEntry));
        // Over something that it may see, the climber would lose what it still needs.
        if present.is_err() && report("rename-at to", path, self.rename(SOURCE, path).await).is_some() {
            self.clear(path).await;
        }
        let made = self.root.create_directory_at(path.to_owned()).await;
        if report("create-directory-at", path, made).is_some() {
            let removed = self.root.remove_directory_at(path.to_owned()).await;
            if report("remove-directory-at again", path, removed).is_none() {
                // A host may make what it does not remove: by the name alone it must go.
                let _ = self.root.remove_directory_at(path.trim_end_matches('/').to_owned()).await;
            }
        }
        for (with, follow) in [("", STAY), ("+follow", FOLLOW)] {
            self.open(&format!("open-at{with}+create"), follow, path, OpenFlags::CREATE, both).await;
            let exclusive = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
            if absent {
                let _ = self.root.unlink_file_at(path.to_owned()).await;
                self.open(&format!("open-at{with}+create+exclusive"), follow, path, exclusive, both).await;
                let _ = self.root.unlink_file_at(path.to_owned()).await;
            }
        }
    }

    async fn truncate(&self, path: &str) {
        let both = READ | DescriptorFlags::WRITE;
        self.open("open-at+truncate", STAY, path, OpenFlags::TRUNCATE, both).await;
        self.open("open-at+follow+truncate", FOLLOW, path, OpenFlags::TRUNCATE, both).await;
        self.open("open-at+follow+truncate to read", FOLLOW, path, OpenFlags::TRUNCATE, READ).await;
    }

    async fn remove(&self, path: &str) {
        report("remove-directory-at", path, self.root.remove_directory_at(path.to_owned()).await);
        // The links are still needed: they go with the directory.
        let itself = self.root.stat_at(STAY, path.to_owned()).await;
        if itself.is_ok_and(|stat| matches!(stat.type_, DescriptorType::SymbolicLink)) {
            return;
        }
        report("unlink-file-at", path, self.root.unlink_file_at(path.to_owned()).await);
    }

    async fn clear(&self, path: &str) {
        let removed = whether(self.root.unlink_file_at(path.to_owned()).await);
        println!("unlink-file-at of what was made at {}: {removed}", path.escape_debug());
    }

    async fn symlink(&self, contents: &str, path: &str) -> Result<(), ErrorCode> {
        self.root.symlink_at(contents.to_owned(), path.to_owned()).await
    }

    async fn link(&self, follow: PathFlags, old: &str, new: &str) -> Result<(), ErrorCode> {
        self.root.link_at(follow, old.to_owned(), &self.root, new.to_owned()).await
    }

    async fn rename(&self, old: &str, new: &str) -> Result<(), ErrorCode> {
        self.root.rename_at(old.to_owned(), &self.root, new.to_owned()).await
    }
}
