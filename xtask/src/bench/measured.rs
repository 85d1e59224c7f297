//! One process, from before it is started until after it is gone: how long, and with how much memory.
//!
//! `std` gives no resource usage of a single child, so this file calls `wait4` itself. All other benches use `std`.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::Instant;

/// What one run cost.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    /// Wall time, in milliseconds.
    pub(super) wall_ms: f64,
    /// Processor time of all its threads, in user mode and in the kernel, in milliseconds.
    pub(super) cpu_ms: f64,
    /// Peak resident memory, in KiB. Never less than this process's own peak, which a child starts out from.
    pub(super) peak_rss_kib: f64,
}

/// Runs the command to its end.
///
/// # Errors
/// It cannot be started or waited for, or it failed.
pub(super) fn run(command: &mut Command) -> Result<Measured, String> {
    let started = Instant::now();
    let child = command.spawn().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let (status, usage) = wait(child.id()).map_err(|error| format!("cannot wait: {error}"))?;
    let wall_ms = started.elapsed().as_secs_f64() * 1e3;
    if !status.success() {
        return Err(format!("{command:?}: {status}"));
    }
    Ok(Measured {
        wall_ms,
        cpu_ms: milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime),
        peak_rss_kib: usage.ru_maxrss as f64,
    })
}

fn milliseconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3
}

#[allow(unsafe_code)]
fn wait(process: u32) -> io::Result<(ExitStatus, libc::rusage)> {
    let process = libc::pid_t::try_from(process).map_err(io::Error::other)?;
    // SAFETY: `rusage` is plain integers, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let mut status = 0;
    loop {
        // SAFETY: both pointers are to live, writable values of the types that wait4 fills in. The process is a child
        // that nothing else waits for, so its number cannot have been given to another one.
        let waited = unsafe { libc::wait4(process, &raw mut status, 0, &raw mut usage) };
        if waited == process {
            return Ok((ExitStatus::from_raw(status), usage));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_measured() {
        let measured = run(&mut Command::new("true")).unwrap();
        assert!(measured.wall_ms > 0.0);
        assert!(measured.peak_rss_kib > 0.0);
    }

    #[test]
    fn a_failure_is_not() {
        assert!(run(&mut Command::new("false")).is_err());
        assert!(run(&mut Command::new("/nonexistent")).is_err());
    }
}
