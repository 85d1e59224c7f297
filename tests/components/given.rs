//! What a component is given besides directories: words, variables, clocks, randomness; and how it ends.

use std::time::{Duration, Instant};

use crate::harness::run;
use crate::running;

const PROGRAM: &str = "p2_clocks_random";

#[test]
fn clocks_and_random_numbers_do_what_the_standard_says() {
    let ran = run(&mut running::<&str>(&[], PROGRAM, &[]));
    let expected = [
        "the wall clock is after 2020",
        "each clock has a resolution",
        "monotonic time never goes back",
        "waited 0 ms",
        "waited 1 ms",
        "waited 20 ms",
        "what is past is ready",
        "what is too far to be counted never comes",
        "random bytes",
        "insecure bytes",
        "random numbers",
        "a seed",
    ];
    assert_eq!(ran.quiet(), expected.map(|line| format!("ok: {line}\n")).concat());
}

#[test]
fn words_and_variables_are_those_of_the_command_line() {
    let ran = run(&mut running(&["--env", "B=two", "--env", "A=one=1"], PROGRAM, &["given", "x", "", "y z"]));
    let expected = "\
argument 1: given
argument 2: x
argument 3: \n\
argument 4: y z
variable A=one=1
variable B=two
initial directory: None
terminal stdin: false
terminal stdout: false
terminal stderr: false
";
    assert_eq!(ran.quiet().split_once('\n').unwrap().1, expected);
}

#[test]
fn each_way_to_end_has_its_status() {
    for (way, status) in
        [("ok", 0), ("error", 1), ("return", 0), ("error-return", 1), ("0", 0), ("7", 7), ("125", 125), ("255", 255)]
    {
        let ran = run(&mut running::<&str>(&[], PROGRAM, &["exit", way]));
        assert_eq!((ran.status(), ran.stderr.as_str(), ran.text()), (status, "", ""), "{way}");
    }
}

#[test]
fn a_deterministic_run_is_the_same_twice() {
    let show = |flags: &[&str]| run(&mut running(flags, PROGRAM, &["show"])).quiet().to_owned();
    assert_eq!(show(&["--deterministic"]), show(&["--deterministic"]));
    assert_ne!(show(&[]), show(&[]));
    let random =
        |flags: &[&str]| show(flags).lines().skip_while(|line| !line.starts_with("random")).collect::<String>();
    assert_eq!(random(&["--random-seed", "7"]), random(&["--random-seed", "7"]));
    assert_ne!(random(&["--random-seed", "7"]), random(&["--random-seed", "8"]));
}

#[test]
fn a_frozen_clock_stands_where_it_was_put_and_sleeping_costs_no_time() {
    let ran = run(&mut running(&["--clock", "frozen=2001-09-09T01:46:40Z"], PROGRAM, &["show"]));
    assert!(ran.quiet().starts_with("wall clock Datetime { seconds: 1000000000, nanoseconds: 0 }\n"), "{ran:?}");
    let begin = Instant::now();
    run(&mut running(&["--clock", "frozen"], PROGRAM, &["sleep", "3600000"])).quiet();
    assert!(begin.elapsed() < Duration::from_secs(600));
}

#[test]
fn a_resolution_is_that_of_every_clock() {
    let ran = run(&mut running(&["--clock-resolution", "10ms"], PROGRAM, &["show"]));
    let shown = ran.quiet();
    assert!(shown.contains("wall clock's resolution Datetime { seconds: 0, nanoseconds: 10000000 }\n"), "{shown}");
    assert!(shown.contains("monotonic clock's resolution 10000000\n"), "{shown}");
    for time in shown.lines().filter_map(|line| line.strip_prefix("monotonic clock ")) {
        assert_eq!(time.parse::<u64>().unwrap() % 10_000_000, 0, "{shown}");
    }
}

#[test]
fn a_sleep_takes_as_long_as_it_says_and_no_longer_than_the_time() {
    let begin = Instant::now();
    run(&mut running::<&str>(&[], PROGRAM, &["sleep", "200"])).quiet();
    assert!(begin.elapsed() >= Duration::from_millis(200));
    let ran = run(&mut running(&["--timeout", "200ms"], PROGRAM, &["sleep", "3600000"]));
    ran.refused(124);
}
