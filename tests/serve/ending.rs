//! How a server ends: what it has begun comes to its end, as long as that may take, and nothing new begins.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::server::Server;

/// Waits until nobody listens there any more.
#[track_caller]
fn nobody_listens(server: &Server) {
    let begin = Instant::now();
    while TcpStream::connect(server.address()).is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(10), "it still listens");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_response_that_has_begun_comes_whole_and_no_new_connection_is_taken() {
    for (app, signal) in [
        ("p2_http_faults", libc::SIGTERM),
        ("p3_http_faults", libc::SIGTERM),
        ("p2_http_faults", libc::SIGINT),
        ("p3_http_faults", libc::SIGINT),
    ] {
        let server = Server::start(app, ["--threads", "2"]);
        let mut slow = server.connect();
        slow.ask("/slow?chunks=10&ms=80");
        slow.begun("0\n");
        // A connection that has nothing to ask holds nothing up.
        let mut idle = server.connect();
        assert_eq!(idle.get("/ok").text(), "ok\n");
        server.signal(signal);
        nobody_listens(&server);
        let answer = slow.answer().unwrap();
        let numbers: String = (0..10).map(|number| format!("{number}\n")).collect();
        assert_eq!((answer.text(), answer.is_whole), (numbers.as_str(), true), "{app}");
        assert!(slow.rest().is_empty() && idle.rest().is_empty(), "{app}");
        let (status, said) = server.ended();
        assert_eq!(status, Some(0), "{app}: {said}");
        assert!(!said.contains("error: "), "{app}: {said}");
    }
}

#[test]
fn a_request_that_takes_longer_than_the_grace_ends_with_the_server() {
    for (app, path) in [("p2_http_faults", "/sleep"), ("p3_http_faults", "/sleep"), ("p2_http_faults", "/loop")] {
        let server = Server::start(app, ["--grace", "300ms"]);
        let mut waiting = server.connect();
        waiting.ask(path);
        std::thread::sleep(Duration::from_millis(100));
        let begin = Instant::now();
        server.signal(libc::SIGTERM);
        let (status, said) = server.ended();
        assert_eq!(status, Some(0), "{app} {path}: {said}");
        let took = begin.elapsed();
        assert!((Duration::from_millis(250)..Duration::from_secs(10)).contains(&took), "{app} {path}: {took:?}");
        assert!(waiting.answer().is_none_or(|answer| answer.status >= 500), "{app} {path}");
    }
}

#[test]
fn a_server_with_nothing_to_do_ends_at_once() {
    let server = Server::start("p2_http_hello", ["--grace", "20s"]);
    let _idle = server.connect();
    let begin = Instant::now();
    server.end();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}
