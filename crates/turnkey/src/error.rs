//! Why a program does not run at all. How a program that ran ended is an [`Outcome`](crate::Outcome).

use std::path::PathBuf;

use turnkey_core::ErrorCode;
use turnkey_core::grants::GrantError;
use turnkey_core::limits::Limit;

use crate::world::Missing;

/// Why a program does not run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The program's file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        code: ErrorCode,
    },
    /// It is something else; what, in words.
    NotWebAssembly(String),
    /// It is native code, which is loaded only where it is vouched for.
    Precompiled,
    /// It is WebAssembly, but not valid, or uses a proposal that is off; what, in the engine's words.
    Invalid(String),
    /// An artifact cannot be loaded; why.
    Artifact(String),
    /// It imports what nothing provides.
    Missing(Vec<Missing>),
    /// It has not this export, or not as a function; the functions that it has.
    NoExport {
        /// What was asked for.
        name: String,
        /// What there is.
        exports: Vec<String>,
    },
    /// An argument of an export does not fit it.
    Argument(String),
    /// A grant cannot be given.
    Grant(GrantError),
    /// It needs more from the start than a limit allows.
    Limit {
        /// The limit.
        limit: Limit,
        /// What, in words.
        what: String,
    },
    /// The engine was not made for a limit that was set: its flag.
    NotMadeFor(Limit),
    /// The engine failed.
    Engine(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Read { path, code } => write!(formatter, "`{}` cannot be read: {code}", path.display()),
            Error::NotWebAssembly(what) => write!(formatter, "not WebAssembly: {what}"),
            Error::Precompiled => formatter.write_str("precompiled: native code, loaded only where it is vouched for"),
            Error::Invalid(what) => write!(formatter, "not valid: {what}"),
            Error::Artifact(what) => write!(formatter, "not loaded: {what}"),
            Error::Missing(missing) => {
                formatter.write_str("nothing provides ")?;
                for (index, import) in missing.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(formatter, "{comma}`{}`", import.import)?;
                }
                Ok(())
            }
            Error::NoExport { name, .. } => write!(formatter, "no function `{name}` is exported"),
            Error::Argument(what) => formatter.write_str(what),
            Error::Grant(GrantError::Directory { host, code }) => {
                write!(formatter, "the directory `{}` cannot be opened: {code}", host.display())
            }
            Error::Grant(GrantError::Stream { name, code }) => {
                write!(formatter, "{name} cannot be handed over: {code}")
            }
            Error::Grant(GrantError::Descriptors(code)) => {
                write!(formatter, "more is handed over than `--max-descriptors` allows: {code}")
            }
            Error::Limit { limit, what } => write!(formatter, "stopped by `{}`: {what}", limit.flag()),
            Error::NotMadeFor(limit) => write!(formatter, "the engine was not made for `{}`", limit.flag()),
            Error::Engine(what) => write!(formatter, "the engine failed: {what}"),
        }
    }
}

impl std::error::Error for Error {}
