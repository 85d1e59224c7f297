//! `errno` of `typenames.witx`: what a guest of Preview 1 or 0 sees of an [`ErrorCode`].

use turnkey_core::ErrorCode;

/// The number of a code.
#[must_use]
pub const fn errno(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::Access => 2,
        ErrorCode::AddressInUse => 3,
        ErrorCode::AddressNotBindable => 4,
        ErrorCode::WouldBlock => 6,
        ErrorCode::Already => 7,
        ErrorCode::BadDescriptor => 8,
        ErrorCode::Busy => 10,
        ErrorCode::ConnectionAborted => 13,
        ErrorCode::ConnectionRefused => 14,
        ErrorCode::ConnectionReset => 15,
        ErrorCode::Deadlock => 16,
        ErrorCode::Quota => 19,
        ErrorCode::Exist => 20,
        ErrorCode::FileTooLarge => 22,
        ErrorCode::RemoteUnreachable => 23,
        ErrorCode::IllegalByteSequence => 25,
        ErrorCode::InProgress => 26,
        ErrorCode::Interrupted => 27,
        ErrorCode::Invalid => 28,
        ErrorCode::Io => 29,
        // Preview 1 opens no socket and looks up no name, so that none of these comes from a function of it.
        ErrorCode::InvalidState
        | ErrorCode::NotInProgress
        | ErrorCode::NameUnresolvable
        | ErrorCode::TemporaryResolverFailure
        | ErrorCode::PermanentResolverFailure => 29,
        ErrorCode::AlreadyConnected => 30,
        ErrorCode::IsDirectory => 31,
        ErrorCode::Loop => 32,
        ErrorCode::TooManyLinks => 34,
        ErrorCode::MessageSize => 35,
        ErrorCode::NameTooLong => 37,
        // The limit is the host's, and not that of a process of its own: `nfile`.
        ErrorCode::TooManyDescriptors => 41,
        ErrorCode::NoDevice => 43,
        ErrorCode::NoEntry => 44,
        ErrorCode::NoLock => 46,
        ErrorCode::InsufficientMemory => 48,
        ErrorCode::InsufficientSpace => 51,
        ErrorCode::NotConnected => 53,
        ErrorCode::NotDirectory => 54,
        ErrorCode::NotEmpty => 55,
        ErrorCode::NotRecoverable => 56,
        ErrorCode::NotSocket => 57,
        ErrorCode::Unsupported => 58,
        ErrorCode::NoTty => 59,
        ErrorCode::NoSuchDevice => 60,
        ErrorCode::Overflow => 61,
        ErrorCode::NotPermitted => 63,
        ErrorCode::Pipe => 64,
        ErrorCode::ReadOnly => 69,
        ErrorCode::InvalidSeek => 70,
        ErrorCode::Timeout => 73,
        ErrorCode::TextFileBusy => 74,
        ErrorCode::CrossDevice => 75,
        ErrorCode::NotCapable => 76,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page that users read is this match, and not what somebody remembers of it.
    #[test]
    fn the_matrix_of_errors_is_what_guests_get() {
        let page = include_str!("../../../docs/errors.md");
        let mut table = String::from("| code | operating system | Preview 1 |\n|---|---|---|\n");
        for &code in ErrorCode::ALL {
            let names = code.os_names().join(" ");
            table += &format!("| {} | {names} | {} |\n", code.word(), errno(code));
        }
        assert!(page.contains(&table), "docs/errors.md should have this table:\n{table}");
    }

    #[test]
    fn no_two_codes_are_the_same_to_a_guest_but_those_that_it_never_gets() {
        let mut numbers: Vec<u16> = ErrorCode::ALL.iter().map(|&code| errno(code)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let never = ErrorCode::ALL.iter().filter(|&&code| code != ErrorCode::Io && errno(code) == errno(ErrorCode::Io));
        assert_eq!(numbers.len() + never.count(), ErrorCode::ALL.len());
        assert!(numbers.iter().all(|number| (1..=76).contains(number)));
    }
}
