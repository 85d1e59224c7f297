//! `clock_res_get`, `clock_time_get`.

use turnkey_core::ErrorCode;
use turnkey_core::host::clock::HostClock;

use crate::call::Call;
use crate::fault::Outcome;

/// `clockid`.
///
/// # Errors
/// [`ErrorCode::Invalid`]: no such clock.
#[inline]
pub(crate) const fn clock(id: u32) -> Result<HostClock, ErrorCode> {
    match id {
        0 => Ok(HostClock::Realtime),
        1 => Ok(HostClock::Monotonic),
        2 => Ok(HostClock::ProcessCpu),
        3 => Ok(HostClock::ThreadCpu),
        _ => Err(ErrorCode::Invalid),
    }
}

pub(crate) fn clock_res_get(call: &mut Call<'_>, id: u32, resolution: u32) -> Outcome {
    let resolution = call.memory.place(resolution)?;
    let nanoseconds = call.host.clocks.resolution_ns(clock(id)?);
    call.memory.put(resolution, nanoseconds.to_le_bytes());
    Ok(())
}

/// # Differs
/// The precision asked for is not looked at, as in other hosts: a reading is as fine as the guest's clocks are.
#[inline]
pub(crate) fn clock_time_get(call: &mut Call<'_>, id: u32, _precision: u64, time: u32) -> Outcome {
    let time = call.memory.place(time)?;
    let nanoseconds = call.host.clocks.now_ns(clock(id)?);
    call.memory.put(time, nanoseconds.to_le_bytes());
    Ok(())
}
