//! Requests, and what they are answered with.

use std::io::{Read, Write};
use std::net::TcpListener;

use turnkey_core::Grants;
use turnkey_core::limits::Limits;
use turnkey_core::sockets::NetworkGrants;
use turnkey_http::{Body, ErrorCode, Fields};
use wasmtime::component::Val;

use crate::{Guest, NONE, bytes, option, some, text, with, word};

fn request(guest: &mut Guest, headers: &[(&str, &str)]) -> Val {
    let headers = guest.fields(headers);
    guest.get("outgoing-request-constructor", &[headers])
}

fn send(guest: &mut Guest, request: Val, options: Val) -> Result<Option<Val>, Option<Val>> {
    crate::result(guest.call("outgoing-handler", "handle", &[request, options]).unwrap().unwrap())
}

#[test]
fn a_request_that_came_says_what_it_is() {
    let guest = &mut Guest::new();
    let (request, _, _) = guest.incoming(Fields::new(), Body::default());
    for (function, value) in [
        ("method", with("other", text("QUERY"))),
        ("scheme", some(word("HTTPS"))),
        ("authority", some(text("example.com:8443"))),
        ("path-with-query", some(text("/a?b"))),
    ] {
        assert_eq!(guest.get(&format!("incoming-request-{function}"), &[request.clone()]), value);
    }
}

#[test]
fn a_word_of_a_request_is_one_or_is_refused() {
    let guest = &mut Guest::new();
    let this = request(guest, &[]);
    for (word, good, bad) in [
        (
            "path-with-query",
            &[("/", "/"), ("", "/"), ("*", "*"), ("/a?b=c", "/a?b=c"), ("?q", "/?q"), ("//x", "//x")][..],
            &["a", "http://other/", "/a b", "/a\r\nx: y", "/#a", "/\u{e9}", "*/"][..],
        ),
        (
            "authority",
            &[("a", "a"), ("a:80", "a:80"), ("[::1]:8080", "[::1]:8080")],
            &["", ":80", "user@a", "a/b", "a:port", "a:99999", "a b", "http://a"],
        ),
    ] {
        for (written, kept) in good {
            let result = guest.result(&format!("outgoing-request-set-{word}"), &[this.clone(), some(text(written))]);
            assert_eq!(result, Ok(None), "{written}");
            assert_eq!(guest.get(&format!("outgoing-request-{word}"), &[this.clone()]), some(text(kept)));
        }
        let (_, kept) = good[good.len() - 1];
        for written in bad {
            let result = guest.result(&format!("outgoing-request-set-{word}"), &[this.clone(), some(text(written))]);
            assert_eq!(result, Err(None), "{written}");
            assert_eq!(guest.get(&format!("outgoing-request-{word}"), &[this.clone()]), some(text(kept)));
        }
        guest.ok(&format!("outgoing-request-set-{word}"), &[this.clone(), NONE]);
        assert_eq!(guest.get(&format!("outgoing-request-{word}"), &[this.clone()]), NONE);
    }
    for (method, result) in [("QUERY", Ok(None)), ("", Err(None)), ("A B", Err(None)), ("GET /\r\n", Err(None))] {
        let method = with("other", text(method));
        assert_eq!(guest.result("outgoing-request-set-method", &[this.clone(), method]), result);
    }
    for (scheme, result) in [("ftp", Ok(None)), ("", Err(None)), ("1a", Err(None)), ("a:b", Err(None))] {
        let scheme = some(with("other", text(scheme)));
        assert_eq!(guest.result("outgoing-request-set-scheme", &[this.clone(), scheme]), result);
    }
}

#[test]
fn a_status_is_three_digits() {
    let guest = &mut Guest::new();
    let (response, _) = guest.response(&[]);
    for (status, result) in [(99, Err(None)), (100, Ok(None)), (999, Ok(None)), (1000, Err(None))] {
        let set = guest.result("outgoing-response-set-status-code", &[response.clone(), Val::U16(status)]);
        assert_eq!(set, result, "{status}");
    }
    assert_eq!(guest.get("outgoing-response-status-code", &[response]), Val::U16(999));
}

/// GHSA-w4qr-p94g-mjhv: a time-out of nothing.
#[test]
fn a_request_without_a_grant_is_denied_whatever_its_time_outs() {
    let guest = &mut Guest::new();
    for timeout in [0, u64::MAX] {
        let this = request(guest, &[]);
        guest.ok("outgoing-request-set-authority", &[this.clone(), some(text("127.0.0.1:9"))]);
        let options = guest.get("request-options-constructor", &[]);
        for option in ["connect-timeout", "first-byte-timeout", "between-bytes-timeout"] {
            guest.ok(&format!("request-options-set-{option}"), &[options.clone(), some(Val::U64(timeout))]);
            let set = guest.get(&format!("request-options-{option}"), &[options.clone()]);
            assert_eq!(set, some(Val::U64(timeout)));
        }
        assert_eq!(send(guest, this, some(options)), Err(Some(word("HTTP-request-denied"))));
    }
}

#[test]
fn a_request_that_promises_a_body_has_one() {
    let guest = &mut Guest::new();
    let this = request(guest, &[("content-length", "1")]);
    assert_eq!(send(guest, this, NONE), Err(Some(with("HTTP-request-body-size", some(Val::U64(0))))));
    let this = request(guest, &[("content-length", "1"), ("Content-Length", "2")]);
    assert_eq!(send(guest, this, NONE), Err(Some(word("HTTP-protocol-error"))));
}

#[test]
fn a_guest_answers_with_an_error_or_not_at_all() {
    let mut guest = Guest::new();
    let record =
        Val::Record(vec![("field-name".to_owned(), some(text("a"))), ("field-size".to_owned(), some(Val::U32(7)))]);
    for (code, answered) in [
        (word("loop-detected"), ErrorCode::LoopDetected),
        (with("internal-error", some(text("why"))), ErrorCode::InternalError(Some("why".to_owned()))),
        (
            with("HTTP-request-header-size", some(record)),
            ErrorCode::HttpRequestHeaderSize(Some(turnkey_http::FieldSize {
                name: Some("a".to_owned()),
                size: Some(7),
            })),
        ),
    ] {
        assert_eq!(guest.answer(Err(code)).unwrap_err(), answered);
    }
    let (_, outparam, mut receiver) = guest.incoming(Fields::new(), Body::default());
    for (status, code) in [(103, with("internal-error", NONE)), (200, word("HTTP-protocol-error"))] {
        let headers = guest.fields(&[]);
        let arguments = [outparam.clone(), Val::U16(status), headers];
        assert_eq!(guest.result("response-outparam-send-informational", &arguments), Err(Some(code)));
    }
    receiver.try_recv().unwrap_err();
    drop(guest);
    assert_eq!(receiver.try_recv().unwrap_err(), tokio::sync::oneshot::error::TryRecvError::Closed);
}

/// Answers one request after another with this, and then sends nothing more on any of the connections.
fn server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut connections = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut asked = Vec::new();
            // Whoever has waited long enough goes without having asked.
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match connection.read(&mut byte) {
                    Ok(1) => asked.push(byte[0]),
                    _ => break,
                }
            }
            let _ = connection.write_all(answer);
            connections.push(connection);
        }
    });
    address
}

fn allowed(address: &str) -> Guest {
    let mut network = NetworkGrants::default();
    network.allow(&format!("http=http://{address}")).unwrap();
    Guest::with(Grants { network, ..Grants::default() }, Limits::default())
}

/// Sends a request, waits, and gives what there is then.
fn answered(guest: &mut Guest, address: &str, options: Val) -> Result<Option<Val>, Option<Val>> {
    let this = request(guest, &[]);
    guest.ok("outgoing-request-set-scheme", &[this.clone(), some(word("HTTP"))]);
    guest.ok("outgoing-request-set-authority", &[this.clone(), some(text(address))]);
    let future = send(guest, this, options).unwrap().unwrap();
    let pollable = guest.get("future-incoming-response-subscribe", &[future.clone()]);
    guest.call("poll", "pollable-block", &[pollable]).unwrap();
    let had = option(guest.get("future-incoming-response-get", &[future.clone()])).unwrap();
    // It is had once.
    assert_eq!(guest.get("future-incoming-response-get", &[future]), some(Val::Result(Err(None))));
    crate::result(crate::result(had).unwrap().unwrap())
}

#[test]
fn a_request_is_answered() {
    let address = server(b"HTTP/1.1 404 Not Found\r\nX-A: 1\r\ncontent-length: 5\r\n\r\nhello");
    let guest = &mut allowed(&address);
    let response = answered(guest, &address, NONE).unwrap().unwrap();
    assert_eq!(guest.get("incoming-response-status", &[response.clone()]), Val::U16(404));
    let headers = guest.get("incoming-response-headers", &[response.clone()]);
    assert_eq!(guest.get("fields-has", &[headers, text("x-a")]), Val::Bool(true));
    let body = guest.ok("incoming-response-consume", &[response]);
    let stream = guest.ok("incoming-body-stream", &[body]);
    let read = guest.stream("input-stream-blocking-read", &[stream, Val::U64(100)]);
    assert_eq!(read, Ok(Some(bytes(b"hello"))));
}

#[test]
fn a_time_out_of_the_guest_ends_what_it_is_for() {
    let address = server(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    let guest = &mut allowed(&address);
    for (timeout, code) in [("connect", "connection-timeout"), ("first-byte", "HTTP-response-timeout")] {
        let options = guest.get("request-options-constructor", &[]);
        guest.ok(&format!("request-options-set-{timeout}-timeout"), &[options.clone(), some(Val::U64(0))]);
        let error = answered(guest, &address, some(options)).unwrap_err();
        assert_eq!(error, Some(word(code)), "{timeout}");
    }
    // The body does not come.
    let options = guest.get("request-options-constructor", &[]);
    let arguments = [options.clone(), some(Val::U64(50_000_000))];
    guest.ok("request-options-set-between-bytes-timeout", &arguments);
    let response = answered(guest, &address, some(options)).unwrap().unwrap();
    let body = guest.ok("incoming-response-consume", &[response]);
    let stream = guest.ok("incoming-body-stream", &[body]);
    let error = guest.stream("input-stream-blocking-read", &[stream, Val::U64(1)]).unwrap_err();
    assert_eq!(guest.code(error), word("connection-read-timeout"));
}
