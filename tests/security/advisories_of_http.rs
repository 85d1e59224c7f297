//! Advisories of `wasi:http`, from outside: through real sockets, with both previews. What the crates' own tests try of the same,
//! without a network or one function at a time, is not tried again:
//!
//! | advisory | there |
//! |---|---|
//! | GHSA-243v-98vx-264h, too many fields | `turnkey-http/src/fields.rs`, `turnkey-p2/tests/http/fields.rs` |
//! | GHSA-w4qr-p94g-mjhv, a time-out of nothing | `turnkey-p2/tests/http/requests.rs` |
//! | GHSA-5qpp-g3j2-8frx, what a guest's target may be | `turnkey-http/tests/client.rs` |
//! | GHSA-f8mm-ggr3-89wh, writes of nothing | `turnkey-p2/tests/http/bodies.rs`; no guest of Preview 3 makes one that the host holds |
//! | GHSA-852m-cvvp-9p4w, what a guest has the host hold | `turnkey-p2/tests/http`, `tests/serve/faults.rs` |

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::harness::http::Answer;
use crate::harness::server::Server;

/// Somebody who takes connections one after the other and answers each with these bytes; what they have sent.
struct Elsewhere {
    address: SocketAddr,
    came: Receiver<Vec<u8>>,
}

impl Elsewhere {
    fn new(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, came) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if sender.send(talk(stream, answer)).is_err() {
                    return;
                }
            }
        });
        Elsewhere { address, came }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What came over the next connection; nothing, if there is none.
    fn came(&self) -> String {
        let came = self.came.recv_timeout(Duration::from_secs(2)).unwrap_or_default();
        String::from_utf8_lossy(&came).into_owned()
    }

    /// That no connection comes.
    #[track_caller]
    fn hears_nothing(&self) {
        assert_eq!(self.came.recv_timeout(Duration::from_millis(100)).ok(), None);
    }
}

fn talk(mut stream: TcpStream, answer: &[u8]) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let (mut came, mut piece) = (Vec::new(), [0; 4096]);
    let mut is_answered = false;
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return came,
            Ok(bytes) => came.extend_from_slice(&piece[..bytes]),
            // It has said what it has to say.
            Err(_) if is_answered => return came,
            Err(_) => {}
        }
        if !is_answered && came.windows(4).any(|window| window == b"\r\n\r\n") {
            is_answered = stream.write_all(answer).is_ok();
        }
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

/// A server of each preview whose guest may ask whoever is there, and the words that its name begins with.
fn fetching(elsewhere: &Elsewhere) -> [Server; 2] {
    let grant = format!("http={}", elsewhere.url("/*"));
    ["p2_http_fetch", "p3_http_fetch"].map(|app| Server::start(app, ["--threads", "1", "--allow", &grant]))
}

fn fetch(server: &Server, url: &str, options: &str) -> Answer {
    server.get(&format!("/?url={url}{options}"))
}

/// A map of headers has at most 32768 names, and panics at one more: neither a guest nor a peer gets there.
#[test]
fn ghsa_243v_98vx_264h_no_number_of_fields_is_a_panic() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server = Server::start(app, ["--threads", "1"]);
        let answer = server.get("/headers");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.text().contains(" after "), "{answer:?}");
        let mut connection = server.connect();
        let fields: String = (0..40_000).map(|number| format!("x{number}:\r\n")).collect();
        connection.send(format!("GET /ok HTTP/1.1\r\nhost: h\r\n{fields}\r\n").as_bytes());
        assert!(connection.answer().is_none_or(|answer| (400..500).contains(&answer.status)));
        server.answers("/ok", "ok\n");
        server.end();
    }
    // Nor by a response's.
    let many: String = (0..40_000).map(|number| format!("x{number}:\r\n")).collect();
    let answer: &'static [u8] = Box::leak(format!("HTTP/1.1 200 OK\r\n{many}\r\n").into_bytes().into_boxed_slice());
    let elsewhere = Elsewhere::new(answer);
    for server in fetching(&elsewhere) {
        let answer = fetch(&server, &elsewhere.url("/"), "");
        assert_eq!(answer.status, 502, "{answer:?}");
        server.end();
    }
}

#[test]
fn ghsa_w4qr_p94g_mjhv_a_time_out_of_nothing_is_no_panic() {
    let elsewhere = Elsewhere::new(OK);
    for server in fetching(&elsewhere) {
        for option in ["connect-timeout", "first-byte-timeout", "between-bytes-timeout"] {
            let answer = fetch(&server, &elsewhere.url("/"), &format!("&{option}=0"));
            assert!([200, 502].contains(&answer.status), "{option}: {answer:?}");
        }
        // The longest that there is, in nanoseconds.
        let answer = fetch(&server, &elsewhere.url("/"), "&first-byte-timeout=18446744073709");
        assert_eq!(answer.text(), "ok\n");
        assert!(!server.end().contains("trapped"));
    }
}

/// What is asked, and of whom, is what was checked, whatever a path looks like.
#[test]
fn ghsa_5qpp_g3j2_8frx_a_request_goes_to_whom_it_was_granted_for() {
    let (elsewhere, evil) = (Elsewhere::new(OK), Elsewhere::new(OK));
    let (host, other) = (elsewhere.address, evil.address);
    for server in fetching(&elsewhere) {
        for path in [format!("//{other}/x"), format!("/@{other}/"), format!("/http://{other}/")] {
            let answer = fetch(&server, &elsewhere.url(&path), "");
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            let came = elsewhere.came();
            assert!(came.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{came}");
            assert!(came.to_ascii_lowercase().contains(&format!("\r\nhost: {host}\r\n")), "{came}");
        }
        for url in [format!("http://{host}@{other}/"), format!("http://{other}%23@{host}/"), format!("http://{other}/")]
        {
            let answer = fetch(&server, &url, "");
            assert!([400, 502].contains(&answer.status), "{url}: {answer:?}");
        }
        // A header says nothing else.
        let answer = fetch(&server, &elsewhere.url("/"), &format!("&header=host:{other}"));
        assert_eq!((answer.status, answer.text()), (400, "host: forbidden\n"));
        evil.hears_nothing();
        server.end();
    }
}

#[test]
fn ghsa_r8xh_cgf7_392j_a_message_has_one_length() {
    let elsewhere = Elsewhere::new(OK);
    for server in fetching(&elsewhere) {
        for lengths in [
            "&header=content-length:5&header=content-length:6",
            "&header=content-length:5,6",
            "&header=content-length:%2B5",
        ] {
            let answer = server.post(&format!("/?method=POST&url={}{lengths}", elsewhere.url("/")), b"hello");
            assert!([400, 502].contains(&answer.status), "{lengths}: {answer:?}");
        }
        elsewhere.hears_nothing();
        server.end();
    }
    // Nor does a guest get a response that has two.
    for answer in [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nok\n\n".as_slice(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nok\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nok\n",
    ] {
        let elsewhere = Elsewhere::new(answer);
        for server in fetching(&elsewhere) {
            let answer = fetch(&server, &elsewhere.url("/"), "");
            assert!(answer.status == 502 && !answer.text().contains("ok\n"), "{answer:?}");
            server.end();
        }
    }
}

/// Trailers go through a guest, as they came and as it copied them, without what belongs to a connection.
#[test]
fn ghsa_jxcf_8qw5_5c33_trailers_that_are_passed_on_have_no_forbidden_names() {
    for (app, path) in [("p2_http_echo", "/trailers"), ("p3_http_echo", "/trailers"), ("p3_http_echo", "/pass")] {
        let server = Server::start(app, ["--threads", "1"]);
        let mut connection = server.connect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\
             Trailer: x-kept, host, transfer-encoding, connection, content-length\r\n\r\n"
        );
        let trailers = "X-Kept: 1\r\nHost: evil\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nUpgrade: h2c\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nContent-Length: 9\r\n";
        connection.send(format!("{head}2\r\nhi\r\n0\r\n{trailers}\r\n").as_bytes());
        let answer = connection.answer().unwrap();
        assert_eq!((answer.text(), answer.is_whole), ("hi", true), "{app} {path}: {answer:?}");
        assert_eq!(answer.trailers, [("x-kept".to_owned(), "1".to_owned())], "{app} {path}: {answer:?}");
        server.end();
    }
}

/// A body that a guest copies, or passes on without seeing it, is as long as the head says or is no whole message.
#[test]
fn ghsa_9prg_84vf_g5fc_and_ghsa_h4wp_g4x3_7398_a_body_is_as_long_as_its_head_says() {
    let elsewhere = Elsewhere::new(b"");
    for server in fetching(&elsewhere) {
        let long = format!("/?method=POST&url={}&header=content-length:5", elsewhere.url("/"));
        let mut asking = server.connect();
        asking.send(format!("POST {long} HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789").as_bytes());
        let came = elsewhere.came();
        if let Some((head, body)) = came.split_once("\r\n\r\n") {
            assert!(head.to_ascii_lowercase().contains("content-length: 5"), "{came}");
            assert!("01234".starts_with(body), "{came}");
        }
        drop(asking);
        let short = format!("/?method=POST&url={}&header=content-length:10", elsewhere.url("/"));
        let mut asking = server.connect();
        asking.send(format!("POST {short} HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").as_bytes());
        let came = elsewhere.came();
        // Nothing follows that could be taken for the rest, and the connection has ended.
        let (_, body) = came.split_once("\r\n\r\n").unwrap_or_default();
        assert!("hello".starts_with(body), "{came}");
        drop(asking);
        server.end();
    }
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server = Server::start(app, ["--threads", "1"]);
        let mut connection = server.connect();
        for path in ["/short", "/long"] {
            let mut connection = server.connect();
            connection.ask(path);
            let came = String::from_utf8_lossy(&connection.rest_within_a_second()).into_owned();
            let (head, body) = came.split_once("\r\n\r\n").unwrap_or_default();
            if head.starts_with("HTTP/1.1 200") {
                assert!(if path == "/long" { "01234".starts_with(body) } else { "short".starts_with(body) }, "{came}");
            } else {
                assert!(head.starts_with("HTTP/1.1 502"), "{app} {path}: {came}");
            }
        }
        assert_eq!(connection.get("/ok").text(), "ok\n");
        drop(connection);
        server.end();
    }
}
