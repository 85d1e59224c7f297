//! What one operation costs through streams and timers: each in a plain loop of awaits, timed by the program itself.
//!
//! `p3_bench OPERATION REPETITIONS [DIRECTORY|ADDRESS:PORT]` does it a tenth as often first, untimed, and prints a line
//! `OPERATION REPETITIONS NANOSECONDS` to standard error in the end. Files are in the directory, which is one that was
//! handed over; a peer at the address takes one connection for each of both passes. Whoever starts this has the files
//! `bulk` and `small` there to be read, and looks at what comes out: lines or blocks on standard output, blocks in the
//! file `written`, blocks at the peer.
//!
//! Buffers are used again where the bindings give them back.

use std::fmt::Debug;
use std::ops::Range;

use async_components::{address, command, complain, directory, fail, family, must, to_wasi};
use wasip3::cli::environment::get_arguments;
use wasip3::cli::stdout;
use wasip3::clocks::monotonic_clock::{now, wait_for};
use wasip3::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};
use wasip3::sockets::types::TcpSocket;
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter};
use wasip3::wit_stream;

/// A block of files, and how many of these a file holds. After that it is begun again, with another stream.
const BULK: Shape = Shape { bytes: 1 << 20, of_file: 64 };
const SMALL: Shape = Shape { bytes: 16, of_file: 64 << 10 };

/// A block of what goes to a pipe or a peer.
const BLOCK_BYTES: usize = 64 << 10;

/// A page of a block begins with its number among all pages: what was lost, repeated or moved is found.
const PAGE_BYTES: usize = 4096;

const LINE: &[u8; 64] = b"0000000000 abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\n";
const LINE_DIGITS: usize = 10;

/// A message that waits for its answer.
const MESSAGE_BYTES: usize = 64;

#[derive(Clone, Copy)]
struct Shape {
    bytes: usize,
    of_file: u64,
}

command!(run);

async fn run() -> Result<(), ()> {
    let words = get_arguments();
    let [_, operation, repetitions, place @ ..] = &words[..] else {
        fail("usage", "p3_bench OPERATION REPETITIONS [DIRECTORY|ADDRESS:PORT]")
    };
    let place = place.first().map_or("", String::as_str);
    let repetitions: u64 = repetitions.parse().unwrap_or_else(|_| fail(repetitions, "no number of repetitions"));
    let untimed = (repetitions / 10).clamp(1, 100_000);
    pass(operation, 0..untimed, place, true).await;
    let nanoseconds = pass(operation, untimed..untimed + repetitions, place, false).await;
    complain(format!("{operation} {repetitions} {nanoseconds}\n")).await.map_err(|_| ())
}

/// Does it for these numbers; the nanoseconds that it took. `thorough`: every byte that comes is looked at, and not only the
/// beginning of each page.
async fn pass(operation: &str, numbers: Range<u64>, place: &str, thorough: bool) -> u64 {
    match operation {
        "read_bulk" => read(&open(place, "bulk").await, BULK, numbers, thorough).await,
        "read_16" => read(&open(place, "small").await, SMALL, numbers, thorough).await,
        "write_bulk" => write(&open(place, "written").await, BULK, numbers).await,
        "write_16" => write(&open(place, "written").await, SMALL, numbers).await,
        "stdout_pipe" => lines(numbers).await,
        "stdout_bulk" => timed(blocks(stdout::write_via_stream, BLOCK_BYTES, numbers)).await,
        "tcp_bulk_send" => send(&connect(place).await, numbers).await,
        "tcp_bulk_receive" => receive(&connect(place).await, numbers, thorough).await,
        "tcp_round_trips" => round_trips(&connect(place).await, numbers).await,
        "timers_0" => timers(0, numbers).await,
        "timers_1us" => timers(1_000, numbers).await,
        _ => fail(operation, "no such operation"),
    }
}

async fn timed<T>(work: impl Future<Output = T>) -> u64 {
    let start = now();
    work.await;
    now() - start
}

async fn timers(nanoseconds: u64, numbers: Range<u64>) -> u64 {
    timed(async {
        for _ in numbers {
            wait_for(nanoseconds).await;
        }
    })
    .await
}

/// A file in the directory, to be read, or, of the name `written`, to be written.
async fn open(place: &str, name: &str) -> Descriptor {
    let (how, access) = match name {
        "written" => (OpenFlags::CREATE, DescriptorFlags::READ | DescriptorFlags::WRITE),
        _ => (OpenFlags::empty(), DescriptorFlags::READ),
    };
    let opened = directory(place).open_at(PathFlags::empty(), name.to_owned(), how, access).await;
    must(name, opened)
}

/// Reads the file from its beginning, again and again.
async fn read(file: &Descriptor, shape: Shape, numbers: Range<u64>, thorough: bool) -> u64 {
    timed(async {
        let mut buffer = Vec::with_capacity(shape.bytes);
        for numbers in files(shape, numbers) {
            let (mut stream, end) = file.read_via_stream(0);
            for number in 0..numbers.end - numbers.start {
                buffer = fill(&mut stream, buffer, shape.bytes).await;
                check(&buffer, number, thorough);
            }
            drop(stream);
            must("reading", end.await);
        }
    })
    .await
}

/// Writes the file from its beginning, again and again.
async fn write(file: &Descriptor, shape: Shape, numbers: Range<u64>) -> u64 {
    timed(async {
        for numbers in files(shape, numbers) {
            blocks(|stream| file.write_via_stream(stream, 0), shape.bytes, numbers).await;
        }
    })
    .await
}

/// The numbers, as many at a time as there are places in a file.
fn files(shape: Shape, numbers: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let end = numbers.end;
    numbers.step_by(shape.of_file as usize).map(move |first| first..end.min(first + shape.of_file))
}

/// Writes blocks of these numbers into a stream, ends it, and waits until all of it is there.
async fn blocks<E: Debug + 'static>(
    take: impl FnOnce(StreamReader<u8>) -> FutureReader<Result<(), E>>,
    bytes: usize,
    numbers: Range<u64>,
) {
    let (mut writer, reader) = wit_stream::new();
    let taken = take(reader);
    let mut buffer = Vec::with_capacity(bytes);
    for number in numbers {
        make(&mut buffer, bytes, number);
        buffer = give(&mut writer, buffer).await;
    }
    drop(writer);
    must("writing", taken.await);
}

/// Line `i` is `i` in ten digits, a space, the alphabet twice, and a newline.
async fn lines(numbers: Range<u64>) -> u64 {
    let mut line = *LINE;
    line[..LINE_DIGITS].copy_from_slice(format!("{:010}", numbers.start).as_bytes());
    timed(async {
        let (mut writer, reader) = wit_stream::new();
        let taken = stdout::write_via_stream(reader);
        let mut buffer = Vec::with_capacity(line.len());
        for _ in numbers {
            buffer.extend_from_slice(&line);
            buffer = give(&mut writer, buffer).await;
            count_up(&mut line[..LINE_DIGITS]);
        }
        drop(writer);
        must("writing", taken.await);
    })
    .await
}

fn count_up(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

async fn connect(place: &str) -> TcpSocket {
    let address = address(place);
    let socket = must("a socket", TcpSocket::create(family(address)));
    must(place, socket.connect(to_wasi(address)).await);
    socket
}

/// Sends blocks, until the peer has all of them: it ends then.
async fn send(socket: &TcpSocket, numbers: Range<u64>) -> u64 {
    let (mut stream, _end) = socket.receive();
    timed(async {
        blocks(|stream| socket.send(stream), BLOCK_BYTES, numbers).await;
        ended(&mut stream).await;
    })
    .await
}

/// Receives the blocks that the peer sends, until it ends.
async fn receive(socket: &TcpSocket, numbers: Range<u64>, thorough: bool) -> u64 {
    let (mut stream, end) = socket.receive();
    timed(async {
        let mut buffer = Vec::with_capacity(BLOCK_BYTES);
        for number in numbers {
            buffer = fill(&mut stream, buffer, BLOCK_BYTES).await;
            check(&buffer, number, thorough);
        }
        ended(&mut stream).await;
        must("receiving", end.await);
    })
    .await
}

async fn round_trips(socket: &TcpSocket, numbers: Range<u64>) -> u64 {
    let (mut stream, end) = socket.receive();
    let (mut writer, reader) = wit_stream::new();
    let sent = socket.send(reader);
    let nanoseconds = timed(async {
        let (mut message, mut answer) = (Vec::with_capacity(MESSAGE_BYTES), Vec::with_capacity(MESSAGE_BYTES));
        for number in numbers {
            make(&mut message, MESSAGE_BYTES, number);
            message = give(&mut writer, message).await;
            answer = fill(&mut stream, answer, MESSAGE_BYTES).await;
            check(&answer, number, true);
        }
    })
    .await;
    drop(writer);
    must("sending", sent.await);
    ended(&mut stream).await;
    must("receiving", end.await);
    nanoseconds
}

/// Fills an empty buffer, in as many reads as it takes.
async fn fill(stream: &mut StreamReader<u8>, mut buffer: Vec<u8>, bytes: usize) -> Vec<u8> {
    buffer.clear();
    while buffer.len() < bytes {
        let result;
        (result, buffer) = stream.read(buffer).await;
        if !matches!(result, StreamResult::Complete(_)) {
            fail("reading", "the stream has ended");
        }
    }
    buffer
}

/// Gives all of the buffer; what comes back is empty, and as large.
async fn give(writer: &mut StreamWriter<u8>, buffer: Vec<u8>) -> Vec<u8> {
    let buffer = writer.write_all(buffer).await;
    if !buffer.is_empty() {
        fail("writing", "nobody takes it any more");
    }
    buffer
}

/// Waits for a stream's end.
async fn ended(stream: &mut StreamReader<u8>) {
    if stream.next().await.is_some() {
        fail("reading", "the stream does not end");
    }
}

/// Makes block `number` in an empty buffer.
fn make(buffer: &mut Vec<u8>, bytes: usize, number: u64) {
    buffer.resize(bytes, number as u8);
    for (index, page) in buffer.chunks_mut(PAGE_BYTES).enumerate() {
        page[..8].copy_from_slice(&page_number(bytes, number, index).to_le_bytes());
    }
}

/// Ends the program unless the buffer is block `number`.
fn check(buffer: &[u8], number: u64, thorough: bool) {
    let good = |(index, page): (usize, &[u8])| {
        let (first, rest) = page.split_at(8);
        first == page_number(buffer.len(), number, index).to_le_bytes()
            && (!thorough || rest.iter().all(|byte| *byte == number as u8))
    };
    if !buffer.chunks(PAGE_BYTES).enumerate().all(good) {
        fail("reading", format!("block {number} came out wrong"));
    }
}

fn page_number(bytes: usize, number: u64, index: usize) -> u64 {
    number * bytes.div_ceil(PAGE_BYTES) as u64 + index as u64
}
