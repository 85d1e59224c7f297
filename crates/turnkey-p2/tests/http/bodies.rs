//! Bodies: once, in order, as long as their message says, and with their trailers.

use std::task::Poll;

use turnkey_core::Grants;
use turnkey_core::ending::Stopped;
use turnkey_core::limits::{Limit, Limits};
use turnkey_http::{Body, ErrorCode, Fields, IncomingBody, outgoing_body};
use wasmtime::component::Val;

use crate::{Guest, NONE, bytes, list, read, some, text, with, word};

fn closed() -> Result<Option<Val>, Option<Val>> {
    Err(Some(word("closed")))
}

#[test]
fn a_response_is_what_was_written_and_its_size_is_known() {
    let guest = &mut Guest::new();
    let (response, body) = guest.response(&[("Content-Type", "text/plain")]);
    guest.ok("outgoing-response-set-status-code", &[response.clone(), Val::U16(201)]);
    let stream = guest.ok("outgoing-body-write", &[body.clone()]);
    guest.write(&stream, b"hello, ");
    guest.write(&stream, b"world");
    guest.drop(&stream).unwrap();
    guest.ok("outgoing-body-finish", &[body, NONE]);
    let response = guest.answer(Ok(response)).unwrap();
    assert_eq!(response.status, 201);
    assert_eq!(response.headers.entries().collect::<Vec<_>>(), [("Content-Type", &b"text/plain"[..])]);
    assert_eq!(http_body::Body::size_hint(&response.body).exact(), Some(12));
    let (read, end) = read(&IncomingBody::new(response.body));
    assert_eq!(read, b"hello, world");
    assert!(matches!(end, Poll::Ready(Ok(None))));
}

#[test]
fn a_body_and_its_stream_are_had_once() {
    let guest = &mut Guest::new();
    let (request, _, _) = guest.incoming(Fields::new(), Body::full("hello"));
    let body = guest.ok("incoming-request-consume", &[request.clone()]);
    assert_eq!(guest.result("incoming-request-consume", &[request]), Err(None));
    let stream = guest.ok("incoming-body-stream", &[body.clone()]);
    assert_eq!(guest.result("incoming-body-stream", &[body.clone()]), Err(None));
    let read = [stream.clone(), Val::U64(100)];
    assert_eq!(guest.stream("input-stream-blocking-read", &read), Ok(Some(bytes(b"hello"))));
    assert_eq!(guest.stream("input-stream-blocking-read", &read), closed());
    guest.drop(&stream).unwrap();
    assert_eq!(guest.result("incoming-body-stream", &[body]), Err(None));

    let (response, body) = guest.response(&[]);
    assert_eq!(guest.result("outgoing-response-body", &[response]), Err(None));
    let stream = guest.ok("outgoing-body-write", &[body.clone()]);
    guest.drop(&stream).unwrap();
    assert_eq!(guest.result("outgoing-body-write", &[body]), Err(None));
}

#[test]
fn a_body_does_not_end_before_its_stream() {
    const STILL_THERE: &str = "the stream of the body is still there";
    let incoming = |guest: &mut Guest| {
        let (request, _, _) = guest.incoming(Fields::new(), Body::default());
        let body = guest.ok("incoming-request-consume", &[request]);
        guest.ok("incoming-body-stream", &[body.clone()]);
        body
    };
    let outgoing = |guest: &mut Guest| {
        let (_, body) = guest.response(&[]);
        guest.ok("outgoing-body-write", &[body.clone()]);
        body
    };
    let guest = &mut Guest::new();
    let body = incoming(guest);
    assert_eq!(guest.broken("incoming-body-finish", &[body]), STILL_THERE);
    let guest = &mut Guest::new();
    let body = outgoing(guest);
    assert_eq!(guest.broken("outgoing-body-finish", &[body, NONE]), STILL_THERE);
    for body in [incoming as fn(&mut Guest) -> Val, outgoing] {
        let guest = &mut Guest::new();
        let body = body(guest);
        assert!(guest.drop(&body).unwrap_err().to_string().contains(STILL_THERE));
    }
}

#[test]
fn a_body_is_as_long_as_its_message_says() {
    let guest = &mut Guest::new();
    // Shorter: the guest is told at the end, and the peer too.
    let (response, body) = guest.response(&[("content-length", "5")]);
    let stream = guest.ok("outgoing-body-write", &[body.clone()]);
    guest.write(&stream, b"four");
    guest.drop(&stream).unwrap();
    let error = guest.result("outgoing-body-finish", &[body, NONE]);
    assert_eq!(error, Err(Some(with("HTTP-response-body-size", some(Val::U64(4))))));
    let response = guest.answer(Ok(response)).unwrap();
    let (_, end) = read(&IncomingBody::new(response.body));
    assert!(matches!(end, Poll::Ready(Err(ErrorCode::HttpResponseBodySize(Some(4))))), "{end:?}");

    // Longer: it is told at once, and it does not end well even if it stops there.
    let (response, body) = guest.response(&[("content-length", "5")]);
    let stream = guest.ok("outgoing-body-write", &[body.clone()]);
    guest.write(&stream, b"hello");
    let more = guest.stream("output-stream-blocking-write-and-flush", &[stream.clone(), bytes(b"!")]);
    assert_eq!(guest.code(more.unwrap_err()), with("HTTP-response-body-size", some(Val::U64(6))));
    assert_eq!(guest.stream("output-stream-check-write", &[stream.clone()]), closed());
    guest.drop(&stream).unwrap();
    guest.result("outgoing-body-finish", &[body, NONE]).unwrap_err();
    let response = guest.answer(Ok(response)).unwrap();
    let (_, end) = read(&IncomingBody::new(response.body));
    assert!(matches!(end, Poll::Ready(Err(ErrorCode::HttpResponseBodySize(Some(6))))), "{end:?}");
}

#[test]
fn a_body_that_is_not_finished_is_not_whole() {
    let mut guest = Guest::new();
    let (dropped, body) = guest.response(&[]);
    guest.drop(&body).unwrap();
    let dropped = guest.answer(Ok(dropped)).unwrap();
    let (left, _) = guest.response(&[]);
    let left = guest.answer(Ok(left)).unwrap();
    let bodies = [dropped, left].map(|response| IncomingBody::new(response.body));
    assert!(read(&bodies[1]).1.is_pending());
    drop(guest);
    for body in bodies {
        assert!(matches!(read(&body).1, Poll::Ready(Err(ErrorCode::HttpResponseIncomplete))));
    }
}

#[test]
fn trailers_go_and_come_once() {
    let guest = &mut Guest::new();
    let (response, body) = guest.response(&[]);
    let trailers = guest.fields(&[("checksum", "1")]);
    guest.ok("outgoing-body-finish", &[body, some(trailers)]);
    let response = guest.answer(Ok(response)).unwrap();
    let Poll::Ready(Ok(Some(trailers))) = read(&IncomingBody::new(response.body)).1 else { panic!("no trailers") };
    assert_eq!(trailers.entries().collect::<Vec<_>>(), [("checksum", &b"1"[..])]);

    let (sender, reading) = outgoing_body(true, None);
    let (request, _, _) = guest.incoming(Fields::new(), reading.into());
    let body = guest.ok("incoming-request-consume", &[request]);
    let future = guest.get("incoming-body-finish", &[body]);
    assert_eq!(guest.get("future-trailers-get", &[future.clone()]), NONE);
    let pollable = guest.get("future-trailers-subscribe", &[future.clone()]);
    assert_eq!(guest.call("poll", "pollable-ready", &[pollable.clone()]).unwrap(), Some(Val::Bool(false)));
    // It comes while the guest waits.
    guest.executor.spawn(async move {
        sender.finish(Some(&trailers)).unwrap();
    });
    guest.call("poll", "pollable-block", &[pollable]).unwrap();
    let had = crate::option(guest.get("future-trailers-get", &[future.clone()])).unwrap();
    let had = crate::result(crate::result(had).unwrap().unwrap()).unwrap().unwrap();
    let trailers = crate::option(had).unwrap();
    assert_eq!(guest.get("fields-entries", &[trailers.clone()]), list(&[("checksum", "1")]));
    let error = guest.result("fields-delete", &[trailers, text("checksum")]);
    assert_eq!(error, Err(Some(word("immutable"))));
    assert_eq!(guest.get("future-trailers-get", &[future]), some(Val::Result(Err(None))));
}

#[test]
fn a_body_that_breaks_off_says_why() {
    let guest = &mut Guest::new();
    let (sender, reading) = outgoing_body(true, None);
    sender.abandon(ErrorCode::ConnectionReadTimeout);
    let (request, _, _) = guest.incoming(Fields::new(), reading.into());
    let body = guest.ok("incoming-request-consume", &[request]);
    let stream = guest.ok("incoming-body-stream", &[body.clone()]);
    let error = guest.stream("input-stream-blocking-read", &[stream.clone(), Val::U64(1)]).unwrap_err();
    assert_eq!(guest.code(error), word("connection-read-timeout"));
    guest.drop(&stream).unwrap();
    let future = guest.get("incoming-body-finish", &[body]);
    let error = crate::result(crate::option(guest.get("future-trailers-get", &[future])).unwrap()).unwrap().unwrap();
    assert_eq!(crate::result(error), Err(Some(word("connection-read-timeout"))));
}

/// GHSA-f8mm-ggr3-89wh: writes of nothing were kept, each.
#[test]
fn writes_of_nothing_hold_nothing_and_a_body_holds_so_much_and_no_more() {
    let guest = &mut Guest::new();
    let (response, body) = guest.response(&[]);
    let stream = guest.ok("outgoing-body-write", &[body]);
    for _ in 0..1000 {
        guest.write(&stream, b"");
    }
    let used = guest.used();
    let piece = bytes(&[7; 4096]);
    let mut held = 0;
    while let Ok(Some(Val::U64(1..))) = guest.stream("output-stream-check-write", &[stream.clone()]) {
        guest.stream("output-stream-write", &[stream.clone(), piece.clone()]).unwrap();
        held += 4096;
    }
    assert_eq!((held, guest.used()), (turnkey_http::OUTGOING_BODY_BYTES, used), "charged when it was begun");
    assert_eq!(http_body::Body::size_hint(&guest.answer(Ok(response)).unwrap().body).upper(), None);
}

#[test]
fn bodies_without_end_end_the_guest() {
    let guest = &mut Guest::with(Grants::default(), Limits { host_bytes: 2 << 20, ..Limits::default() });
    for made in 0.. {
        let (_, body) = guest.response(&[]);
        if let Err(error) = guest.call("types", "outgoing-body-write", &[body]) {
            assert_eq!(error.downcast_ref(), Some(&Stopped(Limit::Memory)));
            assert!((4..9).contains(&made), "{made}");
            return;
        }
    }
}
