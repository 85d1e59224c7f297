//! `proc_exit`, `proc_raise`.

use turnkey_core::ErrorCode;

use crate::call::Call;
use crate::fault::{Fault, Outcome};

/// The guest ends with this status.
pub(crate) fn proc_exit(_call: &mut Call<'_>, status: u32) -> Outcome {
    Err(Fault::Exit(status))
}

/// What a shell adds to a signal's number to make a status of it.
const SIGNALLED: u32 = 128;

/// Does what the signal does to a program that has set up nothing for it: nothing, or the end.
///
/// # Errors
/// [`ErrorCode::Unsupported`] for those that stop a program until it is told to go on; [`ErrorCode::Invalid`] for no signal.
pub(crate) fn proc_raise(_call: &mut Call<'_>, signal: u32) -> Outcome {
    match signal {
        // none, chld, cont, urg, winch
        0 | 16 | 17 | 22 | 27 => Ok(()),
        // stop, tstp, ttin, ttou
        18..=21 => Err(ErrorCode::Unsupported.into()),
        1..=15 | 23..=26 | 28..=30 => Err(Fault::Exit(SIGNALLED + signal)),
        _ => Err(ErrorCode::Invalid.into()),
    }
}
