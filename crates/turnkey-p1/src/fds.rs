//! The guest's table of descriptors.

use turnkey_core::filesystem::{Access, Directory, Entries, File, FileFlags, FileKind};
use turnkey_core::limits::{Budget, Limit};
use turnkey_core::sockets::{TcpConnection, TcpListener};
use turnkey_core::stream::{Sink, Source, Wait};
use turnkey_core::{Capabilities, ErrorCode};

use crate::rights::Rights;

/// Bytes that a descriptor is charged with: its place in the table, and the kernel's structures behind it.
const DESCRIPTOR_BYTES: u64 = 512;

/// The descriptors of one guest, by number; the lowest free one is given out, as POSIX has it.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    slots: Vec<Option<Descriptor>>,
    /// No slot below this one is free.
    lowest_free: usize,
    open: u32,
}

/// An open descriptor.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub(crate) kind: Kind,
    pub(crate) rights: Rights,
    pub(crate) inheriting: Rights,
    /// `fdflags` nonblock: this guest's own business, never set on what is shared.
    pub(crate) nonblocking: bool,
}

/// What stands behind a descriptor.
#[derive(Debug)]
pub(crate) enum Kind {
    Source(Source),
    Sink(Sink),
    File(File),
    Directory(OpenDirectory),
    Listener(TcpListener),
    Connection(TcpConnection),
}

/// A directory, and how far it has been listed.
#[derive(Debug)]
pub(crate) struct OpenDirectory {
    pub(crate) directory: Directory,
    /// The name it was handed over by; `None` for one that the guest opened.
    pub(crate) preopen: Option<Vec<u8>>,
    pub(crate) entries: Option<Entries>,
}

bitflags::bitflags! {
    /// `fdflags`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct FdFlags: u16 {
        const APPEND = 1 << 0;
        const DSYNC = 1 << 1;
        const NONBLOCK = 1 << 2;
        const RSYNC = 1 << 3;
        const SYNC = 1 << 4;
    }
}

impl FdFlags {
    /// # Errors
    /// [`ErrorCode::Invalid`]: a bit that means nothing.
    pub(crate) fn parse(bits: u32) -> Result<Self, ErrorCode> {
        u16::try_from(bits).ok().and_then(FdFlags::from_bits).ok_or(ErrorCode::Invalid)
    }

    /// How a file is written with these. Reads that see synchronised data (`rsync`) are `sync` on Linux.
    pub(crate) const fn file_flags(self) -> FileFlags {
        FileFlags {
            append: self.contains(FdFlags::APPEND),
            data_sync: self.contains(FdFlags::DSYNC),
            sync: self.intersects(FdFlags::SYNC.union(FdFlags::RSYNC)),
        }
    }

    const fn of_file(flags: FileFlags) -> Self {
        let mut found = FdFlags::empty();
        if flags.append {
            found = found.union(FdFlags::APPEND);
        }
        if flags.data_sync {
            found = found.union(FdFlags::DSYNC);
        }
        if flags.sync {
            found = found.union(FdFlags::SYNC);
        }
        found
    }
}

impl Descriptor {
    pub(crate) fn file(file: File, access: Access, inherited: Rights, nonblocking: bool) -> Self {
        let rights = Rights::of_file(access, file.opened_for()) & inherited;
        Descriptor { kind: Kind::File(file), rights, inheriting: Rights::empty(), nonblocking }
    }

    pub(crate) fn directory(directory: Directory, preopen: Option<Vec<u8>>, inherited: Rights) -> Self {
        let access = directory.access();
        Descriptor {
            rights: Rights::of_directory(access) & inherited,
            inheriting: Rights::inherited(access) & inherited,
            kind: Kind::Directory(OpenDirectory { directory, preopen, entries: None }),
            nonblocking: false,
        }
    }

    pub(crate) fn connection(connection: TcpConnection, nonblocking: bool) -> Self {
        Descriptor {
            kind: Kind::Connection(connection),
            rights: Rights::of_connection(),
            inheriting: Rights::empty(),
            nonblocking,
        }
    }

    fn stream(kind: Kind) -> Self {
        let terminal = match &kind {
            Kind::Source(Source::Host(stream)) | Kind::Sink(Sink::Host(stream)) => stream.is_terminal(),
            _ => false,
        };
        let direction = if matches!(kind, Kind::Source(_)) { Rights::FD_READ } else { Rights::FD_WRITE };
        let mut stream = Descriptor { kind, rights: direction, inheriting: Rights::empty(), nonblocking: false };
        stream.rights = Rights::of_stream(direction, stream.file_kind(), terminal);
        stream
    }

    /// What it is.
    pub(crate) const fn file_kind(&self) -> FileKind {
        match &self.kind {
            Kind::Source(Source::Host(stream)) | Kind::Sink(Sink::Host(stream)) => stream.kind(),
            Kind::Source(Source::Null) | Kind::Sink(Sink::Null) => FileKind::CharacterDevice,
            Kind::File(file) => file.kind(),
            Kind::Directory(_) => FileKind::Directory,
            Kind::Listener(_) | Kind::Connection(_) => FileKind::Socket,
        }
    }

    /// `fdflags` as they stand.
    pub(crate) const fn flags(&self) -> FdFlags {
        let flags = match &self.kind {
            Kind::File(file) => FdFlags::of_file(file.flags()),
            _ => FdFlags::empty(),
        };
        if self.nonblocking { flags.union(FdFlags::NONBLOCK) } else { flags }
    }

    /// Checks that it may be used for this. Reading and writing fail as in POSIX, by the descriptor; the rest as by WASI.
    #[inline]
    pub(crate) fn must(&self, rights: Rights) -> Result<(), ErrorCode> {
        if self.rights.contains(rights) {
            Ok(())
        } else if rights.intersects(Rights::FD_READ | Rights::FD_WRITE) {
            Err(ErrorCode::BadDescriptor)
        } else {
            Err(ErrorCode::NotCapable)
        }
    }

    /// How long a call on it may wait.
    #[inline]
    pub(crate) const fn wait(&self, host: &Capabilities) -> Wait {
        Wait::of(self.nonblocking, host.end)
    }

    /// The file behind it.
    ///
    /// # Errors
    /// [`ErrorCode::IsDirectory`], [`ErrorCode::InvalidSeek`] for what has no places in it, or a missing right.
    #[inline]
    pub(crate) fn as_file(&mut self, rights: Rights) -> Result<&mut File, ErrorCode> {
        match &self.kind {
            Kind::File(_) => self.must(rights)?,
            Kind::Directory(_) => return Err(ErrorCode::IsDirectory),
            _ => return Err(ErrorCode::InvalidSeek),
        }
        match &mut self.kind {
            Kind::File(file) => Ok(file),
            _ => Err(ErrorCode::BadDescriptor),
        }
    }

    /// The directory behind it.
    ///
    /// # Errors
    /// [`ErrorCode::NotDirectory`], or a missing right.
    #[inline]
    pub(crate) fn as_directory(&self, rights: Rights) -> Result<&OpenDirectory, ErrorCode> {
        match &self.kind {
            Kind::Directory(open) => {
                self.must(rights)?;
                Ok(open)
            }
            _ => Err(ErrorCode::NotDirectory),
        }
    }
}

impl Descriptors {
    /// The table that a guest starts with: standard streams 0 to 2, then directories, then listening sockets.
    pub(crate) fn new(host: &mut Capabilities) -> Result<Self, ErrorCode> {
        let found = std::mem::take(&mut host.found_open);
        let mut table = Descriptors::default();
        let streams = [found.stdin.map(Kind::Source), found.stdout.map(Kind::Sink), found.stderr.map(Kind::Sink)];
        for stream in streams {
            // A stream that is closed leaves its number free only after the others have theirs.
            host.budget.take_host(DESCRIPTOR_BYTES)?;
            table.slots.push(stream.map(Descriptor::stream));
            table.open += 1;
        }
        table.lowest_free = table.slots.len();
        for preopen in found.preopens {
            let descriptor = Descriptor::directory(preopen.directory, Some(preopen.name), Rights::all());
            table.insert(descriptor, host)?;
        }
        for listener in found.listeners {
            let (rights, inheriting) = (Rights::of_listener(), Rights::of_connection());
            table.insert(Descriptor { kind: Kind::Listener(listener), rights, inheriting, nonblocking: false }, host)?;
        }
        table.open = table.slots.iter().flatten().count() as u32;
        table.lowest_free = table.slots.iter().position(Option::is_none).unwrap_or(table.slots.len());
        Ok(table)
    }

    /// # Errors
    /// [`ErrorCode::BadDescriptor`]
    #[inline]
    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, ErrorCode> {
        self.slots.get(fd as usize).and_then(Option::as_ref).ok_or(ErrorCode::BadDescriptor)
    }

    /// # Errors
    /// [`ErrorCode::BadDescriptor`]
    #[inline]
    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, ErrorCode> {
        self.slots.get_mut(fd as usize).and_then(Option::as_mut).ok_or(ErrorCode::BadDescriptor)
    }

    /// Checks that one more may be opened, before the host opens it.
    ///
    /// # Errors
    /// [`ErrorCode::TooManyDescriptors`]: `--max-descriptors`.
    #[inline]
    pub(crate) fn must_have_room(&self, host: &mut Capabilities) -> Result<(), ErrorCode> {
        if self.open < host.limits.descriptors {
            return Ok(());
        }
        host.budget.note(Limit::Descriptors);
        Err(ErrorCode::TooManyDescriptors)
    }

    /// Takes a descriptor in; its number.
    ///
    /// # Errors
    /// As [`Descriptors::must_have_room`]; [`ErrorCode::InsufficientMemory`].
    #[inline]
    pub(crate) fn insert(&mut self, descriptor: Descriptor, host: &mut Capabilities) -> Result<u32, ErrorCode> {
        self.must_have_room(host)?;
        host.budget.take_host(DESCRIPTOR_BYTES)?;
        let mut number = self.lowest_free;
        while self.slots.get(number).is_some_and(Option::is_some) {
            number += 1;
        }
        match self.slots.get_mut(number) {
            Some(slot) => *slot = Some(descriptor),
            None => self.slots.push(Some(descriptor)),
        }
        self.lowest_free = number + 1;
        self.open += 1;
        // There are never more slots than the limit, which is a u32.
        Ok(number as u32)
    }

    /// Closes a descriptor.
    ///
    /// # Errors
    /// [`ErrorCode::BadDescriptor`]
    #[inline]
    pub(crate) fn close(&mut self, fd: u32, budget: &mut Budget) -> Result<(), ErrorCode> {
        let slot = self.slots.get_mut(fd as usize).ok_or(ErrorCode::BadDescriptor)?;
        let descriptor = slot.take().ok_or(ErrorCode::BadDescriptor)?;
        self.lowest_free = self.lowest_free.min(fd as usize);
        self.open -= 1;
        budget.give_host(DESCRIPTOR_BYTES);
        if let Kind::Directory(OpenDirectory { entries: Some(entries), .. }) = descriptor.kind {
            entries.release(budget);
        }
        Ok(())
    }

    /// Puts one descriptor in the place of another, which is closed (`fd_renumber`).
    ///
    /// # Errors
    /// [`ErrorCode::BadDescriptor`]: one of the two is not open.
    pub(crate) fn renumber(&mut self, from: u32, to: u32, budget: &mut Budget) -> Result<(), ErrorCode> {
        self.get(from)?;
        self.get(to)?;
        if from == to {
            return Ok(());
        }
        self.close(to, budget)?;
        let moved = self.slots.get_mut(from as usize).and_then(Option::take);
        if let Some(slot) = self.slots.get_mut(to as usize) {
            *slot = moved;
        }
        self.lowest_free = self.lowest_free.min(from as usize);
        Ok(())
    }
}
