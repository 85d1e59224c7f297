//! `wasi:random`. The insecure interfaces draw from the same generator: it is fast enough.

use wasmtime::StoreContextMut;

use crate::call::Call;
use crate::interface::{Interface, State};
use crate::io::poll::burn;
use crate::lower::Drawing;

/// Bytes that cost one of fuel, as in Preview 1.
pub(crate) const BYTES_FOR_FUEL: u64 = 4;

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

/// As many as are asked for: the standard gives no fewer.
fn bytes<T, S: State<T>>(mut store: StoreContextMut<'_, T>, state: S, len: u64) -> wasmtime::Result<Drawing<T, S>> {
    burn(&mut store, state, len / BYTES_FOR_FUEL)?;
    Ok(Drawing::new(state, len))
}

fn number(call: &mut Call<'_>) -> u64 {
    let mut bytes = [0; 8];
    call.host.random.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
