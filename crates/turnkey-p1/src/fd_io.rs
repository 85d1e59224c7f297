//! Reading and writing: `fd_read`, `fd_write`, `fd_pread`, `fd_pwrite`, `fd_seek`, `fd_tell`, `fd_sync`, `fd_datasync`,
//! `fd_readdir`.
//!
//! All buffers of a call go into one system call, straight to and from guest memory.

use turnkey_core::ErrorCode;
use turnkey_core::filesystem::file::Whence;
use turnkey_core::filesystem::{Directory, Entries};
use turnkey_core::host::buffers::Buffers;
use turnkey_core::sockets::tcp::ReceiveFlags;
use turnkey_core::stream::{StandardInput, StandardOutput};

use crate::call::Call;
use crate::fault::{Fault, Outcome};
use crate::fds::{Descriptors, Kind};
use crate::layout::{DIRENT_BYTES, dirent};
use crate::memory::Place;
use crate::rights::Rights;

#[inline]
pub(crate) fn fd_read(call: &mut Call<'_>, fd: u32, iovs: u32, iovs_len: u32, nread: u32) -> Outcome {
    let nread = call.memory.place(nread)?;
    let mut buffers = call.memory.buffers(iovs, iovs_len)?;
    let descriptor = call.fds.get(fd)?;
    let wait = descriptor.wait(call.host);
    if !matches!(descriptor.kind, Kind::Directory(_)) {
        descriptor.must(Rights::FD_READ)?;
    }
    if let Kind::File(file) = &mut descriptor.kind {
        let read = file.read_ahead(&mut buffers, call.host)?;
        return put_count(call, nread, read);
    }
    call.host.news += 1;
    let read = match &mut descriptor.kind {
        Kind::Source(_) | Kind::Connection(_) if buffers.bytes() == 0 => 0,
        Kind::Source(source) => source.read(&mut buffers, wait)?,
        Kind::Connection(connection) => connection.receive(&mut buffers, ReceiveFlags::default(), wait)?.0,
        Kind::Directory(_) => return Err(ErrorCode::IsDirectory.into()),
        Kind::File(_) | Kind::Sink(_) | Kind::Listener(_) | Kind::Unresolved(_) => {
            return Err(ErrorCode::BadDescriptor.into());
        }
    };
    put_count(call, nread, read)
}

#[inline]
pub(crate) fn fd_write(call: &mut Call<'_>, fd: u32, iovs: u32, iovs_len: u32, nwritten: u32) -> Outcome {
    let nwritten = call.memory.place(nwritten)?;
    let buffers = call.memory.buffers(iovs, iovs_len)?;
    let descriptor = call.fds.get(fd)?;
    let wait = descriptor.wait(call.host);
    if !matches!(descriptor.kind, Kind::Directory(_)) {
        descriptor.must(Rights::FD_WRITE)?;
    }
    let written = match &mut descriptor.kind {
        Kind::File(file) => file.write(&buffers)?,
        Kind::Sink(_) | Kind::Connection(_) if buffers.bytes() == 0 => 0,
        Kind::Sink(sink) => sink.write(&buffers, wait)?,
        Kind::Connection(connection) => connection.send(&buffers, wait)?,
        Kind::Directory(_) => return Err(ErrorCode::IsDirectory.into()),
        Kind::Source(_) | Kind::Listener(_) | Kind::Unresolved(_) => return Err(ErrorCode::BadDescriptor.into()),
    };
    put_count(call, nwritten, written)
}

#[inline]
pub(crate) fn fd_pread(call: &mut Call<'_>, fd: u32, iovs: u32, iovs_len: u32, offset: u64, nread: u32) -> Outcome {
    let nread = call.memory.place(nread)?;
    let mut buffers = call.memory.buffers(iovs, iovs_len)?;
    let descriptor = call.fds.get(fd)?;
    let read = match &descriptor.kind {
        Kind::Source(StandardInput::Host(stream)) => {
            descriptor.must(Rights::FD_READ)?;
            stream.read_at(&mut buffers, offset)?
        }
        _ => descriptor.as_file(Rights::FD_READ)?.read_at(&mut buffers, offset)?,
    };
    put_count(call, nread, read)
}

#[inline]
pub(crate) fn fd_pwrite(call: &mut Call<'_>, fd: u32, iovs: u32, iovs_len: u32, offset: u64, nwritten: u32) -> Outcome {
    let nwritten = call.memory.place(nwritten)?;
    let buffers: Buffers<'_> = call.memory.buffers(iovs, iovs_len)?;
    let descriptor = call.fds.get(fd)?;
    let written = match &descriptor.kind {
        Kind::Sink(StandardOutput::Host(stream)) => {
            descriptor.must(Rights::FD_WRITE)?;
            stream.write_at(&buffers, offset)?
        }
        _ => descriptor.as_file(Rights::FD_WRITE)?.write_at(&buffers, offset)?,
    };
    put_count(call, nwritten, written)
}

/// The kernel moves less than 2³¹ bytes in a call, so that the count fits.
#[inline]
fn put_count(call: &mut Call<'_>, place: Place<4>, bytes: usize) -> Outcome {
    call.memory.put(place, (bytes as u32).to_le_bytes());
    Ok(())
}

/// `whence` of Preview 1; preview 0 numbers them otherwise.
pub(crate) const fn whence(number: u32) -> Result<Whence, ErrorCode> {
    match number {
        0 => Ok(Whence::Set),
        1 => Ok(Whence::Current),
        2 => Ok(Whence::End),
        _ => Err(ErrorCode::Invalid),
    }
}

#[inline]
pub(crate) fn fd_seek(
    call: &mut Call<'_>,
    fd: u32,
    offset: i64,
    whence: Result<Whence, ErrorCode>,
    newoffset: u32,
) -> Outcome {
    let place = call.memory.place(newoffset)?;
    let whence = whence?;
    // Asking where one is, is telling: a descriptor that may only tell can be asked like that (`lseek(fd, 0, SEEK_CUR)`).
    let rights = if offset == 0 && whence == Whence::Current { Rights::FD_TELL } else { Rights::FD_SEEK };
    let position = position(call.fds, fd, rights, offset, whence)?;
    call.memory.put(place, position.to_le_bytes());
    Ok(())
}

pub(crate) fn fd_tell(call: &mut Call<'_>, fd: u32, offset: u32) -> Outcome {
    let place = call.memory.place(offset)?;
    let position = position(call.fds, fd, Rights::FD_TELL, 0, Whence::Current)?;
    call.memory.put(place, position.to_le_bytes());
    Ok(())
}

#[inline]
fn position(fds: &mut Descriptors, fd: u32, rights: Rights, offset: i64, whence: Whence) -> Result<u64, ErrorCode> {
    let descriptor = fds.get(fd)?;
    match &descriptor.kind {
        Kind::Source(StandardInput::Host(stream)) | Kind::Sink(StandardOutput::Host(stream)) => {
            descriptor.must(rights)?;
            stream.seek(offset, whence)
        }
        _ => descriptor.as_file(rights)?.seek(offset, whence),
    }
}

pub(crate) fn fd_sync(call: &mut Call<'_>, fd: u32) -> Outcome {
    sync(call, fd, Rights::FD_SYNC, false)
}

pub(crate) fn fd_datasync(call: &mut Call<'_>, fd: u32) -> Outcome {
    sync(call, fd, Rights::FD_DATASYNC, true)
}

fn sync(call: &mut Call<'_>, fd: u32, rights: Rights, data_only: bool) -> Outcome {
    let descriptor = call.fds.get(fd)?;
    match &descriptor.kind {
        Kind::File(file) => {
            descriptor.must(rights)?;
            if data_only { file.sync_data()? } else { file.sync()? }
        }
        Kind::Directory(open) => {
            descriptor.must(rights)?;
            open.directory.sync()?;
        }
        Kind::Source(StandardInput::Host(stream)) | Kind::Sink(StandardOutput::Host(stream)) => stream.sync()?,
        _ => return Err(ErrorCode::Invalid.into()),
    }
    Ok(())
}

/// Writes entries from a cookie on, the last one cut off where the room ends; `bufused` less than `buf_len` is the end.
pub(crate) fn fd_readdir(call: &mut Call<'_>, fd: u32, buf: u32, buf_len: u32, cookie: u64, bufused: u32) -> Outcome {
    let bufused = call.memory.place(bufused)?;
    let buffer = call.memory.bytes_mut(buf, buf_len)?;
    let descriptor = call.fds.get(fd)?;
    descriptor.as_directory(Rights::FD_READDIR)?;
    let Kind::Directory(open) = &mut descriptor.kind else {
        return Err(ErrorCode::NotDirectory.into());
    };
    let host = &mut *call.host;
    if matches!(*open.directory, Directory::Recording) {
        call.memory.put(bufused, 0u32.to_le_bytes());
        return Ok(());
    }
    let entries = match &mut open.entries {
        Some(entries) => entries,
        none => none.insert(Box::new(Entries::new(&open.directory, host.sorted_listings, &mut host.budget)?)),
    };
    let mut room = buffer;
    let mut used = 0;
    let read =
        entries.read(&open.directory, open.preopen.is_some(), cookie, &mut host.inodes, &mut host.budget, |entry| {
            let header = dirent(entry.next_cookie, entry.inode, entry.name.len(), entry.kind);
            let whole = room.len() >= DIRENT_BYTES + entry.name.len();
            for part in [&header[..], entry.name] {
                let bytes = part.len().min(room.len());
                let (front, rest) = std::mem::take(&mut room).split_at_mut(bytes);
                front.copy_from_slice(&part[..bytes]);
                room = rest;
                used += bytes as u32;
            }
            whole
        });
    read.map_err(Fault::from)?;
    call.memory.put(bufused, used.to_le_bytes());
    Ok(())
}
