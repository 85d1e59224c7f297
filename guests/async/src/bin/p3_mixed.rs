//! What waits in functions of 0.2 do beside what goes on in 0.3: `p3_mixed SCENE`. The waits are those of `std`, which go
//! through Preview 1, the adapter and `wasi:io/poll`.
//!
//! `sleep`, `read`: a timer of 20 ms, and beside it a task that sleeps for 200 ms, or reads its standard input, in 0.2; on
//! standard output, when each was over. `copy`: standard input is given to standard output, both streams of 0.3, while the
//! program sleeps in 0.2, for one second; when it wakes up it says so on standard error, and waits for the end of the copy.
//! `write`: a stream to standard output that is given more than a pipe holds, and the same sleep while it waits.

use std::io::Read;
use std::pin::pin;
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
        Some("read") => {
            let read = || {
                let mut line = [0; 64];
                must("stdin", std::io::stdin().read(&mut line).map_err(|error| error.kind()));
            };
            beside_a_timer(read).await;
        }
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
    let (input, read) = stdin::read_via_stream();
    let written = stdout::write_via_stream(input);
    // Whatever is begun when the tasks are next looked at has begun.
    wait_for(MS).await;
    eprintln!("sleeps");
    sleep(Duration::from_secs(1));
    eprintln!("wakes");
    must("stdout", written.await);
    must("stdin", read.await);
}

/// A write that waits for room, while the program waits in 0.2.
async fn write() {
    let (mut writer, reader) = wit_stream::new();
    let end = stdout::write_via_stream(reader);
    let mut written = 0;
    loop {
        let mut write = pin!(writer.write(vec![b'x'; 1 << 20]));
        if let std::task::Poll::Ready((StreamResult::Complete(bytes), _)) = poll!(write.as_mut()) {
            written += bytes;
            continue;
        }
        eprintln!("sleeps after {written} bytes");
        sleep(Duration::from_secs(1));
        let (result, _) = write.cancel();
        eprintln!("wakes; of the write that waited: {result:?}");
        break;
    }
    drop(writer);
    must("stdout", end.await);
}
