//! `environ_get`, `environ_sizes_get`.

use crate::harness::{BUF, Guest, RESULT, RESULT2, Setup};

fn with(variables: &[&[u8]]) -> Guest {
    let mut setup = Setup::new();
    setup.grants.variables = variables.iter().map(|variable| variable.to_vec()).collect();
    setup.start()
}

#[test]
fn sizes_are_the_count_and_the_bytes_with_a_zero_each() {
    let mut guest = with(&[b"A=1", b"LONGER=x=y"]);
    guest.gives("environ_sizes_get", &[RESULT, RESULT2], &[(RESULT, &[2, 0, 0, 0]), (RESULT2, &[15, 0, 0, 0])]);
}

#[test]
fn variables_are_given_as_granted_in_their_order() {
    let mut guest = with(&[b"Z=\xff", b"A=1", b"EMPTY="]);
    let pointers: Vec<u8> = [BUF, BUF + 4, BUF + 8].iter().flat_map(|&at| (at as u32).to_le_bytes()).collect();
    guest.gives("environ_get", &[RESULT, BUF], &[(RESULT, &pointers), (BUF, b"Z=\xff\0A=1\0EMPTY=\0")]);
}

#[test]
fn nothing_of_the_host_is_in_an_environment_that_was_not_granted() {
    let mut guest = with(&[]);
    guest.gives("environ_sizes_get", &[RESULT, RESULT2], &[(RESULT, &[0; 4]), (RESULT2, &[0; 4])]);
    guest.gives("environ_get", &[RESULT, BUF], &[]);
}
