//! The scenarios of `parity`, by the interfaces of Preview 2 themselves: `parity_p2 GROUP`. The adapter only starts it.
//!
//! It wants a directory `/rw`, a directory `/ro` to be read, and for sockets to be allowed to listen on `127.0.0.1:0`. What
//! it prints is what `parity_p1` prints.

#[path = "../../../parity/mod.rs"]
mod parity;
#[path = "../../../parity/strings.rs"]
mod strings;

use std::cell::RefCell;
use std::net::SocketAddr;

use components::{family, from_wasi, to_wasi};
use wasip2::cli::{environment, exit, stderr, stdin, stdout};
use wasip2::clocks::monotonic_clock::{self, subscribe_duration, subscribe_instant};
use wasip2::clocks::wall_clock::{self, Datetime};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    self, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
    filesystem_error_code,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::random::random::get_random_bytes;
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::ErrorCode as NetworkError;
use wasip2::sockets::tcp::{ShutdownType, TcpSocket};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

use parity::{Access, Advice, Answer, Clock, Fd, How, Kind, NewTime, Stat, Stream, Time, Wait, Wasi, Word};
use strings::{bytes, text};

/// The most that the blocking forms of a write take.
const BLOCKING_BYTES: usize = 4096;

fn main() {
    let directories = get_directories();
    let names = directories.iter().map(|(_, name)| name.clone()).collect();
    let open = directories.into_iter().map(|(descriptor, _)| Some(Open::Descriptor(descriptor))).collect();
    parity::run(&Preview2 { names, open: RefCell::new(open) });
}

/// The interfaces, and what is open: resources have no numbers that could be passed around.
struct Preview2 {
    /// Of the directories that were handed over, which are the first that are open.
    names: Vec<String>,
    open: RefCell<Vec<Option<Open>>>,
}

enum Open {
    Descriptor(Descriptor),
    Listener(TcpSocket),
    Connection(Connection),
}

/// Fields are dropped in this order: the streams before the socket.
struct Connection {
    input: InputStream,
    output: OutputStream,
    socket: TcpSocket,
}

fn word(code: ErrorCode) -> Word {
    code.name()
}

/// The code of a file's stream. That it is at its end is none.
fn stream_word(error: &StreamError) -> Word {
    match error {
        StreamError::Closed => "closed",
        StreamError::LastOperationFailed(error) => filesystem_error_code(error).map_or("of no word", word),
    }
}

/// The code of a connection's stream. No released interface turns the error into one: it is what it says of itself.
fn connection_word(error: StreamError) -> Word {
    match error {
        // What is written after the end of its own direction is a broken pipe to Preview 1.
        StreamError::Closed => "pipe",
        StreamError::LastOperationFailed(error) => match error.to_debug_string().as_str() {
            "connection-reset" => "connection-reset",
            "connection-aborted" => "connection-aborted",
            "pipe" => "pipe",
            _ => "of no word",
        },
    }
}

fn network_word(code: NetworkError) -> Word {
    code.name()
}

/// At the end there is nothing.
fn or_end(read: Result<Vec<u8>, StreamError>, word: impl FnOnce(StreamError) -> Word) -> Answer<Vec<u8>> {
    match read {
        Err(StreamError::Closed) => Ok(Vec::new()),
        read => read.map_err(word),
    }
}

/// Writes all of it, once at least.
fn write_all(stream: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    stream.blocking_write_and_flush(&bytes[..bytes.len().min(BLOCKING_BYTES)])?;
    bytes.chunks(BLOCKING_BYTES).skip(1).try_for_each(|piece| stream.blocking_write_and_flush(piece))
}

fn kind(kind: DescriptorType) -> Kind {
    match kind {
        DescriptorType::BlockDevice => Kind::BlockDevice,
        DescriptorType::CharacterDevice => Kind::CharacterDevice,
        DescriptorType::Directory => Kind::Directory,
        DescriptorType::RegularFile => Kind::RegularFile,
        DescriptorType::Socket => Kind::Socket,
        DescriptorType::SymbolicLink => Kind::SymbolicLink,
        DescriptorType::Unknown | DescriptorType::Fifo => Kind::Unknown,
    }
}

fn nanoseconds(time: Datetime) -> Time {
    time.seconds.saturating_mul(1_000_000_000).saturating_add(time.nanoseconds.into())
}

fn new_timestamp(time: NewTime) -> NewTimestamp {
    match time {
        NewTime::Keep => NewTimestamp::NoChange,
        NewTime::Now => NewTimestamp::Now,
        NewTime::At(time) => NewTimestamp::Timestamp(Datetime {
            seconds: time / 1_000_000_000,
            nanoseconds: (time % 1_000_000_000) as u32,
        }),
    }
}

fn shown(stat: DescriptorStat, hash: types::MetadataHashValue) -> Stat {
    Stat {
        kind: kind(stat.type_),
        links: stat.link_count,
        size: stat.size,
        accessed: stat.data_access_timestamp.map_or(0, nanoseconds),
        modified: stat.data_modification_timestamp.map_or(0, nanoseconds),
        identity: (hash.lower, hash.upper),
    }
}

fn follow(follow: bool) -> PathFlags {
    if follow { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() }
}

/// Waits until what was begun is done.
fn finished<T>(socket: &TcpSocket, finish: impl Fn(&TcpSocket) -> Result<T, NetworkError>) -> Answer<T> {
    loop {
        match finish(socket) {
            Err(NetworkError::WouldBlock) => socket.subscribe().block(),
            other => return other.map_err(network_word),
        }
    }
}

impl Preview2 {
    fn keep(&self, new: Open) -> Fd {
        let mut open = self.open.borrow_mut();
        let place = open.iter().position(Option::is_none).unwrap_or(open.len());
        match open.get_mut(place) {
            Some(slot) => *slot = Some(new),
            None => open.push(Some(new)),
        }
        place as Fd
    }

    fn descriptor<T>(&self, fd: Fd, operation: impl FnOnce(&Descriptor) -> Result<T, ErrorCode>) -> Answer<T> {
        match self.open.borrow().get(fd as usize) {
            Some(Some(Open::Descriptor(descriptor))) => operation(descriptor).map_err(word),
            _ => Err("bad-descriptor"),
        }
    }

    fn descriptors(
        &self,
        (one, other): (Fd, Fd),
        operation: impl FnOnce(&Descriptor, &Descriptor) -> Result<(), ErrorCode>,
    ) -> Answer<()> {
        let open = self.open.borrow();
        match (open.get(one as usize), open.get(other as usize)) {
            (Some(Some(Open::Descriptor(one))), Some(Some(Open::Descriptor(other)))) => {
                operation(one, other).map_err(word)
            }
            _ => Err("bad-descriptor"),
        }
    }

    fn connection<T>(&self, fd: Fd, operation: impl FnOnce(&Connection) -> Answer<T>) -> Answer<T> {
        match self.open.borrow().get(fd as usize) {
            Some(Some(Open::Connection(connection))) => operation(connection),
            _ => Err("bad-descriptor"),
        }
    }

    /// Writes through a stream of a file.
    fn write_stream(
        &self,
        fd: Fd,
        bytes: &[u8],
        stream: impl FnOnce(&Descriptor) -> Result<OutputStream, ErrorCode>,
    ) -> Answer<()> {
        let stream = self.descriptor(fd, stream)?;
        write_all(&stream, bytes).map_err(|error| stream_word(&error))
    }
}

impl Wasi for Preview2 {
    fn arguments(&self) -> Vec<Vec<u8>> {
        environment::get_arguments().iter().map(|argument| bytes(argument)).collect()
    }

    fn variables(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        environment::get_environment().iter().map(|(name, value)| (bytes(name), bytes(value))).collect()
    }

    fn exit(&self, status: u8) -> ! {
        exit::exit_with_code(status);
        unreachable!("a program that has ended")
    }

    fn random(&self, bytes: usize) -> Vec<u8> {
        get_random_bytes(bytes as u64)
    }

    fn read_stdin(&self, most: usize) -> Answer<Vec<u8>> {
        or_end(stdin::get_stdin().blocking_read(most as u64), |error| stream_word(&error))
    }

    fn write_to(&self, stream: Stream, bytes: &[u8]) -> Answer<()> {
        let stream = match stream {
            Stream::Stdout => stdout::get_stdout(),
            Stream::Stderr => stderr::get_stderr(),
        };
        write_all(&stream, bytes).map_err(|error| stream_word(&error))
    }

    fn now(&self, clock: Clock) -> u64 {
        match clock {
            Clock::Realtime => nanoseconds(wall_clock::now()),
            Clock::Monotonic => monotonic_clock::now(),
        }
    }

    fn resolution(&self, clock: Clock) -> u64 {
        match clock {
            Clock::Realtime => nanoseconds(wall_clock::resolution()),
            Clock::Monotonic => monotonic_clock::resolution(),
        }
    }

    fn poll(&self, waits: &[Wait]) -> Vec<usize> {
        let input = stdin::get_stdin();
        let pollable = |wait: &Wait| match *wait {
            Wait::For(time) => subscribe_duration(time),
            Wait::Until(time) => subscribe_instant(time),
            Wait::Stdin => input.subscribe(),
        };
        let pollables: Vec<Pollable> = waits.iter().map(pollable).collect();
        let mut happened: Vec<usize> =
            poll(&pollables.iter().collect::<Vec<_>>()).into_iter().map(|index| index as usize).collect();
        happened.sort_unstable();
        happened
    }

    fn handed_over(&self, name: &str) -> Option<Fd> {
        self.names.iter().position(|known| known == name).map(|place| place as Fd)
    }

    /// A directory is opened to be changed where it can be: Preview 1 says no more of it than that it is one.
    fn open(&self, dir: Fd, path: &[u8], how: How) -> Answer<Fd> {
        let (mut open, mut flags) = (OpenFlags::empty(), DescriptorFlags::empty());
        open.set(OpenFlags::CREATE, how.create);
        open.set(OpenFlags::EXCLUSIVE, how.exclusive);
        open.set(OpenFlags::TRUNCATE, how.truncate);
        open.set(OpenFlags::DIRECTORY, how.directory);
        flags.set(DescriptorFlags::READ, how.read);
        flags.set(DescriptorFlags::WRITE, how.write);
        flags.set(DescriptorFlags::MUTATE_DIRECTORY, how.directory);
        let opened = self.descriptor(dir, |dir| dir.open_at(follow(how.follow), &text(path), open, flags))?;
        Ok(self.keep(Open::Descriptor(opened)))
    }

    fn close(&self, fd: Fd) {
        let closed = self.open.borrow_mut().get_mut(fd as usize).and_then(Option::take);
        assert!(closed.is_some(), "a descriptor that is not open");
    }

    fn access(&self, fd: Fd) -> Answer<Access> {
        let flags = self.descriptor(fd, Descriptor::get_flags)?;
        Ok(Access {
            read: flags.contains(DescriptorFlags::READ),
            write: flags.contains(DescriptorFlags::WRITE),
            mutate_directory: flags.contains(DescriptorFlags::MUTATE_DIRECTORY),
        })
    }

    fn read_at(&self, fd: Fd, offset: u64, most: usize) -> Answer<Vec<u8>> {
        let (bytes, end) = self.descriptor(fd, |file| file.read(most as u64, offset))?;
        // Preview 1 knows the end by this alone.
        if bytes.is_empty() && most > 0 && !end { Err("nothing, and not the end") } else { Ok(bytes) }
    }

    fn read_from(&self, fd: Fd, offset: u64, most: usize) -> Answer<Vec<u8>> {
        let stream = self.descriptor(fd, |file| file.read_via_stream(offset))?;
        or_end(stream.blocking_read(most as u64), |error| stream_word(&error))
    }

    fn write_at(&self, fd: Fd, offset: u64, bytes: &[u8]) -> Answer<usize> {
        self.descriptor(fd, |file| file.write(bytes, offset)).map(|written| written as usize)
    }

    fn write_from(&self, fd: Fd, offset: u64, bytes: &[u8]) -> Answer<()> {
        self.write_stream(fd, bytes, |file| file.write_via_stream(offset))
    }

    fn append(&self, fd: Fd, bytes: &[u8]) -> Answer<()> {
        self.write_stream(fd, bytes, Descriptor::append_via_stream)
    }

    fn set_size(&self, fd: Fd, bytes: u64) -> Answer<()> {
        self.descriptor(fd, |file| file.set_size(bytes))
    }

    fn advise(&self, fd: Fd, offset: u64, bytes: u64, advice: Advice) -> Answer<()> {
        let advice = match advice {
            Advice::Normal => types::Advice::Normal,
            Advice::Sequential => types::Advice::Sequential,
            Advice::Random => types::Advice::Random,
            Advice::WillNeed => types::Advice::WillNeed,
            Advice::DontNeed => types::Advice::DontNeed,
            Advice::NoReuse => types::Advice::NoReuse,
        };
        self.descriptor(fd, |file| file.advise(offset, bytes, advice))
    }

    fn sync(&self, fd: Fd, data_only: bool) -> Answer<()> {
        self.descriptor(fd, if data_only { Descriptor::sync_data } else { Descriptor::sync })
    }

    fn stat(&self, fd: Fd) -> Answer<Stat> {
        self.descriptor(fd, |file| Ok(shown(file.stat()?, file.metadata_hash()?)))
    }

    fn stat_at(&self, dir: Fd, path: &[u8], followed: bool) -> Answer<Stat> {
        let path = text(path);
        self.descriptor(dir, |dir| {
            let stat = dir.stat_at(follow(followed), &path)?;
            Ok(shown(stat, dir.metadata_hash_at(follow(followed), &path)?))
        })
    }

    fn set_times(&self, fd: Fd, accessed: NewTime, modified: NewTime) -> Answer<()> {
        self.descriptor(fd, |file| file.set_times(new_timestamp(accessed), new_timestamp(modified)))
    }

    fn set_times_at(&self, dir: Fd, path: &[u8], followed: bool, accessed: NewTime, modified: NewTime) -> Answer<()> {
        let (accessed, modified) = (new_timestamp(accessed), new_timestamp(modified));
        self.descriptor(dir, |dir| dir.set_times_at(follow(followed), &text(path), accessed, modified))
    }

    fn list(&self, dir: Fd, each: &mut dyn FnMut(&[u8], Kind)) -> Answer<()> {
        let entries = self.descriptor(dir, Descriptor::read_directory)?;
        while let Some(entry) = entries.read_directory_entry().map_err(word)? {
            each(&bytes(&entry.name), kind(entry.type_));
        }
        Ok(())
    }

    fn create_directory(&self, dir: Fd, path: &[u8]) -> Answer<()> {
        self.descriptor(dir, |dir| dir.create_directory_at(&text(path)))
    }

    fn remove_directory(&self, dir: Fd, path: &[u8]) -> Answer<()> {
        self.descriptor(dir, |dir| dir.remove_directory_at(&text(path)))
    }

    fn unlink_file(&self, dir: Fd, path: &[u8]) -> Answer<()> {
        self.descriptor(dir, |dir| dir.unlink_file_at(&text(path)))
    }

    fn rename(&self, old_dir: Fd, old: &[u8], new_dir: Fd, new: &[u8]) -> Answer<()> {
        self.descriptors((old_dir, new_dir), |old_dir, new_dir| old_dir.rename_at(&text(old), new_dir, &text(new)))
    }

    fn link(&self, old_dir: Fd, followed: bool, old: &[u8], new_dir: Fd, new: &[u8]) -> Answer<()> {
        self.descriptors((old_dir, new_dir), |old_dir, new_dir| {
            old_dir.link_at(follow(followed), &text(old), new_dir, &text(new))
        })
    }

    fn symlink(&self, contents: &[u8], dir: Fd, path: &[u8]) -> Answer<()> {
        self.descriptor(dir, |dir| dir.symlink_at(&text(contents), &text(path)))
    }

    fn readlink(&self, dir: Fd, path: &[u8]) -> Answer<Vec<u8>> {
        self.descriptor(dir, |dir| dir.readlink_at(&text(path))).map(|contents| bytes(&contents))
    }

    /// Says where it is as the host does of a listener that it hands over: between two marks.
    fn listen(&self) -> Answer<Fd> {
        let known = self.open.borrow().iter().position(|open| matches!(open, Some(Open::Listener(_))));
        if let Some(known) = known {
            return Ok(known as Fd);
        }
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = create_tcp_socket(family(local)).map_err(network_word)?;
        socket.start_bind(&instance_network(), to_wasi(local)).map_err(network_word)?;
        finished(&socket, TcpSocket::finish_bind)?;
        socket.start_listen().map_err(network_word)?;
        finished(&socket, TcpSocket::finish_listen)?;
        let local = from_wasi(socket.local_address().map_err(network_word)?);
        self.write_to(Stream::Stderr, format!("listening on `{local}`\n").as_bytes())?;
        Ok(self.keep(Open::Listener(socket)))
    }

    fn accept(&self, listener: Fd, wait: bool) -> Answer<Fd> {
        let accepted = match self.open.borrow().get(listener as usize) {
            Some(Some(Open::Listener(socket))) if wait => finished(socket, TcpSocket::accept),
            Some(Some(Open::Listener(socket))) => socket.accept().map_err(network_word),
            _ => Err("bad-descriptor"),
        };
        let (socket, input, output) = accepted?;
        Ok(self.keep(Open::Connection(Connection { input, output, socket })))
    }

    /// Nothing yet is nothing here, and would block in Preview 1.
    fn receive(&self, connection: Fd, most: usize, wait: bool) -> Answer<Vec<u8>> {
        self.connection(connection, |connection| {
            if wait {
                return or_end(connection.input.blocking_read(most as u64), connection_word);
            }
            match connection.input.read(most as u64) {
                Ok(bytes) if bytes.is_empty() && most > 0 => Err("would-block"),
                read => or_end(read, connection_word),
            }
        })
    }

    fn send(&self, connection: Fd, bytes: &[u8]) -> Answer<()> {
        self.connection(connection, |connection| write_all(&connection.output, bytes).map_err(connection_word))
    }

    fn shutdown(&self, connection: Fd, receive: bool, send: bool) -> Answer<()> {
        let how = match (receive, send) {
            (true, true) => ShutdownType::Both,
            (true, false) => ShutdownType::Receive,
            (false, _) => ShutdownType::Send,
        };
        self.connection(connection, |connection| connection.socket.shutdown(how).map_err(network_word))
    }
}
