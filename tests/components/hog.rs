//! The program that limits are for: whatever it takes, a limit ends it, and the host grows no larger than that.

use std::ffi::OsStr;
use std::net::TcpListener;

use crate::harness::{Folder, Ran, granted, run};
use crate::running;

/// What the host may have in all, with a limit on memory of a quarter of it: the rest is the host's own, the same
/// whatever the guest does.
const HOST_BYTES: u64 = 256 << 20;

fn hog(folder: &Folder, flags: &[&str], words: &[&str]) -> Ran {
    let granted = granted(folder.root(), "/d");
    let mut all: Vec<&OsStr> =
        vec!["--timeout=50s".as_ref(), "--max-memory=64MiB".as_ref(), "--dir".as_ref(), &granted];
    all.push("--allow=network".as_ref());
    all.push("--add-host=known.example:192.0.2.1".as_ref());
    all.extend(flags.iter().map(OsStr::new));
    let ran = run(&mut running(&all, "p2_hog", words));
    assert!(ran.peak_bytes < HOST_BYTES, "{words:?}: the host came to {} bytes", ran.peak_bytes);
    ran
}

#[test]
fn handles_that_are_had_for_the_asking_end_at_their_limit() {
    let folder = Folder::new();
    for what in [
        &["pollables"][..],
        &["stdouts"],
        &["networks"],
        &["preopens"],
        &["file-streams", "/d"],
        &["errors", "/d"],
        &["datagram-streams", "127.0.0.1:0"],
    ] {
        let ran = hog(&folder, &["--max-handles=10000"], what);
        assert!(ran.ended_with(124).contains("--max-handles"), "{what:?}: {ran:?}");
        assert!(ran.text().is_empty() && ran.stderr.contains("4096\n"), "{what:?}: {ran:?}");
    }
}

#[test]
fn without_a_limit_of_ones_own_handles_end_too() {
    let folder = Folder::new();
    for what in [&["pollables"][..], &["stdouts"], &["preopens"], &["errors", "/d"]] {
        let ran = hog(&folder, &[], what);
        assert_ne!(ran.status(), 0, "{what:?}: {ran:?}");
    }
}

#[test]
fn sockets_end_at_their_limit_with_the_code_for_it() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = listener.local_addr().unwrap().to_string();
    for what in [&["tcp-sockets"][..], &["udp-sockets"], &["listeners", "127.0.0.1:0"], &["connections", &there]] {
        let ran = hog(&folder, &["--max-sockets=20"], what);
        assert_eq!((ran.status(), ran.text()), (0, "new-socket-limit after 20\n"), "{what:?}: {ran:?}");
    }
}

#[test]
fn descriptors_end_at_their_limit() {
    let folder = Folder::new();
    for what in ["descriptors", "listings"] {
        let ran = hog(&folder, &["--max-descriptors=50"], &[what, "/d"]);
        // The directory that was handed over is one of them.
        assert_eq!((ran.status(), ran.text()), (0, "insufficient-memory after 49\n"), "{what}: {ran:?}");
    }
}

#[test]
fn look_ups_end_somewhere() {
    let folder = Folder::new();
    let ran = hog(&folder, &["--max-handles=1000"], &["lookups", "known.example"]);
    assert!(ran.ended_with(124).contains("--max-handles"), "{ran:?}");
}

#[test]
fn what_is_not_to_be_had_is_none() {
    let folder = Folder::new();
    assert_eq!(hog(&folder, &[], &["terminals"]).quiet(), "none after 0\n");
}

#[test]
fn no_length_of_a_guest_makes_the_host_large() {
    let folder = Folder::new();
    for what in ["random", "insecure"] {
        let ran = hog(&folder, &[], &[what]);
        assert_ne!(ran.status(), 0, "{what}: {ran:?}");
        ran.in_form();
    }
    let ran = hog(&folder, &[], &["read", "/d"]);
    for line in ran.quiet().lines() {
        let bytes: u64 = line.strip_suffix(" bytes").unwrap().parse().unwrap();
        assert!(bytes > 0 && bytes < 64 << 20, "{line}");
    }
    let ran = hog(&folder, &[], &["datagrams", "127.0.0.1:0"]);
    assert!(ran.quiet().contains(" datagrams, "), "{ran:?}");
}

#[test]
fn a_poll_of_very_many_ends_well_or_at_a_limit() {
    let folder = Folder::new();
    assert_eq!(hog(&folder, &[], &["poll", "1000"]).quiet(), "ready: [1000]\n");
    for many in ["100000", "5000000"] {
        let ran = hog(&folder, &[], &["poll", many]);
        if ran.status() != 0 {
            ran.in_form();
        }
    }
}
