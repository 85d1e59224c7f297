//! Takes all that it can get of one kind of thing that the host keeps for a component, and never gives any back; or waits.
//! `p3_hog WHAT [ARGUMENT]`:
//!
//! - `descriptors DIRECTORY`, `listings DIRECTORY`, `preopens`: of files, in a directory that was handed over; `both DIRECTORY`
//!   opens by the functions of 0.3 and, through `std`, of 0.2 in turn;
//! - `tcp-sockets`, `udp-sockets`, `listeners ADDRESS:PORT`, `connections ADDRESS:PORT`, `lookups NAME`: of the network;
//!   `unsent ADDRESS:PORT` connects without end, and writes to each as much as it takes; `empty ADDRESS:PORT` does that once,
//!   and then writes nothing, and takes it back, without end;
//! - `accepted ADDRESS:PORT`: connects to itself, and accepts, without end;
//! - `sleep`, `read`, `accept ADDRESS:PORT`, `receive ADDRESS:PORT`, `lookup NAME`: waits;
//! - `tasks`, `yields`: two tasks that wake each other up, and one that goes on at once, without end.
//!
//! On standard error it says how many there are each time that the number has doubled. Where a call answers with a code,
//! that ends it: `CODE after N` on standard output, status 0. Else the host ends it.

use std::fmt::Debug;
use std::io;
use std::mem::forget;
use std::pin::Pin;
use std::task::Poll;

use async_components::{address, code, command, directory, fail, family, from_wasi, leave, must, to_wasi};
use futures::{join, poll};
use wasip3::cli::environment::get_arguments;
use wasip3::cli::stdin;
use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::filesystem::preopens::get_directories;
use wasip3::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use wasip3::sockets::ip_name_lookup::resolve_addresses;
use wasip3::sockets::types::{ErrorCode, IpAddressFamily, TcpSocket, UdpSocket};
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamWrite, StreamWriter, yield_async};
use wasip3::wit_stream;

const HOUR: u64 = 3_600_000_000_000;

command!(run);

async fn run() -> Result<(), ()> {
    let arguments = get_arguments().split_off(1);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut taken = Taken::default();
    match words.as_slice() {
        ["preopens"] => loop {
            taken.add(Ok::<_, ()>(get_directories()));
        },
        ["descriptors", name] => {
            let root = directory(name);
            loop {
                let opened =
                    root.open_at(PathFlags::empty(), ".".to_owned(), OpenFlags::DIRECTORY, DescriptorFlags::READ);
                taken.add(opened.await);
            }
        }
        ["both", name] => {
            let root = directory(name);
            drop(must("create", std::fs::File::create(format!("{name}/hog")).map_err(|error| error.kind())));
            loop {
                let opened =
                    root.open_at(PathFlags::empty(), ".".to_owned(), OpenFlags::DIRECTORY, DescriptorFlags::READ);
                taken.add(opened.await);
                taken.add(std::fs::File::open(format!("{name}/hog")).map_err(|error| error.kind()));
            }
        }
        ["listings", name] => {
            let root = directory(name);
            loop {
                let (mut stream, end) = root.read_directory();
                // One that could not be begun has ended.
                let (_, entries) = stream.read(Vec::with_capacity(1)).await;
                taken.add(if entries.is_empty() { end.await } else { Ok(forget((stream, end))) });
            }
        }
        ["tcp-sockets"] => loop {
            taken.add(TcpSocket::create(IpAddressFamily::Ipv4));
        },
        ["udp-sockets"] => loop {
            taken.add(UdpSocket::create(IpAddressFamily::Ipv4));
        },
        ["listeners", local] => loop {
            taken.add(listener(local));
        },
        ["connections", remote] => loop {
            taken.add(connection(remote).await);
        },
        ["unsent", remote] => loop {
            // Dropped, the write that waits would be taken back.
            taken.add(unsent(remote, |write| forget(write)).await);
        },
        ["empty", remote] => {
            let (_socket, mut writer, _end) = must("connect", unsent(remote, |write| drop(write)).await);
            loop {
                let mut write = Box::pin(writer.write(Vec::new()));
                drop(poll!(write.as_mut()));
            }
        }
        ["accepted", local] => {
            let (socket, mut clients) = must("listen", listener(local));
            let here = from_wasi(must("local-address", socket.get_local_address())).to_string();
            loop {
                taken.add(connection(&here).await);
                taken.add(clients.next().await.ok_or(()));
            }
        }
        ["lookups", name] => {
            let mut asked = Vec::new();
            loop {
                let mut lookup = Box::pin(resolve_addresses((*name).to_owned()));
                let answer = poll!(lookup.as_mut());
                asked.push(lookup);
                match answer {
                    Poll::Pending => taken.add(Ok::<_, ()>(())),
                    Poll::Ready(answer) => taken.add(answer),
                }
            }
        }
        ["sleep"] => wait_for(HOUR).await,
        ["read"] => {
            let (mut stream, _end) = stdin::read_via_stream();
            stream.next().await;
        }
        ["accept", local] => {
            let (_socket, mut clients) = must("listen", listener(local));
            clients.next().await;
        }
        ["receive", local] => {
            let local = address(local);
            let socket = must("create", UdpSocket::create(family(local)));
            must("bind", socket.bind(to_wasi(local)));
            drop(socket.receive().await);
        }
        ["lookup", name] => println!("{}", async_components::whether(resolve_addresses((*name).to_owned()).await)),
        ["tasks"] => {
            let (mut there, mut back) = (wit_stream::new::<u8>(), wit_stream::new::<u8>());
            let one = async { while there.0.write_all(vec![1]).await.is_empty() && back.1.next().await.is_some() {} };
            let other = async { while there.1.next().await.is_some() && back.0.write_all(vec![1]).await.is_empty() {} };
            join!(one, other);
        }
        ["yields"] => loop {
            yield_async().await;
        },
        _ => fail("p3_hog", "usage: see the source"),
    }
    Ok(())
}

/// How many there are. They stay in the host's tables, and nowhere here.
struct Taken(u64);

impl Default for Taken {
    /// A buffer for standard output is made now: in the end there may be no memory for it.
    fn default() -> Self {
        let _ = io::stdout();
        Taken(0)
    }
}

impl Taken {
    fn add<T, E: Debug>(&mut self, one: Result<T, E>) {
        match one {
            Ok(it) => forget(it),
            Err(error) => {
                println!("{} after {}", code(error), self.0);
                leave(0);
            }
        }
        self.0 += 1;
        if self.0.is_power_of_two() && self.0 >= 1024 {
            eprintln!("{}", self.0);
        }
    }
}

fn listener(local: &str) -> Result<(TcpSocket, StreamReader<TcpSocket>), ErrorCode> {
    let local = address(local);
    let socket = TcpSocket::create(family(local))?;
    socket.bind(to_wasi(local))?;
    let clients = socket.listen()?;
    Ok((socket, clients))
}

async fn connection(remote: &str) -> Result<TcpSocket, ErrorCode> {
    let remote = address(remote);
    let socket = TcpSocket::create(family(remote))?;
    socket.connect(to_wasi(remote)).await?;
    Ok(socket)
}

/// A connection that takes nothing more, and a write to it that waits, for whoever wants that.
async fn unsent(
    remote: &str,
    waiting: fn(Pin<Box<StreamWrite<'_, u8>>>),
) -> Result<(TcpSocket, StreamWriter<u8>, FutureReader<Result<(), ErrorCode>>), ErrorCode> {
    let socket = connection(remote).await?;
    let (mut writer, reader) = wit_stream::new::<u8>();
    let end = socket.send(reader);
    loop {
        let mut write = Box::pin(writer.write(vec![b'x'; 1 << 16]));
        if poll!(write.as_mut()).is_pending() {
            waiting(write);
            return Ok((socket, writer, end));
        }
    }
}
