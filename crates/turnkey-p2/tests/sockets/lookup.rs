//! Look-ups.

use turnkey_core::limits::Limits;
use wasmtime::component::Val;

use crate::{Guest, NONE, ip};

fn begin(guest: &mut Guest, name: &str) -> Result<Val, Val> {
    let arguments = [guest.network.clone(), Val::String(name.to_owned())];
    guest.result("ip-name-lookup", "resolve-addresses", &arguments).map(Option::unwrap)
}

fn next(guest: &mut Guest, stream: &Val) -> Result<Option<Val>, Val> {
    guest.result("ip-name-lookup", "resolve-address-stream-resolve-next-address", &[stream.clone()])
}

/// All addresses of a name.
fn resolve(guest: &mut Guest, name: &str) -> Vec<Val> {
    let stream = begin(guest, name).unwrap();
    guest.wait("ip-name-lookup", "resolve-address-stream", &stream);
    let mut found = Vec::new();
    while let Some(Val::Option(Some(ip))) = next(guest, &stream).unwrap() {
        found.push(*ip);
    }
    assert_eq!(next(guest, &stream), Ok(Some(NONE)));
    guest.drop(stream);
    found
}

fn code(code: &str) -> Val {
    Val::Enum(code.to_owned())
}

#[test]
fn a_name_stands_for_what_the_user_says() {
    let hosts = [("db.example", "10.0.0.1"), ("db.example", "fd00::1")];
    let guest = &mut Guest::with(&["resolve=db.example"], &hosts, Limits::default());
    assert_eq!(resolve(guest, "db.example"), [ip("10.0.0.1"), ip("fd00::1")]);
    assert_eq!(begin(guest, "www.example"), Err(code("access-denied")));
    assert_eq!(guest.refused(), [("resolve-addresses", "--allow resolve=www.example".to_owned())]);
}

#[test]
fn an_address_is_its_own_answer() {
    let guest = &mut Guest::new(&[]);
    assert_eq!(resolve(guest, "127.0.0.1"), [ip("127.0.0.1")]);
    assert_eq!(resolve(guest, "::1"), [ip("::1")]);
    assert_eq!(resolve(guest, "::ffff:127.0.0.1"), [ip("127.0.0.1")]);
}

#[test]
fn what_is_no_name_is_no_argument() {
    let guest = &mut Guest::new(&["network"]);
    for name in ["", "a..b", "[::1]", "127.1", "a b", "bücher.example"] {
        assert_eq!(begin(guest, name), Err(code("invalid-argument")), "{name}");
    }
}

#[test]
fn the_system_is_asked_while_the_guest_waits() {
    let guest = &mut Guest::new(&["resolve=localhost"]);
    let found = resolve(guest, "localhost");
    assert!(found.contains(&ip("127.0.0.1")) || found.contains(&ip("::1")), "{found:?}");
}

#[test]
fn lookups_under_way_are_bounded_and_paid_for() {
    let guest = &mut Guest::with(&["network"], &[], Limits { lookups: 1, ..Limits::default() });
    let before = guest.host().budget.used();
    let first = begin(guest, "localhost").unwrap();
    assert_eq!(begin(guest, "localhost"), Err(code("temporary-resolver-failure")));
    guest.wait("ip-name-lookup", "resolve-address-stream", &first);
    assert!(matches!(next(guest, &first), Ok(Some(Val::Option(Some(_))))));
    let second = begin(guest, "localhost").unwrap();
    assert!(guest.host().budget.used() > before);
    guest.drop(first);
    guest.drop(second);
    assert_eq!(guest.host().budget.used(), before);
}
