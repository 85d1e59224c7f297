//! A directory that a guest holds, and every operation that takes a path: what is granted is checked here, on the resolved
//! parent, for the source and for the destination.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::OFlags;

use super::Access;
use super::file::{File, FileFlags};
use super::metadata::{FileKind, HostMetadata, NewTime};
use super::path::GuestPath;
use crate::ErrorCode;
use crate::audit::Audit;
use crate::clocks::Timestamp;
use crate::grants::GrantNames;
use crate::host::files;
use crate::host::resolve::{self, LastName, last_name};

/// A directory. Closed: the host's, or one that only records what is looked for in it.
#[derive(Debug)]
pub enum Directory {
    /// A directory of the host.
    Host(HostDirectory),
    /// The virtual `/` that is handed over last where the user wants to see what a guest looks for: it is empty, nothing can
    /// be made in it, and every path asked of it is recorded.
    Recording,
}

/// A directory of the host.
#[derive(Debug)]
pub struct HostDirectory {
    fd: OwnedFd,
    access: Access,
    /// The grant that it was reached by, for messages.
    grant: u32,
}

/// Who asks, and where refusals are written.
pub struct Request<'a> {
    /// The WASI function: `path_open`.
    pub call: &'static str,
    /// The record of refusals.
    pub audit: &'a mut Audit,
    /// How grants are written.
    pub grants: &'a GrantNames,
}

/// How a path is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenHow {
    /// Follow a symbolic link in the last place.
    pub follow: bool,
    /// Make the file if there is none.
    pub create: bool,
    /// Fail if there is one.
    pub exclusive: bool,
    /// Empty it.
    pub truncate: bool,
    /// Fail if it is no directory.
    pub directory: bool,
    /// To read.
    pub read: bool,
    /// To write.
    pub write: bool,
    /// How writes are done.
    pub flags: FileFlags,
}

/// What was opened.
#[derive(Debug)]
pub enum Opened {
    /// A file.
    File(File),
    /// A directory.
    Directory(Directory),
    /// One of the two, and it did not matter yet which. Asking the kernel costs a quarter of an open, and much of what is
    /// opened is closed again, so that it is asked when the descriptor is first used: [`Unresolved::resolve`].
    Unresolved(Unresolved),
}

/// A descriptor that is a file or a directory.
#[derive(Debug)]
pub struct Unresolved {
    fd: OwnedFd,
    how: OpenHow,
    access: Access,
    grant: u32,
}

impl Unresolved {
    /// Finds out which.
    ///
    /// # Errors
    /// [`ErrorCode::NotPermitted`]: neither, but a block device.
    pub fn resolve(self) -> Result<Opened, (Self, ErrorCode)> {
        // A pipe would say so too, and never gets here: it has no pages.
        if files::has_an_end(self.fd.as_fd()) { Ok(self.into_file()) } else { self.by_its_metadata() }
    }

    fn by_its_metadata(self) -> Result<Opened, (Self, ErrorCode)> {
        match files::stat(self.fd.as_fd()).map(|found| found.kind) {
            Ok(FileKind::RegularFile) => Ok(self.into_file()),
            Ok(FileKind::Directory) => Ok(Opened::Directory(Directory::host(self.fd, self.access, self.grant))),
            Ok(_) => Err((self, ErrorCode::NotPermitted)),
            Err(code) => Err((self, code)),
        }
    }

    fn into_file(self) -> Opened {
        let OpenHow { read, write, truncate, flags, .. } = self.how;
        // What was opened for neither can be read: Preview 1 has no other way to ask for a look at a file.
        let readable = read || !(write || truncate);
        Opened::File(File::host(self.fd, flags, self.access, readable, write))
    }
}

impl Request<'_> {
    /// Records that a path of the host is refused because of where it leads, or what it is.
    fn refuse(&mut self, path: &[u8], grant: u32, why: &'static str) {
        let grant = self.grants.outside(grant, why);
        self.audit.refuse(self.call, path, grant);
    }

    /// Looks at the path, recording one that cannot be inside.
    fn path<'path>(&mut self, directory: &HostDirectory, given: &'path [u8]) -> Result<GuestPath<'path>, ErrorCode> {
        GuestPath::parse(given).inspect_err(|&code| {
            if code == ErrorCode::NotPermitted {
                self.refuse(given, directory.grant, "leads outside");
            }
        })
    }

    /// Records a path that the resolver stopped at the directory's edge.
    fn resolved<T>(
        &mut self,
        directory: &HostDirectory,
        path: &GuestPath<'_>,
        result: Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        if let Err(ErrorCode::NotPermitted) = result {
            self.refuse(path.given(), directory.grant, "leads outside");
        }
        result
    }

    /// Refuses to change anything through a grant that is for reading only.
    fn must_write(&mut self, directory: &HostDirectory, path: &[u8]) -> Result<(), ErrorCode> {
        if directory.access == Access::ReadOnly {
            let grant = self.grants.writable(directory.grant);
            self.audit.refuse(self.call, path, grant);
            return Err(ErrorCode::ReadOnly);
        }
        Ok(())
    }

    /// Records a path looked for outside every grant.
    fn record(&mut self, path: &[u8], changes: bool) {
        let grant = self.grants.for_path(path, changes);
        let mut absolute = Vec::with_capacity(path.len().min(crate::audit::ASKED_BYTES) + 1);
        absolute.push(b'/');
        absolute.extend_from_slice(&path[..path.len().min(crate::audit::ASKED_BYTES)]);
        self.audit.refuse(self.call, &absolute, grant);
    }
}

impl Directory {
    pub(super) const fn host(fd: OwnedFd, access: Access, grant: u32) -> Self {
        Directory::Host(HostDirectory { fd, access, grant })
    }

    /// The directory of the host that an operation acts in, and whether the operation changes anything.
    ///
    /// # Errors
    /// [`ErrorCode::NoEntry`] from the recording one, where there is nothing.
    fn real(&self, request: &mut Request<'_>, path: &[u8], changes: bool) -> Result<&HostDirectory, ErrorCode> {
        match self {
            Directory::Host(directory) => Ok(directory),
            Directory::Recording => {
                request.record(path, changes);
                Err(ErrorCode::NoEntry)
            }
        }
    }

    /// What may be done through it.
    #[must_use]
    pub const fn access(&self) -> Access {
        match self {
            Directory::Host(directory) => directory.access,
            Directory::Recording => Access::ReadOnly,
        }
    }

    /// Opens a file or a directory (`path_open`, `open-at`).
    ///
    /// Opening never blocks, and what is neither a file nor a directory is refused; a block device when it is first used.
    ///
    /// # Errors
    /// [`ErrorCode::ReadOnly`]: to create, truncate or write through a grant for reading only. [`ErrorCode::NotPermitted`]: a
    /// path that leads outside, a FIFO, a device or a socket. Else what the operating system says.
    #[inline]
    pub fn open_at(&self, request: &mut Request<'_>, path: &[u8], how: OpenHow) -> Result<Opened, ErrorCode> {
        let directory = self.real(request, path, how.create || how.truncate || how.write)?;
        let path = request.path(directory, path)?;
        if how.create || how.truncate || how.write {
            request.must_write(directory, path.given())?;
        }
        if how.directory && how.write {
            return Err(ErrorCode::IsDirectory);
        }
        let fd = resolve::open(directory.fd.as_fd(), &path, how.follow, how.host_flags());
        let fd = request.resolved(directory, &path, fd)?;
        if how.directory {
            return Ok(Opened::Directory(directory.child(fd)));
        }
        let opened = Unresolved { fd, how, access: directory.access, grant: directory.grant };
        if files::has_pages(opened.fd.as_fd()) {
            return Ok(Opened::Unresolved(opened));
        }
        opened.by_its_metadata().map_err(|(_, code)| {
            if code == ErrorCode::NotPermitted {
                request.refuse(path.given(), directory.grant, "is neither a file nor a directory");
            }
            code
        })
    }

    /// What the path names (`path_filestat_get`, `stat-at`).
    ///
    /// # Errors
    /// What the operating system says.
    #[inline]
    pub fn stat_at(&self, request: &mut Request<'_>, path: &[u8], follow: bool) -> Result<HostMetadata, ErrorCode> {
        let directory = self.real(request, path, false)?;
        let path = request.path(directory, path)?;
        if let Some(name) = path.single_name() {
            let metadata = files::stat_name(directory.fd.as_fd(), name)?;
            match (metadata.kind, path.must_be_directory()) {
                (FileKind::SymbolicLink, must) if must || follow => {}
                (FileKind::Directory, _) | (_, false) => return Ok(metadata),
                (_, true) => return Err(ErrorCode::NotDirectory),
            }
        }
        let fd = resolve::open(directory.fd.as_fd(), &path, follow, OFlags::PATH);
        files::stat(request.resolved(directory, &path, fd)?.as_fd())
    }

    /// Sets the times of what the path names (`path_filestat_set_times`, `set-times-at`).
    ///
    /// # Errors
    /// [`ErrorCode::ReadOnly`]; else what the operating system says.
    pub fn set_times_at(
        &self,
        request: &mut Request<'_>,
        path: &[u8],
        follow: bool,
        accessed: NewTime,
        modified: NewTime,
    ) -> Result<(), ErrorCode> {
        let directory = self.real(request, path, true)?;
        let path = request.path(directory, path)?;
        request.must_write(directory, path.given())?;
        let fd = resolve::open(directory.fd.as_fd(), &path, follow, OFlags::PATH);
        files::set_times_of_path(request.resolved(directory, &path, fd)?.as_fd(), accessed, modified)
    }

    /// Makes a directory (`path_create_directory`, `create-directory-at`).
    ///
    /// # Errors
    /// [`ErrorCode::ReadOnly`]; else what the operating system says.
    pub fn create_directory_at(&self, request: &mut Request<'_>, path: &[u8]) -> Result<(), ErrorCode> {
        let (_, last) = self.to_change(request, path)?;
        let last = last.ok_or(ErrorCode::Exist)?;
        files::make_directory(last.parent.as_fd(), last.name)
    }

    /// Removes an empty directory (`path_remove_directory`, `remove-directory-at`).
    ///
    /// # Errors
    /// [`ErrorCode::ReadOnly`]; else what the operating system says.
    pub fn remove_directory_at(&self, request: &mut Request<'_>, path: &[u8]) -> Result<(), ErrorCode> {
        let (asked, last) = self.to_change(request, path)?;
        let last = last.ok_or(ErrorCode::Invalid)?;
        // A trailing slash means a directory, and nothing else can be removed here; a link is not followed.
        match files::remove_directory(last.parent.as_fd(), last.name) {
            // But where a link with a slash behind it leads out, that comes first.
            Err(ErrorCode::NotDirectory) if asked.must_be_directory() => match self.stat_at(request, path, true) {
                Err(ErrorCode::NotPermitted) => Err(ErrorCode::NotPermitted),
                _ => Err(ErrorCode::NotDirectory),
            },
            result => result,
        }
    }

    /// Removes a file or a link (`path_unlink_file`, `unlink-file-at`).
    ///
    /// # Errors
    /// [`ErrorCode::ReadOnly`]; [`ErrorCode::IsDirectory`]; [`ErrorCode::NotDirectory`] for a file whose path ends in a slash.
    pub fn unlink_file_at(&self, request: &mut Request<'_>, path: &[u8]) -> Result<(), ErrorCode> {
        let (path, last) = self.to_change(request, path)?;
        let last = last.ok_or(ErrorCode::IsDirectory)?;
        if path.must_be_directory() {
            must_be_directory(&last)?;
            return Err(ErrorCode::IsDirectory);
        }
        files::unlink(last.parent.as_fd(), last.name)
    }

    /// Gives a file, link or directory another name (`path_rename`, `rename-at`).
    ///
    /// # Errors
    /// [`ErrorCode::ReadOnly`] if either side is for reading only; else what the operating system says.
    pub fn rename_at(
        &self,
        request: &mut Request<'_>,
        old_path: &[u8],
        to: &Directory,
        new_path: &[u8],
    ) -> Result<(), ErrorCode> {
        let (old_path, old) = self.to_change(request, old_path)?;
        let (new_path, new) = to.to_change(request, new_path)?;
        let (old, new) = (old.ok_or(ErrorCode::Busy)?, new.ok_or(ErrorCode::Busy)?);
        // A slash at the end of either name says that a directory is meant; the kernel would follow a link there, so it
        // is given the name without, and the question is answered here.
        if old_path.must_be_directory() || new_path.must_be_directory() {
            must_be_directory(&old)?;
        }
        files::rename(old.parent.as_fd(), old.name, new.parent.as_fd(), new.name)
    }

    /// Gives a file a second name (`path_link`, `link-at`); a symbolic link in the last place is linked itself.
    ///
    /// # Errors
    /// [`ErrorCode::ReadOnly`] if either side is for reading only: what can be written under another name is not read-only.
    /// [`ErrorCode::NoEntry`] for a new name with a trailing slash.
    pub fn link_at(
        &self,
        request: &mut Request<'_>,
        old_path: &[u8],
        to: &Directory,
        new_path: &[u8],
    ) -> Result<(), ErrorCode> {
        let (old_path, old) = self.to_change(request, old_path)?;
        let (new_path, new) = to.to_change(request, new_path)?;
        let (old, new) = (old.ok_or(ErrorCode::NotPermitted)?, new.ok_or(ErrorCode::Exist)?);
        if old_path.must_be_directory() {
            must_be_directory(&old)?;
            return Err(ErrorCode::NotPermitted);
        }
        if new_path.must_be_directory() {
            must_be_directory(&new)?;
            return Err(ErrorCode::Exist);
        }
        files::link(old.parent.as_fd(), old.name, new.parent.as_fd(), new.name)
    }

    /// Makes a symbolic link (`path_symlink`, `symlink-at`). Where relative contents lead is checked when it is followed;
    /// absolute ones could never be followed here, and would lead others astray.
    ///
    /// # Errors
    /// [`ErrorCode::ReadOnly`]; [`ErrorCode::NotPermitted`] for absolute contents; [`ErrorCode::NoEntry`] for a name with a
    /// trailing slash, or no contents.
    pub fn symlink_at(&self, request: &mut Request<'_>, contents: &[u8], path: &[u8]) -> Result<(), ErrorCode> {
        let (path, last) = self.to_change(request, path)?;
        if contents.starts_with(b"/") {
            return Err(ErrorCode::NotPermitted);
        }
        let last = last.ok_or(ErrorCode::Exist)?;
        if path.must_be_directory() {
            must_be_directory(&last)?;
            return Err(ErrorCode::Exist);
        }
        files::symlink(contents, last.parent.as_fd(), last.name)
    }

    /// What a symbolic link contains (`path_readlink`, `readlink-at`).
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: it is no link.
    pub fn readlink_at(&self, request: &mut Request<'_>, path: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        let directory = self.real(request, path, false)?;
        let path = request.path(directory, path)?;
        let last = last_name(directory.fd.as_fd(), &path);
        let last = request.resolved(directory, &path, last)?.ok_or(ErrorCode::Invalid)?;
        if path.must_be_directory() {
            // The slash means what the link leads to, and that is a directory or nothing: no link either way.
            must_be_directory(&last)?;
            return Err(ErrorCode::Invalid);
        }
        files::read_link(last.parent.as_fd(), last.name)
    }

    /// What the host says of the directory itself.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn stat(&self) -> Result<HostMetadata, ErrorCode> {
        match self {
            Directory::Host(directory) => files::stat(directory.fd.as_fd()),
            Directory::Recording => Ok(RECORDING),
        }
    }

    /// Sets the directory's own times.
    ///
    /// # Errors
    /// [`ErrorCode::ReadOnly`]; else what the operating system says.
    pub fn set_times(&self, request: &mut Request<'_>, accessed: NewTime, modified: NewTime) -> Result<(), ErrorCode> {
        match self {
            Directory::Host(directory) => {
                request.must_write(directory, b".")?;
                files::set_times(directory.fd.as_fd(), accessed, modified)
            }
            Directory::Recording => Err(ErrorCode::ReadOnly),
        }
    }

    /// The same directory by a descriptor of its own, which has a position of its own for a listing.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn reopen(&self) -> Result<Self, ErrorCode> {
        match self {
            Directory::Host(directory) => Ok(directory.child(files::reopen_directory(directory.fd.as_fd())?)),
            Directory::Recording => Ok(Directory::Recording),
        }
    }

    /// Waits until the directory's entries are on the device.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn sync(&self) -> Result<(), ErrorCode> {
        match self {
            Directory::Host(directory) => files::sync(directory.fd.as_fd()),
            Directory::Recording => Ok(()),
        }
    }

    /// What every operation that changes a name begins with: the path looked at, the grant checked, the parent resolved.
    fn to_change<'fd, 'path>(
        &'fd self,
        request: &mut Request<'_>,
        path: &'path [u8],
    ) -> Result<(GuestPath<'path>, Option<LastName<'fd, 'path>>), ErrorCode> {
        let directory = self.real(request, path, true)?;
        let path = request.path(directory, path)?;
        request.must_write(directory, path.given())?;
        let last = last_name(directory.fd.as_fd(), &path);
        Ok((path, request.resolved(directory, &path, last)?))
    }
}

impl HostDirectory {
    const fn child(&self, fd: OwnedFd) -> Directory {
        Directory::host(fd, self.access, self.grant)
    }

    /// The descriptor, for listings.
    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

/// What the recording directory says of itself.
const RECORDING: HostMetadata = HostMetadata {
    device: 0,
    inode: 0,
    kind: FileKind::Directory,
    links: 1,
    size_bytes: 0,
    accessed: Timestamp { seconds: 0, nanoseconds: 0 },
    modified: Timestamp { seconds: 0, nanoseconds: 0 },
    changed: Timestamp { seconds: 0, nanoseconds: 0 },
};

/// What a trailing slash says of the name before it: [`ErrorCode::NotDirectory`] or [`ErrorCode::NoEntry`] if it is not so.
/// A link is none, wherever it leads: nothing that changes a name follows one.
fn must_be_directory(last: &LastName<'_, '_>) -> Result<(), ErrorCode> {
    match files::stat_name(last.parent.as_fd(), last.name)?.kind {
        FileKind::Directory => Ok(()),
        _ => Err(ErrorCode::NotDirectory),
    }
}

impl OpenHow {
    fn host_flags(&self) -> OFlags {
        if self.directory && !self.create {
            return OFlags::RDONLY | OFlags::DIRECTORY | self.emptying();
        }
        let mut flags = match (self.read, self.write) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            // Emptying is writing, whatever the guest asked to do with the descriptor afterwards.
            (true, false) if self.truncate => OFlags::RDWR,
            (false, false) if self.truncate => OFlags::WRONLY,
            (_, false) => OFlags::RDONLY,
        } | self.emptying();
        // A FIFO would wait for its other end, and so would some devices; files do not know the flag.
        flags |= OFlags::NONBLOCK;
        if self.create {
            flags |= OFlags::CREATE;
        }
        if self.exclusive {
            flags |= OFlags::EXCL;
        }
        if self.directory {
            flags |= OFlags::DIRECTORY;
        }
        flags
    }

    const fn emptying(&self) -> OFlags {
        if self.truncate { OFlags::TRUNC } else { OFlags::empty() }
    }
}
