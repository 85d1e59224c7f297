//! `sched_yield`.

use turnkey_core::host::process;

use crate::call::Call;
use crate::fault::Outcome;

pub(crate) fn sched_yield(_call: &mut Call<'_>) -> Outcome {
    process::yield_now();
    Ok(())
}
