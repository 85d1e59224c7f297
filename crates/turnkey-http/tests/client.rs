//! Outgoing requests, over loopback: servers that behave, servers that do not, and what is refused.
#![allow(clippy::disallowed_methods, reason = "a test has its own servers")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::uri::Scheme;
use http::{Method, StatusCode};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use turnkey_core::host::buffers::Buffers;
use turnkey_core::sockets::NetworkGrants;
use turnkey_core::stream::Drain as _;
use turnkey_core::{Capabilities, Grants, Limits};
use turnkey_http::{
    Body, Client, ErrorCode, Fields, OutgoingBody, Request, RequestOptions, Response, has_certificates, outgoing_body,
};

const CALL: &str = "handle";

fn run(test: impl Future<Output = ()>) {
    run_within(Duration::from_secs(20), test);
}

fn run_within(longest: Duration, test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let in_time = runtime.block_on(async { timeout(longest, test).await });
    in_time.expect("it came to no end");
}

fn guest_with(allowed: &[String], hosts: &[&str], roots: &[&str], limits: Limits) -> Capabilities {
    let hosts: Vec<_> = hosts.iter().map(|name| (*name, Ipv4Addr::LOCALHOST)).collect();
    guest_knowing(allowed, &hosts, roots, limits)
}

fn guest_knowing(allowed: &[String], hosts: &[(&str, Ipv4Addr)], roots: &[&str], limits: Limits) -> Capabilities {
    let mut network = NetworkGrants::default();
    for written in allowed {
        network.allow(written).unwrap();
    }
    network.roots = roots.iter().map(|pem| pem.as_bytes().to_vec()).collect();
    let hosts = hosts.iter().map(|(name, address)| (String::from(*name), IpAddr::from(*address))).collect();
    Capabilities::new(Grants { network, hosts, ..Grants::default() }, limits).unwrap()
}

fn guest(allowed: &[String]) -> Capabilities {
    guest_with(allowed, &[], &[], Limits::default())
}

fn request(method: Method, url: &str) -> Request {
    let uri: http::Uri = url.parse().unwrap();
    let parts = uri.into_parts();
    Request {
        method,
        scheme: parts.scheme,
        authority: parts.authority,
        path_with_query: parts.path_and_query,
        headers: Arc::default(),
        options: RequestOptions::default(),
        body: Body::default(),
    }
}

fn get(url: &str) -> Request {
    request(Method::GET, url)
}

fn fields(fields: &[(&str, &str)]) -> Arc<Fields> {
    Arc::new(Fields::from_list(fields.iter().map(|(name, value)| (*name, value.as_bytes()))).unwrap())
}

async fn send(client: &Client, guest: &mut Capabilities, request: Request) -> Result<Response, ErrorCode> {
    client.send(guest, CALL, request)?.await
}

async fn next(body: &mut Body) -> Option<Result<Frame<bytes::Bytes>, ErrorCode>> {
    poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

/// All of a body, and what its trailer `sum` says.
async fn read(mut body: Body) -> Result<(String, Option<String>), ErrorCode> {
    let (mut text, mut sum) = (Vec::new(), None);
    while let Some(frame) = next(&mut body).await {
        match frame?.into_data() {
            Ok(data) => text.extend_from_slice(&data),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap();
                sum = trailers.get("sum").map(|sum| String::from(sum.to_str().unwrap()));
            }
        }
    }
    Ok((String::from_utf8(text).unwrap(), sum))
}

async fn text(client: &Client, guest: &mut Capabilities, request: Request) -> String {
    read(send(client, guest, request).await.unwrap().body).await.unwrap().0
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Says what it was asked, as it reads it: `METHOD target host body sum`; and answers with trailers. `/to` points elsewhere.
async fn echo(request: http::Request<Incoming>) -> Result<http::Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    if head.uri.path() == "/to" {
        let response = http::Response::builder().status(302).header("location", "http://example.com/");
        return Ok(response.body(Body::default()).unwrap());
    }
    let (body, sum) = read(body.into()).await.unwrap_or_default();
    let host = head.headers.get("host").map_or("-", |host| host.to_str().unwrap());
    let told = format!("{} {} {host} {body} {}", head.method, head.uri, sum.unwrap_or_default());
    let (writing, reading) = outgoing_body(false, None);
    write(&writing, &told);
    writing.finish(Some(&fields(&[("sum", "7")]))).unwrap();
    Ok(http::Response::builder().header("trailer", "sum").body(reading.into()).unwrap())
}

fn write(body: &OutgoingBody, text: &str) {
    assert_eq!(body.write(&Buffers::whole(&mut text.as_bytes().to_vec())), Ok(text.len()));
}

/// Serves HTTP/1.1, each connection for `most` requests; counts connections.
async fn serve(most: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let (listener, address) = listen().await;
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let left = AtomicUsize::new(most);
            let service = service_fn(move |request| {
                let is_last = left.fetch_sub(1, Ordering::Relaxed) == 1;
                async move {
                    let mut response = echo(request).await;
                    if let (true, Ok(response)) = (is_last, &mut response) {
                        response.headers_mut().insert("connection", "close".parse().unwrap());
                    }
                    response
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, connections)
}

/// A server that writes `answers`, one after each head that it reads, to each connection that it takes; then it hangs up.
async fn raw(connections: Vec<Vec<&'static str>>) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answers in connections {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                heads.push(read_head(&mut stream).await);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
        heads
    });
    (address, server)
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn a_connection_is_used_again_and_what_is_sent_names_who_was_asked() {
    run(async {
        let (address, connections) = serve(usize::MAX).await;
        let (client, mut guest) = (Client::default(), guest(&[format!("http=http://{address}")]));
        for _ in 0..3 {
            let told = text(&client, &mut guest, get(&format!("http://{address}/a?b=c"))).await;
            assert_eq!(told, format!("GET /a?b=c {address}  "));
        }
        assert_eq!(connections.load(Ordering::Relaxed), 1);
        // While one is in use, there is another.
        let held = send(&client, &mut guest, get(&format!("http://{address}/"))).await.unwrap();
        text(&client, &mut guest, get(&format!("http://{address}/"))).await;
        assert_eq!(connections.load(Ordering::Relaxed), 2);
        // What is left in the middle is of no use to anybody else.
        drop(held);
        text(&client, &mut guest, get(&format!("http://{address}/"))).await;
        assert_eq!(connections.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_server_that_closes_is_asked_on_a_new_connection() {
    run(async {
        let (address, connections) = serve(1).await;
        let (client, mut guest) = (Client::default(), guest(&[format!("http=http://{address}")]));
        for round in 1..=3 {
            text(&client, &mut guest, get(&format!("http://{address}/"))).await;
            assert_eq!(connections.load(Ordering::Relaxed), round);
        }
        // Without a word, after it has read the second request; a third comes on a new connection.
        let (address, server) = raw(vec![vec![OK, ""], vec![OK]]).await;
        let mut guest = self::guest(&[format!("http=http://{address}")]);
        text(&client, &mut guest, get(&format!("http://{address}/1"))).await;
        text(&client, &mut guest, get(&format!("http://{address}/2"))).await;
        let heads = server.await.unwrap();
        let paths: Vec<&str> = heads.iter().map(|head| head.split(' ').nth(1).unwrap()).collect();
        assert_eq!(paths, ["/1", "/2", "/2"]);
    });
}

#[test]
fn what_may_have_had_an_effect_is_not_sent_twice() {
    run(async {
        let (address, server) = raw(vec![vec![OK, ""]]).await;
        let (client, mut guest) = (Client::default(), guest(&[format!("http=http://{address}")]));
        text(&client, &mut guest, get(&format!("http://{address}/"))).await;
        let second = send(&client, &mut guest, request(Method::POST, &format!("http://{address}/"))).await;
        assert_eq!(second.unwrap_err(), ErrorCode::ConnectionTerminated);
        assert_eq!(server.await.unwrap().len(), 2);
    });
}

/// The server has hung up and this side has seen it: what has an effect need not fail for that.
#[test]
fn a_connection_that_was_closed_while_nobody_used_it_is_not_used() {
    run(async {
        let (address, server) = raw(vec![vec![OK], vec![OK]]).await;
        let (client, mut guest) = (Client::default(), guest(&[format!("http=http://{address}")]));
        text(&client, &mut guest, get(&format!("http://{address}/1"))).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let told = text(&client, &mut guest, request(Method::POST, &format!("http://{address}/2"))).await;
        assert_eq!(told, "ok");
        let heads = server.await.unwrap();
        let lines: Vec<&str> = heads.iter().map(|head| head.lines().next().unwrap()).collect();
        assert_eq!(lines, ["GET /1 HTTP/1.1", "POST /2 HTTP/1.1"]);
    });
}

/// The server has hung up and nobody has had the time to see it: what can be asked twice has its answer; of what has an effect the
/// guest knows whether it had one.
#[test]
fn a_connection_that_is_closed_as_it_is_used_has_nothing_done_twice_or_in_silence() {
    for method in [Method::GET, Method::POST] {
        run(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let (close, told_to_close) = std::sync::mpsc::channel();
            let (has_closed, closed) = std::sync::mpsc::channel();
            let server = std::thread::spawn(move || {
                let mut paths = Vec::new();
                while paths.last().is_none_or(|last| last != "/3") {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        stream.read_exact(&mut byte).unwrap();
                        head.extend(byte);
                    }
                    paths.push(String::from(String::from_utf8(head).unwrap().split(' ').nth(1).unwrap()));
                    stream.write_all(OK.as_bytes()).unwrap();
                    if paths.len() == 1 {
                        told_to_close.recv().unwrap();
                        drop(stream);
                        has_closed.send(()).unwrap();
                    }
                }
                paths
            });
            let (client, mut guest) = (Client::default(), guest(&[format!("http=http://{address}")]));
            text(&client, &mut guest, get(&format!("http://{address}/1"))).await;
            // The executor learns nothing meanwhile.
            close.send(()).unwrap();
            closed.recv().unwrap();
            let second = send(&client, &mut guest, request(method.clone(), &format!("http://{address}/2"))).await;
            let second = match second {
                Ok(response) => read(response.body).await,
                Err(code) => Err(code),
            };
            text(&client, &mut guest, get(&format!("http://{address}/3"))).await;
            let paths = server.join().unwrap();
            match second {
                Ok((told, _)) => {
                    assert_eq!((told.as_str(), paths), ("ok", ["/1", "/2", "/3"].map(String::from).into()))
                }
                Err(code) => {
                    assert_eq!((&method, code), (&Method::POST, ErrorCode::ConnectionTerminated));
                    assert_eq!(paths, ["/1", "/3"]);
                }
            }
        });
    }
}

/// A descriptor of this side and of the server's, for as long as nobody says that it is not needed any more.
#[test]
fn a_connection_that_nobody_uses_is_closed_after_a_minute() {
    run_within(Duration::from_secs(600), async {
        let (listener, address) = listen().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
            let begin = Instant::now();
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            begin.elapsed()
        });
        let (client, mut guest) = (Client::default(), guest(&[format!("http=http://{address}")]));
        text(&client, &mut guest, get(&format!("http://{address}/"))).await;
        // From here on, time goes as fast as nothing happens.
        tokio::time::pause();
        let idle = server.await.unwrap();
        assert!((Duration::from_secs(60)..Duration::from_secs(90)).contains(&idle), "{idle:?}");
    });
}

/// Takes nobody: whoever connects to it hears nothing.
struct Deaf {
    address: SocketAddr,
    _listener: TcpListener,
    _in_line: Vec<TcpStream>,
}

impl Deaf {
    async fn at(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        // The line of those who wait to be taken is short, and then it is full.
        let mut in_line = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            in_line.push(stream.unwrap());
            assert!(in_line.len() < 100, "the line has no end");
        }
        Deaf { address, _listener: listener, _in_line: in_line }
    }

    async fn anywhere() -> Self {
        Deaf::at((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Whether somebody is about to connect to it, as the kernel says.
    fn is_connected_to(&self) -> bool {
        let SocketAddr::V4(address) = self.address else { unreachable!() };
        let number = u32::from_ne_bytes(address.ip().octets());
        let sockets = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let begun = format!(" {number:08X}:{:04X} 02 ", address.port());
        sockets.lines().any(|socket| socket.contains(&begun))
    }
}

#[test]
fn who_takes_nobody_is_not_waited_for_longer_than_is_said() {
    run(async {
        let deaf = Deaf::anywhere().await;
        let limits = Limits { sockets: 1, ..Limits::default() };
        let (client, mut guest) = (Client::default(), guest_with(&[String::from("network")], &[], &[], limits));
        guest.budget.lease(0).unwrap();
        let before = guest.budget.used();
        let longest = Duration::from_millis(300);
        let asked = || {
            let options = RequestOptions { connect_timeout: Some(longest), ..RequestOptions::default() };
            Request { options, ..get(&deaf.url()) }
        };
        let begin = Instant::now();
        assert_eq!(send(&client, &mut guest, asked()).await.unwrap_err(), ErrorCode::ConnectionTimeout);
        assert!((longest..longest * 10).contains(&begin.elapsed()), "{:?}", begin.elapsed());
        assert!(!deaf.is_connected_to());
        // Whoever does not wait for it at all has nothing left of it: no connection, and all that it may have.
        let mut sending = client.send(&mut guest, CALL, asked()).unwrap();
        assert!(timeout(longest / 10, &mut sending).await.is_err());
        assert!(deaf.is_connected_to());
        drop(sending);
        assert!(!deaf.is_connected_to());
        guest.budget.lease(0).unwrap();
        assert_eq!(guest.budget.used(), before);
        let (address, _) = serve(1).await;
        text(&client, &mut guest, get(&format!("http://{address}/"))).await;
    });
}

#[test]
fn who_takes_nobody_is_not_waited_for_longer_than_is_usual() {
    run(async {
        let deaf = Deaf::anywhere().await;
        let mut guest = guest(&[String::from("network")]);
        tokio::time::pause();
        let begin = Instant::now();
        let sent = send(&Client::default(), &mut guest, get(&deaf.url())).await;
        assert_eq!(sent.unwrap_err(), ErrorCode::ConnectionTimeout);
        assert_eq!(begin.elapsed().as_secs(), 10);
    });
}

/// A name of two addresses is reached by the second where the first is deaf.
#[test]
fn an_address_that_takes_nobody_leaves_time_for_the_next_one() {
    run(async {
        let (address, _) = serve(1).await;
        let port = address.port();
        let deaf = Deaf::at((Ipv4Addr::new(127, 0, 0, 2), port).into()).await;
        let SocketAddr::V4(first) = deaf.address else { unreachable!() };
        let hosts = [("a.test", *first.ip()), ("a.test", Ipv4Addr::LOCALHOST)];
        let mut guest = guest_knowing(&[format!("http=http://a.test:{port}")], &hosts, &[], Limits::default());
        let options = RequestOptions { connect_timeout: Some(Duration::from_secs(1)), ..RequestOptions::default() };
        let asked = Request { options, ..get(&format!("http://a.test:{port}/")) };
        let told = text(&Client::default(), &mut guest, asked).await;
        assert_eq!(told, format!("GET / a.test:{port}  "));
    });
}

#[test]
fn what_no_grant_names_is_refused_and_recorded() {
    run(async {
        let (address, connections) = serve(usize::MAX).await;
        let port = address.port();
        let client = Client::default();
        for (granted, method, url, code) in [
            ("tcp-connect=*:*", Method::GET, "http://127.0.0.1:P/", ErrorCode::HttpRequestDenied),
            ("http=GET http://127.0.0.1:*", Method::POST, "http://127.0.0.1:P/", ErrorCode::HttpRequestDenied),
            (
                "http=http://127.0.0.1:*/v1/*",
                Method::GET,
                "http://127.0.0.1:P/v1/%2e%2e/a",
                ErrorCode::HttpRequestDenied,
            ),
            ("http=http://localhost:*", Method::GET, "http://127.0.0.1:P/", ErrorCode::HttpRequestDenied),
            ("http=http://*:*", Method::GET, "http://127.0.0.1:P/", ErrorCode::HttpRequestDenied),
            ("http=http://*.test:*", Method::GET, "http://a.test:P/", ErrorCode::DestinationIpProhibited),
        ] {
            let mut guest = guest_with(&[String::from(granted)], &["a.test"], &[], Limits::default());
            let url = url.replace('P', &port.to_string());
            let (writing, reading) = outgoing_body(true, None);
            let request = Request { body: reading.into(), ..request(method, &url) };
            assert_eq!(send(&client, &mut guest, request).await.unwrap_err(), code, "{granted} {url}");
            let sent = writing.sent();
            assert_eq!(poll_fn(|context| sent.poll(context)).await, Err(code));
            let (refusals, _) = guest.audit.take();
            assert_eq!((refusals.len(), refusals[0].call), (1, CALL));
            assert!(refusals[0].grant.starts_with("--allow http=http://"), "{refusals:?}");
        }
        assert_eq!(connections.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_name_is_pinned_to_what_it_was_checked_as() {
    run(async {
        let (address, _) = serve(usize::MAX).await;
        let port = address.port();
        let mut guest = guest_with(&[format!("http=http://a.test:{port}")], &["a.test"], &[], Limits::default());
        let told = text(&Client::default(), &mut guest, get(&format!("http://A.test:{port}/"))).await;
        assert_eq!(told, format!("GET / A.test:{port}  "));
    });
}

#[test]
fn what_is_not_clear_is_not_sent() {
    let everything = [String::from("network")];
    let client = Client::default();
    let asked = |change: fn(&mut Request)| {
        let mut request = get("http://127.0.0.1:1/");
        change(&mut request);
        client.send(&mut guest(&everything), CALL, request).err()
    };
    // A path that names another host by itself is none, or is refused.
    let elsewhere = |request: &mut Request| request.path_with_query = "http://example.com/".parse().ok();
    let mut changed = get("http://127.0.0.1:1/");
    elsewhere(&mut changed);
    assert!(changed.path_with_query.is_none() || asked(elsewhere) == Some(ErrorCode::HttpRequestUriInvalid));
    type Change = fn(&mut Request);
    let changes: [(Change, ErrorCode); 8] = [
        (|request| request.method = Method::CONNECT, ErrorCode::HttpRequestMethodInvalid),
        (|request| request.scheme = "ftp".parse::<Scheme>().ok(), ErrorCode::HttpRequestUriInvalid),
        (|request| request.authority = None, ErrorCode::HttpRequestUriInvalid),
        (|request| request.authority = "me@127.0.0.1:1".parse().ok(), ErrorCode::HttpRequestUriInvalid),
        (|request| request.authority = "127.0.0.1:0".parse().ok(), ErrorCode::HttpRequestUriInvalid),
        (|request| request.authority = "127.1:1".parse().ok(), ErrorCode::HttpRequestUriInvalid),
        (|request| request.path_with_query = "*".parse().ok(), ErrorCode::HttpRequestUriInvalid),
        (|request| request.headers = fields(&[("content-length", "5")]), ErrorCode::HttpRequestBodySize(Some(0))),
    ];
    for (at, (change, code)) in changes.into_iter().enumerate() {
        assert_eq!(asked(change), Some(code), "{at}");
    }
}

#[test]
fn a_redirect_is_an_answer() {
    run(async {
        let (address, connections) = serve(usize::MAX).await;
        let mut guest = guest(&[String::from("network")]);
        let response = send(&Client::default(), &mut guest, get(&format!("http://{address}/to"))).await.unwrap();
        assert_eq!(response.status, StatusCode::FOUND);
        assert_eq!(connections.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn what_takes_too_long_ends() {
    run(async {
        let (listener, address) = listen().await;
        let (client, mut guest) = (Client::default(), guest(&[String::from("network")]));
        let short = Some(Duration::from_millis(50));
        let zero = Some(Duration::ZERO);
        for (options, code) in [
            (RequestOptions { connect_timeout: zero, ..RequestOptions::default() }, ErrorCode::ConnectionTimeout),
            (RequestOptions { first_byte_timeout: zero, ..RequestOptions::default() }, ErrorCode::HttpResponseTimeout),
            (RequestOptions { first_byte_timeout: short, ..RequestOptions::default() }, ErrorCode::HttpResponseTimeout),
        ] {
            let request = Request { options, ..get(&format!("http://{address}/")) };
            assert_eq!(send(&client, &mut guest, request).await.unwrap_err(), code);
        }
        // Its connection was closed.
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);

        let (address, _server) = raw(vec![vec!["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", OK]]).await;
        let connect_timeout = Some(Duration::MAX);
        let options = RequestOptions { between_bytes_timeout: short, connect_timeout, ..RequestOptions::default() };
        let body =
            send(&client, &mut guest, Request { options, ..get(&format!("http://{address}/")) }).await.unwrap().body;
        assert_eq!(read(body).await, Err(ErrorCode::ConnectionReadTimeout));
        let closed = listen().await.1;
        let refused = send(&client, &mut guest, get(&format!("http://{closed}/"))).await;
        assert_eq!(refused.unwrap_err(), ErrorCode::ConnectionRefused);
    });
}

#[test]
fn a_response_is_held_to_its_length_and_its_bounds() {
    run(async {
        let many: &'static str =
            Box::leak(format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101)).into_boxed_str());
        let long: &'static str =
            Box::leak(format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(200 << 10)).into_boxed_str());
        for (answer, code) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", ErrorCode::ConnectionTerminated),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok", ErrorCode::HttpProtocolError),
            (
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
                ErrorCode::HttpProtocolError,
            ),
            ("nonsense\r\n\r\n", ErrorCode::HttpProtocolError),
            ("", ErrorCode::ConnectionTerminated),
            (many, ErrorCode::HttpResponseHeaderSectionSize(None)),
            (long, ErrorCode::HttpResponseHeaderSectionSize(None)),
        ] {
            let (address, _server) = raw(vec![vec![answer]]).await;
            let mut guest = guest(&[String::from("network")]);
            let result = match send(&Client::default(), &mut guest, get(&format!("http://{address}/"))).await {
                Ok(response) => read(response.body).await.map(|_| ()),
                Err(code) => Err(code),
            };
            assert_eq!(result, Err(code), "{:.60}", answer);
        }
    });
}

#[test]
fn a_guest_has_so_many_at_once_and_no_more() {
    run(async {
        let (address, _) = serve(usize::MAX).await;
        let limits = Limits { sockets: 1, ..Limits::default() };
        let (client, mut guest) = (Client::default(), guest_with(&[String::from("network")], &[], &[], limits));
        let first = send(&client, &mut guest, get(&format!("http://{address}/"))).await.unwrap();
        let second = send(&client, &mut guest, get(&format!("http://{address}/"))).await;
        assert_eq!(second.unwrap_err(), ErrorCode::ConnectionLimitReached);
        read(first.body).await.unwrap();
        text(&client, &mut guest, get(&format!("http://{address}/"))).await;
        let before = guest.budget.used();
        drop(client.send(&mut guest, CALL, get(&format!("http://{address}/"))).unwrap());
        text(&client, &mut guest, get(&format!("http://{address}/"))).await;
        guest.budget.lease(0).unwrap();
        assert_eq!(guest.budget.used(), before);
    });
}

/// A request whose body comes from a guest, with trailers.
fn upload(url: &str) -> Request {
    let (writing, reading) = outgoing_body(true, None);
    write(&writing, "hello");
    writing.finish(Some(&fields(&[("sum", "5")]))).unwrap();
    Request {
        headers: fields(&[("trailer", "sum"), ("te", "trailers")]),
        body: reading.into(),
        ..request(Method::POST, url)
    }
}

#[test]
fn trailers_go_both_ways() {
    run(async {
        let (address, _) = serve(usize::MAX).await;
        let mut guest = guest(&[String::from("network")]);
        let response = send(&Client::default(), &mut guest, upload(&format!("http://{address}/"))).await.unwrap();
        let told = format!("POST / {address} hello 5");
        assert_eq!(read(response.body).await.unwrap(), (told, Some(String::from("7"))));
    });
}

/// Serves `a.test` with TLS; the certificate of whoever vouches for it, and how many connections there were.
async fn serve_tls(protocols: &[&str]) -> (SocketAddr, String, Arc<AtomicUsize>) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec![String::from("a.test")]).unwrap().signed_by(&key, &issuer).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));

    let (listener, address) = listen().await;
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            counted.fetch_add(1, Ordering::Relaxed);
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service_fn(echo)));
            } else {
                let builder = hyper::server::conn::http1::Builder::new();
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service_fn(echo)));
            }
        }
    });
    (address, pem, connections)
}

#[test]
fn tls_agrees_on_a_version_and_trusts_whom_it_is_told_to() {
    run(async {
        for (protocols, told) in [
            (&["h2", "http/1.1"][..], "POST https://a.test:%/ - hello 5"),
            (&["http/1.1"], "POST / a.test:% hello 5"),
            (&[], "POST / a.test:% hello 5"),
        ] {
            let (address, pem, connections) = serve_tls(protocols).await;
            assert!(has_certificates(pem.as_bytes()));
            let port = address.port();
            let allowed = [
                String::from("http=https://*:*"),
                format!("http=https://a.test:{port}"),
                format!("http=https://b.test:{port}"),
            ];
            let mut guest = guest_with(&allowed, &["a.test", "b.test"], &[&pem], Limits::default());
            let client = Client::default();
            let url = format!("https://a.test:{port}/");
            for _ in 0..2 {
                let response = send(&client, &mut guest, upload(&url)).await.unwrap();
                let told = told.replace('%', &port.to_string());
                assert_eq!(read(response.body).await.unwrap(), (told, Some(String::from("7"))));
            }
            assert_eq!(connections.load(Ordering::Relaxed), 1);
            if protocols.first() == Some(&"h2") {
                // Two at once are on one connection too.
                let held = send(&client, &mut guest, get(&url)).await.unwrap();
                text(&client, &mut guest, get(&url)).await;
                read(held.body).await.unwrap();
                assert_eq!(connections.load(Ordering::Relaxed), 1);
            }
            // Another name than it vouches for; and nobody who vouches for it.
            let other = send(&client, &mut guest, get(&format!("https://b.test:{port}/"))).await;
            assert_eq!(other.unwrap_err(), ErrorCode::TlsCertificateError);
            let mut guest = guest_with(&allowed, &["a.test"], &[], Limits::default());
            let unknown = send(&Client::default(), &mut guest, get(&url)).await;
            assert_eq!(unknown.unwrap_err(), ErrorCode::TlsCertificateError);
        }
        let (address, _server) = raw(vec![vec!["HTTP/1.1 400 Bad Request\r\n\r\n"]]).await;
        let mut guest = guest(&[String::from("network")]);
        let options = RequestOptions { connect_timeout: Some(Duration::from_millis(200)), ..RequestOptions::default() };
        let request = Request { options, ..get(&format!("https://{address}/")) };
        // It waits for the end of a head that never comes.
        assert_eq!(send(&Client::default(), &mut guest, request).await.unwrap_err(), ErrorCode::ConnectionTimeout);
    });
}

#[test]
fn what_is_no_certificate_is_told() {
    assert!(!has_certificates(b""));
    assert!(!has_certificates(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
}
