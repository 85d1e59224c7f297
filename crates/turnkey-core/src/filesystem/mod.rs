//! Files and directories, as WASI means them: opened relative to a directory that was granted, never by a name of the host.

pub mod ahead;
pub mod descriptor;
pub mod directory;
pub mod entries;
pub mod file;
pub mod metadata;
pub mod names;
pub mod path;
pub mod preopen;

pub use descriptor::{Descriptor, DescriptorFlags, OpenFlags};
pub use directory::{Directory, OpenHow, Opened, Request, Unresolved};
pub use entries::{Entries, Entry};
pub use file::{File, FileFlags};
pub use metadata::{FileKind, Inodes, Metadata, NewTime};
pub use path::GuestPath;
pub use preopen::Preopen;

/// What may be done through a descriptor, and through all that is opened from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing is created, written, truncated, allocated, removed, renamed, linked or given times.
    ReadOnly,
    /// All of it may be.
    ReadWrite,
}
