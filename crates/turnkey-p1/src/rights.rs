//! `rights` of `typenames.witx`.
//!
//! A descriptor's rights say what it can do: they follow from what it is, what it was opened for, and what was granted. A
//! guest can give rights up (`fd_fdstat_set_rights`) and gets none back; what a directory inherits bounds what is opened
//! through it. The rights that a guest asks for when it opens something only say whether it wants to read and to write: see
//! RATIONALE.

use turnkey_core::filesystem::{Access, FileKind};

bitflags::bitflags! {
    /// What may be done through a descriptor.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Rights: u64 {
        const FD_DATASYNC = 1 << 0;
        const FD_READ = 1 << 1;
        const FD_SEEK = 1 << 2;
        const FD_FDSTAT_SET_FLAGS = 1 << 3;
        const FD_SYNC = 1 << 4;
        const FD_TELL = 1 << 5;
        const FD_WRITE = 1 << 6;
        const FD_ADVISE = 1 << 7;
        const FD_ALLOCATE = 1 << 8;
        const PATH_CREATE_DIRECTORY = 1 << 9;
        const PATH_CREATE_FILE = 1 << 10;
        const PATH_LINK_SOURCE = 1 << 11;
        const PATH_LINK_TARGET = 1 << 12;
        const PATH_OPEN = 1 << 13;
        const FD_READDIR = 1 << 14;
        const PATH_READLINK = 1 << 15;
        const PATH_RENAME_SOURCE = 1 << 16;
        const PATH_RENAME_TARGET = 1 << 17;
        const PATH_FILESTAT_GET = 1 << 18;
        const PATH_FILESTAT_SET_SIZE = 1 << 19;
        const PATH_FILESTAT_SET_TIMES = 1 << 20;
        const FD_FILESTAT_GET = 1 << 21;
        const FD_FILESTAT_SET_SIZE = 1 << 22;
        const FD_FILESTAT_SET_TIMES = 1 << 23;
        const PATH_SYMLINK = 1 << 24;
        const PATH_REMOVE_DIRECTORY = 1 << 25;
        const PATH_UNLINK_FILE = 1 << 26;
        const POLL_FD_READWRITE = 1 << 27;
        const SOCK_SHUTDOWN = 1 << 28;
        const SOCK_ACCEPT = 1 << 29;
    }
}

impl Rights {
    /// Asking for one of these is asking to read.
    pub(crate) const READING: Rights = Rights::FD_READ.union(Rights::FD_READDIR);

    /// Asking for one of these is asking to write.
    pub(crate) const WRITING: Rights = Rights::FD_WRITE.union(Rights::FD_ALLOCATE).union(Rights::FD_FILESTAT_SET_SIZE);

    /// What a grant for reading only takes away.
    const CHANGING: Rights = Rights::WRITING
        .union(Rights::FD_FILESTAT_SET_TIMES)
        .union(Rights::PATH_CREATE_DIRECTORY)
        .union(Rights::PATH_CREATE_FILE)
        .union(Rights::PATH_LINK_SOURCE)
        .union(Rights::PATH_LINK_TARGET)
        .union(Rights::PATH_RENAME_SOURCE)
        .union(Rights::PATH_RENAME_TARGET)
        .union(Rights::PATH_FILESTAT_SET_SIZE)
        .union(Rights::PATH_FILESTAT_SET_TIMES)
        .union(Rights::PATH_SYMLINK)
        .union(Rights::PATH_REMOVE_DIRECTORY)
        .union(Rights::PATH_UNLINK_FILE);

    /// All that a file can do.
    const FILE: Rights = Rights::FD_DATASYNC
        .union(Rights::FD_READ)
        .union(Rights::FD_SEEK)
        .union(Rights::FD_FDSTAT_SET_FLAGS)
        .union(Rights::FD_SYNC)
        .union(Rights::FD_TELL)
        .union(Rights::FD_WRITE)
        .union(Rights::FD_ADVISE)
        .union(Rights::FD_ALLOCATE)
        .union(Rights::FD_FILESTAT_GET)
        .union(Rights::FD_FILESTAT_SET_SIZE)
        .union(Rights::FD_FILESTAT_SET_TIMES)
        .union(Rights::POLL_FD_READWRITE);

    /// All that a directory can do.
    const DIRECTORY: Rights = Rights::CHANGING
        .difference(Rights::WRITING)
        .union(Rights::FD_FDSTAT_SET_FLAGS)
        .union(Rights::FD_SYNC)
        .union(Rights::FD_DATASYNC)
        .union(Rights::PATH_OPEN)
        .union(Rights::FD_READDIR)
        .union(Rights::PATH_READLINK)
        .union(Rights::PATH_FILESTAT_GET)
        .union(Rights::FD_FILESTAT_GET);

    /// Of a file opened like this.
    pub(crate) fn of_file(access: Access, (readable, writable): (bool, bool)) -> Rights {
        let mut rights = Rights::FILE.granted(access);
        if !readable {
            rights -= Rights::FD_READ;
        }
        if !writable {
            rights -= Rights::WRITING;
        }
        rights
    }

    /// Of a directory.
    pub(crate) fn of_directory(access: Access) -> Rights {
        Rights::DIRECTORY.granted(access)
    }

    /// What is opened through a directory can have at most these.
    pub(crate) fn inherited(access: Access) -> Rights {
        Rights::FILE.union(Rights::DIRECTORY).granted(access)
    }

    /// Of a standard stream. A device that is no terminal has the rights to seek and tell, whether or not it can: that is
    /// how wasi-libc tells the two apart (`isatty`).
    pub(crate) fn of_stream(direction: Rights, kind: FileKind, terminal: bool) -> Rights {
        let mut rights = direction
            | Rights::FD_FDSTAT_SET_FLAGS
            | Rights::FD_FILESTAT_GET
            | Rights::POLL_FD_READWRITE
            | Rights::FD_SYNC
            | Rights::FD_DATASYNC;
        let seekable = matches!(kind, FileKind::RegularFile | FileKind::CharacterDevice) && !terminal;
        rights.set(Rights::FD_SEEK | Rights::FD_TELL, seekable);
        rights
    }

    /// Of a listening socket.
    pub(crate) fn of_listener() -> Rights {
        Rights::SOCK_ACCEPT | Rights::POLL_FD_READWRITE | Rights::FD_FDSTAT_SET_FLAGS | Rights::FD_FILESTAT_GET
    }

    /// Of a connection.
    pub(crate) fn of_connection() -> Rights {
        Rights::FD_READ
            | Rights::FD_WRITE
            | Rights::SOCK_SHUTDOWN
            | Rights::POLL_FD_READWRITE
            | Rights::FD_FDSTAT_SET_FLAGS
            | Rights::FD_FILESTAT_GET
    }

    fn granted(self, access: Access) -> Rights {
        match access {
            Access::ReadWrite => self,
            Access::ReadOnly => self - Rights::CHANGING,
        }
    }
}
