//! Look-ups of names: `resolve-address-stream` of `wasi:sockets/ip-name-lookup` (0.2.12).
//!
//! The system's resolver takes the time that it takes, so that it is asked on a thread of its own, which nobody waits for:
//! when it has an answer, a descriptor becomes readable.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use super::name::host_name;
use crate::count::Counted;
use crate::host::poll::Ready;
use crate::host::{SharedFd, net, reactor};
use crate::limits::Lease;
use crate::stream::Interest;
use crate::{Capabilities, ErrorCode};

/// Addresses kept of one answer. Bounds what somebody else's name server can make the host keep.
pub const MOST_ADDRESSES: usize = 64;

/// Bytes that a look-up is charged with: its addresses, its thread and its descriptor.
const LOOKUP_BYTES: u64 = 16 << 10;

/// A look-up that was begun.
#[derive(Debug)]
pub struct ResolveAddressStream {
    state: State,
    _lease: Lease,
}

#[derive(Debug)]
enum State {
    /// The system has not answered, as far as anybody has looked. It counts as under way for the thread, which nobody can
    /// stop, and for the descriptor.
    Asked {
        name: String,
        answer: Answer,
        answered: SharedFd,
        _counted: Arc<Counted>,
    },
    /// What is left of the addresses.
    Found(std::vec::IntoIter<IpAddr>),
    Failed(ErrorCode),
}

/// Where the thread leaves what it has found.
type Answer = Arc<Mutex<Option<Result<Vec<IpAddr>, ErrorCode>>>>;

impl ResolveAddressStream {
    /// `resolve-addresses`. An address is its own answer, and needs no grant.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: no name, and no address. [`ErrorCode::Access`]: no grant covers it.
    /// [`ErrorCode::TemporaryResolverFailure`]: as many look-ups as may be are under way.
    /// [`ErrorCode::InsufficientMemory`].
    ///
    /// # Differs
    /// The standard says that a name with letters beyond ASCII is put into ASCII first (IDNA). Here it is no name: whoever
    /// has one looks up `xn--…`. An address in its short or octal forms is none either.
    pub fn resolve_addresses(host: &mut Capabilities, call: &'static str, name: &str) -> Result<Self, ErrorCode> {
        if let Ok(ip) = name.parse::<IpAddr>() {
            let _lease = host.budget.lease(LOOKUP_BYTES)?;
            return Ok(ResolveAddressStream { state: State::Found(vec![ip.to_canonical()].into_iter()), _lease });
        }
        let name = host_name(name).ok_or(ErrorCode::Invalid)?;
        host.network.must_look_up(&mut host.audit, call, &name)?;
        let _lease = host.budget.lease(LOOKUP_BYTES)?;
        Ok(ResolveAddressStream { state: State::begin(host, name)?, _lease })
    }

    /// `resolve-next-address`. `None`: there are no more.
    ///
    /// # Errors
    /// [`ErrorCode::WouldBlock`]: there is no answer yet. [`ErrorCode::NameUnresolvable`],
    /// [`ErrorCode::TemporaryResolverFailure`], [`ErrorCode::PermanentResolverFailure`]: there will be none.
    pub fn resolve_next_address(&mut self, host: &mut Capabilities) -> Result<Option<IpAddr>, ErrorCode> {
        if let State::Asked { name, answer, .. } = &mut self.state {
            let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
            let answer = answer.ok_or(ErrorCode::WouldBlock)?.map(distinct).and_then(|found| {
                host.network.remember(&mut host.budget, name, &found)?;
                Ok(found)
            });
            self.state = match answer {
                Ok(found) if found.is_empty() => State::Failed(ErrorCode::NameUnresolvable),
                Ok(found) => State::Found(found.into_iter()),
                Err(code) => State::Failed(code),
            };
        }
        match &mut self.state {
            State::Found(left) => Ok(left.next()),
            State::Failed(code) => Err(*code),
            State::Asked { .. } => Err(ErrorCode::WouldBlock),
        }
    }

    /// What `subscribe` waits for, as things are now.
    #[must_use]
    pub fn interest(&self) -> Interest {
        match &self.state {
            State::Asked { answered, .. } => Interest::Descriptor(SharedFd::clone(answered), Ready::Read),
            State::Found(_) | State::Failed(_) => Interest::Now,
        }
    }
}

impl State {
    fn begin(host: &mut Capabilities, name: String) -> Result<Self, ErrorCode> {
        let mut known = host.network.known(&name);
        if !known.is_empty() {
            known.truncate(MOST_ADDRESSES);
            host.network.remember(&mut host.budget, &name, &known)?;
            return Ok(State::Found(known.into_iter()));
        }
        let counted = Arc::new(host.network.begin_lookup(&host.limits).ok_or(ErrorCode::TemporaryResolverFailure)?);
        let (answer, answered) = ask(name.clone(), Arc::clone(&counted))?;
        Ok(State::Asked { name, answer, answered, _counted: counted })
    }
}

/// Asks the system's resolver, on a thread that keeps `held` until it is done; and what becomes readable then.
fn ask(name: String, held: impl Send + 'static) -> Result<(Answer, SharedFd), ErrorCode> {
    let answered = SharedFd::new(net::event()?);
    let answer = Answer::default();
    let (theirs, signal) = (Arc::clone(&answer), SharedFd::clone(&answered));
    let thread = std::thread::Builder::new().name(String::from("look-up")).spawn(move || {
        let result = net::look_up(&name, MOST_ADDRESSES);
        *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        // Whoever hears of the answer may begin the next one.
        drop(held);
        net::signal(signal.as_fd());
    });
    match thread {
        Ok(_) => Ok((answer, answered)),
        Err(_) => Err(ErrorCode::TemporaryResolverFailure),
    }
}

/// What the system's resolver answers, waited for in an executor.
pub(super) async fn look_up(name: String, held: impl Send + 'static) -> Result<Vec<IpAddr>, ErrorCode> {
    let (answer, answered) = ask(name, held)?;
    loop {
        SharedFd::clone(&answered).ready(Ready::Read).await;
        if let Some(answer) = answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return answer.map(distinct);
        }
        // For a descriptor that cannot be watched: others go on while it is asked again.
        reactor::yield_now().await;
    }
}

/// Each address once, in the order in which they are to be tried; IPv4 as itself.
fn distinct(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut distinct = Vec::with_capacity(found.len());
    for ip in found {
        let ip = ip.to_canonical();
        if !distinct.contains(&ip) {
            distinct.push(ip);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_told_once_in_the_order_of_the_answer() {
        let found = ["::1", "::ffff:127.0.0.1", "127.0.0.1", "::1", "10.0.0.1"].map(|ip| ip.parse().unwrap());
        let told: Vec<String> = distinct(found.to_vec()).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["::1", "127.0.0.1", "10.0.0.1"]);
    }
}
