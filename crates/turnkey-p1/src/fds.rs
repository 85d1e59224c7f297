//! The guest's table of descriptors.

use std::sync::Arc;

use turnkey_core::filesystem::{Access, Directory, Entries, File, FileFlags, FileKind, Opened, Unresolved};
use turnkey_core::limits::{Budget, Limit};
use turnkey_core::sockets::{TcpConnection, TcpListener};
use turnkey_core::stream::{StandardInput, StandardOutput, Wait};
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
    Source(StandardInput),
    Sink(StandardOutput),
    File(File),
    Directory(OpenDirectory),
    Listener(TcpListener),
    Connection(TcpConnection),
    /// A file or a directory: [`Descriptors::resolve`] finds out when it is first used. `None` only while it does.
    Unresolved(Option<Unresolved>),
}

/// A directory, and how far it has been listed.
#[derive(Debug)]
pub(crate) struct OpenDirectory {
    pub(crate) directory: Arc<Directory>,
    /// The name it was handed over by; `None` for one that the guest opened.
    pub(crate) preopen: Option<Vec<u8>>,
    /// Boxed: few directories are listed, and every descriptor would be as large.
    pub(crate) entries: Option<Box<Entries>>,
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
    /// What was opened through a directory of this access, from which it can have at most these rights.
    #[inline]
    pub(crate) fn opened(opened: Opened, access: Access, inherited: Rights, nonblocking: bool) -> Self {
        match opened {
            Opened::File(file) => {
                let rights = Rights::of_file(access, file.opened_for()) & inherited;
                Descriptor { kind: Kind::File(file), rights, inheriting: Rights::empty(), nonblocking }
            }
            Opened::Directory(directory) => Descriptor::directory(Arc::new(directory), None, inherited),
            Opened::Unresolved(unresolved) => Descriptor {
                kind: Kind::Unresolved(Some(unresolved)),
                rights: inherited,
                inheriting: inherited,
                nonblocking,
            },
        }
    }

    pub(crate) fn directory(directory: Arc<Directory>, preopen: Option<Vec<u8>>, inherited: Rights) -> Self {
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
            Kind::Source(StandardInput::Host(stream)) | Kind::Sink(StandardOutput::Host(stream)) => {
                stream.is_terminal()
            }
            _ => false,
        };
        let direction = if matches!(kind, Kind::Source(_)) { Rights::FD_READ } else { Rights::FD_WRITE };
        let mut stream = Descriptor { kind, rights: direction, inheriting: Rights::empty(), nonblocking: false };
        stream.rights = Rights::of_stream(direction, stream.file_kind(), terminal);
        stream
    }

    #[cold]
    fn resolve(&mut self) -> Result<(), ErrorCode> {
        let Kind::Unresolved(unresolved) = &mut self.kind else {
            return Ok(());
        };
        match unresolved.take().ok_or(ErrorCode::BadDescriptor)?.resolve() {
            Ok(opened) => {
                let access = match &opened {
                    Opened::File(file) => file.access(),
                    Opened::Directory(directory) => directory.access(),
                    Opened::Unresolved(_) => Access::ReadOnly,
                };
                *self = Descriptor::opened(opened, access, self.inheriting, self.nonblocking);
                Ok(())
            }
            Err((still, code)) => {
                *unresolved = Some(still);
                Err(code)
            }
        }
    }

    /// What it is.
    pub(crate) const fn file_kind(&self) -> FileKind {
        match &self.kind {
            Kind::Source(StandardInput::Host(stream)) | Kind::Sink(StandardOutput::Host(stream)) => stream.kind(),
            Kind::Source(StandardInput::Null) | Kind::Sink(StandardOutput::Null | StandardOutput::Drain(_)) => {
                FileKind::CharacterDevice
            }
            Kind::File(file) => file.kind(),
            Kind::Directory(_) => FileKind::Directory,
            Kind::Listener(_) | Kind::Connection(_) => FileKind::Socket,
            Kind::Unresolved(_) => FileKind::Unknown,
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
            if stream.is_some() {
                table.must_have_room(host)?;
                host.budget.take_host(DESCRIPTOR_BYTES)?;
                table.open += 1;
            }
            table.slots.push(stream.map(Descriptor::stream));
        }
        // A stream that is closed leaves its number free only after the others have theirs.
        table.lowest_free = table.slots.len();
        for preopen in found.preopens {
            let descriptor = Descriptor::directory(preopen.directory, Some(preopen.name), Rights::all());
            table.insert(descriptor, host)?;
        }
        for listener in found.listeners {
            let (rights, inheriting) = (Rights::of_listener(), Rights::of_connection());
            table
                .insert(Descriptor { kind: Kind::Listener(listener), rights, inheriting, nonblocking: false }, host)?;
        }
        table.lowest_free = table.slots.iter().position(Option::is_none).unwrap_or(table.slots.len());
        Ok(table)
    }

    /// A descriptor, to use.
    ///
    /// # Errors
    /// [`ErrorCode::BadDescriptor`]; what it is may have to be found out, and then also as [`Unresolved::resolve`].
    #[inline]
    pub(crate) fn get(&mut self, fd: u32) -> Result<&mut Descriptor, ErrorCode> {
        self.resolve(fd)?;
        self.slots.get_mut(fd as usize).and_then(Option::as_mut).ok_or(ErrorCode::BadDescriptor)
    }

    /// A descriptor that [`Descriptors::resolve`] has been asked for: for calls that use several at once.
    ///
    /// # Errors
    /// [`ErrorCode::BadDescriptor`]
    #[inline]
    pub(crate) fn resolved(&self, fd: u32) -> Result<&Descriptor, ErrorCode> {
        self.slots.get(fd as usize).and_then(Option::as_ref).ok_or(ErrorCode::BadDescriptor)
    }

    /// Finds out what a descriptor is, where that has been left open until it is used.
    ///
    /// # Errors
    /// As [`Unresolved::resolve`]; one that is not there at all is no error here.
    #[inline]
    pub(crate) fn resolve(&mut self, fd: u32) -> Result<(), ErrorCode> {
        match self.slots.get_mut(fd as usize) {
            Some(Some(descriptor)) if matches!(descriptor.kind, Kind::Unresolved(_)) => descriptor.resolve(),
            _ => Ok(()),
        }
    }

    /// Checks that one more may be opened, before the host opens it.
    ///
    /// # Errors
    /// [`ErrorCode::TooManyDescriptors`]: `--max-descriptors`. [`ErrorCode::InsufficientMemory`]: what could not be paid for
    /// afterwards would have been made or emptied for nothing.
    #[inline]
    pub(crate) fn must_have_room(&self, host: &mut Capabilities) -> Result<(), ErrorCode> {
        if self.open >= host.limits.descriptors {
            host.budget.note(Limit::Descriptors);
            return Err(ErrorCode::TooManyDescriptors);
        }
        host.budget.must_have_room(DESCRIPTOR_BYTES)
    }

    /// Takes a descriptor in; its number.
    ///
    /// # Errors
    /// As [`Descriptors::must_have_room`].
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
        drop(descriptor);
        Ok(())
    }

    /// Puts one descriptor in the place of another, which is closed (`fd_renumber`).
    ///
    /// # Errors
    /// [`ErrorCode::BadDescriptor`]: one of the two is not open.
    pub(crate) fn renumber(&mut self, from: u32, to: u32, budget: &mut Budget) -> Result<(), ErrorCode> {
        self.resolved(from)?;
        self.resolved(to)?;
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
