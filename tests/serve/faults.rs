//! What a guest can do to the host that has it answer: the client gets an answer or an end, one line says why, and the server
//! goes on. Of both previews, as far as the guest has the path.

use std::time::{Duration, Instant};

use crate::harness::server::{Server, errors};

/// What comes of it.
enum Comes {
    /// This status, and a line with these words.
    Status(u16, &'static str),
    /// No whole response of the guest's: one that does not come to its end, or one that says so; and a line with these words.
    CutOff(&'static str),
    /// The guest's own answer: nothing is wrong.
    Answer(u16, &'static str),
}

use Comes::{Answer, CutOff, Status};

/// Flags for guests that use all that they get.
const FLAGS: [&str; 8] = ["--timeout", "1s", "--max-memory", "32MiB", "--max-output-bytes", "16KiB", "--threads", "2"];

/// What a server may take in memory for all that its guests try, besides what it took before.
const MORE_BYTES: u64 = 160 << 20;

const PREVIEW2: &[(&str, Comes)] = &[
    ("/trap", Status(500, "the guest trapped")),
    ("/exit", Status(500, "the guest ended itself, with status 1")),
    ("/exit?code=0", Status(500, "the guest ended itself, with status 0")),
    ("/loop", Status(504, "`--timeout`")),
    ("/sleep", Status(504, "`--timeout`")),
    ("/none", Status(500, "no response")),
    ("/error", Status(502, "HTTP-request-denied")),
    ("/headers", Answer(200, "invalid-syntax after ")),
    ("/memory", Status(500, "`--max-memory`")),
    ("/output", Status(500, "")),
    ("/print", Answer(200, "printed\n")),
    ("/short", CutOff("")),
    ("/unfinished", CutOff("")),
    ("/open", CutOff("the guest trapped")),
    ("/slow?chunks=100&ms=50", CutOff("")),
    ("/twice", Answer(200, "")),
    ("/early", Answer(200, "early\n")),
];

const PREVIEW3: &[(&str, Comes)] = &[
    ("/trap", Status(500, "the guest trapped")),
    ("/exit", Status(500, "the guest ended itself, with status 1")),
    ("/exit?code=0", Status(500, "the guest ended itself, with status 0")),
    ("/loop", Status(504, "`--timeout`")),
    ("/sleep", Status(504, "`--timeout`")),
    ("/error", Status(502, "HTTP-request-denied")),
    ("/headers", Answer(200, " after ")),
    ("/memory", Status(500, "`--max-memory`")),
    ("/output", Answer(500, "no output any more\n")),
    ("/print", Answer(200, "printed\n")),
    ("/short", CutOff("")),
    ("/unfinished", CutOff("")),
    ("/slow?chunks=100&ms=50", CutOff("")),
    ("/early", Answer(200, "early\n")),
];

/// Each of them one after the other, and after each somebody else is answered.
fn survives(app: &str, faults: &[(&str, Comes)]) {
    let server = Server::start(app, FLAGS);
    server.answers("/ok", "ok\n");
    let before_bytes = server.peak_bytes();
    let mut told = 0;
    for (path, comes) in faults {
        let answer = {
            let mut connection = server.connect();
            connection.ask(path);
            connection.answer()
        };
        let words = match (comes, answer) {
            // Its turn was over when it had given its response, and then it failed before the head had gone out.
            (CutOff(words), None) => Some(words),
            (_, None) => panic!("{path}: no answer: {}", server.said()),
            (comes, Some(answer)) => match comes {
                Status(status, words) => {
                    assert_eq!(
                        (answer.status, answer.is_whole),
                        (*status, true),
                        "{path}: {answer:?}\n{}",
                        server.said()
                    );
                    Some(words)
                }
                CutOff(words) => {
                    let is_cut_off = answer.status >= 500 || (answer.status == 200 && !answer.is_whole);
                    assert!(is_cut_off, "{path}: {answer:?}\n{}", server.said());
                    Some(words)
                }
                Answer(status, words) => {
                    assert_eq!(
                        (answer.status, answer.is_whole),
                        (*status, true),
                        "{path}: {answer:?}\n{}",
                        server.said()
                    );
                    assert!(answer.text().contains(words), "{path}: {answer:?}");
                    None
                }
            },
        };
        if let Some(words) = words {
            told += 1;
            let lines = server.errors(told);
            assert_eq!(lines.len(), told, "{path}: {lines:#?}");
            assert!(lines[told - 1].contains(words), "{path}: {}", lines[told - 1]);
        }
        server.answers("/ok", "ok\n");
    }
    let after_bytes = server.peak_bytes();
    assert!(after_bytes < before_bytes + MORE_BYTES, "{before_bytes} bytes became {after_bytes}");
    let said = server.end();
    assert_eq!(errors(&said).len(), told, "{said}");
    // Of the request that wrote without end, and of those that wrote a line each.
    let output: usize =
        said.lines().filter(|line| line.contains("stdout |") || line.contains("| xx")).map(str::len).sum();
    assert!((8 << 10..20 << 10).contains(&output), "{output} bytes of output");
}

#[test]
fn whatever_a_guest_of_preview_2_does_one_line_tells_it_and_the_server_goes_on() {
    survives("p2_http_faults", PREVIEW2);
}

#[test]
fn whatever_a_guest_of_preview_3_does_one_line_tells_it_and_the_server_goes_on() {
    survives("p3_http_faults", PREVIEW3);
}

/// Of a response that is longer than it said, no byte too many comes, and none of it is taken for the next one.
#[test]
fn what_is_longer_than_it_said_does_not_run_into_the_next_response() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server = Server::start(app, FLAGS);
        let mut connection = server.connect();
        connection.ask("/long");
        connection.ask("/ok");
        // Nothing of it may have come before it was seen to be wrong; then the connection has ended, and nothing runs into anything.
        let Some(first) = connection.answer() else {
            server.end();
            continue;
        };
        if first.status == 200 {
            assert_eq!(first.header("content-length"), Some("5"), "{app}");
            assert!(b"01234".starts_with(&first.body), "{app}: {first:?}");
        } else {
            assert_eq!((first.status, first.is_whole), (502, true), "{app}: {first:?}");
        }
        match connection.answer() {
            Some(second) => assert_eq!((first.is_whole, second.status, second.text()), (true, 200, "ok\n"), "{app}"),
            None => assert!(!first.is_whole, "{app}"),
        }
        assert_eq!(server.errors(1).len(), 1, "{app}: {}", server.said());
        server.answers("/ok", "ok\n");
        server.end();
    }
}

/// A guest that computes takes nobody's turn: on one thread, others are answered long before its time is up.
#[test]
fn others_are_answered_while_a_guest_computes() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server = Server::start(app, ["--timeout", "3s", "--threads", "1"]);
        server.answers("/ok", "ok\n");
        let mut computing = server.connect();
        computing.ask("/loop");
        std::thread::sleep(Duration::from_millis(100));
        let begin = Instant::now();
        for _ in 0..10 {
            server.answers("/ok", "ok\n");
        }
        assert!(begin.elapsed() < Duration::from_secs(2), "{app}: {:?}", begin.elapsed());
        assert_eq!(computing.answer().expect("an answer").status, 504, "{app}");
        server.end();
    }
}

#[test]
fn a_client_that_goes_away_is_told_of_and_its_place_is_free() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server = Server::start(
            app,
            ["--timeout", "20s", "--threads", "1", "--max-instances", "1", "--concurrency", "1", "--queue", "4"],
        );
        for (count, path) in ["/sleep", "/slow?chunks=1000&ms=20", "/big?bytes=1000000000"].into_iter().enumerate() {
            let mut leaving = server.connect();
            leaving.ask(path);
            if count == 0 {
                std::thread::sleep(Duration::from_millis(100));
            } else {
                leaving.begun("\r\n\r\n");
            }
            drop(leaving);
            let begin = Instant::now();
            server.answers("/ok", "ok\n");
            assert!(begin.elapsed() < Duration::from_secs(10), "{app} {path}: {:?}", begin.elapsed());
            let told = server.errors(count + 1);
            assert!(told[count].contains("client has gone"), "{app} {path}: {told:#?}");
        }
        assert_eq!(errors(&server.end()).len(), 3, "{app}");
    }
}

/// A guest that writes faster than its client reads waits: nothing of it piles up in the host. And it waits for no longer than
/// its request may take.
#[test]
fn a_response_that_nobody_takes_does_not_pile_up_and_ends() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server =
            Server::start(app, ["--threads", "1", "--timeout", "1s", "--max-instances", "1", "--concurrency", "1"]);
        server.answers("/ok", "ok\n");
        let before_bytes = server.peak_bytes();
        let mut waiting = server.connect();
        waiting.ask("/big?bytes=1000000000");
        waiting.begun("\r\n\r\n");
        std::thread::sleep(Duration::from_millis(500));
        let after_bytes = server.peak_bytes();
        assert!(after_bytes < before_bytes + (32 << 20), "{app}: {before_bytes} bytes became {after_bytes}");
        let begin = Instant::now();
        while server.get("/ok").status != 200 {
            assert!(begin.elapsed() < Duration::from_secs(10), "{app}: {}", server.said());
        }
        server.hears("GET /big");
        drop(waiting);
        server.end();
    }
}

/// Whoever shares an instance with a request that traps is asked again of another one, where nothing can come of asking twice.
#[test]
fn requests_beside_one_that_traps_are_answered_all_the_same() {
    let server = Server::start("p3_http_faults", ["--threads", "1", "--concurrency", "32", "--max-memory", "32MiB"]);
    for round in 0..20 {
        let mut harmless: Vec<_> = (0..8).map(|_| server.connect()).collect();
        let mut trapping = server.connect();
        for connection in &mut harmless[..4] {
            connection.ask("/print");
        }
        trapping.ask(if round % 2 == 0 { "/trap" } else { "/memory" });
        for connection in &mut harmless[4..] {
            connection.ask("/print");
        }
        for connection in &mut harmless {
            let answer = connection.answer().expect("an answer");
            assert_eq!((answer.status, answer.is_whole), (200, true), "round {round}: {answer:?}\n{}", server.said());
        }
        assert_eq!(trapping.answer().expect("an answer").status, 500, "round {round}");
    }
    server.end();
}
