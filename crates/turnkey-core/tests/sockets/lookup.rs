//! Look-ups: what is a name, who may look it up, and what follows for the grants by name. Nothing here asks beyond this
//! machine.

use std::net::IpAddr;

use turnkey_core::limits::Limits;
use turnkey_core::sockets::lookup::MOST_ADDRESSES;
use turnkey_core::sockets::{AddressFamily, ResolveAddressStream, TcpSocket};
use turnkey_core::{Capabilities, ErrorCode};

use super::{CALL, at, guest, guest_with, happened, refused, wait};

fn addresses(host: &mut Capabilities, lookup: &mut ResolveAddressStream) -> Result<Vec<IpAddr>, ErrorCode> {
    wait(host, lookup.interest());
    let mut found = Vec::new();
    while let Some(ip) = lookup.resolve_next_address(host)? {
        found.push(ip);
    }
    Ok(found)
}

fn resolve(host: &mut Capabilities, name: &str) -> Result<Vec<String>, ErrorCode> {
    let mut lookup = ResolveAddressStream::resolve_addresses(host, CALL, name)?;
    let found = addresses(host, &mut lookup)?;
    // The end is the end.
    assert_eq!(lookup.resolve_next_address(host), Ok(None));
    drop(lookup);
    Ok(found.iter().map(ToString::to_string).collect())
}

#[test]
fn an_address_is_its_own_answer_and_needs_no_grant() {
    let host = &mut guest(&[]);
    for (given, found) in
        [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("0:0:0:0:0:0:0:1", "::1"), ("::ffff:10.0.0.1", "10.0.0.1")]
    {
        let mut lookup = ResolveAddressStream::resolve_addresses(host, CALL, given).unwrap();
        assert!(happened(host, lookup.interest()));
        assert_eq!(addresses(host, &mut lookup).unwrap(), [found.parse::<IpAddr>().unwrap()], "{given}");
    }
    assert!(refused(host).is_empty());
}

#[test]
fn what_is_no_name_is_no_argument() {
    let host = &mut guest(&["network"]);
    let long = format!("{}.example", "a".repeat(64));
    for name in [
        "",
        ".",
        "a..b",
        "[::1]",
        "127.1",
        "2130706433",
        "0x7f000001",
        "a b",
        "bücher.example",
        "a\0b",
        "fe80::1%lo",
        &long,
    ] {
        let result = ResolveAddressStream::resolve_addresses(host, CALL, name);
        assert_eq!(result.err(), Some(ErrorCode::Invalid), "{name}");
    }
    assert_eq!(host.budget.used(), 0);
}

#[test]
fn a_name_needs_its_grant_even_if_the_user_says_what_it_stands_for() {
    let hosts = [("db.example", "10.0.0.1"), ("www.example", "10.0.0.2"), ("DB.example.", "::1")];
    let host = &mut guest_with(&["resolve=db.example"], &hosts, Limits::default());
    assert_eq!(resolve(host, "db.example").unwrap(), ["10.0.0.1", "::1"]);
    assert_eq!(resolve(host, "DB.EXAMPLE.").unwrap(), ["10.0.0.1", "::1"]);
    assert_eq!(resolve(host, "www.example").err(), Some(ErrorCode::Access));
    assert_eq!(refused(host), ["--allow resolve=www.example"]);
}

#[test]
fn the_system_knows_this_machine() {
    let host = &mut guest(&["tcp-connect=localhost:*"]);
    let found = resolve(host, "localhost").unwrap();
    assert!(found.iter().any(|ip| ip == "127.0.0.1" || ip == "::1"), "{found:?}");
    assert_eq!(host.budget.used() % 1024, (found.len() * (160 + "localhost".len())) as u64 % 1024);
}

#[test]
fn a_grant_by_name_reaches_what_the_lookup_answered_and_not_before() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = listener.local_addr().unwrap();
    let hosts = [("here.example", "127.0.0.1"), ("other.example", "127.0.0.1")];
    let grants = [format!("tcp-connect=here.example:{}", remote.port()), "resolve=other.example".to_owned()];
    let host = &mut guest_with(&grants.each_ref().map(String::as_str), &hosts, Limits::default());
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    assert_eq!(socket.start_connect(host, CALL, remote), Err(ErrorCode::Access));
    // The same address by another name is not what was granted.
    resolve(host, "other.example").unwrap();
    assert_eq!(socket.start_connect(host, CALL, remote), Err(ErrorCode::Access));
    resolve(host, "here.example").unwrap();
    assert_eq!(socket.start_connect(host, CALL, at("127.0.0.1:1")), Err(ErrorCode::Access));
    assert_eq!(socket.start_connect(host, CALL, remote), Ok(()));
}

#[test]
fn names_below_a_pattern_do_not_lead_into_the_private_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = listener.local_addr().unwrap();
    let hosts = [("evil.example.com", "127.0.0.1"), ("metadata.example.org", "169.254.169.254")];
    let grants = ["tcp-connect=*.example.com:*", "tcp-connect=metadata.example.org:*"];
    let host = &mut guest_with(&grants, &hosts, Limits::default());
    resolve(host, "evil.example.com").unwrap();
    resolve(host, "metadata.example.org").unwrap();
    for address in [remote, at("169.254.169.254:80")] {
        let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
        assert_eq!(socket.start_connect(host, CALL, address), Err(ErrorCode::Access), "{address}");
    }
}

#[test]
fn lookups_under_way_are_bounded() {
    let host = &mut guest_with(&["network"], &[], Limits { lookups: 2, ..Limits::default() });
    let mut lookups: Vec<ResolveAddressStream> =
        (0..2).map(|_| ResolveAddressStream::resolve_addresses(host, CALL, "localhost").unwrap()).collect();
    let third = ResolveAddressStream::resolve_addresses(host, CALL, "localhost");
    assert_eq!(third.err(), Some(ErrorCode::TemporaryResolverFailure));
    assert!(host.budget.used() > 0);
    for lookup in &mut lookups {
        addresses(host, lookup).unwrap();
    }
    assert!(ResolveAddressStream::resolve_addresses(host, CALL, "localhost").is_ok());
    drop(lookups);
    assert_eq!(host.budget.used(), 0);
}

#[test]
fn an_answer_is_bounded() {
    let addresses: Vec<String> = (0..=MOST_ADDRESSES).map(|number| format!("10.0.0.{number}")).collect();
    let hosts: Vec<(&str, &str)> = addresses.iter().map(|ip| ("many.example", ip.as_str())).collect();
    let host = &mut guest_with(&["network"], &hosts, Limits::default());
    assert_eq!(resolve(host, "many.example").unwrap().len(), MOST_ADDRESSES);
}

#[test]
fn a_guest_that_cannot_pay_looks_up_nothing() {
    let host = &mut guest_with(
        &["resolve=*"],
        &[("db.example", "10.0.0.1")],
        Limits { host_bytes: 16 << 10, ..Limits::default() },
    );
    // The look-up itself could be paid for, and not what is to be remembered of it.
    assert_eq!(resolve(host, "db.example").err(), Some(ErrorCode::InsufficientMemory));
    assert_eq!(host.budget.used(), 0);
}
