//! The host's clocks, as nanoseconds.

use rustix::time::{ClockId, clock_gettime};

/// A clock of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostClock {
    /// Time since 1970.
    Realtime,
    /// Time that never goes back.
    Monotonic,
    /// Processor time of this process.
    ProcessCpu,
    /// Processor time of this thread.
    ThreadCpu,
}

/// The clock's reading in nanoseconds; a time before 1970 reads as 0.
#[inline]
#[must_use]
pub fn now(clock: HostClock) -> u64 {
    let id = match clock {
        HostClock::Realtime => ClockId::Realtime,
        HostClock::Monotonic => ClockId::Monotonic,
        HostClock::ProcessCpu => ClockId::ProcessCPUTime,
        HostClock::ThreadCpu => ClockId::ThreadCPUTime,
    };
    let time = clock_gettime(id);
    u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}

/// The step of the clock in nanoseconds, at least 1.
#[must_use]
pub fn resolution(clock: HostClock) -> u64 {
    let id = match clock {
        HostClock::Realtime => ClockId::Realtime,
        HostClock::Monotonic => ClockId::Monotonic,
        HostClock::ProcessCpu => ClockId::ProcessCPUTime,
        HostClock::ThreadCpu => ClockId::ThreadCPUTime,
    };
    let step = rustix::time::clock_getres(id);
    u64::try_from(step.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(step.tv_nsec as u64).max(1)
}

/// A point of the host's monotonic clock at which a wait ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(u64);

impl Deadline {
    /// So many nanoseconds from now; one too far away to be written down is as far as can be.
    #[must_use]
    pub fn after_ns(nanoseconds: u64) -> Self {
        Deadline(now(HostClock::Monotonic).saturating_add(nanoseconds))
    }

    /// Nanoseconds left; 0 once it has passed.
    #[must_use]
    pub fn left_ns(self) -> u64 {
        self.0.saturating_sub(now(HostClock::Monotonic))
    }
}
