//! A request and a response, between whoever makes them and whoever answers them: a guest, the network, another guest.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, StatusCode, Uri};

use crate::{Body, ErrorCode, Fields, HeaderError};

/// A request.
#[derive(Debug)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// `http`, `https`, or another one.
    pub scheme: Option<Scheme>,
    /// Who is asked.
    pub authority: Option<Authority>,
    /// What for: it begins with a slash, or is `*`. `None`: the root.
    pub path_with_query: Option<PathAndQuery>,
    /// Headers.
    pub headers: Arc<Fields>,
    /// How long it may take, where it goes over a network.
    pub options: RequestOptions,
    /// Its body.
    pub body: Body,
}

/// `request-options`. `None`: the host's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestOptions {
    /// From the beginning until there is a connection.
    pub connect_timeout: Option<Duration>,
    /// From then until the response begins.
    pub first_byte_timeout: Option<Duration>,
    /// From one piece of its body to the next.
    pub between_bytes_timeout: Option<Duration>,
}

/// A response.
#[derive(Debug)]
pub struct Response {
    /// How it went.
    pub status: StatusCode,
    /// Headers.
    pub headers: Arc<Fields>,
    /// Its body.
    pub body: Body,
}

/// The answer to a request, when it comes.
pub type Handling = Pin<Box<dyn Future<Output = Result<Response, ErrorCode>> + Send>>;

/// Whatever answers requests, other than over a network.
pub trait Handler: Debug + Send + Sync {
    /// Answers one.
    fn handle(&self, request: Request) -> Handling;
}

/// A request that cannot be what it seems to be; what its sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status.
    pub status: StatusCode,
    /// Why, in words.
    pub why: &'static str,
}

/// A request that says two things at once, or what no request says.
const fn bad(why: &'static str) -> Refused {
    Refused { status: StatusCode::BAD_REQUEST, why }
}

impl Request {
    /// One that came over a connection, of `http` or `https`.
    ///
    /// # Errors
    /// [`Refused`]: what it asks for is not clear, so that two who read it could understand two things.
    pub fn from_network<B: Into<Body>>(request: http::Request<B>, scheme: Scheme) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        is_chunked_at_most(&parts.headers)?;
        let uri = parts.uri.into_parts();
        let is_authority_alone = uri.authority.is_some() && uri.scheme.is_none();
        if is_authority_alone && parts.method != Method::CONNECT {
            return Err(bad("a host alone is asked for by `CONNECT`"));
        }
        if uri.path_and_query.as_ref().is_some_and(|path| path == "*") && parts.method != Method::OPTIONS {
            return Err(bad("the server as a whole has nothing but `OPTIONS`"));
        }
        let mut hosts = parts.headers.get_all(HOST).iter();
        let host = hosts.next().map(authority_of).transpose()?;
        if hosts.next().is_some() {
            return Err(bad("two `host` headers"));
        }
        // What the request line names goes before the header (RFC 9112, section 3.2.2); a request that names two is not one
        // that anybody makes by accident.
        let authority = match (uri.authority, host) {
            (Some(named), Some(Some(host))) if named != host => return Err(bad("two hosts are named")),
            (Some(named), _) => Some(named),
            (None, host) => host.flatten(),
        };
        if authority.as_ref().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(bad("a host has no user"));
        }
        if authority.is_none() && parts.version == http::Version::HTTP_11 {
            return Err(bad("no `host` header"));
        }
        let headers = Fields::received(parts.headers)
            .map_err(|_| Refused { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why: "too many headers" })?;
        if headers.content_length().is_err() {
            return Err(bad("two `content-length` headers, or one that is no number"));
        }
        Ok(Request {
            method: parts.method,
            scheme: Some(scheme),
            authority,
            path_with_query: uri.path_and_query.map(own),
            headers: Arc::new(headers),
            options: RequestOptions::default(),
            body: body.into(),
        })
    }

    /// As it goes over a connection: to whom and for what is as it was checked, whatever else the guest has written.
    ///
    /// # Errors
    /// [`ErrorCode::HttpRequestUriInvalid`]: there is no authority. Else what is wrong with its headers.
    pub fn into_network(self, is_http2: bool) -> Result<http::Request<Body>, ErrorCode> {
        let authority = self.authority.ok_or(ErrorCode::HttpRequestUriInvalid)?;
        let path = self.path_with_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        self.headers.content_length()?;
        let mut headers = self.headers.to_map().map_err(|error| match error {
            HeaderError::SizeExceeded => ErrorCode::HttpRequestHeaderSectionSize(None),
            _ => ErrorCode::HttpProtocolError,
        })?;
        let mut uri = http::uri::Parts::default();
        if is_http2 {
            uri.scheme = Some(self.scheme.unwrap_or(Scheme::HTTPS));
            uri.authority = Some(authority);
        } else {
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| ErrorCode::HttpRequestUriInvalid)?;
            headers.insert(HOST, host);
        }
        uri.path_and_query = Some(path);
        let mut request = http::Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = Uri::from_parts(uri).map_err(|_| ErrorCode::HttpRequestUriInvalid)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// A path by itself. It is a piece of what was read with it, all of which it would keep for as long as the request is there.
fn own(path: PathAndQuery) -> PathAndQuery {
    path.as_str().parse().unwrap_or(path)
}

/// A body is in chunks, or as it is. Of another encoding before them, the guest would neither be told nor see its content; and who
/// names chunks twice means that somebody counts otherwise.
fn is_chunked_at_most(headers: &HeaderMap) -> Result<(), Refused> {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_other = |encoding: &HeaderValue| !encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if encodings.next().is_some_and(is_other) || encodings.next().is_some() {
        let why = "a `transfer-encoding` other than `chunked`";
        return Err(Refused { status: StatusCode::NOT_IMPLEMENTED, why });
    }
    Ok(())
}

/// What a `host` header says; `None`: nothing.
fn authority_of(host: &HeaderValue) -> Result<Option<Authority>, Refused> {
    if host.is_empty() {
        return Ok(None);
    }
    Authority::try_from(host.as_bytes()).map(Some).map_err(|_| bad("a `host` header that names none"))
}

impl Response {
    /// One of a status alone.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        Response { status, headers: Arc::default(), body: Body::default() }
    }

    /// One that came over a connection.
    ///
    /// # Errors
    /// [`ErrorCode::HttpResponseHeaderSectionSize`]
    pub fn from_network<B: Into<Body>>(response: http::Response<B>) -> Result<Self, ErrorCode> {
        let (parts, body) = response.into_parts();
        let headers = Fields::received(parts.headers).map_err(|_| ErrorCode::HttpResponseHeaderSectionSize(None))?;
        headers.content_length()?;
        Ok(Response { status: parts.status, headers: Arc::new(headers), body: body.into() })
    }

    /// As it goes over a connection.
    ///
    /// # Errors
    /// [`ErrorCode::HttpProtocolError`]: a status that ends nothing, or what its headers say of its length is not clear.
    pub fn into_network(self) -> Result<http::Response<Body>, ErrorCode> {
        if self.status.is_informational() {
            return Err(ErrorCode::HttpProtocolError);
        }
        self.headers.content_length()?;
        let headers = self.headers.to_map().map_err(|error| match error {
            HeaderError::SizeExceeded => ErrorCode::HttpResponseHeaderSectionSize(None),
            _ => ErrorCode::HttpProtocolError,
        })?;
        let mut response = http::Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
