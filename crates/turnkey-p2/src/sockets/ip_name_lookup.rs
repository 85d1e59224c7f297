//! `wasi:sockets/ip-name-lookup`.

use wasmtime::component::Resource;

use crate::call::Kept;
use crate::interface::{Interface, State};
use crate::io::poll::Pollable;
use crate::sockets::network::{ErrorCode, IpAddress};
use crate::sockets::{Network, ResolveAddressStream};

impl Kept for ResolveAddressStream {}

type This = Resource<ResolveAddressStream>;

/// `wasi:sockets/ip-name-lookup`.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<ResolveAddressStream>("resolve-address-stream");
    it.fails::<_, _, ErrorCode>("[method]resolve-address-stream.resolve-next-address", |call, (this,): (This,)| {
        let (stream, host) = call.with_host(&this)?;
        Ok(stream.resolve_next_address(host)?.map(IpAddress::from))
    });
    it.func("[method]resolve-address-stream.subscribe", |call, (this,): (This,)| {
        call.keep(Pollable::Lookup(call.id(&this)))
    });
    it.fails::<_, _, ErrorCode>("resolve-addresses", |call, (_network, name): (Resource<Network>, String)| {
        let stream = ResolveAddressStream::resolve_addresses(call.host, call.name, &name)?;
        Ok(call.keep(stream)?)
    });
}
