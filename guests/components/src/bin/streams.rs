//! All of `wasi:io`, by its own functions. `streams WHAT [DIRECTORY]`, where DIRECTORY is the name of one that was handed
//! over, with nothing in it:
//!
//! - `files DIRECTORY`: writes, zeroes, reads, skips, splices, waits, and what comes at the end; a transcript. It leaves
//!   nothing behind;
//! - `stdin`: reads standard input to its end, as it comes; how many bytes, and their sum;
//! - `copy`, `blocking-copy`: splices standard input to standard output;
//! - `wait`: says when nothing comes for 50 ms, then each piece that comes, then the end;
//! - `flood`: writes to standard output until that fails; says how on standard error, status 3;
//! - `stdout`: a line by each way of writing there is;
//! - `trap-WHAT DIRECTORY`: does what the standard forbids, and does not come back from it; see the source;
//! - `choice-WHAT DIRECTORY`: does what the standard leaves to the host; says when it is done, if the host lets it.

use components::{directory, fail, leave, must, shown, whether};
use wasip2::cli::{stderr, stdin, stdout};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags, filesystem_error_code};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

const MILLISECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600_000 * MILLISECOND;
/// The most that the blocking forms take.
const BLOCKING_BYTES: usize = 4096;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["files", name] => files(&directory(name)),
        ["stdin"] => read_stdin(),
        ["copy"] => copy(OutputStream::splice),
        ["blocking-copy"] => copy(OutputStream::blocking_splice),
        ["wait"] => wait(),
        ["flood"] => flood(),
        ["stdout"] => write_stdout(),
        [what, name] if what.starts_with("trap-") => trap(what, &directory(name)),
        [what, name] if what.starts_with("choice-") => choice(what, &directory(name)),
        _ => fail(
            "streams",
            "usage: streams files|stdin|copy|blocking-copy|wait|flood|stdout|trap-WHAT|choice-WHAT [DIRECTORY]",
        ),
    }
}

fn open(root: &Descriptor, name: &str, open: OpenFlags, flags: DescriptorFlags) -> Descriptor {
    must(name, root.open_at(PathFlags::empty(), name, open, flags))
}

fn create(root: &Descriptor, name: &str) -> Descriptor {
    open(root, name, OpenFlags::CREATE | OpenFlags::TRUNCATE, DescriptorFlags::READ | DescriptorFlags::WRITE)
}

/// What is in a file, by reads that are no streams.
fn contents(file: &Descriptor) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let (bytes, end) = must("read", file.read(1 << 16, all.len() as u64));
        all.extend(bytes);
        if end {
            return all;
        }
    }
}

fn files(root: &Descriptor) {
    writes(root);
    zeroes(root);
    reads(root);
    splices(root);
    waits(root);
    failures(root);
    for name in ["written", "zeroes", "source", "copy"] {
        must(name, root.unlink_file_at(name));
    }
}

fn writes(root: &Descriptor) {
    let file = create(root, "written");
    let stream = must("write-via-stream", file.write_via_stream(0));
    let ready = stream.subscribe();
    ready.block();
    let permitted = must("check-write", stream.check_write());
    println!("check-write permits something: {}", permitted > 0);
    println!("write: {}", shown(stream.write(b"hello")));
    println!("flush: {}", shown(stream.flush()));
    ready.block();
    println!("check-write after the flush permits something: {}", stream.check_write().is_ok_and(|bytes| bytes > 0));
    println!("write of nothing: {}", shown(stream.write(b"")));
    println!("blocking-flush: {}", shown(stream.blocking_flush()));
    println!("blocking-write-and-flush: {}", shown(stream.blocking_write_and_flush(b", world")));
    println!("blocking-write-and-flush of nothing: {}", shown(stream.blocking_write_and_flush(b"")));
    let most = [b'.'; BLOCKING_BYTES];
    println!("blocking-write-and-flush of the most: {}", shown(stream.blocking_write_and_flush(&most)));
    let written = contents(&file);
    println!("written: {} bytes, {}", written.len(), written[..12].escape_ascii());

    let permitted = must("check-write", stream.check_write());
    let all = vec![b'!'; usize::try_from(permitted.min(1 << 20)).expect("it was made small")];
    println!("write of all that is permitted: {}", shown(stream.write(&all)));
    println!("blocking-flush: {}", shown(stream.blocking_flush()));
    println!("its bytes are there: {}", contents(&file).len() == 12 + BLOCKING_BYTES + all.len());

    let second = must("write-via-stream", file.write_via_stream(7));
    println!("from another place: {}", shown(second.blocking_write_and_flush(b"WORLD")));
    println!("written: {}", contents(&file)[..12].escape_ascii());
    let beyond = must("write-via-stream", file.write_via_stream(1 << 21));
    println!("beyond the end: {}", shown(beyond.blocking_write_and_flush(b"x")));
    println!("written: {} bytes", contents(&file).len());
}

fn zeroes(root: &Descriptor) {
    let file = create(root, "zeroes");
    let stream = must("write-via-stream", file.write_via_stream(0));
    must("blocking-write-and-flush", stream.blocking_write_and_flush(b"a"));
    println!("check-write permits 100: {}", must("check-write", stream.check_write()) >= 100);
    println!("write-zeroes: {}", shown(stream.write_zeroes(100)));
    println!("blocking-flush: {}", shown(stream.blocking_flush()));
    let all = stream.blocking_write_zeroes_and_flush(BLOCKING_BYTES as u64);
    println!("blocking-write-zeroes-and-flush: {}", shown(all));
    must("blocking-write-and-flush", stream.blocking_write_and_flush(b"b"));
    let written = contents(&file);
    let others = written.iter().filter(|byte| **byte != 0).count();
    println!("zeroes: {} bytes, {others} of them no zeroes", written.len());
}

fn reads(root: &Descriptor) {
    let file = create(root, "source");
    let digits: Vec<u8> = (b'0'..=b'9').cycle().take(10_000).collect();
    must("write", file.write(&digits, 0));

    let stream = must("read-via-stream", file.read_via_stream(0));
    println!("read of nothing: {:?}", stream.read(0).map(|bytes| bytes.len()).ok());
    println!("blocking-read: {}", exactly(&stream, 5).escape_ascii());
    println!("skip: {}", skipped(&stream, 10, InputStream::skip));
    println!("blocking-skip: {}", skipped(&stream, 10, InputStream::blocking_skip));
    println!("read: {}", read(&stream, 5).escape_ascii());
    let mut rest = 0;
    let end = loop {
        match stream.blocking_read(u64::MAX) {
            Ok(bytes) => rest += bytes.len(),
            Err(error) => break error,
        }
    };
    println!("the rest: {rest} bytes, then {}", whether::<(), _>(Err(end)));
    println!("blocking-read after the end: {}", whether(stream.blocking_read(1)));
    println!("read after the end: {}", whether(stream.read(1)));
    println!("skip after the end: {}", whether(stream.skip(1)));
    println!("blocking-skip after the end: {}", whether(stream.blocking_skip(1)));
    println!("ready after the end: {}", stream.subscribe().ready());

    let middle = must("read-via-stream", file.read_via_stream(9_997));
    println!("from the middle: {}", read(&middle, 3).escape_ascii());
    let beyond = must("read-via-stream", file.read_via_stream(1 << 40));
    println!("from beyond the end: {}", whether(beyond.blocking_read(1)));
    println!("a stream of a directory: {}", root.read_via_stream(0).map_or_else(|error| error.name(), |_| "ok"));
}

/// So many bytes by `blocking-read`, which may give fewer at a time.
fn exactly(stream: &InputStream, bytes: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < bytes {
        all.extend(must("blocking-read", stream.blocking_read((bytes - all.len()) as u64)));
    }
    all
}

/// So many bytes by `read`, which gives none while there are none.
fn read(stream: &InputStream, bytes: usize) -> Vec<u8> {
    let ready = stream.subscribe();
    let mut all = Vec::new();
    while all.len() < bytes {
        ready.block();
        all.extend(must("read", stream.read((bytes - all.len()) as u64)));
    }
    all
}

fn skipped(stream: &InputStream, bytes: u64, skip: fn(&InputStream, u64) -> Result<u64, StreamError>) -> u64 {
    let ready = stream.subscribe();
    let mut all = 0;
    while all < bytes {
        ready.block();
        all += must("skip", skip(stream, bytes - all));
    }
    all
}

type Splice = fn(&OutputStream, &InputStream, u64) -> Result<u64, StreamError>;

fn splices(root: &Descriptor) {
    let source = open(root, "source", OpenFlags::empty(), DescriptorFlags::READ);
    for (name, splice) in
        [("splice", OutputStream::splice as Splice), ("blocking-splice", OutputStream::blocking_splice)]
    {
        let file = create(root, "copy");
        let from = must("read-via-stream", source.read_via_stream(0));
        let to = must("write-via-stream", file.write_via_stream(0));
        println!("{name} of nothing: {:?}", splice(&to, &from, 0).ok());
        let (count, end) = spliced(&to, &from, splice, u64::MAX);
        println!("{name}: {count} bytes, then {end}");
        println!("after it: {}", whether(to.blocking_flush()));
        println!("the same: {}", contents(&file) == contents(&source));
    }
    let file = create(root, "copy");
    let from = must("read-via-stream", source.read_via_stream(0));
    let to = must("write-via-stream", file.write_via_stream(0));
    let mut left = 100;
    while left > 0 {
        left -= must("blocking-splice", to.blocking_splice(&from, left));
    }
    must("blocking-flush", to.blocking_flush());
    println!("spliced in part: {} bytes, then {}", contents(&file).len(), exactly(&from, 3).escape_ascii());
}

/// Splices to the end.
fn spliced(to: &OutputStream, from: &InputStream, splice: Splice, at_once: u64) -> (u64, String) {
    let (source, sink) = (from.subscribe(), to.subscribe());
    let mut all = 0;
    loop {
        source.block();
        sink.block();
        match splice(to, from, at_once) {
            Ok(count) => all += count,
            Err(error) => return (all, whether::<(), _>(Err(error))),
        }
    }
}

fn waits(root: &Descriptor) {
    let source = open(root, "source", OpenFlags::empty(), DescriptorFlags::READ);
    let file = create(root, "copy");
    let from = must("read-via-stream", source.read_via_stream(0));
    let to = must("write-via-stream", file.write_via_stream(0));
    let (source, sink, hour) = (from.subscribe(), to.subscribe(), subscribe_duration(HOUR));
    source.block();
    sink.block();
    println!("poll of what is ready, and of an hour: {:?}", poll(&[&hour, &source, &sink, &hour]));
    println!("poll of one twice: {:?}", poll(&[&source, &source]));
    let now = subscribe_duration(0);
    println!("poll of no time: {:?}, ready: {}", poll(&[&hour, &now]), now.ready());
    println!("an hour is ready: {}", hour.ready());
    let short = subscribe_duration(20 * MILLISECOND);
    println!("poll of 20 ms and an hour: {:?}", poll(&[&hour, &short, &hour]));
    println!("they stay ready: {:?}", poll(&[&short, &hour]));
    let many: Vec<Pollable> = (0..1000).map(|_| subscribe_duration(HOUR)).collect();
    let mut all: Vec<&Pollable> = many.iter().collect();
    all.push(&now);
    println!("poll of a thousand and one: {:?}", poll(&all));
}

fn failures(root: &Descriptor) {
    let file = create(root, "copy");
    // No file can be written there; some hosts say so at once, others when it is written.
    let error = match file.write_via_stream(u64::MAX) {
        Err(error) => return println!("write-via-stream of the last offset: {}", error.name()),
        Ok(stream) => match stream.blocking_write_and_flush(b"x") {
            Err(StreamError::LastOperationFailed(error)) => {
                println!("after the failure: {}", whether(stream.check_write()));
                error
            }
            other => return println!("write at the last offset: {}", whether(other)),
        },
    };
    println!("it has a code: {}", filesystem_error_code(&error).is_some());
    println!("it says something: {}", !error.to_debug_string().is_empty());
}

fn read_stdin() {
    let stream = stdin::get_stdin();
    let (mut bytes, mut sum) = (0_u64, 0_u64);
    let end = loop {
        match stream.blocking_read(10_000) {
            Ok(piece) => {
                assert!(!piece.is_empty() && piece.len() <= 10_000, "{} bytes at once", piece.len());
                bytes += piece.len() as u64;
                sum = piece.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
            }
            Err(error) => break error,
        }
    };
    println!("{bytes} bytes, sum {sum}, then {}", whether::<(), _>(Err(end)));
    println!("again: {}", whether(stream.blocking_read(1)));
}

fn copy(splice: Splice) {
    let (from, to) = (stdin::get_stdin(), stdout::get_stdout());
    let (bytes, end) = spliced(&to, &from, splice, 1 << 20);
    must("blocking-flush", to.blocking_flush());
    eprintln!("{bytes} bytes, then {end}");
}

fn wait() {
    let stream = stdin::get_stdin();
    let input = stream.subscribe();
    let soon = subscribe_duration(50 * MILLISECOND);
    match poll(&[&input, &soon]).as_slice() {
        [1] => println!("nothing came for 50 ms"),
        ready => println!("ready: {ready:?}"),
    }
    let hour = subscribe_duration(HOUR);
    loop {
        match poll(&[&hour, &input]).as_slice() {
            [1] => {}
            ready => fail("poll", format!("{ready:?}")),
        }
        match stream.read(1000) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => println!("came: {}", bytes.escape_ascii()),
            Err(error) => return println!("{}", whether::<(), _>(Err(error))),
        }
    }
}

fn flood() {
    let stream = stdout::get_stdout();
    let ready = stream.subscribe();
    let block = [b'x'; BLOCKING_BYTES];
    let error = loop {
        ready.block();
        let written = stream.check_write().and_then(|permitted| {
            let length = usize::try_from(permitted).unwrap_or(usize::MAX).min(block.len());
            stream.write(&block[..length])?;
            stream.flush()
        });
        if let Err(error) = written {
            break error;
        }
    };
    let said = match &error {
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
        StreamError::Closed => String::new(),
    };
    eprintln!("{} {said}", whether::<(), _>(Err(error)));
    leave(3)
}

fn write_stdout() {
    for (name, stream) in [("stdout", stdout::get_stdout()), ("stderr", stderr::get_stderr())] {
        let ready = stream.subscribe();
        ready.block();
        println!("{name} permits something: {}", must("check-write", stream.check_write()) > 0);
        must("write", stream.write(b"by write\n"));
        must("flush", stream.flush());
        ready.block();
        must("blocking-flush", stream.blocking_flush());
        must("blocking-write-and-flush", stream.blocking_write_and_flush(b"by blocking-write-and-flush\n"));
        must("check-write", stream.check_write());
        must("write-zeroes", stream.write_zeroes(3));
        must("blocking-write-zeroes-and-flush", stream.blocking_write_zeroes_and_flush(2));
        must("blocking-write-and-flush", stream.blocking_write_and_flush(b"\n"));
    }
}

/// A stream to a file that has no name any more.
fn nameless(root: &Descriptor) -> (Descriptor, OutputStream) {
    let file = create(root, "nameless");
    let stream = must("write-via-stream", file.write_via_stream(0));
    must("unlink-file-at", root.unlink_file_at("nameless"));
    (file, stream)
}

/// What no program may do. Whoever comes back from it says so, with status 7.
fn trap(what: &str, root: &Descriptor) {
    let (_file, stream) = nameless(root);
    match what {
        "trap-write" | "trap-zeroes" => {
            stream.subscribe().block();
            let more = must("check-write", stream.check_write()) + 1;
            let over = usize::try_from(more).expect("a permit that fits in memory");
            let result = if what == "trap-write" { stream.write(&vec![0; over]) } else { stream.write_zeroes(more) };
            println!("{what}: {}", shown(result));
        }
        "trap-unasked" => println!("{what}: {}", shown(stream.write(b"x"))),
        "trap-poll" => println!("{what}: {:?}", poll(&[])),
        _ => fail(what, "no such thing"),
    }
    leave(7)
}

/// What some hosts do and others trap at.
fn choice(what: &str, root: &Descriptor) {
    let (file, stream) = nameless(root);
    match what {
        "choice-write" => must(what, stream.blocking_write_and_flush(&[b'x'; 3 * BLOCKING_BYTES + 1])),
        "choice-zeroes" => must(what, stream.blocking_write_zeroes_and_flush(3 * BLOCKING_BYTES as u64 + 1)),
        "choice-zeroes-without-end" => must(what, stream.blocking_write_zeroes_and_flush(u64::MAX)),
        "choice-child" => {
            let ready = stream.subscribe();
            drop(stream);
            println!("ready: {}", ready.ready());
        }
        _ => fail(what, "no such thing"),
    }
    println!("done: {} bytes", contents(&file).len());
}
