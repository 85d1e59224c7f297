//! The least that a program of Preview 3 does: `p3_hello WORD…` waits one millisecond and greets all words, on one line that
//! goes through `wasi:cli/stdout`.

use async_components::{command, print};
use wasip3::cli::environment::get_arguments;
use wasip3::clocks::monotonic_clock;

command!(run);

async fn run() -> Result<(), ()> {
    let before = monotonic_clock::now();
    monotonic_clock::wait_for(1_000_000).await;
    assert!(monotonic_clock::now() - before >= 1_000_000, "waited less than one millisecond");
    let words = get_arguments().split_off(1);
    print(format!("hello, {}\n", words.join(" and "))).await.map_err(|_| ())
}
