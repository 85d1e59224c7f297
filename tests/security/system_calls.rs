//! Hosts where `openat2` is missing or refused, as in containers with an old filter: made by a filter of our own.
#![allow(unsafe_code, reason = "a filter of system calls is installed between fork and exec")]

use std::os::unix::process::CommandExt;
use std::process::Command;

/// What the kernel does when a process calls `openat2`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Openat2 {
    /// What it always does.
    Works,
    /// `ENOSYS`: an old kernel.
    Missing,
    /// `EPERM`: a filter that does not know the call.
    Refused,
    /// Ends the process: to see that there is a filter at all, and that the call is made.
    Kills,
}

impl Openat2 {
    /// All that a guest must not be able to tell apart.
    pub(crate) const ANY: [Openat2; 3] = [Openat2::Works, Openat2::Missing, Openat2::Refused];

    const fn action(self) -> u32 {
        match self {
            Openat2::Works => libc::SECCOMP_RET_ALLOW,
            Openat2::Missing => libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32,
            Openat2::Refused => libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
            Openat2::Kills => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }

    /// The filter: loads the number of the call, and compares it.
    fn filter(self) -> [libc::sock_filter; 4] {
        let step = |code: u32, if_true: u8, if_false: u8, value: u32| libc::sock_filter {
            code: code as u16,
            jt: if_true,
            jf: if_false,
            k: value,
        };
        [
            step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_openat2 as u32),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, self.action()),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ]
    }

    /// Has the command run under the filter.
    pub(crate) fn for_command(self, command: &mut Command) -> &mut Command {
        if matches!(self, Openat2::Works) {
            return command;
        }
        let mut filter = self.filter();
        let install = move || {
            let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
            // SAFETY: numbers, and a pointer to a program that the kernel copies during the call.
            let installed = unsafe {
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                    && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
            };
            if installed { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        };
        // SAFETY: makes two system calls, and touches nothing that a fork leaves in disorder.
        unsafe { command.pre_exec(install) }
    }
}
