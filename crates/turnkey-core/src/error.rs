//! The one error code of the core, in the words of WASI 0.2, and the one table from the operating system's numbers to it.
//!
//! Each ABI maps it to its own numbers in one exhaustive match, so that a code added here does not compile until every
//! preview has decided what its guests see. `docs/errors.md` is that matrix.

use rustix::io::Errno;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal $(<- $($os:ident)|+)?;)*) => {
        /// Why a call of a guest failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $name,)* }

        impl ErrorCode {
            /// Every code, in the order of the enum.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$name,)*];

            /// The code in WASI's words: `no-entry`.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(ErrorCode::$name => $word,)* }
            }

            /// The numbers of the operating system that this code stands for, by name.
            #[must_use]
            pub const fn os_names(self) -> &'static [&'static str] {
                match self { $(ErrorCode::$name => &[$($(stringify!($os)),+)?],)* }
            }

            fn of(errno: Errno) -> Option<ErrorCode> {
                Some(match errno { $($($(Errno::$os)|+ => ErrorCode::$name,)?)* _ => return None })
            }
        }
    };
}

// A macro, because a code, its word and its numbers on one line is the table; three matches would drift apart.
codes! {
    /// Permission denied by the host's file modes; in the network, by the grants.
    Access = "access" <- ACCESS;
    /// The address is in use.
    AddressInUse = "address-in-use" <- ADDRINUSE;
    /// The address cannot be bound here.
    AddressNotBindable = "address-not-bindable" <- ADDRNOTAVAIL;
    /// The operation is under way already.
    Already = "already" <- ALREADY;
    /// The socket is connected already.
    AlreadyConnected = "already-connected" <- ISCONN;
    /// No such descriptor, or one not open for this.
    BadDescriptor = "bad-descriptor" <- BADF;
    /// The resource is busy.
    Busy = "busy" <- BUSY;
    /// The connection was aborted.
    ConnectionAborted = "connection-aborted" <- CONNABORTED;
    /// The connection was refused.
    ConnectionRefused = "connection-refused" <- CONNREFUSED;
    /// The connection was reset.
    ConnectionReset = "connection-reset" <- CONNRESET;
    /// A rename or link across devices. (`EXDEV` of a path that leaves its directory is [`ErrorCode::NotPermitted`].)
    CrossDevice = "cross-device" <- XDEV;
    /// Waiting would be a deadlock.
    Deadlock = "deadlock" <- DEADLK;
    /// The name exists.
    Exist = "exist" <- EXIST;
    /// The file would be too large.
    FileTooLarge = "file-too-large" <- FBIG;
    /// Bytes that are no name, or no text.
    IllegalByteSequence = "illegal-byte-sequence" <- ILSEQ;
    /// The operation has begun.
    InProgress = "in-progress" <- INPROGRESS;
    /// Not enough memory, or a limit on it.
    InsufficientMemory = "insufficient-memory" <- NOMEM | NOBUFS;
    /// No space left on the device.
    InsufficientSpace = "insufficient-space" <- NOSPC;
    /// Interrupted by a signal.
    Interrupted = "interrupted" <- INTR;
    /// An argument that means nothing.
    Invalid = "invalid" <- INVAL | DOM | RANGE;
    /// The descriptor has no position to move.
    InvalidSeek = "invalid-seek" <- SPIPE;
    /// The socket is not in a state for this.
    InvalidState = "invalid-state";
    /// The device failed.
    Io = "io" <- IO;
    /// A directory where a file is needed.
    IsDirectory = "is-directory" <- ISDIR;
    /// Too many symbolic links, or one that must not be followed.
    Loop = "loop" <- LOOP;
    /// The message is too large.
    MessageSize = "message-size" <- MSGSIZE;
    /// The name is too long.
    NameTooLong = "name-too-long" <- NAMETOOLONG;
    /// The name does not exist, or has no address.
    NameUnresolvable = "name-unresolvable";
    /// No route, or no host at the end of it.
    RemoteUnreachable = "remote-unreachable" <- HOSTUNREACH | HOSTDOWN | NETUNREACH | NETDOWN | NONET;
    /// No such device.
    NoDevice = "no-device" <- NODEV;
    /// No such file or directory.
    NoEntry = "no-entry" <- NOENT | STALE;
    /// No lock to be had.
    NoLock = "no-lock" <- NOLCK;
    /// No such device or address: also a FIFO without a reader, or a socket opened as a file.
    NoSuchDevice = "no-such-device" <- NXIO;
    /// Not a terminal.
    NoTty = "no-tty" <- NOTTY;
    /// The grant does not reach so far: a right that the descriptor does not have.
    NotCapable = "not-capable";
    /// The socket is not connected.
    NotConnected = "not-connected" <- NOTCONN | DESTADDRREQ;
    /// A file where a directory is needed.
    NotDirectory = "not-directory" <- NOTDIR;
    /// The directory is not empty.
    NotEmpty = "not-empty" <- NOTEMPTY;
    /// Nothing of this kind was begun, or it has been finished already.
    NotInProgress = "not-in-progress";
    /// Not permitted; also every path that would leave the directory it started from.
    NotPermitted = "not-permitted" <- PERM;
    /// The state cannot be recovered.
    NotRecoverable = "not-recoverable" <- NOTRECOVERABLE | OWNERDEAD;
    /// Not a socket.
    NotSocket = "not-socket" <- NOTSOCK;
    /// A value does not fit.
    Overflow = "overflow" <- OVERFLOW;
    /// The resolver failed, and will again.
    PermanentResolverFailure = "permanent-resolver-failure";
    /// Nobody reads any more.
    Pipe = "pipe" <- PIPE;
    /// The disk quota is used up.
    Quota = "quota" <- DQUOT;
    /// The grant, or the file system, is for reading only.
    ReadOnly = "read-only" <- ROFS;
    /// The resolver failed, and may not the next time.
    TemporaryResolverFailure = "temporary-resolver-failure";
    /// The program file is in use.
    TextFileBusy = "text-file-busy" <- TXTBSY;
    /// Timed out.
    Timeout = "timeout" <- TIMEDOUT;
    /// As many descriptors are open as the guest, or the host, may have.
    TooManyDescriptors = "too-many-descriptors" <- MFILE | NFILE;
    /// Too many links to the file.
    TooManyLinks = "too-many-links" <- MLINK;
    /// Not supported here.
    Unsupported = "unsupported" <- NOTSUP | NOSYS | AFNOSUPPORT | PROTONOSUPPORT | NOPROTOOPT | PROTOTYPE;
    /// Nothing to be had yet.
    WouldBlock = "would-block" <- AGAIN;
}

impl From<Errno> for ErrorCode {
    /// A number that has no word of its own is [`ErrorCode::Io`]: the operating system failed in a way that no guest can
    /// do anything about.
    fn from(errno: Errno) -> Self {
        ErrorCode::of(errno).unwrap_or(ErrorCode::Io)
    }
}

impl From<std::io::Error> for ErrorCode {
    fn from(error: std::io::Error) -> Self {
        Errno::from_io_error(&error).map_or(ErrorCode::Io, ErrorCode::from)
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_the_same_everywhere() {
        for (errno, code) in [
            (Errno::NOENT, ErrorCode::NoEntry),
            (Errno::AGAIN, ErrorCode::WouldBlock),
            (Errno::ROFS, ErrorCode::ReadOnly),
            (Errno::NOSYS, ErrorCode::Unsupported),
            (Errno::from_raw_os_error(4095), ErrorCode::Io),
        ] {
            assert_eq!(ErrorCode::from(errno), code, "{errno:?}");
        }
    }

    #[test]
    fn words_are_told_apart() {
        let mut words: Vec<_> = ErrorCode::ALL.iter().map(|code| code.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ErrorCode::ALL.len());
    }
}
