//! How a call ends other than well: with an errno, or with the end of the guest.

use turnkey_core::ErrorCode;
pub use turnkey_core::ending::{Exit, Stopped};
use turnkey_core::limits::Limit;
use turnkey_core::stream::Interruption;

/// A pointer of the guest leads beyond its memory: a trap, as for a load or a store of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds {
    /// The function that it was given to.
    pub call: &'static str,
    /// The address.
    pub address: u32,
    /// Bytes that should have been there.
    pub bytes: u64,
    /// Bytes that the memory has.
    pub memory_bytes: u64,
}

impl std::fmt::Display for OutOfBounds {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let OutOfBounds { call, address, bytes, memory_bytes } = self;
        write!(formatter, "`{call}` was given {bytes} bytes at {address:#x}, beyond the memory of {memory_bytes} bytes")
    }
}

impl std::error::Error for OutOfBounds {}

/// How a function ends other than well.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The guest gets an errno.
    Code(ErrorCode),
    /// A pointer led beyond the memory.
    OutOfBounds { address: u32, bytes: u64 },
    /// The guest ends.
    Exit(u32),
    /// The guest is ended.
    Stopped(Limit),
}

pub(crate) type Outcome<T = ()> = Result<T, Fault>;

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Fault::Code(code)
    }
}

impl From<Interruption> for Fault {
    fn from(interruption: Interruption) -> Self {
        match interruption {
            Interruption::Failed(code) => Fault::Code(code),
            Interruption::Stopped(limit) => Fault::Stopped(limit),
        }
    }
}
