//! `wasi:sockets/ip-name-lookup`.

use turnkey_core::ErrorCode as Code;
use turnkey_core::sockets::ResolveAddressStream;
use turnkey_core::stream::Waiting;
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::call::Call;
use crate::error::error_codes;
use crate::interface::{Interface, State, Step};
use crate::sockets::types::IpAddress;

error_codes! {
    /// `error-code` of `wasi:sockets/ip-name-lookup`.
    AccessDenied = "access-denied",
    InvalidArgument = "invalid-argument",
    NameUnresolvable = "name-unresolvable",
    TemporaryResolverFailure = "temporary-resolver-failure",
    PermanentResolverFailure = "permanent-resolver-failure",
}

/// The code of a look-up. A limit that was met is one that may be over soon.
pub(crate) fn lookup(code: Code) -> ErrorCode {
    match code {
        Code::Access | Code::NotCapable | Code::NotPermitted => ErrorCode::AccessDenied,
        Code::Invalid => ErrorCode::InvalidArgument,
        Code::NameUnresolvable => ErrorCode::NameUnresolvable,
        Code::InsufficientMemory | Code::TemporaryResolverFailure | Code::TooManyDescriptors => {
            ErrorCode::TemporaryResolverFailure
        }
        Code::PermanentResolverFailure => ErrorCode::PermanentResolverFailure,
        _ => ErrorCode::Other(Some(code.word().to_owned())),
    }
}

/// `wasi:sockets/ip-name-lookup`.
pub(crate) fn define<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.waits("resolve-addresses", |call, (name,): &(String,), asked: &mut Option<ResolveAddressStream>| {
        Ok(match resolve(call, name, asked) {
            Err(Code::WouldBlock) => {
                Step::Wait(Waiting::new(asked.iter().map(ResolveAddressStream::interest).collect()))
            }
            outcome => Step::Done((outcome.map_err(lookup),)),
        })
    });
}

/// All addresses, once there is an answer.
fn resolve(call: &mut Call<'_>, name: &str, asked: &mut Option<ResolveAddressStream>) -> Result<Vec<IpAddress>, Code> {
    let stream = match asked {
        Some(stream) => stream,
        None => asked.insert(ResolveAddressStream::resolve_addresses(call.host, call.name, name)?),
    };
    let mut found = Vec::new();
    while let Some(ip) = stream.resolve_next_address(call.host)? {
        found.push(ip.into());
    }
    Ok(found)
}
