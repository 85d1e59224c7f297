//! The program that limits are for. The first argument says of what it takes all that it can get:
//!
//! - `descriptors FILE`: opens it without end; prints how many went and the error. 0 if that was `mfile` or `nfile`;
//! - `memory`: grows until that is refused, prints how many pages there are, and aborts;
//! - `loop`, `recurse`, `sleep`: without end, in its own code, on its stack, in the host;
//! - `stdin`: waits for input, however long that takes;
//! - `stdout`: writes for ever; names the error on standard error, status 3;
//! - `disk FILE`: writes it until an error; prints that, and how many bytes the file has.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::process::{abort, exit};
use std::time::Duration;

use guests::{Errno, MFILE, NFILE, fail, fd_write};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["descriptors", path] => descriptors(path),
        ["memory"] => memory(),
        ["loop"] => spin(),
        ["recurse"] => println!("{}", recurse(black_box(1))),
        ["sleep"] => loop {
            std::thread::sleep(Duration::from_secs(3600));
        },
        ["stdin"] => stdin(),
        ["stdout"] => stdout(),
        ["disk", path] => disk(path),
        _ => fail("hog", "usage: hog descriptors FILE|memory|loop|recurse|sleep|stdin|stdout|disk FILE"),
    }
}

fn descriptors(path: &str) {
    let mut files = Vec::new();
    let errno = loop {
        match File::open(path) {
            Ok(file) => files.push(file),
            Err(error) => break Errno::from(&error),
        }
    };
    println!("{errno} after {} opens", files.len());
    exit(if errno == MFILE || errno == NFILE { 0 } else { 1 });
}

fn memory() {
    use std::arch::wasm32::{memory_grow, memory_size};
    // In steps that get smaller, so that not one page of the limit is left.
    for step in [256, 16, 1] {
        while memory_grow::<0>(step) != usize::MAX {}
    }
    // There is nothing left for the buffer of `println!`.
    let mut line = [0; 64];
    let mut rest = line.as_mut_slice();
    let _ = writeln!(rest, "memory ends at {} pages", memory_size::<0>());
    let unused = rest.len();
    let _ = fd_write(1, &line[..line.len() - unused]);
    abort();
}

fn spin() {
    for turn in 0_u64.. {
        black_box(turn);
    }
}

/// Its result needs the frame of every call, so that no compiler makes a loop of it.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    if depth == 0 { 0 } else { recurse(depth.wrapping_add(2)).rotate_left(7) ^ depth }
}

fn stdin() {
    let mut buffer = [0; 64];
    match io::stdin().read(&mut buffer) {
        Ok(length) => println!("{length} bytes came"),
        Err(error) => fail("stdin", Errno::from(&error)),
    }
}

fn stdout() {
    let block = [b'x'; 4096];
    let mut out = io::stdout().lock();
    loop {
        if let Err(error) = out.write_all(&block) {
            eprintln!("{}", Errno::from(&error));
            exit(3);
        }
    }
}

fn disk(path: &str) {
    let mut file = File::create(path).unwrap_or_else(|error| fail(path, error));
    let block = [b'x'; 4096];
    let errno = loop {
        if let Err(error) = file.write_all(&block) {
            break Errno::from(&error);
        }
    };
    let length = fs::metadata(path).unwrap_or_else(|error| fail(path, error)).len();
    println!("{errno} after {length} bytes");
}
