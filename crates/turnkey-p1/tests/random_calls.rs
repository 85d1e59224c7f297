//! Thirty thousand random calls with hostile arguments against a model of the guest's memory. A failure tells the seed and the
//! call; `RANDOM_CALLS_SEED` makes the run again, or another one.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

mod harness;
mod model;

use std::collections::BTreeMap;

use model::{Bytes, Choices, Model};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Guests, each with its own grants, and calls of each.
const GUESTS: u64 = 200;
const CALLS: u64 = 150;

const SEED: u64 = 48;

struct Random(ChaCha8Rng);

impl Choices for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    fn are_over(&self) -> bool {
        false
    }
}

/// Tells the seed if the run panics.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to see it again: RANDOM_CALLS_SEED={}", self.0);
        }
    }
}

#[test]
fn no_call_writes_what_is_not_its_own_or_panics_whatever_it_is_given() {
    let seed = std::env::var("RANDOM_CALLS_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let (mut succeeded, mut trapped) = (BTreeMap::<String, u64>::new(), 0);
    for guest in 0..GUESTS {
        let seed = seed.wrapping_add(guest);
        let _told = Told(seed);
        let mut model = Model::new(Random(ChaCha8Rng::seed_from_u64(seed)));
        for _ in 0..CALLS {
            model.step();
        }
        for (name, count) in &model.succeeded {
            *succeeded.entry(name.clone()).or_default() += count;
        }
        trapped += model.trapped;
        model.finish();
    }
    // Hostile as they are, many calls must be good enough to do something, or the test would show little.
    let all: u64 = succeeded.values().sum();
    assert!(all > 2000 && trapped > 500, "{all} calls succeeded, {trapped} trapped: {succeeded:?}");
    // Without sockets four of the 46 cannot end well, and one never does; few others may be missed by chance.
    assert!(succeeded.len() > 34, "few functions ended well: {succeeded:?}");
}

/// The fuzzer's own way to choose, which a stable compiler does not run otherwise.
#[test]
fn an_input_of_any_bytes_is_a_run_that_ends() {
    let mut chance = vec![0; 2000];
    ChaCha8Rng::seed_from_u64(SEED).fill_bytes(&mut chance);
    for input in [&[][..], &[0; 500], &[0xff; 500], &chance] {
        let mut model = Model::new(Bytes(input));
        while !model.is_over() {
            model.step();
        }
        model.finish();
    }
}
