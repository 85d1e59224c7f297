//! Bytes that an output stream has promised to take and that the other side does not take yet.
//!
//! `write` never blocks and takes all that `check-write` has permitted, so that the host has to keep what a connection has
//! no room for: at most one permit a stream, charged to the guest. It is written at the stream's next call, and while the
//! guest waits for anything at all: a peer that answers only when it has read everything is not waited for in vain. What is
//! left of a stream that was dropped is written too.

use turnkey_core::Capabilities;
use turnkey_core::ErrorCode;
use turnkey_core::host::buffers::ReadOnly;
use turnkey_core::host::clock::Deadline;
use turnkey_core::limits::Budget;
use turnkey_core::sockets::TcpConnection;
use turnkey_core::stream::{Interruption, Sink, Wait, Waiting};

use turnkey_core::slab::Id;

/// What is unsent when the guest ends has so long to go: a peer that does not read must not keep the host.
const GRACE_NS: u64 = 1_000_000_000;

/// What is unsent of all streams of one guest. Mostly nothing.
#[derive(Debug, Default)]
pub(crate) struct Unsent(Vec<Rest>);

#[derive(Debug)]
struct Rest {
    /// Whose it is; `None`: the stream has been dropped.
    stream: Option<Id>,
    sink: Sink,
    bytes: Vec<u8>,
    sent: usize,
    /// The peer is told that no more comes when all of it has been sent.
    ends: bool,
    /// What it failed with, to be told at the stream's next call.
    failed: Option<ErrorCode>,
}

impl Unsent {
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps bytes of a stream, whose sink takes no more now.
    ///
    /// # Errors
    /// [`ErrorCode::InsufficientMemory`]: the guest's budget is used up.
    pub(crate) fn keep(&mut self, id: Id, sink: &Sink, bytes: &[u8], budget: &mut Budget) -> Result<(), ErrorCode> {
        budget.take_host(bytes.len() as u64)?;
        if let Some(rest) = self.0.iter_mut().find(|rest| rest.stream == Some(id)) {
            rest.bytes.extend_from_slice(bytes);
        } else {
            let (sink, bytes) = (sink.clone(), bytes.to_vec());
            self.0.push(Rest { stream: Some(id), sink, bytes, sent: 0, ends: false, failed: None });
        }
        Ok(())
    }

    /// Whether a stream has unsent bytes, after as many as possible have been sent; what sending failed with is told once.
    pub(crate) fn of(&mut self, id: Id, budget: &mut Budget) -> Result<bool, ErrorCode> {
        let Some(place) = self.0.iter().position(|rest| rest.stream == Some(id)) else {
            return Ok(false);
        };
        let over = self.0[place].send();
        if !over {
            return Ok(true);
        }
        let rest = self.0.swap_remove(place);
        budget.give_host(rest.bytes.len() as u64);
        rest.failed.map_or(Ok(false), Err)
    }

    /// What a stream with unsent bytes waits for.
    pub(crate) fn is_unsent(&self, id: Id) -> bool {
        self.0.iter().any(|rest| rest.stream == Some(id) && rest.failed.is_none())
    }

    /// The stream is gone: nobody is left to be told how the rest fares.
    pub(crate) fn forget(&mut self, id: Id) {
        for rest in &mut self.0 {
            if rest.stream == Some(id) {
                rest.stream = None;
            }
        }
    }

    /// Sending ends on a connection: after what is unsent, if something is. `false`: nothing is.
    pub(crate) fn ends(&mut self, connection: &TcpConnection) -> bool {
        let of = |sink: &Sink| matches!(sink, Sink::Connection(its) if its.is_same(connection));
        let rest = self.0.iter_mut().find(|rest| rest.failed.is_none() && of(&rest.sink));
        rest.map(|rest| rest.ends = true).is_some()
    }

    /// Has a wait end also when some of it can be sent.
    pub(crate) fn add_to(&self, waiting: &mut Waiting) {
        for rest in self.0.iter().filter(|rest| rest.failed.is_none()) {
            waiting.push(rest.sink.interest());
        }
    }

    /// The guest has ended: sends what its peers take soon.
    pub(crate) fn finish(&mut self, host: &mut Capabilities) {
        for rest in &mut self.0 {
            rest.stream = None;
        }
        let end = Deadline::after_ns(GRACE_NS);
        while !self.is_empty() && end.left_ns() > 0 {
            let mut waiting = Waiting::default();
            self.add_to(&mut waiting);
            if waiting.wait(host, Wait::Until(end)).is_err() {
                return;
            }
            self.send(&mut host.budget);
        }
    }

    /// Sends what can be sent.
    pub(crate) fn send(&mut self, budget: &mut Budget) {
        self.0.retain_mut(|rest| {
            let keep = !rest.send() || (rest.failed.is_some() && rest.stream.is_some());
            if !keep {
                budget.give_host(rest.bytes.len() as u64);
            }
            keep
        });
    }
}

impl Rest {
    /// Sends what can be sent; whether there is nothing left to send.
    fn send(&mut self) -> bool {
        while self.failed.is_none() && self.sent < self.bytes.len() {
            match self.sink.write(&ReadOnly::new(&self.bytes[self.sent..]), Wait::Never) {
                Ok(sent) => self.sent += sent,
                Err(Interruption::Failed(ErrorCode::WouldBlock)) => return false,
                Err(Interruption::Failed(code)) => self.failed = Some(code),
                // Only a call that waits is stopped.
                Err(Interruption::Stopped(_)) => return false,
            }
        }
        if let (true, Sink::Connection(connection)) = (std::mem::take(&mut self.ends), &self.sink) {
            // A peer that has gone needs not be told.
            let _ = connection.shutdown(false, true);
        }
        true
    }
}
