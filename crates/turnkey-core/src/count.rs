//! What a guest may have so many of at once, counted until the last holder of each has gone, whoever that is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many there are now.
#[derive(Debug, Default)]
pub struct Count(Arc<AtomicU32>);

/// One of them.
#[derive(Debug)]
pub struct Counted(Arc<AtomicU32>);

impl Count {
    /// How many there are.
    #[must_use]
    pub fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more. `None`: there are `most` of them.
    #[must_use]
    pub fn take(&self, most: u32) -> Option<Counted> {
        let more = |now: u32| (now < most).then(|| now + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Counted(Arc::clone(&self.0)))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_than_the_bound() {
        let count = Count::default();
        let first = count.take(2).unwrap();
        let _second = count.take(2).unwrap();
        assert!(count.take(2).is_none());
        drop(first);
        assert!(count.take(2).is_some());
    }
}
