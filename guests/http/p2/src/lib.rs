//! What the programs here share: how a function becomes the component's `wasi:http/incoming-handler`, what a request asks for,
//! answers in one piece, requests by a URL, and how errors are named. Programs call WASI 0.2 by the bindings of the crate
//! `wasip2`; what `std` does for them besides goes through Preview 1 and the adapter.
//!
//! Source of truth: the WIT packages `wasi:*@0.2`.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, HeaderError, IncomingRequest, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, OutgoingResponse, RequestOptions, ResponseOutparam, Scheme,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

#[doc(hidden)]
pub use wasip2;

/// Makes a `fn(IncomingRequest, ResponseOutparam)` the component's `wasi:http/incoming-handler`. `main` is there since the
/// compiler asks for it, and nothing calls it.
#[macro_export]
macro_rules! service {
    ($handle:path) => {
        struct Service;

        impl $crate::wasip2::exports::http::incoming_handler::Guest for Service {
            fn handle(
                request: $crate::wasip2::http::types::IncomingRequest,
                out: $crate::wasip2::http::types::ResponseOutparam,
            ) {
                $handle(request, out);
            }
        }

        $crate::wasip2::http::proxy::export!(Service with_types_in $crate::wasip2);

        fn main() {}
    };
}

/// What a request asks for: the path, and the options after the `?`, as they are after decoding.
pub struct Asked {
    /// From the `/` to the `?`.
    pub path: String,
    options: Vec<(String, String)>,
}

impl Asked {
    /// Of a request that came.
    pub fn of(request: &IncomingRequest) -> Self {
        let whole = request.path_with_query().unwrap_or_default();
        let (path, query) = whole.split_once('?').unwrap_or((&whole, ""));
        let options = query.split('&').filter(|option| !option.is_empty());
        let options = options.map(|option| option.split_once('=').unwrap_or((option, "")));
        let options = options.map(|(name, value)| (decoded(name), decoded(value))).collect();
        Asked { path: path.to_owned(), options }
    }

    /// All values of an option, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.options.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first value of an option.
    pub fn option<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// An option that is a number, or what it is where it is not given.
    pub fn number(&self, name: &str, otherwise: u64) -> u64 {
        self.option(name).map_or(otherwise, |value| value.parse().expect("a number"))
    }
}

/// With `%XX` as the byte that it stands for.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(b'%'));
        bytes.extend_from_slice(&part.as_bytes()[if byte.is_some() { 2 } else { 0 }..]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Answers with a status and headers, and gives the body.
pub fn begin(out: ResponseOutparam, status: u16, headers: Fields) -> OutgoingBody {
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("a status");
    let body = response.body().expect("the first time");
    ResponseOutparam::set(out, Ok(response));
    body
}

/// Answers with a text.
pub fn text(out: ResponseOutparam, status: u16, text: &str) {
    let body = begin(out, status, fields([("content-type", "text/plain")]));
    let stream = body.write().expect("the first time");
    // A client may be gone by then; nothing else is to be done for it.
    let _ = write(&stream, text.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Fields of these names and values.
pub fn fields<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Fields {
    let fields = Fields::new();
    for (name, value) in entries {
        fields.append(name, value.as_bytes()).expect("a field");
    }
    fields
}

/// Each field on a line, as `NAME: VALUE`.
pub fn listed(fields: &Fields) -> String {
    let line = |(name, value): (String, Vec<u8>)| format!("{name}: {}\n", String::from_utf8_lossy(&value));
    fields.entries().into_iter().map(line).collect()
}

/// All that a stream gives to another, 64 KiB at a time: no byte of it is read before those ahead of it are accepted.
///
/// # Errors
/// Of either stream.
pub fn copy(from: &InputStream, to: &OutputStream) -> Result<(), StreamError> {
    let readable = from.subscribe();
    loop {
        match from.read(64 * 1024) {
            Ok(piece) if piece.is_empty() => readable.block(),
            Ok(piece) => write(to, &piece)?,
            Err(StreamError::Closed) => return to.blocking_flush(),
            Err(error) => return Err(error),
        }
    }
}

/// All of the bytes, as many at a time as are permitted.
///
/// # Errors
/// Of the stream.
pub fn write(to: &OutputStream, mut rest: &[u8]) -> Result<(), StreamError> {
    while !rest.is_empty() {
        let permitted = usize::try_from(to.check_write()?).unwrap_or(usize::MAX).min(rest.len());
        if permitted == 0 {
            to.subscribe().block();
        }
        let (now, then) = rest.split_at(permitted);
        to.write(now)?;
        rest = then;
    }
    Ok(())
}

/// The same, without the bytes passing through this program.
///
/// # Errors
/// Of either stream.
pub fn splice(from: &InputStream, to: &OutputStream) -> Result<(), StreamError> {
    loop {
        match to.blocking_splice(from, 64 * 1024) {
            // The end of either of both is told so; if it is that of the target, this says it once more.
            Err(StreamError::Closed) => return to.blocking_flush(),
            other => _ = other?,
        }
    }
}

/// A request for a URL with these headers, and no body yet.
///
/// # Errors
/// The part that the host does not take.
pub fn request(method: &str, url: &str, headers: Fields) -> Result<OutgoingRequest, String> {
    let (scheme, rest) = url.split_once("://").ok_or("no URL")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let request = OutgoingRequest::new(headers);
    request.set_method(&self::method(method)).map_err(|()| "no such method")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "no such scheme")?;
    request.set_authority(Some(authority)).map_err(|()| "no such authority")?;
    request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).map_err(|()| "no such path")?;
    Ok(request)
}

/// A method by its name.
pub fn method(name: &str) -> Method {
    match name {
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

/// Sends a request, with what the function writes as its body, all of it before the answer is looked at.
///
/// # Errors
/// Why there is no answer.
pub fn exchange(
    request: OutgoingRequest,
    options: Option<RequestOptions>,
    write: impl FnOnce(&OutputStream) -> Result<(), StreamError>,
) -> Result<IncomingResponse, ErrorCode> {
    let body = request.body().expect("the first time");
    let coming = outgoing_handler::handle(request, options)?;
    let stream = body.write().expect("the first time");
    // Whoever answers before it has all of the body may take no more of it, so that the answer says more than this would.
    let _ = write(&stream);
    drop(stream);
    let finished = OutgoingBody::finish(body, None);
    let response = answer(&coming)?;
    finished.map(|()| response)
}

fn answer(coming: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    loop {
        match coming.get() {
            Some(answer) => return answer.expect("the first time"),
            None => coming.subscribe().block(),
        }
    }
}

/// An error's name in the WIT package: bindings know only their own, such as `ErrorCode::DnsTimeout`.
pub fn code(error: &ErrorCode) -> String {
    let own = format!("{error:?}");
    let own = own.strip_prefix("ErrorCode::").unwrap_or(&own);
    let mut name = String::new();
    for character in own.chars().take_while(|character| character.is_alphanumeric()) {
        if character.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(character.to_ascii_lowercase());
    }
    let acronym = |word: &str| match word {
        "dns" | "http" | "ip" | "tls" | "uri" => word.to_uppercase(),
        _ => word.to_owned(),
    };
    name.split('-').map(acronym).collect::<Vec<_>>().join("-")
}

/// A header error's name in the WIT package.
pub fn header_code(error: &HeaderError) -> String {
    match error {
        HeaderError::InvalidSyntax => "invalid-syntax",
        HeaderError::Forbidden => "forbidden",
        HeaderError::Immutable => "immutable",
        #[allow(unreachable_patterns, reason = "later versions have more of them")]
        _ => "other",
    }
    .to_owned()
}

/// A stream error's name: that of the HTTP error in it, where there is one.
pub fn stream_code(error: &StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => wasip2::http::types::http_error_code(error)
            .map_or_else(|| "last-operation-failed".to_owned(), |error| code(&error)),
    }
}
