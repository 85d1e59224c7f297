//! HTTP in front of guests: who listens, which instance answers a request, and what becomes of both.
//!
//! Each thread has a listener, an executor, connections, instances and outgoing connections of its own; a request is answered on
//! the thread that its connection came to. What threads share is bounded and counted: instances, what waits for one, and what
//! there is to see. No engine is in sight here: an instance is a [`turnkey::Service`]'s.

mod admin;
mod app;
mod body;
mod connection;
mod dispatch;
mod instances;
mod log;
mod metrics;
mod output;
mod server;
mod ticker;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

pub use app::{App, Load, LoadError, Version};
pub use log::AccessLog;
pub use server::{Error, Server};
pub use tls::{Tls, TlsError};

/// How a server is set up. What it serves is an [`App`].
#[derive(Debug)]
pub struct Options {
    /// Where it listens.
    pub address: SocketAddr,
    /// Listening sockets that were handed over, instead.
    pub handed_over: Vec<TcpListener>,
    /// Certificates and their key: then it speaks TLS and nothing else.
    pub tls: Option<Tls>,
    /// Where it shows what goes on.
    pub admin: Option<SocketAddr>,
    /// Threads that answer requests.
    pub threads: usize,
    /// What holds of each request.
    pub limits: RequestLimits,
    /// What is written of each request.
    pub access_log: AccessLog,
    /// How long requests in flight may take when the server is told to end.
    pub grace: Duration,
}

/// What holds of each request, of connections, and of what a guest writes. [`RequestLimits::default`] is fit for the internet.
#[derive(Clone, Debug)]
pub struct RequestLimits {
    /// From the request's head until its guest has ended, with the last byte of a response that streams.
    pub timeout: Duration,
    /// Instances at once, whatever they do.
    pub instances: u32,
    /// Requests that wait for an instance; one more is told to come back.
    pub queue: u32,
    /// Requests that one instance answers before another is made. `None`: 1 of Preview 2, 128 of Preview 3.
    pub reuse: Option<u32>,
    /// Requests that one instance of Preview 3 answers at a time. `None`: 16.
    pub concurrency: Option<u32>,
    /// How long an instance may have nothing to do before it ends.
    pub idle: Duration,
    /// Connections at once; the next waits to be taken.
    pub connections: u32,
    /// From one request of a connection to the end of the next one's head.
    pub header_timeout: Duration,
    /// Bytes that a guest writes to standard output and error while it answers one request.
    pub output_bytes: u64,
}

impl Default for RequestLimits {
    fn default() -> Self {
        RequestLimits {
            timeout: Duration::from_secs(30),
            instances: 512,
            queue: 1000,
            reuse: None,
            concurrency: None,
            idle: Duration::from_secs(1),
            connections: 10_000,
            header_timeout: Duration::from_secs(30),
            output_bytes: 1 << 20,
        }
    }
}
