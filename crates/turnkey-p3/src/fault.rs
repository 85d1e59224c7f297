//! How a function ends other than well: with a code for the guest, or with the end of the guest.

use turnkey_core::ErrorCode;
use turnkey_core::ending::Stopped;
use turnkey_core::stream::Interruption;

/// How a function ends other than well.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The guest gets a code of the interface's own.
    Code(ErrorCode),
    /// The guest ends: it did what the standard calls a trap, or met a limit.
    Trap(wasmtime::Error),
}

pub(crate) type Outcome<T = ()> = Result<T, Fault>;

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Fault::Code(code)
    }
}

impl From<wasmtime::Error> for Fault {
    fn from(error: wasmtime::Error) -> Self {
        Fault::Trap(error)
    }
}

impl From<Interruption> for Fault {
    fn from(interruption: Interruption) -> Self {
        match interruption {
            Interruption::Failed(code) => Fault::Code(code),
            Interruption::Stopped(limit) => Fault::Trap(Stopped(limit).into()),
        }
    }
}

/// The guest broke a rule of the standard that says "traps".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    /// The function.
    pub call: &'static str,
    /// What it did, in words.
    pub what: &'static str,
}

impl std::fmt::Display for BrokenRule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "`{}`: {}", self.call, self.what)
    }
}

impl std::error::Error for BrokenRule {}
