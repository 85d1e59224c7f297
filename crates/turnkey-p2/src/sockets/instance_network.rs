//! `wasi:sockets/instance-network`.

use crate::interface::{Interface, State};
use crate::sockets::Network;

/// `wasi:sockets/instance-network`.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("instance-network", |call, ()| call.keep(Network));
}
