//! The records of Preview 1 and 0, field by field, as `typenames.witx` lays them out.

use turnkey_core::filesystem::{FileKind, Metadata};

// `iovec` and `ciovec` (`buf` u32, `buf_len` u32) are read by the core: `Buffers::listed`.

/// `fdstat`.
pub(crate) const FDSTAT_BYTES: usize = 24;
/// `filestat`.
pub(crate) const FILESTAT_BYTES: usize = 64;
/// `filestat` of preview 0, whose `nlink` is a u32.
pub(crate) const FILESTAT_0_BYTES: usize = 56;
/// `dirent`, before the name.
pub(crate) const DIRENT_BYTES: usize = 24;
/// `prestat`.
pub(crate) const PRESTAT_BYTES: usize = 8;
/// `event`.
pub(crate) const EVENT_BYTES: usize = 32;
/// `subscription`.
pub(crate) const SUBSCRIPTION_BYTES: usize = 48;
/// `subscription` of preview 0, whose clocks bear an identifier.
pub(crate) const SUBSCRIPTION_0_BYTES: usize = 56;

/// `filetype`. A pipe has no word there.
pub(crate) const fn filetype(kind: FileKind) -> u8 {
    match kind {
        FileKind::Unknown | FileKind::Fifo => 0,
        FileKind::BlockDevice => 1,
        FileKind::CharacterDevice => 2,
        FileKind::Directory => 3,
        FileKind::RegularFile => 4,
        FileKind::Socket => 6,
        FileKind::SymbolicLink => 7,
    }
}

/// Writes fields into a record that begins as zeroes, so that padding never carries anything.
struct Record<const N: usize>([u8; N]);

impl<const N: usize> Record<N> {
    const fn new() -> Self {
        Record([0; N])
    }

    fn field<const M: usize>(mut self, offset: usize, bytes: [u8; M]) -> Self {
        self.0[offset..offset + M].copy_from_slice(&bytes);
        self
    }
}

/// `fdstat`: `fs_filetype` 0, `fs_flags` 2, `fs_rights_base` 8, `fs_rights_inheriting` 16.
pub(crate) fn fdstat(filetype: u8, flags: u16, base: u64, inheriting: u64) -> [u8; FDSTAT_BYTES] {
    Record::new()
        .field(0, [filetype])
        .field(2, flags.to_le_bytes())
        .field(8, base.to_le_bytes())
        .field(16, inheriting.to_le_bytes())
        .0
}

/// `filestat`: `dev` 0, `ino` 8, `filetype` 16, `nlink` 24, `size` 32, `atim` 40, `mtim` 48, `ctim` 56.
#[inline]
pub(crate) fn filestat(metadata: &Metadata) -> [u8; FILESTAT_BYTES] {
    Record::new()
        .field(0, metadata.device.to_le_bytes())
        .field(8, metadata.inode.to_le_bytes())
        .field(16, [filetype(metadata.kind)])
        .field(24, metadata.links.to_le_bytes())
        .field(32, metadata.size_bytes.to_le_bytes())
        .field(40, metadata.accessed.as_ns().to_le_bytes())
        .field(48, metadata.modified.as_ns().to_le_bytes())
        .field(56, metadata.changed.as_ns().to_le_bytes())
        .0
}

/// `filestat` of preview 0: as above, but `nlink` is a u32 at 20, and what follows begins at 24.
pub(crate) fn filestat_0(metadata: &Metadata) -> [u8; FILESTAT_0_BYTES] {
    Record::new()
        .field(0, metadata.device.to_le_bytes())
        .field(8, metadata.inode.to_le_bytes())
        .field(16, [filetype(metadata.kind)])
        .field(20, u32::try_from(metadata.links).unwrap_or(u32::MAX).to_le_bytes())
        .field(24, metadata.size_bytes.to_le_bytes())
        .field(32, metadata.accessed.as_ns().to_le_bytes())
        .field(40, metadata.modified.as_ns().to_le_bytes())
        .field(48, metadata.changed.as_ns().to_le_bytes())
        .0
}

/// `dirent`: `d_next` 0, `d_ino` 8, `d_namlen` 16, `d_type` 20; the name follows.
#[inline]
pub(crate) fn dirent(next_cookie: u64, inode: u64, name_bytes: usize, kind: FileKind) -> [u8; DIRENT_BYTES] {
    Record::new()
        .field(0, next_cookie.to_le_bytes())
        .field(8, inode.to_le_bytes())
        // A name has at most 255 bytes.
        .field(16, (name_bytes as u32).to_le_bytes())
        .field(20, [filetype(kind)])
        .0
}

/// `prestat` of a directory: the tag 0, `pr_name_len` 4.
pub(crate) fn prestat_dir(name_bytes: u32) -> [u8; PRESTAT_BYTES] {
    Record::new().field(4, name_bytes.to_le_bytes()).0
}

/// What a subscription waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subscribed {
    /// `clock`: its id, when, and whether that is a point of the clock instead of a span from now.
    Clock { clock: u32, timeout: u64, absolute: bool },
    /// `fd_read`.
    Read { fd: u32 },
    /// `fd_write`.
    Write { fd: u32 },
}

/// `subscription`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) userdata: u64,
    /// `None`: a tag that means nothing.
    pub(crate) to: Option<Subscribed>,
}

/// `eventtype`, as events bear it.
impl Subscribed {
    pub(crate) const fn event_type(self) -> u8 {
        match self {
            Subscribed::Clock { .. } => 0,
            Subscribed::Read { .. } => 1,
            Subscribed::Write { .. } => 2,
        }
    }
}

fn u64_at(record: &[u8], offset: usize) -> u64 {
    record[offset..offset + 8].iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn u32_at(record: &[u8], offset: usize) -> u32 {
    record[offset..offset + 4].iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
}

/// `subscription_clock_abstime` of `subclockflags`.
const ABSTIME: u8 = 1;

/// `subscription`: `userdata` 0, the tag 8, and from 16: `id` 16, `timeout` 24, `precision` 32, `flags` 40; or the descriptor.
pub(crate) fn subscription(record: &[u8; SUBSCRIPTION_BYTES]) -> Subscription {
    let to = match record[8] {
        0 => Some(Subscribed::Clock {
            clock: u32_at(record, 16),
            timeout: u64_at(record, 24),
            absolute: record[40] & ABSTIME != 0,
        }),
        tag => descriptor(tag, u32_at(record, 16)),
    };
    Subscription { userdata: u64_at(record, 0), to }
}

/// `subscription` of preview 0: a clock has an identifier at 16, and then `id` 24, `timeout` 32, `precision` 40, `flags` 48.
pub(crate) fn subscription_0(record: &[u8; SUBSCRIPTION_0_BYTES]) -> Subscription {
    let to = match record[8] {
        0 => Some(Subscribed::Clock {
            clock: u32_at(record, 24),
            timeout: u64_at(record, 32),
            absolute: record[48] & ABSTIME != 0,
        }),
        tag => descriptor(tag, u32_at(record, 16)),
    };
    Subscription { userdata: u64_at(record, 0), to }
}

const fn descriptor(tag: u8, fd: u32) -> Option<Subscribed> {
    match tag {
        1 => Some(Subscribed::Read { fd }),
        2 => Some(Subscribed::Write { fd }),
        _ => None,
    }
}

/// `event`: `userdata` 0, `error` 8, `type` 10, and for descriptors `nbytes` 16, `flags` 24 (1: the other side hung up).
pub(crate) fn event(userdata: u64, error: u16, event_type: u8, bytes: u64, hangup: bool) -> [u8; EVENT_BYTES] {
    Record::new()
        .field(0, userdata.to_le_bytes())
        .field(8, error.to_le_bytes())
        .field(10, [event_type])
        .field(16, bytes.to_le_bytes())
        .field(24, u16::from(hangup).to_le_bytes())
        .0
}
