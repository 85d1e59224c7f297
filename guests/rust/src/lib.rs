//! WASI Preview 1 as a guest sees it, declared by hand: the imports, the records that cross the boundary, and thin safe
//! wrappers. Programs use it where `std` hides what they are about. Natively there is nothing here.
//!
//! Source of truth: `wasi_snapshot_preview1.witx`.

#![cfg(target_os = "wasi")]

use std::fmt;

/// A descriptor.
pub type Fd = u32;

/// What a call answers: 0, or why not.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Errno(pub u16);

impl Errno {
    /// The standard's name of it.
    pub fn name(self) -> &'static str {
        ERRNO_NAMES.get(usize::from(self.0)).copied().unwrap_or("unknown")
    }

    fn or<T>(self, value: T) -> Result<T, Errno> {
        if self == SUCCESS { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<&std::io::Error> for Errno {
    /// `std` keeps the number that the host answered.
    fn from(error: &std::io::Error) -> Errno {
        Errno(error.raw_os_error().and_then(|code| u16::try_from(code).ok()).unwrap_or(u16::MAX))
    }
}

/// No error.
pub const SUCCESS: Errno = Errno(0);
/// Bad file descriptor.
pub const BADF: Errno = Errno(8);
/// Too many descriptors in this process.
pub const MFILE: Errno = Errno(33);
/// Too many descriptors in the whole system.
pub const NFILE: Errno = Errno(41);
/// No such file or directory.
pub const NOENT: Errno = Errno(44);

#[rustfmt::skip]
const ERRNO_NAMES: [&str; 77] = [
    "success", "2big", "acces", "addrinuse", "addrnotavail", "afnosupport", "again", "already", "badf", "badmsg", "busy",
    "canceled", "child", "connaborted", "connrefused", "connreset", "deadlk", "destaddrreq", "dom", "dquot", "exist",
    "fault", "fbig", "hostunreach", "idrm", "ilseq", "inprogress", "intr", "inval", "io", "isconn", "isdir", "loop",
    "mfile", "mlink", "msgsize", "multihop", "nametoolong", "netdown", "netreset", "netunreach", "nfile", "nobufs",
    "nodev", "noent", "noexec", "nolck", "nolink", "nomem", "nomsg", "noprotoopt", "nospc", "nosys", "notconn", "notdir",
    "notempty", "notrecoverable", "notsock", "notsup", "notty", "nxio", "overflow", "ownerdead", "perm", "pipe", "proto",
    "protonosupport", "prototype", "range", "rofs", "spipe", "srch", "stale", "timedout", "txtbsy", "xdev", "notcapable",
];

/// `clockid`: the wall clock.
pub const CLOCK_REALTIME: u32 = 0;
/// `clockid`: the clock that never goes back.
pub const CLOCK_MONOTONIC: u32 = 1;

/// `rights`: what a descriptor may be used for.
pub mod rights {
    #![allow(missing_docs)]
    pub const FD_READ: u64 = 1 << 1;
    pub const FD_SEEK: u64 = 1 << 2;
    pub const FD_WRITE: u64 = 1 << 6;
    pub const PATH_OPEN: u64 = 1 << 13;
    pub const FD_READDIR: u64 = 1 << 14;
    /// `fd_datasync`, `fd_write`, `fd_allocate`, `fd_filestat_set_size`.
    pub const OF_FILES_TO_WRITE: u64 = 1 | FD_WRITE | 1 << 8 | 1 << 22;
}

/// `lookupflags`: a symbolic link at the end of the path is followed.
pub const SYMLINK_FOLLOW: u32 = 1;
/// `oflags`: make the file if there is none.
pub const O_CREAT: u16 = 1;
/// `oflags`: fail unless it is a directory.
pub const O_DIRECTORY: u16 = 2;
/// `oflags`: empty the file.
pub const O_TRUNC: u16 = 8;
/// `fstflags`: set the time of last access, and of last change, to now.
pub const SET_BOTH_TIMES_NOW: u16 = 2 | 8;

/// A buffer to read into.
#[derive(Debug)]
#[repr(C)]
pub struct Iovec {
    /// Where it begins.
    pub buf: *mut u8,
    /// How long it is.
    pub len: usize,
}

/// A buffer to write from.
#[derive(Debug)]
#[repr(C)]
pub struct Ciovec {
    /// Where it begins.
    pub buf: *const u8,
    /// How long it is.
    pub len: usize,
}

/// Attributes of a descriptor.
#[derive(Debug, Default, Clone, Copy)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Fdstat {
    pub filetype: u8,
    pub flags: u16,
    pub rights_base: u64,
    pub rights_inheriting: u64,
}

/// Attributes of a file.
#[derive(Debug, Default, Clone, Copy)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Filestat {
    pub dev: u64,
    pub ino: u64,
    pub filetype: u8,
    pub nlink: u64,
    pub size: u64,
    pub atim: u64,
    pub mtim: u64,
    pub ctim: u64,
}

/// The bytes before each name that `fd_readdir` writes.
pub const DIRENT_SIZE: usize = 24;

/// One entry in a buffer of `fd_readdir`.
#[derive(Debug, Clone, Copy)]
pub struct Dirent<'a> {
    /// The cookie of the entry after it.
    pub next: u64,
    /// What it is: a `filetype`.
    pub filetype: u8,
    /// Its name, as raw bytes.
    pub name: &'a [u8],
}

/// The whole entries in what `fd_readdir` wrote; it may cut the last one off.
pub fn dirents(mut buffer: &[u8]) -> impl Iterator<Item = Dirent<'_>> {
    std::iter::from_fn(move || {
        let (head, rest) = buffer.split_first_chunk::<DIRENT_SIZE>()?;
        let length = u32::from_le_bytes([head[16], head[17], head[18], head[19]]) as usize;
        let name = rest.get(..length)?;
        buffer = &rest[length..];
        let next = u64::from_le_bytes([head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]]);
        Some(Dirent { next, filetype: head[20], name })
    })
}

/// The standard's name of a `filetype`.
pub fn filetype_name(filetype: u8) -> &'static str {
    const NAMES: [&str; 8] = [
        "unknown",
        "block_device",
        "character_device",
        "directory",
        "regular_file",
        "socket_dgram",
        "socket_stream",
        "symbolic_link",
    ];
    NAMES.get(usize::from(filetype)).copied().unwrap_or("invalid")
}

/// `eventtype`: a clock.
pub const EVENT_CLOCK: u8 = 0;
/// `eventtype`: a descriptor that can be read.
pub const EVENT_FD_READ: u8 = 1;
/// `eventtype`: a descriptor that can be written.
pub const EVENT_FD_WRITE: u8 = 2;
/// `subclockflags`: the timeout is a point in time, not a duration.
pub const ABSTIME: u16 = 1;
/// `eventrwflags`: the other side has gone.
pub const HANGUP: u16 = 1;

/// What to wait for.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Subscription {
    /// Comes back in the event.
    pub userdata: u64,
    tag: u8,
    body: SubscriptionBody,
}

/// The two members of the union in one: a clock, or (in the place of its `id`) a descriptor.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct SubscriptionBody {
    id: u32,
    timeout: u64,
    precision: u64,
    flags: u16,
}

impl Subscription {
    /// Waits for a clock.
    pub fn clock(userdata: u64, clock: u32, timeout: u64, flags: u16) -> Subscription {
        let body = SubscriptionBody { id: clock, timeout, precision: 1, flags };
        Subscription { userdata, tag: EVENT_CLOCK, body }
    }

    /// Waits until a descriptor can be read (`EVENT_FD_READ`) or written (`EVENT_FD_WRITE`).
    pub fn descriptor(userdata: u64, event: u8, fd: Fd) -> Subscription {
        let body = SubscriptionBody { id: fd, timeout: 0, precision: 0, flags: 0 };
        Subscription { userdata, tag: event, body }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Event {
    pub userdata: u64,
    pub error: Errno,
    pub kind: u8,
    pub nbytes: u64,
    pub flags: u16,
}

impl Event {
    /// To be filled in by `poll_oneoff`.
    pub const NONE: Event = Event { userdata: 0, error: SUCCESS, kind: 0, nbytes: 0, flags: 0 };
}

/// The imports as they are.
pub mod raw {
    #![allow(missing_docs)]
    use super::*;

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub fn clock_res_get(clock: u32, resolution: *mut u64) -> Errno;
        pub fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> Errno;
        pub fn fd_close(fd: Fd) -> Errno;
        pub fn fd_fdstat_get(fd: Fd, stat: *mut Fdstat) -> Errno;
        pub fn fd_prestat_get(fd: Fd, prestat: *mut [u32; 2]) -> Errno;
        pub fn fd_prestat_dir_name(fd: Fd, path: *mut u8, len: usize) -> Errno;
        pub fn fd_read(fd: Fd, iovs: *const Iovec, len: usize, read: *mut usize) -> Errno;
        pub fn fd_readdir(fd: Fd, buf: *mut u8, len: usize, cookie: u64, used: *mut usize) -> Errno;
        pub fn fd_seek(fd: Fd, offset: i64, whence: u32, new: *mut u64) -> Errno;
        pub fn fd_write(fd: Fd, iovs: *const Ciovec, len: usize, written: *mut usize) -> Errno;
        pub fn path_create_directory(dir: Fd, path: *const u8, len: usize) -> Errno;
        pub fn path_filestat_get(dir: Fd, lookup: u32, path: *const u8, len: usize, stat: *mut Filestat) -> Errno;
        pub fn path_filestat_set_times(
            dir: Fd,
            lookup: u32,
            path: *const u8,
            len: usize,
            atim: u64,
            mtim: u64,
            which: u32,
        ) -> Errno;
        pub fn path_link(
            old_dir: Fd,
            lookup: u32,
            old: *const u8,
            old_len: usize,
            new_dir: Fd,
            new: *const u8,
            new_len: usize,
        ) -> Errno;
        pub fn path_open(
            dir: Fd,
            lookup: u32,
            path: *const u8,
            len: usize,
            oflags: u32,
            base: u64,
            inheriting: u64,
            fdflags: u32,
            opened: *mut Fd,
        ) -> Errno;
        pub fn path_readlink(
            dir: Fd,
            path: *const u8,
            len: usize,
            buf: *mut u8,
            buf_len: usize,
            used: *mut usize,
        ) -> Errno;
        pub fn path_remove_directory(dir: Fd, path: *const u8, len: usize) -> Errno;
        pub fn path_rename(
            old_dir: Fd,
            old: *const u8,
            old_len: usize,
            new_dir: Fd,
            new: *const u8,
            new_len: usize,
        ) -> Errno;
        pub fn path_symlink(target: *const u8, target_len: usize, dir: Fd, path: *const u8, len: usize) -> Errno;
        pub fn path_unlink_file(dir: Fd, path: *const u8, len: usize) -> Errno;
        pub fn poll_oneoff(waits: *const Subscription, events: *mut Event, len: usize, happened: *mut usize) -> Errno;
        pub fn random_get(buf: *mut u8, len: usize) -> Errno;
    }
}

/// Calls an import.
macro_rules! call {
    ($($call:tt)*) => {{
        // SAFETY: in all the wrappers below, each pointer comes from a reference or a slice that lives as long as the
        // call, and goes with its own length.
        unsafe { raw::$($call)* }
    }};
}

/// The finest step of a clock, in nanoseconds.
pub fn clock_res_get(clock: u32) -> Result<u64, Errno> {
    let mut resolution = 0;
    call!(clock_res_get(clock, &mut resolution)).or(resolution)
}

/// The time of a clock, in nanoseconds.
pub fn clock_time_get(clock: u32) -> Result<u64, Errno> {
    let mut time = 0;
    call!(clock_time_get(clock, 1, &mut time)).or(time)
}

/// Closes a descriptor.
pub fn fd_close(fd: Fd) -> Result<(), Errno> {
    call!(fd_close(fd)).or(())
}

/// The attributes of a descriptor.
pub fn fd_fdstat_get(fd: Fd) -> Result<Fdstat, Errno> {
    let mut stat = Fdstat::default();
    call!(fd_fdstat_get(fd, &mut stat)).or(stat)
}

/// Reads once, into one buffer.
pub fn fd_read(fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
    let iovec = Iovec { buf: buffer.as_mut_ptr(), len: buffer.len() };
    let mut read = 0;
    call!(fd_read(fd, &iovec, 1, &mut read)).or(read)
}

/// Reads entries of a directory, from a cookie on; says how much of the buffer was used.
pub fn fd_readdir(fd: Fd, buffer: &mut [u8], cookie: u64) -> Result<usize, Errno> {
    let mut used = 0;
    call!(fd_readdir(fd, buffer.as_mut_ptr(), buffer.len(), cookie, &mut used)).or(used)
}

/// Moves to an offset from the beginning.
pub fn fd_seek(fd: Fd, offset: i64) -> Result<u64, Errno> {
    let mut new = 0;
    call!(fd_seek(fd, offset, 0, &mut new)).or(new)
}

/// Writes once, from one buffer.
pub fn fd_write(fd: Fd, buffer: &[u8]) -> Result<usize, Errno> {
    let ciovec = Ciovec { buf: buffer.as_ptr(), len: buffer.len() };
    let mut written = 0;
    call!(fd_write(fd, &ciovec, 1, &mut written)).or(written)
}

/// Makes a directory.
pub fn path_create_directory(dir: Fd, path: &[u8]) -> Result<(), Errno> {
    call!(path_create_directory(dir, path.as_ptr(), path.len())).or(())
}

/// The attributes of a file.
pub fn path_filestat_get(dir: Fd, lookup: u32, path: &[u8]) -> Result<Filestat, Errno> {
    let mut stat = Filestat::default();
    call!(path_filestat_get(dir, lookup, path.as_ptr(), path.len(), &mut stat)).or(stat)
}

/// Sets both times of a file to now.
pub fn path_filestat_set_times_now(dir: Fd, lookup: u32, path: &[u8]) -> Result<(), Errno> {
    let which = u32::from(SET_BOTH_TIMES_NOW);
    call!(path_filestat_set_times(dir, lookup, path.as_ptr(), path.len(), 0, 0, which)).or(())
}

/// Makes a hard link.
pub fn path_link(dir: Fd, lookup: u32, old: &[u8], new: &[u8]) -> Result<(), Errno> {
    call!(path_link(dir, lookup, old.as_ptr(), old.len(), dir, new.as_ptr(), new.len())).or(())
}

/// Opens a file or a directory; what it is opened from passes its rights on.
pub fn path_open(dir: Fd, lookup: u32, path: &[u8], oflags: u16, base: u64) -> Result<Fd, Errno> {
    let mut opened = 0;
    let (data, len, oflags) = (path.as_ptr(), path.len(), u32::from(oflags));
    call!(path_open(dir, lookup, data, len, oflags, base, base, 0, &mut opened)).or(opened)
}

/// Reads a symbolic link; says how much of the buffer was used.
pub fn path_readlink(dir: Fd, path: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut used = 0;
    call!(path_readlink(dir, path.as_ptr(), path.len(), buffer.as_mut_ptr(), buffer.len(), &mut used)).or(used)
}

/// Removes an empty directory.
pub fn path_remove_directory(dir: Fd, path: &[u8]) -> Result<(), Errno> {
    call!(path_remove_directory(dir, path.as_ptr(), path.len())).or(())
}

/// Renames a file or a directory.
pub fn path_rename(dir: Fd, old: &[u8], new: &[u8]) -> Result<(), Errno> {
    call!(path_rename(dir, old.as_ptr(), old.len(), dir, new.as_ptr(), new.len())).or(())
}

/// Makes a symbolic link.
pub fn path_symlink(target: &[u8], dir: Fd, path: &[u8]) -> Result<(), Errno> {
    call!(path_symlink(target.as_ptr(), target.len(), dir, path.as_ptr(), path.len())).or(())
}

/// Removes a name of a file.
pub fn path_unlink_file(dir: Fd, path: &[u8]) -> Result<(), Errno> {
    call!(path_unlink_file(dir, path.as_ptr(), path.len())).or(())
}

/// Waits until at least one of the subscriptions has happened.
pub fn poll_oneoff(waits: &[Subscription]) -> Result<Vec<Event>, Errno> {
    let mut events = vec![Event::NONE; waits.len()];
    let mut happened = 0;
    call!(poll_oneoff(waits.as_ptr(), events.as_mut_ptr(), waits.len(), &mut happened)).or(())?;
    events.truncate(happened);
    Ok(events)
}

/// Fills a buffer with random bytes.
pub fn random_get(buffer: &mut [u8]) -> Result<(), Errno> {
    call!(random_get(buffer.as_mut_ptr(), buffer.len())).or(())
}

/// The directories that were handed over, from descriptor 3 on, with the names that they go by.
pub fn preopens() -> impl Iterator<Item = (Fd, Vec<u8>)> {
    (3..).map_while(|fd| {
        let mut prestat = [0; 2];
        call!(fd_prestat_get(fd, &mut prestat)).or(()).ok()?;
        let mut name = vec![0; prestat[1] as usize];
        call!(fd_prestat_dir_name(fd, name.as_mut_ptr(), name.len())).or(()).ok()?;
        Some((fd, name))
    })
}

/// A descriptor of a directory that was handed over under this name, or of one in it.
pub fn directory(path: &str) -> Result<Fd, Errno> {
    let below = |name: &[u8]| {
        let rest = path.as_bytes().strip_prefix(name)?;
        if rest.is_empty() || name.ends_with(b"/") { Some(rest) } else { rest.strip_prefix(b"/") }
    };
    let granted = preopens().filter_map(|(fd, name)| Some((fd, below(&name)?)));
    let (fd, rest) = granted.min_by_key(|(_, rest)| rest.len()).ok_or(NOENT)?;
    if rest.is_empty() {
        return Ok(fd);
    }
    open_directory(fd, rest)
}

/// Opens a directory, for all that its parent may do.
pub fn open_directory(dir: Fd, path: &[u8]) -> Result<Fd, Errno> {
    let Fdstat { rights_base, rights_inheriting, .. } = fd_fdstat_get(dir)?;
    // A host that opens for writing where these are asked for is told by its system that directories are not for that.
    let base = rights_base & !rights::OF_FILES_TO_WRITE;
    let mut opened = 0;
    let (data, len, oflags) = (path.as_ptr(), path.len(), u32::from(O_DIRECTORY));
    call!(path_open(dir, SYMLINK_FOLLOW, data, len, oflags, base, rights_inheriting, 0, &mut opened)).or(opened)
}

/// Bytes as they can be printed: what is not printable ASCII is escaped, and the middle of what is long left out.
pub fn escaped(bytes: &[u8]) -> String {
    const SHOWN: usize = 80;
    if bytes.len() <= SHOWN {
        format!("\"{}\"", bytes.escape_ascii())
    } else {
        format!("\"{}\"... ({} bytes)", bytes[..16].escape_ascii(), bytes.len())
    }
}

/// Says on standard error why the program cannot go on, and ends it.
pub fn fail(what: &str, error: impl fmt::Display) -> ! {
    eprintln!("{what}: {error}");
    std::process::exit(1)
}

/// Keeps the records as the witx file lays them out.
const _: () = {
    assert!(size_of::<Fdstat>() == 24 && size_of::<Filestat>() == 64);
    assert!(size_of::<Subscription>() == 48 && size_of::<Event>() == 32);
    assert!(size_of::<Iovec>() == 8 && size_of::<Ciovec>() == 8);
};
