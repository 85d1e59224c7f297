//! `wasi:sockets/network`: the network, its error codes, and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use turnkey_core::ErrorCode as Code;
use turnkey_core::sockets::AddressFamily;
use wasmtime::component::{ComponentType, Lift, Lower, Resource};

use crate::call::Kept;
use crate::error::error_codes;
use crate::interface::{Interface, State};
use crate::io::error::IoError;

/// `network`. It is no authority: each operation is checked by itself.
#[derive(Debug)]
pub(crate) struct Network;

impl Kept for Network {}

/// `wasi:sockets/network`.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<Network>("network");
    it.func("network-error-code", |call, (err,): (Resource<IoError>,)| {
        let code = network(call.get(&err)?.code);
        // What only a file can fail with is nothing that the network knows.
        Ok(if code == ErrorCode::Unknown { None } else { Some(code) })
    });
}

error_codes! {
    /// `error-code` of `wasi:sockets/network`.
    Unknown = "unknown",
    AccessDenied = "access-denied",
    NotSupported = "not-supported",
    InvalidArgument = "invalid-argument",
    OutOfMemory = "out-of-memory",
    Timeout = "timeout",
    ConcurrencyConflict = "concurrency-conflict",
    NotInProgress = "not-in-progress",
    WouldBlock = "would-block",
    InvalidState = "invalid-state",
    NewSocketLimit = "new-socket-limit",
    AddressNotBindable = "address-not-bindable",
    AddressInUse = "address-in-use",
    RemoteUnreachable = "remote-unreachable",
    ConnectionRefused = "connection-refused",
    ConnectionReset = "connection-reset",
    ConnectionAborted = "connection-aborted",
    DatagramTooLarge = "datagram-too-large",
    NameUnresolvable = "name-unresolvable",
    TemporaryResolverFailure = "temporary-resolver-failure",
    PermanentResolverFailure = "permanent-resolver-failure",
}

impl From<Code> for ErrorCode {
    /// A code that the standard has no word for is the nearest that it has; what no socket can say is `unknown`.
    fn from(code: Code) -> Self {
        network(code)
    }
}

/// The code of `wasi:sockets`, in one exhaustive match: a code that is added does not compile until it is decided.
pub(crate) const fn network(code: Code) -> ErrorCode {
    match code {
        Code::Access | Code::NotCapable | Code::NotPermitted => ErrorCode::AccessDenied,
        Code::AddressInUse => ErrorCode::AddressInUse,
        Code::AddressNotBindable => ErrorCode::AddressNotBindable,
        Code::Already | Code::InProgress => ErrorCode::ConcurrencyConflict,
        Code::AlreadyConnected | Code::InvalidState | Code::NotConnected => ErrorCode::InvalidState,
        // The standard's newer version has a word of its own for the second, and says that some systems call it the first.
        Code::ConnectionAborted | Code::Pipe => ErrorCode::ConnectionAborted,
        Code::ConnectionRefused => ErrorCode::ConnectionRefused,
        Code::ConnectionReset => ErrorCode::ConnectionReset,
        Code::InsufficientMemory => ErrorCode::OutOfMemory,
        Code::Invalid => ErrorCode::InvalidArgument,
        Code::MessageSize => ErrorCode::DatagramTooLarge,
        Code::NameUnresolvable => ErrorCode::NameUnresolvable,
        Code::NotInProgress => ErrorCode::NotInProgress,
        Code::PermanentResolverFailure => ErrorCode::PermanentResolverFailure,
        Code::RemoteUnreachable => ErrorCode::RemoteUnreachable,
        Code::TemporaryResolverFailure => ErrorCode::TemporaryResolverFailure,
        Code::Timeout => ErrorCode::Timeout,
        Code::TooManyDescriptors => ErrorCode::NewSocketLimit,
        Code::Unsupported => ErrorCode::NotSupported,
        Code::WouldBlock => ErrorCode::WouldBlock,
        Code::BadDescriptor
        | Code::Busy
        | Code::CrossDevice
        | Code::Deadlock
        | Code::Exist
        | Code::FileTooLarge
        | Code::IllegalByteSequence
        | Code::InsufficientSpace
        | Code::Interrupted
        | Code::InvalidSeek
        | Code::Io
        | Code::IsDirectory
        | Code::Loop
        | Code::NameTooLong
        | Code::NoDevice
        | Code::NoEntry
        | Code::NoLock
        | Code::NoSuchDevice
        | Code::NoTty
        | Code::NotDirectory
        | Code::NotEmpty
        | Code::NotRecoverable
        | Code::NotSocket
        | Code::Overflow
        | Code::Quota
        | Code::ReadOnly
        | Code::TextFileBusy
        | Code::TooManyLinks => ErrorCode::Unknown,
    }
}

/// `ip-address-family`
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum IpAddressFamily {
    #[component(name = "ipv4")]
    Ipv4,
    #[component(name = "ipv6")]
    Ipv6,
}

impl From<IpAddressFamily> for AddressFamily {
    fn from(family: IpAddressFamily) -> Self {
        match family {
            IpAddressFamily::Ipv4 => AddressFamily::Ipv4,
            IpAddressFamily::Ipv6 => AddressFamily::Ipv6,
        }
    }
}

impl From<AddressFamily> for IpAddressFamily {
    fn from(family: AddressFamily) -> Self {
        match family {
            AddressFamily::Ipv4 => IpAddressFamily::Ipv4,
            AddressFamily::Ipv6 => IpAddressFamily::Ipv6,
        }
    }
}

/// `ipv4-address`
type Ipv4Address = (u8, u8, u8, u8);

/// `ipv6-address`
type Ipv6Address = (u16, u16, u16, u16, u16, u16, u16, u16);

/// `ip-address`
#[derive(ComponentType, Lower, Clone, Copy, Debug)]
#[component(variant)]
pub(crate) enum IpAddress {
    #[component(name = "ipv4")]
    Ipv4(Ipv4Address),
    #[component(name = "ipv6")]
    Ipv6(Ipv6Address),
}

/// `ipv4-socket-address`
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug)]
#[component(record)]
pub(crate) struct Ipv4SocketAddress {
    port: u16,
    address: Ipv4Address,
}

/// `ipv6-socket-address`
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug)]
#[component(record)]
pub(crate) struct Ipv6SocketAddress {
    port: u16,
    #[component(name = "flow-info")]
    flow_info: u32,
    address: Ipv6Address,
    #[component(name = "scope-id")]
    scope_id: u32,
}

/// `ip-socket-address`
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug)]
#[component(variant)]
pub(crate) enum IpSocketAddress {
    #[component(name = "ipv4")]
    Ipv4(Ipv4SocketAddress),
    #[component(name = "ipv6")]
    Ipv6(Ipv6SocketAddress),
}

const fn ipv4_address(ip: Ipv4Addr) -> Ipv4Address {
    let [a, b, c, d] = ip.octets();
    (a, b, c, d)
}

const fn ipv6_address(ip: Ipv6Addr) -> Ipv6Address {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    (a, b, c, d, e, f, g, h)
}

impl From<IpAddr> for IpAddress {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => IpAddress::Ipv4(ipv4_address(ip)),
            IpAddr::V6(ip) => IpAddress::Ipv6(ipv6_address(ip)),
        }
    }
}

impl From<SocketAddr> for IpSocketAddress {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => {
                IpSocketAddress::Ipv4(Ipv4SocketAddress { port: address.port(), address: ipv4_address(*address.ip()) })
            }
            SocketAddr::V6(address) => IpSocketAddress::Ipv6(Ipv6SocketAddress {
                port: address.port(),
                flow_info: address.flowinfo(),
                address: ipv6_address(*address.ip()),
                scope_id: address.scope_id(),
            }),
        }
    }
}

impl From<IpSocketAddress> for SocketAddr {
    fn from(address: IpSocketAddress) -> Self {
        match address {
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) }) => {
                SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
            }
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info, address, scope_id }) => {
                let (a, b, c, d, e, f, g, h) = address;
                let ip = Ipv6Addr::new(a, b, c, d, e, f, g, h);
                SocketAddr::V6(SocketAddrV6::new(ip, port, flow_info, scope_id))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_of_the_standard_is_given_for_something() {
        let given: BTreeSet<&str> = Code::ALL.iter().map(|&code| network(code).word()).collect();
        assert_eq!(given.len(), ErrorCode::PermanentResolverFailure as usize + 1, "{given:?}");
    }
}
