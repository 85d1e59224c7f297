//! TLS and HTTP/2, by clients that others have written (`curl`, `h2load`), and HTTP/2 as bytes for what no client does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::harness::certificates::Certificates;
use crate::harness::installed::are_installed;
use crate::harness::server::{Server, serve};
use crate::harness::{Ran, guest, run};

fn secure(app: &str, certificates: &Certificates) -> Server {
    Server::of(serve(&guest(&format!("components/{app}")), certificates.flags()))
}

/// `curl`, which says after the body which version it has spoken and what the status was.
fn curl(words: &[&str]) -> Ran {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*"]);
    run(command.args(["--write-out", "%{http_version} %{response_code}"]).args(words))
}

#[test]
fn both_versions_are_spoken_with_tls_and_without() {
    if !are_installed(&["curl"]) {
        return;
    }
    let certificates = Certificates::new(&["localhost"]);
    let root = certificates.root.to_str().unwrap();
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server = secure(app, &certificates);
        let url = format!("https://localhost:{}/headers-echo?a=b", server.address().port());
        for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
            let ran = curl(&["--ipv4", "--cacert", root, flag, &url]);
            let text = ran.quiet();
            assert!(text.ends_with(&format!("{version} 200")), "{app} {flag}: {ran:?}");
            let host = format!("Https\nlocalhost:{}\n", server.address().port());
            assert!(text.contains("Get\n/headers-echo?a=b\n") && text.contains(&host), "{app} {flag}: {ran:?}");
        }
        // A response that breaks off is its stream's, and the connection goes on.
        let root_url = url.trim_end_matches("/headers-echo?a=b");
        let urls = ["/unfinished", "/trap", "/ok"].map(|path| format!("{root_url}{path}"));
        let ran = curl(&["--ipv4", "--cacert", root, "--http2", &urls[0], &urls[1], &urls[2]]);
        assert!(ran.text().ends_with("ok\n2 200"), "{app}: {ran:?}");
        // What is not TLS gets no answer, and what does not trust it ends it.
        assert_ne!(curl(&[&server.url("/ok")]).status(), 0);
        assert_eq!(curl(&["--ipv4", &url]).status(), 60);
        server.end();

        let server = Server::start(app, [] as [&str; 0]);
        for (flag, version) in
            [("--http2-prior-knowledge", "2"), ("--http1.1", "1.1"), ("--http1.0", "1.0"), ("--http2", "1.1")]
        {
            let ran = curl(&[flag, &server.url("/headers-echo")]);
            let text = ran.quiet();
            let spoken = if version == "1.0" { "\n1 200" } else { version };
            assert!(text.contains("Http\n") && text.contains(spoken), "{app} {flag}: {ran:?}");
        }
        let ran = curl(&["--http2-prior-knowledge", &server.url("/slow?chunks=3&ms=50")]);
        assert_eq!(ran.quiet(), "0\n1\n2\n2 200", "{app}");
        server.end();
    }
}

#[test]
fn bodies_go_through_http_2() {
    if !are_installed(&["curl"]) {
        return;
    }
    for app in ["p2_http_echo", "p3_http_echo"] {
        let server = Server::start(app, ["--threads", "2"]);
        let body = vec![b'x'; 2_000_000];
        let folder = crate::harness::Folder::new();
        let file = folder.file("body", &body);
        let data = format!("@{}", file.display());
        let ran = curl(&["--http2-prior-knowledge", "--data-binary", &data, &server.url("/")]);
        let text = ran.quiet();
        assert_eq!(text.len(), body.len() + "2 200".len(), "{app}");
        server.end();
    }
}

/// What follows a body goes the same way: to the guest and back from it, to whoever is asked by one and back, and past one that
/// sees nothing of it.
#[test]
fn trailers_go_through_http_2() {
    if !are_installed(&["nghttp"]) {
        return;
    }
    let folder = crate::harness::Folder::new();
    let file = folder.file("body", "a body");
    let sent = |url: &str| {
        let mut command = Command::new("nghttp");
        command.args(["--verbose", "--timeout", "20", "--data"]).arg(&file);
        for header in [":method: POST", "te: trailers", "trailer: x-sum"] {
            command.args(["--header", header]);
        }
        let ran = run(command.args(["--trailer", "x-sum: 97", url]));
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        let (_, after_body) = text.split_once("a body").unwrap_or_else(|| panic!("{url}: {text}"));
        assert!(text.contains(":status: 200"), "{url}: {text}");
        assert!(after_body.contains(") x-sum: 97\n"), "{url}: {text}");
    };
    for app in ["p2_http_echo", "p3_http_echo"] {
        let server = Server::start(app, ["--threads", "1"]);
        sent(&server.url("/trailers"));
        let path = guest("components/p3_http_middleware");
        let flags = ["--middleware".into(), path.into_os_string(), "--threads".into(), "1".into()];
        let behind = Server::of(serve(&guest(&format!("components/{app}")), flags));
        sent(&behind.url("/trailers"));
        behind.end();
        let asking = Server::start("p3_http_fetch", ["--allow", &format!("http=POST {}", server.url("/*"))]);
        let options = "&method=POST&header=te:trailers&header=trailer:x-sum";
        sent(&asking.url(&format!("/?url={}{options}", server.url("/trailers"))));
        asking.end();
        server.end();
    }
}

fn h2load(words: &[&str]) -> Ran {
    run(Command::new("h2load").args(words))
}

#[test]
fn many_requests_at_once_are_all_answered() {
    if !are_installed(&["h2load"]) {
        return;
    }
    let certificates = Certificates::new(&["localhost"]);
    for app in ["p2_http_hello", "p3_http_hello"] {
        let plain = Server::start(app, ["--threads", "2"]);
        let with_tls = secure(app, &certificates);
        let url = format!("https://{}/", with_tls.address());
        for words in [
            ["-n", "2000", "-c", "8", "-m", "16", &plain.url("/")].as_slice(),
            &["-n", "2000", "-c", "8", "-m", "16", &url],
            &["-n", "2000", "-c", "8", "--h1", &plain.url("/")],
        ] {
            let ran = h2load(words);
            assert_eq!(ran.status(), 0, "{app}: {ran:?}");
            assert!(ran.text().contains("2000 succeeded, 0 failed, 0 errored"), "{app} {words:?}: {}", ran.text());
        }
        for server in [plain, with_tls] {
            assert!(!server.end().contains("error: "), "{app}");
        }
    }
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_HEADERS_AND_STREAM: u8 = 5;

/// `GET PATH` of `http://h`, each field written out.
fn request(stream: u32, path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path.as_bytes());
    block.extend_from_slice(&[0x01, 1, b'h']);
    frame(HEADERS, END_HEADERS_AND_STREAM, stream, &block)
}

fn http2(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
    stream
}

/// The next frame: its kind and what is in it.
fn next(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some((head[3], payload))
}

/// CVE-2023-44487: streams that are reset as soon as they are opened cost who opens them nothing, and are no places that others
/// need. Whoever does that over and over is let go.
#[test]
fn who_opens_streams_only_to_reset_them_is_let_go() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server = Server::start(
            app,
            ["--threads", "1", "--max-instances", "8", "--concurrency", "1", "--queue", "8", "--timeout", "20s"],
        );
        server.answers("/ok", "ok\n");
        let before_bytes = server.peak_bytes();
        let mut attacker = http2(&server);
        let mut all = Vec::new();
        for number in 0..20_000_u32 {
            all.extend(request(number * 2 + 1, "/sleep"));
            all.extend(frame(RST_STREAM, 0, number * 2 + 1, &8_u32.to_be_bytes()));
        }
        // It may be let go before it has said all.
        let _ = attacker.write_all(&all);
        let mut goaway = None;
        while let Some((kind, payload)) = next(&mut attacker) {
            if kind == GOAWAY {
                goaway = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
        const ENHANCE_YOUR_CALM: u32 = 11;
        assert!(goaway.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{app}: {goaway:?}");
        server.answers("/ok", "ok\n");
        let after_bytes = server.peak_bytes();
        assert!(after_bytes < before_bytes + (64 << 20), "{app}: {before_bytes} bytes became {after_bytes}");
        server.end();
    }
}

/// Resets that come after the request has begun end its guest, whose place somebody else has at once.
#[test]
fn a_stream_that_is_reset_gives_its_place_back() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server = Server::start(
            app,
            ["--threads", "1", "--max-instances", "2", "--concurrency", "1", "--queue", "0", "--timeout", "20s"],
        );
        server.answers("/ok", "ok\n");
        let mut leaving = http2(&server);
        for number in 0..40_u32 {
            leaving.write_all(&request(number * 2 + 1, "/sleep")).unwrap();
            std::thread::sleep(Duration::from_millis(5));
            leaving.write_all(&frame(RST_STREAM, 0, number * 2 + 1, &8_u32.to_be_bytes())).unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(200));
        server.answers("/ok", "ok\n");
        // Who does not answer to a ping is waited for.
        drop(leaving);
        server.end();
    }
}

/// What a list of headers takes when it is unpacked is bounded, however small it was packed.
#[test]
fn a_small_block_of_many_headers_is_refused() {
    let server = Server::start("p2_http_hello", ["--threads", "1"]);
    let before_bytes = server.peak_bytes();
    let mut attacker = http2(&server);
    // One field of 4000 bytes is put into the table, and then named many times by one byte each.
    let mut block = vec![0x82, 0x86, 0x84, 0x01, 1, b'h', 0x40, 1, b'x', 0x7f];
    let mut rest = 4000 - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
    block.extend(std::iter::repeat_n(b'v', 4000));
    block.extend(std::iter::repeat_n(0xbe_u8, 10_000));
    attacker.write_all(&frame(HEADERS, END_HEADERS_AND_STREAM, 1, &block)).unwrap();
    attacker.write_all(&request(3, "/")).unwrap();
    let mut statuses = Vec::new();
    while statuses.len() < 2 {
        let Some((kind, payload)) = next(&mut attacker) else { break };
        if kind == HEADERS || kind == RST_STREAM || kind == GOAWAY {
            statuses.push((kind, payload));
        }
    }
    // The first is refused: by a 431, or with its stream, or with the connection.
    assert!(!statuses.is_empty());
    let is_a_200 = |(kind, payload): &(u8, Vec<u8>)| *kind == HEADERS && payload.first() == Some(&0x88);
    assert!(statuses.iter().filter(|answer| is_a_200(answer)).count() <= 1, "{statuses:?}");
    assert!(server.peak_bytes() < before_bytes + (32 << 20));
    drop(attacker);
    server.answers("/", "hello\n");
    server.end();
}

#[test]
fn a_key_that_is_not_of_the_certificate_is_told() {
    let (one, other) = (Certificates::new(&["a.test"]), Certificates::new(&["a.test"]));
    let app = guest("components/p2_http_hello");
    let ran = |certificate: &Path, key: &Path| {
        let flags = ["--tls-cert".as_ref(), certificate, "--tls-key".as_ref(), key];
        run(&mut serve(&app, flags))
    };
    for (certificate, key, flag) in [
        (&one.certificate, &other.key, "--tls-cert"),
        (&one.key, &one.key, "--tls-cert"),
        (&one.certificate, &one.certificate, "--tls-key"),
    ] {
        let ran = ran(certificate, key);
        let message = ran.refused(2);
        assert!(message.contains(flag) && message.contains("hint: "), "{message}");
    }
    drop((one.folder, other.folder));
}
