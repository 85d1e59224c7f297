//! Waiting: one `poll(2)` for descriptors and a deadline.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::clock::Deadline;
use crate::ErrorCode;

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// There is something to read, or the end.
    Read,
    /// There is room to write.
    Write,
}

impl Ready {
    const fn flags(self) -> PollFlags {
        match self {
            Ready::Read => PollFlags::IN,
            Ready::Write => PollFlags::OUT,
        }
    }
}

/// What a wait found of one descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What was asked for is there.
    pub ready: bool,
    /// The other side is gone.
    pub hangup: bool,
    /// The descriptor is in error.
    pub error: bool,
}

impl Found {
    /// Whether anything was found.
    #[must_use]
    pub const fn any(self) -> bool {
        self.ready || self.hangup || self.error
    }
}

/// Descriptors to wait for, together.
#[derive(Default)]
pub struct Poll<'fd>(Vec<PollFd<'fd>>);

impl<'fd> Poll<'fd> {
    /// Adds a descriptor; its place is what [`Poll::found`] takes.
    pub fn push(&mut self, fd: BorrowedFd<'fd>, ready: Ready) -> usize {
        self.0.push(PollFd::from_borrowed_fd(fd, ready.flags()));
        self.0.len() - 1
    }

    /// Whether there is nothing to wait for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits until one is ready or the deadline has passed; without a deadline, for as long as it takes.
    ///
    /// # Errors
    /// What the operating system says, but for interruptions.
    pub fn wait(&mut self, deadline: Option<Deadline>) -> Result<(), ErrorCode> {
        loop {
            let timeout = deadline.map(timespec);
            match poll(&mut self.0, timeout.as_ref()) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// What the last wait found of the descriptor at this place.
    #[must_use]
    pub fn found(&self, place: usize) -> Found {
        let flags = self.0[place].revents();
        Found {
            ready: flags.intersects(PollFlags::IN | PollFlags::OUT),
            hangup: flags.intersects(PollFlags::HUP | PollFlags::RDHUP),
            error: flags.intersects(PollFlags::ERR | PollFlags::NVAL),
        }
    }
}

fn timespec(deadline: Deadline) -> Timespec {
    let left = deadline.left_ns();
    // A wait is a few centuries at most, so both fit.
    Timespec { tv_sec: (left / 1_000_000_000) as i64, tv_nsec: (left % 1_000_000_000) as _ }
}

/// Waits for one descriptor. `false`: the deadline passed first.
pub(crate) fn wait_for(fd: BorrowedFd<'_>, ready: Ready, deadline: Option<Deadline>) -> Result<bool, ErrorCode> {
    let mut one = [PollFd::from_borrowed_fd(fd, ready.flags())];
    loop {
        let timeout = deadline.map(timespec);
        match poll(&mut one, timeout.as_ref()) {
            Ok(found) => return Ok(found > 0),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Bytes that can be read at once, as `FIONREAD` says; 0 where it does not say.
#[must_use]
pub fn readable_bytes(fd: BorrowedFd<'_>) -> u64 {
    rustix::io::ioctl_fionread(fd).unwrap_or(0)
}

/// Sleeps until the deadline.
pub fn sleep_until(deadline: Deadline) {
    // Nothing to wait for but the time: the only error is an interruption, which `wait` sleeps through.
    let _ = Poll::default().wait(Some(deadline));
}
