//! A body that goes out is as long as its message says, or does not end well, whether it was written or passed on; and what it
//! ends with belongs to the message, and not to a connection.
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http_body::Body as _;
use turnkey_core::ErrorCode as Code;
use turnkey_core::host::buffers::ReadOnly;
use turnkey_core::stream::Drain;
use turnkey_http::{Body, ErrorCode, Fields, IncomingBody, outgoing_body};

/// All that a body gives by now, and whether it has ended; or why it does not end well.
fn taken(body: &mut Body) -> Result<(Vec<u8>, bool), ErrorCode> {
    let mut bytes = Vec::new();
    loop {
        match Pin::new(&mut *body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(frame)) => {
                if let Ok(data) = frame?.into_data() {
                    bytes.extend_from_slice(&data);
                }
            }
            Poll::Ready(None) => return Ok((bytes, true)),
            Poll::Pending => return Ok((bytes, false)),
        }
    }
}

#[test]
fn what_is_written_is_as_long_as_the_message_says() {
    for (written, length, end) in [
        ("abc", Some(3), Ok(())),
        ("abc", None, Ok(())),
        ("abc", Some(4), Err(ErrorCode::HttpResponseBodySize(Some(3)))),
        ("", Some(1), Err(ErrorCode::HttpResponseBodySize(Some(0)))),
    ] {
        let (outgoing, reading) = outgoing_body(false, length);
        let mut body = Body::from(reading);
        outgoing.write(&ReadOnly::new(written.as_bytes())).unwrap();
        assert_eq!(outgoing.finish(None), end, "`{written}` of {length:?}");
        assert_eq!(taken(&mut body).map(drop), end, "`{written}` of {length:?}");
        let sent = outgoing.sent().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(sent, Poll::Ready(end), "`{written}` of {length:?}");
    }
    let (outgoing, reading) = outgoing_body(true, Some(2));
    let mut body = Body::from(reading);
    assert_eq!(outgoing.write(&ReadOnly::new(b"abc")), Err(Code::Io));
    assert_eq!(taken(&mut body), Err(ErrorCode::HttpRequestBodySize(Some(3))));
}

#[test]
fn what_is_passed_on_is_as_long_as_the_message_says() {
    for (length, end) in [
        (Some(3), Ok((b"abc".to_vec(), true))),
        (None, Ok((b"abc".to_vec(), true))),
        (Some(2), Err(ErrorCode::HttpResponseBodySize(Some(3)))),
        (Some(4), Err(ErrorCode::HttpResponseBodySize(Some(3)))),
    ] {
        let (outgoing, reading) = outgoing_body(false, length);
        let mut body = Body::from(reading);
        outgoing.pass(IncomingBody::new(Body::full("abc")));
        outgoing.finish(None).unwrap();
        assert_eq!(taken(&mut body), end, "{length:?}");
    }
}

#[test]
fn what_is_passed_on_has_its_trailers_once_it_is_over() {
    let context = &mut Context::from_waker(Waker::noop());
    let (source, reading) = outgoing_body(true, None);
    let mut trailers = Fields::new();
    trailers.append("x-sum", b"1").unwrap();
    source.write(&ReadOnly::new(b"abc")).unwrap();
    source.finish(Some(&trailers)).unwrap();

    let incoming = Arc::new(IncomingBody::new(Body::from(reading)));
    let (outgoing, reading) = outgoing_body(true, None);
    let mut body = Body::from(reading);
    outgoing.pass(Arc::clone(&incoming));
    assert!(incoming.poll_trailers(context).is_pending(), "somebody reads it");
    assert_eq!(taken(&mut body), Ok((b"abc".to_vec(), false)));
    let Poll::Ready(Ok(Some(passed))) = incoming.poll_trailers(context) else { panic!("it is over") };
    assert!(passed.has("x-sum"));
    outgoing.finish(Some(&passed)).unwrap();
    assert_eq!(taken(&mut body), Ok((Vec::new(), true)));
}

#[test]
fn a_body_that_is_dropped_or_refused_was_not_sent() {
    let context = &mut Context::from_waker(Waker::noop());
    let (outgoing, reading) = outgoing_body(true, None);
    drop(Body::from(reading));
    assert_eq!(outgoing.sent().poll(context), Poll::Ready(Err(ErrorCode::ConnectionTerminated)));

    let (outgoing, reading) = outgoing_body(true, None);
    let incoming = IncomingBody::new(Body::from(reading));
    incoming.refuse(ErrorCode::LoopDetected);
    assert_eq!(outgoing.sent().poll(context), Poll::Ready(Err(ErrorCode::LoopDetected)));
    assert_eq!(incoming.failure(), Some(ErrorCode::LoopDetected));
}
