//! Names by `wasi:sockets/ip-name-lookup` of Preview 3. Nothing here asks the network: the names are given, refused, or this
//! machine's own.

use crate::harness::{Ran, run};
use crate::running;

fn lookup(flags: &[&str], words: &[&str]) -> Ran {
    run(&mut running(flags, "p3_lookup", words))
}

#[test]
fn names_that_were_given_have_all_their_addresses_in_one_answer() {
    let flags = [
        "--allow=resolve=one.example",
        "--allow=resolve=*.test",
        "--add-host=one.example:192.0.2.7",
        "--add-host=one.example:2001:db8::1",
        "--add-host=one.example:::ffff:192.0.2.9",
        "--add-host=a.test:127.0.0.1",
        "--add-host=other.example:192.0.2.8",
    ];
    let expected = "\
one.example: 192.0.2.7 2001:db8::1 192.0.2.9
ONE.Example.: 192.0.2.7 2001:db8::1 192.0.2.9
a.test: 127.0.0.1
other.example: access-denied
test: access-denied
192.0.2.7: 192.0.2.7
::1: ::1
::ffff:10.0.0.1: 10.0.0.1
a..b: invalid-argument
";
    let names = [
        "one.example",
        "ONE.Example.",
        "a.test",
        "other.example",
        "test",
        "192.0.2.7",
        "::1",
        "::ffff:10.0.0.1",
        "a..b",
    ];
    for way in ["after", "together"] {
        let words: Vec<&str> = [way].into_iter().chain(names).collect();
        assert_eq!(lookup(&flags, &words).quiet(), expected, "{way}");
    }
}

#[test]
fn an_address_is_its_own_answer_and_needs_no_grant() {
    let ran = lookup(&[], &["after", "192.0.2.7", "::1", "2001:db8:0:0::7"]);
    assert_eq!(ran.quiet(), "192.0.2.7: 192.0.2.7\n::1: ::1\n2001:db8:0:0::7: 2001:db8::7\n");
}

#[test]
fn what_is_no_name_is_an_invalid_argument() {
    let long = "n".repeat(300);
    let names = ["after", "", ".", "a b", "127.0.0.1:80", "127.1", "a/b", "a\nb", "bücher.example", &long];
    let ran = lookup(&["--allow=resolve=*"], &names);
    assert_eq!(ran.quiet().matches(": invalid-argument\n").count(), names.len() - 1, "{ran:?}");
}

#[test]
fn this_machine_is_known_by_its_name_and_more_than_one_may_ask_for_it() {
    let ran = lookup(&["--allow=resolve=localhost"], &["together", "localhost", "localhost", "localhost"]);
    let mut lines = ran.quiet().lines();
    let first = lines.next().unwrap();
    assert!(first == "localhost: 127.0.0.1" || first.starts_with("localhost: ::1"), "{first}");
    assert!(lines.all(|line| line == first), "{ran:?}");
}

/// What nobody waits for ends by itself, and is a look-up under way until then.
#[test]
fn look_ups_that_are_cancelled_leave_nothing_that_counts() {
    let ran = lookup(&["--allow=resolve=localhost", "--max-memory=16M"], &["cancelled", "localhost"]);
    let lines: Vec<&str> = ran.quiet().lines().collect();
    assert_eq!(lines[0], "localhost: some had to wait: true");
    assert!(lines[1].starts_with("localhost: 127.0.0.1") || lines[1].starts_with("localhost: ::1"), "{ran:?}");
}

#[test]
fn a_look_up_that_was_refused_is_explained() {
    let ran = lookup(&["--explain"], &["after", "db.example", "db.example"]);
    assert_eq!(ran.text(), "db.example: access-denied\n".repeat(2));
    let row = ran.stderr.lines().find(|line| line.contains("db.example")).unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words, ["resolve-addresses", "2", "db.example", "--allow", "resolve=db.example"]);
}
