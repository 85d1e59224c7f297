//! `args_get`, `args_sizes_get`; and what they share with `environ_get` and `environ_sizes_get`.

use turnkey_core::ErrorCode;

use crate::call::Call;
use crate::fault::Outcome;
use crate::memory::{GuestMemory, Place};

pub(crate) fn args_get(call: &mut Call<'_>, argv: u32, argv_buf: u32) -> Outcome {
    write_strings(&mut call.memory, &call.host.environment.arguments, argv, argv_buf)
}

pub(crate) fn args_sizes_get(call: &mut Call<'_>, argc: u32, argv_buf_size: u32) -> Outcome {
    write_sizes(&mut call.memory, &call.host.environment.arguments, argc, argv_buf_size)
}

/// Bytes of the strings with a zero after each.
fn bytes(strings: &[Vec<u8>]) -> Result<u32, ErrorCode> {
    let bytes = strings.iter().map(|string| string.len() as u64 + 1).sum::<u64>();
    u32::try_from(bytes).map_err(|_| ErrorCode::Overflow)
}

/// Writes the strings one after the other, and the address of each into an array.
pub(crate) fn write_strings(memory: &mut GuestMemory<'_>, strings: &[Vec<u8>], array: u32, buffer: u32) -> Outcome {
    let count = u32::try_from(strings.len()).map_err(|_| ErrorCode::Overflow)?;
    memory.room::<4>(array, count)?;
    memory.bytes(buffer, bytes(strings)?)?;
    let (mut element, mut address) = (array, buffer);
    for string in strings {
        let place = memory.place(element)?;
        memory.put::<4>(place, address.to_le_bytes());
        let bytes = string.len() as u32 + 1;
        if let [text @ .., end] = memory.bytes_mut(address, bytes)? {
            text.copy_from_slice(string);
            *end = 0;
        }
        element = element.wrapping_add(4);
        address = address.wrapping_add(bytes);
    }
    Ok(())
}

/// Writes how many strings there are, and the bytes that they need.
pub(crate) fn write_sizes(memory: &mut GuestMemory<'_>, strings: &[Vec<u8>], count: u32, size: u32) -> Outcome {
    let (count, size): (Place<4>, Place<4>) = (memory.place(count)?, memory.place(size)?);
    let strings_count = u32::try_from(strings.len()).map_err(|_| ErrorCode::Overflow)?;
    let strings_bytes = bytes(strings)?;
    memory.put(count, strings_count.to_le_bytes());
    memory.put(size, strings_bytes.to_le_bytes());
    Ok(())
}
