//! What holds for clocks wherever they come from: today is after 2020, monotonic time never goes back, and no sleep
//! ends early. Prints one "ok" line for each; a panic otherwise. `clocks show` prints what the raw calls answer
//! instead.

use std::io;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use guests::{CLOCK_MONOTONIC, CLOCK_REALTIME, Errno, clock_res_get, clock_time_get};

const YEAR_2020: Duration = Duration::from_secs(1_577_836_800);

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("show") {
        return show().map_err(|errno| io::Error::from_raw_os_error(errno.0.into()));
    }
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
    assert!(today > YEAR_2020, "{today:?} since 1970");
    println!("ok: realtime is after 2020");

    let mut last = Instant::now();
    for _ in 0..10_000 {
        let now = Instant::now();
        assert!(now >= last, "monotonic time went back");
        last = now;
    }
    println!("ok: monotonic time never goes back");

    for milliseconds in [0, 1, 20] {
        let asked = Duration::from_millis(milliseconds);
        let start = Instant::now();
        thread::sleep(asked);
        assert!(start.elapsed() >= asked, "a sleep of {asked:?} ended after {:?}", start.elapsed());
        println!("ok: slept {milliseconds} ms");
    }
    Ok(())
}

fn show() -> Result<(), Errno> {
    println!("realtime {}", clock_time_get(CLOCK_REALTIME)?);
    println!("realtime resolution {}", clock_res_get(CLOCK_REALTIME)?);
    println!("monotonic resolution {}", clock_res_get(CLOCK_MONOTONIC)?);
    for _ in 0..3 {
        println!("monotonic {}", clock_time_get(CLOCK_MONOTONIC)?);
    }
    Ok(())
}
