//! Waiting: one `poll(2)` for descriptors and a deadline.

use std::os::fd::{AsRawFd, BorrowedFd};

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

/// Descriptors to wait for, together. Each is there once, however often a guest names it: the kernel takes no more than
/// the process may have.
#[derive(Default)]
pub struct Poll<'fd> {
    wanted: Vec<(BorrowedFd<'fd>, PollFlags)>,
    found: Vec<PollFlags>,
}

impl<'fd> Poll<'fd> {
    /// Adds a descriptor; its place is what [`Poll::found`] takes.
    pub fn push(&mut self, fd: BorrowedFd<'fd>, ready: Ready) -> usize {
        let known = self.wanted.iter().rposition(|(known, _)| known.as_raw_fd() == fd.as_raw_fd());
        let place = known.unwrap_or(self.wanted.len());
        match self.wanted.get_mut(place) {
            Some((_, flags)) => *flags |= ready.flags(),
            None => self.wanted.push((fd, ready.flags())),
        }
        place
    }

    /// Whether there is nothing to wait for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Waits until one is ready or the deadline has passed; without a deadline, for as long as it takes.
    ///
    /// # Errors
    /// What the operating system says, but for interruptions.
    pub fn wait(&mut self, deadline: Option<Deadline>) -> Result<(), ErrorCode> {
        let mut fds: Vec<PollFd<'_>> =
            self.wanted.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        poll_until(&mut fds, deadline)?;
        self.found = fds.iter().map(PollFd::revents).collect();
        Ok(())
    }

    /// What the last wait found of the descriptor at this place; nothing, if there was none yet.
    #[must_use]
    pub fn found(&self, place: usize, ready: Ready) -> Found {
        let flags = self.found.get(place).copied().unwrap_or(PollFlags::empty());
        Found {
            ready: flags.intersects(ready.flags()),
            hangup: flags.intersects(PollFlags::HUP | PollFlags::RDHUP),
            error: flags.intersects(PollFlags::ERR | PollFlags::NVAL),
        }
    }
}

/// Polls until something was found or the deadline has passed; how many were found.
fn poll_until(fds: &mut [PollFd<'_>], deadline: Option<Deadline>) -> Result<usize, ErrorCode> {
    loop {
        let timeout = deadline.map(timespec);
        match poll(fds, timeout.as_ref()) {
            Ok(found) => return Ok(found),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
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
    Ok(poll_until(&mut [PollFd::from_borrowed_fd(fd, ready.flags())], deadline)? > 0)
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
