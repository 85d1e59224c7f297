//! `sched_yield`.

use crate::harness::Guest;

#[test]
fn yielding_comes_back() {
    Guest::new().gives("sched_yield", &[], &[]);
}
