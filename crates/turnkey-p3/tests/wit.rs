//! What is in `wit/0.3` is what is published: every package, interface, type, function and world, with its gates and in its
//! order; and every function of it has its name in the table. Not whether the host's have these types. Source of truth: the
//! definitions that the crate `wasip3` ships.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

use std::collections::BTreeSet;

use turnkey_core::Capabilities;
use turnkey_p3::{Preview3, table};
use wit_parser::{Resolve, TypeDefKind};

#[path = "../../turnkey-p2/tests/definitions/mod.rs"]
mod definitions;

use definitions::{differences, edited, ours, published, statements};

/// How the state is found in what a store holds.
fn state((host, preview): &mut (Capabilities, Preview3)) -> (&mut Capabilities, &mut Preview3) {
    (host, preview)
}

#[test]
fn what_is_here_is_what_is_published() {
    let found = differences(&statements(&ours("0.3")), &statements(&published("wasip3")));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What the previous generation has not; what it has too, its own test looks at.
#[test]
fn whatever_else_is_here_is_seen() {
    let (ours, published) = (ours("0.3"), statements(&published("wasip3")));
    for (file, from, to) in [
        // Functions: whether they can wait, what a stream is of, what a future gives, which of them a result is.
        ("clocks.wit", "wait-for: async func", "wait-for: func"),
        ("filesystem.wit", "read-directory: func", "read-directory: async func"),
        ("cli.wit", "func(data: stream<u8>)", "func(data: stream<s8>)"),
        ("sockets.wit", "result<stream<tcp-socket>, error-code>", "result<stream<udp-socket>, error-code>"),
        ("cli.wit", "-> future<result<_, error-code>>", "-> future<result>"),
        ("cli.wit", "-> future<result<_, error-code>>", "-> result<_, error-code>"),
        ("cli.wit", "tuple<stream<u8>, future<result<_, error-code>>>", "stream<u8>"),
        ("cli.wit", "run: async func() -> result", "run: async func()"),
        // Types: cases and what they hold, as they were in the release candidates.
        ("filesystem.wit", "socket,\n    other(option<string>),", "socket,\n    unknown,"),
        ("filesystem.wit", "cross-device,\n    other(option<string>),", "cross-device,"),
        ("sockets.wit", "    connection-broken,\n", ""),
        ("sockets.wit", "permanent-resolver-failure,\n    other(option<string>),", "permanent-resolver-failure,"),
        ("clocks.wit", "seconds: s64", "seconds: u64"),
        // Gates and packages.
        (
            "cli.wit",
            "@since(version = 0.3.0)\n  exit-with-code",
            "@unstable(feature = cli-exit-with-code)\n  exit-with-code",
        ),
        ("random.wit", "max-len: u64", "len: u64"),
        // Messages: what they are made of, who answers them, and what a world of theirs imports.
        (
            "http.wit",
            "contents: option<stream<u8>>, trailers: future<result<option<trailers>, error-code>>)",
            "contents: option<stream<u8>>)",
        ),
        ("http.wit", "send: async func", "send: func"),
        ("http.wit", "size-exceeded,\n    other(option<string>),", ""),
        ("http.wit", "  import handler;\n", ""),
    ] {
        let found = differences(&edited(&ours, file, from, to), &published);
        assert!(!found.is_empty(), "`{to}` for `{from}` in `{file}`");
    }
}

#[test]
fn the_table_has_the_functions_and_resources_of_the_standard_in_its_order_and_no_others() {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    resolve.push_dir(ours("0.3")).unwrap();
    let mut interfaces = BTreeSet::new();
    for (id, interface) in resolve.interfaces.iter() {
        let versioned = resolve.id_of(id).unwrap();
        let name = versioned.split_once('@').unwrap().0;
        assert_eq!(table::interface(&versioned), Some(name));
        interfaces.insert(name.to_owned());
        if name == "wasi:cli/run" {
            assert!(table::names(name, state).is_empty(), "`{name}` is exported");
            continue;
        }
        let is_resource = |id| matches!(resolve.types[id].kind, TypeDefKind::Resource);
        let resources = interface.types.iter().filter(|(_, id)| is_resource(**id)).map(|(name, _)| name);
        let (functions, others): (Vec<&str>, Vec<&str>) =
            table::names(name, state).iter().partition(|name| interface.functions.contains_key(**name));
        assert_eq!(functions, interface.functions.keys().collect::<Vec<_>>(), "functions of `{name}`");
        assert_eq!(others, resources.collect::<Vec<_>>(), "resources of `{name}`");
    }
    let rows: Vec<_> = table::INTERFACES.iter().map(|row| row.name.to_owned()).collect();
    assert_eq!(rows.len(), interfaces.len(), "each has one row");
    assert_eq!(BTreeSet::from_iter(rows), interfaces);
}

#[test]
fn an_interface_is_known_by_each_release_and_by_the_candidates_before_them() {
    for version in ["0.3.0", "0.3.1", "0.3.2", "0.3.0-rc-2026-01-06", "0.3.0-rc-2026-02-09", "0.3.0-rc-2026-03-15"] {
        let known = table::interface(&format!("wasi:clocks/monotonic-clock@{version}"));
        assert_eq!(known, Some("wasi:clocks/monotonic-clock"), "{version}");
    }
    for unknown in ["0.2.12", "0.3", "0.3.", "0.3.x", "0.4.0", "0.3.0-rc-2025-09-16", "0.3.1-rc-2026-03-15", ""] {
        assert_eq!(table::interface(&format!("wasi:clocks/monotonic-clock@{unknown}")), None, "{unknown}");
    }
    assert_eq!(table::interface("wasi:clocks/monotonic-clock"), None);
    assert_eq!(table::interface("wasi:keyvalue/store@0.3.2"), None);
    assert_eq!(table::interface("wasi:http/types@0.3.0-rc-2026-01-06"), None);
}
