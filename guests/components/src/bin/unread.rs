//! Writes to peers that read nothing: `unread WHAT ADDRESS:PORT`, where WHAT is
//!
//! - `empty`: fills one connection as far as it takes anything, says so, and then writes nothing, without end;
//! - `dropped`: fills one connection after the other, and drops each with what it could not send, without end.
//!
//! Where a call answers with a code, that ends it: `CODE after N connections`, status 0. Else the host ends it.

use std::io::{self, Write};

use components::{Code, address, fail, family, leave, to_wasi};
use wasip2::io::streams::OutputStream;
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::ErrorCode;
use wasip2::sockets::tcp::{InputStream, TcpSocket};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Its buffer is made now: in the end there may be no memory for it.
    let _ = io::stdout();
    match words.as_slice() {
        ["empty", remote] => {
            let (_socket, _input, output) = connect(remote).unwrap_or_else(|error| fail(remote, error.code()));
            println!("took {} bytes", fill(&output));
            let _ = io::stdout().flush();
            loop {
                if let Err(error) = output.check_write().and_then(|_| output.write(&[])) {
                    fail("write", error.code());
                }
            }
        }
        ["dropped", remote] => {
            for count in 0.. {
                match connect(remote) {
                    Ok((_socket, _input, output)) => _ = fill(&output),
                    Err(error) => {
                        println!("{} after {count} connections", error.code());
                        leave(0);
                    }
                }
            }
        }
        _ => fail("unread", "usage: unread empty|dropped ADDRESS:PORT"),
    }
}

fn connect(remote: &str) -> Result<(TcpSocket, InputStream, OutputStream), ErrorCode> {
    let remote = address(remote);
    let socket = create_tcp_socket(family(remote))?;
    // As little as there can be is kept by the system.
    socket.set_send_buffer_size(1)?;
    socket.start_connect(&instance_network(), to_wasi(remote))?;
    let ready = socket.subscribe();
    loop {
        match socket.finish_connect() {
            Err(ErrorCode::WouldBlock) => ready.block(),
            Err(error) => return Err(error),
            Ok((input, output)) => {
                drop(ready);
                return Ok((socket, input, output));
            }
        }
    }
}

/// Writes as much as is permitted, until nothing is; how much that was.
fn fill(output: &OutputStream) -> usize {
    let bytes = vec![b'x'; 1 << 20];
    let mut written = 0;
    loop {
        match output.check_write() {
            Ok(0) => return written,
            Ok(permitted) => {
                let part = &bytes[..bytes.len().min(permitted as usize)];
                output.write(part).unwrap_or_else(|error| fail("write", error.code()));
                written += part.len();
            }
            Err(error) => fail("check-write", error.code()),
        }
    }
}
