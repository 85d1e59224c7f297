//! Interfaces of components, as lists of them say: each with what it needs, whichever preview has it.

/// What an interface needs a grant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Uses {
    /// Arguments and variables: `--env`.
    Environment,
    /// Clocks.
    Clocks,
    /// Files and directories: `--dir`, `--ro-dir`.
    Directories,
    /// Its own end.
    Process,
    /// Random numbers.
    Random,
    /// Sockets and names: `--allow`.
    Network,
    /// Standard streams.
    Streams,
    /// Nothing but what it has already.
    Nothing,
}

/// An interface of a preview.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name, without the version: `wasi:io/streams`.
    pub name: &'static str,
    /// What it needs.
    pub uses: Uses,
    /// What is worth knowing; empty where it does what the standard says and nothing else.
    pub note: &'static str,
}

/// A row of a list.
#[must_use]
pub const fn row(name: &'static str, uses: Uses, note: &'static str) -> Row {
    Row { name, uses, note }
}
