//! What the programs here share: how a function becomes the component's `wasi:http/handler` or `wasi:cli/run`, what a request
//! asks for, bodies, requests by a URL, and how errors are named. Programs call WASI 0.3 by the bindings of the crate `wasip3`;
//! what `std` does for them besides goes through Preview 1 and the adapter, so through WASI 0.2.
//!
//! Source of truth: the WIT packages `wasi:*@0.3`.

use std::fmt::Debug;
use std::future::Future;

use wasip3::cli::{stderr, stdout};
use wasip3::http::types::{
    ErrorCode, Fields, HeaderError, Method, Request, RequestOptions, Response, Scheme, Trailers,
};
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamWriter};
use wasip3::{spawn_local, wit_future, wit_stream};

#[doc(hidden)]
pub use wasip3;

/// Makes an `async fn(Request) -> Result<Response, ErrorCode>` the component's `wasi:http/handler`. `main` is there since the
/// compiler asks for it, and nothing calls it.
#[macro_export]
macro_rules! service {
    ($handle:path) => {
        struct Service;

        impl $crate::wasip3::exports::http::handler::Guest for Service {
            async fn handle(
                request: $crate::wasip3::http::types::Request,
            ) -> Result<$crate::wasip3::http::types::Response, $crate::wasip3::http::types::ErrorCode> {
                $handle(request).await
            }
        }

        $crate::wasip3::http::service::export!(Service with_types_in $crate::wasip3);

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
    pub fn of(request: &Request) -> Self {
        let whole = request.get_path_with_query().unwrap_or_default();
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

/// What comes after a body: trailers, none, or why the body is not whole.
pub type End = Result<Option<Trailers>, ErrorCode>;

/// A body that is read, and what comes after it.
pub type Body = (StreamReader<u8>, FutureReader<End>);

/// A body that a task of its own writes, and ends as it says.
pub fn body<F: Future<Output = End> + 'static>(write: impl FnOnce(StreamWriter<u8>) -> F) -> Body {
    let (writer, reader) = wit_stream::new();
    let (end, coming) = wit_future::new(|| Ok(None));
    let written = write(writer);
    spawn_local(async move {
        let said = written.await;
        // Whom nobody hears need not say it.
        let _ = end.write(said).await;
    });
    (reader, coming)
}

/// No trailers.
pub fn no_trailers() -> FutureReader<End> {
    // Whose writer is dropped gives this.
    wit_future::new(|| Ok(None)).1
}

/// Takes the body of a request that came.
pub fn taken(request: Request) -> Body {
    Request::consume_body(request, wit_future::new(|| Ok(())).1)
}

/// An answer that has this body.
pub fn answer(status: u16, headers: Fields, (stream, end): Body) -> Response {
    let (response, _) = Response::new(headers, Some(stream), end);
    response.set_status_code(status).expect("a status");
    response
}

/// Answers with a text.
pub fn text(status: u16, text: impl Into<Vec<u8>>) -> Response {
    let text = text.into();
    let body = body(|mut writer| async move {
        writer.write_all(text).await;
        Ok(None)
    });
    answer(status, fields([("content-type", "text/plain")]), body)
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
    fields.copy_all().into_iter().map(line).collect()
}

/// All that a stream gives to another, through one buffer. `false`: nobody takes the rest.
pub async fn copy(from: &mut StreamReader<u8>, to: &mut StreamWriter<u8>) -> bool {
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        let (_, read) = from.read(buffer).await;
        if read.is_empty() {
            return true;
        }
        // What is written gives the buffer back, with what was not taken.
        buffer = to.write_all(read).await;
        if !buffer.is_empty() {
            return false;
        }
    }
}

/// A request for a URL.
///
/// # Errors
/// The part that the host does not take.
pub fn request(
    method: &str,
    url: &str,
    headers: Fields,
    body: Option<Body>,
    options: Option<RequestOptions>,
) -> Result<Request, String> {
    let (scheme, rest) = url.split_once("://").ok_or("no URL")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let (contents, trailers) = match body {
        Some((stream, end)) => (Some(stream), end),
        None => (None, no_trailers()),
    };
    let (request, _) = Request::new(headers, contents, trailers, options);
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

/// An error's name in the WIT package: bindings know only their own, such as `ErrorCode::DnsTimeout`.
pub fn code(error: &ErrorCode) -> String {
    kebab(error)
        .split('-')
        .map(|word| match word {
            "dns" | "http" | "ip" | "tls" | "uri" => word.to_uppercase(),
            _ => word.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("-")
}

/// A header error's name in the WIT package.
pub fn header_code(error: &HeaderError) -> String {
    kebab(error)
}

fn kebab(error: impl Debug) -> String {
    let own = format!("{error:?}");
    let own = own.split_once("::").map_or(own.as_str(), |(_, own)| own);
    let mut name = String::new();
    for character in own.chars().take_while(|character| character.is_alphanumeric()) {
        if character.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

/// Writes this to standard output, by a stream of its own, and waits until it is there. `false`: it cannot be.
pub async fn print(text: impl Into<Vec<u8>>) -> bool {
    stdout::write_via_stream(given(text.into())).await.is_ok()
}

/// The same to standard error.
pub async fn complain(text: impl Into<Vec<u8>>) -> bool {
    stderr::write_via_stream(given(text.into())).await.is_ok()
}

/// A stream of these bytes, which a task of its own writes.
fn given(bytes: Vec<u8>) -> StreamReader<u8> {
    let (mut writer, reader) = wit_stream::new();
    spawn_local(async move {
        writer.write_all(bytes).await;
    });
    reader
}
