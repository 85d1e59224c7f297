//! The clocks that a guest sees: the host's, coarsened to the step that it was granted, or one that stands still.

use crate::host::clock::{self, Deadline, HostClock};
use crate::host::poll;
use crate::sleepers::Sleepers;

const SECOND_NS: u64 = 1_000_000_000;

/// A point in time, before or after 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds after that, below 10⁹.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// Nanoseconds since 1970, as Preview 1 writes it: 0 before 1970, and the largest number beyond the year 2554.
    #[must_use]
    pub fn as_ns(self) -> u64 {
        u64::try_from(self.seconds).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(
            // Before 1970 the nanoseconds count up to a second that is cut off.
            if self.seconds < 0 { 0 } else { self.nanoseconds.into() },
        )
    }

    /// From nanoseconds since 1970.
    #[must_use]
    pub const fn from_ns(nanoseconds: u64) -> Self {
        Timestamp { seconds: (nanoseconds / 1_000_000_000) as i64, nanoseconds: (nanoseconds % 1_000_000_000) as u32 }
    }
}

/// What clocks a guest is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockGrant {
    /// The finest step that any clock, timestamp or timer shows, in nanoseconds; at least 1.
    pub resolution_ns: u64,
    /// The clock stands still at this time since 1970, in nanoseconds, and sleeping moves it on at once.
    pub frozen_at_ns: Option<u64>,
}

impl Default for ClockGrant {
    fn default() -> Self {
        ClockGrant { resolution_ns: 1, frozen_at_ns: None }
    }
}

/// A guest's clocks.
#[derive(Debug)]
pub struct Clocks {
    resolution_ns: u64,
    frozen: Option<Frozen>,
    /// Where the guest's monotonic clock begins: the uptime of the host is not the guest's to know.
    monotonic_start_ns: u64,
    cpu_start_ns: u64,
}

#[derive(Debug)]
struct Frozen {
    start_ns: u64,
    slept_ns: u64,
    sleepers: Sleepers,
}

impl Clocks {
    /// Clocks that begin now.
    #[must_use]
    pub fn new(grant: &ClockGrant) -> Self {
        Clocks {
            resolution_ns: grant.resolution_ns.max(1),
            frozen: grant.frozen_at_ns.map(|start_ns| Frozen { start_ns, slept_ns: 0, sleepers: Sleepers::default() }),
            monotonic_start_ns: clock::now(HostClock::Monotonic),
            cpu_start_ns: 0,
        }
    }

    /// The clocks of processor time begin now, for a guest that has them: only Preview 1 does, and they cost a system call.
    pub fn begin_cpu(&mut self) {
        self.cpu_start_ns = clock::now(HostClock::ThreadCpu);
    }

    /// The clock's reading in nanoseconds: since 1970 for [`HostClock::Realtime`], since the guest began for the others.
    #[inline]
    #[must_use]
    pub fn now_ns(&self, clock: HostClock) -> u64 {
        let fine = match (&self.frozen, clock) {
            (None, HostClock::Realtime) => clock::now(clock),
            (None, HostClock::Monotonic) => clock::now(clock) - self.monotonic_start_ns,
            // A guest runs on one thread, so that its process is its thread.
            (None, HostClock::ProcessCpu | HostClock::ThreadCpu) => {
                clock::now(HostClock::ThreadCpu).saturating_sub(self.cpu_start_ns)
            }
            (Some(frozen), HostClock::Realtime) => frozen.start_ns.saturating_add(frozen.slept_ns),
            (Some(frozen), HostClock::Monotonic) => frozen.slept_ns,
            (Some(_), HostClock::ProcessCpu | HostClock::ThreadCpu) => 0,
        };
        self.coarse(fine)
    }

    /// The clock's step in nanoseconds.
    #[must_use]
    pub fn resolution_ns(&self, clock: HostClock) -> u64 {
        clock::resolution(clock).max(self.resolution_ns)
    }

    /// Whether sleeping is done by moving the clock instead of waiting.
    #[must_use]
    pub const fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// The latest reading of any clock: one that stands still can be moved there, and no further.
    #[must_use]
    pub const fn latest_ns(&self) -> u64 {
        self.coarse(u64::MAX)
    }

    /// Those who sleep by it, if the clock stands still.
    #[must_use]
    pub fn sleepers(&self) -> Option<&Sleepers> {
        self.frozen.as_ref().map(|frozen| &frozen.sleepers)
    }

    /// Moves a frozen clock on by a sleep.
    pub fn sleep_frozen(&mut self, nanoseconds: u64) {
        if let Some(frozen) = &mut self.frozen {
            let end = frozen.slept_ns.saturating_add(nanoseconds);
            // On a step of the clock, so that it never shows less than what was slept.
            frozen.slept_ns = end.checked_next_multiple_of(self.resolution_ns).unwrap_or(u64::MAX);
        }
    }

    /// Moves a frozen clock on to this reading of the monotonic clock, if it has not come so far.
    pub fn move_to(&mut self, at_ns: u64) {
        self.sleep_frozen(at_ns.saturating_sub(self.now_ns(HostClock::Monotonic)));
    }

    /// When a timer of so many nanoseconds ends: never earlier than asked, and on a step of the clock.
    #[must_use]
    pub fn timer(&self, nanoseconds: u64) -> Deadline {
        if self.resolution_ns == 1 {
            return Deadline::after_ns(nanoseconds);
        }
        let end = clock::now(HostClock::Monotonic).saturating_sub(self.monotonic_start_ns).saturating_add(nanoseconds);
        let on_step = end.checked_next_multiple_of(self.resolution_ns).unwrap_or(u64::MAX);
        let now = clock::now(HostClock::Monotonic).saturating_sub(self.monotonic_start_ns);
        Deadline::after_ns(on_step.saturating_sub(now))
    }

    /// A timestamp of a file as the guest may see it: no finer than its clocks, and, where they stand still, none later
    /// than where they stand, or it would tell what the clock hides.
    #[must_use]
    pub fn timestamp(&self, timestamp: Timestamp) -> Timestamp {
        if self.resolution_ns == 1 && self.frozen.is_none() {
            return timestamp;
        }
        // Before 1970 too: on a step, and no later than it was.
        let mut fine = i128::from(timestamp.seconds) * i128::from(SECOND_NS) + i128::from(timestamp.nanoseconds);
        if let Some(frozen) = &self.frozen {
            fine = fine.min(frozen.start_ns.into());
        }
        let coarse = fine - fine.rem_euclid(self.resolution_ns.into());
        Timestamp {
            seconds: i64::try_from(coarse.div_euclid(SECOND_NS.into())).unwrap_or(i64::MIN),
            nanoseconds: coarse.rem_euclid(SECOND_NS.into()) as u32,
        }
    }

    #[inline]
    const fn coarse(&self, nanoseconds: u64) -> u64 {
        if self.resolution_ns == 1 { nanoseconds } else { nanoseconds - nanoseconds % self.resolution_ns }
    }
}

/// Waits until a deadline, but no longer than the guest may run. `false`: the guest's own end came first.
pub fn wait_until(deadline: Deadline, end: Option<Deadline>) -> bool {
    match end {
        Some(end) if end < deadline => {
            poll::sleep_until(end);
            false
        }
        _ => {
            poll::sleep_until(deadline);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_by_sleeping() {
        let mut clocks = Clocks::new(&ClockGrant { resolution_ns: 1, frozen_at_ns: Some(5 * SECOND_NS) });
        assert_eq!(clocks.now_ns(HostClock::Realtime), 5 * SECOND_NS);
        assert_eq!(clocks.now_ns(HostClock::Monotonic), 0);
        clocks.sleep_frozen(7);
        assert_eq!(clocks.now_ns(HostClock::Realtime), 5 * SECOND_NS + 7);
        assert_eq!(clocks.now_ns(HostClock::Monotonic), 7);
        let file = Timestamp { seconds: 100, nanoseconds: 3 };
        assert_eq!(clocks.timestamp(file), Timestamp { seconds: 5, nanoseconds: 0 });
    }

    #[test]
    fn a_coarse_clock_that_stands_still_shows_no_less_than_was_slept() {
        let mut clocks = Clocks::new(&ClockGrant { resolution_ns: 1_000, frozen_at_ns: Some(0) });
        for slept_ns in [1, 999, 1_000, 1_001, u64::MAX] {
            let before_ns = clocks.now_ns(HostClock::Monotonic);
            clocks.sleep_frozen(slept_ns);
            let shown_ns = clocks.now_ns(HostClock::Monotonic);
            assert!(shown_ns - before_ns >= slept_ns.min(u64::MAX - u64::MAX % 1_000 - before_ns), "{slept_ns}");
        }
    }

    #[test]
    fn a_coarse_clock_shows_no_finer_step() {
        let clocks = Clocks::new(&ClockGrant { resolution_ns: 1_000_000, frozen_at_ns: None });
        for clock in [HostClock::Realtime, HostClock::Monotonic, HostClock::ProcessCpu, HostClock::ThreadCpu] {
            assert_eq!(clocks.now_ns(clock) % 1_000_000, 0, "{clock:?}");
            assert!(clocks.resolution_ns(clock) >= 1_000_000);
        }
        let shown = clocks.timestamp(Timestamp { seconds: 1, nanoseconds: 1_999_999 });
        assert_eq!(shown, Timestamp { seconds: 1, nanoseconds: 1_000_000 });
    }

    #[test]
    fn a_time_before_1970_stays_before_1970() {
        let old = Timestamp { seconds: -2, nanoseconds: 999_999_999 };
        for (resolution_ns, frozen_at_ns, shown) in [
            (1, None, old),
            (1, Some(5), old),
            (1_000_000, None, Timestamp { seconds: -2, nanoseconds: 999_000_000 }),
            (SECOND_NS, Some(5), Timestamp { seconds: -2, nanoseconds: 0 }),
            (u64::MAX, None, Timestamp { seconds: -18_446_744_074, nanoseconds: 290_448_385 }),
        ] {
            let clocks = Clocks::new(&ClockGrant { resolution_ns, frozen_at_ns });
            assert_eq!(clocks.timestamp(old), shown, "{resolution_ns} {frozen_at_ns:?}");
        }
        let clocks = Clocks::new(&ClockGrant { resolution_ns: SECOND_NS * 7, frozen_at_ns: None });
        for seconds in [i64::MIN, i64::MAX] {
            let shown = clocks.timestamp(Timestamp { seconds, nanoseconds: 999_999_999 });
            assert!(shown.seconds <= seconds && shown.nanoseconds < 1_000_000_000);
        }
        let late = Timestamp { seconds: 40_000_000_000, nanoseconds: 7 };
        assert_eq!(clocks.timestamp(late), Timestamp { seconds: 40_000_000_000 / 7 * 7, nanoseconds: 0 });
    }

    #[test]
    fn no_number_of_a_guest_overflows_a_timer() {
        for resolution_ns in [1, 7, u64::MAX] {
            let clocks = Clocks::new(&ClockGrant { resolution_ns, frozen_at_ns: None });
            assert!(clocks.timer(u64::MAX).left_ns() > u64::MAX / 4);
        }
    }

    #[test]
    fn times_at_the_edges_are_numbers_not_panics() {
        for (timestamp, nanoseconds) in [
            (Timestamp { seconds: -1, nanoseconds: 999_999_999 }, 0),
            (Timestamp { seconds: i64::MIN, nanoseconds: 0 }, 0),
            (Timestamp { seconds: i64::MAX, nanoseconds: 999_999_999 }, u64::MAX),
            (Timestamp { seconds: 1, nanoseconds: 5 }, 1_000_000_005),
        ] {
            assert_eq!(timestamp.as_ns(), nanoseconds);
        }
        assert_eq!(Timestamp::from_ns(u64::MAX).as_ns(), u64::MAX);
    }
}
