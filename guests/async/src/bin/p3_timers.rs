//! `p3_timers`: waits of 30, 10 and 20 ms, begun together, each with the time at its end; then a line of standard input, or
//! 50 ms without one. Under a clock that stands still the times are exact, and nobody waits for them.

use async_components::{command, print};
use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};
use std::pin::pin;
use wasip3::cli::stdin;
use wasip3::clocks::monotonic_clock::{now, wait_for};

command!(run);

const MS: u64 = 1_000_000;

async fn run() -> Result<(), ()> {
    let begin = now();
    let wait = |ms: u64| async move {
        wait_for(ms * MS).await;
        ms
    };
    let mut waits: FuturesUnordered<_> = [30, 10, 20].map(wait).into_iter().collect();
    while let Some(ms) = waits.next().await {
        print(format!("{ms} after {}\n", (now() - begin) / MS)).await.map_err(|_| ())?;
    }
    let (mut stream, _end) = stdin::read_via_stream();
    let read = pin!(stream.read(Vec::with_capacity(100)));
    let line = match select(read, pin!(wait(50))).await {
        Either::Left(((_, read), _)) => format!("read {}", String::from_utf8_lossy(&read)),
        Either::Right(_) => format!("nothing until {}\n", (now() - begin) / MS),
    };
    print(line).await.map_err(|_| ())
}
