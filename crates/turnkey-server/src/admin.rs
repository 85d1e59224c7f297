//! What there is to see of a server, on an address of its own: a page for people, numbers for programs, and whether it is well.
//!
//! It only tells; nothing can be done here. It asks nobody who they are, so it is for an address that only its user reaches.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use turnkey::host::process::resident_bytes;
use turnkey::http::Body;

use crate::instances::Shared;
use crate::log::now_ms;
use crate::metrics::BOUNDS_US;

const PAGE: &str = include_str!("admin/page.html");
const SCRIPT: &str = include_str!("admin/page.js");
const STYLE: &str = include_str!("admin/page.css");

/// Connections at once, bytes of a head, and how long one may take: few look here.
const CONNECTIONS: usize = 64;
const HEAD_BYTES: usize = 16 << 10;
const HEAD_TIME: Duration = Duration::from_secs(30);

/// The page has its own script and style, asks its own server, and nobody else has a part in it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers whoever looks, for as long as the server is there.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Arc::clone(&shared)));
    let registry = Arc::new(registry);
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&connections).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptor is left, or the connection is gone already.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (shared, registry) = (Arc::clone(&shared), Arc::clone(&registry));
        let service = service_fn(move |request: Request<Incoming>| {
            let response = answer(&shared, &registry, &request);
            async { Ok::<_, std::convert::Infallible>(response) }
        });
        tokio::spawn(async move {
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
}

fn answer<B>(shared: &Shared, registry: &Registry, request: &Request<B>) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only to be looked at\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "alive\n"),
        "/readyz" if shared.is_ending.load(Ordering::Relaxed) => text(StatusCode::SERVICE_UNAVAILABLE, "ending\n"),
        "/readyz" => text(StatusCode::OK, "ready\n"),
        "/metrics" => {
            let mut numbers = String::new();
            match prometheus_text::encode(&mut numbers, registry) {
                Ok(()) => response(StatusCode::OK, prometheus_text::CONTENT_TYPE, numbers),
                Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the numbers cannot be written\n"),
            }
        }
        "/" | "/page.js" | "/page.css" | "/status.json" if !is_asked_by_number(request.headers()) => {
            text(StatusCode::FORBIDDEN, "to be had under an IP address or `localhost`, not under another name\n")
        }
        "/" => response(StatusCode::OK, "text/html; charset=utf-8", PAGE),
        "/page.js" => response(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT),
        "/page.css" => response(StatusCode::OK, "text/css; charset=utf-8", STYLE),
        "/status.json" => response(StatusCode::OK, "application/json", status(shared).to_string()),
        _ => text(StatusCode::NOT_FOUND, "no such page\n"),
    }
}

/// Whether the host of a request is an IP address or `localhost`.
///
/// A page from elsewhere may give its own name this server's address, and then read in the user's browser what is here as if it
/// were its own; such requests have that name. What tells of guests is kept from them. Numbers are not: they say little, and whoever
/// gathers them may do so under a name.
fn is_asked_by_number(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    host.is_some_and(|host| {
        let host = host.host();
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
    })
}

fn text(status: StatusCode, words: &'static str) -> Response<Body> {
    response(status, "text/plain; charset=utf-8", words)
}

fn response(status: StatusCode, kind: &'static str, content: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::full(content));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_TYPE, kind);
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("referrer-policy"), "no-referrer");
    response
}

/// What the page shows. Rates are the page's: it knows when it asked.
fn status(shared: &Shared) -> serde_json::Value {
    let metrics = &shared.metrics;
    let named = |counts: &mut dyn Iterator<Item = (&'static str, u64)>| {
        counts.map(|(name, count)| (name.to_owned(), count.into())).collect::<serde_json::Map<_, _>>()
    };
    let recent = shared.log.recent();
    let refusals = recent.refusals.iter().rev().map(|refusal| {
        serde_json::json!({
            "at_ms": refusal.at_ms, "count": refusal.count,
            "call": refusal.call, "asked": refusal.asked, "grant": refusal.grant,
        })
    });
    let faults =
        recent.faults.iter().rev().map(|fault| serde_json::json!({ "at_ms": fault.at_ms, "what": fault.what }));
    serde_json::json!({
        "now_ms": now_ms(),
        "began_ms": shared.log.began_ms(),
        "is_ending": shared.is_ending.load(Ordering::Relaxed),
        "requests": named(&mut metrics.by_class()),
        "in_flight": metrics.in_flight(),
        "waiting": shared.waiting.load(Ordering::Relaxed),
        "durations": { "bounds_us": BOUNDS_US, "counts": metrics.durations().collect::<Vec<u64>>() },
        "response_bytes": metrics.bytes(),
        "instances": metrics.instances(),
        "instances_made": metrics.instances_made(),
        "most_instances": shared.limits.instances,
        "connections": metrics.connections(),
        "resident_bytes": resident_bytes(),
        "reloads": named(&mut metrics.reloads().into_iter()),
        "limits": named(&mut metrics.limits()),
        "failures": named(&mut metrics.failures()),
        "refusals": named(&mut metrics.refusals().into_iter()),
        "last_refusals": refusals.collect::<Vec<_>>(),
        "last_faults": faults.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_of_guests_is_told_under_no_foreign_name() {
        let is_told = |host: &str| {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_str(host).unwrap())]);
            is_asked_by_number(&headers)
        };
        for host in ["127.0.0.1", "127.0.0.1:9090", "[::1]", "[::1]:9090", "192.168.1.7:80", "localhost", "LocalHost:1"]
        {
            assert!(is_told(host), "{host}");
        }
        for host in
            ["", "evil.example", "evil.example:9090", "localhost.evil.example", "127.0.0.1.evil.example", "a@b c"]
        {
            assert!(!is_told(host), "{host}");
        }
        assert!(!is_asked_by_number(&HeaderMap::new()));
    }
}
