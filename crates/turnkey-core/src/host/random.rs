//! The operating system's randomness.

use rustix::rand::{GetRandomFlags, getrandom};

/// Fills the buffer from the kernel's generator.
pub(crate) fn fill(mut buffer: &mut [u8]) {
    while !buffer.is_empty() {
        // An interrupted call is made again; there is no other error once the pool has been seeded.
        if let Ok(filled) = getrandom(&mut *buffer, GetRandomFlags::empty()) {
            buffer = &mut buffer[filled..];
        }
    }
}
