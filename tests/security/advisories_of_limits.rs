//! Published advisories of WASI hosts that are about what a guest can make its host hold or do, each by its name.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::wat::{command_of, data};
use crate::harness::{Folder, Ran, granted, run, shell, turnkey};

const NAMETOOLONG: i32 = 37;
const NOMEM: i32 = 48;

/// 64 MiB: what a guest needs to ask for a lot at once.
const PAGES: u32 = 1024;
/// What the process may have in all when a guest with so much memory asks for much: its memory, and what is there anyway.
const FLAT_BYTES: u64 = 160 << 20;

fn large_guest(folder: &Folder, wasi: &str, fields: &str, body: &str) -> PathBuf {
    folder.module(&command_of(wasi, PAGES, fields, body))
}

fn run_large(flags: &[&str], fields: &str, body: &str) -> Ran {
    let folder = Folder::new();
    let app = large_guest(&folder, "wasi_snapshot_preview1", fields, body);
    let mut command: Command = turnkey();
    command.args(["run", "--timeout", "40s"]).args(flags).arg("--dir").arg(granted(folder.root(), "/d"));
    run(command.arg(app))
}

#[track_caller]
fn stays_flat(ran: &Ran, status: i32) {
    assert_eq!(ran.status(), status, "{ran:?}");
    assert!(ran.peak_bytes < FLAT_BYTES, "the process took {} MiB", ran.peak_bytes >> 20);
}

/// A million buffers, each of them all of the memory: four million gigabytes, if anybody copied them together.
const MANY_BUFFERS: &str = "(local $i i32)
    (loop $again
        (i32.store (i32.add (i32.const 1048576) (i32.mul (local.get $i) (i32.const 8))) (i32.const 0))
        (i32.store (i32.add (i32.const 1048580) (i32.mul (local.get $i) (i32.const 8))) (i32.const 67108864))
        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000))))";

#[test]
fn ghsa_852m_cvvp_9p4w_a_list_of_a_million_buffers_takes_no_memory_of_the_host() {
    let write = format!(
        "{MANY_BUFFERS} (call $must (call $fd_write (i32.const 1) (i32.const 1048576) (i32.const 1000000) (i32.const 8)))"
    );
    stays_flat(&run_large(&["--stdout", "null"], "", &write), 0);
    let read = format!(
        "{MANY_BUFFERS} (call $must (call $fd_read (i32.const 0) (i32.const 1048576) (i32.const 1000000) (i32.const 8)))"
    );
    stays_flat(&run_large(&[], "", &read), 0);
    stays_flat(&run_large(&["--stdin", "/dev/zero"], "", &read), 0);
}

#[test]
fn ghsa_852m_cvvp_9p4w_a_path_of_the_whole_memory_takes_no_memory_of_the_host() {
    for (call, errno) in [
        (
            "(call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 67000000) (i32.const 0))",
            NAMETOOLONG,
        ),
        ("(call $path_create_directory (i32.const 3) (i32.const 1024) (i32.const 67000000))", NAMETOOLONG),
        ("(call $path_unlink_file (i32.const 3) (i32.const 1024) (i32.const 67000000))", NAMETOOLONG),
    ] {
        let body = format!("(memory.fill (i32.const 1024) (i32.const 97) (i32.const 67000000)) (call $must {call})");
        stays_flat(&run_large(&["--explain"], "", &body), errno);
    }
    // Contents of a link are a path too.
    let symlink = "(memory.fill (i32.const 1024) (i32.const 97) (i32.const 67000000))
        (call $must (call $path_symlink (i32.const 1024) (i32.const 60000000) (i32.const 3) (i32.const 1024) (i32.const 4)))";
    stays_flat(&run_large(&[], "", symlink), NAMETOOLONG);
}

#[test]
fn ghsa_852m_cvvp_9p4w_refused_paths_are_remembered_in_few_bytes() {
    // Four kilobytes each, a different one each time, and all lead out.
    let body = "(local $i i32)
        (memory.fill (i32.const 4096) (i32.const 47) (i32.const 4000)) (i32.store16 (i32.const 4096) (i32.const 0x2e2e))
        (loop $again
            (i32.store (i32.const 8000) (i32.or (i32.const 0x61616161) (local.get $i)))
            (drop (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 4096) (i32.const 4000) (i32.const 0)))
            (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 30000))))";
    stays_flat(&run_large(&["--explain"], "", body), 0);
}

#[test]
fn ghsa_852m_cvvp_9p4w_a_million_subscriptions_take_no_memory_of_the_host() {
    // Relative clocks of no time at all: each is over at once.
    let poll = |count: u32| {
        format!(
            "(call $must (call $poll_oneoff (i32.const 1048576) (i32.const 1048576) (i32.const {count}) (i32.const 8)))"
        )
    };
    stays_flat(&run_large(&[], "", &poll(1_000_000)), NOMEM);
    stays_flat(&run_large(&[], "", &poll(65_537)), NOMEM);
    stays_flat(&run_large(&[], "", &poll(65_536)), 0);
    stays_flat(&run_large(&["--max-memory", "65MiB"], "", &poll(65_536)), NOMEM);
}

#[test]
fn ghsa_852m_cvvp_9p4w_all_of_the_memory_is_filled_with_random_bytes_in_place() {
    stays_flat(&run_large(&[], "", "(call $must (call $random_get (i32.const 0) (i32.const 67108864)))"), 0);
}

#[test]
fn ghsa_852m_cvvp_9p4w_a_listing_into_all_of_the_memory_takes_no_memory_of_the_host() {
    let body = "(call $must (call $fd_readdir (i32.const 3) (i32.const 1024) (i32.const 67000000) (i64.const 0) (i32.const 0)))";
    stays_flat(&run_large(&[], "", body), 0);
    stays_flat(&run_large(&["--deterministic"], "", body), 0);
}

/// `wasi_unstable`, in which the advisory was found, and Preview 1, which has the same function.
const BOTH: [&str; 2] = ["wasi_unstable", "wasi_snapshot_preview1"];

/// A poll of so many subscriptions, from 1 MiB on, each of them a clock. All zeroes are a clock that is over at once.
fn poll_guest(folder: &Folder, wasi: &str, count: u32, body: &str) -> PathBuf {
    let poll = format!("(call $poll_oneoff (i32.const 1048576) (i32.const 1048576) (i32.const {count}) (i32.const 8))");
    large_guest(folder, wasi, "", &body.replace("POLL", &poll))
}

#[test]
fn ghsa_j366_h8gg_77pm_a_poll_beyond_the_memory_is_a_trap_and_takes_none_of_the_host() {
    let folder = Folder::new();
    for wasi in BOTH {
        for count in [u32::MAX, 1 << 31, 10_000_000] {
            let ran = run(turnkey().arg("run").arg(poll_guest(&folder, wasi, count, "(call $must POLL)")));
            stays_flat(&ran, 134);
            assert!(ran.stderr.contains("`poll_oneoff`"), "{ran:?}");
        }
    }
}

#[test]
fn ghsa_j366_h8gg_77pm_a_poll_of_too_much_is_refused_to_both_generations() {
    let folder = Folder::new();
    for wasi in BOTH {
        for count in [65_537, 1_000_000] {
            stays_flat(&run(turnkey().arg("run").arg(poll_guest(&folder, wasi, count, "(call $must POLL)"))), NOMEM);
        }
    }
}

#[test]
fn ghsa_j366_h8gg_77pm_a_long_poll_does_not_outlast_the_guests_time() {
    let folder = Folder::new();
    for (wasi, timeout_at) in [("wasi_unstable", 1_048_576 + 32), ("wasi_snapshot_preview1", 1_048_576 + 24)] {
        // One subscription, to a clock, for 2⁵⁶ nanoseconds: two years.
        let body = format!("(i64.store (i32.const {timeout_at}) (i64.const 0x100000000000000)) (call $must POLL)");
        let app = poll_guest(&folder, wasi, 1, &body);
        let begin = Instant::now();
        let ran = run(turnkey().args(["run", "--timeout", "1s"]).arg(app));
        assert!(ran.refused(124).contains("`--timeout 1s`"), "{wasi}: {ran:?}");
        assert!(begin.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn ghsa_j366_h8gg_77pm_endless_polls_do_not_outlast_the_guests_time() {
    let folder = Folder::new();
    for wasi in BOTH {
        let app = poll_guest(
            &folder,
            wasi,
            65_536,
            "(loop $again (call $must POLL) (memory.fill (i32.const 1048576) (i32.const 0) (i32.const 3145728)) (br $again))",
        );
        let begin = Instant::now();
        let ran = run(turnkey().args(["run", "--timeout", "1s"]).arg(app));
        assert!(ran.refused(124).contains("`--timeout 1s`"), "{wasi}: {ran:?}");
        assert!(begin.elapsed() < Duration::from_secs(20));
        assert!(ran.peak_bytes < FLAT_BYTES);
    }
}

/// Fuel is to bound what a guest costs. What it makes the host do for it must not be free.
#[test]
fn ghsa_j366_h8gg_77pm_fuel_bounds_the_work_of_polls_too() {
    let folder = Folder::new();
    for wasi in BOTH {
        let app = poll_guest(&folder, wasi, 65_536, "(loop $again (call $must POLL) (br $again))");
        let ran = run(turnkey().args(["run", "--timeout", "8s", "--fuel", "20000"]).arg(app));
        assert!(ran.refused(124).contains("`--fuel 20000`"), "{wasi}: {ran:?}");
        assert!(ran.cpu < Duration::from_secs(4), "twenty thousand instructions took {:?}", ran.cpu);
    }
}

/// Writes all of its memory to stdout, for ever.
const ENDLESS: &str =
    "(loop $again (call $must (call $put (i32.const 1) (i32.const 0) (i32.const 67108864))) (br $again))";

#[test]
fn ghsa_gqmc_89g8_p25r_a_guest_whose_output_nobody_takes_costs_no_memory() {
    let folder = Folder::new();
    let app = large_guest(&folder, "wasi_snapshot_preview1", "", ENDLESS);
    let begin = Instant::now();
    let ran =
        run(turnkey().args(["run", "--timeout", "1s", "--stdin=null", "--stdout=null", "--stderr=null"]).arg(&app));
    assert!(ran.refused(124).contains("`--timeout 1s`"));
    assert!(begin.elapsed() < Duration::from_secs(20) && ran.peak_bytes < FLAT_BYTES, "{ran:?}");
    // Closed: there is nowhere to write to, and the guest is told.
    let ran = run(shell("exec \"$0\" run --timeout 20s \"$1\" <&- >&- 2>&-").arg(&app));
    assert_eq!(ran.status(), 8);
    assert!(ran.peak_bytes < FLAT_BYTES);
}

#[test]
fn ghsa_gqmc_89g8_p25r_a_guest_whose_output_nobody_reads_costs_no_memory() {
    let folder = Folder::new();
    let app = large_guest(&folder, "wasi_snapshot_preview1", "", ENDLESS);
    let (_open, writer) = std::io::pipe().unwrap();
    let mut command = turnkey();
    command.args(["run", "--timeout", "1s"]).arg(&app).stdout(writer).stderr(Stdio::piped());
    let ran = crate::harness::start(&mut command).wait();
    assert!(ran.refused(124).contains("`--timeout 1s`"));
    assert!(ran.peak_bytes < FLAT_BYTES, "{ran:?}");
}

#[test]
fn ghsa_gqmc_89g8_p25r_writing_nothing_without_end_costs_no_memory() {
    let folder = Folder::new();
    let app = folder.command(
        &data(100, b""),
        "(loop $again (call $must (call $put (i32.const 1) (i32.const 0) (i32.const 0))) (br $again))",
    );
    let ran = run(turnkey().args(["run", "--timeout", "1s", "--stdout=null"]).arg(&app));
    assert!(ran.refused(124).contains("`--timeout 1s`"));
    assert!(ran.peak_bytes < FLAT_BYTES);
}
