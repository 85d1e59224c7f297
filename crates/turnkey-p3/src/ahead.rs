//! Reading a file ahead, for a guest that reads it in small pieces: one system call for many of them.
//!
//! What has been read ahead is given only as long as the guest cannot tell it from what the file has now: any other call of its
//! own, by which it may have learned or changed something, has the file read anew ([`Capabilities::news`]). A stream that is read
//! without anything in between, as programs read files, is given what was there a moment ago.

use turnkey_core::host::buffers::Buffers;
use turnkey_core::limits::Lease;
use turnkey_core::stream::{Interruption, Source, Wait};
use turnkey_core::{Capabilities, ErrorCode};

/// A read of so many bytes at the most is small.
pub(crate) const SMALL: usize = 512;

/// Bytes that are read ahead.
const AHEAD_BYTES: usize = 4096;

/// Small reads, one after the other, before one is taken for the first of many.
const FEW: u32 = 2;

/// What has been read ahead of one stream.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    bytes: Vec<u8>,
    /// Where what is left of it begins.
    at: usize,
    /// [`Capabilities::news`] when it was read.
    news: u64,
    small_reads: u32,
    lease: Option<Lease>,
}

impl Ahead {
    /// Whether there is something left to give. What is not true any more is forgotten, and the stream goes back to where the
    /// guest is.
    pub(crate) fn has_more(&mut self, offset: &mut u64, news: u64) -> bool {
        let left = self.bytes.len() - self.at;
        if left > 0 && self.news != news {
            *offset -= left as u64;
            self.bytes.clear();
            self.at = 0;
            return false;
        }
        left > 0
    }

    /// Reads ahead, if this is not one of the first small reads and the guest can pay for it. What there is to give is then at
    /// hand; nothing, at the end.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn fetch(&mut self, source: &mut Source, host: &mut Capabilities) -> Result<(), ErrorCode> {
        self.small_reads += 1;
        if self.small_reads <= FEW {
            return Ok(());
        }
        self.small_reads = FEW;
        if self.lease.is_none() {
            self.lease = host.budget.lease(AHEAD_BYTES as u64).ok();
        }
        if self.lease.is_none() {
            return Ok(());
        }
        self.bytes.resize(AHEAD_BYTES, 0);
        self.at = 0;
        let read = source.read(&mut Buffers::whole(&mut self.bytes), Wait::Never);
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        host.news += 1;
        self.news = host.news;
        match read {
            Ok(_) => Ok(()),
            Err(Interruption::Failed(code)) => Err(code),
            Err(Interruption::Stopped(_)) => Err(ErrorCode::Interrupted),
        }
    }

    /// At most so many bytes of what is left. `None`: there are none.
    pub(crate) fn take(&mut self, room: usize) -> Option<&[u8]> {
        let from = self.at;
        self.at = self.bytes.len().min(from.saturating_add(room));
        (self.at > from).then(|| &self.bytes[from..self.at])
    }
}
