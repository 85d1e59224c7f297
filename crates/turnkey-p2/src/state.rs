//! What Preview 2 keeps for one guest: its resources, and what it knows of them.

use turnkey_core::Capabilities;
use turnkey_core::filesystem::Descriptor;
use turnkey_core::filesystem::metadata::HostMetadata;
use turnkey_core::slab::{Id, Slab};

use crate::cli::{TerminalInput, TerminalOutput};
use crate::filesystem::{DirectoryEntryStream, Seen};
use crate::io::error::IoError;
use crate::io::poll::Pollable;
use crate::io::streams::{InputStream, OutputStream};
use crate::io::unsent::Unsent;
use crate::{http, sockets};

/// The state of Preview 2 for one guest.
#[derive(Debug, Default)]
pub struct Preview2 {
    /// What the guest reaches by HTTP.
    pub http: turnkey_http::Outgoing,
    pub(crate) table: Table,
    /// What output streams have promised to write and could not yet.
    pub(crate) unsent: Unsent,
    /// The directory that a listing was last begun of, and what it was like then.
    pub(crate) listed: Option<(Id, HostMetadata)>,
    /// What the last look at a name found.
    pub(crate) seen: Seen,
    /// Where bytes are read to before it is known how many there are. Made when it is first needed.
    pub(crate) scratch: Vec<u8>,
}

macro_rules! table {
    ($($(#[$doc:meta])* $list:ident: $kind:ty,)*) => {
        /// The resources of one guest, by kind.
        #[derive(Debug, Default)]
        pub(crate) struct Table { $($(#[$doc])* pub(crate) $list: Slab<$kind>,)* }

        $(impl crate::call::Listed for $kind {
            fn slab(table: &Table) -> &Slab<Self> { &table.$list }
            fn slab_mut(table: &mut Table) -> &mut Slab<Self> { &mut table.$list }
        })*
    };
}

// A macro, because a kind and its list on one line is the table; the functions that find one in the other say nothing new.
table! {
    errors: IoError,
    pollables: Pollable,
    input_streams: InputStream,
    output_streams: OutputStream,
    descriptors: Descriptor,
    directory_entry_streams: DirectoryEntryStream,
    terminal_inputs: TerminalInput,
    terminal_outputs: TerminalOutput,
    networks: sockets::Network,
    tcp_sockets: sockets::TcpSocket,
    udp_sockets: sockets::UdpSocket,
    incoming_datagram_streams: sockets::IncomingDatagramStream,
    outgoing_datagram_streams: sockets::OutgoingDatagramStream,
    resolve_address_streams: sockets::ResolveAddressStream,
    fields: http::fields::Fields,
    incoming_requests: http::IncomingRequest,
    outgoing_requests: http::requests::OutgoingRequest,
    request_options: http::requests::RequestOptions,
    response_outparams: http::ResponseOutparam,
    incoming_responses: http::responses::IncomingResponse,
    incoming_bodies: http::bodies::IncomingBody,
    future_trailers: http::bodies::FutureTrailers,
    outgoing_responses: http::responses::OutgoingResponse,
    outgoing_bodies: http::bodies::OutgoingBody,
    future_responses: http::responses::FutureIncomingResponse,
}

impl Preview2 {
    /// The guest has ended by itself: what its streams have promised to send gets a second to go.
    pub fn finish(&mut self, host: &mut Capabilities) {
        self.unsent.finish(host);
    }
}
