//! `proc_exit`, `proc_raise`.

use turnkey_p1::Exit;

use crate::harness::Guest;
use crate::harness::errno::{INVAL, NOTSUP};

#[test]
fn a_program_ends_with_the_status_it_gave() {
    let mut guest = Guest::new();
    for status in [0, 1, 125, 255, 256, u32::MAX] {
        assert_eq!(guest.traps::<Exit>("proc_exit", &[status.into()]), Exit(status));
    }
}

#[test]
fn a_signal_that_programs_ignore_by_default_does_nothing() {
    let mut guest = Guest::new();
    for signal in [0, 16, 17, 22, 27] {
        guest.gives("proc_raise", &[signal], &[]);
    }
}

#[test]
fn a_signal_that_ends_programs_ends_the_guest_and_not_the_host() {
    let mut guest = Guest::new();
    for signal in (1..=15).chain(23..=26).chain(28..=30) {
        assert_eq!(guest.traps::<Exit>("proc_raise", &[signal]), Exit(128 + signal as u32));
    }
}

#[test]
fn a_guest_cannot_stop_its_host() {
    let mut guest = Guest::new();
    for signal in 18..=21 {
        guest.fails("proc_raise", &[signal], NOTSUP);
    }
}

#[test]
fn a_number_that_is_no_signal_is_invalid() {
    let mut guest = Guest::new();
    for signal in [31, 64, 256, 0xffff_ffff] {
        guest.fails("proc_raise", &[signal], INVAL);
    }
}
