//! Sockets that somebody else has opened: `sd_listen_fds(3)`. Whoever does that may start the server when the first connection
//! comes, and may start another one behind the same socket.

#![allow(unsafe_code, reason = "what is done between fork and exec")]

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::harness::server::Server;
use crate::harness::{guest, shell};

/// Descriptors that nobody has.
const HIGH: i32 = 100;

/// A server that is given the sockets as descriptors from 3 on, with what a shell sets before.
fn given(listeners: &[&TcpListener], set: &str, flags: &str) -> Command {
    let app = guest("components/p2_http_hello");
    let mut command = shell(&format!("{set} exec \"$0\" serve --threads 2 {flags} {}", app.display()));
    let fds: Vec<i32> = listeners.iter().map(|listener| listener.as_raw_fd()).collect();
    // SAFETY: what is called is safe between fork and exec, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            // None of them is one of those that they become.
            for (place, fd) in (0..).zip(&fds) {
                if libc::dup2(*fd, HIGH + place) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            for place in (0..).take(fds.len()) {
                if libc::dup2(HIGH + place, 3 + place) < 0 || libc::close(HIGH + place) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        })
    };
    command
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn it_answers_on_the_sockets_that_it_is_handed() {
    let (first, second) = (listener(), listener());
    let set = "LISTEN_PID=$$ LISTEN_FDS=2";
    let server = Server::of(given(&[&first, &second], &format!("export {set};"), ""));
    let addresses = [&first, &second].map(|listener| listener.local_addr().unwrap());
    assert_eq!(server.address(), addresses[0]);
    for address in addresses {
        for _ in 0..4 {
            assert_eq!(crate::harness::http::Connection::open(address).get("/").text(), "hello\n");
        }
        assert!(server.said().contains(&address.to_string()), "{}", server.said());
    }
    server.end();
    // They are still the test's: the next server takes over, and nobody was turned away in between.
    let mut between = crate::harness::http::Connection::open(addresses[0]);
    between.ask("/");
    let server = Server::of(given(&[&first], "export LISTEN_PID=$$ LISTEN_FDS=1;", ""));
    assert_eq!(between.answer().unwrap().text(), "hello\n");
    server.end();
}

/// Sockets that are somebody else's are left alone.
#[test]
fn what_is_handed_to_another_process_is_not_taken() {
    let first = listener();
    for set in ["export LISTEN_PID=1 LISTEN_FDS=1;", "export LISTEN_FDS=1;", "export LISTEN_PID=$$ LISTEN_FDS=0;"] {
        let server = Server::of(given(&[&first], set, "--addr 127.0.0.1:0"));
        assert_ne!(server.address(), first.local_addr().unwrap(), "{set}");
        server.answers("/", "hello\n");
        server.end();
    }
}

#[test]
fn a_server_that_is_handed_a_socket_still_ends_its_requests() {
    let first = listener();
    let server = Server::of(given(&[&first], "export LISTEN_PID=$$ LISTEN_FDS=1;", ""));
    let mut kept = server.connect();
    assert_eq!(kept.get("/").text(), "hello\n");
    server.end();
    assert!(kept.rest().is_empty());
}
