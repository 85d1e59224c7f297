//! Operations that are dropped or taken back before they begin, while they wait, and after they have been completed:
//! `p3_cancel SCENE ROUNDS [WORD]`. Some are taken back in the middle: while the program waited in a function of 0.2, so that it
//! could be told of nothing, what they wait for has come. It plays the scene once, and then so many times again; before, between and after, it says
//! so on standard output and goes on with the next line of its standard input. Whatever is not as it should be is a panic.
//!
//! The scenes are `timer`, `lookup` (of the name `WORD`), `files` and `listing` (of the directory `/d`), and two with streams
//! that wait. `stdin`: wherever it says `give` it is to be given `0123456789`. `stdout`: it speaks on standard error instead;
//! nobody must read its output until it says `read BYTES`, for there are so many then, or `read the rest`.
//! `return`, `forget` and `exit` end the program while operations wait, which are dropped or left where they are.

use std::mem::forget;
use std::pin::pin;
use std::task::Poll;
use std::thread::sleep;
use std::time::Duration;

use async_components::{begun, command, complain, directory, drained, fail, fed, leave, must, pause, print};
use futures::poll;
use wasip3::cli::environment::get_arguments;
use wasip3::cli::{stdin, stdout};
use wasip3::clocks::monotonic_clock::{now, wait_for, wait_until};
use wasip3::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use wasip3::sockets::ip_name_lookup::{ErrorCode, resolve_addresses};
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter};
use wasip3::wit_stream;

command!(run);

const MS: u64 = 1_000_000;
const HOUR: u64 = 3_600_000 * MS;

/// More than any pipe holds.
const MUCH: usize = 256 << 10;

async fn run() -> Result<(), ()> {
    let words = get_arguments();
    let word = |place: usize| words.get(place).map_or("", String::as_str);
    let rounds: usize = word(2).parse().unwrap_or_else(|_| fail(word(2), "no number"));
    let (mut input, end) = stdin::read_via_stream();
    let mut input = Input { stream: &mut input, aloud: word(1) == "stdout" };
    input.pause("ready").await;
    let mut position = 0;
    for round in 0..=rounds {
        match word(1) {
            "timer" => timer().await,
            "lookup" => lookup(word(3)).await,
            "files" => files().await,
            "listing" => listing().await,
            "stdin" => read(&mut input).await,
            "stdout" => write(&mut input, &mut position).await,
            "return" | "forget" | "exit" => return ending(word(1)).await,
            _ => fail(word(1), "no such scene"),
        }
        if round == 0 {
            input.pause("once").await;
        }
    }
    input.pause("done").await;
    drop(end);
    Ok(())
}

/// Standard input, and where it is said what is wanted of whoever gives it.
struct Input<'a> {
    stream: &'a mut StreamReader<u8>,
    aloud: bool,
}

impl Input<'_> {
    async fn pause(&mut self, what: &str) {
        if !self.aloud {
            pause(what, self.stream).await;
            return;
        }
        must("stderr", complain(format!("{what}\n")).await);
        self.line().await;
    }

    async fn line(&mut self) {
        while self.stream.next().await != Some(b'\n') {}
    }
}

/// Waits in 0.2, for what somebody else has been told to do.
fn wait_in_0_2() {
    sleep(Duration::from_millis(5));
}

/// Ends the program while operations wait.
async fn ending(how: &str) -> Result<(), ()> {
    let (mut other, _) = stdin::read_via_stream();
    let mut read = Box::pin(async move { other.read(Vec::with_capacity(64)).await.1.len() });
    let mut timer = Box::pin(wait_for(HOUR));
    assert!(poll!(read.as_mut()).is_pending() && poll!(timer.as_mut()).is_pending());
    match how {
        "exit" => leave(7),
        "forget" => {
            forget(read);
            forget(timer);
        }
        _ => {}
    }
    Ok(())
}

/// Takes a future's reading back while it waits: it can be read later.
async fn read_later<T: 'static>(end: FutureReader<T>) -> FutureReader<T> {
    let mut read = pin!(end.into_future());
    assert!(poll!(read.as_mut()).is_pending());
    match read.cancel() {
        Err(end) => end,
        Ok(_) => panic!("it was there"),
    }
}

async fn timer() {
    drop(wait_for(HOUR));
    drop(wait_until(u64::MAX));
    {
        let (mut long, mut longest) = (pin!(wait_for(HOUR)), pin!(wait_until(u64::MAX)));
        assert!(poll!(long.as_mut()).is_pending() && poll!(longest.as_mut()).is_pending());
    }
    {
        let begin = now();
        let mut short = pin!(wait_for(MS));
        must("a timer over at once", begun(short.as_mut())).await;
        assert!(now() - begin >= MS);
    }
    {
        let mut short = pin!(wait_for(MS / 10));
        assert!(poll!(short.as_mut()).is_pending());
        sleep(Duration::from_micros(200));
    }
    assert!(poll!(pin!(wait_for(0))).is_ready());
}

async fn lookup(name: &str) {
    drop(resolve_addresses(name.to_owned()));
    let mut waited = [false; 2];
    // One that the system has answered by the time it is looked at again has not waited; and whoever asks for too many at once
    // is told to ask later, when the system has answered those that were dropped.
    for _ in 0..10_000 {
        waited[0] |= poll!(pin!(resolve_addresses(name.to_owned()))).is_pending();
        let mut asked = pin!(resolve_addresses(name.to_owned()));
        if let Ok(completed) = begun(asked.as_mut()) {
            completed.await;
            waited[1] = true;
        }
        if waited == [true; 2] {
            break;
        }
        wait_for(MS).await;
    }
    assert_eq!(waited, [true; 2], "no look-up ever waited");
    loop {
        match resolve_addresses(name.to_owned()).await {
            Ok(found) => return assert!(!found.is_empty()),
            Err(ErrorCode::TemporaryResolverFailure) => wait_for(MS).await,
            Err(code) => panic!("{code:?}"),
        }
    }
}

/// Files never make anybody wait: there is no time between the beginning of an operation and its end.
async fn files() {
    let root = directory("/d");
    let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let create = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let open = || root.open_at(PathFlags::empty(), "file".to_owned(), create, flags);
    drop(open());
    let file = must("open-at", open().await);
    drop(root.open_at(PathFlags::empty(), "file".to_owned(), create, flags).await);

    // Before: nothing has been written, and the whole is there to be written.
    let (mut writer, reader) = wit_stream::new();
    let end = file.write_via_stream(reader, 0);
    drop(writer.write(b"never".to_vec()));
    let end = read_later(end).await;
    let (result, rest) = writer.write(b"0123456789".to_vec()).await;
    assert_eq!((result, rest.remaining()), (StreamResult::Complete(10), 0));
    drop(writer);
    must("write-via-stream", end.await);
    // The end of it is nothing that anybody wants to know.
    let (mut writer, reader) = wit_stream::new();
    drop(file.append_via_stream(reader));
    assert!(writer.write_all(b"abc".to_vec()).await.is_empty());
    drop(writer);

    let (mut reader, end) = file.read_via_stream(2);
    drop(reader.read(Vec::with_capacity(4)));
    assert_eq!(reader.read(Vec::with_capacity(4)).await.1, b"2345");
    {
        let mut read = pin!(reader.read(Vec::with_capacity(4)));
        assert_eq!(begun(read.as_mut()).err().expect("a file made somebody wait").1, b"6789");
    }
    // Whoever knows enough leaves the rest.
    let end = read_later(end).await;
    drop(reader);
    must("read-via-stream", end.await);
    drop(file.read_via_stream(0));
    let (bytes, end) = drained(file.read_via_stream(9)).await;
    must("read-via-stream", end);
    assert_eq!(bytes, b"9abc");
    // Written by nobody.
    let (writer, reader) = wit_stream::new();
    let end = file.write_via_stream(reader, 0);
    drop(writer);
    must("write-via-stream", end.await);
    must("write-via-stream", fed(Vec::new(), |data| file.write_via_stream(data, 0)).await);
}

async fn listing() {
    let root = directory("/d");
    let (all, end) = root.read_directory();
    let mut all: Vec<String> = all.collect().await.into_iter().map(|entry| entry.name).collect();
    must("read-directory", end.await);
    all.sort();

    drop(root.read_directory());
    let (mut entries, end) = root.read_directory();
    let end = read_later(end).await;
    let mut names = Vec::new();
    for place in 0.. {
        drop(entries.read(Vec::with_capacity(5)));
        let read = entries.read(Vec::with_capacity(5));
        let (result, some) = match place % 3 {
            0 => read.await,
            1 => {
                let mut read = pin!(read);
                match poll!(read.as_mut()) {
                    Poll::Ready(over) => over,
                    Poll::Pending => read.cancel(),
                }
            }
            _ => {
                let mut read = pin!(read);
                match begun(read.as_mut()) {
                    Err(over) => over,
                    Ok(completed) => {
                        completed.await;
                        read.cancel()
                    }
                }
            }
        };
        names.extend(some.into_iter().map(|entry| entry.name));
        if result == StreamResult::Dropped {
            break;
        }
    }
    names.sort();
    assert_eq!(names, all, "an entry was lost, or came twice");
    must("read-directory", end.await);

    // In the middle, with entries that nobody has looked at.
    let (mut entries, end) = root.read_directory();
    {
        let mut read = pin!(entries.read(Vec::with_capacity(5)));
        if let Ok(completed) = begun(read.as_mut()) {
            completed.await;
        }
    }
    drop(entries);
    must("read-directory", end.await);
    let (mut entries, _end) = root.read_directory();
    let _ = poll!(pin!(entries.read(Vec::with_capacity(5))));
}

async fn read(input: &mut Input<'_>) {
    drop(input.stream.read(Vec::with_capacity(64)));
    {
        let mut read = pin!(input.stream.read(Vec::with_capacity(64)));
        assert!(poll!(read.as_mut()).is_pending());
        assert_eq!(read.cancel(), (StreamResult::Cancelled, Vec::new()));
    }
    assert!(poll!(pin!(input.stream.read(Vec::with_capacity(64)))).is_pending());
    // To be told that there is something, without taking it.
    assert!(poll!(pin!(input.stream.read(Vec::new()))).is_pending());
    // Streams of their own, which take nothing that they do not give.
    for _ in 0..8 {
        let (mut other, end) = stdin::read_via_stream();
        let end = read_later(end).await;
        assert!(poll!(pin!(other.read(Vec::with_capacity(64)))).is_pending());
        drop(other);
        must("stdin", end.await);
    }

    {
        let mut read = pin!(input.stream.read(Vec::with_capacity(4)));
        let completed = must("a read over at once", begun(read.as_mut()));
        must("stdout", print("give\n").await);
        completed.await;
        assert_eq!(read.cancel(), (StreamResult::Complete(4), b"0123".to_vec()));
    }
    // The next read goes on where the one before had come to, and nothing was taken but what was given.
    assert_eq!(input.stream.read(Vec::with_capacity(4)).await.1, b"4567");
    assert_eq!(input.stream.read(Vec::with_capacity(64)).await.1, b"89");

    for taken_back in [true, false] {
        let mut taken = Vec::new();
        {
            let mut read = pin!(input.stream.read(Vec::with_capacity(4)));
            assert!(poll!(read.as_mut()).is_pending());
            println!("give");
            wait_in_0_2();
            if taken_back {
                taken = read.cancel().1;
            }
        }
        let rest = input.stream.read(Vec::with_capacity(64)).await.1;
        if taken_back {
            taken.extend(rest);
            assert_eq!(taken, b"0123456789");
        } else {
            assert!(rest == b"0123456789" || rest == b"456789", "{rest:?}");
        }
    }

    // What is dropped with what it had read took that with it, and no more.
    {
        let mut read = pin!(input.stream.read(Vec::with_capacity(4)));
        let completed = must("a read over at once", begun(read.as_mut()));
        must("stdout", print("give\n").await);
        completed.await;
    }
    assert_eq!(input.stream.read(Vec::with_capacity(64)).await.1, b"456789");
}

/// The position is of the next byte of the output, from one round to the next.
async fn write(input: &mut Input<'_>, position: &mut usize) {
    let (mut writer, reader) = wit_stream::new();
    let end = stdout::write_via_stream(reader);
    drop(writer.write(vec![UNWANTED; MUCH]));
    let written = fill(&mut writer, position).await;
    // It is full: what is begun now waits.
    {
        let mut write = pin!(writer.write(vec![UNWANTED; MUCH]));
        assert!(poll!(write.as_mut()).is_pending());
        let (result, rest) = write.cancel();
        assert_eq!((result, rest.remaining()), (StreamResult::Cancelled, MUCH));
    }
    assert!(poll!(pin!(writer.write(vec![UNWANTED; MUCH]))).is_pending());
    // To be told that there is room, without giving anything.
    assert!(poll!(pin!(writer.write(Vec::new()))).is_pending());
    let end = read_later(end).await;
    input.pause(&format!("read {written}")).await;

    let mut written = fill(&mut writer, position).await;
    {
        let mut write = pin!(writer.write(pattern(*position)));
        assert!(poll!(write.as_mut()).is_pending());
        eprintln!("read {written}");
        wait_in_0_2();
        let (result, rest) = write.cancel();
        written = match result {
            StreamResult::Complete(bytes) => bytes,
            StreamResult::Cancelled => 0,
            StreamResult::Dropped => panic!("it was closed"),
        };
        assert_eq!(written + rest.remaining(), MUCH);
        *position += written;
    }
    input.line().await;

    written += fill(&mut writer, position).await;
    let mut write = Box::pin(writer.write(pattern(*position)));
    let completed = begun(write.as_mut()).ok().expect("what is full takes no more");
    input.pause(&format!("read {written}")).await;
    completed.await;
    let (result, rest) = write.as_mut().cancel();
    let StreamResult::Complete(mut written) = result else { panic!("{result:?}") };
    assert_eq!(written + rest.remaining(), MUCH);
    *position += written;
    drop(write);

    // What is dropped when it has been written has been written, and how much that was is nobody's to know.
    written += fill(&mut writer, position).await;
    let mut write = Box::pin(writer.write(vec![UNCOUNTED; MUCH]));
    let completed = begun(write.as_mut()).ok().expect("what is full takes no more");
    input.pause(&format!("read {written}")).await;
    completed.await;
    drop(write);
    drop(writer);
    must("stdout", end.await);
    input.pause("read the rest").await;
}

/// What is never written.
const UNWANTED: u8 = 254;

/// What is written, and nobody counts how often.
const UNCOUNTED: u8 = 255;

fn pattern(from: usize) -> Vec<u8> {
    (from..from + MUCH).map(|index| (index % 251) as u8).collect()
}

/// Writes until a write has to wait, which is taken back; how many bytes were written.
async fn fill(writer: &mut StreamWriter<u8>, position: &mut usize) -> usize {
    let begin = *position;
    loop {
        let mut write = pin!(writer.write(pattern(*position)));
        match poll!(write.as_mut()) {
            Poll::Ready((StreamResult::Complete(bytes), _)) => *position += bytes,
            Poll::Ready((result, _)) => panic!("{result:?}"),
            Poll::Pending => {
                let (result, rest) = write.cancel();
                assert_eq!((result, rest.remaining()), (StreamResult::Cancelled, MUCH));
                return *position - begin;
            }
        }
    }
}
