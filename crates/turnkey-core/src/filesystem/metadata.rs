//! What a guest may know of a file: kind, size, times, and numbers of its own for device and inode.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::ErrorCode;
use crate::clocks::{Clocks, Timestamp};
use crate::limits::Budget;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    RegularFile,
    /// A directory.
    Directory,
    /// A symbolic link.
    SymbolicLink,
    /// A block device.
    BlockDevice,
    /// A character device: as a standard stream, a terminal.
    CharacterDevice,
    /// A pipe.
    Fifo,
    /// A socket.
    Socket,
    /// Something else, or not known.
    Unknown,
}

/// What becomes of a file's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewTime {
    /// It stays.
    Keep,
    /// It becomes the present.
    Now,
    /// It becomes this.
    At(Timestamp),
}

/// What the host says of a file. Never shown to a guest as it is.
#[derive(Clone, Copy, Debug)]
pub struct HostMetadata {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) kind: FileKind,
    pub(crate) links: u64,
    pub(crate) size_bytes: u64,
    pub(crate) accessed: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) changed: Timestamp,
}

/// What a guest is told of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The guest's own number for the device.
    pub device: u64,
    /// The guest's own number for the file on it.
    pub inode: u64,
    /// What it is.
    pub kind: FileKind,
    /// Names that it has.
    pub links: u64,
    /// Its size; of a link, its contents'.
    pub size_bytes: u64,
    /// Last read.
    pub accessed: Timestamp,
    /// Last written.
    pub modified: Timestamp,
    /// Last changed in any way.
    pub changed: Timestamp,
}

impl HostMetadata {
    /// Whether both are of one file, under whatever names.
    #[must_use]
    pub const fn is_same_file(&self, other: &HostMetadata) -> bool {
        self.device == other.device && self.inode == other.inode
    }

    /// Whether a file has the same contents in both, a directory the same names, as far as times tell.
    #[must_use]
    pub fn is_unchanged(&self, later: &HostMetadata) -> bool {
        (self.modified, self.changed) == (later.modified, later.changed)
    }

    /// As the guest may see it.
    ///
    /// # Errors
    /// [`ErrorCode::InsufficientMemory`]: counted numbers are remembered, and the budget for that is used up.
    pub fn shown(&self, clocks: &Clocks, inodes: &mut Inodes, budget: &mut Budget) -> Result<Metadata, ErrorCode> {
        Ok(Metadata {
            device: inodes.device(self.device),
            inode: inodes.inode(self.device, self.inode, budget)?,
            kind: self.kind,
            links: self.links,
            size_bytes: self.size_bytes,
            accessed: clocks.timestamp(self.accessed),
            modified: clocks.timestamp(self.modified),
            changed: clocks.timestamp(self.changed),
        })
    }
}

/// A guest's own numbers for devices and inodes, the same for as long as it runs: they tell files apart, and nothing of
/// the host.
#[derive(Debug)]
pub enum Inodes {
    /// Hashed with a key of this run.
    Hashed(RandomState),
    /// Counted in the order in which the guest met them: the same for every run that does the same.
    Counted(HashMap<(u64, u64), u64>),
}

/// Bytes that one counted number is charged with: its entry in the table, with the table's spare room.
const COUNTED_BYTES: u64 = 64;

impl Inodes {
    /// Numbers for a guest; `deterministic` ones are counted.
    #[must_use]
    pub fn new(deterministic: bool) -> Self {
        if deterministic { Inodes::Counted(HashMap::new()) } else { Inodes::Hashed(RandomState::new()) }
    }

    fn device(&self, device: u64) -> u64 {
        match self {
            Inodes::Hashed(key) => key.hash_one(device),
            Inodes::Counted(_) => 1,
        }
    }

    pub(crate) fn inode(&mut self, device: u64, inode: u64, budget: &mut Budget) -> Result<u64, ErrorCode> {
        match self {
            Inodes::Hashed(key) => Ok(key.hash_one((device, inode))),
            Inodes::Counted(known) => {
                if let Some(&number) = known.get(&(device, inode)) {
                    return Ok(number);
                }
                budget.take_host(COUNTED_BYTES)?;
                let number = known.len() as u64 + 1;
                known.insert((device, inode), number);
                Ok(number)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn numbers_are_stable_and_charged() {
        let mut budget = Budget::new(&Limits { host_bytes: 2 * COUNTED_BYTES, ..Limits::default() });
        let mut counted = Inodes::new(true);
        assert_eq!(counted.inode(9, 900, &mut budget), Ok(1));
        assert_eq!(counted.inode(9, 901, &mut budget), Ok(2));
        assert_eq!(counted.inode(9, 900, &mut budget), Ok(1));
        assert_eq!(counted.inode(9, 902, &mut budget), Err(ErrorCode::InsufficientMemory));
        let mut hashed = Inodes::new(false);
        assert_eq!(hashed.inode(1, 2, &mut budget), hashed.inode(1, 2, &mut budget));
        assert_ne!(hashed.inode(1, 2, &mut budget), hashed.inode(2, 1, &mut budget));
    }
}
