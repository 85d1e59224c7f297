//! Listing a directory: an open stream of the kernel's own records, read once, in the order and with the cookies of the
//! file system, so that a listing goes on where it was however the directory changes.

use std::os::fd::{AsFd, BorrowedFd};

use super::directory::{Directory, HostDirectory};
use super::metadata::{FileKind, HostMetadata, Inodes};
use crate::ErrorCode;
use crate::host::{dirents, files};
use crate::limits::{Budget, Lease};

/// Bytes of records that one listing holds: one system call for some 1000 names.
const BUFFER_BYTES: usize = 32 << 10;

/// Bytes that one name of a sorted listing is charged with besides its own: its place in the list, and the allocation.
const SORTED_ENTRY_BYTES: u64 = 64;

/// One entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name, as bytes: whatever the host's file system allows.
    pub name: &'a [u8],
    /// The guest's own number for it.
    pub inode: u64,
    /// What it is.
    pub kind: FileKind,
    /// Where the next entry is found.
    pub next_cookie: u64,
}

/// The state of one listing.
#[derive(Debug)]
pub enum Entries {
    /// As the file system has them.
    Streamed(Streamed),
    /// Read at the start, sorted by name: the same on every host.
    Sorted(Sorted),
}

/// A listing in the file system's order.
#[derive(Debug)]
pub struct Streamed {
    records: Box<[u8]>,
    /// Bytes of `records` that are filled.
    filled: usize,
    /// Where in `records` the next entry begins.
    at: usize,
    /// The cookie that stands for `at`.
    at_cookie: u64,
    /// The cookie that stands for the beginning of `records`.
    first_cookie: u64,
    /// The device, which with a record's inode makes the number shown.
    device: u64,
    /// The directory's own inode, which `..` shows in a directory that was granted: its parent is not the guest's.
    own_inode: u64,
    _lease: Lease,
}

/// A listing in the order of names.
#[derive(Debug, Default)]
pub struct Sorted {
    /// Whether the directory has been read: a cookie can come from a listing of another descriptor.
    filled: bool,
    entries: Vec<SortedEntry>,
}

#[derive(Debug)]
struct SortedEntry {
    name: Vec<u8>,
    inode: u64,
    kind: FileKind,
    _lease: Lease,
}

impl Entries {
    /// A listing of the directory, its memory charged to the budget.
    ///
    /// # Errors
    /// [`ErrorCode::InsufficientMemory`]: the budget is used up.
    pub fn new(directory: &Directory, sorted: bool, budget: &mut Budget) -> Result<Self, ErrorCode> {
        if sorted {
            return Ok(Entries::Sorted(Sorted::default()));
        }
        let metadata = directory.stat()?;
        let lease = budget.lease(BUFFER_BYTES as u64)?;
        Ok(Entries::Streamed(Streamed::new(&metadata, lease)))
    }

    /// The entry at a cookie (0: the first, anew); `None`: there are no more.
    ///
    /// # Errors
    /// As [`Entries::read`].
    pub fn next(
        &mut self,
        directory: &Directory,
        cookie: u64,
        inodes: &mut Inodes,
        budget: &mut Budget,
    ) -> Result<Option<Entry<'_>>, ErrorCode> {
        let Directory::Host(directory) = directory else {
            return Ok(None);
        };
        match self {
            Entries::Streamed(streamed) => {
                let device = streamed.device;
                let Some(found) = streamed.take(directory.fd().as_fd(), cookie)? else {
                    return Ok(None);
                };
                let inode = inodes.inode(device, found.inode, budget)?;
                Ok(Some(Entry { name: found.name, inode, kind: found.kind, next_cookie: found.next_cookie }))
            }
            Entries::Sorted(sorted) => {
                if cookie == 0 || !sorted.filled {
                    sorted.fill(directory, false, inodes, budget)?;
                }
                let entry = usize::try_from(cookie).ok().and_then(|index| sorted.entries.get(index));
                Ok(entry.map(|entry| Entry {
                    name: &entry.name,
                    inode: entry.inode,
                    kind: entry.kind,
                    next_cookie: cookie + 1,
                }))
            }
        }
    }

    /// Gives the entries from a cookie on (0: from the beginning, anew) to `each`, until it says `false`: that entry is then
    /// the first of the next call.
    ///
    /// `granted`: the directory was handed over as it is, so that its parent is not the guest's to know.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`] for a cookie that never was one; else what the operating system says.
    pub fn read(
        &mut self,
        directory: &Directory,
        granted: bool,
        cookie: u64,
        inodes: &mut Inodes,
        budget: &mut Budget,
        mut each: impl FnMut(Entry<'_>) -> bool,
    ) -> Result<(), ErrorCode> {
        let Directory::Host(directory) = directory else {
            return Ok(());
        };
        match self {
            Entries::Streamed(streamed) => {
                let device = streamed.device;
                streamed.read(directory.fd().as_fd(), granted, cookie, |found| {
                    let inode = inodes.inode(device, found.inode, budget)?;
                    Ok(each(Entry { name: found.name, inode, kind: found.kind, next_cookie: found.next_cookie }))
                })
            }
            Entries::Sorted(sorted) => {
                if cookie == 0 || !sorted.filled {
                    sorted.fill(directory, granted, inodes, budget)?;
                }
                let from = usize::try_from(cookie).unwrap_or(usize::MAX);
                for (index, entry) in sorted.entries.iter().enumerate().skip(from) {
                    let next_cookie = index as u64 + 1;
                    if !each(Entry { name: &entry.name, inode: entry.inode, kind: entry.kind, next_cookie }) {
                        break;
                    }
                }
                Ok(())
            }
        }
    }
}

/// An entry with the host's own inode.
struct Found<'a> {
    name: &'a [u8],
    inode: u64,
    kind: FileKind,
    next_cookie: u64,
}

impl Streamed {
    fn new(directory: &HostMetadata, lease: Lease) -> Self {
        Streamed {
            records: vec![0; BUFFER_BYTES].into_boxed_slice(),
            filled: 0,
            at: 0,
            at_cookie: 0,
            first_cookie: 0,
            device: directory.device,
            own_inode: directory.inode,
            _lease: lease,
        }
    }

    fn read(
        &mut self,
        fd: BorrowedFd<'_>,
        granted: bool,
        cookie: u64,
        mut each: impl FnMut(Found<'_>) -> Result<bool, ErrorCode>,
    ) -> Result<(), ErrorCode> {
        self.go_to(fd, cookie)?;
        let own_inode = self.own_inode;
        while let Some(record) = self.next(fd)? {
            let kind = kind_of(fd, &record);
            let inode = if granted && record.name == b".." { own_inode } else { record.ino };
            if !each(Found { name: record.name, inode, kind, next_cookie: record.next_cookie })? {
                break;
            }
            let (bytes, next_cookie) = (record.record_bytes, record.next_cookie);
            self.at += bytes;
            self.at_cookie = next_cookie;
        }
        Ok(())
    }

    /// The entry at a cookie, and on to the next.
    fn take(&mut self, fd: BorrowedFd<'_>, cookie: u64) -> Result<Option<Found<'_>>, ErrorCode> {
        self.go_to(fd, cookie)?;
        if self.next(fd)?.is_none() {
            return Ok(None);
        }
        let Some(record) = dirents::first(&self.records[self.at..self.filled]) else {
            return Ok(None);
        };
        self.at += record.record_bytes;
        self.at_cookie = record.next_cookie;
        let kind = kind_of(fd, &record);
        Ok(Some(Found { name: record.name, inode: record.ino, kind, next_cookie: record.next_cookie }))
    }

    /// Puts the listing to a cookie: by going on, by looking among the records at hand, or by asking the kernel.
    fn go_to(&mut self, fd: BorrowedFd<'_>, cookie: u64) -> Result<(), ErrorCode> {
        if cookie != 0 && (cookie == self.at_cookie || self.find(cookie)) {
            return Ok(());
        }
        dirents::seek_to(fd, cookie)?;
        (self.filled, self.at) = (0, 0);
        (self.at_cookie, self.first_cookie) = (cookie, cookie);
        Ok(())
    }

    fn find(&mut self, cookie: u64) -> bool {
        let (mut at, mut at_cookie) = (0, self.first_cookie);
        while at_cookie != cookie {
            let Some(record) = dirents::first(&self.records[at..self.filled]) else {
                return false;
            };
            at += record.record_bytes;
            at_cookie = record.next_cookie;
        }
        (self.at, self.at_cookie) = (at, at_cookie);
        true
    }

    /// The record that the listing stands at; `None` at the end.
    fn next(&mut self, fd: BorrowedFd<'_>) -> Result<Option<dirents::RawEntry<'_>>, ErrorCode> {
        if self.at == self.filled {
            self.filled = dirents::read(fd, &mut self.records)?;
            self.at = 0;
            self.first_cookie = self.at_cookie;
        }
        Ok(dirents::first(&self.records[self.at..self.filled]))
    }
}

/// What an entry is. Where the file system does not say, it is looked at; one that is gone meanwhile stays unknown.
fn kind_of(fd: BorrowedFd<'_>, record: &dirents::RawEntry<'_>) -> FileKind {
    match files::kind(record.file_type) {
        FileKind::Unknown => files::stat_name(fd, record.name).map_or(FileKind::Unknown, |found| found.kind),
        kind => kind,
    }
}

impl Sorted {
    /// Reads the whole directory anew.
    fn fill(
        &mut self,
        directory: &HostDirectory,
        granted: bool,
        inodes: &mut Inodes,
        budget: &mut Budget,
    ) -> Result<(), ErrorCode> {
        self.filled = false;
        self.entries.clear();
        let metadata = files::stat(directory.fd().as_fd())?;
        let lease = budget.lease(BUFFER_BYTES as u64)?;
        Streamed::new(&metadata, lease).read(directory.fd().as_fd(), granted, 0, |found| {
            let _lease = budget.lease(found.name.len() as u64 + SORTED_ENTRY_BYTES)?;
            self.entries.push(SortedEntry { name: found.name.to_vec(), inode: found.inode, kind: found.kind, _lease });
            Ok(true)
        })?;
        self.entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        // Numbered after sorting, so that they are counted in the order of names and not of the file system.
        for entry in &mut self.entries {
            entry.inode = inodes.inode(metadata.device, entry.inode, budget)?;
        }
        self.filled = true;
        Ok(())
    }
}
