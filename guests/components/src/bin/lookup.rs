//! Looks names up by `wasi:sockets/ip-name-lookup`. `lookup NAME…` prints a line for each: its addresses, or the code of
//! what went wrong. All look-ups are under way before the first is waited for.

use components::{Code, ip_from_wasi};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::{ResolveAddressStream, resolve_addresses};
use wasip2::sockets::network::ErrorCode;

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let network = instance_network();
    let streams: Vec<_> = names.iter().map(|name| resolve_addresses(&network, name)).collect();
    for (name, stream) in names.iter().zip(streams) {
        let line = match stream {
            Err(error) => format!("{} at once", error.code()),
            Ok(stream) => addresses(&stream).unwrap_or_else(|error| error.code()),
        };
        println!("{}: {line}", name.escape_debug());
    }
}

fn addresses(stream: &ResolveAddressStream) -> Result<String, ErrorCode> {
    let ready = stream.subscribe();
    let mut found = Vec::new();
    loop {
        match stream.resolve_next_address() {
            Ok(Some(address)) => found.push(ip_from_wasi(address).to_string()),
            Ok(None) => break,
            Err(ErrorCode::WouldBlock) => ready.block(),
            Err(error) => return Err(error),
        }
    }
    assert_eq!(stream.resolve_next_address().map(|address| address.is_some()), Ok(false), "after the end");
    Ok(found.join(" "))
}
