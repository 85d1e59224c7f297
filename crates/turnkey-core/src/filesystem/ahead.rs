//! Reading a file ahead, for a guest that reads it in small pieces: one system call for many of them.
//!
//! What has been read ahead is given only as long as the guest cannot tell it from what the file has now: any other call of its
//! own, by which it may have learned or changed something, has the file read anew ([`Capabilities::news`]). A file that is read
//! without anything in between, as programs read files, is given as it was a moment ago.

use crate::host::buffers::Buffers;
use crate::limits::Lease;
use crate::{Capabilities, ErrorCode};

/// A read of so many bytes at the most is small.
pub const SMALL: usize = 512;

/// Bytes that are read ahead.
const AHEAD_BYTES: usize = 4096;

/// Small reads, one after the other, before one is taken for the first of many.
const FEW: u32 = 2;

/// What has been read ahead of one stream, or of one descriptor: what comes where the guest is.
#[derive(Debug, Default)]
pub struct Ahead {
    bytes: Vec<u8>,
    /// Where what is left of it begins.
    at: usize,
    /// [`Capabilities::news`] when it was read.
    news: u64,
    small_reads: u32,
    lease: Option<Lease>,
}

impl Ahead {
    /// What comes next, `room` bytes of it, or all that the file has: then the guest is behind them. `None`: they are to be read as
    /// usual, which is news, be it because there are many, because this is one of the first small reads, because the guest cannot
    /// pay, or because the file ends here.
    ///
    /// `read` reads where the guest is.
    ///
    /// # Errors
    /// What the operating system says.
    #[inline]
    pub fn read(
        &mut self,
        room: usize,
        host: &mut Capabilities,
        read: impl FnOnce(&mut Buffers<'_>) -> Result<usize, ErrorCode>,
    ) -> Result<Option<&[u8]>, ErrorCode> {
        // A few that are left would be less than what there is.
        let has_all = self.bytes.len() - self.at >= room && self.news == host.news;
        if !has_all && (room > SMALL || !self.fetch(host, read)?) {
            // Whatever is left is not where the guest will be.
            self.at = self.bytes.len();
            return Ok(None);
        }
        let from = self.at;
        self.at = self.bytes.len().min(from.saturating_add(room));
        Ok(Some(&self.bytes[from..self.at]))
    }

    /// Whether there is something then.
    fn fetch(
        &mut self,
        host: &mut Capabilities,
        read: impl FnOnce(&mut Buffers<'_>) -> Result<usize, ErrorCode>,
    ) -> Result<bool, ErrorCode> {
        self.small_reads += 1;
        if self.small_reads <= FEW {
            return Ok(false);
        }
        self.small_reads = FEW;
        if self.lease.is_none() {
            self.lease = host.budget.lease(AHEAD_BYTES as u64).ok();
        }
        if self.lease.is_none() {
            return Ok(false);
        }
        self.bytes.resize(AHEAD_BYTES, 0);
        let read = read(&mut Buffers::whole(&mut self.bytes));
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        self.at = 0;
        host.news += 1;
        self.news = host.news;
        Ok(read? > 0)
    }
}
