//! The scenarios of `parity`, by the interfaces of Preview 3 themselves: `parity_p3 GROUP`. It waits for each operation
//! before it goes on, as the scenarios do. The adapter only starts it.
//!
//! It wants a directory `/rw`, a directory `/ro` to be read, and for sockets to be allowed to listen on `127.0.0.1:0`. What
//! it prints is what `parity_p1` prints.

#[path = "../../../parity/mod.rs"]
mod parity;
#[path = "../../../parity/strings.rs"]
mod strings;

use std::cell::RefCell;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use async_components::{code, command, family, fed, from_wasi, leave, to_wasi};
use futures::future::FutureExt;
use futures::poll;
use futures::stream::{FuturesUnordered, StreamExt};
use wasip3::cli::{environment, stderr, stdin, stdout, types::ErrorCode as StdioError};
use wasip3::clocks::monotonic_clock::{self, wait_for, wait_until};
use wasip3::clocks::system_clock::{self, Instant};
use wasip3::filesystem::preopens::get_directories;
use wasip3::filesystem::types::{
    self, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};
use wasip3::random::random::get_random_bytes;
use wasip3::sockets::types::{ErrorCode as NetworkError, TcpSocket};
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter, block_on, yield_async};
use wasip3::wit_stream;

use parity::{Access, Advice, Answer, Clock, Fd, How, Kind, NewTime, Stat, Stream, Time, Wait, Wasi, Word};
use strings::{bytes, text};

/// Entries of a listing that are asked for at once: few, so that a listing goes on.
const LISTED: usize = 7;
/// The first place that no file has. The others refuse it also where there is nothing to read or to write; a stream of nothing
/// never comes to its place, and so it is asked about a byte.
const NOWHERE: u64 = 1 << 63;

command!(run);

async fn run() -> Result<(), ()> {
    let directories = get_directories();
    let names = directories.iter().map(|(_, name)| name.clone()).collect();
    let open = directories.into_iter().map(|(descriptor, _)| Some(Open::Descriptor(descriptor))).collect();
    parity::run(&Preview3 { names, open: RefCell::new(open), stdin: RefCell::new(None) });
    Ok(())
}

/// The interfaces, and what is open: resources have no numbers that could be passed around.
struct Preview3 {
    /// Of the directories that were handed over, which are the first that are open.
    names: Vec<String>,
    open: RefCell<Vec<Option<Open>>>,
    /// Once it has been asked for: another stream would not know what this one has read.
    stdin: RefCell<Option<Pieces<u8, StdioError>>>,
}

enum Open {
    Descriptor(Descriptor),
    /// The socket is open as long as it is listened on.
    Listener(StreamReader<TcpSocket>, #[expect(dead_code, reason = "it is only held")] TcpSocket),
    Connection(Connection),
}

/// Fields are dropped in this order: the streams before the socket.
struct Connection {
    receiving: Pieces<u8, NetworkError>,
    /// Until this direction has ended.
    sending: Option<Sending>,
    _socket: TcpSocket,
}

struct Sending {
    stream: StreamWriter<u8>,
    end: FutureReader<Result<(), NetworkError>>,
}

/// A stream that is read piece by piece, and what is said at its end, until either has been told.
struct Pieces<T: 'static, E: 'static> {
    stream: Option<StreamReader<T>>,
    end: Option<FutureReader<Result<(), E>>>,
}

impl<T, E: Debug> Pieces<T, E> {
    fn of((stream, end): (StreamReader<T>, FutureReader<Result<(), E>>)) -> Self {
        Pieces { stream: Some(stream), end: Some(end) }
    }

    /// What comes next, no more than so much. Nothing is the end.
    async fn next(&mut self, most: usize, wait: bool) -> Answer<Vec<T>> {
        if let Some(stream) = &mut self.stream {
            match read(stream, most, wait).await {
                (StreamResult::Complete(_), piece) => return Ok(piece),
                (StreamResult::Cancelled, _) => return Err("would-block"),
                (StreamResult::Dropped, _) => {}
            }
        }
        self.end().await.map(|()| Vec::new())
    }

    /// Waits until there is something, or the end: that is what a read of nothing does.
    async fn ready(&mut self) {
        if let Some(stream) = &mut self.stream
            && read(stream, 0, true).await.0 == StreamResult::Dropped
        {
            self.stream = None;
        }
    }

    /// Takes no more, and waits for what is said of that.
    async fn end(&mut self) -> Answer<()> {
        self.stream = None;
        match self.end.take() {
            Some(end) => end.await.map_err(word),
            None => Ok(()),
        }
    }
}

/// Reads once. Without waiting a read that would wait is taken back.
async fn read<T>(stream: &mut StreamReader<T>, most: usize, wait: bool) -> (StreamResult, Vec<T>) {
    let mut read = pin!(stream.read(Vec::with_capacity(most)));
    if wait {
        return read.await;
    }
    match poll!(read.as_mut()) {
        Poll::Ready(read) => read,
        Poll::Pending => read.cancel(),
    }
}

/// An error's name, for ever: they are few. What is written where nobody receives is a broken pipe to the others.
fn word(error: impl Debug) -> Word {
    match code(error) {
        broken if broken == "connection-broken" => "pipe",
        name => name.leak(),
    }
}

fn kind(kind: DescriptorType) -> Kind {
    match kind {
        DescriptorType::BlockDevice => Kind::BlockDevice,
        DescriptorType::CharacterDevice => Kind::CharacterDevice,
        DescriptorType::Directory => Kind::Directory,
        DescriptorType::RegularFile => Kind::RegularFile,
        DescriptorType::Socket => Kind::Socket,
        DescriptorType::SymbolicLink => Kind::SymbolicLink,
        DescriptorType::Fifo | DescriptorType::Other(_) => Kind::Unknown,
    }
}

fn nanoseconds(time: Instant) -> Time {
    let seconds = u64::try_from(time.seconds);
    seconds.map_or(0, |seconds| seconds.saturating_mul(1_000_000_000).saturating_add(time.nanoseconds.into()))
}

fn new_timestamp(time: NewTime) -> NewTimestamp {
    match time {
        NewTime::Keep => NewTimestamp::NoChange,
        NewTime::Now => NewTimestamp::Now,
        NewTime::At(time) => NewTimestamp::Timestamp(Instant {
            seconds: (time / 1_000_000_000) as i64,
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

fn standard_input() -> Pieces<u8, StdioError> {
    Pieces::of(stdin::read_via_stream())
}

/// A connection, with both of its streams.
fn connection(socket: TcpSocket) -> Connection {
    let receiving = Pieces::of(socket.receive());
    let (stream, reader) = wit_stream::new();
    let sending = Some(Sending { stream, end: socket.send(reader) });
    Connection { receiving, sending, _socket: socket }
}

impl Preview3 {
    fn keep(&self, new: Open) -> Fd {
        let mut open = self.open.borrow_mut();
        let place = open.iter().position(Option::is_none).unwrap_or(open.len());
        match open.get_mut(place) {
            Some(slot) => *slot = Some(new),
            None => open.push(Some(new)),
        }
        place as Fd
    }

    fn descriptor<T>(&self, fd: Fd, operation: impl AsyncFnOnce(&Descriptor) -> Result<T, ErrorCode>) -> Answer<T> {
        match self.open.borrow().get(fd as usize) {
            Some(Some(Open::Descriptor(descriptor))) => block_on(operation(descriptor)).map_err(word),
            _ => Err("bad-descriptor"),
        }
    }

    fn descriptors(
        &self,
        (one, other): (Fd, Fd),
        operation: impl AsyncFnOnce(&Descriptor, &Descriptor) -> Result<(), ErrorCode>,
    ) -> Answer<()> {
        let open = self.open.borrow();
        match (open.get(one as usize), open.get(other as usize)) {
            (Some(Some(Open::Descriptor(one))), Some(Some(Open::Descriptor(other)))) => {
                block_on(operation(one, other)).map_err(word)
            }
            _ => Err("bad-descriptor"),
        }
    }

    fn connection<T>(&self, fd: Fd, operation: impl AsyncFnOnce(&mut Connection) -> Answer<T>) -> Answer<T> {
        match self.open.borrow_mut().get_mut(fd as usize) {
            Some(Some(Open::Connection(connection))) => block_on(operation(connection)),
            _ => Err("bad-descriptor"),
        }
    }
}

impl Wasi for Preview3 {
    fn arguments(&self) -> Vec<Vec<u8>> {
        environment::get_arguments().iter().map(|argument| bytes(argument)).collect()
    }

    fn variables(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        environment::get_environment().iter().map(|(name, value)| (bytes(name), bytes(value))).collect()
    }

    fn exit(&self, status: u8) -> ! {
        leave(status)
    }

    /// A host may give fewer than it was asked for, but some.
    fn random(&self, bytes: usize) -> Vec<u8> {
        let mut random = Vec::new();
        while random.len() < bytes {
            let more = get_random_bytes((bytes - random.len()) as u64);
            assert!(!more.is_empty(), "no random bytes");
            random.extend(more);
        }
        random
    }

    fn read_stdin(&self, most: usize) -> Answer<Vec<u8>> {
        block_on(self.stdin.borrow_mut().get_or_insert_with(standard_input).next(most, true))
    }

    fn write_to(&self, stream: Stream, bytes: &[u8]) -> Answer<()> {
        let written = match stream {
            Stream::Stdout => block_on(fed(bytes, stdout::write_via_stream)),
            Stream::Stderr => block_on(fed(bytes, stderr::write_via_stream)),
        };
        written.map_err(word)
    }

    fn now(&self, clock: Clock) -> u64 {
        match clock {
            Clock::Realtime => nanoseconds(system_clock::now()),
            Clock::Monotonic => monotonic_clock::now(),
        }
    }

    fn resolution(&self, clock: Clock) -> u64 {
        match clock {
            Clock::Realtime => system_clock::get_resolution(),
            Clock::Monotonic => monotonic_clock::get_resolution(),
        }
    }

    /// All are begun, in their order, and those that have not happened are taken back.
    ///
    /// In the other previews one call knows all that is waited for. Here each wait is a call of its own, and moves a clock on
    /// that stands still: so then it is only the soonest that is begun.
    fn poll(&self, waits: &[Wait]) -> Vec<usize> {
        let input = &mut *self.stdin.borrow_mut();
        let now = monotonic_clock::now();
        let stands_still = now == monotonic_clock::now();
        let due = |index: &usize| match waits[*index] {
            Wait::For(time) => now.saturating_add(time),
            Wait::Until(time) => time.max(now),
            Wait::Stdin => now,
        };
        let soonest = (0..waits.len()).min_by_key(due);
        let mut happened = block_on(async {
            let ready = async { input.get_or_insert_with(standard_input).ready().await }.boxed_local().shared();
            let begun = waits.iter().enumerate().filter(|(index, _)| !stands_still || Some(*index) == soonest);
            let mut begun: FuturesUnordered<_> = begun
                .map(|(index, wait)| {
                    let wait = match *wait {
                        Wait::For(time) => wait_for(time).boxed_local(),
                        Wait::Until(time) => wait_until(time).boxed_local(),
                        Wait::Stdin => ready.clone().boxed_local(),
                    };
                    wait.map(move |()| index)
                })
                .collect();
            let mut happened = Vec::from_iter(begun.next().await);
            // Of what has happened by then a program is told one after the other.
            while let Poll::Ready(Some(index)) = {
                yield_async().await;
                poll!(begun.next())
            } {
                happened.push(index);
            }
            happened
        });
        if let Some(soonest) = soonest.filter(|_| stands_still) {
            happened.extend((0..waits.len()).filter(|index| *index != soonest && due(index) == due(&soonest)));
        }
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
        let opened =
            self.descriptor(dir, async |dir| dir.open_at(follow(how.follow), text(path), open, flags).await)?;
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

    /// A stream may give less at once than was asked for, and than there is: what one read would give is as many of its
    /// pieces as it takes.
    fn read_at(&self, fd: Fd, offset: u64, most: usize) -> Answer<Vec<u8>> {
        let mut pieces = Pieces::of(self.descriptor(fd, async |file| Ok(file.read_via_stream(offset)))?);
        let most = if offset >= NOWHERE { most.max(1) } else { most };
        block_on(async {
            let mut bytes = Vec::new();
            loop {
                let piece = pieces.next(most - bytes.len(), true).await?;
                bytes.extend_from_slice(&piece);
                if piece.is_empty() || bytes.len() == most {
                    break;
                }
            }
            pieces.end().await?;
            Ok(bytes)
        })
    }

    /// There is no other way to read.
    fn read_from(&self, fd: Fd, offset: u64, most: usize) -> Answer<Vec<u8>> {
        self.read_at(fd, offset, most)
    }

    fn write_at(&self, fd: Fd, offset: u64, bytes: &[u8]) -> Answer<usize> {
        self.write_from(fd, offset, bytes).map(|()| bytes.len())
    }

    fn write_from(&self, fd: Fd, offset: u64, bytes: &[u8]) -> Answer<()> {
        let bytes = if offset >= NOWHERE && bytes.is_empty() { b"x" } else { bytes };
        self.descriptor(fd, async |file| fed(bytes, |stream| file.write_via_stream(stream, offset)).await)
    }

    fn append(&self, fd: Fd, bytes: &[u8]) -> Answer<()> {
        self.descriptor(fd, async |file| fed(bytes, |stream| file.append_via_stream(stream)).await)
    }

    fn set_size(&self, fd: Fd, bytes: u64) -> Answer<()> {
        self.descriptor(fd, async |file| file.set_size(bytes).await)
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
        self.descriptor(fd, async |file| match file.advise(offset, bytes, advice).await {
            // That is what the standard's suite wants to hear of a directory. The others say what it is.
            Err(ErrorCode::BadDescriptor) if matches!(file.get_type().await?, DescriptorType::Directory) => {
                Err(ErrorCode::IsDirectory)
            }
            advised => advised,
        })
    }

    fn sync(&self, fd: Fd, data_only: bool) -> Answer<()> {
        self.descriptor(fd, async |file| if data_only { file.sync_data().await } else { file.sync().await })
    }

    fn stat(&self, fd: Fd) -> Answer<Stat> {
        self.descriptor(fd, async |file| Ok(shown(file.stat().await?, file.metadata_hash().await?)))
    }

    fn stat_at(&self, dir: Fd, path: &[u8], followed: bool) -> Answer<Stat> {
        self.descriptor(dir, async |dir| {
            let stat = dir.stat_at(follow(followed), text(path)).await?;
            Ok(shown(stat, dir.metadata_hash_at(follow(followed), text(path)).await?))
        })
    }

    fn set_times(&self, fd: Fd, accessed: NewTime, modified: NewTime) -> Answer<()> {
        let (accessed, modified) = (new_timestamp(accessed), new_timestamp(modified));
        self.descriptor(fd, async |file| file.set_times(accessed, modified).await)
    }

    fn set_times_at(&self, dir: Fd, path: &[u8], followed: bool, accessed: NewTime, modified: NewTime) -> Answer<()> {
        let (accessed, modified) = (new_timestamp(accessed), new_timestamp(modified));
        self.descriptor(dir, async |dir| dir.set_times_at(follow(followed), text(path), accessed, modified).await)
    }

    fn list(&self, dir: Fd, each: &mut dyn FnMut(&[u8], Kind)) -> Answer<()> {
        let mut entries = Pieces::of(self.descriptor(dir, async |dir| Ok(dir.read_directory()))?);
        loop {
            let some = block_on(entries.next(LISTED, true))?;
            if some.is_empty() {
                return Ok(());
            }
            for entry in some {
                each(&bytes(&entry.name), kind(entry.type_));
            }
        }
    }

    fn create_directory(&self, dir: Fd, path: &[u8]) -> Answer<()> {
        self.descriptor(dir, async |dir| dir.create_directory_at(text(path)).await)
    }

    fn remove_directory(&self, dir: Fd, path: &[u8]) -> Answer<()> {
        self.descriptor(dir, async |dir| dir.remove_directory_at(text(path)).await)
    }

    fn unlink_file(&self, dir: Fd, path: &[u8]) -> Answer<()> {
        self.descriptor(dir, async |dir| dir.unlink_file_at(text(path)).await)
    }

    fn rename(&self, old_dir: Fd, old: &[u8], new_dir: Fd, new: &[u8]) -> Answer<()> {
        self.descriptors((old_dir, new_dir), async |old_dir, new_dir| {
            old_dir.rename_at(text(old), new_dir, text(new)).await
        })
    }

    fn link(&self, old_dir: Fd, followed: bool, old: &[u8], new_dir: Fd, new: &[u8]) -> Answer<()> {
        self.descriptors((old_dir, new_dir), async |old_dir, new_dir| {
            old_dir.link_at(follow(followed), text(old), new_dir, text(new)).await
        })
    }

    fn symlink(&self, contents: &[u8], dir: Fd, path: &[u8]) -> Answer<()> {
        self.descriptor(dir, async |dir| dir.symlink_at(text(contents), text(path)).await)
    }

    fn readlink(&self, dir: Fd, path: &[u8]) -> Answer<Vec<u8>> {
        self.descriptor(dir, async |dir| dir.readlink_at(text(path)).await).map(|contents| bytes(&contents))
    }

    /// Says where it is as the host does of a listener that it hands over: between two marks.
    fn listen(&self) -> Answer<Fd> {
        let known = self.open.borrow().iter().position(|open| matches!(open, Some(Open::Listener(..))));
        if let Some(known) = known {
            return Ok(known as Fd);
        }
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = TcpSocket::create(family(local)).map_err(word)?;
        socket.bind(to_wasi(local)).map_err(word)?;
        let incoming = socket.listen().map_err(word)?;
        let local = from_wasi(socket.get_local_address().map_err(word)?);
        self.write_to(Stream::Stderr, format!("listening on `{local}`\n").as_bytes())?;
        Ok(self.keep(Open::Listener(incoming, socket)))
    }

    fn accept(&self, listener: Fd, wait: bool) -> Answer<Fd> {
        let accepted = match self.open.borrow_mut().get_mut(listener as usize) {
            Some(Some(Open::Listener(incoming, _))) => block_on(read(incoming, 1, wait)),
            _ => return Err("bad-descriptor"),
        };
        match accepted {
            (StreamResult::Complete(_), sockets) => {
                let socket = sockets.into_iter().next().expect("one was asked for");
                Ok(self.keep(Open::Connection(connection(socket))))
            }
            (StreamResult::Cancelled, _) => Err("would-block"),
            (StreamResult::Dropped, _) => Err("of no word"),
        }
    }

    fn receive(&self, connection: Fd, most: usize, wait: bool) -> Answer<Vec<u8>> {
        self.connection(connection, async |connection| connection.receiving.next(most, wait).await)
    }

    fn send(&self, connection: Fd, bytes: &[u8]) -> Answer<()> {
        self.connection(connection, async |connection| {
            let Some(sending) = &mut connection.sending else { return Err("pipe") };
            if sending.stream.write_all(bytes.to_vec()).await.is_empty() {
                return Ok(());
            }
            // What is taken no more has failed, and that is said at the end.
            connection.end_sending().await.and(Err("pipe"))
        })
    }

    fn shutdown(&self, connection: Fd, receive: bool, send: bool) -> Answer<()> {
        self.connection(connection, async |connection| {
            if receive {
                connection.receiving.end().await?;
            }
            if send {
                connection.end_sending().await?;
            }
            Ok(())
        })
    }
}

impl Connection {
    /// Sends no more, and waits for what is said of that.
    async fn end_sending(&mut self) -> Answer<()> {
        match self.sending.take() {
            Some(Sending { stream, end }) => {
                drop(stream);
                end.await.map_err(word)
            }
            None => Ok(()),
        }
    }
}
