//! Types of `wasi:sockets/types`, and how the core's become them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use turnkey_core::ErrorCode as Code;
use turnkey_core::sockets::AddressFamily;
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::error::error_codes;

error_codes! {
    /// `error-code` of `wasi:sockets/types`.
    AccessDenied = "access-denied",
    NotSupported = "not-supported",
    InvalidArgument = "invalid-argument",
    OutOfMemory = "out-of-memory",
    Timeout = "timeout",
    InvalidState = "invalid-state",
    AddressNotBindable = "address-not-bindable",
    AddressInUse = "address-in-use",
    RemoteUnreachable = "remote-unreachable",
    ConnectionRefused = "connection-refused",
    ConnectionBroken = "connection-broken",
    ConnectionReset = "connection-reset",
    ConnectionAborted = "connection-aborted",
    DatagramTooLarge = "datagram-too-large",
}

impl From<Code> for ErrorCode {
    /// What the standard has no word for is the nearest that it has; what no socket can say is `other`, with the word that it
    /// has elsewhere.
    fn from(code: Code) -> Self {
        network(code)
    }
}

/// The code of `wasi:sockets`, in one exhaustive match: a code that is added does not compile until it is decided. A limit on
/// sockets is a limit on memory.
pub(crate) fn network(code: Code) -> ErrorCode {
    match code {
        Code::Access | Code::NotCapable | Code::NotPermitted => ErrorCode::AccessDenied,
        Code::AddressInUse => ErrorCode::AddressInUse,
        Code::AddressNotBindable => ErrorCode::AddressNotBindable,
        Code::Already
        | Code::AlreadyConnected
        | Code::InProgress
        | Code::InvalidState
        | Code::NotConnected
        | Code::NotInProgress => ErrorCode::InvalidState,
        Code::ConnectionAborted => ErrorCode::ConnectionAborted,
        Code::Pipe => ErrorCode::ConnectionBroken,
        Code::ConnectionRefused => ErrorCode::ConnectionRefused,
        Code::ConnectionReset => ErrorCode::ConnectionReset,
        Code::InsufficientMemory | Code::TooManyDescriptors => ErrorCode::OutOfMemory,
        Code::Invalid => ErrorCode::InvalidArgument,
        Code::MessageSize => ErrorCode::DatagramTooLarge,
        Code::RemoteUnreachable => ErrorCode::RemoteUnreachable,
        Code::Timeout => ErrorCode::Timeout,
        Code::Unsupported => ErrorCode::NotSupported,
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
        | Code::NameUnresolvable
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
        | Code::PermanentResolverFailure
        | Code::Quota
        | Code::ReadOnly
        | Code::TemporaryResolverFailure
        | Code::TextFileBusy
        | Code::TooManyLinks
        | Code::WouldBlock => ErrorCode::Other(Some(code.word().to_owned())),
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
