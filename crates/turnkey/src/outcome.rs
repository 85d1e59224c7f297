//! How a guest ended, and what was refused to it.

use turnkey_core::audit::Refusal;
use turnkey_core::limits::Limit;

/// How a guest that ran ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub exit: Exit,
    /// The last limit that it met, whether or not that ended it.
    pub met: Option<Limit>,
    /// What was refused to it, each kind once.
    pub refusals: Vec<Refusal>,
    /// Refusals that came when there was no more room to remember them.
    pub refusals_dropped: u64,
    /// What the function gave back, where one was called by name, each value in words.
    pub results: Vec<String>,
}

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status; 0 where it gave none.
    Status(u32),
    /// A limit ended it.
    Stopped(Limit),
    /// It did what WebAssembly does not allow.
    Trapped(Trapped),
}

/// A trap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trapped {
    /// What it did, in words.
    pub message: String,
    /// The functions that it was in, the innermost first, one a line; empty if it was in none. Names are the guest's.
    pub backtrace: Vec<String>,
}
