//! What the programs here share: how results are shown in a transcript, and addresses and directories by the words of a
//! command line. Programs call WASI 0.2 by the bindings of the crate `wasip2`; what `std` does for them besides goes
//! through Preview 1 and the adapter.
//!
//! Source of truth: the WIT packages `wasi:*@0.2`.

use std::fmt::{Debug, Display};
use std::io::Write;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::process::exit;

use wasip2::cli::exit::exit_with_code;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, ErrorCode as FileError};
use wasip2::io::streams::StreamError;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{
    ErrorCode as NetworkError, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
    Network,
};

/// What a call answers when it does not do what was asked, by the standard's name of it.
pub trait Code {
    /// The name, as in the WIT package.
    fn code(&self) -> String;
}

impl Code for FileError {
    fn code(&self) -> String {
        self.name().to_owned()
    }
}

impl Code for NetworkError {
    fn code(&self) -> String {
        self.name().to_owned()
    }
}

impl Code for StreamError {
    fn code(&self) -> String {
        match self {
            StreamError::Closed => "closed".to_owned(),
            StreamError::LastOperationFailed(_) => "last-operation-failed".to_owned(),
        }
    }
}

/// `ok`, `ok: VALUE`, or the code.
pub fn shown<T: Debug, E: Code>(result: Result<T, E>) -> String {
    match result {
        Err(error) => error.code(),
        Ok(value) => match format!("{value:?}") {
            unit if unit == "()" => "ok".to_owned(),
            value => format!("ok: {value}"),
        },
    }
}

/// `ok` or the code, whatever the value.
pub fn whether<T, E: Code>(result: Result<T, E>) -> String {
    shown(result.map(|_| ()))
}

/// Ends the program with a line on standard error, and status 1.
pub fn fail(what: &str, why: impl Display) -> ! {
    eprintln!("{what}: {why}");
    exit(1)
}

/// Ends the program with any status: `std`'s own way is through the adapter, to which all that are not 0 are 1.
pub fn leave(status: u8) -> ! {
    // The way out of here passes nothing that would write what is buffered.
    let _ = std::io::stdout().flush();
    exit_with_code(status);
    unreachable!("a program that has ended")
}

/// The value, or the end of the program.
pub fn must<T, E: Code>(what: &str, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| fail(what, error.code()))
}

/// The directory that was handed over by this name.
pub fn directory(name: &str) -> Descriptor {
    let found = get_directories().into_iter().find(|(_, known)| known == name);
    found.map_or_else(|| fail(name, "no such directory was handed over"), |(descriptor, _)| descriptor)
}

/// An address in the form that calls take.
pub fn to_wasi(address: SocketAddr) -> IpSocketAddress {
    let port = address.port();
    match address.ip() {
        IpAddr::V4(ip) => IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: ip.octets().into() }),
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h] = ip.segments();
            let address = (a, b, c, d, e, f, g, h);
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 })
        }
    }
}

/// An address as it is written.
pub fn from_wasi(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(it) => SocketAddrV4::new(<[u8; 4]>::from(it.address).into(), it.port).into(),
        IpSocketAddress::Ipv6(it) => {
            let (a, b, c, d, e, f, g, h) = it.address;
            SocketAddrV6::new([a, b, c, d, e, f, g, h].into(), it.port, it.flow_info, it.scope_id).into()
        }
    }
}

/// An address without a port, as it is written.
pub fn ip_from_wasi(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4(it) => <[u8; 4]>::from(it).into(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => [a, b, c, d, e, f, g, h].into(),
    }
}

/// The family that sockets for this address are of.
pub fn family(address: SocketAddr) -> IpAddressFamily {
    if address.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 }
}

/// `ADDRESS:PORT`, or the end of the program.
pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| fail(text, "no ADDRESS:PORT"))
}

/// All addresses of a name, in the host's order.
///
/// # Errors
/// That of the look-up, whenever it comes.
pub fn look_up(network: &Network, name: &str) -> Result<Vec<IpAddr>, NetworkError> {
    let stream = resolve_addresses(network, name)?;
    let ready = stream.subscribe();
    let mut found = Vec::new();
    loop {
        match stream.resolve_next_address() {
            Ok(Some(address)) => found.push(ip_from_wasi(address)),
            Ok(None) => return Ok(found),
            Err(NetworkError::WouldBlock) => ready.block(),
            Err(error) => return Err(error),
        }
    }
}
