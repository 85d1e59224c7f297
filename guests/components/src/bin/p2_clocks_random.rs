//! Clocks, randomness, terminals and what a program is given, by the interfaces of Preview 2:
//!
//! - `p2_clocks_random`: what holds wherever these come from, one "ok" line for each; a panic otherwise;
//! - `p2_clocks_random show`: what clocks and random numbers are, which differs from run to run;
//! - `p2_clocks_random given WORDS…`: arguments, variables (sorted), the initial directory, and which standard streams are
//!   terminals;
//! - `p2_clocks_random exit STATUS|ok|error`: ends so, by `exit-with-code` or `exit`; `return` and `error-return` leave
//!   `main`;
//! - `p2_clocks_random sleep MILLISECONDS`: waits by `wasi:clocks`.

use std::process::ExitCode;

use components::{fail, leave};
use wasip2::cli::{environment, exit, terminal_stderr, terminal_stdin, terminal_stdout};
use wasip2::clocks::monotonic_clock::{self, subscribe_duration, subscribe_instant};
use wasip2::clocks::wall_clock;
use wasip2::io::poll::poll;
use wasip2::random::{insecure, insecure_seed, random};

const MILLISECOND: u64 = 1_000_000;
const YEAR_2020: u64 = 1_577_836_800;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => {
            clocks();
            waiting();
            randomness();
        }
        ["show"] => show(),
        ["given", ..] => given(),
        ["exit", "ok"] => exit::exit(Ok(())),
        ["exit", "error"] => exit::exit(Err(())),
        ["exit", "return"] => {}
        ["exit", "error-return"] => return ExitCode::FAILURE,
        ["exit", status] => leave(status.parse().expect("a status")),
        ["sleep", time] => subscribe_duration(time.parse::<u64>().expect("a time") * MILLISECOND).block(),
        _ => fail("p2_clocks_random", "usage: p2_clocks_random [show|given|exit STATUS|sleep MILLISECONDS]"),
    }
    ExitCode::SUCCESS
}

fn clocks() {
    let (today, resolution) = (wall_clock::now(), wall_clock::resolution());
    assert!(today.seconds > YEAR_2020 && today.nanoseconds < 1_000_000_000, "{today:?}");
    println!("ok: the wall clock is after 2020");
    assert!((resolution.seconds, resolution.nanoseconds) > (0, 0) && resolution.nanoseconds < 1_000_000_000);
    assert!(monotonic_clock::resolution() > 0);
    println!("ok: each clock has a resolution");
    let mut last = monotonic_clock::now();
    for _ in 0..10_000 {
        let now = monotonic_clock::now();
        assert!(now >= last, "monotonic time went back");
        last = now;
    }
    println!("ok: monotonic time never goes back");
}

fn waiting() {
    for milliseconds in [0, 1, 20] {
        let (start, asked) = (monotonic_clock::now(), milliseconds * MILLISECOND);
        let timer = subscribe_duration(asked);
        timer.block();
        assert!(monotonic_clock::now() - start >= asked && timer.ready());
        let (start, asked) = (monotonic_clock::now(), milliseconds * MILLISECOND);
        subscribe_instant(start + asked).block();
        assert!(monotonic_clock::now() - start >= asked);
        println!("ok: waited {milliseconds} ms");
    }
    let never = [subscribe_duration(u64::MAX), subscribe_instant(u64::MAX)];
    for past in [subscribe_instant(0), subscribe_instant(monotonic_clock::now())] {
        assert_eq!(poll(&[&never[0], &past]), [1]);
        assert!(past.ready());
    }
    println!("ok: what is past is ready");
    assert!(never.iter().all(|timer| !timer.ready()));
    assert_eq!(poll(&[&never[0], &subscribe_duration(MILLISECOND), &never[1]]), [1]);
    println!("ok: what is too far to be counted never comes");
}

fn randomness() {
    for (name, bytes) in
        [("random", random::get_random_bytes as fn(u64) -> Vec<u8>), ("insecure", insecure::get_insecure_random_bytes)]
    {
        assert!(bytes(0).is_empty());
        let (one, two) = (bytes(1000), bytes(1000));
        assert!(one.len() == 1000 && two.len() == 1000 && one != two);
        // Of 1000 bytes at random, more than 200 values of 256 are there but once in many lifetimes.
        assert!((0..=u8::MAX).filter(|value| one.contains(value)).count() > 200);
        assert_eq!(bytes(1 << 20).len(), 1 << 20);
        println!("ok: {name} bytes");
    }
    assert!(random::get_random_u64() != random::get_random_u64());
    assert!(insecure::get_insecure_random_u64() != insecure::get_insecure_random_u64());
    println!("ok: random numbers");
    insecure_seed::insecure_seed();
    println!("ok: a seed");
}

fn show() {
    println!("wall clock {:?}", wall_clock::now());
    println!("wall clock's resolution {:?}", wall_clock::resolution());
    println!("monotonic clock's resolution {}", monotonic_clock::resolution());
    for _ in 0..3 {
        println!("monotonic clock {}", monotonic_clock::now());
    }
    println!("random {:?} {}", random::get_random_bytes(8), random::get_random_u64());
    let (bytes, number) = (insecure::get_insecure_random_bytes(8), insecure::get_insecure_random_u64());
    println!("insecure {bytes:?} {number}");
    println!("seed {:?}", insecure_seed::insecure_seed());
}

fn given() {
    for (index, argument) in environment::get_arguments().iter().enumerate() {
        println!("argument {index}: {}", argument.escape_debug());
    }
    let mut variables = environment::get_environment();
    variables.sort();
    for (name, value) in variables {
        println!("variable {}={}", name.escape_debug(), value.escape_debug());
    }
    println!("initial directory: {:?}", environment::initial_cwd());
    println!("terminal stdin: {}", terminal_stdin::get_terminal_stdin().is_some());
    println!("terminal stdout: {}", terminal_stdout::get_terminal_stdout().is_some());
    println!("terminal stderr: {}", terminal_stderr::get_terminal_stderr().is_some());
}
