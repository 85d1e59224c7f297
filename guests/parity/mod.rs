//! The same scenarios for every preview of WASI: what a program asks of its host, in terms of operations that all previews
//! have, and what it is answered, as a transcript. The transcripts of all previews are the same to the byte.
//!
//! It is not a program: `parity_p1` does the operations by the imports of Preview 1, `parity_p2` and `parity_p3` by the
//! interfaces of theirs; each is an implementation of [`Wasi`], and shares the rest. The test that runs them and compares what
//! they print is `tests/parity`; it also makes the files that scenarios find.
//!
//! A program is called with the name of a group. It prints `# SCENARIO` before the lines of each scenario of the group, and
//! then a line a step: what was done, and `ok`, what came back, or why not, in the words of `wasi:filesystem/types`
//! `error-code`. Where the standards themselves differ an implementation hides it, and says why.

mod clocks;
mod contents;
mod deterministic;
mod directories;
mod given;
mod limits;
mod links;
mod names;
mod opens;
mod read_only;
mod sockets;
mod times;

use std::cell::RefCell;
use std::fmt::{self, Display, Write};

/// Why not, in WASI's words: `no-entry`.
pub type Word = &'static str;

/// What an operation answers.
pub type Answer<T> = Result<T, Word>;

/// A number for something that is open: a file, a directory, a socket.
pub type Fd = u32;

/// The operations. Names are bytes, times are nanoseconds.
pub trait Wasi {
    /// The words of the command line, the program's own name first.
    fn arguments(&self) -> Vec<Vec<u8>>;
    /// The variables: name and value.
    fn variables(&self) -> Vec<(Vec<u8>, Vec<u8>)>;
    /// Ends the program.
    fn exit(&self, status: u8) -> !;
    /// Random bytes.
    fn random(&self, bytes: usize) -> Vec<u8>;

    /// Reads from standard input, once there is something. Nothing is the end.
    fn read_stdin(&self, most_bytes: usize) -> Answer<Vec<u8>>;
    /// Writes all of it.
    fn write_to(&self, stream: Stream, bytes: &[u8]) -> Answer<()>;

    /// The time of a clock.
    fn now(&self, clock: Clock) -> u64;
    /// The step of a clock.
    fn resolution(&self, clock: Clock) -> u64;
    /// Waits until one of them has happened; which have, in their order.
    fn poll(&self, waits: &[Wait]) -> Vec<usize>;

    /// The directory that was handed over by this name.
    fn handed_over(&self, name: &str) -> Option<Fd>;
    /// Opens a file or a directory.
    fn open(&self, dir: Fd, path: &[u8], how: How) -> Answer<Fd>;
    /// Closes whatever it is.
    fn close(&self, fd: Fd);
    /// What it was opened for, and may be used for.
    fn access(&self, fd: Fd) -> Answer<Access>;
    /// Reads once, at an offset.
    fn read_at(&self, fd: Fd, offset: u64, most_bytes: usize) -> Answer<Vec<u8>>;
    /// Reads once, after going to an offset; by another function than [`Wasi::read_at`] where there is one.
    fn read_from(&self, fd: Fd, offset: u64, most_bytes: usize) -> Answer<Vec<u8>>;
    /// Writes once, at an offset.
    fn write_at(&self, fd: Fd, offset: u64, bytes: &[u8]) -> Answer<usize>;
    /// Writes all of it, after going to an offset; by another function than [`Wasi::write_at`] where there is one.
    fn write_from(&self, fd: Fd, offset: u64, bytes: &[u8]) -> Answer<()>;
    /// Writes all of it at the end of a file that was opened with [`How::append`].
    fn append(&self, fd: Fd, bytes: &[u8]) -> Answer<()>;
    /// Cuts a file, or makes it longer.
    fn set_size(&self, fd: Fd, bytes: u64) -> Answer<()>;
    /// Says how a range will be used.
    fn advise(&self, fd: Fd, offset: u64, bytes: u64, advice: Advice) -> Answer<()>;
    /// Waits until it is on the device; `data_only` without what is known of it.
    fn sync(&self, fd: Fd, data_only: bool) -> Answer<()>;
    /// What is known of something open.
    fn stat(&self, fd: Fd) -> Answer<Stat>;
    /// What is known of what a path names.
    fn stat_at(&self, dir: Fd, path: &[u8], follow: bool) -> Answer<Stat>;
    /// Sets the times of something open.
    fn set_times(&self, fd: Fd, accessed: NewTime, modified: NewTime) -> Answer<()>;
    /// Sets the times of what a path names.
    fn set_times_at(&self, dir: Fd, path: &[u8], follow: bool, accessed: NewTime, modified: NewTime) -> Answer<()>;
    /// Lists a directory, in its own order and without `.` and `..`.
    fn list(&self, dir: Fd, each: &mut dyn FnMut(&[u8], Kind)) -> Answer<()>;
    /// Makes a directory.
    fn create_directory(&self, dir: Fd, path: &[u8]) -> Answer<()>;
    /// Removes an empty directory.
    fn remove_directory(&self, dir: Fd, path: &[u8]) -> Answer<()>;
    /// Removes a name of a file.
    fn unlink_file(&self, dir: Fd, path: &[u8]) -> Answer<()>;
    /// Renames a file or a directory.
    fn rename(&self, old_dir: Fd, old: &[u8], new_dir: Fd, new: &[u8]) -> Answer<()>;
    /// Makes a hard link.
    fn link(&self, old_dir: Fd, follow: bool, old: &[u8], new_dir: Fd, new: &[u8]) -> Answer<()>;
    /// Makes a symbolic link.
    fn symlink(&self, contents: &[u8], dir: Fd, path: &[u8]) -> Answer<()>;
    /// The contents of a symbolic link.
    fn readlink(&self, dir: Fd, path: &[u8]) -> Answer<Vec<u8>>;

    /// The listener on an address of this machine: handed over, or made when it is first asked for. Standard error says
    /// where it is.
    fn listen(&self) -> Answer<Fd>;
    /// Takes the next connection.
    fn accept(&self, listener: Fd, wait: bool) -> Answer<Fd>;
    /// Receives what has come. Nothing is the end.
    fn receive(&self, connection: Fd, most_bytes: usize, wait: bool) -> Answer<Vec<u8>>;
    /// Sends all of it.
    fn send(&self, connection: Fd, bytes: &[u8]) -> Answer<()>;
    /// Ends one or both directions.
    fn shutdown(&self, connection: Fd, receive: bool, send: bool) -> Answer<()>;
}

/// A standard stream that is written to.
#[derive(Clone, Copy)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// A clock.
#[derive(Clone, Copy)]
pub enum Clock {
    Realtime,
    Monotonic,
}

/// What is waited for.
#[derive(Clone, Copy)]
pub enum Wait {
    /// So many nanoseconds from now.
    For(u64),
    /// A time of the monotonic clock.
    Until(u64),
    /// Something to read from standard input, or its end.
    Stdin,
}

/// How something is opened.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct How {
    pub create: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub directory: bool,
    pub follow: bool,
    pub read: bool,
    pub write: bool,
    /// Each write goes to the end. Preview 1 says so of a descriptor when it is opened, the others of a stream.
    pub append: bool,
}

impl How {
    pub const READ: How = How {
        create: false,
        exclusive: false,
        truncate: false,
        directory: false,
        follow: false,
        read: true,
        write: false,
        append: false,
    };
    pub const WRITE: How = How { read: false, write: true, ..How::READ };
    pub const BOTH: How = How { write: true, ..How::READ };
    pub const CREATE: How = How { create: true, ..How::BOTH };
    pub const EMPTY: How = How { truncate: true, ..How::CREATE };
    pub const DIRECTORY: How = How { directory: true, ..How::READ };
}

impl Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = [
            (self.create, " create"),
            (self.exclusive, " exclusive"),
            (self.truncate, " truncate"),
            (self.directory, " directory"),
            (self.follow, " follow"),
            (self.append, " append"),
            (self.read, " read"),
            (self.write, " write"),
        ];
        flags.iter().filter(|(set, _)| *set).try_for_each(|(_, name)| f.write_str(name))
    }
}

/// What something open may be used for.
#[derive(Clone, Copy)]
pub struct Access {
    pub read: bool,
    pub write: bool,
    /// Of a directory: what is in it may be changed.
    pub mutate_directory: bool,
}

impl Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Access { read, write, mutate_directory } = self;
        write!(f, "read {read}, write {write}, mutate-directory {mutate_directory}")
    }
}

/// How a range will be used.
#[derive(Clone, Copy)]
pub enum Advice {
    Normal,
    Sequential,
    Random,
    WillNeed,
    DontNeed,
    NoReuse,
}

/// What something is. Preview 1 has no word for a FIFO, and so this has none: it is `Unknown`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Unknown,
    BlockDevice,
    CharacterDevice,
    Directory,
    RegularFile,
    Socket,
    SymbolicLink,
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Unknown => "unknown",
            Kind::BlockDevice => "block-device",
            Kind::CharacterDevice => "character-device",
            Kind::Directory => "directory",
            Kind::RegularFile => "regular-file",
            Kind::Socket => "socket",
            Kind::SymbolicLink => "symbolic-link",
        })
    }
}

/// A point in time: nanoseconds since 1970. Preview 1 has no later one than 2⁶⁴ of them, in the year 2554, and so this has
/// none either; nor one before 1970, which Preview 3 alone has.
pub type Time = u64;

/// What becomes of a time.
#[derive(Clone, Copy)]
pub enum NewTime {
    Keep,
    Now,
    At(Time),
}

impl Display for NewTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NewTime::Keep => f.write_str("keep"),
            NewTime::Now => f.write_str("now"),
            NewTime::At(time) => write!(f, "{time}"),
        }
    }
}

/// What is known of a file.
#[derive(Clone, Copy)]
pub struct Stat {
    pub kind: Kind,
    pub links: u64,
    pub size: u64,
    pub accessed: Time,
    pub modified: Time,
    /// Two numbers that tell files apart.
    pub identity: (u64, u64),
}

impl Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            // Of the rest, these numbers depend on the file system.
            Kind::RegularFile | Kind::SymbolicLink => {
                write!(f, "{}, {} bytes, {} links", self.kind, self.size, self.links)
            }
            kind => kind.fmt(f),
        }
    }
}

/// Steps with a name.
pub struct Scenario {
    group: &'static str,
    name: &'static str,
    steps: fn(&Stage<'_>),
}

/// A line of the table.
const fn scenario(group: &'static str, name: &'static str, steps: fn(&Stage<'_>)) -> Scenario {
    Scenario { group, name, steps }
}

/// All scenarios, by group: those of a group are run by one program, one after the other.
const TABLE: &[&[Scenario]] = &[
    opens::SCENARIOS,
    contents::SCENARIOS,
    directories::SCENARIOS,
    links::SCENARIOS,
    names::SCENARIOS,
    times::SCENARIOS,
    read_only::SCENARIOS,
    given::SCENARIOS,
    clocks::SCENARIOS,
    deterministic::SCENARIOS,
    limits::SCENARIOS,
    sockets::SCENARIOS,
];

/// Runs the group that the command line names.
pub fn run(wasi: &dyn Wasi) {
    let group = wasi.arguments().get(1).cloned().unwrap_or_default();
    let transcript = if group.ends_with(b"-on-stderr") { Stream::Stderr } else { Stream::Stdout };
    let stage = Stage { wasi, transcript, lines: RefCell::default() };
    let mut known = false;
    for scenario in TABLE.iter().copied().flatten().filter(|scenario| scenario.group.as_bytes() == group) {
        known = true;
        stage.line(format_args!("# {}", scenario.name));
        (scenario.steps)(&stage);
        stage.flush();
    }
    if !known {
        stage.line("usage: PROGRAM GROUP, with a group of the table");
        stage.flush();
        wasi.exit(2);
    }
}

/// A directory, and what it is called in the transcript.
#[derive(Clone, Copy)]
pub struct Dir {
    fd: Fd,
    name: &'static str,
}

/// Where scenarios are played: operations that are told, and the rest by [`Stage::wasi`].
pub struct Stage<'a> {
    wasi: &'a dyn Wasi,
    transcript: Stream,
    lines: RefCell<String>,
}

/// Bytes as they are told: what is not printable ASCII is escaped, and the middle of what is long left out.
fn escaped(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    if bytes.len() <= SHOWN {
        format!("`{}`", bytes.escape_ascii())
    } else {
        let (head, tail) = (&bytes[..16], &bytes[bytes.len() - 4..]);
        format!("`{}...{}` of {} bytes", head.escape_ascii(), tail.escape_ascii(), bytes.len())
    }
}

fn ok(_: &()) -> String {
    "ok".to_owned()
}

impl Stage<'_> {
    /// Adds a line to the transcript.
    fn line(&self, line: impl Display) {
        let mut lines = self.lines.borrow_mut();
        let _ = writeln!(lines, "{line}");
    }

    /// Writes what has been told so far.
    fn flush(&self) {
        let lines = std::mem::take(&mut *self.lines.borrow_mut());
        if self.wasi.write_to(self.transcript, lines.as_bytes()).is_err() {
            self.wasi.exit(3);
        }
    }

    /// Tells a step, and what came of it.
    fn tell<T>(&self, what: impl Display, answer: Answer<T>, shown: impl FnOnce(&T) -> String) -> Option<T> {
        match answer {
            Ok(value) => {
                self.line(format_args!("{what}: {}", shown(&value)));
                Some(value)
            }
            Err(word) => {
                self.line(format_args!("{what}: {word}"));
                None
            }
        }
    }

    /// Tells a step that has no result.
    fn done(&self, what: impl Display, answer: Answer<()>) {
        self.tell(what, answer, ok);
    }

    /// What must be so for a scenario to make sense. Else it says so, and ends.
    fn must<T>(&self, what: impl Display, answer: Answer<T>) -> T {
        answer.unwrap_or_else(|word| {
            self.line(format_args!("cannot go on: {what}: {word}"));
            self.flush();
            self.wasi.exit(4)
        })
    }

    /// The directory that was handed over to be changed.
    fn root(&self) -> Dir {
        let fd = self.must("no directory", self.wasi.handed_over("/rw").ok_or("no-entry"));
        Dir { fd, name: "" }
    }

    /// The one that was handed over to be read.
    fn read_only(&self) -> Dir {
        let fd = self.must("no directory", self.wasi.handed_over("/ro").ok_or("no-entry"));
        Dir { fd, name: "ro:" }
    }

    /// A directory in another, without a word about it.
    fn inside(&self, dir: Dir, path: &[u8], name: &'static str) -> Dir {
        Dir { fd: self.must(escaped(path), self.wasi.open(dir.fd, path, How::DIRECTORY)), name }
    }

    /// An open file with these contents, without a word about it.
    fn file(&self, dir: Dir, path: &[u8], contents: &[u8]) -> Fd {
        let file = self.must(escaped(path), self.wasi.open(dir.fd, path, How::EMPTY));
        self.must("write", self.wasi.write_from(file, 0, contents));
        file
    }

    /// The same, closed.
    fn write(&self, dir: Dir, path: &[u8], contents: &[u8]) {
        self.wasi.close(self.file(dir, path, contents));
    }

    /// Takes away what a scenario has left, whatever it is; that there is nothing is as good.
    fn clear(&self, dir: Dir, path: &[u8]) {
        if self.wasi.unlink_file(dir.fd, path).is_err() {
            let _ = self.wasi.remove_directory(dir.fd, path);
        }
    }

    fn open(&self, dir: Dir, path: &[u8], how: How) -> Option<Fd> {
        let opened = self.wasi.open(dir.fd, path, how);
        // It may be open, and then turn out to be what cannot be used.
        let stat = opened.and_then(|fd| self.wasi.stat(fd));
        self.tell(format_args!("open {}{}{how}", dir.name, escaped(path)), stat, Stat::to_string);
        opened.ok()
    }

    /// Opens and closes.
    fn try_open(&self, dir: Dir, path: &[u8], how: How) {
        if let Some(fd) = self.open(dir, path, how) {
            self.wasi.close(fd);
        }
    }

    fn read_at(&self, fd: Fd, offset: u64, most: usize) {
        let answer = self.wasi.read_at(fd, offset, most);
        self.tell(format_args!("read {most} at {offset}"), answer, |bytes| escaped(bytes));
    }

    fn read_from(&self, fd: Fd, offset: u64, most: usize) {
        let answer = self.wasi.read_from(fd, offset, most);
        self.tell(format_args!("read {most} from {offset} on"), answer, |bytes| escaped(bytes));
    }

    fn write_at(&self, fd: Fd, offset: u64, bytes: &[u8]) {
        let answer = self.wasi.write_at(fd, offset, bytes);
        self.tell(format_args!("write {} at {offset}", escaped(bytes)), answer, |written| format!("{written} bytes"));
    }

    fn write_from(&self, fd: Fd, offset: u64, bytes: &[u8]) {
        let answer = self.wasi.write_from(fd, offset, bytes);
        self.done(format_args!("write {} from {offset} on", escaped(bytes)), answer);
    }

    fn append(&self, fd: Fd, bytes: &[u8]) {
        self.done(format_args!("append {}", escaped(bytes)), self.wasi.append(fd, bytes));
    }

    fn set_size(&self, fd: Fd, bytes: u64) {
        self.done(format_args!("set-size {bytes}"), self.wasi.set_size(fd, bytes));
    }

    fn stat(&self, fd: Fd) {
        self.tell("stat", self.wasi.stat(fd), Stat::to_string);
    }

    fn access(&self, fd: Fd) {
        self.tell("access", self.wasi.access(fd), Access::to_string);
    }

    fn stat_at(&self, dir: Dir, path: &[u8], follow: bool) {
        let how = if follow { " followed" } else { "" };
        let answer = self.wasi.stat_at(dir.fd, path, follow);
        self.tell(format_args!("stat {}{}{how}", dir.name, escaped(path)), answer, Stat::to_string);
    }

    fn set_times(&self, fd: Fd, accessed: NewTime, modified: NewTime) {
        let answer = self.wasi.set_times(fd, accessed, modified);
        self.done(format_args!("set-times {accessed} {modified}"), answer);
    }

    fn set_times_at(&self, dir: Dir, path: &[u8], follow: bool, accessed: NewTime, modified: NewTime) {
        let how = if follow { " followed" } else { "" };
        let answer = self.wasi.set_times_at(dir.fd, path, follow, accessed, modified);
        self.done(format_args!("set-times {}{}{how} {accessed} {modified}", dir.name, escaped(path)), answer);
    }

    /// What is in a directory, sorted: its own order is nobody's business.
    fn listed(&self, dir: Fd) -> Answer<Vec<(Vec<u8>, Kind)>> {
        let mut entries = Vec::new();
        self.wasi.list(dir, &mut |name, kind| entries.push((name.to_owned(), kind)))?;
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(entries)
    }

    fn list(&self, dir: Dir) {
        let what = format!("list {}", dir.name);
        if let Some(entries) = self.tell(&what, self.listed(dir.fd), |entries| format!("{} entries", entries.len())) {
            for (name, kind) in entries {
                self.line(format_args!("  {} {kind}", escaped(&name)));
            }
        }
    }

    fn create_directory(&self, dir: Dir, path: &[u8]) {
        let answer = self.wasi.create_directory(dir.fd, path);
        self.done(format_args!("create-directory {}{}", dir.name, escaped(path)), answer);
    }

    fn remove_directory(&self, dir: Dir, path: &[u8]) {
        let answer = self.wasi.remove_directory(dir.fd, path);
        self.done(format_args!("remove-directory {}{}", dir.name, escaped(path)), answer);
    }

    fn unlink_file(&self, dir: Dir, path: &[u8]) {
        let answer = self.wasi.unlink_file(dir.fd, path);
        self.done(format_args!("unlink-file {}{}", dir.name, escaped(path)), answer);
    }

    fn rename(&self, old_dir: Dir, old: &[u8], new_dir: Dir, new: &[u8]) {
        let answer = self.wasi.rename(old_dir.fd, old, new_dir.fd, new);
        let (from, to) = (escaped(old), escaped(new));
        self.done(format_args!("rename {}{from} to {}{to}", old_dir.name, new_dir.name), answer);
    }

    fn link(&self, old_dir: Dir, old: &[u8], new_dir: Dir, new: &[u8]) {
        let answer = self.wasi.link(old_dir.fd, false, old, new_dir.fd, new);
        let (from, to) = (escaped(old), escaped(new));
        self.done(format_args!("link {}{from} as {}{to}", old_dir.name, new_dir.name), answer);
    }

    fn symlink(&self, contents: &[u8], dir: Dir, path: &[u8]) {
        let answer = self.wasi.symlink(contents, dir.fd, path);
        self.done(format_args!("symlink {} at {}{}", escaped(contents), dir.name, escaped(path)), answer);
    }

    fn readlink(&self, dir: Dir, path: &[u8]) {
        let answer = self.wasi.readlink(dir.fd, path);
        self.tell(format_args!("readlink {}{}", dir.name, escaped(path)), answer, |contents| escaped(contents));
    }

    /// What is in a file, as far as one read tells.
    fn show(&self, dir: Dir, path: &[u8]) {
        let answer = self.wasi.open(dir.fd, path, How::READ).and_then(|file| {
            let contents = self.wasi.read_at(file, 0, 4096);
            self.wasi.close(file);
            contents
        });
        self.tell(format_args!("contents of {}{}", dir.name, escaped(path)), answer, |contents| escaped(contents));
    }
}
