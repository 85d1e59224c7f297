//! `descriptor` of `wasi:filesystem/types`, as Preview 2 and Preview 3 both have it: a file or a directory, with the flags
//! that it was opened with.

use std::sync::Arc;

use super::{Access, Directory, File, FileFlags, OpenHow, Opened, Request, Unresolved};
use crate::ErrorCode;
use crate::filesystem::metadata::HostMetadata;

bitflags::bitflags! {
    /// `descriptor-flags`, in the standard's order.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct DescriptorFlags: u8 {
        /// `read`
        const READ = 1;
        /// `write`
        const WRITE = 1 << 1;
        /// `file-integrity-sync`
        const FILE_INTEGRITY_SYNC = 1 << 2;
        /// `data-integrity-sync`
        const DATA_INTEGRITY_SYNC = 1 << 3;
        /// `requested-write-sync`
        const REQUESTED_WRITE_SYNC = 1 << 4;
        /// `mutate-directory`
        const MUTATE_DIRECTORY = 1 << 5;
    }
}

bitflags::bitflags! {
    /// `open-flags`, in the standard's order.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct OpenFlags: u8 {
        /// `create`
        const CREATE = 1;
        /// `directory`
        const DIRECTORY = 1 << 1;
        /// `exclusive`
        const EXCLUSIVE = 1 << 2;
        /// `truncate`
        const TRUNCATE = 1 << 3;
    }
}

/// `descriptor`
#[derive(Debug)]
pub struct Descriptor {
    kind: Kind,
    flags: DescriptorFlags,
}

/// What stands behind a descriptor. Streams share it.
#[derive(Debug)]
enum Kind {
    File(Arc<File>),
    Directory(Arc<Directory>),
    /// A file or a directory: it is found out when it is first used. `None` only meanwhile.
    Unresolved(Option<Unresolved>),
}

impl Descriptor {
    /// Of a directory that the guest finds open.
    #[must_use]
    pub fn of_preopen(directory: Arc<Directory>) -> Self {
        let mutable = directory.access() == Access::ReadWrite;
        let flags = if mutable { DescriptorFlags::MUTATE_DIRECTORY } else { DescriptorFlags::empty() };
        Descriptor { flags: DescriptorFlags::READ | flags, kind: Kind::Directory(directory) }
    }

    /// Finds out what it is, where that was left open.
    ///
    /// # Errors
    /// As [`Unresolved::resolve`].
    #[inline]
    fn resolve(&mut self) -> Result<(), ErrorCode> {
        if let Kind::Unresolved(unresolved) = &mut self.kind {
            let found = match unresolved.take().ok_or(ErrorCode::BadDescriptor)?.resolve() {
                Ok(Opened::File(file)) => Kind::File(Arc::new(file)),
                Ok(Opened::Directory(directory)) => {
                    self.flags = directory_flags(self.flags, directory.access());
                    Kind::Directory(Arc::new(directory))
                }
                Ok(Opened::Unresolved(still)) => Kind::Unresolved(Some(still)),
                Err((still, code)) => {
                    *unresolved = Some(still);
                    return Err(code);
                }
            };
            self.kind = found;
        }
        Ok(())
    }

    /// The file behind it.
    ///
    /// # Errors
    /// [`ErrorCode::IsDirectory`]; or it was not opened for this: [`ErrorCode::BadDescriptor`].
    #[inline]
    pub fn as_file(&mut self, flags: DescriptorFlags) -> Result<&Arc<File>, ErrorCode> {
        self.resolve()?;
        match &self.kind {
            Kind::File(_) if !self.flags.contains(flags) => Err(ErrorCode::BadDescriptor),
            Kind::File(file) => Ok(file),
            Kind::Directory(_) => Err(ErrorCode::IsDirectory),
            Kind::Unresolved(_) => Err(ErrorCode::BadDescriptor),
        }
    }

    /// The directory behind it.
    ///
    /// # Errors
    /// [`ErrorCode::NotDirectory`]
    #[inline]
    pub fn as_directory(&mut self) -> Result<&Arc<Directory>, ErrorCode> {
        self.resolve()?;
        match &self.kind {
            Kind::Directory(directory) => Ok(directory),
            _ => Err(ErrorCode::NotDirectory),
        }
    }

    /// The file behind it, if it is known to be one: for whoever drops it.
    #[must_use]
    pub fn into_file(self) -> Option<Arc<File>> {
        match self.kind {
            Kind::File(file) => Some(file),
            _ => None,
        }
    }

    /// `get-type`: whether it is a directory; else it is a file.
    ///
    /// # Errors
    /// As [`Unresolved::resolve`].
    pub fn is_directory(&mut self) -> Result<bool, ErrorCode> {
        self.resolve()?;
        Ok(matches!(self.kind, Kind::Directory(_)))
    }

    /// `get-flags`
    ///
    /// # Errors
    /// As [`Unresolved::resolve`].
    pub fn flags(&mut self) -> Result<DescriptorFlags, ErrorCode> {
        self.resolve()?;
        Ok(self.flags)
    }

    /// `stat`
    ///
    /// # Errors
    /// What the operating system says.
    pub fn stat(&mut self) -> Result<HostMetadata, ErrorCode> {
        self.resolve()?;
        match &self.kind {
            Kind::File(file) => file.stat(),
            Kind::Directory(directory) => directory.stat(),
            Kind::Unresolved(_) => Err(ErrorCode::BadDescriptor),
        }
    }

    /// `sync`, or `sync-data`
    ///
    /// # Errors
    /// What the operating system says.
    pub fn sync(&mut self, data_only: bool) -> Result<(), ErrorCode> {
        self.resolve()?;
        match &self.kind {
            Kind::File(file) if data_only => file.sync_data(),
            Kind::File(file) => file.sync(),
            Kind::Directory(directory) => directory.sync(),
            Kind::Unresolved(_) => Err(ErrorCode::BadDescriptor),
        }
    }
}

/// `open-at`
///
/// # Errors
/// As [`Directory::open_at`].
pub fn open_at(
    directory: &Directory,
    request: &mut Request<'_>,
    path: &[u8],
    follow: bool,
    open_flags: OpenFlags,
    flags: DescriptorFlags,
) -> Result<Descriptor, ErrorCode> {
    let how = OpenHow {
        follow,
        create: open_flags.contains(OpenFlags::CREATE),
        exclusive: open_flags.contains(OpenFlags::EXCLUSIVE),
        truncate: open_flags.contains(OpenFlags::TRUNCATE),
        directory: open_flags.contains(OpenFlags::DIRECTORY),
        read: flags.contains(DescriptorFlags::READ),
        write: flags.contains(DescriptorFlags::WRITE),
        flags: FileFlags {
            append: false,
            data_sync: flags.contains(DescriptorFlags::DATA_INTEGRITY_SYNC),
            // Reads that see synchronised data are written like that on Linux.
            sync: flags.intersects(DescriptorFlags::FILE_INTEGRITY_SYNC | DescriptorFlags::REQUESTED_WRITE_SYNC),
        },
    };
    Ok(match directory.open_at(request, path, how)? {
        Opened::File(file) => Descriptor { kind: Kind::File(Arc::new(file)), flags },
        Opened::Directory(directory) => {
            let flags = directory_flags(flags, directory.access());
            Descriptor { kind: Kind::Directory(Arc::new(directory)), flags }
        }
        Opened::Unresolved(unresolved) => Descriptor { kind: Kind::Unresolved(Some(unresolved)), flags },
    })
}

/// A directory that was asked for to be changed, through a grant that does not allow it, says so.
fn directory_flags(asked: DescriptorFlags, access: Access) -> DescriptorFlags {
    if access == Access::ReadWrite { asked } else { asked - DescriptorFlags::MUTATE_DIRECTORY }
}
