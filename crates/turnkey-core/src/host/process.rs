//! What the process itself has been given: its standard streams, its bound on descriptors, its end.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::ErrorCode;

/// Standard descriptors that were closed when the process began, a bit each.
static CLOSED_AT_START: AtomicU8 = AtomicU8::new(0);

/// Runs before Rust's own start, which opens `/dev/null` on standard descriptors that are closed: a guest whose output
/// nobody takes must be told so, not have it vanish.
extern "C" fn note_closed_streams() {
    for fd in 0..3u8 {
        // SAFETY: asks for the flags of a number; touches no memory.
        if unsafe { libc::fcntl(i32::from(fd), libc::F_GETFD) } == -1 {
            CLOSED_AT_START.fetch_or(1 << fd, Ordering::Relaxed);
        }
    }
}

// SAFETY: the section holds pointers to functions without arguments that the loader calls once before `main`; this one
// makes three system calls and needs nothing that Rust sets up.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
static NOTE_CLOSED_STREAMS: extern "C" fn() = note_closed_streams;

/// A standard stream of the process, shared with it: 0, 1 or 2. `None`: it was closed when the process began.
///
/// # Errors
/// No descriptor is left for it.
pub fn standard_stream(number: u8) -> Result<Option<OwnedFd>, ErrorCode> {
    if CLOSED_AT_START.load(Ordering::Relaxed) & (1 << number) != 0 {
        return Ok(None);
    }
    // SAFETY: the standard descriptors stay open for as long as the process runs; the borrow ends in this function.
    let fd = unsafe { BorrowedFd::borrow_raw(i32::from(number)) };
    match rustix::io::fcntl_dupfd_cloexec(fd, 3) {
        Ok(fd) => Ok(Some(fd)),
        Err(rustix::io::Errno::BADF) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether the descriptor is a terminal.
#[must_use]
pub fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    rustix::termios::isatty(fd)
}

/// Asks for as many descriptors as the guests together may open, within what the host's administrator allows.
pub fn allow_descriptors(wanted: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let current = Some(limit.maximum.map_or(wanted, |maximum| wanted.min(maximum)));
        // Where it is refused, the guest meets the host's bound instead of its own, and is told so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum });
    }
}

/// Has a write beyond the largest file that the process may make fail, instead of ending the process: the guest is told.
pub fn be_told_of_full_files() {
    // SAFETY: sets a signal to be ignored, and installs no handler.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Ends the process at once, without unwinding other threads: for a watchdog, when the main thread is stuck in the kernel.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: ends the process; nothing runs after it.
    unsafe { libc::_exit(status) }
}

/// The environment of the process: what `--env NAME` and `--inherit-env` hand on.
#[must_use]
pub fn environment_variable(name: &[u8]) -> Option<Vec<u8>> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    std::env::var_os(std::ffi::OsStr::from_bytes(name)).map(OsStringExt::into_vec)
}

/// Every variable of the process as `NAME=VALUE`.
#[must_use]
pub fn environment_variables() -> Vec<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    std::env::vars_os()
        .map(|(name, value)| {
            let mut variable = name.into_vec();
            variable.push(b'=');
            variable.extend(value.into_vec());
            variable
        })
        .collect()
}

/// Gives the system back what the allocator keeps of memory that was freed.
pub fn give_memory_back() {
    // SAFETY: looks at what the allocator has, and touches nothing that is in use.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Lets others run.
pub fn yield_now() {
    rustix::thread::sched_yield();
}

/// Bytes of memory that the process has at the moment, all that it shares included; 0 where the system does not say.
#[must_use]
pub fn resident_bytes() -> u64 {
    // proc(5): numbers of pages, and the second is what is resident.
    let pages = std::fs::read_to_string("/proc/self/statm");
    let pages = pages.ok().and_then(|pages| pages.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(rustix::param::page_size() as u64)
}
