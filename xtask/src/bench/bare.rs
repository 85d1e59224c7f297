//! `hyper` alone, answering what `p2_http_hello` answers: no guest, no limits. It is the limit of what a server built on it can do.
//!
//! A process of its own, in release mode: two threads, each with its listener and its executor, as `turnkey serve` has one for
//! each processor.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::thread;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Builder;

const THREADS: usize = 2;

/// What a listener holds that nobody has taken yet.
const BACKLOG: u32 = 1024;

/// Says where it listens, and answers until it is ended.
///
/// # Errors
/// It cannot listen.
pub(super) fn serve() -> Result<(), String> {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut address = free;
    let mut threads = Vec::new();
    for _ in 0..THREADS {
        let listening = || {
            let runtime = Builder::new_current_thread().enable_io().build()?;
            let listener = runtime.block_on(async { listen(address) })?;
            let address = listener.local_addr()?;
            Ok((runtime, listener, address))
        };
        let (runtime, listener, bound) =
            listening().map_err(|error: std::io::Error| format!("cannot listen on {address}: {error}"))?;
        address = bound;
        // Each is an executor of its own: spawned tasks stay on it.
        threads.push(thread::spawn(move || runtime.block_on(accept(listener))));
    }
    eprintln!("http://{address}/");
    for thread in threads {
        thread.join().map_err(|_| "a thread ended badly".to_owned())?;
    }
    Ok(())
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            // A client that goes away in the middle of something is no failure.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello)).await;
        });
    }
}

async fn hello(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let mut response = Response::new("hello\n".to_owned());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}
