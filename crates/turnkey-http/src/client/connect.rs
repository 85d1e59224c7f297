//! A new connection: the name is looked up, its addresses are tried, TLS is agreed on, and with it the version of HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use turnkey_core::ErrorCode as Code;
use turnkey_core::host::reactor;

use super::connection::Connection;
use super::stream::Stream;
use super::{Client, Target, tls};
use crate::ErrorCode;

/// Addresses that are tried, one after the other. A name may have more, which are of the same host.
const MOST_TRIED: usize = 8;

impl Client {
    pub(super) async fn connect(&self, target: &Target, longest: Duration) -> Result<Connection, ErrorCode> {
        let until = Instant::now() + longest;
        let counted = self.room()?;
        let Target { origin, destination, tls, .. } = target;
        let turn = if destination.needs_look_up() {
            // Nobody closes it.
            Arc::clone(&self.0.lookups).acquire_owned().await.ok()
        } else {
            None
        };
        let addresses = destination.addresses(turn).await.map_err(why_not_found)?;
        let (tcp, address) = first_of(&addresses, until).await?;
        let stream = match tls {
            None => Stream::Plain(tcp),
            Some(config) => {
                let host = origin.host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
                let name = ServerName::try_from(String::from(host)).map_err(|_| ErrorCode::TlsCertificateError)?;
                let connected = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await;
                Stream::Tls(Box::new(connected.map_err(|error| tls::failure(&error))?))
            }
        };
        let connection = Connection::begin(stream, address, counted).await?;
        if connection.is_http2() {
            self.share(origin, &connection);
        }
        Ok(connection)
    }

    /// One more connection; one that is kept makes room for it.
    fn room(&self) -> Result<OwnedSemaphorePermit, ErrorCode> {
        let take = || Arc::clone(&self.0.connections).try_acquire_owned();
        take().or_else(|_| {
            self.0.pool().drop_oldest();
            take().map_err(|_| ErrorCode::ConnectionLimitReached)
        })
    }
}

/// The first address that answers, each of which has its share of the time.
async fn first_of(addresses: &[SocketAddr], until: Instant) -> Result<(TcpStream, SocketAddr), ErrorCode> {
    let mut failed = ErrorCode::DestinationUnavailable;
    let tried = addresses.len().min(MOST_TRIED);
    for (address, left) in addresses.iter().zip((1..=tried as u32).rev()) {
        let now = Instant::now();
        let share = now + until.saturating_duration_since(now) / left;
        failed = match timeout_at(share, reactor::connect(*address)).await {
            Ok(Ok(stream)) => return Ok((stream, *address)),
            Ok(Err(code)) => why_not_connected(code),
            Err(_) => ErrorCode::ConnectionTimeout,
        };
    }
    Err(failed)
}

fn why_not_found(code: Code) -> ErrorCode {
    let rcode = match code {
        Code::Access => return ErrorCode::DestinationIpProhibited,
        // Or it has no address, which the system does not tell apart.
        Code::NameUnresolvable => Some(String::from("NXDOMAIN")),
        _ => None,
    };
    ErrorCode::DnsError { rcode, info_code: None }
}

const fn why_not_connected(code: Code) -> ErrorCode {
    match code {
        Code::ConnectionRefused => ErrorCode::ConnectionRefused,
        Code::ConnectionReset | Code::ConnectionAborted => ErrorCode::ConnectionTerminated,
        Code::RemoteUnreachable => ErrorCode::DestinationIpUnroutable,
        Code::Timeout => ErrorCode::ConnectionTimeout,
        Code::TooManyDescriptors => ErrorCode::ConnectionLimitReached,
        _ => ErrorCode::DestinationUnavailable,
    }
}
