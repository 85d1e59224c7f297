//! Sockets of `wasi:sockets`, as an ABI layer uses them: on loopback only, and whatever the rights of whoever runs this.

#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]
#![allow(clippy::disallowed_methods, reason = "tests are the other side, and wait for the host")]

mod lookup;
mod tcp;
mod udp;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use turnkey_core::limits::Limits;
use turnkey_core::sockets::{AddressFamily, NetworkGrants, SocketGrant};
use turnkey_core::stream::{Interest, Wait, Waiting};
use turnkey_core::{Capabilities, Grants};

const CALL: &str = "test";
/// Whatever takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(10);

const FAMILIES: [AddressFamily; 2] = [AddressFamily::Ipv4, AddressFamily::Ipv6];

/// A guest that has these grants, and some time for whatever it waits for.
fn guest(allowed: &[&str]) -> Capabilities {
    guest_with(allowed, &[], Limits::default())
}

fn guest_with(allowed: &[&str], hosts: &[(&str, &str)], limits: Limits) -> Capabilities {
    let sockets = allowed.iter().map(|written| SocketGrant::parse(written).unwrap()).collect();
    let ip = |ip: &str| ip.parse::<IpAddr>().unwrap();
    let grants = Grants {
        network: NetworkGrants { sockets, ..NetworkGrants::default() },
        hosts: hosts.iter().map(|(name, address)| (name.to_string(), ip(address))).collect(),
        ..Grants::default()
    };
    Capabilities::new(grants, Limits { timeout: Some(PATIENCE), ..limits }).unwrap()
}

/// A guest that may do everything with the network.
fn anything() -> Capabilities {
    guest(&["network"])
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// An address of this machine and nobody else.
fn loopback(family: AddressFamily, port: u16) -> SocketAddr {
    match family {
        AddressFamily::Ipv4 => SocketAddr::from(([127, 0, 0, 1], port)),
        AddressFamily::Ipv6 => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)),
    }
}

/// Waits until this has happened.
fn wait(host: &mut Capabilities, interest: Interest) {
    assert!(Waiting::new(vec![interest]).wait(host, Wait::Forever).unwrap());
}

/// Whether this has happened by now.
fn happened(host: &mut Capabilities, interest: Interest) -> bool {
    Waiting::new(vec![interest]).wait(host, Wait::Never).unwrap()
}

/// The grants that would have allowed what was refused.
fn refused(host: &Capabilities) -> Vec<String> {
    host.audit.refusals().iter().map(|row| row.grant.to_string()).collect()
}
