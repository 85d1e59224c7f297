//! Waiting for several things at once: one wait of the host for descriptors, times of the guest's clock, and the guest's own
//! end.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::{Event, Interest, Interruption, Wait};
use crate::Capabilities;
use crate::host::SharedFd;
use crate::host::clock::{Deadline, HostClock};
use crate::host::poll::{Poll, Ready};
use crate::limits::Limit;

/// What an executor waits for: descriptors, with what each is to be ready for, and what happens elsewhere in the process.
#[derive(Debug, Default)]
pub struct Watched {
    /// Descriptors.
    pub descriptors: Vec<(SharedFd, Ready)>,
    /// What happens elsewhere.
    pub events: Vec<Arc<dyn Event>>,
}

/// What one call waits for, in the order in which it was added.
#[derive(Debug, Default)]
pub struct Waiting {
    interests: Vec<Interest>,
    ready: Vec<bool>,
}

impl Waiting {
    /// Waits for these.
    #[must_use]
    pub fn new(interests: Vec<Interest>) -> Self {
        Waiting { interests, ready: Vec::new() }
    }

    /// Adds what is waited for.
    pub fn push(&mut self, interest: Interest) {
        self.interests.push(interest);
    }

    /// Whether what was added as this has happened, as the last [`Waiting::wait`] found it.
    #[must_use]
    pub fn is_ready(&self, place: usize) -> bool {
        self.ready.get(place).copied().unwrap_or(false)
    }

    /// Waits until one of them has happened, as far as the call may. `false`: none has, and it may wait no longer.
    ///
    /// Where the guest's clock stands still, the first time of it is reached at once if nothing else has happened.
    ///
    /// # Errors
    /// [`Interruption::Stopped`]: the guest's own end came first; else what the operating system says.
    pub fn wait(&mut self, host: &mut Capabilities, wait: Wait) -> Result<bool, Interruption> {
        let now_ns = host.clocks.now_ns(HostClock::Monotonic);
        let mut poll = Poll::default();
        let mut places = Vec::new();
        let (mut over, mut first_ns) = (false, None::<u64>);
        for interest in &self.interests {
            match interest {
                Interest::Now => over = true,
                Interest::Clock(at_ns) if *at_ns <= now_ns => over = true,
                Interest::Clock(at_ns) => first_ns = Some(first_ns.map_or(*at_ns, |first| first.min(*at_ns))),
                Interest::Descriptor(fd, ready) => places.push(poll.push(fd.as_fd(), *ready)),
                // Nobody can be woken here: a guest that waits for these does so in an executor, and is told only how it is.
                Interest::Event(event) => over |= has_happened(event.as_ref()),
            }
        }
        let at_once = Some(Deadline::after_ns(0));
        if over || wait == Wait::Never || (host.clocks.is_frozen() && first_ns.is_some()) {
            if !poll.is_empty() {
                poll.wait(at_once)?;
            }
        } else {
            let timer = first_ns.map(|at_ns| host.clocks.timer(at_ns - now_ns));
            let end = match wait {
                Wait::Until(end) => Some(end),
                _ => host.end,
            };
            poll.wait([timer, end].into_iter().flatten().min())?;
        }
        let mut any = look(&self.interests, &poll, &places, host.clocks.now_ns(HostClock::Monotonic), &mut self.ready);
        if let (false, true, Some(at_ns)) = (any, host.clocks.is_frozen() && wait != Wait::Never, first_ns) {
            host.clocks.sleep_frozen(at_ns.saturating_sub(now_ns));
            any = look(&self.interests, &poll, &places, host.clocks.now_ns(HostClock::Monotonic), &mut self.ready);
        }
        match host.end {
            Some(end) if !any && wait != Wait::Never && end.left_ns() == 0 => {
                Err(Interruption::Stopped(Limit::Timeout))
            }
            _ => Ok(any),
        }
    }

    /// The first time of the guest's clock that is waited for, in nanoseconds.
    #[must_use]
    pub fn first_clock(&self) -> Option<u64> {
        let clocks = self.interests.iter().filter_map(|interest| match interest {
            Interest::Clock(at_ns) => Some(*at_ns),
            Interest::Now | Interest::Descriptor(..) | Interest::Event(_) => None,
        });
        clocks.min()
    }

    /// Whether [`Waiting::wait`] comes back at once because it moves a clock that stands still: nobody has to wait then.
    #[must_use]
    pub fn moves_clock(&self, host: &Capabilities) -> bool {
        host.clocks.is_frozen() && self.interests.iter().any(|interest| matches!(interest, Interest::Clock(_)))
    }

    /// What an executor has to wait for instead: the descriptors, and when to look again at the latest. `None`: something
    /// has happened already.
    #[must_use]
    pub fn into_parts(self, host: &Capabilities) -> Option<(Watched, Option<Deadline>)> {
        let now_ns = host.clocks.now_ns(HostClock::Monotonic);
        let (mut watched, mut deadline) = (Watched::default(), host.end);
        for interest in self.interests {
            match interest {
                Interest::Now => return None,
                Interest::Clock(at_ns) if at_ns <= now_ns => return None,
                Interest::Clock(at_ns) => {
                    let timer = host.clocks.timer(at_ns - now_ns);
                    deadline = Some(deadline.map_or(timer, |first| first.min(timer)));
                }
                Interest::Descriptor(fd, ready) => watched.descriptors.push((fd, ready)),
                Interest::Event(event) => watched.events.push(event),
            }
        }
        Some((watched, deadline))
    }
}

/// Whether it has, for whoever does not wait for it.
#[must_use]
pub fn has_happened(event: &dyn Event) -> bool {
    event.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Notes which have happened; whether any has.
fn look(interests: &[Interest], poll: &Poll<'_>, places: &[usize], now_ns: u64, ready: &mut Vec<bool>) -> bool {
    let mut places = places.iter();
    ready.clear();
    ready.extend(interests.iter().map(|interest| match interest {
        Interest::Now => true,
        Interest::Clock(at_ns) => *at_ns <= now_ns,
        Interest::Event(event) => has_happened(event.as_ref()),
        Interest::Descriptor(_, ready) => places.next().is_some_and(|place| poll.found(*place, *ready).any()),
    }));
    ready.contains(&true)
}
