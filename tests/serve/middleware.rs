//! Components that a request goes through before it comes to the app, and apps that cannot be served.

use std::path::Path;

use crate::harness::server::{Server, serve};
use crate::harness::{Folder, Ran, guest, run, turnkey};

fn behind(middleware: &[&str], app: &str, flags: &[&str]) -> Server {
    let mut all: Vec<_> = flags.iter().map(Into::into).collect();
    for name in middleware {
        all.push("--middleware".into());
        all.push(guest(&format!("components/{name}")).into_os_string());
    }
    Server::of(serve(&guest(&format!("components/{app}")), all))
}

#[test]
fn a_middleware_changes_heads_and_passes_bodies_on() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server = behind(&["p3_http_middleware"], app, &[]);
        let answer = server.get("/headers-echo?a=b");
        assert_eq!((answer.status, answer.header("x-middleware")), (200, Some("yes")), "{app}: {answer:?}");
        assert!(answer.text().contains("x-from-middleware: yes"), "{app}: {answer:?}");
        assert!(answer.text().contains("/headers-echo?a=b\n"), "{app}: {answer:?}");
        let answer = server.get("/status?code=418");
        assert_eq!((answer.status, answer.header("x-middleware")), (418, Some("yes")), "{app}");
        let answer = server.get("/slow?chunks=3&ms=20");
        assert_eq!((answer.text(), answer.is_whole), ("0\n1\n2\n", true), "{app}");
        // What it answers itself, nobody behind it sees.
        let answer = server.get("/stop");
        assert_eq!((answer.status, answer.text(), answer.header("x-middleware")), (403, "stopped\n", None), "{app}");
        server.end();
    }
    for app in ["p2_http_echo", "p3_http_echo"] {
        let server = behind(&["p3_http_middleware"], app, &[]);
        let body: Vec<u8> = (0..3_000_000_u32).map(|number| number as u8).collect();
        let answer = server.post("/", &body);
        assert!(answer.is_whole && answer.body == body, "{app}: {} bytes", answer.body.len());
        assert_eq!(answer.header("x-middleware"), Some("yes"), "{app}");
        server.end();
    }
}

#[test]
fn there_may_be_several_and_what_fails_behind_them_is_a_502() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server = behind(&["p3_http_middleware", "p3_http_middleware"], app, &["--timeout", "1s"]);
        server.answers("/ok", "ok\n");
        for (count, path) in ["/trap", "/exit", "/error"].into_iter().enumerate() {
            let answer = server.get(path);
            assert_eq!(answer.status, 502, "{app} {path}: {answer:?}\n{}", server.said());
            server.errors(count + 1);
            server.answers("/ok", "ok\n");
        }
        let answer = server.get("/sleep");
        assert_eq!(answer.status, 504, "{app}: {answer:?}\n{}", server.said());
        let mut connection = server.connect();
        connection.ask("/unfinished");
        assert!(connection.answer().is_none_or(|answer| !answer.is_whole || answer.status == 502), "{app}");
        server.answers("/ok", "ok\n");
        server.end();
    }
}

/// `turnkey serve` of what cannot be served: it ends by itself.
fn refused(words: &[&std::ffi::OsStr]) -> Ran {
    run(turnkey().args(["serve", "--addr", "127.0.0.1:0"]).args(words))
}

#[test]
fn what_passes_requests_on_is_no_app() {
    let middleware = guest("components/p3_http_middleware");
    let ran = refused(&[middleware.as_os_str()]);
    let message = ran.refused(126);
    assert!(message.contains("p3_http_middleware.wasm") && message.contains("hint: "), "{message}");
    assert!(message.contains("turnkey serve --middleware"), "{message}");
}

#[test]
fn what_cannot_be_served_is_told_and_why() {
    let folder = Folder::new();
    let text = folder.file("text", "not a program");
    let module = folder.file("module.wasm", wat::parse_str("(module)").unwrap());
    let command = guest("components/files");
    let hello = guest("components/p2_http_hello");
    let missing = folder.path("missing.wasm");
    for (app, status, words) in [
        (missing.as_path(), 127, "missing.wasm"),
        (text.as_path(), 126, "text"),
        (module.as_path(), 126, "module.wasm"),
        (command.as_path(), 126, "wasi:http"),
    ] {
        let ran = refused(&[app.as_os_str()]);
        let message = ran.refused(status);
        assert!(message.contains(words), "{message}");
        let ran = refused(&["--middleware".as_ref(), app.as_os_str(), hello.as_os_str()]);
        assert!(ran.refused(status).contains(words), "{ran:?}");
    }
}

#[test]
fn what_cannot_be_given_is_told_before_anybody_is_answered() {
    let hello = guest("components/p2_http_hello");
    let folder = Folder::new();
    let missing = folder.path("missing");
    for (flags, status) in [
        (vec!["--dir", missing.to_str().unwrap()], 125),
        (vec!["--tls-cert", missing.to_str().unwrap(), "--tls-key", missing.to_str().unwrap()], 127),
        (vec!["--tls-cert", "some"], 2),
        (vec!["--max-instances", "0"], 2),
        (vec!["--addr", "nowhere"], 2),
    ] {
        let mut command = turnkey();
        let ran = run(command.arg("serve").args(&flags).arg(&hello));
        assert_eq!(ran.status(), status, "{flags:?}: {ran:?}");
        assert!(ran.stderr.contains("error: "), "{ran:?}");
    }
}

#[test]
fn where_somebody_listens_already_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = run(turnkey().args(["serve", "--addr", &address]).arg(guest("components/p2_http_hello")));
    let message = ran.refused(125);
    assert!(message.contains(&address) && message.contains("--addr"), "{message}");
}

#[test]
fn a_file_is_named_as_it_was_typed_and_harmless() {
    let folder = Folder::new();
    let name = "a\u{1b}[31m.wasm";
    let app = folder.file(name, std::fs::read(guest("components/p2_http_hello")).unwrap());
    let server = Server::of(serve(Path::new(&app), [] as [&str; 0]));
    server.answers("/", "hello\n");
    let said = server.end();
    assert!(!said.contains('\u{1b}'), "{said:?}");
}
