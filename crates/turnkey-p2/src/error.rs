//! The core's error codes as a guest of `wasi:filesystem` gets them: one exhaustive match, so that a new code does not
//! compile until it is decided. `wasi:sockets` has the other, in `sockets/network.rs`; `docs/errors.md` shows both.

use turnkey_core::ErrorCode as Code;

use crate::filesystem::types::ErrorCode;

/// An interface's `error-code`, in the standard's order: each code with its word.
macro_rules! error_codes {
    ($(#[$doc:meta])* $($name:ident = $word:literal,)*) => {
        $(#[$doc])*
        #[derive(ComponentType, Lower, Clone, Copy, Debug, PartialEq, Eq)]
        #[component(enum)]
        #[repr(u8)]
        pub(crate) enum ErrorCode { $(#[component(name = $word)] $name,)* }

        impl ErrorCode {
            /// Its name in the standard.
            #[cfg(test)]
            pub(crate) const fn word(self) -> &'static str {
                match self { $(ErrorCode::$name => $word,)* }
            }
        }
    };
}
pub(crate) use error_codes;

/// The code of `wasi:filesystem`. What the standard has no word for there is the nearest that it has: a limit on descriptors
/// is a limit on memory, and what no file can say is `io`.
pub(crate) const fn filesystem(code: Code) -> ErrorCode {
    match code {
        Code::Access => ErrorCode::Access,
        Code::Already => ErrorCode::Already,
        Code::BadDescriptor => ErrorCode::BadDescriptor,
        Code::Busy => ErrorCode::Busy,
        Code::CrossDevice => ErrorCode::CrossDevice,
        Code::Deadlock => ErrorCode::Deadlock,
        Code::Exist => ErrorCode::Exist,
        Code::FileTooLarge => ErrorCode::FileTooLarge,
        Code::IllegalByteSequence => ErrorCode::IllegalByteSequence,
        Code::InProgress => ErrorCode::InProgress,
        Code::InsufficientMemory | Code::TooManyDescriptors => ErrorCode::InsufficientMemory,
        Code::InsufficientSpace => ErrorCode::InsufficientSpace,
        Code::Interrupted => ErrorCode::Interrupted,
        Code::Invalid => ErrorCode::Invalid,
        Code::InvalidSeek => ErrorCode::InvalidSeek,
        Code::Io => ErrorCode::Io,
        Code::IsDirectory => ErrorCode::IsDirectory,
        Code::Loop => ErrorCode::Loop,
        Code::MessageSize => ErrorCode::MessageSize,
        Code::NameTooLong => ErrorCode::NameTooLong,
        Code::NoDevice => ErrorCode::NoDevice,
        Code::NoEntry => ErrorCode::NoEntry,
        Code::NoLock => ErrorCode::NoLock,
        Code::NoSuchDevice => ErrorCode::NoSuchDevice,
        Code::NoTty => ErrorCode::NoTty,
        Code::NotDirectory => ErrorCode::NotDirectory,
        Code::NotEmpty => ErrorCode::NotEmpty,
        Code::NotPermitted | Code::NotCapable => ErrorCode::NotPermitted,
        Code::NotRecoverable => ErrorCode::NotRecoverable,
        Code::Overflow => ErrorCode::Overflow,
        Code::Pipe => ErrorCode::Pipe,
        Code::Quota => ErrorCode::Quota,
        Code::ReadOnly => ErrorCode::ReadOnly,
        Code::TextFileBusy => ErrorCode::TextFileBusy,
        Code::TooManyLinks => ErrorCode::TooManyLinks,
        Code::Unsupported => ErrorCode::Unsupported,
        Code::WouldBlock => ErrorCode::WouldBlock,
        Code::AddressInUse
        | Code::AddressNotBindable
        | Code::AlreadyConnected
        | Code::ConnectionAborted
        | Code::ConnectionRefused
        | Code::ConnectionReset
        | Code::InvalidState
        | Code::NameUnresolvable
        | Code::NotConnected
        | Code::NotInProgress
        | Code::NotSocket
        | Code::PermanentResolverFailure
        | Code::RemoteUnreachable
        | Code::TemporaryResolverFailure
        | Code::Timeout => ErrorCode::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sockets::network::network;

    /// The page that users read is these matches, and not what somebody remembers of them.
    #[test]
    fn the_matrix_of_errors_is_what_guests_get() {
        let page = include_str!("../../../docs/errors.md");
        let mut table = String::from("| code | `wasi:filesystem` | `wasi:sockets` |\n|---|---|---|\n");
        for &code in Code::ALL {
            table += &format!("| {} | {} | {} |\n", code.word(), filesystem(code).word(), network(code).word());
        }
        assert!(page.contains(&table), "docs/errors.md should have this table:\n{table}");
    }

    #[test]
    fn a_code_that_the_standard_has_a_word_for_keeps_it() {
        for &code in Code::ALL {
            let word = filesystem(code).word();
            assert!(word == code.word() || word == "io" || !is_filesystem_word(code.word()), "{code}: {word}");
        }
    }

    fn is_filesystem_word(word: &str) -> bool {
        Code::ALL.iter().any(|&code| filesystem(code).word() == word)
    }
}
