//! `wasi:random`. The insecure interfaces draw from the same generator: it is fast enough.

use turnkey_core::ending::Stopped;
use turnkey_core::limits::Limit;
use wasmtime::{AsContextMut, StoreContextMut};

use crate::call::Call;
use crate::interface::{Interface, State};

/// Bytes that one call gives at most: the guest gets more with the next. The standard says that a host may give fewer than are
/// asked for, so that nobody has to hold more than this.
const MOST_BYTES: u64 = 64 << 10;

/// Bytes that cost one of fuel, as in Preview 1.
const BYTES_FOR_FUEL: u64 = 4;

/// `wasi:random/random`.
pub(crate) fn define_random<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.streams("get-random-bytes", |store, state, (max_len,): (u64,)| bytes(store, state, max_len));
    it.func("get-random-u64", |call, ()| Ok(number(call)));
}

/// `wasi:random/insecure`.
pub(crate) fn define_insecure<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.streams("get-insecure-random-bytes", |store, state, (max_len,): (u64,)| bytes(store, state, max_len));
    it.func("get-insecure-random-u64", |call, ()| Ok(number(call)));
}

/// `wasi:random/insecure-seed`: the same however often it is asked for.
pub(crate) fn define_insecure_seed<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-insecure-seed", |call, ()| {
        let drawn = (number(call), number(call));
        Ok(*call.p3.insecure_seed.get_or_insert(drawn))
    });
}

fn bytes<T: Send + 'static, S: State<T>>(
    mut store: StoreContextMut<'_, T>,
    state: S,
    max_len: u64,
) -> wasmtime::Result<Vec<u8>> {
    let len = max_len.min(MOST_BYTES);
    burn(&mut store, state, len / BYTES_FOR_FUEL)?;
    let mut bytes = vec![0; len as usize];
    state(store.data_mut()).0.random.fill(&mut bytes);
    Ok(bytes)
}

/// Takes fuel for what a call makes the host do, where that grows with a number of the guest's.
///
/// # Errors
/// The guest ends: there is not as much.
fn burn<T: 'static, S: State<T>>(store: &mut StoreContextMut<'_, T>, state: S, fuel: u64) -> wasmtime::Result<()> {
    if state(store.data_mut()).0.limits.fuel.is_none() {
        return Ok(());
    }
    let mut store = store.as_context_mut();
    match store.get_fuel()?.checked_sub(fuel) {
        Some(left) => store.set_fuel(left),
        None => Err(Stopped(Limit::Fuel).into()),
    }
}

fn number(call: &mut Call<'_>) -> u64 {
    let mut bytes = [0; 8];
    call.host.random.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
