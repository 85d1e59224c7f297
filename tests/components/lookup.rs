//! Names by `wasi:sockets/ip-name-lookup`. Nothing here asks the network: the names are given, or refused.

use crate::harness::run;
use crate::running;

#[test]
fn names_that_were_given_have_the_addresses_that_were_given() {
    let flags = [
        "--allow=resolve=one.example",
        "--allow=resolve=*.test",
        "--add-host=one.example:192.0.2.7",
        "--add-host=one.example:2001:db8::1",
        "--add-host=a.test:127.0.0.1",
        "--add-host=other.example:192.0.2.8",
    ];
    let names = ["one.example", "ONE.Example", "a.test", "a.test", "other.example", "test"];
    let ran = run(&mut running(&flags, "lookup", &names));
    let expected = "\
one.example: 192.0.2.7 2001:db8::1
ONE.Example: 192.0.2.7 2001:db8::1
a.test: 127.0.0.1
a.test: 127.0.0.1
other.example: access-denied at once
test: access-denied at once
";
    assert_eq!(ran.quiet(), expected);
}

#[test]
fn an_address_is_its_own_and_needs_no_grant() {
    let ran = run(&mut running::<&str>(&[], "lookup", &["192.0.2.7", "::1", "2001:db8:0:0::7"]));
    assert_eq!(ran.quiet(), "192.0.2.7: 192.0.2.7\n::1: ::1\n2001:db8:0:0::7: 2001:db8::7\n");
}

#[test]
fn what_is_no_name_is_an_invalid_argument() {
    let long = "n".repeat(300);
    let names = ["", "a b", "a..b", "127.0.0.1:80", "a/b", "a\nb", &long];
    let ran = run(&mut running(&["--allow=resolve=*"], "lookup", &names));
    for line in ran.quiet().lines() {
        assert!(line.ends_with(": invalid-argument at once"), "{line}");
    }
}

#[test]
fn a_look_up_that_was_refused_is_explained() {
    let ran = run(&mut running(&["--explain"], "lookup", &["db.example", "db.example"]));
    assert_eq!(ran.text(), "db.example: access-denied at once\n".repeat(2));
    let row = ran.stderr.lines().find(|line| line.contains("db.example")).unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words, ["resolve-addresses", "2", "db.example", "--allow", "resolve=db.example"]);
}
