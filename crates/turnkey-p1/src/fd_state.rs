//! What a descriptor is and how it behaves: `fd_advise`, `fd_allocate`, `fd_close`, `fd_fdstat_get`, `fd_fdstat_set_flags`,
//! `fd_fdstat_set_rights`, `fd_filestat_get`, `fd_filestat_set_size`, `fd_filestat_set_times`, `fd_prestat_get`,
//! `fd_prestat_dir_name`, `fd_renumber`.

use turnkey_core::ErrorCode;
use turnkey_core::clocks::Timestamp;
use turnkey_core::filesystem::metadata::HostMetadata;
use turnkey_core::filesystem::{Access, FileKind, Metadata, NewTime, Request};
use turnkey_core::host::files::Advice;
use turnkey_core::stream::{StandardInput, StandardOutput};

use crate::call::Call;
use crate::fault::Outcome;
use crate::fds::{Descriptor, FdFlags, Kind};
use crate::layout::{fdstat, filestat, filetype, prestat_dir};
use crate::rights::Rights;

pub(crate) fn fd_advise(call: &mut Call<'_>, fd: u32, offset: u64, len: u64, advice: u32) -> Outcome {
    let advice = match advice {
        0 => Advice::Normal,
        1 => Advice::Sequential,
        2 => Advice::Random,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        5 => Advice::NoReuse,
        _ => return Err(ErrorCode::Invalid.into()),
    };
    Ok(call.fds.get(fd)?.as_file(Rights::FD_ADVISE)?.advise(offset, len, advice)?)
}

pub(crate) fn fd_allocate(call: &mut Call<'_>, fd: u32, offset: u64, len: u64) -> Outcome {
    Ok(call.fds.get(fd)?.as_file(Rights::FD_ALLOCATE)?.allocate(offset, len)?)
}

#[inline]
pub(crate) fn fd_close(call: &mut Call<'_>, fd: u32) -> Outcome {
    Ok(call.fds.close(fd, &mut call.host.budget)?)
}

#[inline]
pub(crate) fn fd_fdstat_get(call: &mut Call<'_>, fd: u32, stat: u32) -> Outcome {
    let stat = call.memory.place(stat)?;
    let descriptor = call.fds.get(fd)?;
    let record = fdstat(
        filetype(descriptor.file_kind()),
        descriptor.flags().bits(),
        descriptor.rights.bits(),
        descriptor.inheriting.bits(),
    );
    call.memory.put(stat, record);
    Ok(())
}

/// No system call: the flags are the guest's own, and applied to each of its writes and waits.
pub(crate) fn fd_fdstat_set_flags(call: &mut Call<'_>, fd: u32, flags: u32) -> Outcome {
    let flags = FdFlags::parse(flags)?;
    let descriptor = call.fds.get(fd)?;
    descriptor.must(Rights::FD_FDSTAT_SET_FLAGS)?;
    // What is not a file has no end to append to, and nothing to synchronise: such flags are taken, and mean nothing.
    if let Kind::File(file) = &mut descriptor.kind {
        file.set_flags(flags.file_flags());
    }
    descriptor.nonblocking = flags.contains(FdFlags::NONBLOCK);
    Ok(())
}

/// Rights are given up, never taken.
///
/// # Errors
/// [`ErrorCode::NotCapable`]: one of them is not there to be kept.
pub(crate) fn fd_fdstat_set_rights(call: &mut Call<'_>, fd: u32, base: u64, inheriting: u64) -> Outcome {
    let descriptor = call.fds.get(fd)?;
    let kept = Rights::from_bits(base).zip(Rights::from_bits(inheriting));
    let (base, inheriting) = kept.ok_or(ErrorCode::NotCapable)?;
    if !descriptor.rights.contains(base) || !descriptor.inheriting.contains(inheriting) {
        return Err(ErrorCode::NotCapable.into());
    }
    descriptor.rights = base;
    descriptor.inheriting = inheriting;
    Ok(())
}

#[inline]
pub(crate) fn fd_filestat_get(call: &mut Call<'_>, fd: u32, buf: u32) -> Outcome {
    let place = call.memory.place(buf)?;
    let metadata = metadata(call, fd)?;
    call.memory.put(place, filestat(&metadata));
    Ok(())
}

/// What `fd_filestat_get` tells, for either layout.
pub(crate) fn metadata(call: &mut Call<'_>, fd: u32) -> Result<Metadata, ErrorCode> {
    let descriptor = call.fds.get(fd)?;
    descriptor.must(Rights::FD_FILESTAT_GET)?;
    match host_metadata(descriptor)? {
        Some(found) => found.shown(&call.host.clocks, &mut call.host.inodes, &mut call.host.budget),
        None => Ok(NOTHING),
    }
}

fn host_metadata(descriptor: &Descriptor) -> Result<Option<HostMetadata>, ErrorCode> {
    Ok(Some(match &descriptor.kind {
        Kind::File(file) => file.stat()?,
        Kind::Directory(open) => open.directory.stat()?,
        Kind::Source(StandardInput::Host(stream)) | Kind::Sink(StandardOutput::Host(stream)) => stream.stat()?,
        Kind::Listener(listener) => listener.stat()?,
        Kind::Connection(connection) => connection.stat()?,
        Kind::Source(StandardInput::Null) | Kind::Sink(StandardOutput::Null | StandardOutput::Drain(_)) => {
            return Ok(None);
        }
        Kind::Unresolved(_) => return Err(ErrorCode::BadDescriptor),
    }))
}

/// What a stream with nothing behind it says of itself.
const NOTHING: Metadata = Metadata {
    device: 0,
    inode: 0,
    kind: FileKind::CharacterDevice,
    links: 1,
    size_bytes: 0,
    accessed: Timestamp { seconds: 0, nanoseconds: 0 },
    modified: Timestamp { seconds: 0, nanoseconds: 0 },
    changed: Timestamp { seconds: 0, nanoseconds: 0 },
};

pub(crate) fn fd_filestat_set_size(call: &mut Call<'_>, fd: u32, size: u64) -> Outcome {
    Ok(call.fds.get(fd)?.as_file(Rights::FD_FILESTAT_SET_SIZE)?.set_size(size)?)
}

pub(crate) fn fd_filestat_set_times(call: &mut Call<'_>, fd: u32, atim: u64, mtim: u64, fst_flags: u32) -> Outcome {
    let (accessed, modified) = new_times(atim, mtim, fst_flags)?;
    let descriptor = call.fds.get(fd)?;
    let access = match &descriptor.kind {
        Kind::File(file) => file.access(),
        Kind::Directory(open) => open.directory.access(),
        _ => Access::ReadWrite,
    };
    // A grant for reading only answers for itself, with `read-only`; here it is what the guest gave up.
    if access == Access::ReadWrite {
        descriptor.must(Rights::FD_FILESTAT_SET_TIMES)?;
    }
    match &descriptor.kind {
        Kind::File(file) => file.set_times(accessed, modified)?,
        Kind::Directory(open) => {
            let mut request = Request { call: call.name, audit: &mut call.host.audit, grants: &call.host.grant_names };
            open.directory.set_times(&mut request, accessed, modified)?;
        }
        _ => return Err(ErrorCode::Invalid.into()),
    }
    Ok(())
}

/// `fstflags`: atim 1, atim_now 2, mtim 4, mtim_now 8.
///
/// # Errors
/// [`ErrorCode::Invalid`]: both for one time, or a bit that means nothing.
pub(crate) fn new_times(atim: u64, mtim: u64, fst_flags: u32) -> Result<(NewTime, NewTime), ErrorCode> {
    let time = |set: u32, now: u32, at: u64| match (fst_flags & set != 0, fst_flags & now != 0) {
        (false, false) => Ok(NewTime::Keep),
        (false, true) => Ok(NewTime::Now),
        (true, false) => Ok(NewTime::At(Timestamp::from_ns(at))),
        (true, true) => Err(ErrorCode::Invalid),
    };
    if fst_flags > 0b1111 {
        return Err(ErrorCode::Invalid);
    }
    Ok((time(1, 2, atim)?, time(4, 8, mtim)?))
}

/// # Errors
/// [`ErrorCode::BadDescriptor`] for one that was not handed over: that is how a guest finds where they end.
pub(crate) fn fd_prestat_get(call: &mut Call<'_>, fd: u32, buf: u32) -> Outcome {
    let place = call.memory.place(buf)?;
    let bytes = u32::try_from(preopen_name(call.fds.get(fd)?)?.len()).map_err(|_| ErrorCode::Overflow)?;
    call.memory.put(place, prestat_dir(bytes));
    Ok(())
}

/// # Errors
/// [`ErrorCode::NameTooLong`]: the room is too small.
pub(crate) fn fd_prestat_dir_name(call: &mut Call<'_>, fd: u32, path: u32, path_len: u32) -> Outcome {
    let room = call.memory.bytes_mut(path, path_len)?;
    let name = preopen_name(call.fds.get(fd)?)?;
    room.get_mut(..name.len()).ok_or(ErrorCode::NameTooLong)?.copy_from_slice(name);
    Ok(())
}

fn preopen_name(descriptor: &Descriptor) -> Result<&[u8], ErrorCode> {
    match &descriptor.kind {
        Kind::Directory(open) => open.preopen.as_deref().ok_or(ErrorCode::BadDescriptor),
        _ => Err(ErrorCode::BadDescriptor),
    }
}

pub(crate) fn fd_renumber(call: &mut Call<'_>, fd: u32, to: u32) -> Outcome {
    Ok(call.fds.renumber(fd, to, &mut call.host.budget)?)
}
