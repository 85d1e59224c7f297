//! Waiting: one `poll(2)` for descriptors and a deadline.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

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
    wanted: Vec<PollFd<'fd>>,
    /// What each is asked for.
    flags: Vec<PollFlags>,
    /// Where each descriptor is in `wanted`, by its number, once there are too many to look through: one more than its
    /// place, and 0 for one that is not there. Descriptors are small numbers: the kernel gives out the lowest that is free.
    places: Vec<u32>,
}

/// Descriptors that are looked through one by one.
const FEW: usize = 16;

impl<'fd> Poll<'fd> {
    /// Adds a descriptor; its place is what [`Poll::found`] takes.
    pub fn push(&mut self, fd: BorrowedFd<'fd>, ready: Ready) -> usize {
        let place = self.place(fd.as_raw_fd());
        match (self.wanted.get_mut(place), self.flags.get_mut(place)) {
            (Some(known), Some(flags)) => {
                *flags |= ready.flags();
                *known = PollFd::from_borrowed_fd(fd, *flags);
            }
            _ => {
                self.wanted.push(PollFd::from_borrowed_fd(fd, ready.flags()));
                self.flags.push(ready.flags());
            }
        }
        place
    }

    /// Where a descriptor is, or is going to be.
    fn place(&mut self, fd: RawFd) -> usize {
        let next = self.wanted.len();
        if next < FEW {
            return self.wanted.iter().rposition(|known| known.as_fd().as_raw_fd() == fd).unwrap_or(next);
        }
        if self.places.is_empty() {
            for place in 0..next {
                let known = self.wanted[place].as_fd().as_raw_fd();
                *self.place_of(known) = place as u32 + 1;
            }
        }
        match self.place_of(fd) {
            0 => {
                *self.place_of(fd) = next as u32 + 1;
                next
            }
            known => *known as usize - 1,
        }
    }

    fn place_of(&mut self, fd: RawFd) -> &mut u32 {
        // An open descriptor is no negative number.
        let number = fd as usize;
        if number >= self.places.len() {
            self.places.resize(number + 1, 0);
        }
        &mut self.places[number]
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
        poll_until(&mut self.wanted, deadline)?;
        Ok(())
    }

    /// What the last wait found of the descriptor at this place; nothing, if there was none yet.
    #[must_use]
    pub fn found(&self, place: usize, ready: Ready) -> Found {
        let flags = self.wanted.get(place).map_or(PollFlags::empty(), PollFd::revents);
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

/// Whether a descriptor is ready now; what cannot be asked is.
#[must_use]
pub fn is_ready(fd: &super::SharedFd, ready: Ready) -> bool {
    wait_for(fd.as_fd(), ready, Some(Deadline::after_ns(0))).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_descriptor_that_is_named_again_is_waited_for_once_however_many_there_are() {
        let pipes: Vec<_> = (0..3 * FEW).map(|_| std::io::pipe().unwrap()).collect();
        let mut poll = Poll::default();
        let places: Vec<usize> = pipes.iter().map(|(read, _)| poll.push(read.as_fd(), Ready::Read)).collect();
        assert_eq!(places, (0..pipes.len()).collect::<Vec<_>>());
        for (place, (read, write)) in pipes.iter().enumerate() {
            assert_eq!(poll.push(read.as_fd(), Ready::Read), place);
            assert_eq!(poll.push(write.as_fd(), Ready::Write), pipes.len() + place);
        }
        poll.wait(Some(Deadline::after_ns(0))).unwrap();
        assert!(!poll.found(0, Ready::Read).any() && poll.found(pipes.len(), Ready::Write).ready);
    }
}
