//! Calls of Preview 1 with arguments of the fuzzer's choice, against the model of guest memory that `random_calls` of
//! turnkey-p1 uses.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

#[path = "../../crates/turnkey-p1/tests/harness/mod.rs"]
mod harness;
#[path = "../../crates/turnkey-p1/tests/model/mod.rs"]
mod model;

use libfuzzer_sys::fuzz_target;
use model::{Bytes, Model};

/// Calls of one guest: more show nothing that another guest would not.
const MOST_CALLS: usize = 200;

fuzz_target!(|data: &[u8]| {
    let mut model = Model::new(Bytes(data));
    for _ in 0..MOST_CALLS {
        if model.is_over() {
            break;
        }
        model.step();
    }
    model.finish();
});
