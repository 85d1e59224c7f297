//! `wasi:http/client`, and `wasi:http/handler` as a component imports it: whoever else answers requests.

use turnkey_core::host::reactor;
use turnkey_http::{ErrorCode as Core, Handling};
use wasmtime::AsContextMut;
use wasmtime::component::Resource;

use crate::call::Call;
use crate::http::error::ErrorCode;
use crate::http::messages::{self, Request};
use crate::interface::{Interface, State};

/// `wasi:http/client`.
pub(crate) fn define_client<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    define(it, "send", |call, request| call.p3.http.client.send(call.host, call.name, request));
}

/// `wasi:http/handler`: the next one.
pub(crate) fn define_handler<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    define(it, "handle", |call, request| {
        // A component that imports it is not started where there is none.
        let next = call.p3.http.next.as_ref().ok_or(Core::ConfigurationError)?;
        Ok(next.handle(request))
    });
}

fn define<T: Send, S: State<T>>(
    it: &mut Interface<'_, T, S>,
    name: &'static str,
    handle: fn(&mut Call<'_>, turnkey_http::Request) -> Result<Handling, Core>,
) {
    it.awaits(
        name,
        move |mut store, state, (request,): (Resource<Request>,)| {
            let request = messages::request_to_send(store.as_context_mut(), state, name, request)?;
            let patience = request.as_ref().ok().and_then(|request| request.options.between_bytes_timeout);
            let (host, p3) = state(store.data_mut());
            let handling =
                request.map_err(Core::from).and_then(|request| handle(&mut Call { name, host, p3 }, request));
            Ok(async move {
                // What the guest has given already of its request is taken first, so that one which is whole is sent as such.
                reactor::yield_now().await;
                match handling {
                    Ok(handling) => handling.await.map(|response| (response, patience)),
                    Err(code) => Err(code),
                }
            })
        },
        |call, answer| match answer {
            Ok((response, patience)) => messages::received_response(call, response, patience).map(Ok),
            Err(code) => Ok(Err(ErrorCode::from(code))),
        },
    );
}
