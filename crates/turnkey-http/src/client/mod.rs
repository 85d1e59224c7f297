//! Outgoing requests: what a guest reaches, and how.
//!
//! A grant is asked for before anything else happens, about the authority that is connected to and the path that is sent; then
//! the request takes the first of: a connection that is kept, or a new one, to an address that its grant covers. Where a response
//! points to is never followed: that would be a request that nobody has asked about.
//!
//! Source of truth: `wasi:http/outgoing-handler` of 0.2.12 and `client` of 0.3.2, RFC 9110, RFC 9209 for the words of errors.

mod answer;
mod connect;
mod connection;
mod pool;
mod stream;
mod tls;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{Method, StatusCode};
use http_body::Body as _;
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use turnkey_core::count::Counted;
use turnkey_core::limits::Lease;
use turnkey_core::sockets::{AskedUrl, Destination};
use turnkey_core::{Capabilities, ErrorCode as Code};

use crate::{Body, ErrorCode, Handler, Handling, Request, RequestOptions, Response};

pub(crate) use answer::Answer;
pub use tls::has_certificates;

use connection::{is_broken, why_not_answered};
use pool::{Origin, Pool};

/// Until there is a connection. As long as three tries of TCP take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Until a response begins, and from one piece of it to the next: longer than any server is kept waiting on purpose, and not for
/// ever.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(600);

/// The longest that a guest can ask for: beyond a day nobody waits for an answer.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Connections that one client has at once. Each is a descriptor of the host; 10,000 instances may each wait on one. How many of
/// them one guest has is `--max-sockets`.
const MOST_CONNECTIONS: usize = 16 << 10;

/// Look-ups that one client has the system do at once: each is a thread. Others wait for their turn.
const MOST_LOOKUPS: usize = 16;

/// Bytes that a guest is charged with for a request until its response has ended: what a connection reads ahead, and what it
/// keeps besides.
const EXCHANGE_BYTES: u64 = (connection::READ_AHEAD_BYTES + (16 << 10)) as u64;

/// Sends requests over the network. A clone is the same, with the same connections: all instances of one app on one thread have
/// one. They all have the same grants: it is the first of them from whom it learns which certificates are trusted.
#[derive(Clone, Debug, Default)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: Mutex<Pool>,
    tls: OnceLock<Result<Arc<ClientConfig>, ErrorCode>>,
    connections: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
}

/// What a guest reaches by HTTP.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The network, as far as grants go.
    pub client: Client,
    /// What `wasi:http/handler` is, for a guest that imports it: the next handler behind this one.
    pub next: Option<Arc<dyn Handler>>,
}

/// Who is asked, as it was checked.
#[derive(Debug)]
struct Target {
    origin: Origin,
    destination: Destination,
    /// Of `https`.
    tls: Option<Arc<ClientConfig>>,
    held: Held,
}

/// What a guest has of the host until its response has ended.
#[derive(Debug)]
struct Held {
    _socket: Counted,
    _lease: Lease,
}

impl Default for Shared {
    fn default() -> Self {
        Shared {
            pool: Mutex::default(),
            tls: OnceLock::new(),
            connections: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
            lookups: Arc::new(Semaphore::new(MOST_LOOKUPS)),
        }
    }
}

impl Shared {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// Sends a request, if a grant names it; whatever of it is known at once is said at once. In an executor. Whoever drops what
    /// comes back ends the exchange.
    ///
    /// # Errors
    /// [`ErrorCode::HttpRequestDenied`]: no grant. [`ErrorCode::HttpRequestUriInvalid`]: it is not clear who is asked, or for
    /// what. [`ErrorCode::HttpRequestMethodInvalid`]: `CONNECT`, which would be a tunnel to anywhere.
    /// [`ErrorCode::HttpRequestBodySize`]: its headers say another length than its body has.
    /// [`ErrorCode::ConnectionLimitReached`]: `--max-sockets`, or `--max-memory`.
    pub fn send(
        &self,
        host: &mut Capabilities,
        call: &'static str,
        mut request: Request,
    ) -> Result<Handling, ErrorCode> {
        match self.check(host, call, &request) {
            Ok(target) => {
                let client = self.clone();
                Ok(Box::pin(async move { client.exchange(target, request).await }))
            }
            Err(code) => {
                request.body.refuse(code.clone());
                Err(code)
            }
        }
    }

    fn check(&self, host: &mut Capabilities, call: &'static str, request: &Request) -> Result<Target, ErrorCode> {
        if request.method == Method::CONNECT {
            return Err(ErrorCode::HttpRequestMethodInvalid);
        }
        let is_https = match &request.scheme {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme != Scheme::HTTPS => return Err(ErrorCode::HttpRequestUriInvalid),
            _ => true,
        };
        let authority = request.authority.as_ref().ok_or(ErrorCode::HttpRequestUriInvalid)?;
        let (name, port) = host_and_port(authority, is_https).ok_or(ErrorCode::HttpRequestUriInvalid)?;
        let path = request.path_with_query.as_ref().map_or("/", http::uri::PathAndQuery::path);
        // What begins otherwise could name another host by itself.
        let is_path = path.starts_with('/') || path == "*" && request.method == Method::OPTIONS;
        if !is_path {
            return Err(ErrorCode::HttpRequestUriInvalid);
        }
        if let (Some(said), Some(exact)) = (request.headers.content_length()?, request.body.size_hint().exact())
            && said != exact
        {
            return Err(ErrorCode::HttpRequestBodySize(Some(exact)));
        }
        let asked = AskedUrl { method: request.method.as_str(), is_https, host: name, port, path };
        let destination = host.network.must_request(&mut host.audit, call, &asked).map_err(|code| match code {
            Code::Access => ErrorCode::HttpRequestDenied,
            _ => ErrorCode::HttpRequestUriInvalid,
        })?;
        let socket = host.network.open_socket(&mut host.budget, &host.limits);
        let lease = host.budget.lease(EXCHANGE_BYTES);
        let (Ok(socket), Ok(lease)) = (socket, lease) else {
            return Err(ErrorCode::ConnectionLimitReached);
        };
        let tls = match is_https {
            true => Some(self.0.tls.get_or_init(|| tls::config(host.network.roots())).clone()?),
            false => None,
        };
        let origin = Origin { is_https, host: name.to_ascii_lowercase().into(), port };
        Ok(Target { origin, destination, tls, held: Held { _socket: socket, _lease: lease } })
    }

    async fn exchange(self, target: Target, mut request: Request) -> Result<Response, ErrorCode> {
        let mut body = std::mem::take(&mut request.body);
        let response = self.attempt(target, &request, &mut body).await;
        if let Err(code) = &response {
            // Of a request that no connection has taken.
            body.refuse(code.clone());
        }
        response
    }

    async fn attempt(&self, target: Target, request: &Request, body: &mut Body) -> Result<Response, ErrorCode> {
        let RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout } = request.options;
        let connect_timeout = patience(connect_timeout, CONNECT_TIMEOUT);
        let first_byte_timeout = patience(first_byte_timeout, RESPONSE_TIMEOUT);
        if connect_timeout.is_zero() {
            return Err(ErrorCode::ConnectionTimeout);
        }
        if first_byte_timeout.is_zero() {
            return Err(ErrorCode::HttpResponseTimeout);
        }
        let mut kept = self.0.pool().take(&target.origin, &target.destination);
        loop {
            let is_kept = kept.is_some();
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => timeout(connect_timeout, self.connect(&target, connect_timeout))
                    .await
                    .map_err(|_| ErrorCode::ConnectionTimeout)??,
            };
            let head = head(request).into_network(connection.is_http2())?;
            let message = head.map(|_| std::mem::take(body));
            // The server may have closed a connection that is kept just before; what has no effect twice, and no body, can be
            // sent once more.
            let can_repeat = is_kept && request.method.is_idempotent() && message.body().is_end_stream();
            let sent = timeout(first_byte_timeout, connection.send(message)).await;
            match sent.map_err(|_| ErrorCode::HttpResponseTimeout)? {
                Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    return Err(ErrorCode::HttpProtocolError);
                }
                Ok(response) => {
                    let between = patience(between_bytes_timeout, RESPONSE_TIMEOUT);
                    let (client, Target { origin, held, .. }) = (self.clone(), target);
                    let answer = |incoming| Answer::new(incoming, client, origin, connection, held, between);
                    return Response::from_network(response.map(answer));
                }
                Err(mut failed) => {
                    let unsent = failed.take_message();
                    let is_unsent = unsent.is_some();
                    if let Some(message) = unsent {
                        *body = message.into_body();
                    }
                    let error = failed.into_error();
                    if !(is_kept && (is_unsent || can_repeat && is_broken(&error))) {
                        return Err(why_not_answered(&error));
                    }
                }
            }
        }
    }
}

/// How long something may take.
fn patience(asked: Option<Duration>, usual: Duration) -> Duration {
    asked.unwrap_or(usual).min(LONGEST_TIMEOUT)
}

/// The same request, without its body.
fn head(request: &Request) -> Request {
    Request {
        method: request.method.clone(),
        scheme: request.scheme.clone(),
        authority: request.authority.clone(),
        path_with_query: request.path_with_query.clone(),
        headers: Arc::clone(&request.headers),
        options: request.options,
        body: Body::default(),
    }
}

/// `None`: a user before it, or a port that is none.
fn host_and_port(authority: &Authority, is_https: bool) -> Option<(&str, u16)> {
    let host = authority.host();
    let port = match authority.as_str().strip_prefix(host)? {
        "" => return Some((host, if is_https { 443 } else { 80 })),
        rest => rest.strip_prefix(':')?,
    };
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|&port: &u16| is_number && port != 0).map(|port| (host, port))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test has its own servers")]
mod tests {
    use http::uri::PathAndQuery;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use turnkey_core::sockets::NetworkGrants;
    use turnkey_core::{Grants, Limits};

    use super::*;

    /// Answers on each connection for as long as it is there; its authority.
    async fn serve() -> Authority {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string().parse().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    // A head comes in one piece.
                    while stream.read(&mut [0; 4096]).await.is_ok_and(|bytes| bytes > 0) {
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                    }
                });
            }
        });
        authority
    }

    /// A connection that is kept makes room for another; one that is in use does not.
    #[test]
    fn there_are_so_many_connections_at_once_and_no_more() {
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        executor.block_on(async { timeout(Duration::from_secs(20), some_at_once()).await }).unwrap();
    }

    async fn some_at_once() {
        let connections = Arc::new(Semaphore::new(2));
        let client = Client(Arc::new(Shared { connections: Arc::clone(&connections), ..Shared::default() }));
        let mut network = NetworkGrants::default();
        network.allow("network").unwrap();
        let mut guest = Capabilities::new(Grants { network, ..Grants::default() }, Limits::default()).unwrap();
        let mut send = |authority: &Authority| {
            let request = Request {
                method: Method::GET,
                scheme: Some(Scheme::HTTP),
                authority: Some(authority.clone()),
                path_with_query: Some(PathAndQuery::from_static("/")),
                headers: Arc::default(),
                options: RequestOptions::default(),
                body: Body::default(),
            };
            client.send(&mut guest, "handle", request).unwrap()
        };
        let servers = [serve().await, serve().await, serve().await];
        for server in &servers {
            let mut body = send(server).await.unwrap().body;
            while !body.is_end_stream() {
                std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context))
                    .await
                    .unwrap()
                    .unwrap();
            }
        }
        assert_eq!(connections.available_permits(), 0);
        let held = (send(&servers[0]).await.unwrap(), send(&servers[0]).await.unwrap());
        assert_eq!(send(&servers[1]).await.unwrap_err(), ErrorCode::ConnectionLimitReached);
        drop(held);
        assert_eq!(connections.available_permits(), 2);
        send(&servers[1]).await.unwrap();
    }
}
