//! A new version of the app takes the place of the old one while requests come, and none of them fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::http::Connection;
use crate::harness::server::{Server, serve};
use crate::harness::{Folder, guest};

/// Writes a file as those do who know that somebody reads it: it is whole, or the old one.
fn put(app: &Path, contents: &[u8]) {
    let new = app.with_extension("new");
    fs::write(&new, contents).unwrap();
    fs::rename(&new, app).unwrap();
}

fn program(name: &str) -> Vec<u8> {
    fs::read(guest(&format!("components/{name}"))).unwrap()
}

fn app(folder: &Folder, name: &str) -> PathBuf {
    folder.file("app.wasm", program(name))
}

/// Waits until new requests are answered so.
#[track_caller]
fn becomes(server: &Server, path: &str, words: &str) {
    let begin = Instant::now();
    while server.get(path).text() != words {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", server.said());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Says that there is a new version, where that has to be said.
fn tell(server: &Server, flags: &[&str]) {
    if flags.is_empty() {
        server.signal(libc::SIGHUP);
    }
}

fn is_taken(flags: &[&str]) {
    for (first, second) in
        [("p2_http_wait", "p2_http_hello"), ("p3_http_wait", "p3_http_hello"), ("p2_http_wait", "p3_http_hello")]
    {
        let folder = Folder::new();
        let app = app(&folder, first);
        let server = Server::of(serve(&app, flags));
        let address = server.address();
        let over = Arc::new(AtomicBool::new(false));
        let its = Arc::clone(&over);
        // Somebody asks all the time: on one connection, and on new ones.
        let asking = std::thread::spawn(move || {
            let mut kept = Connection::open(address);
            let mut count = 0;
            while !its.load(Ordering::Relaxed) {
                let mut new = Connection::open(address);
                for answer in [kept.get("/"), new.get("/")] {
                    assert!(answer.status == 200 && answer.is_whole, "{answer:?}");
                    assert!(["waited\n", "hello\n"].contains(&answer.text()), "{answer:?}");
                }
                count += 1;
            }
            count
        });
        server.answers("/", "waited\n");
        // One that the old version has begun, and ends.
        let mut old = server.connect();
        old.ask("/?ms=1500");
        std::thread::sleep(Duration::from_millis(50));
        for (name, words) in [(second, "hello\n"), (first, "waited\n"), (second, "hello\n")] {
            put(&app, &program(name));
            tell(&server, flags);
            becomes(&server, "/", words);
        }
        assert_eq!(old.answer().unwrap().text(), "waited\n");
        over.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 3);
        let said = server.end();
        assert!(!said.contains("error: "), "{first}, {second}: {said}");
    }
}

#[test]
fn a_new_version_is_taken_when_the_server_is_told_and_no_request_fails() {
    is_taken(&[]);
}

#[test]
fn a_new_version_is_taken_when_its_file_changes_and_no_request_fails() {
    is_taken(&["--watch"]);
}

#[test]
fn a_response_of_the_old_version_comes_whole() {
    for name in ["p2_http_faults", "p3_http_faults"] {
        let folder = Folder::new();
        let app = app(&folder, name);
        let server = Server::of(serve(&app, [] as [&str; 0]));
        let mut slow = server.connect();
        slow.ask("/slow?chunks=20&ms=50");
        slow.begun("0\n");
        put(&app, &program("p2_http_hello"));
        server.signal(libc::SIGHUP);
        server.hears("loaded anew");
        server.answers("/", "hello\n");
        let answer = slow.answer().unwrap();
        assert!(answer.is_whole && answer.text().ends_with("19\n"), "{name}: {answer:?}");
        server.end();
    }
}

#[test]
fn a_new_version_that_cannot_run_leaves_the_old_one_and_a_line_says_why() {
    for flags in [&[] as &[&str], &["--watch"]] {
        let folder = Folder::new();
        let app = app(&folder, "p2_http_hello");
        let server = Server::of(serve(&app, flags));
        server.answers("/", "hello\n");
        let broken = [b"nothing that runs".to_vec(), program("files"), program("p2_http_wait")[..5000].to_vec()];
        for (count, contents) in broken.iter().enumerate() {
            put(&app, contents);
            tell(&server, flags);
            let told = server.errors(count + 1);
            assert!(told[count].contains("app.wasm") && told[count].contains("not loaded anew"), "{told:#?}");
            server.answers("/", "hello\n");
        }
        put(&app, &program("p2_http_wait"));
        tell(&server, flags);
        becomes(&server, "/", "waited\n");
        let said = server.end();
        let told = said.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(told, broken.len(), "{said}");
    }
}
