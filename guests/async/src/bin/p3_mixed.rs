//! What waits in functions of 0.2 do beside what goes on in 0.3: `p3_mixed SCENE`. The waits are those of `std`, which go
//! through Preview 1, the adapter and `wasi:io/poll`.
//!
//! `sleep`, `read`: a timer of 20 ms, and beside it a task that sleeps for 200 ms, or reads its standard input, in 0.2; on
//! standard output, when each was over. `copy`: standard input is given to standard output, both streams of 0.3, while the
//! program waits in 0.2 until there is a file `/d/enough`; then it ends. `write`: a stream to standard output that is given
//! more than a pipe holds; how much it took it says on standard error. While the rest waits, it reads its standard input in
//! 0.2, and says after that what has come of the rest.

use std::io::Read;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::thread::sleep;
use std::time::Duration;

use async_components::{command, fail, must, print};
use futures::{join, poll};
use wasip3::cli::environment::get_arguments;
use wasip3::cli::{stdin, stdout};
use wasip3::clocks::monotonic_clock::{now, wait_for};
use wasip3::wit_bindgen::StreamResult;
use wasip3::wit_stream;

command!(run);

const MS: u64 = 1_000_000;

async fn run() -> Result<(), ()> {
    match get_arguments().get(1).map(String::as_str) {
        Some("sleep") => beside_a_timer(|| sleep(Duration::from_millis(200))).await,
        Some("read") => beside_a_timer(read).await,
        Some("copy") => copy().await,
        Some("write") => write().await,
        _ => fail("p3_mixed", "sleep, read, copy or write"),
    }
    Ok(())
}

/// A timer, and beside it a wait in 0.2; when each was over.
async fn beside_a_timer(wait: impl FnOnce()) {
    let begin = now();
    let timer = async {
        wait_for(20 * MS).await;
        (now() - begin) / MS
    };
    let waiting = async {
        wait();
        (now() - begin) / MS
    };
    let (timer, waiting) = join!(timer, waiting);
    must("stdout", print(format!("the timer was over after {timer} ms, the wait after {waiting} ms\n")).await);
}

/// Standard input to standard output, while the program waits in 0.2.
async fn copy() {
    let (input, _) = stdin::read_via_stream();
    let _written = stdout::write_via_stream(input);
    while !Path::new("/d/enough").exists() {
        sleep(Duration::from_millis(10));
    }
}

/// A write that waits for room, while the program waits in 0.2.
async fn write() {
    let (mut writer, reader) = wit_stream::new();
    let _end = stdout::write_via_stream(reader);
    let mut written = 0;
    loop {
        let mut write = pin!(writer.write(vec![b'x'; 1 << 20]));
        if let Poll::Ready((StreamResult::Complete(bytes), _)) = poll!(write.as_mut()) {
            written += bytes;
            continue;
        }
        eprintln!("{written}");
        read();
        eprintln!("{:?}", write.cancel().0);
        break;
    }
}

fn read() {
    must("stdin", std::io::stdin().read(&mut [0; 64]).map_err(|error| error.kind()));
}
