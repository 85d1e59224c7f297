//! `wasi:http/outgoing-handler`.

use tokio::runtime::Handle;
use turnkey_core::ending::Stopped;
use turnkey_core::limits::Limit;
use wasmtime::component::Resource;

use crate::call::Call;
use crate::http::error::ErrorCode;
use crate::http::requests::{OutgoingRequest, RequestOptions};
use crate::http::responses::FutureIncomingResponse;
use crate::interface::{Interface, State};

/// Bytes that a request is charged with until it is answered, besides its own: a task, and its part of a connection.
const REQUEST_BYTES: u64 = 8 << 10;

/// `wasi:http/outgoing-handler`.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("handle", |call, (request, options): (Resource<OutgoingRequest>, Option<Resource<RequestOptions>>)| {
        let mut request = call.take(&request)?;
        request.headers.must_be_whole(call)?;
        let options = match options {
            Some(options) => call.take(&options)?.0,
            None => turnkey_http::RequestOptions::default(),
        };
        let lease = call.host.budget.lease(REQUEST_BYTES).map_err(|_| Stopped(Limit::Memory))?;
        let held = (lease, request.lease.take(), std::mem::take(&mut request.headers.charge));
        let sent = request.into_request(options).and_then(|request| send(call, request, held));
        match sent {
            Ok(task) => call.keep(FutureIncomingResponse::new(task, options.between_bytes_timeout)).map(Ok),
            Err(code) => Ok(Err(ErrorCode::from(code))),
        }
    });
}

/// Sends a request, and has the executor wait for the answer; `held` is kept until then.
fn send<H: Send + 'static>(
    call: &mut Call<'_>,
    request: turnkey_http::Request,
    held: H,
) -> Result<tokio::task::JoinHandle<Result<turnkey_http::Response, turnkey_http::ErrorCode>>, turnkey_http::ErrorCode> {
    // A guest that imports HTTP is run in an executor.
    let executor = Handle::try_current().map_err(|_| turnkey_http::ErrorCode::ConfigurationError)?;
    let handling = call.p2.http.client.send(call.host, call.name, request)?;
    Ok(executor.spawn(async move {
        let _held = held;
        handling.await
    }))
}
