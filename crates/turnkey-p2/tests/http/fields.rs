//! Fields: what may be in them, who may change them, and what they cost.

use turnkey_core::Grants;
use turnkey_core::ending::Stopped;
use turnkey_core::limits::{Limit, Limits};
use turnkey_http::{Body, Fields};
use wasmtime::component::Val;

use crate::{Guest, bytes, list, text, word};

fn fails(guest: &mut Guest, function: &str, arguments: &[Val]) -> Val {
    guest.result(function, arguments).unwrap_err().unwrap()
}

#[test]
fn what_no_message_has_or_belongs_to_the_connection_is_refused() {
    let guest = &mut Guest::new();
    let fields = guest.get("fields-constructor", &[]);
    for (name, value, error) in [
        ("", "v", "invalid-syntax"),
        ("a b", "v", "invalid-syntax"),
        ("a\r\n", "v", "invalid-syntax"),
        ("a", "v\r\nb: c", "invalid-syntax"),
        ("a", "v\0", "invalid-syntax"),
        ("Host", "v", "forbidden"),
        ("Transfer-Encoding", "chunked", "forbidden"),
        ("connection", "close", "forbidden"),
    ] {
        let (this, field, one) = (fields.clone(), text(name), bytes(value.as_bytes()));
        assert_eq!(fails(guest, "fields-append", &[this.clone(), field.clone(), one.clone()]), word(error), "{name}");
        assert_eq!(fails(guest, "fields-set", &[this, field, Val::List(vec![one])]), word(error), "{name}");
        assert_eq!(fails(guest, "fields-from-list", &[list(&[(name, value)])]), word(error), "{name}");
    }
    assert_eq!(fails(guest, "fields-delete", &[fields.clone(), text("host")]), word("forbidden"));
    assert_eq!(guest.get("fields-entries", &[fields.clone()]), list(&[]));
    assert_eq!(guest.get("fields-has", &[fields.clone(), text("a b")]), Val::Bool(false));
    assert_eq!(guest.get("fields-get", &[fields, text("a b")]), Val::List(vec![]));
}

#[test]
fn fields_of_a_message_do_not_change_and_a_clone_of_them_does() {
    let guest = &mut Guest::new();
    let given = Fields::from_list([("X-A", &b"1"[..]), ("b", b"2"), ("x-a", b"3")].into_iter()).unwrap();
    let (request, _, _) = guest.incoming(given, Body::default());
    let headers = guest.get("incoming-request-headers", &[request.clone()]);
    let all = list(&[("X-A", "1"), ("b", "2"), ("X-A", "3")]);
    assert_eq!(guest.get("fields-entries", &[headers.clone()]), all);
    let value = bytes(b"4");
    let (this, name) = (headers.clone(), text("b"));
    for (function, arguments) in [
        ("fields-append", vec![this.clone(), name.clone(), value.clone()]),
        ("fields-set", vec![this.clone(), name.clone(), Val::List(vec![value])]),
        ("fields-delete", vec![this.clone(), name.clone()]),
    ] {
        assert_eq!(fails(guest, function, &arguments), word("immutable"));
    }
    let clone = guest.get("fields-clone", &[headers.clone()]);
    guest.ok("fields-delete", &[clone.clone(), text("x-A")]);
    assert_eq!(guest.get("fields-entries", &[clone.clone()]), list(&[("b", "2")]));
    assert_eq!(guest.get("fields-entries", &[headers.clone()]), all);

    // The clone is nobody's: it outlives the request, and becomes headers of another message.
    guest.drop(&headers).unwrap();
    guest.drop(&request).unwrap();
    let response = guest.get("outgoing-response-constructor", &[clone]);
    let headers = guest.get("outgoing-response-headers", &[response]);
    assert_eq!(fails(guest, "fields-delete", &[headers, text("b")]), word("immutable"));
}

#[test]
fn a_message_does_not_go_before_its_fields() {
    for what in ["outgoing-response", "outgoing-request"] {
        let guest = &mut Guest::new();
        let fields = guest.fields(&[]);
        let message = guest.get(&format!("{what}-constructor"), &[fields]);
        for _ in 0..2 {
            let headers = guest.get(&format!("{what}-headers"), &[message.clone()]);
            guest.drop(&headers).unwrap();
        }
        guest.get(&format!("{what}-headers"), &[message.clone()]);
        let error = guest.drop(&message).unwrap_err();
        assert!(error.to_string().contains("its fields are still there"), "{error:?}");
    }
}

/// GHSA-243v-98vx-264h: a map of headers has at most 32768 of them, and panics at one more.
#[test]
fn fields_without_end_are_an_error_and_no_panic() {
    let guest = &mut Guest::new();
    let many: Vec<_> = (0..40_000).map(|_| ("a", "")).collect();
    assert_eq!(fails(guest, "fields-from-list", &[list(&many)]), word("invalid-syntax"));
    let fields = guest.get("fields-constructor", &[]);
    let long = bytes(&[b'v'; 100 << 10]);
    guest.ok("fields-append", &[fields.clone(), text("a"), long.clone()]);
    assert_eq!(fails(guest, "fields-append", &[fields.clone(), text("b"), long]), word("invalid-syntax"));
    assert_eq!(guest.get("fields-has", &[fields, text("b")]), Val::Bool(false));
}

#[test]
fn fields_are_charged_and_their_charge_comes_back() {
    let guest = &mut Guest::with(Grants::default(), Limits { host_bytes: 4 << 20, ..Limits::default() });
    let value = bytes(&[b'v'; 100 << 10]);
    for _ in 0..100 {
        let fields = guest.get("fields-constructor", &[]);
        guest.ok("fields-append", &[fields.clone(), text("a"), value.clone()]);
        guest.drop(&fields).unwrap();
    }
    let mut made = 0;
    let error = loop {
        let fields = guest.get("fields-constructor", &[]);
        match guest.call("types", "fields-append", &[fields, text("a"), value.clone()]) {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.downcast_ref(), Some(&Stopped(Limit::Memory)));
    assert!((4..20).contains(&made), "{made}");
}
