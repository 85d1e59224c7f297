//! What the programs here share: how a program becomes the component's `wasi:cli/run`, streams from their beginning to their
//! end, how results are shown in a transcript, and addresses and directories by the words of a command line. Programs call
//! WASI 0.3 by the bindings of the crate `wasip3`; what `std` does for them besides goes through Preview 1 and the adapter,
//! so through WASI 0.2.
//!
//! Source of truth: the WIT packages `wasi:*@0.3`.

use std::fmt::{Debug, Display};
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures::join;
use wasip3::cli::exit::exit_with_code;
use wasip3::cli::types::ErrorCode;
use wasip3::cli::{stderr, stdout};
use wasip3::filesystem::preopens::get_directories;
use wasip3::filesystem::types::Descriptor;
use wasip3::sockets::types::{IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use wasip3::wit_bindgen::{FutureReader, StreamReader};
use wasip3::wit_stream;

#[doc(hidden)]
pub use wasip3;

/// Makes an `async fn() -> Result<(), ()>` the component's `wasi:cli/run`. `main` is there since the compiler asks for it,
/// and nothing calls it.
#[macro_export]
macro_rules! command {
    ($run:path) => {
        struct Command;

        impl $crate::wasip3::exports::cli::run::Guest for Command {
            async fn run() -> Result<(), ()> {
                $run().await
            }
        }

        $crate::wasip3::cli::command::export!(Command with_types_in $crate::wasip3);

        fn main() {}
    };
}

/// A stream that is read, and what is said at its end.
pub type Reading<E> = (StreamReader<u8>, FutureReader<Result<(), E>>);

/// All that a stream gives, and what is said at its end.
pub async fn drained<E: 'static>((stream, end): Reading<E>) -> (Vec<u8>, Result<(), E>) {
    let bytes = stream.collect().await;
    (bytes, end.await)
}

/// Gives these bytes to whom takes a stream, then the stream's end, and waits for what is said of it.
///
/// # Errors
/// What is said.
pub async fn fed<E: 'static>(
    bytes: impl Into<Vec<u8>>,
    take: impl FnOnce(StreamReader<u8>) -> FutureReader<Result<(), E>>,
) -> Result<(), E> {
    let (mut writer, reader) = wit_stream::new();
    let taken = take(reader);
    let given = async move {
        // What nobody takes any more is left; the other side says why.
        writer.write_all(bytes.into()).await;
    };
    join!(taken.into_future(), given).0
}

/// Writes this to standard output, by a stream of its own, and waits until it is there.
///
/// # Errors
/// What is said at the stream's end.
pub async fn print(text: impl Into<Vec<u8>>) -> Result<(), ErrorCode> {
    fed(text, stdout::write_via_stream).await
}

/// The same to standard error.
///
/// # Errors
/// What is said at the stream's end.
pub async fn complain(text: impl Into<Vec<u8>>) -> Result<(), ErrorCode> {
    fed(text, stderr::write_via_stream).await
}

/// An error's name in the WIT package: bindings know only their own, such as `ErrorCode::NoEntry`.
pub fn code(error: impl Debug) -> String {
    let own = format!("{error:?}");
    let own = own.strip_prefix("ErrorCode::").unwrap_or(&own);
    let mut name = String::new();
    for character in own.chars().take_while(|character| character.is_alphanumeric()) {
        if character.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

/// `ok`, `ok: VALUE`, or the code.
pub fn shown<T: Debug, E: Debug>(result: Result<T, E>) -> String {
    match result {
        Err(error) => code(error),
        Ok(value) => match format!("{value:?}") {
            unit if unit == "()" => "ok".to_owned(),
            value => format!("ok: {value}"),
        },
    }
}

/// `ok` or the code, whatever the value.
pub fn whether<T, E: Debug>(result: Result<T, E>) -> String {
    shown(result.map(|_| ()))
}

/// Ends the program with a line on standard error, and status 1.
pub fn fail(what: &str, why: impl Display) -> ! {
    eprintln!("{what}: {why}");
    leave(1)
}

/// Ends the program with any status: `std`'s own way is through the adapter, to which all that are not 0 are 1.
pub fn leave(status: u8) -> ! {
    exit_with_code(status);
    unreachable!("a program that has ended")
}

/// The value, or the end of the program.
pub fn must<T, E: Debug>(what: &str, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| fail(what, code(error)))
}

/// The directory that was handed over by this name.
pub fn directory(name: &str) -> Descriptor {
    let found = get_directories().into_iter().find(|(_, known)| known == name);
    found.map_or_else(|| fail(name, "no such directory was handed over"), |(descriptor, _)| descriptor)
}

/// An address in the form that calls take.
pub fn to_wasi(address: SocketAddr) -> IpSocketAddress {
    let port = address.port();
    match address.ip() {
        IpAddr::V4(ip) => IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: ip.octets().into() }),
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h] = ip.segments();
            let address = (a, b, c, d, e, f, g, h);
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 })
        }
    }
}

/// An address as it is written.
pub fn from_wasi(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(it) => SocketAddrV4::new(<[u8; 4]>::from(it.address).into(), it.port).into(),
        IpSocketAddress::Ipv6(it) => {
            let (a, b, c, d, e, f, g, h) = it.address;
            SocketAddrV6::new([a, b, c, d, e, f, g, h].into(), it.port, it.flow_info, it.scope_id).into()
        }
    }
}

/// An address without a port, as it is written.
pub fn ip_from_wasi(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4(it) => <[u8; 4]>::from(it).into(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => [a, b, c, d, e, f, g, h].into(),
    }
}

/// The family that sockets for this address are of.
pub fn family(address: SocketAddr) -> IpAddressFamily {
    if address.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 }
}

/// `ADDRESS:PORT`, or the end of the program.
pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| fail(text, "no ADDRESS:PORT"))
}

/// Says something, and waits for the next line of standard input: whoever runs the program looks at it meanwhile. `false`: there
/// are no more lines.
pub async fn pause(what: &str, input: &mut StreamReader<u8>) -> bool {
    must("stdout", print(format!("{what}\n")).await);
    loop {
        match input.next().await {
            Some(b'\n') => return true,
            Some(_) => {}
            None => return false,
        }
    }
}

/// Begins an operation. If that was not all of it: a wait for its completion, which does not look at what came of it, so that it
/// can be dropped or cancelled after that.
///
/// # Errors
/// What came of it, if it was over at once.
pub fn begun<F: Future>(operation: Pin<&mut F>) -> Result<impl Future<Output = ()> + use<F>, F::Output> {
    let told = Arc::new(Told::default());
    match operation.poll(&mut Context::from_waker(&Waker::from(Arc::clone(&told)))) {
        Poll::Ready(over) => Err(over),
        Poll::Pending => Ok(poll_fn(move |context| told.poll(context))),
    }
}

/// Whether an operation has told that there is news of it, and who is to be told in turn.
#[derive(Default)]
struct Told(Mutex<(bool, Option<Waker>)>);

impl Told {
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut it = self.0.lock().unwrap();
        it.1 = Some(context.waker().clone());
        if it.0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        let waker = {
            let mut it = self.0.lock().unwrap();
            it.0 = true;
            it.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
