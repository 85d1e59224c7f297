//! The scenarios of `parity`, by the imports of Preview 1 themselves: `parity_p1 GROUP`.
//!
//! It wants a directory `/rw`, a directory `/ro` to be read, and for sockets a listener. What it prints is what `parity_p2`
//! prints.

#[path = "../../../parity/mod.rs"]
mod parity;

use guests::{
    Ciovec, Errno, Event, Fdstat, Filestat, Iovec, O_CREAT, O_DIRECTORY, O_TRUNC, SUCCESS, Subscription, raw, rights,
};

use parity::{Access, Advice, Answer, Clock, Fd, How, Kind, NewTime, Stat, Stream, Wait, Wasi, Word};

/// `oflags`: fail if there is one.
const O_EXCL: u16 = 4;
/// `fdflags`
const APPEND: u32 = 1;
const NONBLOCK: u32 = 4;
/// Bytes of a listing that are asked for at once: few, so that a listing goes on by its cookies.
const LISTED: usize = 512;

// What the library does not have.
#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn args_sizes_get(count: *mut usize, bytes: *mut usize) -> Errno;
    fn args_get(pointers: *mut *mut u8, bytes: *mut u8) -> Errno;
    fn environ_sizes_get(count: *mut usize, bytes: *mut usize) -> Errno;
    fn environ_get(pointers: *mut *mut u8, bytes: *mut u8) -> Errno;
    fn fd_advise(fd: Fd, offset: u64, len: u64, advice: u32) -> Errno;
    fn fd_datasync(fd: Fd) -> Errno;
    fn fd_fdstat_set_flags(fd: Fd, flags: u32) -> Errno;
    fn fd_filestat_get(fd: Fd, stat: *mut Filestat) -> Errno;
    fn fd_filestat_set_size(fd: Fd, size: u64) -> Errno;
    fn fd_filestat_set_times(fd: Fd, atim: u64, mtim: u64, which: u32) -> Errno;
    fn fd_pread(fd: Fd, iovs: *const Iovec, len: usize, offset: u64, read: *mut usize) -> Errno;
    fn fd_pwrite(fd: Fd, iovs: *const Ciovec, len: usize, offset: u64, written: *mut usize) -> Errno;
    fn fd_sync(fd: Fd) -> Errno;
    fn proc_exit(status: u32) -> !;
    fn sock_accept(fd: Fd, flags: u32, opened: *mut Fd) -> Errno;
    fn sock_recv(fd: Fd, iovs: *const Iovec, len: usize, flags: u32, received: *mut usize, ro_flags: *mut u16)
    -> Errno;
    fn sock_send(fd: Fd, iovs: *const Ciovec, len: usize, flags: u32, sent: *mut usize) -> Errno;
    fn sock_shutdown(fd: Fd, how: u32) -> Errno;
}

/// The imports.
struct Preview1;

fn main() {
    parity::run(&Preview1);
}

/// A number in the words of `wasi:filesystem/types` and `wasi:sockets/network`.
fn word(errno: Errno) -> Word {
    match errno.0 {
        2 => "access",
        6 => "would-block",
        7 => "already",
        8 => "bad-descriptor",
        10 => "busy",
        13 => "connection-aborted",
        15 => "connection-reset",
        19 => "quota",
        20 => "exist",
        22 => "file-too-large",
        25 => "illegal-byte-sequence",
        26 => "in-progress",
        27 => "interrupted",
        28 => "invalid",
        29 => "io",
        31 => "is-directory",
        32 => "loop",
        34 => "too-many-links",
        35 => "message-size",
        37 => "name-too-long",
        // `nfile`: Preview 2 has no word for descriptors, which are memory there.
        41 | 48 => "insufficient-memory",
        43 => "no-device",
        44 => "no-entry",
        46 => "no-lock",
        51 => "insufficient-space",
        53 => "not-connected",
        54 => "not-directory",
        55 => "not-empty",
        56 => "not-recoverable",
        57 => "not-socket",
        58 => "unsupported",
        59 => "no-tty",
        60 => "no-such-device",
        61 => "overflow",
        63 => "not-permitted",
        64 => "pipe",
        69 => "read-only",
        70 => "invalid-seek",
        73 => "timeout",
        74 => "text-file-busy",
        75 => "cross-device",
        76 => "not-capable",
        _ => "of no word",
    }
}

fn answer<T>(errno: Errno, value: T) -> Answer<T> {
    if errno == SUCCESS { Ok(value) } else { Err(word(errno)) }
}

/// Calls an import.
macro_rules! call {
    ($($call:tt)*) => {{
        // SAFETY: in all of the below, each pointer comes from a reference or a slice that lives as long as the call, and
        // goes with its own length.
        unsafe { $($call)* }
    }};
}

/// Calls an import that reads into one buffer.
fn reading(most: usize, call: impl FnOnce(&Iovec, &mut usize) -> Errno) -> Answer<Vec<u8>> {
    let mut buffer = vec![0; most];
    let iovec = Iovec { buf: buffer.as_mut_ptr(), len: buffer.len() };
    let mut read = 0;
    answer(call(&iovec, &mut read), ())?;
    buffer.truncate(read);
    Ok(buffer)
}

/// Calls an import that writes from one buffer.
fn writing(bytes: &[u8], call: impl FnOnce(&Ciovec, &mut usize) -> Errno) -> Answer<usize> {
    let ciovec = Ciovec { buf: bytes.as_ptr(), len: bytes.len() };
    let mut written = 0;
    answer(call(&ciovec, &mut written), ())?;
    Ok(written)
}

/// Writes all of it at the descriptor's place, once at least: what cannot be written fails also where it is nothing.
fn write_all(fd: Fd, mut bytes: &[u8]) -> Answer<()> {
    loop {
        let written = writing(bytes, |ciovec, written| call!(raw::fd_write(fd, ciovec, 1, written)))?;
        bytes = &bytes[written..];
        if bytes.is_empty() {
            return Ok(());
        }
    }
}

/// Words that the host lists, each with a zero at its end.
fn words(
    sizes: unsafe extern "C" fn(*mut usize, *mut usize) -> Errno,
    get: unsafe extern "C" fn(*mut *mut u8, *mut u8) -> Errno,
) -> Vec<Vec<u8>> {
    let (mut count, mut bytes) = (0, 0);
    if call!(sizes(&mut count, &mut bytes)) != SUCCESS {
        return Vec::new();
    }
    let (mut pointers, mut buffer) = (vec![std::ptr::null_mut(); count], vec![0; bytes]);
    if call!(get(pointers.as_mut_ptr(), buffer.as_mut_ptr())) != SUCCESS {
        return Vec::new();
    }
    buffer.split_inclusive(|byte| *byte == 0).map(|word| word[..word.len() - 1].to_vec()).collect()
}

fn kind(filetype: u8) -> Kind {
    match filetype {
        1 => Kind::BlockDevice,
        2 => Kind::CharacterDevice,
        3 => Kind::Directory,
        4 => Kind::RegularFile,
        5 | 6 => Kind::Socket,
        7 => Kind::SymbolicLink,
        _ => Kind::Unknown,
    }
}

fn shown(stat: Filestat) -> Stat {
    Stat {
        kind: kind(stat.filetype),
        links: stat.nlink,
        size: stat.size,
        accessed: stat.atim,
        modified: stat.mtim,
        identity: (stat.ino, stat.dev),
    }
}

/// `atim`, `mtim` and `fstflags`.
fn new_times(accessed: NewTime, modified: NewTime) -> (u64, u64, u32) {
    let one = |time, set: u32, now: u32| match time {
        NewTime::Keep => (0, 0),
        NewTime::Now => (0, now),
        NewTime::At(time) => (time, set),
    };
    let ((atim, first), (mtim, second)) = (one(accessed, 1, 2), one(modified, 4, 8));
    (atim, mtim, first | second)
}

fn follow(follow: bool) -> u32 {
    u32::from(follow)
}

fn clock(clock: Clock) -> u32 {
    match clock {
        Clock::Realtime => guests::CLOCK_REALTIME,
        Clock::Monotonic => guests::CLOCK_MONOTONIC,
    }
}

fn stream(stream: Stream) -> Fd {
    match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    }
}

fn fdstat(fd: Fd) -> Answer<Fdstat> {
    guests::fd_fdstat_get(fd).map_err(word)
}

impl Wasi for Preview1 {
    fn arguments(&self) -> Vec<Vec<u8>> {
        words(args_sizes_get, args_get)
    }

    fn variables(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let pair = |variable: Vec<u8>| {
            let end = variable.iter().position(|byte| *byte == b'=').unwrap_or(variable.len());
            (variable[..end].to_vec(), variable.get(end + 1..).unwrap_or_default().to_vec())
        };
        words(environ_sizes_get, environ_get).into_iter().map(pair).collect()
    }

    fn exit(&self, status: u8) -> ! {
        call!(proc_exit(status.into()))
    }

    fn random(&self, bytes: usize) -> Vec<u8> {
        let mut random = vec![0; bytes];
        guests::random_get(&mut random).expect("random_get");
        random
    }

    fn read_stdin(&self, most: usize) -> Answer<Vec<u8>> {
        reading(most, |iovec, read| call!(raw::fd_read(0, iovec, 1, read)))
    }

    fn write_to(&self, to: Stream, bytes: &[u8]) -> Answer<()> {
        write_all(stream(to), bytes)
    }

    fn now(&self, of: Clock) -> u64 {
        guests::clock_time_get(clock(of)).expect("clock_time_get")
    }

    fn resolution(&self, of: Clock) -> u64 {
        guests::clock_res_get(clock(of)).expect("clock_res_get")
    }

    fn poll(&self, waits: &[Wait]) -> Vec<usize> {
        let subscription = |(index, wait): (usize, &Wait)| match *wait {
            Wait::For(time) => Subscription::clock(index as u64, guests::CLOCK_MONOTONIC, time, 0),
            Wait::Until(time) => Subscription::clock(index as u64, guests::CLOCK_MONOTONIC, time, guests::ABSTIME),
            Wait::Stdin => Subscription::descriptor(index as u64, guests::EVENT_FD_READ, 0),
        };
        let subscriptions: Vec<Subscription> = waits.iter().enumerate().map(subscription).collect();
        let events: Vec<Event> = guests::poll_oneoff(&subscriptions).expect("poll_oneoff");
        let mut happened: Vec<usize> = events.iter().map(|event| event.userdata as usize).collect();
        happened.sort_unstable();
        happened
    }

    fn handed_over(&self, name: &str) -> Option<Fd> {
        guests::preopens().find(|(_, known)| known == name.as_bytes()).map(|(fd, _)| fd)
    }

    fn open(&self, dir: Fd, path: &[u8], how: How) -> Answer<Fd> {
        let mut oflags = 0;
        for (set, flag) in
            [(how.create, O_CREAT), (how.directory, O_DIRECTORY), (how.exclusive, O_EXCL), (how.truncate, O_TRUNC)]
        {
            oflags |= if set { u32::from(flag) } else { 0 };
        }
        // Which rights are asked for says no more than whether to read and to write: what is asked for here is all the
        // rest, as wasi-libc does.
        let mut base = !(rights::FD_READ | rights::FD_READDIR | rights::OF_FILES_TO_WRITE) & ((1 << 30) - 1);
        if how.read {
            base |= rights::FD_READ | rights::FD_READDIR;
        }
        if how.write {
            base |= rights::OF_FILES_TO_WRITE;
        }
        let fdflags = if how.append { APPEND } else { 0 };
        let (data, len, lookup, inheriting) = (path.as_ptr(), path.len(), follow(how.follow), (1 << 30) - 1);
        let mut opened = 0;
        let errno = call!(raw::path_open(dir, lookup, data, len, oflags, base, inheriting, fdflags, &mut opened));
        answer(errno, opened)
    }

    fn close(&self, fd: Fd) {
        guests::fd_close(fd).expect("fd_close");
    }

    fn access(&self, fd: Fd) -> Answer<Access> {
        const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
        let Fdstat { filetype, rights_base, .. } = fdstat(fd)?;
        let is_directory = kind(filetype) == Kind::Directory;
        // A directory is read by right of listing it, and never written.
        let reading = if is_directory { rights::FD_READDIR } else { rights::FD_READ };
        Ok(Access {
            read: rights_base & reading != 0,
            write: !is_directory && rights_base & rights::FD_WRITE != 0,
            mutate_directory: is_directory && rights_base & PATH_CREATE_DIRECTORY != 0,
        })
    }

    fn read_at(&self, fd: Fd, offset: u64, most: usize) -> Answer<Vec<u8>> {
        reading(most, |iovec, read| call!(fd_pread(fd, iovec, 1, offset, read)))
    }

    fn read_from(&self, fd: Fd, offset: u64, most: usize) -> Answer<Vec<u8>> {
        guests::fd_seek(fd, offset as i64).map_err(word)?;
        reading(most, |iovec, read| call!(raw::fd_read(fd, iovec, 1, read)))
    }

    fn write_at(&self, fd: Fd, offset: u64, bytes: &[u8]) -> Answer<usize> {
        writing(bytes, |ciovec, written| call!(fd_pwrite(fd, ciovec, 1, offset, written)))
    }

    fn write_from(&self, fd: Fd, offset: u64, bytes: &[u8]) -> Answer<()> {
        guests::fd_seek(fd, offset as i64).map_err(word)?;
        write_all(fd, bytes)
    }

    fn append(&self, fd: Fd, bytes: &[u8]) -> Answer<()> {
        write_all(fd, bytes)
    }

    /// A file that was not opened to be written lacks a right here, for which others have no word.
    fn set_size(&self, fd: Fd, bytes: u64) -> Answer<()> {
        answer(call!(fd_filestat_set_size(fd, bytes)), ()).map_err(|word| match word {
            "not-capable" => "bad-descriptor",
            word => word,
        })
    }

    fn advise(&self, fd: Fd, offset: u64, bytes: u64, advice: Advice) -> Answer<()> {
        let number = match advice {
            Advice::Normal => 0,
            Advice::Sequential => 1,
            Advice::Random => 2,
            Advice::WillNeed => 3,
            Advice::DontNeed => 4,
            Advice::NoReuse => 5,
        };
        answer(call!(fd_advise(fd, offset, bytes, number)), ())
    }

    fn sync(&self, fd: Fd, data_only: bool) -> Answer<()> {
        answer(if data_only { call!(fd_datasync(fd)) } else { call!(fd_sync(fd)) }, ())
    }

    fn stat(&self, fd: Fd) -> Answer<Stat> {
        let mut stat = Filestat::default();
        answer(call!(fd_filestat_get(fd, &mut stat)), ())?;
        Ok(shown(stat))
    }

    fn stat_at(&self, dir: Fd, path: &[u8], followed: bool) -> Answer<Stat> {
        guests::path_filestat_get(dir, follow(followed), path).map(shown).map_err(word)
    }

    fn set_times(&self, fd: Fd, accessed: NewTime, modified: NewTime) -> Answer<()> {
        let (atim, mtim, which) = new_times(accessed, modified);
        answer(call!(fd_filestat_set_times(fd, atim, mtim, which)), ())
    }

    fn set_times_at(&self, dir: Fd, path: &[u8], followed: bool, accessed: NewTime, modified: NewTime) -> Answer<()> {
        let (atim, mtim, which) = new_times(accessed, modified);
        let (data, len, lookup) = (path.as_ptr(), path.len(), follow(followed));
        answer(call!(raw::path_filestat_set_times(dir, lookup, data, len, atim, mtim, which)), ())
    }

    fn list(&self, dir: Fd, each: &mut dyn FnMut(&[u8], Kind)) -> Answer<()> {
        let mut buffer = [0; LISTED];
        let mut cookie = 0;
        loop {
            let used = guests::fd_readdir(dir, &mut buffer, cookie).map_err(word)?;
            for entry in guests::dirents(&buffer[..used]) {
                cookie = entry.next;
                // Preview 1 lists these, Preview 2 does not.
                if entry.name != b"." && entry.name != b".." {
                    each(entry.name, kind(entry.filetype));
                }
            }
            if used < buffer.len() {
                return Ok(());
            }
        }
    }

    fn create_directory(&self, dir: Fd, path: &[u8]) -> Answer<()> {
        guests::path_create_directory(dir, path).map_err(word)
    }

    fn remove_directory(&self, dir: Fd, path: &[u8]) -> Answer<()> {
        guests::path_remove_directory(dir, path).map_err(word)
    }

    fn unlink_file(&self, dir: Fd, path: &[u8]) -> Answer<()> {
        guests::path_unlink_file(dir, path).map_err(word)
    }

    fn rename(&self, old_dir: Fd, old: &[u8], new_dir: Fd, new: &[u8]) -> Answer<()> {
        let errno = call!(raw::path_rename(old_dir, old.as_ptr(), old.len(), new_dir, new.as_ptr(), new.len()));
        answer(errno, ())
    }

    fn link(&self, old_dir: Fd, followed: bool, old: &[u8], new_dir: Fd, new: &[u8]) -> Answer<()> {
        let lookup = follow(followed);
        let errno = call!(raw::path_link(old_dir, lookup, old.as_ptr(), old.len(), new_dir, new.as_ptr(), new.len()));
        answer(errno, ())
    }

    fn symlink(&self, contents: &[u8], dir: Fd, path: &[u8]) -> Answer<()> {
        guests::path_symlink(contents, dir, path).map_err(word)
    }

    /// Preview 2 does not tell what leads to an absolute path.
    fn readlink(&self, dir: Fd, path: &[u8]) -> Answer<Vec<u8>> {
        let mut buffer = vec![0; 8192];
        let used = guests::path_readlink(dir, path, &mut buffer).map_err(word)?;
        buffer.truncate(used);
        if buffer.starts_with(b"/") { Err("not-permitted") } else { Ok(buffer) }
    }

    /// The host says where it is.
    fn listen(&self) -> Answer<Fd> {
        let found = (3..).map_while(|fd| Some((fd, fdstat(fd).ok()?)));
        found.into_iter().find(|(_, stat)| kind(stat.filetype) == Kind::Socket).map(|(fd, _)| fd).ok_or("no-entry")
    }

    fn accept(&self, listener: Fd, wait: bool) -> Answer<Fd> {
        answer(call!(fd_fdstat_set_flags(listener, if wait { 0 } else { NONBLOCK })), ())?;
        let mut opened = 0;
        answer(call!(sock_accept(listener, 0, &mut opened)), ())?;
        Ok(opened)
    }

    fn receive(&self, connection: Fd, most: usize, wait: bool) -> Answer<Vec<u8>> {
        answer(call!(fd_fdstat_set_flags(connection, if wait { 0 } else { NONBLOCK })), ())?;
        let mut flags = 0;
        reading(most, |iovec, received| call!(sock_recv(connection, iovec, 1, 0, received, &mut flags)))
    }

    fn send(&self, connection: Fd, mut bytes: &[u8]) -> Answer<()> {
        loop {
            let sent = writing(bytes, |ciovec, sent| call!(sock_send(connection, ciovec, 1, 0, sent)))?;
            bytes = &bytes[sent..];
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    fn shutdown(&self, connection: Fd, receive: bool, send: bool) -> Answer<()> {
        answer(call!(sock_shutdown(connection, u32::from(receive) | u32::from(send) << 1)), ())
    }
}
