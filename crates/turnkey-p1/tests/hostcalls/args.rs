//! `args_get`, `args_sizes_get`.

use crate::harness::{BUF, Guest, MEMORY_BYTES, RESULT, RESULT2, Setup};

fn with(arguments: &[&[u8]]) -> Guest {
    let mut setup = Setup::new();
    setup.grants.arguments = arguments.iter().map(|argument| argument.to_vec()).collect();
    setup.start()
}

#[test]
fn sizes_are_the_count_and_the_bytes_with_a_zero_each() {
    let mut guest = with(&[b"prog", b"", b"two words"]);
    guest.gives("args_sizes_get", &[RESULT, RESULT2], &[(RESULT, &[3, 0, 0, 0]), (RESULT2, &[16, 0, 0, 0])]);
}

#[test]
fn arguments_follow_each_other_in_the_buffer_and_nothing_else_is_written() {
    let mut guest = with(&[b"prog", b"", b"\xff\xfe"]);
    let pointers: Vec<u8> = [BUF, BUF + 5, BUF + 6].iter().flat_map(|&at| (at as u32).to_le_bytes()).collect();
    guest.gives("args_get", &[RESULT, BUF], &[(RESULT, &pointers), (BUF, b"prog\0\0\xff\xfe\0")]);
}

#[test]
fn a_guest_without_arguments_has_none_rather_than_an_error() {
    let mut guest = with(&[]);
    guest.gives("args_sizes_get", &[RESULT, RESULT2], &[(RESULT, &[0; 4]), (RESULT2, &[0; 4])]);
    guest.gives("args_get", &[MEMORY_BYTES as u64, MEMORY_BYTES as u64], &[]);
}

#[test]
fn arguments_fit_to_the_last_byte_of_the_memory() {
    let mut guest = with(&[b"abc"]);
    let (argv, buffer) = (MEMORY_BYTES as u64 - 8, MEMORY_BYTES as u64 - 4);
    let pointer = (buffer as u32).to_le_bytes();
    guest.gives("args_get", &[argv, buffer], &[(argv, &pointer), (buffer, b"abc\0")]);
}

#[test]
fn a_long_argument_arrives_whole() {
    let long = vec![b'x'; 20_000];
    let mut guest = with(&[&long]);
    let mut expected = long.clone();
    expected.push(0);
    guest.gives("args_get", &[RESULT, BUF], &[(RESULT, &(BUF as u32).to_le_bytes()), (BUF, &expected)]);
}
