//! `wasi:http`: messages, their fields and bodies, and who handles requests. What they mean is in [`turnkey_http`]; here is how
//! a guest gets at it.
//!
//! A request that comes is given to a guest by [`incoming`] and [`Handle`]; what it answers comes through [`Answer`].
//!
//! Source of truth: the WIT package `wasi:http`, version 0.2.12.

pub(crate) mod bodies;
pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod outgoing_handler;
pub(crate) mod requests;
pub(crate) mod responses;
pub(crate) mod types;

pub use requests::IncomingRequest;
pub use responses::ResponseOutparam;

use tokio::sync::oneshot;
use turnkey_core::Capabilities;
use wasmtime::component::{Resource, TypedFunc};

use crate::call::Call;
use crate::state::Preview2;

/// Where a guest's response goes. It is dropped unused if the guest gives none.
pub type Answer = oneshot::Sender<Result<turnkey_http::Response, turnkey_http::ErrorCode>>;

/// `handle` of `wasi:http/incoming-handler`.
pub type Handle = TypedFunc<(Resource<IncomingRequest>, Resource<ResponseOutparam>), ()>;

/// What [`Handle`] is called with, for a request that came.
///
/// # Errors
/// The guest ends: there is no room for it.
pub fn incoming(
    (host, p2): (&mut Capabilities, &mut Preview2),
    request: turnkey_http::Request,
    answer: Answer,
) -> wasmtime::Result<(Resource<IncomingRequest>, Resource<ResponseOutparam>)> {
    let mut call = Call { name: "handle", host, p2 };
    let request = IncomingRequest::new(&mut call, request)?;
    Ok((call.keep(request)?, call.keep(ResponseOutparam::new(answer))?))
}
