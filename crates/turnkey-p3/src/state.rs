//! What Preview 3 keeps for one guest: its resources. What it finds open is the core's.

use turnkey_core::filesystem::Descriptor;
use turnkey_core::slab::Slab;

use crate::cli::{TerminalInput, TerminalOutput};
use crate::http::{Fields, Request, RequestOptions, Response};
use crate::sockets::{TcpSocket, UdpSocket};

/// The state of Preview 3 for one guest.
#[derive(Debug, Default)]
pub struct Preview3 {
    pub(crate) table: Table,
    /// What the guest reaches by HTTP.
    pub http: turnkey_http::Outgoing,
    /// What `get-insecure-seed` gives, from the first time on.
    pub(crate) insecure_seed: Option<(u64, u64)>,
}

macro_rules! table {
    ($($list:ident: $kind:ty,)*) => {
        /// The resources of one guest, by kind.
        #[derive(Debug, Default)]
        pub(crate) struct Table { $(pub(crate) $list: Slab<$kind>,)* }

        $(impl crate::call::Listed for $kind {
            fn slab(table: &Table) -> &Slab<Self> { &table.$list }
            fn slab_mut(table: &mut Table) -> &mut Slab<Self> { &mut table.$list }
        })*
    };
}

// A macro, because a kind and its list on one line is the table; the functions that find one in the other say nothing new.
table! {
    descriptors: Descriptor,
    tcp_sockets: TcpSocket,
    udp_sockets: UdpSocket,
    terminal_inputs: TerminalInput,
    terminal_outputs: TerminalOutput,
    http_fields: Fields,
    http_requests: Request,
    http_request_options: RequestOptions,
    http_responses: Response,
}
