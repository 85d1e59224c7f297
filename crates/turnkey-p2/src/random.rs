//! `wasi:random`. The insecure interfaces draw from the same generator: it is fast enough.

use turnkey_core::ErrorCode;
use wasmtime::StoreContextMut;

use crate::call::Call;
use crate::interface::{Interface, State};
use crate::io::poll::burn;

/// Bytes that cost one of fuel, as in Preview 1.
const BYTES_FOR_FUEL: u64 = 4;

/// `wasi:random/random`.
pub(crate) fn define_random<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.with_memory("get-random-bytes", |store, state, (len,): (u64,)| bytes(store, state, len));
    it.func("get-random-u64", |call, ()| Ok(number(call)));
}

/// `wasi:random/insecure`.
pub(crate) fn define_insecure<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.with_memory("get-insecure-random-bytes", |store, state, (len,): (u64,)| bytes(store, state, len));
    it.func("get-insecure-random-u64", |call, ()| Ok(number(call)));
}

/// `wasi:random/insecure-seed`.
pub(crate) fn define_insecure_seed<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("insecure-seed", |call, ()| Ok((number(call), number(call))));
}

/// As many as are asked for: the standard gives no fewer. The host holds them for a moment, as far as the guest's budget
/// allows.
fn bytes<T, S: State<T>>(mut store: StoreContextMut<'_, T>, state: S, len: u64) -> wasmtime::Result<Vec<u8>> {
    burn(&mut store, state, len / BYTES_FOR_FUEL)?;
    let (host, p2) = state(store.data_mut());
    let mut call = Call { name: "get-random-bytes", host, p2 };
    call.charge(len)?;
    // What was charged fits the memory.
    let mut bytes = vec![0; usize::try_from(len).map_err(|_| wasmtime::format_err!("{}", ErrorCode::Overflow))?];
    call.host.random.fill(&mut bytes);
    call.host.budget.give_host(len);
    Ok(bytes)
}

fn number(call: &mut Call<'_>) -> u64 {
    let mut bytes = [0; 8];
    call.host.random.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
