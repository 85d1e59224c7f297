//! What a guest asks others for, as it answers a request and as a command: who may be asked, and for how long.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::certificates::Certificates;
use crate::harness::http::{Answer, Deaf};
use crate::harness::server::{Server, serve};
use crate::harness::{guest, run, turnkey};

/// Whoever is asked.
fn elsewhere() -> Server {
    Server::start("p2_http_faults", ["--threads", "1"])
}

/// A server whose guest asks others, with these grants.
fn fetching(app: &str, flags: &[&str]) -> Server {
    Server::start(app, [&["--threads", "1"], flags].concat())
}

#[track_caller]
fn fetched(server: &Server, url: &str, options: &str) -> Answer {
    server.get(&format!("/?url={}{options}", url.replace('?', "%3F").replace('&', "%26")))
}

#[test]
fn a_guest_asks_only_whom_it_is_granted_and_what_is_refused_is_told() {
    for app in ["p2_http_fetch", "p3_http_fetch"] {
        let elsewhere = elsewhere();
        let (url, other) = (elsewhere.url("/headers-echo?a=b"), elsewhere.url("/env"));
        let server = fetching(app, &[]);
        let answer = fetched(&server, &url, "");
        assert_eq!((answer.status, answer.text()), (502, "HTTP-request-denied\n"), "{app}");
        let said = server.hears("refused: ");
        let line = said.lines().find(|line| line.starts_with("refused: ")).unwrap();
        assert!(
            line.contains(&elsewhere.url("/headers-echo"))
                && line.contains("--allow http=")
                && line.contains("handle") | line.contains("send"),
            "{line}"
        );
        server.end();

        let grant = format!("http=GET {}", elsewhere.url("/headers-echo"));
        let server = fetching(app, &["--allow", &grant]);
        let answer = fetched(&server, &url, "&header=X-Mine:1");
        assert_eq!(answer.status, 200, "{app}: {answer:?}\n{}", server.said());
        let host = elsewhere.address().to_string();
        assert!(answer.text().contains("/headers-echo?a=b\n") && answer.text().contains(&host), "{app}: {answer:?}");
        assert!(answer.text().contains("x-mine: 1\n"), "{app}: {answer:?}");
        assert_eq!(answer.header("x-content-type"), Some("text/plain"), "{app}");
        // Another path, another method, another host.
        for (url, options) in [
            (&other, ""),
            (&url, "&method=DELETE"),
            (&url.replace("127.0.0.1", "127.0.0.2"), ""),
            (&url.replace("http:", "https:"), ""),
        ] {
            let answer = fetched(&server, url, options);
            assert_eq!((answer.status, answer.text()), (502, "HTTP-request-denied\n"), "{app} {url} {options}");
        }
        server.end();
        elsewhere.end();
    }
}

#[test]
fn a_body_goes_there_and_comes_back() {
    for app in ["p2_http_fetch", "p3_http_fetch"] {
        for echo in ["p2_http_echo", "p3_http_echo"] {
            let elsewhere = Server::start(echo, ["--threads", "1"]);
            let grant = format!("http=POST {}", elsewhere.url("/*"));
            let server = fetching(app, &["--allow", &grant]);
            let body: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
            let answer = server.post(&format!("/?method=POST&url={}", elsewhere.url("/")), &body);
            assert_eq!(answer.status, 200, "{app} {echo}: {}", server.said());
            assert!(answer.is_whole && answer.body == body, "{app} {echo}: {} bytes", answer.body.len());
            server.end();
            elsewhere.end();
        }
    }
}

#[test]
fn a_name_is_known_without_asking_anybody_and_needs_its_grant() {
    for app in ["p2_http_fetch", "p3_http_fetch"] {
        let elsewhere = elsewhere();
        let port = elsewhere.address().port();
        let url = format!("http://else.test:{port}/ok");
        let grant = format!("http=http://else.test:{port}/*");
        let server = fetching(app, &["--allow", &grant, "--add-host", "else.test:127.0.0.1"]);
        let answer = fetched(&server, &url, "");
        assert_eq!((answer.status, answer.text()), (200, "ok\n"), "{app}: {}", server.said());
        // The address alone is not granted by its name.
        assert_eq!(fetched(&server, &elsewhere.url("/ok"), "").text(), "HTTP-request-denied\n", "{app}");
        server.end();
        elsewhere.end();
    }
}

#[test]
fn a_guest_waits_as_long_as_it_says() {
    for app in ["p2_http_fetch", "p3_http_fetch"] {
        let elsewhere = elsewhere();
        let grant = format!("http={}", elsewhere.url("/*"));
        let server = fetching(app, &["--allow", &grant]);
        let sleep = elsewhere.url("/sleep");
        for (options, code) in [
            ("&first-byte-timeout=100", "HTTP-response-timeout\n"),
            ("&first-byte-timeout=0", "HTTP-response-timeout\n"),
            ("&connect-timeout=0", "connection-timeout\n"),
        ] {
            let answer = fetched(&server, &sleep, options);
            assert_eq!((answer.status, answer.text()), (502, code), "{app} {options}");
        }
        let slow = elsewhere.url("/slow?chunks=5&ms=500");
        let answer = fetched(&server, &slow, "&between-bytes-timeout=100");
        assert!(!answer.is_whole || answer.status == 502, "{app}: {answer:?}");
        let answer = fetched(&server, &elsewhere.url("/slow?chunks=3&ms=100"), "&between-bytes-timeout=5000");
        assert_eq!((answer.text(), answer.is_whole), ("0\n1\n2\n", true), "{app}");
        server.end();
        elsewhere.end();
    }
}

/// A server whose line of those who want to connect is full says nothing at all. A guest is told after the time that it gave; and
/// of one that is gone before, by its own time or with its client, no socket is left.
#[test]
fn who_does_not_take_a_connection_is_not_waited_for() {
    let deaf = Deaf::new();
    let address = deaf.address();
    let begun = format!(":{:04X} 02 ", address.port());
    let is_connecting = |server: &Server| {
        let sockets = std::fs::read_to_string(format!("/proc/{}/net/tcp", server.process())).unwrap();
        sockets.lines().any(|socket| socket.contains(&begun))
    };
    let within = |seconds: u64, what: &dyn Fn() -> bool| {
        let begin = Instant::now();
        while !what() {
            assert!(begin.elapsed() < Duration::from_secs(seconds), "not within {seconds} seconds");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let url = format!("http://{address}/");
    for app in ["p2_http_fetch", "p3_http_fetch"] {
        let server = fetching(app, &["--allow", &format!("http={url}*"), "--timeout", "2s"]);
        let begin = Instant::now();
        let answer = fetched(&server, &url, "&connect-timeout=300");
        assert_eq!((answer.status, answer.text()), (502, "connection-timeout\n"), "{app}");
        assert!((300..1500).contains(&begin.elapsed().as_millis()), "{app}: {:?}", begin.elapsed());
        assert!(!is_connecting(&server), "{app}");
        // Its own time is up.
        let mut connection = server.connect();
        connection.ask(&format!("/?url={url}"));
        within(1, &|| is_connecting(&server));
        assert_eq!(connection.answer().unwrap().status, 504, "{app}");
        within(5, &|| !is_connecting(&server));
        // Nobody waits for it.
        let mut connection = server.connect();
        connection.ask(&format!("/?url={url}"));
        within(1, &|| is_connecting(&server));
        drop(connection);
        within(5, &|| !is_connecting(&server));
        assert_eq!(fetched(&server, &url, "&connect-timeout=1").text(), "connection-timeout\n", "{app}");
        server.end();
    }
}

#[test]
fn whoever_is_asked_by_tls_is_who_it_says() {
    let certificates = Certificates::new(&["else.test"]);
    let secure = Server::of(serve(&guest("components/p2_http_faults"), certificates.flags()));
    let port = secure.address().port();
    let (url, grant) = (format!("https://else.test:{port}/ok"), format!("http=https://*.test:{port}/*"));
    let named = |name: &str| url.replace("else.test", name);
    let flags = [
        "--allow",
        &format!("http=https://else.test:{port}/*"),
        "--allow",
        &format!("http=https://other.test:{port}/*"),
        "--add-host",
        "else.test:127.0.0.1",
        "--add-host",
        "other.test:127.0.0.1",
    ];
    for app in ["p2_http_fetch", "p3_http_fetch"] {
        let server = fetching(app, &flags);
        assert_eq!(fetched(&server, &url, "").text(), "TLS-certificate-error\n", "{app}");
        server.end();
        let root = certificates.root.to_str().unwrap();
        let server = fetching(app, &[&flags, ["--ca", root].as_slice()].concat());
        let answer = fetched(&server, &url, "");
        assert_eq!((answer.status, answer.text()), (200, "ok\n"), "{app}: {}", server.said());
        // The same address by a name that the certificate does not have.
        assert_eq!(fetched(&server, &named("other.test"), "").text(), "TLS-certificate-error\n", "{app}");
        server.end();
    }
    // A pattern covers only addresses that all may reach.
    let root = certificates.root.to_str().unwrap();
    let server = fetching("p2_http_fetch", &["--allow", &grant, "--add-host", "else.test:127.0.0.1", "--ca", root]);
    assert_eq!(fetched(&server, &url, "").status, 502);
    server.end();
    secure.end();
}

fn command(name: &str, flags: &[&str], words: &[&str]) -> crate::harness::Ran {
    let mut all: Vec<OsString> = vec!["run".into()];
    all.extend(flags.iter().map(Into::into));
    all.push(guest(&format!("components/{name}")).into_os_string());
    all.extend(words.iter().map(Into::into));
    run(turnkey().args(all))
}

#[test]
fn a_command_asks_whom_it_is_granted() {
    let elsewhere = elsewhere();
    let echo = Server::start("p2_http_echo", ["--threads", "1"]);
    let (url, grant) = (elsewhere.url("/headers-echo"), format!("http=GET {}", elsewhere.url("/*")));
    for name in ["p2_http_get", "p3_http_get"] {
        let ran = command(name, &["--allow", &grant], &[&url]);
        let text = ran.quiet();
        assert!(text.starts_with("200\n") && text.contains("Get\n/headers-echo\n"), "{name}: {ran:?}");
        let ran =
            command(name, &["--allow", &format!("http=POST {}", echo.url("/"))], &[&echo.url("/"), "POST", "a body"]);
        assert!(ran.quiet().ends_with("\n\na body"), "{name}: {ran:?}");

        let ran = command(name, &[], &[&url]);
        assert_eq!((ran.status(), ran.text()), (1, "HTTP-request-denied\n"), "{name}: {ran:?}");
        let ran = command(name, &["--explain"], &[&url]);
        assert_eq!(ran.text(), "HTTP-request-denied\n", "{name}: {ran:?}");
        assert!(ran.stderr.contains(&url) && ran.stderr.contains("--allow"), "{name}: {ran:?}");
        let ran = command(name, &["--allow", &grant], &[&url, "POST", "a body"]);
        assert_eq!((ran.status(), ran.text()), (1, "HTTP-request-denied\n"), "{name}: {ran:?}");
        // Nobody listens there.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let ran = command(name, &["--allow", &format!("http=http://{free}/*")], &[&format!("http://{free}/")]);
        assert_eq!((ran.status(), ran.text()), (1, "connection-refused\n"), "{name}: {ran:?}");
        // A guest that waits is stopped all the same.
        let ran = command(name, &["--allow", &grant, "--timeout", "500ms"], &[&elsewhere.url("/sleep")]);
        assert_eq!(ran.status(), 124, "{name}: {ran:?}");
    }
    elsewhere.end();
    echo.end();
}

#[test]
fn certificates_that_are_none_are_told() {
    let app = guest("components/p2_http_hello");
    let no_certificate: &Path = &app;
    let ran = run(turnkey().args(["serve", "--ca"]).arg(no_certificate).arg(&app));
    assert!(ran.refused(125).contains("--ca"), "{ran:?}");
}
