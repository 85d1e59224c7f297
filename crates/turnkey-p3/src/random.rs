//! `wasi:random`. The insecure interfaces draw from the same generator: it is fast enough.

use crate::call::Call;
use crate::interface::{Interface, State};

/// Bytes that one call gives at most: the guest gets more with the next. The standard says that a host may give fewer than are
/// asked for, so that nobody has to hold more than this.
const MOST_BYTES: u64 = 64 << 10;

/// `wasi:random/random`.
pub(crate) fn define_random<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-random-bytes", |call, (max_len,): (u64,)| Ok(bytes(call, max_len)));
    it.func("get-random-u64", |call, ()| Ok(number(call)));
}

/// `wasi:random/insecure`.
pub(crate) fn define_insecure<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-insecure-random-bytes", |call, (max_len,): (u64,)| Ok(bytes(call, max_len)));
    it.func("get-insecure-random-u64", |call, ()| Ok(number(call)));
}

/// `wasi:random/insecure-seed`: the same however often it is asked for.
pub(crate) fn define_insecure_seed<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-insecure-seed", |call, ()| {
        let drawn = (number(call), number(call));
        Ok(*call.p3.insecure_seed.get_or_insert(drawn))
    });
}

fn bytes(call: &mut Call<'_>, max_len: u64) -> Vec<u8> {
    let mut bytes = vec![0; max_len.min(MOST_BYTES) as usize];
    call.host.random.fill(&mut bytes);
    bytes
}

fn number(call: &mut Call<'_>) -> u64 {
    let mut bytes = [0; 8];
    call.host.random.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
