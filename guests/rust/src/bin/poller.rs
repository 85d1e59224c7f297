//! Waits by the raw call, `poll_oneoff`, one kind of waiting for each first argument:
//!
//! - `stdin`: until standard input can be read, again and again until its end;
//! - `clock`: for four clocks at once, relative and absolute, and which came first;
//! - `mixed`: for standard input, but 50 ms at most;
//! - `files DIRECTORY`: for a regular file, which can always be read and written.

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;

use guests::{ABSTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, EVENT_CLOCK, EVENT_FD_READ, EVENT_FD_WRITE, HANGUP};
use guests::{Event, Subscription, clock_time_get, fail, fd_read};

const STDIN: u32 = 0;
const MILLISECOND: u64 = 1_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["stdin"] => stdin(),
        ["clock"] => clock(),
        ["mixed"] => mixed(),
        ["files", directory] => files(directory),
        _ => fail("poller", "usage: poller stdin|clock|mixed|files DIRECTORY"),
    }
}

fn poll(waits: &[Subscription]) -> Vec<Event> {
    let events = guests::poll_oneoff(waits).unwrap_or_else(|errno| fail("poll_oneoff", errno));
    assert!(!events.is_empty(), "poll_oneoff came back for nothing");
    events
}

fn now(clock: u32) -> u64 {
    clock_time_get(clock).unwrap_or_else(|errno| fail("clock_time_get", errno))
}

fn show(event: &Event) {
    let kind = match event.kind {
        EVENT_CLOCK => "clock",
        EVENT_FD_READ => "fd_read",
        EVENT_FD_WRITE => "fd_write",
        _ => "unknown",
    };
    let hangup = if event.kind != EVENT_CLOCK && event.flags & HANGUP != 0 { ", hangup" } else { "" };
    println!("event {}: {kind}, {}{hangup}", event.userdata, event.error);
}

fn stdin() {
    let mut total = 0;
    let mut buffer = [0; 4096];
    loop {
        for event in poll(&[Subscription::descriptor(7, EVENT_FD_READ, STDIN)]) {
            show(&event);
        }
        // A hangup leaves what was written before it to be read.
        match fd_read(STDIN, &mut buffer).unwrap_or_else(|errno| fail("fd_read", errno)) {
            0 => break,
            length => {
                println!("read {length} bytes");
                total += length;
            }
        }
    }
    println!("end after {total} bytes");
}

fn clock() {
    let start = now(CLOCK_MONOTONIC);
    let mut waits = vec![
        Subscription::clock(40, CLOCK_MONOTONIC, 40 * MILLISECOND, 0),
        Subscription::clock(200, CLOCK_REALTIME, now(CLOCK_REALTIME) + 200 * MILLISECOND, ABSTIME),
        Subscription::clock(100, CLOCK_MONOTONIC, start + 100 * MILLISECOND, ABSTIME),
        Subscription::clock(0, CLOCK_REALTIME, 1, ABSTIME),
    ];
    let mut fired = Vec::new();
    while !waits.is_empty() {
        // On a slow machine two may come at once, and then in any order.
        let mut events = poll(&waits);
        events.sort_by_key(|event| event.userdata);
        for event in events {
            show(&event);
            fired.push(event.userdata);
            waits.retain(|wait| wait.userdata != event.userdata);
        }
        // What was relative begins anew with each call; made absolute, it does not.
        for wait in &mut waits {
            if wait.userdata == 40 {
                *wait = Subscription::clock(40, CLOCK_MONOTONIC, start + 40 * MILLISECOND, ABSTIME);
            }
        }
    }
    let waited = now(CLOCK_MONOTONIC) - start;
    println!("in order: {}", fired.is_sorted());
    // The realtime clock may be set right by a little meanwhile.
    println!("no earlier than asked: {}", waited >= 199 * MILLISECOND);
}

fn mixed() {
    let waits = [
        Subscription::descriptor(1, EVENT_FD_READ, STDIN),
        Subscription::clock(2, CLOCK_MONOTONIC, 50 * MILLISECOND, 0),
    ];
    for event in poll(&waits) {
        show(&event);
    }
}

fn files(directory: &str) {
    let path = format!("{directory}/polled");
    fs::write(&path, "12345").unwrap_or_else(|error| fail(&path, error));
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap_or_else(|error| fail(&path, error));
    let fd = file.as_raw_fd() as u32;
    for event in
        poll(&[Subscription::descriptor(1, EVENT_FD_READ, fd), Subscription::descriptor(2, EVENT_FD_WRITE, fd)])
    {
        show(&event);
    }
    fs::remove_file(&path).unwrap_or_else(|error| fail(&path, error));
}
