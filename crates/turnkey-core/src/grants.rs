//! What is handed over to a guest: how it is written, what it means, and how it is named when something was refused.

use std::borrow::Cow;
use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ErrorCode;
use crate::clocks::ClockGrant;
use crate::filesystem::Access;
use crate::random::RandomGrant;
use crate::sockets::{NetworkGrants, TcpListener};
use crate::stream::StreamGrant;

/// Everything that one guest is given. [`Grants::default`] is nothing at all: no directory, no variable, no stream.
#[derive(Debug, Default)]
pub struct Grants {
    /// The program's arguments, its own name first.
    pub arguments: Vec<Vec<u8>>,
    /// Environment variables, each as `NAME=VALUE`.
    pub variables: Vec<Vec<u8>>,
    /// Directories, in the order in which the guest finds them.
    pub directories: Vec<DirectoryGrant>,
    /// Listening sockets, which the host opened.
    pub tcp_listeners: Vec<TcpListener>,
    /// Sockets and look-ups.
    pub network: NetworkGrants,
    /// Names of hosts, and what each stands for: answered without anybody being asked. A look-up still needs its grant.
    pub hosts: Vec<(String, IpAddr)>,
    /// Standard input.
    pub stdin: StreamGrant,
    /// Standard output.
    pub stdout: StreamGrant,
    /// Standard error.
    pub stderr: StreamGrant,
    /// Clocks.
    pub clock: ClockGrant,
    /// Random numbers.
    pub random: RandomGrant,
    /// Listings are sorted, and inode numbers counted: the same run twice is the same to the byte.
    pub deterministic_files: bool,
    /// A virtual `/` is handed over last, which records what is looked for in it.
    pub record_paths: bool,
}

/// A directory of the host, under a name of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryGrant {
    /// The directory of the host.
    pub host: PathBuf,
    /// What the guest calls it.
    pub guest: Vec<u8>,
    /// What it may be used for.
    pub access: Access,
}

impl DirectoryGrant {
    /// From `HOST` or `HOST::GUEST`, as `--dir` and `--ro-dir` are written. GUEST is HOST as written when left out.
    ///
    /// # Errors
    /// One side is empty.
    pub fn parse(written: &std::ffi::OsStr, access: Access) -> Result<Self, &'static str> {
        let bytes = written.as_bytes();
        let (host, guest) = match bytes.windows(2).position(|pair| pair == b"::") {
            Some(at) => (&bytes[..at], &bytes[at + 2..]),
            None => (bytes, bytes),
        };
        match (host.is_empty(), guest.is_empty()) {
            (true, _) => Err("no directory of the host is named"),
            (_, true) => Err("no name for the guest follows `::`"),
            _ => Ok(DirectoryGrant {
                host: PathBuf::from(std::ffi::OsString::from_vec(host.to_vec())),
                guest: guest.to_vec(),
                access,
            }),
        }
    }
}

/// A grant that cannot be given.
#[derive(Debug)]
pub enum GrantError {
    /// No such directory, or not one that may be opened.
    Directory {
        /// As written.
        host: PathBuf,
        /// Why.
        code: ErrorCode,
    },
    /// A standard stream cannot be handed over.
    Stream {
        /// `stdin`, `stdout` or `stderr`.
        name: &'static str,
        /// Why.
        code: ErrorCode,
    },
    /// More is handed over than the guest may have open.
    Descriptors(ErrorCode),
}

/// How the grants of one guest are written, for messages about what they did not allow.
#[derive(Clone, Debug, Default)]
pub struct GrantNames(Arc<[DirectoryGrant]>);

impl GrantNames {
    pub(crate) fn new(directories: &[DirectoryGrant]) -> Self {
        GrantNames(directories.into())
    }

    /// The flag that makes a read-only grant writable.
    pub(crate) fn writable(&self, grant: u32) -> Cow<'static, str> {
        self.0.get(grant as usize).map_or(Cow::Borrowed("--dir"), |grant| {
            let guest = String::from_utf8_lossy(&grant.guest);
            let host = grant.host.display().to_string();
            Cow::Owned(if host == guest { format!("--dir {host}") } else { format!("--dir {host}::{guest}") })
        })
    }

    /// Why a path of this grant is refused, where no flag would allow it as asked.
    pub(crate) fn outside(&self, grant: u32, why: &'static str) -> Cow<'static, str> {
        self.0.get(grant as usize).map_or(Cow::Borrowed(why), |grant| {
            Cow::Owned(format!("none: {why} of `{}`", String::from_utf8_lossy(&grant.guest)))
        })
    }

    /// The flag that would hand over the directory of a path that no grant covers; the path is without its first slash.
    pub(crate) fn for_path(&self, path: &[u8], changes: bool) -> Cow<'static, str> {
        let flag = if changes { "--dir" } else { "--ro-dir" };
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        match path.parent().map(|parent| parent.display().to_string()) {
            Some(parent) if !parent.is_empty() => Cow::Owned(format!("{flag} /{parent}")),
            // A relative path comes as one below `/`, where wasi-libc begins: nobody should hand over the whole host for it.
            _ => Cow::Owned(format!("{flag} .::/")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn a_directory_is_written_as_host_and_guest() {
        for (written, host, guest) in
            [("data", "data", "data"), ("./a::/b", "./a", "/b"), ("a::b::c", "a", "b::c"), ("a:b", "a:b", "a:b")]
        {
            let grant = DirectoryGrant::parse(OsStr::new(written), Access::ReadOnly).unwrap();
            assert_eq!((grant.host.as_path(), grant.guest.as_slice()), (Path::new(host), guest.as_bytes()));
        }
        assert!(DirectoryGrant::parse(OsStr::new("::/b"), Access::ReadOnly).is_err());
        assert!(DirectoryGrant::parse(OsStr::new("a::"), Access::ReadOnly).is_err());
    }
}
