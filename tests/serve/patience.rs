//! Whoever sends a head too slowly is not waited for. The command line has no flag for how slowly, so the server is here in
//! the test's own process, as it is for those who embed it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use turnkey::{Engine, EngineKey, EngineOptions, Grants, Limits, Pool};
use turnkey_server::{AccessLog, App, Options, RequestLimits, Server};

use crate::harness::guest;
use crate::harness::http::Connection;

const SHORT: Duration = Duration::from_millis(400);

/// Serves for as long as the tests run, which end it.
fn serve() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let key = EngineKey { fuel: false, interruptible: true, deterministic: false };
        let options = EngineOptions { key, cache: None, pool: Some(Pool { instances: 4 }), on_compile: None };
        let engine = Engine::new(options).unwrap();
        let guest = engine.load(&fs::read(guest("components/p2_http_hello")).unwrap()).unwrap();
        let service = guest.service(Grants::default(), Limits::default()).unwrap();
        let options = Options {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            handed_over: Vec::new(),
            tls: None,
            admin: None,
            threads: 1,
            limits: RequestLimits { header_timeout: SHORT, ..RequestLimits::default() },
            access_log: AccessLog::None,
            grace: SHORT,
        };
        let app = App { load: Box::new(move |_| Ok(vec![service.clone()])), is_quick: false, version: None };
        let server = Server::new(options, app).unwrap();
        let address = server.addresses()[0];
        std::thread::spawn(move || server.run());
        address
    })
}

/// Sends pieces until the connection ends, one by one; how long that took.
fn dribble(connection: &mut Connection, pieces: impl Iterator<Item = Vec<u8>> + Send + 'static) -> Duration {
    let begin = Instant::now();
    let mut writing = connection.clone_writer();
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let its = std::sync::Arc::clone(&over);
    let sending = std::thread::spawn(move || {
        for piece in pieces {
            if its.load(std::sync::atomic::Ordering::Relaxed) {
                return;
            }
            writing.send(&piece);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    connection.rest();
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    sending.join().unwrap();
    begin.elapsed()
}

fn one_by_one(text: &str) -> impl Iterator<Item = Vec<u8>> + use<> {
    text.to_owned().into_bytes().into_iter().map(|byte| vec![byte])
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let address = serve();
    let slow = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}", "v".repeat(2000));
    let nearly_http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n";
    let heads: [&str; 4] = ["", "G", &slow, nearly_http2];
    for head in heads {
        let took = dribble(&mut Connection::open(address), one_by_one(head));
        assert!(took < SHORT * 8, "{head:.20}: {took:?}");
    }
    // Nor the next one of a connection.
    let mut kept = Connection::open(address);
    assert_eq!(kept.get("/").text(), "hello\n");
    let took = dribble(&mut kept, one_by_one(&slow));
    assert!(took < SHORT * 8, "{took:?}");
    let mut kept = Connection::open(address);
    assert_eq!(kept.get("/").text(), "hello\n");
    let begin = Instant::now();
    assert!(kept.rest().is_empty());
    assert!(begin.elapsed() < SHORT * 8, "{:?}", begin.elapsed());
    assert_eq!(Connection::open(address).get("/").text(), "hello\n");
}
