//! Sockets: those of `wasi:sockets`, and what Preview 1 has of them; which addresses and names a guest may use; and
//! look-ups.
//!
//! Nothing here waits: an operation that cannot be finished at once says so, and what it waits for. Only a connection that
//! there is can be read and written as the caller wants to wait.

pub mod address;
pub mod lookup;
pub mod name;
pub mod policy;
pub mod tcp;
pub mod udp;
pub mod url;

pub use address::AddressFamily;
pub use lookup::ResolveAddressStream;
pub use policy::{Network, NetworkGrants, SocketGrant};
pub use tcp::{TcpConnection, TcpListener, TcpSocket};
pub use udp::UdpSocket;
pub use url::{AskedUrl, Destination, UrlGrant};
