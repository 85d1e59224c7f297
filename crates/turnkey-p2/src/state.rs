//! What Preview 2 keeps for one guest: its resources, and what it finds open.

use std::sync::Arc;

use turnkey_core::filesystem::metadata::HostMetadata;
use turnkey_core::filesystem::{Directory, File, names};
use turnkey_core::stream::{StandardInput, StandardOutput};
use turnkey_core::{Capabilities, ErrorCode};

use crate::cli::{TerminalInput, TerminalOutput};
use crate::filesystem::{Descriptor, DirectoryEntryStream, Seen};
use crate::io::error::IoError;
use crate::io::poll::Pollable;
use crate::io::streams::{InputStream, OutputStream};
use crate::io::unsent::Unsent;
use crate::slab::{Id, Slab};
use crate::sockets;

/// The state of Preview 2 for one guest.
#[derive(Debug, Default)]
pub struct Preview2 {
    pub(crate) table: Table,
    /// How many resources are in the table.
    pub(crate) handles: u32,
    pub(crate) stdin: Option<StandardInput>,
    pub(crate) stdout: Option<StandardOutput>,
    pub(crate) stderr: Option<StandardOutput>,
    /// Directories, each with the guest's name for it.
    pub(crate) preopens: Vec<(Arc<Directory>, String)>,
    /// What output streams have promised to write and could not yet.
    pub(crate) unsent: Unsent,
    /// Files whose descriptor has been dropped while a stream still stands on them.
    pub(crate) streamed: Vec<Arc<File>>,
    /// Calls by which the guest may have learned something of the world outside, or changed something in it. As long as there
    /// are no more of them, what was true of a file is as true as it can get.
    pub(crate) news: u64,
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
}

impl Preview2 {
    /// The state of a guest that has not run yet. Takes what the guest finds open out of the capabilities.
    ///
    /// # Errors
    /// [`ErrorCode::TooManyDescriptors`]: more is handed over than the guest may have open.
    pub fn new(host: &mut Capabilities) -> Result<Self, ErrorCode> {
        let found = std::mem::take(&mut host.found_open);
        if found.preopens.len() > host.limits.descriptors as usize {
            return Err(ErrorCode::TooManyDescriptors);
        }
        let preopens = found.preopens.into_iter();
        Ok(Preview2 {
            stdin: found.stdin,
            stdout: found.stdout,
            stderr: found.stderr,
            preopens: preopens.map(|preopen| (Arc::new(preopen.directory), names::to_text(&preopen.name))).collect(),
            ..Preview2::default()
        })
    }

    /// The guest has ended by itself: what its streams have promised to send gets a second to go.
    pub fn finish(&mut self, host: &mut Capabilities) {
        self.unsent.finish(host);
    }

    /// Descriptors of the host that are open for the guest: files and directories, whether their descriptor or only a stream
    /// of it is still there.
    pub(crate) fn open_descriptors(&mut self) -> usize {
        if !self.streamed.is_empty() {
            self.streamed.retain(|file| Arc::strong_count(file) > 1);
        }
        self.table.descriptors.len() + self.table.directory_entry_streams.len() + self.streamed.len()
    }
}
