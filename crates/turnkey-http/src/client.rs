//! Outgoing requests: what a guest reaches, and how.

use std::sync::Arc;

use turnkey_core::Capabilities;

use crate::{ErrorCode, Handler, Handling, Request};

/// Sends requests over the network. A clone is the same, with the same connections: all instances of one app on one thread have
/// one.
#[derive(Clone, Debug, Default)]
pub struct Client {}

/// What a guest reaches by HTTP.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The network, as far as grants go.
    pub client: Client,
    /// What `wasi:http/handler` is, for a guest that imports it: the next handler behind this one.
    pub next: Option<Arc<dyn Handler>>,
}

impl Client {
    /// Sends a request, if a grant names it; whatever of it is known at once is said at once. In an executor.
    ///
    /// # Errors
    /// [`ErrorCode::HttpRequestDenied`]: no grant. [`ErrorCode::HttpRequestUriInvalid`]: it is not clear who is asked.
    pub fn send(
        &self,
        _host: &mut Capabilities,
        _call: &'static str,
        _request: Request,
    ) -> Result<Handling, ErrorCode> {
        Err(ErrorCode::HttpRequestDenied)
    }
}
