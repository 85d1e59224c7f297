//! `incoming-request`, `outgoing-request` and `request-options` of `wasi:http/types`.

use std::time::Duration;

use turnkey_core::ending::Stopped;
use turnkey_core::limits::{Lease, Limit};
use turnkey_http::Body;
use turnkey_http::http;
use turnkey_http::http::uri::{Authority, PathAndQuery};
use wasmtime::component::{ComponentType, Lift, Lower, Resource};

use crate::call::{Call, Kept};
use crate::http::bodies::{IncomingBody, OutgoingBody};
use crate::http::fields::{Fields, Section};
use crate::interface::{Interface, State};
use turnkey_core::slab::Id;

/// Bytes of the longest path, authority or method: no server takes as much.
const LONGEST: usize = 64 << 10;

/// `incoming-request`
#[derive(Debug)]
pub struct IncomingRequest {
    method: http::Method,
    scheme: Option<http::uri::Scheme>,
    authority: Option<Authority>,
    path_with_query: Option<PathAndQuery>,
    headers: Section,
    /// `None`: it has been consumed.
    body: Option<Body>,
}

impl IncomingRequest {
    /// One that came.
    pub(crate) fn new(call: &mut Call<'_>, request: turnkey_http::Request) -> wasmtime::Result<Self> {
        let turnkey_http::Request { method, scheme, authority, path_with_query, headers, options: _, body } = request;
        let headers = Section::new(call, headers)?;
        Ok(IncomingRequest { method, scheme, authority, path_with_query, headers, body: Some(body) })
    }
}

impl Kept for IncomingRequest {
    fn dropped(self, _: Id, call: &mut Call<'_>) -> wasmtime::Result<()> {
        self.headers.must_be_whole(call)
    }
}

/// `outgoing-request`
#[derive(Debug)]
pub(crate) struct OutgoingRequest {
    method: http::Method,
    scheme: Option<http::uri::Scheme>,
    authority: Option<Authority>,
    path_with_query: Option<PathAndQuery>,
    pub(crate) headers: Section,
    /// `None`: nobody has asked for it, and so it is empty.
    body: Option<Body>,
    /// What its words are charged with.
    pub(crate) lease: Option<Lease>,
}

impl OutgoingRequest {
    /// As it is sent.
    ///
    /// # Errors
    /// Its headers promise a body that was not asked for, or not one length.
    pub(crate) fn into_request(
        self,
        options: turnkey_http::RequestOptions,
    ) -> Result<turnkey_http::Request, turnkey_http::ErrorCode> {
        let length = self.headers.fields.content_length()?;
        if self.body.is_none() && length.is_some_and(|length| length > 0) {
            return Err(turnkey_http::ErrorCode::HttpRequestBodySize(Some(0)));
        }
        Ok(turnkey_http::Request {
            method: self.method,
            scheme: self.scheme,
            authority: self.authority,
            path_with_query: self.path_with_query,
            headers: self.headers.fields,
            options,
            body: self.body.unwrap_or_default(),
        })
    }
}

impl Kept for OutgoingRequest {
    fn dropped(self, _: Id, call: &mut Call<'_>) -> wasmtime::Result<()> {
        self.headers.must_be_whole(call)
    }
}

/// `request-options`
#[derive(Debug)]
pub(crate) struct RequestOptions(pub(crate) turnkey_http::RequestOptions);

impl Kept for RequestOptions {}

/// `method`
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(variant)]
enum Method {
    #[component(name = "get")]
    Get,
    #[component(name = "head")]
    Head,
    #[component(name = "post")]
    Post,
    #[component(name = "put")]
    Put,
    #[component(name = "delete")]
    Delete,
    #[component(name = "connect")]
    Connect,
    #[component(name = "options")]
    Options,
    #[component(name = "trace")]
    Trace,
    #[component(name = "patch")]
    Patch,
    #[component(name = "other")]
    Other(String),
}

impl From<&http::Method> for Method {
    fn from(method: &http::Method) -> Self {
        match method.as_str() {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "CONNECT" => Method::Connect,
            "OPTIONS" => Method::Options,
            "TRACE" => Method::Trace,
            "PATCH" => Method::Patch,
            other => Method::Other(other.to_owned()),
        }
    }
}

impl Method {
    /// `None`: it is no token.
    fn parse(&self) -> Option<http::Method> {
        Some(match self {
            Method::Get => http::Method::GET,
            Method::Head => http::Method::HEAD,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Delete => http::Method::DELETE,
            Method::Connect => http::Method::CONNECT,
            Method::Options => http::Method::OPTIONS,
            Method::Trace => http::Method::TRACE,
            Method::Patch => http::Method::PATCH,
            Method::Other(other) if other.len() <= LONGEST => http::Method::from_bytes(other.as_bytes()).ok()?,
            Method::Other(_) => return None,
        })
    }
}

/// `scheme`
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(variant)]
enum Scheme {
    #[component(name = "HTTP")]
    Http,
    #[component(name = "HTTPS")]
    Https,
    #[component(name = "other")]
    Other(String),
}

impl From<&http::uri::Scheme> for Scheme {
    fn from(scheme: &http::uri::Scheme) -> Self {
        match scheme.as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => Scheme::Other(other.to_owned()),
        }
    }
}

impl Scheme {
    /// `None`: it is none.
    fn parse(&self) -> Option<http::uri::Scheme> {
        match self {
            Scheme::Http => Some(http::uri::Scheme::HTTP),
            Scheme::Https => Some(http::uri::Scheme::HTTPS),
            Scheme::Other(other) if other.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                other.as_str().try_into().ok()
            }
            Scheme::Other(_) => None,
        }
    }
}

/// A path as it stands in a request: from a slash on, or `*`. Never with a scheme and an authority: what is asked for and who
/// is asked are two things, and only one of them would have been looked at.
fn path_with_query(written: &str) -> Option<PathAndQuery> {
    let is_printable = written.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if written.len() > LONGEST || !is_printable {
        return None;
    }
    match written.as_bytes() {
        [] => Some(PathAndQuery::from_static("/")),
        [b'/', ..] | [b'*'] => PathAndQuery::try_from(written).ok(),
        [b'?', ..] => PathAndQuery::try_from(format!("/{written}")).ok(),
        _ => None,
    }
}

/// A host, and a port or none; no user.
fn authority(written: &str) -> Option<Authority> {
    if written.len() > LONGEST || written.contains('@') {
        return None;
    }
    let authority = Authority::try_from(written).ok()?;
    let host = authority.host().len();
    let is_whole = host == written.len() || authority.port_u16().is_some();
    (host > 0 && is_whole).then_some(authority)
}

/// `incoming-request`
pub(crate) fn define_incoming<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    type This = Resource<IncomingRequest>;
    it.resource::<IncomingRequest>("incoming-request");
    it.func("[method]incoming-request.method", |call, (this,): (This,)| Ok(Method::from(&call.get(&this)?.method)));
    it.func("[method]incoming-request.path-with-query", |call, (this,): (This,)| {
        Ok(call.get(&this)?.path_with_query.as_ref().map(|path| path.as_str().to_owned()))
    });
    it.func("[method]incoming-request.scheme", |call, (this,): (This,)| {
        Ok(call.get(&this)?.scheme.as_ref().map(Scheme::from))
    });
    it.func("[method]incoming-request.authority", |call, (this,): (This,)| {
        Ok(call.get(&this)?.authority.as_ref().map(|authority| authority.as_str().to_owned()))
    });
    it.func("[method]incoming-request.headers", |call, (this,): (This,)| {
        let headers = call.get_mut(&this)?.headers.lend();
        call.keep(headers)
    });
    it.func("[method]incoming-request.consume", |call, (this,): (This,)| {
        let body = call.get_mut(&this)?.body.take();
        IncomingBody::keep(call, body.map(turnkey_http::IncomingBody::new))
    });
}

/// `outgoing-request`
pub(crate) fn define_outgoing<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    type This = Resource<OutgoingRequest>;
    it.resource::<OutgoingRequest>("outgoing-request");
    it.func("[constructor]outgoing-request", |call, (headers,): (Resource<Fields>,)| {
        let headers = Section::of(call, &headers)?;
        call.keep(OutgoingRequest {
            method: http::Method::GET,
            scheme: None,
            authority: None,
            path_with_query: None,
            headers,
            body: None,
            lease: None,
        })
    });
    it.func("[method]outgoing-request.body", |call, (this,): (This,)| {
        let request = call.get_mut(&this)?;
        let body = OutgoingBody::of_message(true, &request.headers, &mut request.body);
        OutgoingBody::keep(call, body)
    });
    it.func("[method]outgoing-request.method", |call, (this,): (This,)| Ok(Method::from(&call.get(&this)?.method)));
    it.func("[method]outgoing-request.set-method", |call, (this, method): (This, Method)| {
        set(call, &this, method.parse(), |request, method| request.method = method)
    });
    it.func("[method]outgoing-request.path-with-query", |call, (this,): (This,)| {
        Ok(call.get(&this)?.path_with_query.as_ref().map(|path| path.as_str().to_owned()))
    });
    it.func("[method]outgoing-request.set-path-with-query", |call, (this, path): (This, Option<String>)| {
        let path = if_any(path.as_deref(), path_with_query);
        set(call, &this, path, |request, path| request.path_with_query = path)
    });
    it.func("[method]outgoing-request.scheme", |call, (this,): (This,)| {
        Ok(call.get(&this)?.scheme.as_ref().map(Scheme::from))
    });
    it.func("[method]outgoing-request.set-scheme", |call, (this, scheme): (This, Option<Scheme>)| {
        let scheme = if_any(scheme.as_ref(), Scheme::parse);
        set(call, &this, scheme, |request, scheme| request.scheme = scheme)
    });
    it.func("[method]outgoing-request.authority", |call, (this,): (This,)| {
        Ok(call.get(&this)?.authority.as_ref().map(|authority| authority.as_str().to_owned()))
    });
    it.func("[method]outgoing-request.set-authority", |call, (this, written): (This, Option<String>)| {
        let parsed = if_any(written.as_deref(), authority);
        set(call, &this, parsed, |request, authority| request.authority = authority)
    });
    it.func("[method]outgoing-request.headers", |call, (this,): (This,)| {
        let headers = call.get_mut(&this)?.headers.lend();
        call.keep(headers)
    });
}

/// None of none; else it has to be one.
fn if_any<W, R>(written: Option<W>, parse: impl FnOnce(W) -> Option<R>) -> Option<Option<R>> {
    match written {
        None => Some(None),
        Some(written) => parse(written).map(Some),
    }
}

/// Sets a word of a request, if it is one, and charges them all.
fn set<V>(
    call: &mut Call<'_>,
    this: &Resource<OutgoingRequest>,
    value: Option<V>,
    set: impl FnOnce(&mut OutgoingRequest, V),
) -> wasmtime::Result<Result<(), ()>> {
    let (request, host) = call.with_host(this)?;
    let Some(value) = value else { return Ok(Err(())) };
    set(request, value);
    let path = request.path_with_query.as_ref().map_or(0, |path| path.as_str().len());
    let authority = request.authority.as_ref().map_or(0, |authority| authority.as_str().len());
    let bytes = request.method.as_str().len() + path + authority;
    request.lease = Some(host.budget.lease(bytes as u64).map_err(|_| Stopped(Limit::Memory))?);
    Ok(Ok(()))
}

/// `request-options`
pub(crate) fn define_options<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    type This = Resource<RequestOptions>;
    let nanoseconds = |timeout: Option<Duration>| {
        // As it was set: out of a number of 64 bits.
        timeout.map(|timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX))
    };
    it.resource::<RequestOptions>("request-options");
    it.func("[constructor]request-options", |call, ()| call.keep(RequestOptions(Default::default())));
    it.func("[method]request-options.connect-timeout", move |call, (this,): (This,)| {
        Ok(nanoseconds(call.get(&this)?.0.connect_timeout))
    });
    it.func("[method]request-options.set-connect-timeout", |call, (this, timeout): (This, Option<u64>)| {
        call.get_mut(&this)?.0.connect_timeout = timeout.map(Duration::from_nanos);
        Ok(Ok::<(), ()>(()))
    });
    it.func("[method]request-options.first-byte-timeout", move |call, (this,): (This,)| {
        Ok(nanoseconds(call.get(&this)?.0.first_byte_timeout))
    });
    it.func("[method]request-options.set-first-byte-timeout", |call, (this, timeout): (This, Option<u64>)| {
        call.get_mut(&this)?.0.first_byte_timeout = timeout.map(Duration::from_nanos);
        Ok(Ok::<(), ()>(()))
    });
    it.func("[method]request-options.between-bytes-timeout", move |call, (this,): (This,)| {
        Ok(nanoseconds(call.get(&this)?.0.between_bytes_timeout))
    });
    it.func("[method]request-options.set-between-bytes-timeout", |call, (this, timeout): (This, Option<u64>)| {
        call.get_mut(&this)?.0.between_bytes_timeout = timeout.map(Duration::from_nanos);
        Ok(Ok::<(), ()>(()))
    });
}
