//! What is counted while a server runs.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use turnkey::{Exit, Refusal};

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: AtomicU64,
    instances: AtomicI64,
    refusals: AtomicU64,
    limits: AtomicU64,
}

impl Metrics {
    pub(crate) fn instance_made(&self) {
        self.instances.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn instance_ended(&self) {
        self.instances.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.refusals.fetch_add(refusal.count, Ordering::Relaxed);
    }

    pub(crate) fn guest_ended(&self, exit: &Exit) {
        if matches!(exit, Exit::Stopped(_)) {
            self.limits.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn request_begins(&self) {}

    pub(crate) fn request_ends(&self, _status: u16, _duration_ns: u64, _bytes: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }
}
