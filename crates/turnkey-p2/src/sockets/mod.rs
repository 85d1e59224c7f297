//! `wasi:sockets`: networks, look-ups, TCP and UDP sockets. What they mean is in the core; the resources here are the
//! core's.

pub(crate) mod instance_network;
pub(crate) mod ip_name_lookup;
pub(crate) mod network;
pub(crate) mod tcp;
pub(crate) mod tcp_create_socket;
pub(crate) mod udp;
pub(crate) mod udp_create_socket;

pub(crate) use network::Network;
pub(crate) use turnkey_core::sockets::udp::{IncomingDatagramStream, OutgoingDatagramStream};
pub(crate) use turnkey_core::sockets::{ResolveAddressStream, TcpSocket, UdpSocket};

use turnkey_core::Capabilities;
use wasmtime::component::Resource;

use crate::call::{Call, Kept};
use crate::fault::BrokenRule;

/// A resource that the guest has named, and the host, borrowed apart.
fn with_host<'a, R: Kept>(
    call: &'a mut Call<'_>,
    this: &Resource<R>,
) -> wasmtime::Result<(&'a mut R, &'a mut Capabilities)> {
    let gone = BrokenRule { call: call.name, what: "it is not there" };
    let resource = R::slab_mut(&mut call.p2.table).get_mut(this.rep()).ok_or(gone)?;
    Ok((resource, call.host))
}
