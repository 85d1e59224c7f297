//! What there is to see of a server: its numbers, whether it is well, and its log.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, UnresolvedPackageGroup};

use crate::harness::http::{Answer, Connection};
use crate::harness::server::{Server, serve};
use crate::harness::{Folder, PATIENCE, repository};

pub(super) const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];

/// What a server shows.
pub(super) fn admin(server: &Server) -> Connection {
    Connection::open(server.address_after("what goes on: "))
}

fn ask(server: &Server, head: &str) -> Answer {
    let mut connection = admin(server);
    connection.send(format!("{head}\r\n\r\n").as_bytes());
    connection.answer().expect("an answer")
}

/// A number by its name and labels, as they are written.
fn number(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in:\n{metrics}")).parse().unwrap()
}

fn metrics(server: &Server) -> String {
    admin(server).get("/metrics").text().to_owned()
}

/// A request is counted when its response has gone out, of which its client may know a little before.
fn metrics_when(server: &Server, name: &str, expected: f64) -> String {
    let begin = Instant::now();
    loop {
        let metrics = metrics(server);
        if number(&metrics, name) == expected {
            return metrics;
        }
        assert!(begin.elapsed() < PATIENCE, "{name} does not become {expected}:\n{metrics}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A component whose function of this name traps when a request comes.
pub(super) fn named(folder: &Folder, name: &str) -> PathBuf {
    let mut resolve = Resolve::default();
    let definitions = repository().join("wit/0.2/deps");
    let parse = |path: PathBuf| UnresolvedPackageGroup::parse(&path, &std::fs::read_to_string(&path).unwrap()).unwrap();
    let main = "package tests:serve; world guest { export wasi:http/incoming-handler@0.2.12; }";
    let groups = std::fs::read_dir(&definitions).unwrap().map(|entry| parse(entry.unwrap().path())).collect();
    let package = resolve.push_groups(UnresolvedPackageGroup::parse("guest.wit", main).unwrap(), groups).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let name: String = name.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let text = format!(
        "(module
            (memory (export \"memory\") 1)
            (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
            (func $named (@name \"{name}\") unreachable)
            (func (export \"wasi:http/incoming-handler@0.2.12#handle\") (param i32 i32) call $named))"
    );
    let mut module = wat::parse_str(&text).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let component = ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap();
    folder.file("named.wasm", component)
}

#[test]
fn requests_are_counted_by_what_became_of_them() {
    let server = Server::start("p2_http_faults", ADMIN);
    for (path, status) in [
        ("/ok", 200),
        ("/ok", 200),
        ("/status?code=404", 404),
        ("/status?code=503", 503),
        ("/trap", 500),
        ("/exit", 500),
    ] {
        assert_eq!(server.get(path).status, status, "{path}");
    }
    assert_eq!(server.get("/error").status, 502);
    assert_eq!(server.get("/none").status, 500);
    assert_eq!(server.get("/memory").status, 500);
    assert_eq!(server.post("/ok", b"body").status, 200);
    let mut other = server.connect();
    other.send(b"BREW /ok HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(other.answer().unwrap().status, 200);
    drop(other);

    let metrics = metrics_when(&server, "turnkey_request_duration_seconds_count", 11.0);
    for (name, expected) in [
        ("turnkey_requests_total{method=\"GET\",status=\"2xx\"}", 2.0),
        ("turnkey_requests_total{method=\"GET\",status=\"4xx\"}", 1.0),
        ("turnkey_requests_total{method=\"GET\",status=\"5xx\"}", 6.0),
        ("turnkey_requests_total{method=\"POST\",status=\"2xx\"}", 1.0),
        ("turnkey_requests_total{method=\"POST\",status=\"5xx\"}", 0.0),
        ("turnkey_requests_total{method=\"other\",status=\"2xx\"}", 1.0),
        ("turnkey_request_duration_seconds_bucket{le=\"+Inf\"}", 11.0),
        ("turnkey_requests_in_flight", 0.0),
        ("turnkey_requests_waiting", 0.0),
        ("turnkey_instances_made_total", 11.0),
        ("turnkey_connections_made_total", 11.0),
        ("turnkey_failures_total{kind=\"trap\"}", 2.0),
        ("turnkey_failures_total{kind=\"exit\"}", 1.0),
        ("turnkey_failures_total{kind=\"error\"}", 1.0),
        ("turnkey_failures_total{kind=\"no-answer\"}", 1.0),
        ("turnkey_failures_total{kind=\"client\"}", 0.0),
        ("turnkey_limits_met_total{flag=\"--max-memory\"}", 1.0),
        ("turnkey_limits_met_total{flag=\"--timeout\"}", 0.0),
    ] {
        assert_eq!(number(&metrics, name), expected, "{name}:\n{metrics}");
    }
    assert!(number(&metrics, "turnkey_request_duration_seconds_sum") > 0.0);
    assert!(number(&metrics, "process_resident_memory_bytes") > (1 << 20) as f64);
    // What is sent without a guest counts, too: `ok`, the codes, and the words of each status of the host's.
    let bytes =
        4 * "ok\n".len() + 2 * "404\n".len() + 4 * "500 Internal Server Error\n".len() + "502 Bad Gateway\n".len();
    assert_eq!(number(&metrics, "turnkey_response_bytes_total"), bytes as f64, "{metrics}");
    server.end();
}

#[test]
fn what_is_there_now_is_counted_as_long_as_it_is() {
    let server = Server::start("p2_http_faults", ADMIN);
    let mut slow = server.connect();
    slow.ask("/slow?chunks=1000&ms=20");
    slow.begun("\r\n0\n");
    let metrics = metrics(&server);
    for name in ["turnkey_requests_in_flight", "turnkey_instances", "turnkey_connections"] {
        assert_eq!(number(&metrics, name), 1.0, "{name}:\n{metrics}");
    }
    drop(slow);
    for name in ["turnkey_instances", "turnkey_requests_in_flight", "turnkey_connections"] {
        metrics_when(&server, name, 0.0);
    }
    assert_eq!(number(&self::metrics(&server), "turnkey_failures_total{kind=\"client\"}"), 1.0);
    // Who goes before there is an answer has had none that went well.
    let mut gone = server.connect();
    gone.ask("/sleep");
    metrics_when(&server, "turnkey_instances", 1.0);
    drop(gone);
    metrics_when(&server, "turnkey_requests_total{method=\"GET\",status=\"4xx\"}", 1.0);
    server.hears("error: GET /sleep: the client has gone (499)");
    server.end();
}

#[test]
fn limits_that_are_met_are_counted_by_their_flags() {
    let flags = ["--timeout", "300ms", "--max-instances", "1", "--queue", "0", "--threads", "1"];
    let server = Server::start("p2_http_faults", ADMIN.into_iter().chain(flags));
    let mut late = server.connect();
    late.ask("/sleep");
    metrics_when(&server, "turnkey_instances", 1.0);
    assert_eq!(server.get("/ok").status, 503);
    assert_eq!(late.answer().unwrap().status, 504);
    let mut cut = server.connect();
    cut.ask("/slow?chunks=1000&ms=20");
    assert!(!cut.answer().unwrap().is_whole);
    let metrics = metrics_when(&server, "turnkey_failures_total{kind=\"limit\"}", 2.0);
    assert_eq!(number(&metrics, "turnkey_limits_met_total{flag=\"--timeout\"}"), 2.0);
    assert_eq!(number(&metrics, "turnkey_limits_met_total{flag=\"--queue\"}"), 1.0);
    assert_eq!(number(&metrics, "turnkey_failures_total{kind=\"full\"}"), 1.0);
    assert_eq!(number(&metrics, "turnkey_failures_total{kind=\"client\"}"), 0.0);
    server.hears("after its response began, the guest was stopped by `--timeout`");
    server.end();
}

#[test]
fn what_is_refused_is_told_once_and_counted_each_time() {
    let server = Server::start("p2_http_fetch", ADMIN);
    for path in ["/?url=http://127.0.0.1:1/a", "/?url=http://127.0.0.1:1/a", "/?url=http://127.0.0.1:1/b"] {
        assert_eq!(server.get(path).text(), "HTTP-request-denied\n");
    }
    assert_eq!(number(&metrics(&server), "turnkey_refusals_total{call=\"handle\"}"), 3.0);
    let status: Value = serde_json::from_slice(&admin(&server).get("/status.json").body).unwrap();
    let last = status["last_refusals"].as_array().unwrap();
    assert_eq!(last.len(), 2, "{status}");
    assert_eq!((&last[0]["asked"], &last[0]["count"]), (&"GET http://127.0.0.1:1/b".into(), &1.into()));
    assert_eq!((&last[1]["asked"], &last[1]["count"]), (&"GET http://127.0.0.1:1/a".into(), &2.into()));
    assert_eq!(last[0]["grant"], "--allow http=http://127.0.0.1:1");
    let said = server.end();
    let refused: Vec<&str> = said.lines().filter(|line| line.starts_with("refused: ")).collect();
    let expected =
        "refused: `handle` asked for `GET http://127.0.0.1:1/a`; allowed by: --allow http=http://127.0.0.1:1";
    assert_eq!(refused, [expected]);
}

#[test]
fn it_is_ready_until_it_is_told_to_end_and_alive_until_it_has_ended() {
    let server = Server::start("p2_http_faults", ADMIN);
    let (alive, ready) = (admin(&server).get("/healthz"), admin(&server).get("/readyz"));
    assert_eq!((alive.status, ready.status), (200, 200));
    let mut slow = server.connect();
    slow.ask("/slow?chunks=20&ms=100");
    slow.begun("\r\n0\n");
    server.signal(libc::SIGTERM);
    let begin = Instant::now();
    while admin(&server).get("/readyz").status != 503 {
        assert!(begin.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(admin(&server).get("/healthz").status, 200);
    let status: Value = serde_json::from_slice(&admin(&server).get("/status.json").body).unwrap();
    assert_eq!((&status["is_ending"], &status["in_flight"]), (&true.into(), &1.into()));
    let answer = slow.answer().unwrap();
    assert!(answer.is_whole && answer.text().ends_with("19\n"), "{answer:?}");
    let (status, said) = server.ended();
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn it_is_only_looked_at_and_not_by_foreign_pages() {
    let server = Server::start("p2_http_hello", ADMIN);
    let status = |head: &str| ask(&server, head).status;
    for path in ["/", "/page.js", "/page.css", "/status.json"] {
        let answer = ask(&server, &format!("GET {path} HTTP/1.1\r\nhost: localhost:1"));
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        // Who has given their own name this server's address.
        assert_eq!(status(&format!("GET {path} HTTP/1.1\r\nhost: evil.example")), 403, "{path}");
    }
    let metrics = ask(&server, "GET /metrics HTTP/1.1\r\nhost: turnkey.internal:9090");
    assert_eq!(
        (metrics.status, metrics.header("content-type")),
        (200, Some("text/plain; version=0.0.4; charset=utf-8"))
    );
    assert_eq!(status("GET /healthz HTTP/1.1\r\nhost: turnkey.internal"), 200);
    assert_eq!(status("GET /other HTTP/1.1\r\nhost: localhost"), 404);
    assert_eq!(status("POST /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0"), 405);
    let mut head = admin(&server);
    head.send(b"HEAD /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let rest = String::from_utf8(head.rest()).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 ") && rest.ends_with("\r\n\r\n"), "{rest}");
    server.end();
}

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn the_access_log_has_a_line_for_each_request() {
    let server = Server::start("p2_http_faults", ["--access-log", "text"]);
    server.answers("/ok?a=b", "ok\n");
    let mut connection = server.connect();
    connection.send(format!("GET /ok HTTP/1.1\r\nhost: a\r\ntraceparent: {TRACEPARENT}\r\n\r\n").as_bytes());
    assert_eq!(connection.answer().unwrap().status, 200);
    server.hears(" GET /ok?a=b HTTP/1.1 200 3B ");
    server.hears(&format!("ms traceparent={TRACEPARENT}"));
    let said = server.end();
    let line = said.lines().find(|line| line.contains("/ok?a=b")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let [time, peer, "GET", _, "HTTP/1.1", "200", "3B", duration] = words.as_slice() else { panic!("{line}") };
    assert!(time.len() == "2026-01-01T00:00:00.000Z".len() && time.ends_with('Z'), "{line}");
    assert!(peer.starts_with("127.0.0.1:") && duration.ends_with("ms"), "{line}");
}

#[test]
fn the_access_log_of_json_is_json_whatever_is_asked_for() {
    let server = Server::start("p2_http_faults", ["--access-log", "json"]);
    let path = "/\"\\{}\u{202e}é?\u{9b}";
    let mut connection = server.connect();
    connection.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\ntraceparent: \"{TRACEPARENT}\r\n\r\n").as_bytes());
    let status = connection.answer().unwrap().status;
    server.answers("/ok", "ok\n");
    server.hears("\"path\":\"/ok\"");
    let said = server.end();
    let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let ok = lines.iter().find(|line| line["path"] == "/ok").unwrap();
    assert_eq!((&ok["method"], &ok["status"], &ok["bytes"]), (&"GET".into(), &200.into(), &3.into()));
    assert_eq!((&ok["version"], &ok["traceparent"]), (&"HTTP/1.1".into(), &Value::Null));
    assert!(ok["duration_ms"].as_f64().unwrap() > 0.0 && ok["time"].as_str().unwrap().ends_with('Z'), "{ok}");
    // Letters that are none of ASCII may be in a path: a request with them comes to the guest, which knows none such.
    assert_eq!(status, 404, "{said}");
    let odd = lines.iter().find(|line| line["path"] == path).unwrap_or_else(|| panic!("{said}"));
    assert_eq!(odd["traceparent"], format!("\"{TRACEPARENT}"));
    assert!(!said.contains(['\u{202e}', '\u{9b}']), "{said}");
}

#[test]
fn what_instances_write_is_told_by_their_numbers() {
    let server = Server::start("p2_http_faults", ["--threads", "1"]);
    server.answers("/print", "printed\n");
    server.answers("/print", "printed\n");
    server.hears("#2 stderr | ");
    let said = server.end();
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with('#')).collect();
    let expected = [
        "#1 stdout | to standard output",
        "#1 stderr | to standard error",
        "#2 stdout | to standard output",
        "#2 stderr | to standard error",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_a_guest_writes_is_bounded_and_the_end_is_told() {
    let server = Server::start("p2_http_faults", ADMIN.into_iter().chain(["--max-output-bytes", "4096"]));
    server.get("/output");
    let metrics = metrics_when(&server, "turnkey_limits_met_total{flag=\"--max-output-bytes\"}", 1.0);
    assert_eq!(number(&metrics, "turnkey_requests_in_flight"), 0.0);
    let said = server.end();
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with('#')).collect();
    let last = "#1 stdout | … (the rest is left out: `--max-output-bytes`)";
    assert_eq!((lines.len(), lines[4]), (5, last), "{said}");
    assert!(lines[..4].iter().all(|line| *line == format!("#1 stdout | {}", "x".repeat(1023))), "{said}");
}

#[test]
fn no_name_of_a_guest_breaks_a_line() {
    let folder = Folder::new();
    let name = "a\n{\"status\":200}\nerror: forged\u{1b}[2J\u{202e}";
    let server = Server::of(serve(&named(&folder, name), ["--access-log", "json"]));
    assert_eq!(server.get("/").status, 500);
    server.hears("\"path\":\"/\"");
    let said = server.end();
    let of_it: Vec<&str> = said.lines().filter(|line| line.contains("forged")).collect();
    let [line] = of_it.as_slice() else { panic!("{said}") };
    assert!(line.starts_with("error: GET /: the guest trapped: "), "{line}");
    assert!(line.contains(r"in forged\u{1b}[2J\u{202e}"), "{line}");
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with('{')).count(), 1, "{said}");
}
