//! Operations on paths: `path_create_directory`, `path_filestat_get`, `path_filestat_set_times`, `path_link`, `path_open`,
//! `path_readlink`, `path_remove_directory`, `path_rename`, `path_symlink`, `path_unlink_file`.
//!
//! A path is bytes in the guest's memory. What it may reach is decided by [`turnkey_core::filesystem::Directory`] alone.

use turnkey_core::ErrorCode;
use turnkey_core::filesystem::{Access, Directory, Metadata, OpenHow, Request};

use crate::call::Call;
use crate::fault::Outcome;
use crate::fd_state::new_times;
use crate::fds::{Descriptor, Descriptors, FdFlags};
use crate::layout::filestat;
use crate::memory::Place;
use crate::rights::Rights;

/// `lookupflags`.
///
/// # Errors
/// [`ErrorCode::Invalid`]: a bit that means nothing.
const fn follow(lookupflags: u32) -> Result<bool, ErrorCode> {
    match lookupflags {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(ErrorCode::Invalid),
    }
}

/// `oflags`: creat 1, directory 2, excl 4, trunc 8.
fn oflags(bits: u32) -> Result<OpenHow, ErrorCode> {
    if bits > 0b1111 {
        return Err(ErrorCode::Invalid);
    }
    Ok(OpenHow {
        create: bits & 1 != 0,
        directory: bits & 2 != 0,
        exclusive: bits & 4 != 0,
        truncate: bits & 8 != 0,
        ..OpenHow::default()
    })
}

#[inline]
fn directory(fds: &mut Descriptors, fd: u32, rights: Rights) -> Result<&Directory, ErrorCode> {
    Ok(&fds.get(fd)?.as_directory(rights)?.directory)
}

/// Opens a file or a directory.
///
/// # Errors
/// [`ErrorCode::NotCapable`]: the guest has given up what this needs; else as [`Directory::open_at`].
///
/// # Differs
/// The rights asked for say only whether to read and to write, in every host that programs of today are tried on; the
/// descriptor's own follow from that. See RATIONALE.
#[inline]
#[expect(clippy::too_many_arguments, reason = "as many as the standard gives it")]
pub(crate) fn path_open(
    call: &mut Call<'_>,
    fd: u32,
    dirflags: u32,
    path: u32,
    path_len: u32,
    open_flags: u32,
    rights_base: u64,
    _rights_inheriting: u64,
    fdflags: u32,
    opened_fd: u32,
) -> Outcome {
    let place: Place<4> = call.memory.place(opened_fd)?;
    let path = call.memory.bytes(path, path_len)?;
    let fdflags = FdFlags::parse(fdflags)?;
    let wanted = Rights::from_bits_truncate(rights_base);
    let how = OpenHow {
        follow: follow(dirflags)?,
        read: wanted.intersects(Rights::READING),
        write: wanted.intersects(Rights::WRITING),
        flags: fdflags.file_flags(),
        ..oflags(open_flags)?
    };
    let mut rights = Rights::empty();
    rights.set(Rights::PATH_CREATE_FILE, how.create);
    rights.set(Rights::PATH_FILESTAT_SET_SIZE, how.truncate);
    call.fds.resolve(fd)?;
    let within = call.fds.resolved(fd)?;
    let directory = &within.as_directory(Rights::PATH_OPEN)?.directory;
    let (access, inherited) = (directory.access(), within.inheriting);
    // A grant for reading only answers for itself, with `read-only`; here it is what the guest gave up.
    if access == Access::ReadWrite {
        within.must(rights)?;
        if how.write && !inherited.contains(Rights::FD_WRITE) {
            return Err(ErrorCode::NotCapable.into());
        }
    }
    if how.read && !inherited.contains(Rights::FD_READ) {
        return Err(ErrorCode::NotCapable.into());
    }
    call.fds.must_have_room(call.host)?;
    let mut request = Request { call: call.name, audit: &mut call.host.audit, grants: &call.host.grant_names };
    let nonblocking = fdflags.contains(FdFlags::NONBLOCK);
    let opened = directory.open_at(&mut request, path, how)?;
    let number = call.fds.insert(Descriptor::opened(opened, access, inherited, nonblocking), call.host)?;
    call.memory.put(place, number.to_le_bytes());
    Ok(())
}

#[inline]
pub(crate) fn path_filestat_get(
    call: &mut Call<'_>,
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    buf: u32,
) -> Outcome {
    let place = call.memory.place(buf)?;
    let metadata = metadata(call, fd, flags, path, path_len)?;
    call.memory.put(place, filestat(&metadata));
    Ok(())
}

/// What `path_filestat_get` tells, for either layout.
#[inline]
pub(crate) fn metadata(call: &mut Call<'_>, fd: u32, flags: u32, path: u32, path_len: u32) -> Outcome<Metadata> {
    let path = call.memory.bytes(path, path_len)?;
    let follow = follow(flags)?;
    let directory = directory(call.fds, fd, Rights::PATH_FILESTAT_GET)?;
    let mut request = Request { call: call.name, audit: &mut call.host.audit, grants: &call.host.grant_names };
    let found = directory.stat_at(&mut request, path, follow)?;
    Ok(found.shown(&call.host.clocks, &mut call.host.inodes, &mut call.host.budget)?)
}

#[expect(clippy::too_many_arguments, reason = "as many as the standard gives it")]
pub(crate) fn path_filestat_set_times(
    call: &mut Call<'_>,
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Outcome {
    let path = call.memory.bytes(path, path_len)?;
    let follow = follow(flags)?;
    let (accessed, modified) = new_times(atim, mtim, fst_flags)?;
    call.fds.resolve(fd)?;
    let directory = changed(call.fds, fd, Rights::PATH_FILESTAT_SET_TIMES)?;
    let mut request = Request { call: call.name, audit: &mut call.host.audit, grants: &call.host.grant_names };
    Ok(directory.set_times_at(&mut request, path, follow, accessed, modified)?)
}

/// The directory of an operation that changes it. One that was granted for reading only goes on to the core, which says so.
fn changed(fds: &Descriptors, fd: u32, rights: Rights) -> Result<&Directory, ErrorCode> {
    let descriptor = fds.resolved(fd)?;
    let open = descriptor.as_directory(Rights::empty())?;
    if open.directory.access() == Access::ReadWrite {
        descriptor.must(rights)?;
    }
    Ok(&open.directory)
}

pub(crate) fn path_create_directory(call: &mut Call<'_>, fd: u32, path: u32, path_len: u32) -> Outcome {
    change(call, fd, path, path_len, Rights::PATH_CREATE_DIRECTORY, Directory::create_directory_at)
}

pub(crate) fn path_remove_directory(call: &mut Call<'_>, fd: u32, path: u32, path_len: u32) -> Outcome {
    change(call, fd, path, path_len, Rights::PATH_REMOVE_DIRECTORY, Directory::remove_directory_at)
}

pub(crate) fn path_unlink_file(call: &mut Call<'_>, fd: u32, path: u32, path_len: u32) -> Outcome {
    change(call, fd, path, path_len, Rights::PATH_UNLINK_FILE, Directory::unlink_file_at)
}

fn change(
    call: &mut Call<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
    rights: Rights,
    operation: impl FnOnce(&Directory, &mut Request<'_>, &[u8]) -> Result<(), ErrorCode>,
) -> Outcome {
    let path = call.memory.bytes(path, path_len)?;
    call.fds.resolve(fd)?;
    let directory = changed(call.fds, fd, rights)?;
    let mut request = Request { call: call.name, audit: &mut call.host.audit, grants: &call.host.grant_names };
    Ok(operation(directory, &mut request, path)?)
}

/// # Errors
/// [`ErrorCode::Invalid`] where the source's link is to be followed: the standard has it, and no host can do it without
/// letting a link be swapped meanwhile.
#[expect(clippy::too_many_arguments, reason = "as many as the standard gives it")]
pub(crate) fn path_link(
    call: &mut Call<'_>,
    old_fd: u32,
    old_flags: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Outcome {
    let old_path = call.memory.bytes(old_path, old_path_len)?;
    let new_path = call.memory.bytes(new_path, new_path_len)?;
    if follow(old_flags)? {
        return Err(ErrorCode::Invalid.into());
    }
    call.fds.resolve(old_fd)?;
    call.fds.resolve(new_fd)?;
    let old = changed(call.fds, old_fd, Rights::PATH_LINK_SOURCE)?;
    let new = changed(call.fds, new_fd, Rights::PATH_LINK_TARGET)?;
    let mut request = Request { call: call.name, audit: &mut call.host.audit, grants: &call.host.grant_names };
    Ok(old.link_at(&mut request, old_path, new, new_path)?)
}

pub(crate) fn path_rename(
    call: &mut Call<'_>,
    old_fd: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Outcome {
    let old_path = call.memory.bytes(old_path, old_path_len)?;
    let new_path = call.memory.bytes(new_path, new_path_len)?;
    call.fds.resolve(old_fd)?;
    call.fds.resolve(new_fd)?;
    let old = changed(call.fds, old_fd, Rights::PATH_RENAME_SOURCE)?;
    let new = changed(call.fds, new_fd, Rights::PATH_RENAME_TARGET)?;
    let mut request = Request { call: call.name, audit: &mut call.host.audit, grants: &call.host.grant_names };
    Ok(old.rename_at(&mut request, old_path, new, new_path)?)
}

pub(crate) fn path_symlink(
    call: &mut Call<'_>,
    old_path: u32,
    old_path_len: u32,
    fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Outcome {
    let contents = call.memory.bytes(old_path, old_path_len)?;
    let path = call.memory.bytes(new_path, new_path_len)?;
    call.fds.resolve(fd)?;
    let directory = changed(call.fds, fd, Rights::PATH_SYMLINK)?;
    let mut request = Request { call: call.name, audit: &mut call.host.audit, grants: &call.host.grant_names };
    Ok(directory.symlink_at(&mut request, contents, path)?)
}

/// Writes as much of the link's contents as there is room for, like `readlink(2)`.
pub(crate) fn path_readlink(
    call: &mut Call<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
    buf: u32,
    buf_len: u32,
    bufused: u32,
) -> Outcome {
    let place = call.memory.place(bufused)?;
    call.memory.bytes(buf, buf_len)?;
    let path = call.memory.bytes(path, path_len)?;
    let directory = directory(call.fds, fd, Rights::PATH_READLINK)?;
    let mut request = Request { call: call.name, audit: &mut call.host.audit, grants: &call.host.grant_names };
    let contents = directory.readlink_at(&mut request, path)?;
    let room = call.memory.bytes_mut(buf, buf_len)?;
    let used = contents.len().min(room.len());
    room[..used].copy_from_slice(&contents[..used]);
    call.memory.put(place, (used as u32).to_le_bytes());
    Ok(())
}
