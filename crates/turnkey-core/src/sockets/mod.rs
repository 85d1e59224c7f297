//! Sockets, as far as Preview 1 has them: listeners handed over open, and the connections that they accept.

pub mod tcp;

pub use tcp::{TcpConnection, TcpListener};
