//! `request`, `request-options` and `response` of `wasi:http/types`.

use std::time::Duration;

use turnkey_core::Capabilities;
use turnkey_core::limits::Lease;
use turnkey_http::http::uri::{Authority, Scheme as CoreScheme};
use turnkey_http::http::{Method as CoreMethod, StatusCode};
use wasmtime::StoreContextMut;
use wasmtime::component::{FutureReader, Resource, StreamReader};

use crate::call::{Call, Kept, lease};
use crate::http::bodies::{self, Contents, Handled, Sent, Trailers};
use crate::http::error::{ErrorCode, RequestOptionsError};
use crate::http::fields::{Fields, Section};
use crate::http::types::{self, Method, Path, Scheme};
use crate::interface::{Interface, State};

/// `request`
#[derive(Debug)]
pub struct Request {
    method: CoreMethod,
    scheme: Option<CoreScheme>,
    authority: Option<Authority>,
    path_with_query: Option<Path>,
    headers: Section,
    options: Option<turnkey_http::RequestOptions>,
    contents: Contents,
    /// Charges what is written above.
    lease: Option<Lease>,
}

/// `response`
#[derive(Debug)]
pub struct Response {
    status_code: StatusCode,
    headers: Section,
    contents: Contents,
}

/// `request-options`
#[derive(Debug)]
pub(crate) struct RequestOptions {
    options: turnkey_http::RequestOptions,
    is_mutable: bool,
}

impl Kept for Request {}
impl Kept for Response {}
impl Kept for RequestOptions {}

impl Request {
    fn charge(&mut self, host: &mut Capabilities) -> wasmtime::Result<()> {
        let path = self.path_with_query.as_ref().map_or(0, |path| path.as_str().len());
        let authority = self.authority.as_ref().map_or(0, |authority| authority.as_str().len());
        self.lease = None;
        if path + authority > 0 {
            self.lease = Some(lease(host, (path + authority) as u64)?);
        }
        Ok(())
    }
}

/// Takes in a request that came from outside.
///
/// # Errors
/// The guest ends: it has met a limit.
pub(super) fn received_request(
    call: &mut Call<'_>,
    request: turnkey_http::Request,
) -> wasmtime::Result<Resource<Request>> {
    let turnkey_http::Request { method, scheme, authority, path_with_query, headers, options, body } = request;
    let headers = Section::new(call.host, headers)?;
    let path_with_query = path_with_query.map(Path::from);
    let contents = Contents::Received(body, None);
    // What the host had to say of times is for the host.
    let options = (options != turnkey_http::RequestOptions::default()).then_some(options);
    let mut request = Request { method, scheme, authority, path_with_query, headers, options, contents, lease: None };
    request.charge(call.host)?;
    call.keep(request)
}

/// Takes in a response that came from outside, to a request that said how long a piece of it may take.
pub(super) fn received_response(
    call: &mut Call<'_>,
    response: turnkey_http::Response,
    patience: Option<Duration>,
) -> wasmtime::Result<Resource<Response>> {
    let turnkey_http::Response { status, headers, body } = response;
    let headers = Section::new(call.host, headers)?;
    call.keep(Response { status_code: status, headers, contents: Contents::Received(body, patience) })
}

/// A request that a guest sends, as it goes out of it: its contents begin to flow.
///
/// # Errors
/// Of the inner result: it cannot be sent as it is.
pub(super) fn request_to_send<T: Send + 'static, S: State<T>>(
    mut store: StoreContextMut<'_, T>,
    state: S,
    name: &'static str,
    request: Resource<Request>,
) -> wasmtime::Result<Result<turnkey_http::Request, ErrorCode>> {
    let (host, p3) = state(store.data_mut());
    let request = Call { name, host, p3 }.take(request)?;
    let Request { method, scheme, authority, path_with_query, headers, options, contents, lease: _ } = request;
    let has_user = authority.as_ref().is_some_and(|authority| authority.as_str().contains('@'));
    let path_with_query = path_with_query.map(|path| path.into_sendable(&method));
    if has_user || matches!(path_with_query, Some(None)) {
        contents.refuse(&mut store, turnkey_http::ErrorCode::HttpRequestUriInvalid)?;
        return Ok(Err(ErrorCode::HttpRequestUriInvalid));
    }
    let path_with_query = path_with_query.flatten();
    let body = bodies::send(store, state, contents)?;
    let (headers, options) = (headers.fields, options.unwrap_or_default());
    Ok(Ok(turnkey_http::Request { method, scheme, authority, path_with_query, headers, options, body }))
}

/// A response that a guest gives, as it goes out of it: its contents begin to flow.
pub(super) fn response_to_send<T: Send + 'static, S: State<T>>(
    mut store: StoreContextMut<'_, T>,
    state: S,
    response: Resource<Response>,
) -> wasmtime::Result<turnkey_http::Response> {
    let (host, p3) = state(store.data_mut());
    let Response { status_code, headers, contents } = Call { name: "handle", host, p3 }.take(response)?;
    let body = bodies::send(store, state, contents)?;
    Ok(turnkey_http::Response { status: status_code, headers: headers.fields, body })
}

type ThisRequest = Resource<Request>;
type ThisOptions = Resource<RequestOptions>;
type ThisResponse = Resource<Response>;

/// What a message is made of: headers, contents, trailers.
type Parts = (Resource<Fields>, Option<StreamReader<u8>>, FutureReader<Trailers>);

/// What is told of how a message was handled.
type Told = FutureReader<Handled>;

/// `request` of `wasi:http/types`.
pub(crate) fn define_request<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource_in_store::<Request>("request", |store, request| request.contents.close(store));
    it.streams(
        "[static]request.new",
        |mut store,
         state,
         (headers, contents, trailers, options): (
            Resource<Fields>,
            Option<StreamReader<u8>>,
            FutureReader<Trailers>,
            Option<ThisOptions>,
        )| {
            let (contents, headers, sent) = made(&mut store, state, (headers, contents, trailers), true)?;
            let (host, p3) = state(store.data_mut());
            let mut call = Call { name: "new", host, p3 };
            let options = options.map(|options| call.take(options)).transpose()?.map(|options| options.options);
            let request = call.keep(Request {
                method: CoreMethod::GET,
                scheme: None,
                authority: None,
                path_with_query: None,
                headers,
                options,
                contents,
                lease: None,
            })?;
            Ok((request, sent))
        },
    );
    it.func("[method]request.get-method", |call, (this,): (ThisRequest,)| Ok(Method::from(&call.get(&this)?.method)));
    it.func("[method]request.set-method", |call, (this, method): (ThisRequest, Method)| {
        let this = call.get_mut(&this)?;
        Ok(method.parse().map(|method| this.method = method).ok_or(()))
    });
    it.func("[method]request.get-path-with-query", |call, (this,): (ThisRequest,)| {
        Ok(call.get(&this)?.path_with_query.as_ref().map(|path| path.as_str().to_owned()))
    });
    it.func("[method]request.set-path-with-query", |call, (this, path_with_query): (ThisRequest, Option<String>)| {
        let (this, host) = call.with_host(&this)?;
        let Some(path) = written(path_with_query, Path::parse) else { return Ok(Err(())) };
        this.path_with_query = path;
        this.charge(host).map(Ok)
    });
    it.func("[method]request.get-scheme", |call, (this,): (ThisRequest,)| {
        Ok(call.get(&this)?.scheme.as_ref().map(Scheme::from))
    });
    it.func("[method]request.set-scheme", |call, (this, scheme): (ThisRequest, Option<Scheme>)| {
        let this = call.get_mut(&this)?;
        Ok(match scheme.map(Scheme::parse) {
            Some(None) => Err(()),
            scheme => {
                this.scheme = scheme.flatten();
                Ok(())
            }
        })
    });
    it.func("[method]request.get-authority", |call, (this,): (ThisRequest,)| {
        Ok(call.get(&this)?.authority.as_ref().map(|authority| authority.as_str().to_owned()))
    });
    it.func("[method]request.set-authority", |call, (this, authority): (ThisRequest, Option<String>)| {
        let (this, host) = call.with_host(&this)?;
        let Some(authority) = written(authority, types::authority) else { return Ok(Err(())) };
        this.authority = authority;
        this.charge(host).map(Ok)
    });
    it.func("[method]request.get-options", |call, (this,): (ThisRequest,)| {
        let options = call.get(&this)?.options;
        options.map(|options| call.keep(RequestOptions { options, is_mutable: false })).transpose()
    });
    it.func("[method]request.get-headers", |call, (this,): (ThisRequest,)| {
        let headers = call.get(&this)?.headers.clone();
        call.keep(Fields::of_message(headers))
    });
    it.streams("[static]request.consume-body", |mut store, state, (this, res): (ThisRequest, Told)| {
        let (host, p3) = state(store.data_mut());
        let request = Call { name: "consume-body", host, p3 }.take(this)?;
        bodies::consume(store, state, request.contents, res)
    });
}

/// What a message of a guest's begins with, and the future of its transmission.
fn made<T: Send + 'static, S: State<T>>(
    store: &mut StoreContextMut<'_, T>,
    state: S,
    (headers, contents, trailers): Parts,
    is_request: bool,
) -> wasmtime::Result<(Contents, Section, FutureReader<Sent>)> {
    let (host, p3) = state(store.data_mut());
    let headers = Call { name: "new", host, p3 }.take(headers)?.section;
    // One that is not clear is refused when it is sent.
    let length = headers.fields.content_length().ok().flatten();
    let (contents, sent) = bodies::made(store, state, contents, trailers, is_request, length)?;
    Ok((contents, headers, sent))
}

/// What is written, or nothing. `None`: it is not well written.
fn written<R>(written: Option<String>, parse: fn(&str) -> Option<R>) -> Option<Option<R>> {
    match written {
        Some(written) => parse(&written).map(Some),
        None => Some(None),
    }
}

/// `request-options` of `wasi:http/types`. All of them are supported.
pub(crate) fn define_request_options<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<RequestOptions>("request-options");
    it.func("[constructor]request-options", |call, ()| {
        call.keep(RequestOptions { options: turnkey_http::RequestOptions::default(), is_mutable: true })
    });
    define_timeout(
        it,
        "[method]request-options.get-connect-timeout",
        "[method]request-options.set-connect-timeout",
        |options| &mut options.connect_timeout,
    );
    define_timeout(
        it,
        "[method]request-options.get-first-byte-timeout",
        "[method]request-options.set-first-byte-timeout",
        |options| &mut options.first_byte_timeout,
    );
    define_timeout(
        it,
        "[method]request-options.get-between-bytes-timeout",
        "[method]request-options.set-between-bytes-timeout",
        |options| &mut options.between_bytes_timeout,
    );
    it.func("[method]request-options.clone", |call, (this,): (ThisOptions,)| {
        let options = call.get(&this)?.options;
        call.keep(RequestOptions { options, is_mutable: true })
    });
}

fn define_timeout<T: Send, S: State<T>>(
    it: &mut Interface<'_, T, S>,
    get: &'static str,
    set: &'static str,
    timeout: fn(&mut turnkey_http::RequestOptions) -> &mut Option<Duration>,
) {
    it.func(get, move |call, (this,): (ThisOptions,)| {
        let timeout = *timeout(&mut call.get_mut(&this)?.options);
        // It came as so many nanoseconds.
        Ok(timeout.map(|timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)))
    });
    it.func(set, move |call, (this, duration): (ThisOptions, Option<u64>)| {
        let this = call.get_mut(&this)?;
        if !this.is_mutable {
            return Ok(Err(RequestOptionsError::Immutable));
        }
        *timeout(&mut this.options) = duration.map(Duration::from_nanos);
        Ok(Ok(()))
    });
}

/// `response` of `wasi:http/types`.
pub(crate) fn define_response<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource_in_store::<Response>("response", |store, response| response.contents.close(store));
    it.streams("[static]response.new", |mut store, state, parts: Parts| {
        let (contents, headers, sent) = made(&mut store, state, parts, false)?;
        let (host, p3) = state(store.data_mut());
        let response = Response { status_code: StatusCode::OK, headers, contents };
        Ok((Call { name: "new", host, p3 }.keep(response)?, sent))
    });
    it.func("[method]response.get-status-code", |call, (this,): (ThisResponse,)| {
        Ok(call.get(&this)?.status_code.as_u16())
    });
    it.func("[method]response.set-status-code", |call, (this, status_code): (ThisResponse, u16)| {
        let this = call.get_mut(&this)?;
        // RFC 9110, section 15: any other is of no class.
        let status_code = StatusCode::from_u16(status_code).ok().filter(|code| code.as_u16() < 600);
        Ok(status_code.map(|status_code| this.status_code = status_code).ok_or(()))
    });
    it.func("[method]response.get-headers", |call, (this,): (ThisResponse,)| {
        let headers = call.get(&this)?.headers.clone();
        call.keep(Fields::of_message(headers))
    });
    it.streams("[static]response.consume-body", |mut store, state, (this, res): (ThisResponse, Told)| {
        let (host, p3) = state(store.data_mut());
        let response = Call { name: "consume-body", host, p3 }.take(this)?;
        bodies::consume(store, state, response.contents, res)
    });
}
