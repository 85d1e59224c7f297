//! The escape artist: tries to get out of the one directory that was handed over to it, by every call that takes a path
//! and every shape of path that ever led out of somewhere.
//!
//! `climber DIRECTORY`. The host has made there: `file`; directories `a` and `a/inside`; symbolic links `link` (to an
//! absolute path outside), `linkdir` (to a directory outside, with a file `secret` in it), `relative` (`../secret`),
//! `chain` (to `chain1`, and that to `link`), `dangling` (to `../planted`, where nothing is), `loop` (to itself).
//! Whatever is missing of these is only a missing name. Files outside that should not be read begin with `SECRET`.
//!
//! Prints a line `CALL PATH: ERRNO` for each attempt, in an order that stays, and ends with status 66 as soon as it has
//! read a secret. What it may have changed outside, the host must look for. Calls that change nothing come first.

use guests::rights::{FD_READ, FD_SEEK, FD_WRITE, PATH_OPEN};
use guests::{Errno, Fd, NOENT, O_CREAT, O_DIRECTORY, O_TRUNC, SUCCESS, SYMLINK_FOLLOW};
use guests::{directory, escaped, fail, fd_close, fd_read, filetype_name, path_create_directory, path_filestat_get};
use guests::{path_filestat_set_times_now, path_link, path_open, path_readlink, path_remove_directory, path_rename};
use guests::{path_symlink, path_unlink_file};

/// A file of the climber's own, which it tries to move and to link out, and the name that it tries to bring others in
/// by.
const SOURCE: &[u8] = b"climber-source";
const TARGET: &[u8] = b"climber-target";

const READ: u64 = FD_READ | FD_SEEK;
const WRITE: u64 = READ | FD_WRITE;
/// Of a directory, and of what is in it.
const ENTER: u64 = READ | PATH_OPEN;

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_else(|| fail("climber", "usage: climber DIRECTORY"));
    let climber = Climber { root: directory(&argument).unwrap_or_else(|errno| fail(&argument, errno)) };
    let paths = paths();
    for path in &paths {
        climber.look(path);
    }
    for path in &paths {
        climber.plant(path);
    }
    for path in &paths {
        climber.change(path);
    }
    for path in &paths {
        climber.truncate(path);
    }
    // Backwards: what is spelled with more after the name comes while the name is still there.
    for path in paths.iter().rev() {
        climber.remove(path);
    }
    let _ = path_unlink_file(climber.root, SOURCE);
    println!("stayed inside, {} paths", paths.len());
}

fn paths() -> Vec<Vec<u8>> {
    let written: [&[u8]; 78] = [
        // Up.
        b"..",
        b"../",
        b"../.",
        b"../..",
        b"../../..",
        b"../secret",
        b"../secret/",
        b"./../secret",
        b".//..//secret",
        b"../../../../../../../../etc/passwd",
        b"...",
        b".. /secret",
        b"..\\secret",
        b"a\\..\\..\\secret",
        // Up, after something that is there, is not, or is no directory.
        b"a/..",
        b"a/../",
        b"a/../..",
        b"a/../../secret",
        b"a/inside/../../../secret",
        b"a/./.././../secret",
        b"missing/..",
        b"missing/../../secret",
        b"missing/../file",
        b"file/..",
        b"file/../../secret",
        // From the top.
        b"/",
        b"//",
        b"/.",
        b"/..",
        b"/secret",
        b"/etc/passwd",
        b"//etc/passwd",
        b"/file",
        b"a//etc/passwd",
        // Through links.
        b"link",
        b"link/",
        b"link/.",
        b"link/..",
        b"linkdir",
        b"linkdir/",
        b"linkdir/.",
        b"linkdir/..",
        b"linkdir/secret",
        b"linkdir/../secret",
        b"linkdir/missing",
        b"a/../linkdir/secret",
        b"relative",
        b"relative/",
        b"./relative",
        b"chain",
        b"chain/",
        b"chain/../secret",
        b"dangling",
        b"dangling/",
        b"dangling/x",
        b"loop",
        b"loop/",
        b"loop/secret",
        // Where a host keeps its own descriptors.
        b"proc/self/fd/3",
        b"/proc/self/fd/0",
        b"/proc/self/root/etc/passwd",
        b"/proc/self/cwd/secret",
        b"/dev/fd/0",
        b"/dev/stdin",
        // Nothing, here, and things with a slash at the end.
        b"",
        b".",
        b"./",
        b"./.",
        b"a",
        b"a/",
        b"a/.",
        b"file",
        b"file/",
        b"file/.",
        b"missing/",
        // Bytes that end strings, or are none of any text.
        b"file\0",
        b"file\0/../../secret",
        b"\xff\xfe/../../secret",
    ];
    let mut paths: Vec<Vec<u8>> = written.iter().map(|path| path.to_vec()).collect();
    // As long as names and paths may be, and longer.
    paths.push(vec![b'n'; 255]);
    paths.push(vec![b'n'; 256]);
    paths.push(b"a/../".repeat(1000));
    paths.push([b"a/../".repeat(1000), b"../secret".to_vec()].concat());
    paths.push(b"./".repeat(2500));
    paths.push(b"/".repeat(5000));
    paths
}

fn report(call: &str, path: &[u8], errno: Errno) {
    println!("{call} {}: {errno}", escaped(path));
}

fn errno<T>(result: &Result<T, Errno>) -> Errno {
    result.as_ref().err().copied().unwrap_or(SUCCESS)
}

fn without_slashes(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    &path[..end]
}

fn is_secret(fd: Fd) -> bool {
    let mut beginning = [0; 16];
    fd_read(fd, &mut beginning).is_ok() && beginning.starts_with(b"SECRET")
}

struct Climber {
    root: Fd,
}

impl Climber {
    /// Opens, and reads what opened, or the secret in it.
    fn open(&self, call: &str, lookup: u32, path: &[u8], oflags: u16, rights: u64) {
        let opened = path_open(self.root, lookup, path, oflags, rights);
        report(call, path, errno(&opened));
        let Ok(fd) = opened else { return };
        let inside = path_open(fd, 0, b"secret", 0, READ);
        if is_secret(fd) || inside.is_ok_and(is_secret) {
            println!("ESCAPED via {call} {}", escaped(path));
            std::process::exit(66);
        }
        let _ = fd_close(fd);
        if let Ok(fd) = inside {
            let _ = fd_close(fd);
        }
    }

    /// What changes nothing.
    fn look(&self, path: &[u8]) {
        self.open("path_open", 0, path, 0, READ);
        self.open("path_open+follow", SYMLINK_FOLLOW, path, 0, READ);
        self.open("path_open+directory", 0, path, O_DIRECTORY, ENTER);
        self.open("path_open+follow+directory", SYMLINK_FOLLOW, path, O_DIRECTORY, ENTER);
        for (call, lookup) in [("path_filestat_get", 0), ("path_filestat_get+follow", SYMLINK_FOLLOW)] {
            report(call, path, errno(&path_filestat_get(self.root, lookup, path)));
        }
        let mut target = [0; 256];
        report("path_readlink", path, errno(&path_readlink(self.root, path, &mut target)));
    }

    /// A symbolic link of the climber's own, first to the path, then in its place.
    fn plant(&self, path: &[u8]) {
        let made = path_symlink(path, self.root, TARGET);
        report("path_symlink to", path, errno(&made));
        if made.is_ok() {
            self.open("path_open+follow through a link to", SYMLINK_FOLLOW, TARGET, 0, READ);
            let through = [TARGET, b"/secret"].concat();
            self.open("path_open through a link to", 0, &through, 0, READ);
            self.clear(TARGET);
        }
        let made = path_symlink(b"file", self.root, path);
        report("path_symlink at", path, errno(&made));
        if made.is_ok() {
            self.clear(path);
        }
    }

    /// What makes or changes something, undone where it went.
    fn change(&self, path: &[u8]) {
        for (call, lookup) in [("path_filestat_set_times", 0), ("path_filestat_set_times+follow", SYMLINK_FOLLOW)] {
            report(call, path, errno(&path_filestat_set_times_now(self.root, lookup, path)));
        }
        for (call, lookup) in [("path_link from", 0), ("path_link+follow from", SYMLINK_FOLLOW)] {
            let made = path_link(self.root, lookup, path, TARGET);
            report(call, path, errno(&made));
            if made.is_ok() {
                self.open("path_open+follow of a link to", SYMLINK_FOLLOW, TARGET, 0, READ);
                self.clear(TARGET);
            }
        }
        self.source();
        let made = path_link(self.root, 0, SOURCE, path);
        report("path_link to", path, errno(&made));
        if made.is_ok() {
            self.clear(path);
        }
        let moved = path_rename(self.root, path, TARGET);
        report("path_rename from", path, errno(&moved));
        if moved.is_ok() {
            self.open("path_open of what was moved from", 0, TARGET, 0, READ);
            report("path_rename back to", path, errno(&path_rename(self.root, TARGET, path)));
        }
        let present = path_filestat_get(self.root, 0, path);
        let absent = present.err() == Some(NOENT);
        if present.is_err() {
            // Over something that it may see, the climber would lose what it still needs.
            let moved = path_rename(self.root, SOURCE, path);
            report("path_rename to", path, errno(&moved));
            if moved.is_ok() {
                self.clear(path);
            }
        }
        let made = path_create_directory(self.root, path);
        report("path_create_directory", path, errno(&made));
        if made.is_ok() {
            let removed = path_remove_directory(self.root, path);
            report("path_remove_directory again", path, errno(&removed));
            if removed.is_err() {
                // A host may make what it does not remove: by the name alone it must go.
                let _ = path_remove_directory(self.root, without_slashes(path));
            }
        }
        for (call, lookup) in [("path_open+creat", 0), ("path_open+follow+creat", SYMLINK_FOLLOW)] {
            self.open(call, lookup, path, O_CREAT, WRITE);
            if absent {
                let _ = path_unlink_file(self.root, path);
            }
        }
    }

    fn truncate(&self, path: &[u8]) {
        self.open("path_open+trunc", 0, path, O_TRUNC, WRITE);
        self.open("path_open+follow+trunc", SYMLINK_FOLLOW, path, O_TRUNC, WRITE);
    }

    fn remove(&self, path: &[u8]) {
        report("path_remove_directory", path, errno(&path_remove_directory(self.root, path)));
        // The links are still needed: they go with the directory.
        let itself = path_filestat_get(self.root, 0, path);
        if itself.is_ok_and(|stat| filetype_name(stat.filetype) == "symbolic_link") {
            return;
        }
        report("path_unlink_file", path, errno(&path_unlink_file(self.root, path)));
    }

    fn source(&self) {
        if let Ok(fd) = path_open(self.root, 0, SOURCE, O_CREAT, WRITE) {
            let _ = fd_close(fd);
        }
    }

    fn clear(&self, path: &[u8]) {
        report("path_unlink_file of what was made at", path, errno(&path_unlink_file(self.root, path)));
    }
}
