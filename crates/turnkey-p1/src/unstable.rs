//! Preview 0 (`wasi_unstable`), where it differs from Preview 1: how `whence` is numbered, and two records.

use turnkey_core::ErrorCode;
use turnkey_core::filesystem::file::Whence;

use crate::call::Call;
use crate::fault::Outcome;
use crate::layout::{SUBSCRIPTION_0_BYTES, filestat_0, subscription_0};
use crate::{fd_io, fd_state, path, poll};

pub(crate) fn fd_seek(call: &mut Call<'_>, fd: u32, offset: i64, whence: u32, newoffset: u32) -> Outcome {
    let whence = match whence {
        0 => Ok(Whence::Current),
        1 => Ok(Whence::End),
        2 => Ok(Whence::Set),
        _ => Err(ErrorCode::Invalid),
    };
    fd_io::fd_seek(call, fd, offset, whence, newoffset)
}

pub(crate) fn fd_filestat_get(call: &mut Call<'_>, fd: u32, buf: u32) -> Outcome {
    let place = call.memory.place(buf)?;
    let metadata = fd_state::metadata(call, fd)?;
    call.memory.put(place, filestat_0(&metadata));
    Ok(())
}

pub(crate) fn path_filestat_get(
    call: &mut Call<'_>,
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    buf: u32,
) -> Outcome {
    let place = call.memory.place(buf)?;
    let metadata = path::metadata(call, fd, flags, path, path_len)?;
    call.memory.put(place, filestat_0(&metadata));
    Ok(())
}

pub(crate) fn poll_oneoff(call: &mut Call<'_>, subs: u32, events: u32, count: u32, nevents: u32) -> Outcome {
    poll::poll::<SUBSCRIPTION_0_BYTES>(call, subs, events, count, nevents, subscription_0)
}
