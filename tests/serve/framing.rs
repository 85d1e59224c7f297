//! Where one request ends and the next one begins. Between a client and this server there may be a proxy that reads the same
//! bytes, and what the two read differently is a request that one of them does not know of. So each shape here is either
//! refused, with the connection, or is one request and no other.
//!
//! Source of truth: RFC 9110 and RFC 9112.

use std::fmt::Write;

use crate::harness::http::{Answer, Connection};
use crate::harness::server::Server;

/// What comes of the bytes.
enum Comes {
    /// One of these statuses and the end of the connection, which may come without a status.
    Refused(&'static [u16]),
    /// One of these statuses. Where the request ends is clear, so that the connection may go on.
    Told(&'static [u16]),
    /// One response of the guest's, with these words in it, and then the next request is answered.
    One(&'static str),
    /// One response, a 200 of these words, and the end of the connection, by which the response may be lost.
    Last(&'static str),
    /// A response that has begun does not come to its end, or says that something is wrong; and the connection ends.
    Broken,
}

use Comes::{Broken, Last, One, Refused, Told};

const BAD: Comes = Refused(&[400]);
const UNCLEAR: Comes = Told(&[400]);
const UNKNOWN: Comes = Told(&[501]);

/// What must not be taken for a request.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";

/// What is asked after it, whose answer is the last that comes.
const NEXT: &str = "POST /headers-echo?next HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\n?next";

/// Sends the bytes and one more request, all at once, and looks at all that comes.
fn send(server: &Server, bytes: &str) -> (Vec<Answer>, bool) {
    let mut connection = server.connect();
    connection.send(format!("{bytes}{NEXT}").as_bytes());
    let mut answers = Vec::new();
    while let Some(answer) = connection.answer() {
        answers.push(answer);
    }
    let is_next = answers.last().is_some_and(|answer| answer.text().contains("?next"));
    (answers, is_next)
}

/// Why it matters, the bytes, and what comes of them.
type Row<'a> = (&'a str, String, Comes);

fn holds(server: &Server, rows: Vec<Row<'_>>) {
    let mut wrong = String::new();
    for (why, bytes, comes) in rows {
        let (answers, goes_on) = send(server, &bytes);
        let own = &answers[..answers.len() - usize::from(goes_on)];
        let is_as_expected = match (&comes, own) {
            (Refused(_), []) => !goes_on,
            (Refused(statuses), [answer]) => !goes_on && statuses.contains(&answer.status),
            (Told(statuses), [answer]) => statuses.contains(&answer.status),
            (One(words), [answer]) => goes_on && answer.status < 500 && answer.text().contains(words),
            (Last(_), []) => !goes_on,
            (Last(words), [answer]) => !goes_on && answer.status == 200 && answer.text().contains(words),
            (Broken, []) => !goes_on,
            (Broken, [answer]) => !goes_on && (!answer.is_whole || [400, 502].contains(&answer.status)),
            _ => false,
        };
        if !is_as_expected {
            let shown = &bytes[..bytes.len().min(300)];
            let texts: Vec<_> = answers.iter().map(|answer| (answer.status, answer.is_whole, answer.text())).collect();
            writeln!(wrong, "{why}\n  {shown:?}\n  {texts:?}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Ends the server, which must not have seen what was hidden.
fn saw_nothing_hidden(server: Server) {
    let said = server.end();
    assert!(said.contains("?next"), "{said}");
    assert!(!said.contains("/hidden"), "{said}");
}

fn get(fields: &str) -> String {
    format!("GET /headers-echo HTTP/1.1\r\n{fields}\r\n")
}

/// A request line with a host.
fn line(line: &str) -> String {
    format!("{line}\r\nHost: h\r\n\r\n")
}

#[test]
fn a_head_is_read_in_one_way_or_not_at_all() {
    let server = Server::start("p2_http_faults", ["--access-log", "text"]);
    let long = "a".repeat(70_000);
    let many = |count: usize| (1..count).map(|number| format!("X-{number}: v\r\n")).collect::<String>();
    let large = format!("Host: h\r\nX: {}\r\n", "v".repeat(300_000));
    let over_a_section = format!("Host: h\r\nX: {}\r\n", "v".repeat(200_000));
    let rows = vec![
        ("a request as all are", get("Host: h\r\n"), One("Method::Get\n/headers-echo\nScheme::Http\nh\n")),
        // Lines.
        (
            "a lone LF ends a line for some and not for others; the standard lets a server take it",
            "GET /headers-echo HTTP/1.1\nHost: h\n\n".into(),
            One("/headers-echo"),
        ),
        (
            "a lone CR ends a line for some, and a field hides behind it",
            get("Host: h\r\nX: a\rTransfer-Encoding: chunked\r\n"),
            BAD,
        ),
        ("the same in the request line", line("GET /headers-echo\rX HTTP/1.1"), BAD),
        ("a CR before CRLF belongs to the value for some", get("Host: h\r\r\n"), BAD),
        (
            "an empty line before a request is ignored: old clients sent it after a body",
            format!("\r\n{}", get("Host: h\r\n")),
            One("/headers-echo"),
        ),
        ("a folded line is a field of its own for some", get("Host: h\r\nX: a\r\n Content-Length: 30\r\n"), BAD),
        ("the same with a tab", get("Host: h\r\nX: a\r\n\tContent-Length: 30\r\n"), BAD),
        ("a space before the first field is the request line's for some", get(" X: a\r\nHost: h\r\n"), BAD),
        // Names and values.
        (
            "a space before the colon is stripped by some, who then see another field",
            get("Host: h\r\nContent-Length : 30\r\n"),
            BAD,
        ),
        ("the same with a tab", get("Host: h\r\nContent-Length\t: 30\r\n"), BAD),
        ("a field without a colon", get("Host: h\r\nContent-Length 30\r\n"), BAD),
        ("a field without a name", get("Host: h\r\n: a\r\n"), BAD),
        ("a NUL ends a text for some", get("Host: h\r\nX: a\0b\r\n"), BAD),
        ("a NUL in a name", get("Host: h\r\nX\0: a\r\n"), BAD),
        ("a name that is no token", get("Host: h\r\nX(: a\r\n"), BAD),
        // Host.
        ("who is asked is not said", get("X: a\r\n"), UNCLEAR),
        ("nobody is asked", get("Host:\r\n"), UNCLEAR),
        ("two are asked, and a proxy and a server choose", get("Host: a\r\nHost: b\r\n"), UNCLEAR),
        ("the same one twice", get("Host: h\r\nHost: h\r\n"), UNCLEAR),
        ("a name that is none", get("Host: a b\r\n"), UNCLEAR),
        ("a path in a host", get("Host: a/b\r\n"), UNCLEAR),
        ("two names with a comma", get("Host: a,b/\r\n"), UNCLEAR),
        (
            "a user in a host names another one to whoever looks at its beginning",
            get("Host: allowed@evil\r\n"),
            UNCLEAR,
        ),
        ("an address that is none", get("Host: [::1\r\n"), UNCLEAR),
        // Targets.
        (
            "a whole URL names the host",
            "GET http://a/headers-echo HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            One("/headers-echo\nScheme::Http\na\n"),
        ),
        (
            "a URL and a header that name two hosts",
            "GET http://a/headers-echo HTTP/1.1\r\nHost: b\r\n\r\n".into(),
            UNCLEAR,
        ),
        ("a port more is another one", "GET http://a:81/headers-echo HTTP/1.1\r\nHost: a\r\n\r\n".into(), UNCLEAR),
        ("a user in a URL", "GET http://a@b/headers-echo HTTP/1.1\r\nHost: b\r\n\r\n".into(), UNCLEAR),
        (
            "a scheme that the connection does not have makes it no other one",
            "GET https://a/headers-echo HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            One("Scheme::Http\n"),
        ),
        ("the server as a whole has options", line("OPTIONS * HTTP/1.1"), One("no such path")),
        ("and nothing else", line("GET * HTTP/1.1"), UNCLEAR),
        ("a host alone is asked for by CONNECT and nothing else", line("GET h:80 HTTP/1.1"), UNCLEAR),
        ("a path without a slash", line("GET headers-echo HTTP/1.1"), UNCLEAR),
        // The request line.
        ("two spaces: what is between them is the target for some", line("GET  /headers-echo HTTP/1.1"), BAD),
        ("two spaces after the target", line("GET /headers-echo  HTTP/1.1"), BAD),
        ("a tab for a space", line("GET\t/headers-echo\tHTTP/1.1"), BAD),
        (
            "a space in the target: a second request to whoever splits at the last",
            line("GET /headers-echo HTTP/1.1 /hidden HTTP/1.1"),
            BAD,
        ),
        ("a control character in the target", line("GET /\x01 HTTP/1.1"), BAD),
        ("a NUL in the target", line("GET /a\0b HTTP/1.1"), BAD),
        ("a method that is no token", line("G@T /headers-echo HTTP/1.1"), BAD),
        ("methods are told apart by their letters' size", line("get /headers-echo HTTP/1.1"), One("Other(\"get\")")),
        ("a version that there is not", line("GET /headers-echo HTTP/1.2"), BAD),
        ("a version of two digits", line("GET /headers-echo HTTP/1.10"), BAD),
        ("a version in small letters", line("GET /headers-echo http/1.1"), BAD),
        ("no version: HTTP/0.9 has no head at all", "GET /hidden\r\n".into(), BAD),
        ("HTTP/2 is not asked for in the middle of HTTP/1", line("GET /headers-echo HTTP/2.0"), Refused(&[400, 505])),
        ("what begins as HTTP/2 does and is not", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".into(), Refused(&[400, 505])),
        // Bounds.
        ("a target that nobody means", line(&format!("GET /{long} HTTP/1.1")), Refused(&[414])),
        ("as many fields as there may be", get(&format!("Host: h\r\n{}", many(100))), One("x-99: v")),
        ("one more", get(&format!("Host: h\r\n{}", many(101))), Refused(&[431])),
        ("a head that is too large for the host", get(&large), Told(&[431])),
        ("a head that is too large for a guest", get(&over_a_section), Told(&[431])),
        // What belongs to a connection.
        (
            "an upgrade is not agreed to, and the guest does not see it",
            get("Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"),
            One("h\n"),
        ),
        (
            "nor one to HTTP/2",
            get(
                "Host: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
            ),
            One("h\n"),
        ),
    ];
    holds(&server, rows);
    saw_nothing_hidden(server);
}

/// What the guest is given is the message's, and not the connection's.
#[test]
fn a_guest_sees_nothing_of_the_connection() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server = Server::start(app, ["--threads", "1"]);
        let mut connection = server.connect();
        let fields = "Host: h\r\nConnection: keep-alive, Upgrade, X-Named\r\nUpgrade: websocket\r\nX-Named: 1\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\nX-Kept: 2\r\n";
        connection.send(get(fields).as_bytes());
        let answer = connection.answer().unwrap();
        let (_, headers) = answer.text().split_once("\nh\n").unwrap();
        assert_eq!(headers, "x-kept: 2\n", "{app}");
        server.end();
    }
}

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n{body}")
}

/// A chunked body, with what must not be seen behind it.
fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

#[test]
fn a_body_is_as_long_as_all_say_or_is_refused() {
    let server = Server::start("p2_http_echo", ["--access-log", "text"]);
    let rest = format!("0\r\n\r\n{HIDDEN}");
    let te = |value: &str| post(&format!("Transfer-Encoding:{value}\r\n"), "5\r\nhello\r\n0\r\n\r\n");
    let cl = |value: &str| post(&format!("Content-Length:{value}\r\n"), "hello");
    let rows = vec![
        ("a length", cl(" 5"), One("hello")),
        ("chunks", te(" chunked"), One("hello")),
        // Two lengths.
        (
            "both: a proxy goes by one, and a server by the other; this one goes by the chunks and closes",
            post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", &rest),
            Last(""),
        ),
        ("the other way round", post("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", &rest), Last("")),
        ("two lengths that differ", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), BAD),
        ("the same twice is one", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), One("hello")),
        // A length is digits.
        ("a sign is ignored by some", cl(" +5"), BAD),
        ("less than nothing", cl(" -5"), BAD),
        ("a list: some take the first, some the last", cl(" 5, 5"), BAD),
        ("a list of two", cl(" 5, 0"), BAD),
        ("hexadecimal for some", cl(" 0x5"), BAD),
        ("a number with a space in it", cl(" 5 5"), BAD),
        ("a number with a point", cl(" 5.0"), BAD),
        ("no number", cl(""), BAD),
        ("a number in other digits", cl(" ５"), BAD),
        ("more than 64 bits, where some count on from nothing", cl(" 18446744073709551621"), BAD),
        ("more than there can be", cl(" 18446744073709551615"), Refused(&[400, 413, 431])),
        // Encodings.
        ("one after the chunks: nobody knows where they end", te(" chunked, identity"), Refused(&[400, 501])),
        ("one before the chunks is another content than what a guest is told", te(" gzip, chunked"), UNKNOWN),
        ("chunks in chunks", te(" chunked, chunked"), UNKNOWN),
        ("the field twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), UNKNOWN),
        (
            "the field twice, and the last is none",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
            Refused(&[400, 501]),
        ),
        (
            "the field twice, and the first is none",
            post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            UNKNOWN,
        ),
        ("a word that ends in it", te(" xchunked"), Refused(&[400, 501])),
        ("a word that begins with it", te(" chunkedx"), Refused(&[400, 501])),
        ("in quotes", te(" \"chunked\""), Refused(&[400, 501])),
        ("with a parameter", te(" chunked;q=1"), Refused(&[400, 501])),
        ("none", te(" identity"), Refused(&[400, 501])),
        ("nothing", te(""), Refused(&[400, 501])),
        ("in large letters it is the same", te(" CHUNKED"), One("hello")),
        ("without a space", te("chunked"), One("hello")),
        ("with a tab before and spaces after", te("\tchunked \t"), One("hello")),
        ("a vertical tab is a space for some", te(" \x0bchunked"), BAD),
        ("a folded line", te("\r\n chunked"), BAD),
        ("a space before the colon", post("Transfer-Encoding : chunked\r\n", &rest), BAD),
        (
            "HTTP/1.0 knows no chunks, and a proxy of that age passes them on",
            format!("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{rest}"),
            BAD,
        ),
        // Chunks.
        (
            "a chunk's size in letters of either size, with zeroes",
            chunked("00a\r\n0123456789\r\n0\r\n\r\n"),
            One("0123456789"),
        ),
        ("an extension is ignored", chunked("5;name=value\r\nhello\r\n0\r\n\r\n"), One("hello")),
        ("a size with a sign", chunked(&format!("+5\r\nhello\r\n{rest}")), Broken),
        ("less than nothing", chunked(&format!("-1\r\nhello\r\n{rest}")), Broken),
        ("with 0x", chunked(&format!("0x5\r\nhello\r\n{rest}")), Broken),
        ("a size that some count on from nothing", chunked(&format!("10000000000000005\r\nhello\r\n{rest}")), Broken),
        ("no size", chunked(&format!("\r\nhello\r\n{rest}")), Broken),
        ("a space before it", chunked(&format!(" 5\r\nhello\r\n{rest}")), Broken),
        ("a lone LF after a size", chunked(&format!("5\nhello\r\n{rest}")), Broken),
        ("a lone LF in an extension hides a line", chunked(&format!("5;a\nhello\r\n{rest}")), Broken),
        ("a CR alone after a size", chunked(&format!("5\rhello\r\n{rest}")), Broken),
        ("a chunk that is longer than it says", chunked(&format!("3\r\nhello\r\n{rest}")), Broken),
        ("a lone LF after a chunk", chunked(&format!("5\r\nhello\n{rest}")), Broken),
        ("an extension without end", chunked(&format!("5;{}\r\nhello\r\n{rest}", "e".repeat(40_000))), Broken),
        (
            "trailers without end",
            chunked(&format!("5\r\nhello\r\n0\r\n{}\r\n{HIDDEN}", "X: v\r\n".repeat(10_000))),
            Broken,
        ),
        ("a trailer with a lone CR", chunked(&format!("5\r\nhello\r\n0\r\nX: a\rb\r\n\r\n{HIDDEN}")), Broken),
    ];
    holds(&server, rows);
    saw_nothing_hidden(server);
}

#[test]
fn requests_that_come_at_once_are_answered_in_their_order() {
    for app in ["p2_http_wait", "p3_http_wait"] {
        let server = Server::start(app, ["--threads", "1", "--access-log", "text"]);
        let mut connection = server.connect();
        for ms in [200, 0, 100, 1] {
            connection.ask(&format!("/?ms={ms}"));
        }
        for _ in 0..4 {
            assert_eq!(connection.answer().unwrap().text(), "waited\n");
        }
        let said = server.end();
        let order: Vec<_> = said.lines().filter_map(|line| line.split_once("/?ms=")?.1.split(' ').next()).collect();
        assert_eq!(order, ["200", "0", "100", "1"], "{app}: {said}");
    }
}

/// Who waits to be told to go on is told so, by a 100 or by the response that has begun already.
#[test]
fn who_waits_before_its_body_does_not_wait_for_ever() {
    for app in ["p2_http_echo", "p3_http_echo"] {
        let server = Server::start(app, ["--threads", "1"]);
        let mut connection = server.connect();
        connection.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        connection.begun("\r\n\r\n");
        connection.send(b"hello");
        let mut answer = connection.answer().unwrap();
        if answer.status == 100 {
            answer = connection.answer().unwrap();
        }
        assert_eq!((answer.status, answer.text()), (200, "hello"), "{app}");
        connection.ask("/");
        assert_eq!(connection.answer().unwrap().status, 200, "{app}");
        server.end();
    }
}

/// A guest that reads nothing has nothing sent to it that another request could hide in.
#[test]
fn a_body_that_nobody_reads_is_not_the_next_request() {
    for app in ["p2_http_hello", "p3_http_hello"] {
        let server = Server::start(app, ["--threads", "1", "--access-log", "text"]);
        let bodies = [post(&format!("Content-Length: {}\r\n", HIDDEN.len()), HIDDEN), {
            let length = format!("{:x}", HIDDEN.len());
            chunked(&format!("{length}\r\n{HIDDEN}\r\n0\r\n\r\n"))
        }];
        for body in bodies {
            let mut connection = server.connect();
            connection.send(body.as_bytes());
            assert_eq!(connection.answer().unwrap().text(), "hello\n", "{app}");
            connection.ask("/then");
            // It may close a connection whose body has not been read, but not misread it.
            if let Some(answer) = connection.answer() {
                assert_eq!(answer.text(), "hello\n", "{app}");
            }
        }
        let said = server.end();
        assert!(said.contains(" / ") && !said.contains("/hidden"), "{app}: {said}");
    }
}

#[test]
fn no_tunnel_is_made() {
    let server = Server::start("p2_http_hello", ["--access-log", "text"]);
    let mut connection = Connection::open(server.address());
    connection.send(b"CONNECT elsewhere:80 HTTP/1.1\r\nHost: elsewhere:80\r\n\r\n");
    assert_eq!(connection.answer().unwrap().status, 501);
    server.answers("/", "hello\n");
    server.end();
}
