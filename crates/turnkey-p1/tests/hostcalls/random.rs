//! `random_get`.

use turnkey_core::random::RandomGrant;

use crate::harness::{BUF, Guest, MEMORY_BYTES, Setup};

fn seeded(seed: u64) -> Guest {
    let mut setup = Setup::new();
    setup.grants.random = RandomGrant::Seeded(seed);
    setup.start()
}

fn random(guest: &mut Guest, bytes: u64) -> Vec<u8> {
    guest.writes("random_get", &[BUF, bytes], &[(BUF, bytes)]);
    guest.read(BUF, bytes as usize)
}

#[test]
fn all_of_the_room_is_filled_and_nothing_beside_it() {
    let mut guest = Guest::new();
    for bytes in [0, 1, 3, 32, 1021] {
        let first = random(&mut guest, bytes);
        // Not a byte is left alone by chance three times in a row.
        let (second, third) = (random(&mut guest, bytes), random(&mut guest, bytes));
        for at in 0..bytes as usize {
            assert!([first[at], second[at], third[at]] != [0xa5; 3], "byte {at} of {bytes}");
        }
    }
}

#[test]
fn the_whole_memory_can_be_filled() {
    let mut guest = Guest::new();
    guest.writes("random_get", &[0, MEMORY_BYTES as u64], &[(0, MEMORY_BYTES as u64)]);
    let ones: u32 = guest.bytes().iter().map(|byte| byte.count_ones()).sum();
    // Half of a million bits, give or take twenty times what chance does.
    assert!(ones.abs_diff(MEMORY_BYTES as u32 * 4) < 10_000, "{ones}");
}

#[test]
fn nothing_asked_for_is_nothing_written_also_at_the_end() {
    Guest::new().gives("random_get", &[MEMORY_BYTES as u64, 0], &[]);
}

#[test]
fn a_seed_makes_a_run_repeatable() {
    let (mut one, mut same, mut other) = (seeded(7), seeded(7), seeded(8));
    let first = random(&mut one, 64);
    assert_eq!(first, random(&mut same, 64));
    assert_ne!(first, random(&mut other, 64));
    assert_ne!(first, random(&mut one, 64), "the same bytes twice in one run");
}

#[test]
fn two_guests_do_not_share_their_secrets() {
    assert_ne!(random(&mut Guest::new(), 64), random(&mut Guest::new(), 64));
}
