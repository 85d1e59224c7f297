//! Types of `wasi:filesystem/types`, and how the core's become them.

use turnkey_core::ErrorCode as Code;
use turnkey_core::clocks::Timestamp;
use turnkey_core::filesystem::{FileKind, Metadata, NewTime, descriptor};
use wasmtime::component::{ComponentType, Lift, Lower, flags};

use crate::clocks::Instant;
use crate::error::error_codes;

/// `descriptor-type`
#[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq)]
#[component(variant)]
pub(crate) enum DescriptorType {
    #[component(name = "block-device")]
    BlockDevice,
    #[component(name = "character-device")]
    CharacterDevice,
    #[component(name = "directory")]
    Directory,
    #[component(name = "fifo")]
    Fifo,
    #[component(name = "symbolic-link")]
    SymbolicLink,
    #[component(name = "regular-file")]
    RegularFile,
    #[component(name = "socket")]
    Socket,
    #[component(name = "other")]
    Other(Option<String>),
}

impl From<FileKind> for DescriptorType {
    fn from(kind: FileKind) -> Self {
        match kind {
            FileKind::RegularFile => DescriptorType::RegularFile,
            FileKind::Directory => DescriptorType::Directory,
            FileKind::SymbolicLink => DescriptorType::SymbolicLink,
            FileKind::BlockDevice => DescriptorType::BlockDevice,
            FileKind::CharacterDevice => DescriptorType::CharacterDevice,
            FileKind::Fifo => DescriptorType::Fifo,
            FileKind::Socket => DescriptorType::Socket,
            FileKind::Unknown => DescriptorType::Other(None),
        }
    }
}

flags! {
    DescriptorFlags {
        #[component(name = "read")]
        const READ;
        #[component(name = "write")]
        const WRITE;
        #[component(name = "file-integrity-sync")]
        const FILE_INTEGRITY_SYNC;
        #[component(name = "data-integrity-sync")]
        const DATA_INTEGRITY_SYNC;
        #[component(name = "requested-write-sync")]
        const REQUESTED_WRITE_SYNC;
        #[component(name = "mutate-directory")]
        const MUTATE_DIRECTORY;
    }
}

/// The standard's flags are the core's, by their place.
macro_rules! flags_of_core {
    ($($name:ident { $($flag:ident,)* })*) => {$(
        impl From<$name> for descriptor::$name {
            fn from(flags: $name) -> Self {
                let mut converted = descriptor::$name::empty();
                $(converted.set(descriptor::$name::$flag, (flags & $name::$flag) == $name::$flag);)*
                converted
            }
        }
    )*};
}

flags_of_core! {
    DescriptorFlags {
        READ, WRITE, FILE_INTEGRITY_SYNC, DATA_INTEGRITY_SYNC, REQUESTED_WRITE_SYNC, MUTATE_DIRECTORY,
    }
    OpenFlags { CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE, }
}

impl From<descriptor::DescriptorFlags> for DescriptorFlags {
    fn from(flags: descriptor::DescriptorFlags) -> Self {
        let all = [
            (descriptor::DescriptorFlags::READ, DescriptorFlags::READ),
            (descriptor::DescriptorFlags::WRITE, DescriptorFlags::WRITE),
            (descriptor::DescriptorFlags::FILE_INTEGRITY_SYNC, DescriptorFlags::FILE_INTEGRITY_SYNC),
            (descriptor::DescriptorFlags::DATA_INTEGRITY_SYNC, DescriptorFlags::DATA_INTEGRITY_SYNC),
            (descriptor::DescriptorFlags::REQUESTED_WRITE_SYNC, DescriptorFlags::REQUESTED_WRITE_SYNC),
            (descriptor::DescriptorFlags::MUTATE_DIRECTORY, DescriptorFlags::MUTATE_DIRECTORY),
        ];
        let has = all.into_iter().filter(|(flag, _)| flags.contains(*flag));
        has.fold(DescriptorFlags::default(), |flags, (_, flag)| flags | flag)
    }
}

flags! {
    PathFlags {
        #[component(name = "symlink-follow")]
        const SYMLINK_FOLLOW;
    }
}

flags! {
    OpenFlags {
        #[component(name = "create")]
        const CREATE;
        #[component(name = "directory")]
        const DIRECTORY;
        #[component(name = "exclusive")]
        const EXCLUSIVE;
        #[component(name = "truncate")]
        const TRUNCATE;
    }
}

/// `descriptor-stat`
#[derive(ComponentType, Lower, Clone, Debug)]
#[component(record)]
pub(crate) struct DescriptorStat {
    #[component(name = "type")]
    descriptor_type: DescriptorType,
    #[component(name = "link-count")]
    link_count: u64,
    size: u64,
    #[component(name = "data-access-timestamp")]
    data_access_timestamp: Option<Instant>,
    #[component(name = "data-modification-timestamp")]
    data_modification_timestamp: Option<Instant>,
    #[component(name = "status-change-timestamp")]
    status_change_timestamp: Option<Instant>,
}

impl From<Metadata> for DescriptorStat {
    fn from(metadata: Metadata) -> Self {
        DescriptorStat {
            descriptor_type: metadata.kind.into(),
            link_count: metadata.links,
            size: metadata.size_bytes,
            data_access_timestamp: Some(metadata.accessed.into()),
            data_modification_timestamp: Some(metadata.modified.into()),
            status_change_timestamp: Some(metadata.changed.into()),
        }
    }
}

/// `new-timestamp`
#[derive(ComponentType, Lift, Clone, Copy, Debug)]
#[component(variant)]
pub(crate) enum NewTimestamp {
    #[component(name = "no-change")]
    NoChange,
    #[component(name = "now")]
    Now,
    #[component(name = "timestamp")]
    Timestamp(Instant),
}

impl NewTimestamp {
    /// As the core has it.
    ///
    /// # Errors
    /// [`Code::Invalid`]: a billion nanoseconds or more.
    pub(crate) fn new_time(self) -> Result<NewTime, Code> {
        Ok(match self {
            NewTimestamp::NoChange => NewTime::Keep,
            NewTimestamp::Now => NewTime::Now,
            NewTimestamp::Timestamp(Instant { nanoseconds: 1_000_000_000.., .. }) => return Err(Code::Invalid),
            NewTimestamp::Timestamp(Instant { seconds, nanoseconds }) => {
                NewTime::At(Timestamp { seconds, nanoseconds })
            }
        })
    }
}

/// `directory-entry`
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(record)]
pub(crate) struct DirectoryEntry {
    #[component(name = "type")]
    pub(crate) descriptor_type: DescriptorType,
    pub(crate) name: String,
}

/// `advice`
#[expect(dead_code, reason = "the engine makes them, out of a guest's number")]
#[derive(ComponentType, Lift, Clone, Copy, Debug)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Advice {
    #[component(name = "normal")]
    Normal,
    #[component(name = "sequential")]
    Sequential,
    #[component(name = "random")]
    Random,
    #[component(name = "will-need")]
    WillNeed,
    #[component(name = "dont-need")]
    DontNeed,
    #[component(name = "no-reuse")]
    NoReuse,
}

impl From<Advice> for turnkey_core::host::files::Advice {
    fn from(advice: Advice) -> Self {
        use turnkey_core::host::files::Advice as Host;
        match advice {
            Advice::Normal => Host::Normal,
            Advice::Sequential => Host::Sequential,
            Advice::Random => Host::Random,
            Advice::WillNeed => Host::WillNeed,
            Advice::DontNeed => Host::DontNeed,
            Advice::NoReuse => Host::NoReuse,
        }
    }
}

/// `metadata-hash-value`
#[derive(ComponentType, Lower, Clone, Copy, Debug)]
#[component(record)]
pub(crate) struct MetadataHashValue {
    pub(crate) lower: u64,
    pub(crate) upper: u64,
}

error_codes! {
    /// `error-code` of `wasi:filesystem/types`.
    Access = "access",
    Already = "already",
    BadDescriptor = "bad-descriptor",
    Busy = "busy",
    Deadlock = "deadlock",
    Quota = "quota",
    Exist = "exist",
    FileTooLarge = "file-too-large",
    IllegalByteSequence = "illegal-byte-sequence",
    InProgress = "in-progress",
    Interrupted = "interrupted",
    Invalid = "invalid",
    Io = "io",
    IsDirectory = "is-directory",
    Loop = "loop",
    TooManyLinks = "too-many-links",
    MessageSize = "message-size",
    NameTooLong = "name-too-long",
    NoDevice = "no-device",
    NoEntry = "no-entry",
    NoLock = "no-lock",
    InsufficientMemory = "insufficient-memory",
    InsufficientSpace = "insufficient-space",
    NotDirectory = "not-directory",
    NotEmpty = "not-empty",
    NotRecoverable = "not-recoverable",
    Unsupported = "unsupported",
    NoTty = "no-tty",
    NoSuchDevice = "no-such-device",
    Overflow = "overflow",
    NotPermitted = "not-permitted",
    Pipe = "pipe",
    ReadOnly = "read-only",
    InvalidSeek = "invalid-seek",
    TextFileBusy = "text-file-busy",
    CrossDevice = "cross-device",
}

impl From<Code> for ErrorCode {
    /// A code that the standard has no word for is the nearest that it has; what no file can say is `io`.
    fn from(code: Code) -> Self {
        crate::error::filesystem(code)
    }
}
