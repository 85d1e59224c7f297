//! The statuses that Turnkey itself gives. Every other is the guest's own.

/// What was typed means nothing.
pub(crate) const USAGE: u8 = 2;
/// A limit stopped the guest.
pub(crate) const STOPPED: u8 = 124;
/// Turnkey failed, or a grant cannot be given.
pub(crate) const FAILED: u8 = 125;
/// The program cannot run here.
pub(crate) const CANNOT_RUN: u8 = 126;
/// There is no such file.
pub(crate) const NOT_FOUND: u8 = 127;
/// The guest trapped: what a shell says of `SIGABRT`.
pub(crate) const TRAPPED: u8 = 134;

/// A guest's status as a process can give it. One that does not fit is still no success.
pub(crate) fn of_guest(status: u32) -> u8 {
    u8::try_from(status).unwrap_or(u8::MAX)
}
