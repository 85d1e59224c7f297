//! What a server holds after many have come at once: little more than before, and nobody notices how it gets there.

use std::time::{Duration, Instant};

use crate::harness::server::Server;

/// More than from which on memory is given back.
const AT_ONCE: usize = 300;

#[test]
fn the_memory_of_many_instances_is_given_back_when_they_have_gone_and_no_request_is_lost_for_it() {
    for app in ["p2_http_wait", "p3_http_wait"] {
        let flags = ["--max-instances", "310", "--concurrency", "1", "--threads", "2"];
        let server = Server::start(app, flags);
        server.answers("/", "waited\n");
        let rest = resident_kib(&server);
        let mut many: Vec<_> = (0..AT_ONCE).map(|_| server.connect()).collect();
        for connection in &mut many {
            connection.ask("/?ms=3000");
        }
        std::thread::sleep(Duration::from_millis(2000));
        let most = resident_kib(&server);
        assert!(most > rest + 40 * AT_ONCE as u64, "{app}: {rest} to {most} KiB: they do not wait");
        for connection in &mut many {
            assert_eq!(connection.answer().unwrap().text(), "waited\n", "{app}");
        }
        drop(many);
        // Asked all the while, on a connection that stays and on new ones.
        let (begin, mut stays) = (Instant::now(), server.connect());
        while resident_kib(&server) > rest + (most - rest) / 3 {
            assert!(begin.elapsed() < Duration::from_secs(20), "{app}: {rest}, {most}, {}", resident_kib(&server));
            assert_eq!(stays.get("/").status, 200, "{app}: {}", server.said());
            server.answers("/", "waited\n");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(stays.get("/").status, 200, "{app}: {}", server.said());
        assert_eq!(server.errors(0), Vec::<String>::new(), "{app}");
        server.end();
    }
}

fn resident_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    resident.trim().trim_end_matches(" kB").parse().unwrap()
}
