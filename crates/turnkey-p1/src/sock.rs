//! Sockets: `sock_accept`, `sock_recv`, `sock_send`, `sock_shutdown`.
//!
//! Preview 1 opens no socket: a guest has the listeners that it was handed, and what they accept.

use turnkey_core::ErrorCode;
use turnkey_core::sockets::TcpConnection;
use turnkey_core::sockets::tcp::ReceiveFlags;

use crate::call::Call;
use crate::fault::Outcome;
use crate::fds::{Descriptor, Descriptors, FdFlags, Kind};
use crate::memory::Place;
use crate::rights::Rights;

fn connection(fds: &mut Descriptors, fd: u32, rights: Rights) -> Result<(&Descriptor, &TcpConnection), ErrorCode> {
    let descriptor = &*fds.get(fd)?;
    match &descriptor.kind {
        Kind::Connection(connection) => {
            descriptor.must(rights)?;
            Ok((descriptor, connection))
        }
        Kind::Listener(_) => Err(ErrorCode::NotConnected),
        _ => Err(ErrorCode::NotSocket),
    }
}

/// # Errors
/// [`ErrorCode::Invalid`]: the descriptor is a connection; [`ErrorCode::NotSocket`]; [`ErrorCode::WouldBlock`].
pub(crate) fn sock_accept(call: &mut Call<'_>, fd: u32, flags: u32, opened_fd: u32) -> Outcome {
    let place: Place<4> = call.memory.place(opened_fd)?;
    let flags = FdFlags::parse(flags)?;
    call.fds.must_have_room(call.host)?;
    let descriptor = &*call.fds.get(fd)?;
    let listener = match &descriptor.kind {
        Kind::Listener(listener) => listener,
        Kind::Connection(_) => return Err(ErrorCode::Invalid.into()),
        _ => return Err(ErrorCode::NotSocket.into()),
    };
    descriptor.must(Rights::SOCK_ACCEPT)?;
    let connection = listener.accept(descriptor.wait(call.host))?;
    let opened = Descriptor::connection(connection, flags.contains(FdFlags::NONBLOCK));
    let number = call.fds.insert(opened, call.host)?;
    call.memory.put(place, number.to_le_bytes());
    Ok(())
}

/// `riflags`: recv_peek 1, recv_waitall 2. `roflags`: recv_data_truncated 1.
pub(crate) fn sock_recv(
    call: &mut Call<'_>,
    fd: u32,
    ri_data: u32,
    ri_data_len: u32,
    ri_flags: u32,
    ro_datalen: u32,
    ro_flags: u32,
) -> Outcome {
    let (datalen, flags): (Place<4>, Place<2>) = (call.memory.place(ro_datalen)?, call.memory.place(ro_flags)?);
    let mut buffers = call.memory.buffers(ri_data, ri_data_len)?;
    if ri_flags > 0b11 {
        return Err(ErrorCode::Invalid.into());
    }
    let how = ReceiveFlags { peek: ri_flags & 1 != 0, wait_all: ri_flags & 2 != 0 };
    let (descriptor, connection) = connection(call.fds, fd, Rights::FD_READ)?;
    let (received, cut) = connection.receive(&mut buffers, how, descriptor.wait(call.host))?;
    call.memory.put(datalen, (received as u32).to_le_bytes());
    call.memory.put(flags, u16::from(cut).to_le_bytes());
    Ok(())
}

/// # Errors
/// [`ErrorCode::Invalid`]: a flag; the standard has none.
pub(crate) fn sock_send(
    call: &mut Call<'_>,
    fd: u32,
    si_data: u32,
    si_data_len: u32,
    si_flags: u32,
    so_datalen: u32,
) -> Outcome {
    let datalen: Place<4> = call.memory.place(so_datalen)?;
    let buffers = call.memory.buffers(si_data, si_data_len)?;
    if si_flags != 0 {
        return Err(ErrorCode::Invalid.into());
    }
    let (descriptor, connection) = connection(call.fds, fd, Rights::FD_WRITE)?;
    let sent = connection.send(&buffers, descriptor.wait(call.host))?;
    call.memory.put(datalen, (sent as u32).to_le_bytes());
    Ok(())
}

/// `sdflags`: rd 1, wr 2.
pub(crate) fn sock_shutdown(call: &mut Call<'_>, fd: u32, how: u32) -> Outcome {
    let (_, connection) = connection(call.fds, fd, Rights::SOCK_SHUTDOWN)?;
    if how > 0b11 {
        return Err(ErrorCode::Invalid.into());
    }
    Ok(connection.shutdown(how & 1 != 0, how & 2 != 0)?)
}
