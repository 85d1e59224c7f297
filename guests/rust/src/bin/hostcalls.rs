//! What one host call costs: each operation in a plain loop, timed by the program itself.
//!
//! `hostcalls DIRECTORY [OPERATION[=ITERATIONS]…]` does all operations, or those named. For each it prints a line
//! `OPERATION ITERATIONS NANOSECONDS` to standard error; standard output is itself what one of them measures. The
//! directory is one that was handed over (or is in one), and keeps the few files that the program makes there.
//!
//! Under WASI these are the raw imports, natively libc's functions for the same work, so that the two compare: no
//! buffer of any standard library is between the loop and the call.
//!
//! Native: the same source runs outside WebAssembly, and prints the same.

use std::hint::black_box;
use std::io::{self, Write};

use system::{Directory, Fd};

/// The file that single names stand for, in the operations on paths.
const NAME: &str = "existing";
/// The file of the small reads and writes, and how many of these go in it before they begin again.
const SMALL: &str = "small";
const SMALL_STEPS: u64 = 64 * 1024;
/// The file of the large ones: it fits in the page cache.
const LARGE: &str = "large";
const LARGE_STEPS: u64 = 64;
const MEGABYTE: usize = 1024 * 1024;
/// The directory that is listed.
const THOUSAND: &str = "thousand";

type Operation = fn(&Directory, u64) -> u64;

/// Name, iterations (about 100 ms natively), and how to do so many of them, which answers the nanoseconds that it took.
const OPERATIONS: [(&str, u64, Operation); 14] = [
    ("clock_time_get", 4_000_000, clock_time_get),
    ("fd_read_16", 500_000, fd_read_16),
    ("fd_write_16", 300_000, fd_write_16),
    ("fd_seek", 1_000_000, fd_seek),
    ("open_close", 100_000, open_close),
    ("path_filestat_get", 200_000, path_filestat_get),
    ("readdir_1000", 400, readdir_1000),
    ("stdout_line", 200_000, stdout_line),
    ("read_1m", 3_000, read_1m),
    ("write_1m", 2_000, write_1m),
    ("random_16", 400_000, random_16),
    ("fd_fdstat_get", 1_000_000, fd_fdstat_get),
    ("poll_clock_0", 500_000, poll_clock_0),
    // What the loop itself costs.
    ("nothing", 10_000_000, nothing),
];

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let path = words.next().expect("usage: hostcalls DIRECTORY [OPERATION[=ITERATIONS]...]");
    let mut chosen: Vec<String> = words.collect();
    if chosen.is_empty() {
        chosen = OPERATIONS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    }
    let directory = Directory::open(&path)?;
    directory.write(NAME, b"a few bytes")?;
    for choice in &chosen {
        let (name, times) = choice.split_once('=').unwrap_or((choice, ""));
        let Some((name, usual, operation)) = OPERATIONS.iter().find(|(known, ..)| *known == name) else {
            eprintln!("hostcalls: no operation {name:?}");
            std::process::exit(2);
        };
        let iterations = if times.is_empty() { *usual } else { times.parse().expect("a number of iterations") };
        operation(&directory, (iterations / 10).clamp(1, 100_000));
        let nanoseconds = operation(&directory, iterations);
        writeln!(io::stderr(), "{name} {iterations} {nanoseconds}")?;
    }
    Ok(())
}

/// Times so many rounds.
fn timed(iterations: u64, mut round: impl FnMut(u64)) -> u64 {
    let start = system::now();
    for index in 0..iterations {
        round(black_box(index));
    }
    system::now() - start
}

/// Times so many rounds on a file, going back to its beginning every so many.
fn timed_on_file(fd: &Fd, every: u64, iterations: u64, mut round: impl FnMut()) -> u64 {
    timed(iterations, |index| {
        if index.is_multiple_of(every) {
            fd.seek(0);
        }
        round();
    })
}

fn nothing(_: &Directory, iterations: u64) -> u64 {
    timed(iterations, |index| {
        black_box(index);
    })
}

fn clock_time_get(_: &Directory, iterations: u64) -> u64 {
    timed(iterations, |_| {
        black_box(system::now());
    })
}

fn small_file(directory: &Directory) -> Fd {
    directory.grow(SMALL, SMALL_STEPS * 16)
}

fn fd_read_16(directory: &Directory, iterations: u64) -> u64 {
    let fd = small_file(directory);
    let mut buffer = [0; 16];
    timed_on_file(&fd, SMALL_STEPS, iterations, || expect(fd.read(black_box(&mut buffer)), 16))
}

fn fd_write_16(directory: &Directory, iterations: u64) -> u64 {
    let fd = small_file(directory);
    let buffer = *b"sixteen bytes...";
    timed_on_file(&fd, SMALL_STEPS, iterations, || expect(fd.write(black_box(&buffer)), 16))
}

fn fd_seek(directory: &Directory, iterations: u64) -> u64 {
    let fd = small_file(directory);
    timed(iterations, |index| fd.seek(index & 0xffff))
}

fn open_close(directory: &Directory, iterations: u64) -> u64 {
    timed(iterations, |_| drop(directory.open_to_read(black_box(NAME))))
}

fn path_filestat_get(directory: &Directory, iterations: u64) -> u64 {
    timed(iterations, |_| expect(directory.size_of(black_box(NAME)), 11))
}

fn readdir_1000(directory: &Directory, iterations: u64) -> u64 {
    let inside = directory.make(THOUSAND);
    for index in 0..1000 {
        drop(inside.open_or_create(&format!("entry-{index:04}")));
    }
    let mut buffer = vec![0; 32 * 1024];
    timed(iterations, |_| {
        let names = directory.list(black_box(THOUSAND), &mut buffer);
        // Whether `.` and `..` are listed is up to the host.
        assert!((1000..=1002).contains(&names), "{names} entries instead of 1000");
    })
}

/// Line `i` is `i` in ten digits, a space, the alphabet twice, and a newline: 64 bytes, each of which a reader can
/// check. The lines of the first, untimed round count too.
fn stdout_line(_: &Directory, iterations: u64) -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static WRITTEN: AtomicU64 = AtomicU64::new(0);

    let mut line = *b"0000000000 abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\n";
    let start = WRITTEN.fetch_add(iterations, Ordering::Relaxed);
    line[..10].copy_from_slice(format!("{start:010}").as_bytes());
    let stdout = Fd::stdout();
    timed(iterations, |_| {
        expect(stdout.write(black_box(&line)), 64);
        for digit in line[..10].iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                break;
            }
            *digit = b'0';
        }
    })
}

fn read_1m(directory: &Directory, iterations: u64) -> u64 {
    let fd = directory.grow(LARGE, LARGE_STEPS * MEGABYTE as u64);
    let mut buffer = vec![0; MEGABYTE];
    timed_on_file(&fd, LARGE_STEPS, iterations, || fd.read_all(black_box(&mut buffer)))
}

fn write_1m(directory: &Directory, iterations: u64) -> u64 {
    let fd = directory.grow(LARGE, LARGE_STEPS * MEGABYTE as u64);
    let buffer = vec![b'.'; MEGABYTE];
    timed_on_file(&fd, LARGE_STEPS, iterations, || fd.write_all(black_box(&buffer)))
}

fn random_16(_: &Directory, iterations: u64) -> u64 {
    let mut buffer = [0; 16];
    timed(iterations, |_| system::random(black_box(&mut buffer)))
}

fn fd_fdstat_get(directory: &Directory, iterations: u64) -> u64 {
    let fd = small_file(directory);
    timed(iterations, |_| {
        black_box(fd.flags());
    })
}

fn poll_clock_0(_: &Directory, iterations: u64) -> u64 {
    timed(iterations, |_| system::poll_clock_0())
}

/// A call that failed must not look like a fast one.
fn expect(actual: usize, expected: usize) {
    if actual != expected {
        short(actual, expected);
    }
}

#[cold]
#[inline(never)]
fn short(actual: usize, expected: usize) -> ! {
    panic!("{actual} bytes instead of {expected}")
}

/// In as many calls as it takes: a component's host may give or take less at a time than was asked for.
impl Fd {
    fn read_all(&self, mut buffer: &mut [u8]) {
        while !buffer.is_empty() {
            let read = self.read(buffer);
            assert!(read > 0, "the file has ended");
            buffer = &mut buffer[read..];
        }
    }

    fn write_all(&self, mut buffer: &[u8]) {
        while !buffer.is_empty() {
            let written = self.write(buffer);
            assert!(written > 0, "nothing is taken");
            buffer = &buffer[written..];
        }
    }
}

impl Directory {
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let fd = self.open_or_create(name);
        expect(fd.write(bytes), bytes.len());
        Ok(())
    }

    /// A file of at least this length, at its beginning.
    fn grow(&self, name: &str, length: u64) -> Fd {
        let fd = self.open_or_create(name);
        let block = vec![b'.'; MEGABYTE];
        let present = self.size_of(name) as u64 / MEGABYTE as u64;
        fd.seek(present * MEGABYTE as u64);
        for _ in present..length.div_ceil(MEGABYTE as u64) {
            fd.write_all(&block);
        }
        fd.seek(0);
        fd
    }
}

/// The raw imports.
#[cfg(target_os = "wasi")]
mod system {
    use guests as wasi;
    use guests::Errno;
    use std::io;

    fn must<T>(result: Result<T, Errno>) -> T {
        result.unwrap_or_else(|errno| panic!("{errno}"))
    }

    pub fn now() -> u64 {
        must(wasi::clock_time_get(wasi::CLOCK_MONOTONIC))
    }

    pub fn random(buffer: &mut [u8]) {
        must(wasi::random_get(buffer));
    }

    pub fn poll_clock_0() {
        let wait = wasi::Subscription::clock(0, wasi::CLOCK_MONOTONIC, 0, 0);
        let (mut event, mut happened) = (wasi::Event::NONE, 0);
        // SAFETY: there is room for the one event.
        let errno = unsafe { wasi::raw::poll_oneoff(&wait, &mut event, 1, &mut happened) };
        assert!(errno == wasi::SUCCESS && happened == 1, "{errno}");
    }

    pub struct Fd(wasi::Fd);

    impl Drop for Fd {
        fn drop(&mut self) {
            must(wasi::fd_close(self.0));
        }
    }

    impl Fd {
        pub fn stdout() -> std::mem::ManuallyDrop<Fd> {
            std::mem::ManuallyDrop::new(Fd(1))
        }

        pub fn read(&self, buffer: &mut [u8]) -> usize {
            must(wasi::fd_read(self.0, buffer))
        }

        pub fn write(&self, buffer: &[u8]) -> usize {
            must(wasi::fd_write(self.0, buffer))
        }

        pub fn seek(&self, offset: u64) {
            must(wasi::fd_seek(self.0, offset as i64));
        }

        pub fn flags(&self) -> u32 {
            must(wasi::fd_fdstat_get(self.0)).flags.into()
        }
    }

    pub struct Directory(wasi::Fd);

    impl Directory {
        pub fn open(path: &str) -> io::Result<Directory> {
            wasi::directory(path).map(Directory).map_err(|errno| io::Error::from_raw_os_error(errno.0.into()))
        }

        pub fn make(&self, name: &str) -> Directory {
            let _ = wasi::path_create_directory(self.0, name.as_bytes());
            Directory(must(wasi::open_directory(self.0, name.as_bytes())))
        }

        fn path_open(&self, name: &str, oflags: u16, rights: u64) -> Fd {
            Fd(must(wasi::path_open(self.0, wasi::SYMLINK_FOLLOW, name.as_bytes(), oflags, rights)))
        }

        pub fn open_to_read(&self, name: &str) -> Fd {
            self.path_open(name, 0, wasi::rights::FD_READ | wasi::rights::FD_SEEK)
        }

        pub fn open_or_create(&self, name: &str) -> Fd {
            use wasi::rights::{FD_READ, FD_SEEK, FD_WRITE};
            self.path_open(name, wasi::O_CREAT, FD_READ | FD_WRITE | FD_SEEK)
        }

        pub fn size_of(&self, name: &str) -> usize {
            must(wasi::path_filestat_get(self.0, wasi::SYMLINK_FOLLOW, name.as_bytes())).size as usize
        }

        pub fn list(&self, name: &str, buffer: &mut [u8]) -> usize {
            let fd = self.path_open(name, wasi::O_DIRECTORY, wasi::rights::FD_READDIR);
            let (mut names, mut cookie) = (0, 0);
            loop {
                let used = must(wasi::fd_readdir(fd.0, buffer, cookie));
                for entry in wasi::dirents(&buffer[..used]) {
                    names += 1;
                    cookie = entry.next;
                }
                if used < buffer.len() {
                    return names;
                }
            }
        }
    }
}

/// The functions of a 64-bit Linux's libc.
#[cfg(not(target_os = "wasi"))]
mod system {
    use std::ffi::{CString, c_char, c_int, c_long, c_uint, c_void};
    use std::io;

    #[repr(C)]
    struct Timespec {
        seconds: i64,
        nanoseconds: c_long,
    }

    unsafe extern "C" {
        fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
        fn close(fd: c_int) -> c_int;
        fn closedir(stream: *mut c_void) -> c_int;
        fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
        fn fdopendir(fd: c_int) -> *mut c_void;
        fn fstatat(dir: c_int, path: *const c_char, stat: *mut c_void, flags: c_int) -> c_int;
        fn getrandom(buffer: *mut u8, length: usize, flags: c_uint) -> isize;
        fn lseek(fd: c_int, offset: i64, whence: c_int) -> i64;
        fn mkdirat(dir: c_int, path: *const c_char, mode: c_uint) -> c_int;
        fn openat(dir: c_int, path: *const c_char, flags: c_int, ...) -> c_int;
        fn poll(waits: *mut c_void, count: u64, milliseconds: c_int) -> c_int;
        fn read(fd: c_int, buffer: *mut u8, length: usize) -> isize;
        fn readdir(stream: *mut c_void) -> *const c_void;
        fn write(fd: c_int, buffer: *const u8, length: usize) -> isize;
    }

    const AT_FDCWD: c_int = -100;
    const CLOCK_MONOTONIC: c_int = 1;
    const F_GETFL: c_int = 3;
    const O_CLOEXEC: c_int = 0o2_000_000;
    const O_CREAT: c_int = 0o100;
    const O_DIRECTORY: c_int = 0o200_000;
    const O_RDWR: c_int = 2;

    fn must<T: PartialOrd + Default>(result: T) -> T {
        assert!(result >= T::default(), "{}", io::Error::last_os_error());
        result
    }

    /// As with the guest, whose names need no zero at their end, a name is only copied, not looked at twice.
    fn terminated(name: &str) -> [c_char; 32] {
        let mut bytes = [0; 32];
        for (to, from) in bytes[..31].iter_mut().zip(name.bytes()) {
            *to = from as c_char;
        }
        bytes
    }

    pub fn now() -> u64 {
        let mut time = Timespec { seconds: 0, nanoseconds: 0 };
        // SAFETY: the record is libc's.
        must(unsafe { clock_gettime(CLOCK_MONOTONIC, &mut time) });
        time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
    }

    pub fn random(buffer: &mut [u8]) {
        // SAFETY: the pointer goes with its length.
        must(unsafe { getrandom(buffer.as_mut_ptr(), buffer.len(), 0) });
    }

    pub fn poll_clock_0() {
        // SAFETY: no descriptors, so nothing is read or written.
        must(unsafe { poll(std::ptr::null_mut(), 0, 0) });
    }

    pub struct Fd(c_int);

    impl Drop for Fd {
        fn drop(&mut self) {
            // SAFETY: it is ours.
            must(unsafe { close(self.0) });
        }
    }

    impl Fd {
        pub fn stdout() -> std::mem::ManuallyDrop<Fd> {
            std::mem::ManuallyDrop::new(Fd(1))
        }

        pub fn read(&self, buffer: &mut [u8]) -> usize {
            // SAFETY: the pointer goes with its length.
            must(unsafe { read(self.0, buffer.as_mut_ptr(), buffer.len()) }) as usize
        }

        pub fn write(&self, buffer: &[u8]) -> usize {
            // SAFETY: the pointer goes with its length.
            must(unsafe { write(self.0, buffer.as_ptr(), buffer.len()) }) as usize
        }

        pub fn seek(&self, offset: u64) {
            // SAFETY: no memory is involved.
            must(unsafe { lseek(self.0, offset as i64, 0) });
        }

        pub fn flags(&self) -> u32 {
            // SAFETY: this command takes no argument.
            must(unsafe { fcntl(self.0, F_GETFL) }) as u32
        }
    }

    pub struct Directory(Fd);

    impl Directory {
        pub fn open(path: &str) -> io::Result<Directory> {
            let path = CString::new(path)?;
            // SAFETY: the path ends in a zero.
            let fd = unsafe { openat(AT_FDCWD, path.as_ptr(), O_DIRECTORY | O_CLOEXEC) };
            if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(Directory(Fd(fd))) }
        }

        pub fn make(&self, name: &str) -> Directory {
            // SAFETY: the name ends in a zero.
            unsafe { mkdirat(self.0.0, terminated(name).as_ptr(), 0o755) };
            Directory(self.openat(name, O_DIRECTORY))
        }

        fn openat(&self, name: &str, flags: c_int) -> Fd {
            // SAFETY: the name ends in a zero.
            Fd(must(unsafe { openat(self.0.0, terminated(name).as_ptr(), flags | O_CLOEXEC, 0o644) }))
        }

        pub fn open_to_read(&self, name: &str) -> Fd {
            self.openat(name, 0)
        }

        pub fn open_or_create(&self, name: &str) -> Fd {
            self.openat(name, O_RDWR | O_CREAT)
        }

        pub fn size_of(&self, name: &str) -> usize {
            // `struct stat` is 144 bytes on x86-64 and 128 on AArch64, with the size at offset 48 in both.
            let mut stat = [0u64; 32];
            // SAFETY: the record is larger than what libc writes, and the name ends in a zero.
            must(unsafe { fstatat(self.0.0, terminated(name).as_ptr(), stat.as_mut_ptr().cast(), 0) });
            stat[6] as usize
        }

        pub fn list(&self, name: &str, _: &mut [u8]) -> usize {
            let fd = std::mem::ManuallyDrop::new(self.openat(name, O_DIRECTORY));
            let mut names = 0;
            // SAFETY: the stream owns the descriptor from here on, and is closed once.
            unsafe {
                let stream = fdopendir(fd.0);
                assert!(!stream.is_null(), "{}", io::Error::last_os_error());
                while !readdir(stream).is_null() {
                    names += 1;
                }
                must(closedir(stream));
            }
            names
        }
    }
}
