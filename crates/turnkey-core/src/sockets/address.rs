//! Addresses: which of them a socket takes at all, and how far away each of them is.
//!
//! Nothing here is about one guest: what it may reach is decided in `policy.rs`. The truth is in `wasi:sockets` (0.2.12),
//! in the errors of `start-bind`, `start-connect`, `stream` and `send`, and in IANA's registries of special-purpose
//! addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::ErrorCode;

/// `ip-address-family`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFamily {
    /// IPv4.
    Ipv4,
    /// IPv6, and no IPv4 by way of it.
    Ipv6,
}

impl AddressFamily {
    /// That of an address.
    #[must_use]
    pub const fn of(address: &SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => AddressFamily::Ipv4,
            SocketAddr::V6(_) => AddressFamily::Ipv6,
        }
    }

    /// The address that stands for none.
    #[must_use]
    pub const fn unspecified(self) -> IpAddr {
        match self {
            AddressFamily::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            AddressFamily::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }

    /// Checks that a socket of this family can have the address on either side.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: another family, or IPv4 inside of IPv6, where a rule about one would be got round by the
    /// other.
    pub(super) fn must_take(self, address: &SocketAddr) -> Result<(), ErrorCode> {
        match address.ip() {
            _ if AddressFamily::of(address) != self => Err(ErrorCode::Invalid),
            IpAddr::V6(ip) if is_ipv4_in_disguise(ip) => Err(ErrorCode::Invalid),
            _ => Ok(()),
        }
    }

    /// Checks that a socket of this family can talk to the address.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: as [`AddressFamily::must_take`]; also no address, or no port.
    pub(super) fn must_reach(self, remote: &SocketAddr) -> Result<(), ErrorCode> {
        if remote.ip().is_unspecified() || remote.port() == 0 {
            return Err(ErrorCode::Invalid);
        }
        self.must_take(remote)
    }
}

/// Checks that an address is of one host, as TCP needs it.
///
/// # Errors
/// [`ErrorCode::Invalid`]: a multicast or the broadcast address.
pub(super) fn must_be_unicast(address: &SocketAddr) -> Result<(), ErrorCode> {
    let broadcast = address.ip() == IpAddr::V4(Ipv4Addr::BROADCAST);
    if broadcast || address.ip().is_multicast() { Err(ErrorCode::Invalid) } else { Ok(()) }
}

/// `::ffff:a.b.c.d`, which the kernel takes for IPv4; and `::a.b.c.d`, which it once did.
pub(super) const fn is_ipv4_in_disguise(ip: Ipv6Addr) -> bool {
    let compatible = matches!(ip.segments(), [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1);
    compatible || ip.to_ipv4_mapped().is_some()
}

/// How far away an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// On the internet.
    Public,
    /// On this machine, or in its network.
    Private,
    /// On this link only; or where a cloud tells a machine its secrets, which is nobody's business by accident.
    LinkLocal,
}

impl Reach {
    pub(super) fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Reach::of_ipv4(ip),
            // What a gateway makes IPv4 of is where that is.
            IpAddr::V6(ip) => translated(ip).map_or_else(|| Reach::of_ipv6(ip), Reach::of_ipv4),
        }
    }

    const fn of_ipv4(ip: Ipv4Addr) -> Self {
        match ip.octets() {
            [169, 254, ..] | [224, 0, 0, _] | [255, 255, 255, 255] => Reach::LinkLocal,
            // Metadata that is not on the link: Alibaba's, Azure's and Oracle's.
            [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => Reach::LinkLocal,
            [0 | 10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] => Reach::Private,
            // Carriers' own, protocols', for examples and benchmarks, multicast and reserved.
            [100, 64..=127, ..] | [192, 0, 0 | 2, _] | [198, 18 | 19, ..] => Reach::Private,
            [198, 51, 100, _] | [203, 0, 113, _] | [224..=255, ..] => Reach::Private,
            _ => Reach::Public,
        }
    }

    const fn of_ipv6(ip: Ipv6Addr) -> Self {
        match ip.segments() {
            [0xfe80..=0xfebf, ..] => Reach::LinkLocal,
            // Multicast that stays on the interface or the link.
            [first, ..] if first & 0xff0f == 0xff01 || first & 0xff0f == 0xff02 => Reach::LinkLocal,
            // Metadata that is not on the link: Amazon's and Google's.
            [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Reach::LinkLocal,
            // Protocols' own, and for examples.
            [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Private,
            // The only part of the internet that is in use.
            [0x2000..=0x3fff, ..] => Reach::Public,
            _ => Reach::Private,
        }
    }
}

/// The IPv4 address that NAT64 (`64:ff9b::/96`) or 6to4 (`2002::/16`) carries.
const fn translated(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => (high, low),
        [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_does_not_pass_as_ipv6() {
        for (address, taken) in [
            ("[::1]:80", true),
            ("[::]:80", true),
            ("[::ffff:127.0.0.1]:80", false),
            ("[::ffff:0.0.0.0]:80", false),
            ("[::127.0.0.1]:80", false),
            ("[::2]:80", false),
            ("[2001:db8::1]:80", true),
            ("127.0.0.1:80", false),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(AddressFamily::Ipv6.must_take(&address).is_ok(), taken, "{address}");
        }
    }

    #[test]
    fn distances_are_those_of_the_registries() {
        for (reach, addresses) in [
            (
                Reach::Public,
                "1.1.1.1 100.128.0.1 172.32.0.1 192.0.1.1 2606:4700::1111 64:ff9b::101:101 2002:101:101::1",
            ),
            (
                Reach::Private,
                "0.0.0.0 10.0.0.1 127.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1 203.0.113.7 239.1.1.1 240.0.0.1",
            ),
            (Reach::Private, "::1 :: fc00::1 fd12::1 2001:db8::1 2001::1 ff05::1 64:ff9b::7f00:1 2002:a00:1:: 4000::1"),
            (Reach::LinkLocal, "169.254.169.254 224.0.0.251 255.255.255.255 100.100.100.200 168.63.129.16 192.0.0.192"),
            (
                Reach::LinkLocal,
                "fe80::1 febf::1 ff02::1 ff12::1 fd00:ec2::254 fd20:ce::254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::",
            ),
        ] {
            for address in addresses.split(' ') {
                assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
            }
        }
    }
}
