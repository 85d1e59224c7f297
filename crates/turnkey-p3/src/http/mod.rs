//! `wasi:http`: fields, messages, their bodies, and whoever answers requests; and what the runtime needs to have a guest answer
//! some. What they mean is in `turnkey-http`.

mod bodies;
pub(crate) mod client;
mod error;
mod fields;
mod messages;
mod types;

use turnkey_core::Capabilities;
use wasmtime::StoreContextMut;
use wasmtime::component::{Resource, TypedFunc};

pub use error::{DnsErrorPayload, ErrorCode, FieldSizePayload, TlsAlertReceivedPayload};
pub(crate) use fields::Fields;
pub(crate) use messages::RequestOptions;
pub use messages::{Request, Response};

use crate::call::Call;
use crate::interface::{Interface, State};
use crate::state::Preview3;

/// `handle` of `wasi:http/handler`, as a guest exports it.
pub type Handle = TypedFunc<(Resource<Request>,), (Result<Resource<Response>, ErrorCode>,)>;

/// `wasi:http/types`.
pub(crate) fn define_types<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    fields::define(it);
    messages::define_request(it);
    messages::define_request_options(it);
    messages::define_response(it);
}

/// A request for a guest to answer, from wherever it came.
///
/// # Errors
/// The guest ends: it has met a limit.
pub fn incoming(
    (host, p3): (&mut Capabilities, &mut Preview3),
    request: turnkey_http::Request,
) -> wasmtime::Result<Resource<Request>> {
    messages::received_request(&mut Call { name: "handle", host, p3 }, request)
}

/// The response that a guest gave, to be sent. Its contents begin to flow, as far as the store runs: what the guest had written
/// before is in it after the store's next turn.
///
/// # Errors
/// The guest ends: it has met a limit, or given what is not its own.
pub fn outgoing<T: Send + 'static, S: State<T>>(
    store: StoreContextMut<'_, T>,
    state: S,
    response: Resource<Response>,
) -> wasmtime::Result<turnkey_http::Response> {
    messages::response_to_send(store, state, response)
}
