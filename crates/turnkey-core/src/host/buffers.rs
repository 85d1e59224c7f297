//! Ranges of one guest memory, handed to the kernel as they are.
//!
//! The ranges may overlap, since a guest chooses them: so they are kept as addresses, in the form that `readv(2)` and
//! `writev(2)` take, and never become two Rust references at once.

use std::marker::PhantomData;

use smallvec::SmallVec;

/// Ranges that one system call takes at most: Linux's `IOV_MAX`. What a guest gives beyond it is left for its next call.
pub const MOST_RANGES: usize = 1024;

/// A range that is not inside its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds {
    /// Where it begins.
    pub offset: usize,
    /// How long it is.
    pub bytes: usize,
}

/// Bytes of one range in a guest's list: its offset and its length, each a little-endian u32.
pub const PAIR_BYTES: usize = 8;

/// Bytes that are only read, in the form that a call which writes takes.
pub struct ReadOnly<'memory>(Buffers<'memory>);

impl<'memory> ReadOnly<'memory> {
    /// All of these.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'memory [u8]) -> Self {
        let range = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        // What is behind this type is only ever borrowed shared, and a shared `Buffers` is not written to.
        ReadOnly(Buffers {
            start: bytes.as_ptr().cast_mut(),
            memory_bytes: bytes.len(),
            ranges: SmallVec::from_buf_and_len([range; 4], 1),
            bytes: bytes.len(),
            memory: PhantomData,
        })
    }
}

impl<'memory> std::ops::Deref for ReadOnly<'memory> {
    type Target = Buffers<'memory>;

    #[inline]
    fn deref(&self) -> &Buffers<'memory> {
        &self.0
    }
}

/// Ranges of one memory, each inside it.
pub struct Buffers<'memory> {
    start: *mut u8,
    memory_bytes: usize,
    ranges: SmallVec<[libc::iovec; 4]>,
    bytes: usize,
    memory: PhantomData<&'memory mut [u8]>,
}

impl<'memory> Buffers<'memory> {
    /// No ranges yet, of this memory.
    #[inline]
    #[must_use]
    pub fn new(memory: &'memory mut [u8]) -> Self {
        Buffers {
            start: memory.as_mut_ptr(),
            memory_bytes: memory.len(),
            ranges: SmallVec::new(),
            bytes: 0,
            memory: PhantomData,
        }
    }

    /// One range: all of these bytes.
    #[inline]
    #[must_use]
    pub fn whole(memory: &'memory mut [u8]) -> Self {
        let bytes = memory.len();
        let mut buffers = Buffers::new(memory);
        buffers.ranges.push(libc::iovec { iov_base: buffers.start.cast(), iov_len: bytes });
        buffers.bytes = bytes;
        buffers
    }

    /// The ranges that a list in the memory itself names, [`PAIR_BYTES`] each. Beyond [`MOST_RANGES`] they are only checked.
    ///
    /// # Errors
    /// [`OutOfBounds`]: the list, or a range of it, is not inside the memory.
    // Always inline: what it gives back is large, and would be copied.
    #[inline(always)]
    pub fn listed(memory: &'memory mut [u8], list: usize, count: usize) -> Result<Self, OutOfBounds> {
        let list_bytes = count.saturating_mul(PAIR_BYTES);
        if list.checked_add(list_bytes).is_none_or(|end| end > memory.len()) {
            return Err(OutOfBounds { offset: list, bytes: list_bytes });
        }
        let mut buffers = Buffers::new(memory);
        for index in 0..count {
            // SAFETY: the whole list is inside the memory, and nothing but this reads or writes the memory meanwhile.
            let [a, b, c, d, e, f, g, h] =
                unsafe { buffers.start.add(list + index * PAIR_BYTES).cast::<[u8; PAIR_BYTES]>().read() };
            buffers.push(u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize)?;
        }
        Ok(buffers)
    }

    /// Adds a range. Beyond [`MOST_RANGES`] it is only checked.
    ///
    /// # Errors
    /// [`OutOfBounds`]: it is not inside the memory.
    #[inline]
    pub fn push(&mut self, offset: usize, bytes: usize) -> Result<(), OutOfBounds> {
        match offset.checked_add(bytes) {
            Some(end) if end <= self.memory_bytes => {}
            _ => return Err(OutOfBounds { offset, bytes }),
        }
        if self.ranges.len() < MOST_RANGES {
            // SAFETY: offset ≤ memory_bytes, so the address is inside the memory or one past its end.
            let iov_base = unsafe { self.start.add(offset) }.cast();
            self.ranges.push(libc::iovec { iov_base, iov_len: bytes });
            self.bytes = self.bytes.saturating_add(bytes);
        }
        Ok(())
    }

    /// Bytes in all ranges together.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// At most so many bytes, from the front.
    #[must_use]
    pub fn first(&self, most_bytes: usize) -> ReadOnly<'_> {
        let mut left = most_bytes;
        let mut ranges = SmallVec::new();
        for range in &self.ranges {
            if left == 0 {
                break;
            }
            let iov_len = range.iov_len.min(left);
            ranges.push(libc::iovec { iov_base: range.iov_base, iov_len });
            left -= iov_len;
        }
        let Buffers { start, memory_bytes, .. } = *self;
        ReadOnly(Buffers { start, memory_bytes, ranges, bytes: most_bytes - left, memory: PhantomData })
    }

    /// Copies bytes into the ranges; how many there was room for.
    pub fn fill(&mut self, mut bytes: &[u8]) -> usize {
        let given = bytes.len();
        for range in &self.ranges {
            let (now, later) = bytes.split_at(range.iov_len.min(bytes.len()));
            // SAFETY: the range is inside the memory, which nothing else refers to while this is borrowed.
            unsafe { std::ptr::copy_nonoverlapping(now.as_ptr(), range.iov_base.cast::<u8>(), now.len()) };
            bytes = later;
        }
        given - bytes.len()
    }

    /// Appends a copy of the first of the bytes, at most so many; how many.
    pub fn copy_to(&self, to: &mut Vec<u8>, most_bytes: usize) -> usize {
        let before = to.len();
        for range in &self.ranges {
            let bytes = range.iov_len.min(most_bytes - (to.len() - before));
            // SAFETY: the range is inside the memory, which nothing writes to while this is borrowed.
            to.extend_from_slice(unsafe { std::slice::from_raw_parts(range.iov_base.cast::<u8>(), bytes) });
        }
        to.len() - before
    }

    /// The bytes, where there is one range: most calls have one, and the kernel has a shorter way for it.
    #[inline]
    pub(super) fn as_single(&self) -> Option<&[u8]> {
        let [range] = self.ranges.as_slice() else {
            return None;
        };
        // SAFETY: the range is inside the memory that is borrowed for as long as this is, and nothing else refers to it.
        Some(unsafe { std::slice::from_raw_parts(range.iov_base.cast::<u8>(), range.iov_len) })
    }

    /// The same, to be written to.
    #[inline]
    pub(super) fn as_single_mut(&mut self) -> Option<&mut [u8]> {
        let [range] = self.ranges.as_slice() else {
            return None;
        };
        // SAFETY: as for `as_single`, and this borrow is the only one.
        Some(unsafe { std::slice::from_raw_parts_mut(range.iov_base.cast::<u8>(), range.iov_len) })
    }

    #[inline]
    pub(super) fn as_iovecs(&self) -> &[libc::iovec] {
        &self.ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_beyond_the_memory_is_refused_whatever_its_numbers() {
        let mut memory = [0; 16];
        let mut buffers = Buffers::new(&mut memory);
        for (offset, bytes, inside) in [
            (0, 16, true),
            (16, 0, true),
            (16, 1, false),
            (17, 0, false),
            (1, usize::MAX, false),
            (usize::MAX, 1, false),
        ] {
            assert_eq!(buffers.push(offset, bytes).is_ok(), inside, "{offset}+{bytes}");
        }
        assert_eq!(buffers.bytes(), 16);
    }

    #[test]
    fn the_first_bytes_are_cut_inside_a_range_and_without_the_rest() {
        let mut memory = [0; 16];
        let mut buffers = Buffers::new(&mut memory);
        for _ in 0..3 {
            buffers.push(0, 10).unwrap();
        }
        let first = buffers.first(15);
        assert_eq!((first.bytes(), first.as_iovecs().len()), (15, 2));
        assert_eq!(first.first(100).bytes(), 15);
    }
}
