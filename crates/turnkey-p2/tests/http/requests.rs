//! Requests, and what they are answered with.

use turnkey_http::{Body, ErrorCode, Fields};
use wasmtime::component::Val;

use crate::{Guest, NONE, some, text, with, word};

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
    let guest = &mut Guest::new();
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
    guest.drop(&outparam).unwrap();
    assert_eq!(receiver.try_recv().unwrap_err(), tokio::sync::oneshot::error::TryRecvError::Closed);
}
