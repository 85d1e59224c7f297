//! `clock_res_get`, `clock_time_get`.

use std::time::{SystemTime, UNIX_EPOCH};

use turnkey_core::clocks::ClockGrant;

use crate::harness::errno::INVAL;
use crate::harness::{Guest, RESULT, Setup};

const REALTIME: u64 = 0;
const MONOTONIC: u64 = 1;
const PROCESS: u64 = 2;
const THREAD: u64 = 3;

fn now(guest: &mut Guest, clock: u64, precision: u64) -> u64 {
    guest.writes("clock_time_get", &[clock, precision, RESULT], &[(RESULT, 8)]);
    guest.u64_at(RESULT)
}

fn with(resolution_ns: u64, frozen_at_ns: Option<u64>) -> Guest {
    let mut setup = Setup::new();
    setup.grants.clock = ClockGrant { resolution_ns, frozen_at_ns };
    setup.start()
}

fn host_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

#[test]
fn the_realtime_clock_is_the_hosts() {
    let mut guest = Guest::new();
    let before = host_ns();
    let shown = now(&mut guest, REALTIME, 1);
    assert!((before..=host_ns()).contains(&shown), "{shown}");
}

#[test]
fn the_monotonic_clock_never_goes_back_and_hides_how_long_the_host_has_been_up() {
    let mut guest = Guest::new();
    let mut last = 0;
    for _ in 0..100 {
        let shown = now(&mut guest, MONOTONIC, 0);
        assert!(shown >= last);
        last = shown;
    }
    assert!(last < 60_000_000_000, "{last} ns is more than this test has run for");
}

#[test]
fn the_processor_clocks_count_what_the_guest_used() {
    let mut guest = Guest::new();
    for clock in [PROCESS, THREAD] {
        let first = now(&mut guest, clock, 0);
        assert!(now(&mut guest, clock, 0) >= first);
    }
}

#[test]
fn the_precision_asked_for_changes_nothing() {
    let mut guest = Guest::new();
    for precision in [0, 1, 1_000_000_000, u64::MAX] {
        let before = host_ns();
        assert!(now(&mut guest, REALTIME, precision) >= before);
    }
}

#[test]
fn a_clock_that_is_none_is_invalid_and_writes_nothing() {
    let mut guest = Guest::new();
    for clock in [4, 5, 0x100, 0xffff_ffff] {
        guest.fails("clock_time_get", &[clock, 0, RESULT], INVAL);
        guest.fails("clock_res_get", &[clock, RESULT], INVAL);
    }
}

#[test]
fn every_clock_has_a_step() {
    let mut guest = Guest::new();
    for clock in REALTIME..=THREAD {
        guest.writes("clock_res_get", &[clock, RESULT], &[(RESULT, 8)]);
        assert!((1..1_000_000_000).contains(&guest.u64_at(RESULT)));
    }
}

#[test]
fn a_coarse_clock_says_so_and_is() {
    let mut guest = with(250_000_000, None);
    for clock in REALTIME..=THREAD {
        guest.gives("clock_res_get", &[clock, RESULT], &[(RESULT, &250_000_000u64.to_le_bytes())]);
        assert_eq!(now(&mut guest, clock, 0) % 250_000_000, 0);
    }
}

#[test]
fn a_frozen_clock_stands_where_it_was_put() {
    let mut guest = with(1, Some(1_234_567_890));
    for _ in 0..2 {
        guest.gives("clock_time_get", &[REALTIME, 0, RESULT], &[(RESULT, &1_234_567_890u64.to_le_bytes())]);
        for clock in [MONOTONIC, PROCESS, THREAD] {
            guest.gives("clock_time_get", &[clock, 0, RESULT], &[(RESULT, &[0; 8])]);
        }
    }
}

#[test]
fn a_clock_frozen_at_the_end_of_time_stays_there() {
    let mut guest = with(1, Some(u64::MAX));
    guest.gives("clock_time_get", &[REALTIME, 0, RESULT], &[(RESULT, &[0xff; 8])]);
}
