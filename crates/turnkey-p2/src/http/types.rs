//! `wasi:http/types`, in the standard's order.

use crate::http::{bodies, error, fields, requests, responses};
use crate::interface::{Interface, State};

/// `wasi:http/types`.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    fields::define(it);
    requests::define_incoming(it);
    requests::define_outgoing(it);
    requests::define_options(it);
    responses::define_outparam(it);
    responses::define_incoming(it);
    bodies::define_incoming(it);
    bodies::define_trailers(it);
    responses::define_outgoing(it);
    bodies::define_outgoing(it);
    responses::define_future(it);
    error::define(it);
}
