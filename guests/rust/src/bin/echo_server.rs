//! A TCP server on a listening socket that the host handed over: sends back whatever comes in.
//!
//! `echo_server [DESCRIPTOR [CONNECTIONS]]` takes the listener's descriptor from the first argument, else from the
//! variable `LISTEN_FD`, else 3; serves so many connections (1) one after another, each to its end; and prints how many
//! bytes went through each. There are the same in C and Go: each language's library reaches its sockets by another way.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::fd::{FromRawFd, RawFd};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let descriptor = arguments.next().or_else(|| std::env::var("LISTEN_FD").ok());
    let descriptor: RawFd = descriptor.map_or(3, |text| text.parse().expect("a descriptor's number"));
    let connections = arguments.next().map_or(1, |text| text.parse().expect("a number of connections"));

    // SAFETY: the host handed it over to this program, where nothing else uses it.
    let listener = unsafe { TcpListener::from_raw_fd(descriptor) };
    for _ in 0..connections {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = [0; 16 * 1024];
        let mut served = 0;
        loop {
            match stream.read(&mut buffer)? {
                0 => break,
                length => {
                    stream.write_all(&buffer[..length])?;
                    served += length;
                }
            }
        }
        // The other side may be gone altogether by now.
        let _ = stream.shutdown(Shutdown::Both);
        println!("served {served} bytes");
    }
    Ok(())
}
