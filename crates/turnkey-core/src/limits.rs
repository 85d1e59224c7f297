//! Every bound that a guest runs under: its unit, its default, what it protects, and where it is spent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ErrorCode;

/// The bounds of one guest. [`Limits::default`] is what `turnkey run` uses: a guest of one's own, on one's own machine.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of the whole instance: every memory, every table, and what the host holds for it. `None`: as much as the
    /// module may grow to. Spent in [`Budget`].
    pub memory_bytes: Option<u64>,
    /// Wall time from start to end. `None`: no end. Spent at each wait in the host, and by the engine's epochs.
    pub timeout: Option<Duration>,
    /// Instructions, as the engine counts them; deterministic for one version of it. `None`: not counted.
    pub fuel: Option<u64>,
    /// Descriptors open at once, standard streams and grants included. Bounds the host's own table and the guest's.
    pub descriptors: u32,
    /// Sockets that the guest opened itself and that are open at once: each is a descriptor of the host, and memory of the
    /// kernel. Spent where one is created or accepted; those that Preview 1 is handed and accepts are `descriptors`.
    pub sockets: u32,
    /// Look-ups of names that the system is asked for at once. Each has a thread of the host until the system has answered.
    pub lookups: u32,
    /// Resources that a component holds at once: streams, pollables, errors, sockets, descriptors. Bounds the host's tables.
    pub handles: u32,
    /// Bytes that the host may hold for a guest when `memory_bytes` is `None`: listing buffers, tables, paths.
    pub host_bytes: u64,
    /// Subscriptions in one `poll_oneoff`: bounds the host's memory and work in one call.
    pub subscriptions: u32,
    /// Distinct refusals that are remembered; later ones are only counted. Bounds what a guest can make the host keep.
    pub refusals: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_bytes: None,
            timeout: None,
            fuel: None,
            descriptors: 1024,
            handles: 100_000,
            sockets: 1024,
            lookups: 16,
            host_bytes: 256 << 20,
            subscriptions: 1 << 16,
            refusals: 256,
        }
    }
}

/// A limit by the name that its flag has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `--max-memory`
    Memory,
    /// `--timeout`
    Timeout,
    /// `--fuel`
    Fuel,
    /// `--max-descriptors`
    Descriptors,
    /// `--max-handles`
    Handles,
    /// `--max-sockets`
    Sockets,
}

impl Limit {
    /// The flag of the command line that sets it.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        match self {
            Limit::Memory => "--max-memory",
            Limit::Timeout => "--timeout",
            Limit::Fuel => "--fuel",
            Limit::Descriptors => "--max-descriptors",
            Limit::Handles => "--max-handles",
            Limit::Sockets => "--max-sockets",
        }
    }
}

/// What a guest has used of its memory, its own and the host's for it together.
#[derive(Debug)]
pub struct Budget {
    total: Option<u64>,
    host: u64,
    used: u64,
    used_by_host: u64,
    /// What leases have given back and is not counted as such yet.
    returned: Arc<AtomicU64>,
    met: Option<Limit>,
}

/// Bytes that the host holds for a guest for as long as this is kept: for what an engine keeps, and drops where no budget is
/// at hand.
#[derive(Debug)]
pub struct Lease {
    bytes: u64,
    returned: Arc<AtomicU64>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.returned.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

impl Budget {
    /// A budget with nothing used.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Budget {
            total: limits.memory_bytes,
            host: limits.host_bytes,
            used: 0,
            used_by_host: 0,
            returned: Arc::default(),
            met: None,
        }
    }

    /// Takes bytes for the guest's own memories and tables. `false`: they would go beyond the limit, and nothing is taken.
    pub fn take_guest(&mut self, bytes: u64) -> bool {
        self.collect();
        let wanted = self.used.saturating_add(bytes);
        if self.total.is_some_and(|total| wanted > total) {
            self.met = Some(Limit::Memory);
            return false;
        }
        self.used = wanted;
        true
    }

    /// Takes bytes that the host is about to hold for the guest.
    ///
    /// # Errors
    /// [`ErrorCode::InsufficientMemory`]: the guest's memory, or what the host holds for it, would go beyond its limit.
    pub fn take_host(&mut self, bytes: u64) -> Result<(), ErrorCode> {
        self.collect();
        let held = self.used_by_host.saturating_add(bytes);
        if held > self.host || !self.take_guest(bytes) {
            self.met = Some(Limit::Memory);
            return Err(ErrorCode::InsufficientMemory);
        }
        self.used_by_host = held;
        Ok(())
    }

    /// The same, given back when the lease is dropped.
    ///
    /// # Errors
    /// As [`Budget::take_host`].
    pub fn lease(&mut self, bytes: u64) -> Result<Lease, ErrorCode> {
        self.take_host(bytes)?;
        Ok(Lease { bytes, returned: Arc::clone(&self.returned) })
    }

    /// Counts what leases have given back.
    #[inline]
    fn collect(&mut self) {
        if self.returned.load(Ordering::Relaxed) > 0 {
            let bytes = self.returned.swap(0, Ordering::Relaxed);
            self.give_host(bytes);
        }
    }

    /// Whether [`Budget::take_host`] would take so many bytes: asked before something is done that cannot be undone.
    ///
    /// # Errors
    /// As [`Budget::take_host`].
    pub fn must_have_room(&mut self, bytes: u64) -> Result<(), ErrorCode> {
        self.take_host(bytes)?;
        self.give_host(bytes);
        Ok(())
    }

    /// Gives back bytes that [`Budget::take_guest`] took.
    pub fn give_guest(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Gives back bytes that [`Budget::take_host`] took.
    pub fn give_host(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
        self.used_by_host = self.used_by_host.saturating_sub(bytes);
    }

    /// Notes that the guest met a limit and was told so by the standard's own error.
    pub fn note(&mut self, limit: Limit) {
        self.met = Some(limit);
    }

    /// The last limit that the guest met, if any: what a message names when the guest then ends badly.
    #[must_use]
    pub const fn met(&self) -> Option<Limit> {
        self.met
    }

    /// Bytes taken now, guest and host together.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.saturating_sub(self.returned.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_exactly_at_its_limit() {
        let mut budget = Budget::new(&Limits { memory_bytes: Some(100), ..Limits::default() });
        assert!(budget.take_guest(99));
        assert!(budget.take_guest(1));
        assert!(!budget.take_guest(1));
        assert_eq!(budget.met(), Some(Limit::Memory));
        assert_eq!(budget.used(), 100);
    }

    #[test]
    fn what_the_host_holds_counts_and_comes_back() {
        let mut budget = Budget::new(&Limits { memory_bytes: Some(100), host_bytes: 50, ..Limits::default() });
        assert_eq!(budget.take_host(51), Err(ErrorCode::InsufficientMemory));
        budget.take_host(50).unwrap();
        assert!(!budget.take_guest(51));
        budget.give_host(50);
        assert!(budget.take_guest(100));
    }

    #[test]
    fn a_lease_gives_back_what_it_took_when_it_is_dropped() {
        let mut budget = Budget::new(&Limits { memory_bytes: Some(100), ..Limits::default() });
        let lease = budget.lease(60).unwrap();
        assert!(budget.lease(41).is_err());
        drop(lease);
        assert!(budget.take_guest(100));
    }
}
