//! `random_get`.

use turnkey_core::limits::Limit;

use crate::call::Call;
use crate::fault::{Fault, Outcome};

/// Bytes made between two looks at the clock: a memory of 4 GiB takes seconds to fill.
const CHUNK_BYTES: usize = 1 << 20;

/// Bytes that cost one unit of fuel: about as many as are made in the time of one instruction.
const BYTES_OF_FUEL: u32 = 4;

pub(crate) fn random_get(call: &mut Call<'_>, buf: u32, buf_len: u32) -> Outcome {
    call.fuel = u64::from(buf_len / BYTES_OF_FUEL);
    let buffer = call.memory.bytes_mut(buf, buf_len)?;
    for chunk in buffer.chunks_mut(CHUNK_BYTES) {
        call.host.random.fill(chunk);
        if chunk.len() == CHUNK_BYTES && call.host.end.is_some_and(|end| end.left_ns() == 0) {
            return Err(Fault::Stopped(Limit::Timeout));
        }
    }
    Ok(())
}
