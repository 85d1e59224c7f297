//! The core's error codes as a guest of Preview 3 gets them: one exhaustive match for each interface that has many, so that a
//! new code does not compile until it is decided. `docs/errors.md` shows them.

use turnkey_core::ErrorCode as Code;

use crate::filesystem::types::ErrorCode;

/// An interface's `error-code`, in the standard's order: each code with its word, and `other` with none of its own.
macro_rules! error_codes {
    ($(#[$doc:meta])* $($name:ident = $word:literal,)*) => {
        $(#[$doc])*
        #[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq)]
        #[component(variant)]
        pub(crate) enum ErrorCode {
            $(#[component(name = $word)] $name,)*
            #[component(name = "other")]
            Other(Option<String>),
        }

        impl ErrorCode {
            /// Its name in the standard.
            #[cfg(test)]
            pub(crate) const fn word(&self) -> &'static str {
                match self { $(ErrorCode::$name => $word,)* ErrorCode::Other(_) => "other" }
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
        | Code::Timeout
        | Code::WouldBlock => ErrorCode::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sockets::types::network;
    use crate::{cli, sockets};

    /// The page that users read is these matches, and not what somebody remembers of them.
    #[test]
    fn the_matrix_of_errors_is_what_guests_get() {
        let page = include_str!("../../../docs/errors.md");
        let mut table = String::from(
            "| code | `wasi:filesystem` | `wasi:sockets` | `ip-name-lookup` | `wasi:cli` |\n|---|---|---|---|---|\n",
        );
        for &code in Code::ALL {
            let (file, socket) = (filesystem(code), network(code));
            let (lookup, stream) = (sockets::ip_name_lookup::lookup(code), cli::ErrorCode::from(code));
            table += &format!(
                "| {} | {} | {} | {} | {} |\n",
                code.word(),
                file.word(),
                socket.word(),
                lookup.word(),
                stream.word()
            );
        }
        assert!(page.contains(&table), "docs/errors.md should have this table:\n{table}");
    }
}
