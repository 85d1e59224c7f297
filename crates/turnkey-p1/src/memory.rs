//! A guest's memory as one call sees it: the only pointer arithmetic of Preview 1.
//!
//! Reading and writing are little-endian at any address: WebAssembly's own loads need no alignment either. A pointer beyond
//! the memory is a [`Fault::OutOfBounds`], and is found before anything has been done: results are written to a [`Place`],
//! which was checked first.

use turnkey_core::host::buffers::Buffers;

use crate::fault::{Fault, Outcome};

/// The memory of a guest.
pub(crate) struct GuestMemory<'a>(&'a mut [u8]);

/// Room for `N` bytes, known to be inside the memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<const N: usize>(usize);

impl<'a> GuestMemory<'a> {
    pub(crate) const fn new(bytes: &'a mut [u8]) -> Self {
        GuestMemory(bytes)
    }

    /// Checks a range; where it begins, and where it ends.
    #[inline]
    fn range(&self, address: u32, bytes: u64) -> Outcome<std::ops::Range<usize>> {
        let end = u64::from(address) + bytes;
        // An end inside the memory fits the host's own addresses.
        if end <= self.0.len() as u64 {
            Ok(address as usize..end as usize)
        } else {
            Err(Fault::OutOfBounds { address, bytes })
        }
    }

    /// Checks room for a result.
    #[inline]
    pub(crate) fn place<const N: usize>(&self, address: u32) -> Outcome<Place<N>> {
        Ok(Place(self.range(address, N as u64)?.start))
    }

    /// Writes a result.
    #[inline]
    pub(crate) fn put<const N: usize>(&mut self, place: Place<N>, bytes: [u8; N]) {
        if let Some(room) = self.0.get_mut(place.0..place.0 + N) {
            room.copy_from_slice(&bytes);
        }
    }

    /// Bytes at an address.
    #[inline]
    pub(crate) fn bytes(&self, address: u32, bytes: u32) -> Outcome<&[u8]> {
        let range = self.range(address, bytes.into())?;
        Ok(&self.0[range])
    }

    /// Bytes at an address, to write to.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, address: u32, bytes: u32) -> Outcome<&mut [u8]> {
        let range = self.range(address, bytes.into())?;
        Ok(&mut self.0[range])
    }

    /// An array of `count` records of `N` bytes, checked as a whole.
    pub(crate) fn records<const N: usize>(&self, address: u32, count: u32) -> Outcome<&[[u8; N]]> {
        let range = self.range(address, u64::from(count) * N as u64)?;
        Ok(self.0[range].as_chunks().0)
    }

    /// Checks that an array of `count` records of `N` bytes could be written.
    pub(crate) fn room<const N: usize>(&self, address: u32, count: u32) -> Outcome {
        self.range(address, u64::from(count) * N as u64).map(drop)
    }

    /// The buffers of a list of `iovec` or `ciovec` (witx: `iovec_array`), each of them checked.
    #[inline]
    pub(crate) fn buffers(&mut self, iovs: u32, count: u32) -> Outcome<Buffers<'_>> {
        // What the core finds beyond the memory was two numbers of the guest: an address, and at most 2³² × 8 bytes.
        Buffers::listed(self.0, iovs as usize, count as usize)
            .map_err(|beyond| Fault::OutOfBounds { address: beyond.offset as u32, bytes: beyond.bytes as u64 })
    }
}
