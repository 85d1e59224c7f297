//! What holds of each request and of all: instances, the line before them, what a guest takes and writes.

use std::time::{Duration, Instant};

use crate::harness::server::{Server, errors};
use crate::harness::{guest, shell};

#[test]
fn who_finds_no_instance_and_no_place_in_line_is_told_to_come_back() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        let server =
            Server::start(app, ["--max-instances", "1", "--queue", "0", "--concurrency", "1", "--timeout", "2s"]);
        let mut first = server.connect();
        first.ask("/slow?chunks=1000&ms=20");
        first.begun("\r\n\r\n");
        let begin = Instant::now();
        let second = server.get("/ok");
        assert_eq!((second.status, second.header("retry-after")), (503, Some("1")), "{app}");
        assert!(begin.elapsed() < Duration::from_secs(1), "{app}: {:?}", begin.elapsed());
        let told = server.errors(1);
        assert!(told[0].contains("/ok") && told[0].contains("503"), "{app}: {told:#?}");
        // Its place is free when its time is up, and what the others of its instance have left of it.
        assert!(!first.answer().unwrap().is_whole, "{app}");
        let begin = Instant::now();
        while server.get("/ok").status != 200 {
            assert!(begin.elapsed() < Duration::from_secs(5), "{app}: {}", server.said());
            std::thread::sleep(Duration::from_millis(50));
        }
        server.end();
    }
}

#[test]
fn who_has_a_place_in_line_waits_and_the_next_one_does_not() {
    for app in ["p2_http_wait", "p3_http_wait"] {
        let flags = ["--max-instances", "1", "--queue", "1", "--concurrency", "1", "--threads", "1"];
        let server = Server::start(app, flags);
        server.answers("/", "waited\n");
        let mut first = server.connect();
        first.ask("/?ms=1500");
        std::thread::sleep(Duration::from_millis(200));
        let mut second = server.connect();
        second.ask("/?ms=1");
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(server.get("/").status, 503, "{app}");
        assert_eq!(first.answer().unwrap().text(), "waited\n", "{app}");
        assert_eq!(second.answer().unwrap().text(), "waited\n", "{app}");
        server.end();
    }
}

#[test]
fn an_instance_of_preview_3_answers_so_many_at_once() {
    let flags = ["--max-instances", "1", "--queue", "0", "--concurrency", "4", "--threads", "1"];
    let server = Server::start("p3_http_wait", flags);
    server.answers("/", "waited\n");
    let mut at_once: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for connection in &mut at_once {
        connection.ask("/?ms=1500");
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.get("/").status, 503);
    for connection in &mut at_once {
        assert_eq!(connection.answer().unwrap().text(), "waited\n");
    }
    server.end();
}

/// One that is used again is the same one, and is left when it has been used as often as it may be.
#[test]
fn an_instance_is_used_again_as_often_as_is_said() {
    for app in ["p2_http_hello", "p3_http_hello"] {
        let server = Server::start(app, ["--max-instances", "1", "--reuse", "3", "--threads", "1"]);
        let mut connection = server.connect();
        for _ in 0..10 {
            assert_eq!(connection.get("/").text(), "hello\n", "{app}");
        }
        assert!(!server.end().contains("error: "), "{app}");
    }
}

/// A guest may keep something from one request to the next only where it is told that it answers several.
#[test]
fn what_a_guest_keeps_in_its_memory_is_there_for_as_long_as_it_is_used_again() {
    let counted = |app, flags: &[&str], count: usize| -> Vec<String> {
        let server = Server::start(app, [&["--threads", "1"], flags].concat());
        let mut connection = server.connect();
        let counted = (0..count).map(|_| connection.get("/count").text().trim().to_owned()).collect();
        server.end();
        counted
    };
    for app in ["p2_http_faults", "p3_http_faults"] {
        assert_eq!(counted(app, &["--reuse", "1"], 4), ["1", "1", "1", "1"], "{app}");
        assert_eq!(counted(app, &["--reuse", "3"], 7), ["1", "2", "3", "1", "2", "3", "1"], "{app}");
    }
    assert_eq!(counted("p2_http_faults", &[], 3), ["1", "1", "1"]);
    let many = counted("p3_http_faults", &[], 130);
    assert_eq!(many[..128], (1..=128).map(|number: u32| number.to_string()).collect::<Vec<_>>());
    assert_eq!(many[128..], ["1", "2"]);
}

/// An instance is one thread's, and its place is anybody's: who has no instance does not wait until another thread's has had nothing
/// to do for a while.
#[test]
fn few_instances_are_for_the_connections_of_all_threads() {
    for app in ["p2_http_hello", "p3_http_hello"] {
        for instances in ["1", "2"] {
            let flags = ["--max-instances", instances, "--reuse", "1000000", "--threads", "2"];
            let server = Server::start(app, flags);
            let mut connections: Vec<_> = (0..4).map(|_| server.connect()).collect();
            // In turn: each finds the instance idle, where the one before it was answered.
            let mut longest = Duration::ZERO;
            for _ in 0..10 {
                for connection in &mut connections {
                    let begin = Instant::now();
                    assert_eq!(connection.get("/").text(), "hello\n", "{app}");
                    longest = longest.max(begin.elapsed());
                }
            }
            assert!(longest < Duration::from_millis(200), "{app}, {instances} instances: {longest:?}");
            // At once: nobody has the instance for itself, however often it may be used again.
            let begin = Instant::now();
            std::thread::scope(|scope| {
                for connection in &mut connections {
                    scope.spawn(|| {
                        for _ in 0..100 {
                            let begin = Instant::now();
                            assert_eq!(connection.get("/").text(), "hello\n", "{app}");
                            assert!(begin.elapsed() < Duration::from_millis(500), "{app}: {:?}", begin.elapsed());
                        }
                    });
                }
            });
            assert!(begin.elapsed() < Duration::from_secs(5), "{app}, {instances} instances: {:?}", begin.elapsed());
            assert!(!server.end().contains("error: "), "{app}");
        }
    }
}

/// What a guest writes is counted for each request, also where an instance answers many.
#[test]
fn what_a_guest_writes_is_bounded_for_each_request() {
    for flags in [&["--reuse", "1"], &["--reuse", "8"]] {
        let flags =
            [&["--max-output-bytes", "64", "--max-instances", "1", "--threads", "1"], flags.as_slice()].concat();
        let server = Server::start("p2_http_faults", &flags);
        for _ in 0..4 {
            server.answers("/print", "printed\n");
        }
        let said = server.end();
        assert_eq!(said.matches("| to standard output\n").count(), 4, "{flags:?}: {said}");
        assert_eq!(said.matches("| to standard error\n").count(), 4, "{flags:?}: {said}");
    }
    let server = Server::start("p2_http_faults", ["--max-output-bytes", "10"]);
    server.get("/print");
    let said = server.end();
    assert!(said.contains("| to standar\n") && said.contains("`--max-output-bytes`"), "{said}");
    assert!(!said.contains("standard error"), "{said}");
}

#[test]
fn a_guest_has_as_much_memory_as_is_said() {
    for app in ["p2_http_faults", "p3_http_faults"] {
        for size in ["8MiB", "100MiB"] {
            let server = Server::start(app, ["--max-memory", size]);
            assert_eq!(server.get("/memory").status, 500, "{app}");
            let told = server.errors(1);
            assert!(told[0].contains("`--max-memory`"), "{app}: {told:#?}");
            server.answers("/ok", "ok\n");
            server.end();
        }
    }
}

#[test]
fn there_are_so_many_connections_and_the_next_one_waits() {
    let server = Server::start("p2_http_hello", ["--max-connections", "2", "--threads", "1"]);
    let (mut first, mut second, mut third) = (server.connect(), server.connect(), server.connect());
    assert_eq!(first.get("/").text(), "hello\n");
    assert_eq!(second.get("/").text(), "hello\n");
    third.ask("/");
    std::thread::sleep(Duration::from_millis(200));
    drop(first);
    assert_eq!(third.answer().unwrap().text(), "hello\n");
    server.end();
}

/// Also where each thread has less than one: whichever of them the kernel gives a connection to.
#[test]
fn fewer_connections_than_threads_are_all_answered() {
    let server = Server::start("p2_http_hello", ["--max-connections", "1", "--threads", "4"]);
    for _ in 0..20 {
        server.answers("/", "hello\n");
    }
    server.end();
}

/// Seconds that a process has computed so far.
fn computed(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let ticks: u32 = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap()).sum();
    f64::from(ticks) / 100.0
}

/// Where the host has no descriptor left for one more connection, those that are there are answered; the others wait, which costs
/// next to nothing, is told once, and ends when some have gone.
#[test]
fn without_a_descriptor_left_connections_wait() {
    for app in ["p2_http_hello", "p3_http_hello"] {
        let mut command = shell("ulimit -n 64; exec \"$0\" serve --addr 127.0.0.1:0 --threads 1 \"$@\"");
        command.arg(guest(&format!("components/{app}")));
        let server = Server::of(command);
        let mut connections: Vec<_> = (0..100).map(|_| server.connect()).collect();
        let mut last = connections.pop().unwrap();
        last.ask("/");
        assert_eq!(connections[0].get("/").text(), "hello\n", "{app}");
        let before = computed(server.process());
        std::thread::sleep(Duration::from_secs(1));
        let spent = computed(server.process()) - before;
        assert!(spent < 0.3, "{app}: {spent} seconds of one");
        assert_eq!(connections[0].get("/").text(), "hello\n", "{app}");
        assert!(!last.has_come(), "{app}");
        drop(connections);
        assert_eq!(last.answer().unwrap().text(), "hello\n", "{app}");
        server.answers("/", "hello\n");
        let said = errors(&server.end());
        assert!(said.len() == 1 && said[0].contains("`ulimit -n`"), "{app}: {said:#?}");
    }
}

/// Whoever has gone in the middle of a head has no place any more, in whichever version's beginning.
#[test]
fn a_connection_that_ends_in_the_middle_of_its_beginning_is_over() {
    let server = Server::start("p2_http_hello", ["--max-connections", "2", "--threads", "1"]);
    let begin = Instant::now();
    for head in
        ["P", "PRI * HTTP/2.0\r\n", "GET / HT", "GET / HTTP/1.1\r\nHost", "", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        for _ in 0..2 {
            server.connect().send(head.as_bytes());
        }
        server.answers("/", "hello\n");
        assert!(begin.elapsed() < Duration::from_secs(10), "{head:?} keeps its place");
    }
    server.end();
}

#[test]
fn the_limits_are_told_when_the_server_begins() {
    let server = Server::start("p2_http_hello", ["--timeout", "7s", "--max-memory", "77MiB", "--queue", "7"]);
    let said = server.end();
    for words in ["--timeout 7s", "--max-memory 77MiB", "--queue 7", "--max-instances 512"] {
        assert!(said.contains(words), "{said}");
    }
}
