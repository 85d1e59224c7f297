//! `poll_oneoff`: waiting for clocks and descriptors at once, in one wait of the host.

use std::os::fd::AsFd;

use smallvec::SmallVec;
use turnkey_core::clocks::wait_until;
use turnkey_core::host::clock::{Deadline, HostClock};
use turnkey_core::host::poll::{Found, Poll, Ready, readable_bytes};
use turnkey_core::limits::Limit;
use turnkey_core::stream::{StandardInput, StandardOutput};
use turnkey_core::{Capabilities, ErrorCode};

use crate::call::Call;
use crate::clock::clock;
use crate::errno::errno;
use crate::fault::{Fault, Outcome};
use crate::fds::{Descriptors, Kind};
use crate::layout::{EVENT_BYTES, SUBSCRIPTION_BYTES, Subscribed, Subscription, event, subscription};
use crate::memory::Place;

/// Bytes that one subscription is charged with while the call lasts.
const SUBSCRIPTION_CHARGE: u64 = 96;

/// Fuel that one subscription costs: about as long as looking at it takes.
const SUBSCRIPTION_FUEL: u64 = 64;

pub(crate) fn poll_oneoff(call: &mut Call<'_>, subs: u32, events: u32, count: u32, nevents: u32) -> Outcome {
    poll::<SUBSCRIPTION_BYTES>(call, subs, events, count, nevents, subscription)
}

/// The call, for either layout of a subscription.
pub(crate) fn poll<const N: usize>(
    call: &mut Call<'_>,
    subs: u32,
    events: u32,
    count: u32,
    nevents: u32,
    parse: fn(&[u8; N]) -> Subscription,
) -> Outcome {
    let place: Place<4> = call.memory.place(nevents)?;
    call.memory.room::<EVENT_BYTES>(events, count)?;
    let records = call.memory.records::<N>(subs, count)?;
    if count == 0 {
        return Err(ErrorCode::Invalid.into());
    }
    if count > call.host.limits.subscriptions {
        return Err(ErrorCode::InsufficientMemory.into());
    }
    call.fuel = u64::from(count) * SUBSCRIPTION_FUEL;
    let charge = u64::from(count) * SUBSCRIPTION_CHARGE;
    call.host.budget.take_host(charge)?;
    let subscriptions: SmallVec<[Subscription; FEW]> = records.iter().map(parse).collect();
    for subscription in &subscriptions {
        if let Some(Subscribed::Read { fd } | Subscribed::Write { fd }) = subscription.to {
            // What it is, if that was left open; what cannot be found out is told by its event.
            let _ = call.fds.resolve(fd);
        }
    }
    let happened = wait(call.fds, call.host, &subscriptions);
    call.host.budget.give_host(charge);
    let happened = happened?;
    let mut address = events;
    for happened in &happened {
        let place: Place<EVENT_BYTES> = call.memory.place(address)?;
        call.memory.put(place, happened.record());
        address = address.wrapping_add(EVENT_BYTES as u32);
    }
    // No more events than subscriptions, which are a u32.
    call.memory.put(place, (happened.len() as u32).to_le_bytes());
    Ok(())
}

/// Subscriptions that need no memory of their own: most calls sleep, or wait for a stream with a deadline.
const FEW: usize = 4;

/// An event, and how it is told.
struct Happened {
    userdata: u64,
    event_type: u8,
    error: Option<ErrorCode>,
    bytes: u64,
    hangup: bool,
}

impl Happened {
    fn record(&self) -> [u8; EVENT_BYTES] {
        event(self.userdata, self.error.map_or(0, errno), self.event_type, self.bytes, self.hangup)
    }
}

/// What one subscription waits for, once it has been looked at.
enum Waiting {
    /// It has happened already.
    Over(Happened),
    /// A time.
    Timer { userdata: u64, deadline: Deadline, left_ns: u64 },
    /// A descriptor, at this place of the poll.
    Descriptor { userdata: u64, to: Subscribed, fd: u32, place: usize, ready: Ready },
}

fn wait(
    fds: &Descriptors,
    host: &mut Capabilities,
    subscriptions: &[Subscription],
) -> Outcome<SmallVec<[Happened; FEW]>> {
    let mut poll = Poll::default();
    let mut waiting: SmallVec<[Waiting; FEW]> = SmallVec::with_capacity(subscriptions.len());
    for subscription in subscriptions {
        waiting.push(look_at(fds, host, *subscription, &mut poll)?);
    }
    let over = waiting.iter().any(|waiting| matches!(waiting, Waiting::Over(_)));
    let timer = waiting.iter().filter_map(Waiting::left_ns).min();
    let first = waiting.iter().filter_map(Waiting::deadline).min();

    if over {
        // Somebody is answered at once; of the others, those that are ready now.
        if !poll.is_empty() {
            poll.wait(Some(Deadline::after_ns(0)))?;
        }
    } else if let (true, Some(left_ns)) = (host.clocks.is_frozen(), timer) {
        // Time does not pass by itself: what is ready now is, else the first timer is reached at once.
        poll.wait(Some(Deadline::after_ns(0)))?;
        if !waiting.iter().any(|waiting| waiting.found(&poll).any()) {
            host.clocks.sleep_frozen(left_ns);
        }
    } else if !poll.is_empty() {
        let until = [first, host.end].into_iter().flatten().min();
        poll.wait(until)?;
        stop_at_end(host)?;
    } else if let Some(first) = first
        && !wait_until(first, host.end)
    {
        return Err(Fault::Stopped(Limit::Timeout));
    }
    Ok(events(fds, host, waiting, &poll, timer))
}

/// The guest's own end is no event for it.
fn stop_at_end(host: &Capabilities) -> Outcome {
    match host.end {
        Some(end) if end.left_ns() == 0 => Err(Fault::Stopped(Limit::Timeout)),
        _ => Ok(()),
    }
}

fn look_at<'fds>(
    fds: &'fds Descriptors,
    host: &Capabilities,
    subscription: Subscription,
    poll: &mut Poll<'fds>,
) -> Outcome<Waiting> {
    let Subscription { userdata, to } = subscription;
    let to = to.ok_or(ErrorCode::Invalid)?;
    let over = |error: Option<ErrorCode>, bytes, hangup| {
        Ok(Waiting::Over(Happened { userdata, event_type: to.event_type(), error, bytes, hangup }))
    };
    let (fd, ready) = match to {
        Subscribed::Clock { clock: id, timeout, absolute } => {
            let left_ns = match (clock(id)?, absolute) {
                (HostClock::ProcessCpu | HostClock::ThreadCpu, _) => {
                    return over(Some(ErrorCode::Unsupported), 0, false);
                }
                (clock, true) => timeout.saturating_sub(host.clocks.now_ns(clock)),
                (_, false) => timeout,
            };
            if left_ns == 0 {
                return over(None, 0, false);
            }
            return Ok(Waiting::Timer { userdata, deadline: host.clocks.timer(left_ns), left_ns });
        }
        Subscribed::Read { fd } => (fd, Ready::Read),
        Subscribed::Write { fd } => (fd, Ready::Write),
    };
    let descriptor = match fds.resolved(fd) {
        Ok(descriptor) => descriptor,
        Err(code) => return over(Some(code), 0, false),
    };
    let host_fd = match &descriptor.kind {
        Kind::Source(StandardInput::Host(stream)) | Kind::Sink(StandardOutput::Host(stream)) => stream.as_fd(),
        Kind::Listener(listener) => listener.as_fd(),
        Kind::Connection(connection) => connection.as_fd(),
        Kind::Source(StandardInput::Null) | Kind::Sink(StandardOutput::Null | StandardOutput::Drain(_)) => {
            return over(None, 0, ready == Ready::Read);
        }
        // A regular file is always ready.
        Kind::File(file) => match (ready, file.left_bytes()) {
            (Ready::Read, Ok(bytes)) => return over(None, bytes, false),
            (Ready::Write, Ok(_)) => return over(None, 1, false),
            (_, Err(code)) => return over(Some(code), 0, false),
        },
        Kind::Directory(_) | Kind::Unresolved(_) => return over(Some(ErrorCode::BadDescriptor), 0, false),
    };
    Ok(Waiting::Descriptor { userdata, to, fd, place: poll.push(host_fd, ready), ready })
}

impl Waiting {
    const fn left_ns(&self) -> Option<u64> {
        match self {
            Waiting::Timer { left_ns, .. } => Some(*left_ns),
            _ => None,
        }
    }

    const fn deadline(&self) -> Option<Deadline> {
        match self {
            Waiting::Timer { deadline, .. } => Some(*deadline),
            _ => None,
        }
    }

    fn found(&self, poll: &Poll<'_>) -> Found {
        match self {
            Waiting::Descriptor { place, ready, .. } => poll.found(*place, *ready),
            _ => Found::default(),
        }
    }
}

/// What has happened by now, in the order of the subscriptions.
fn events(
    fds: &Descriptors,
    host: &Capabilities,
    waiting: SmallVec<[Waiting; FEW]>,
    poll: &Poll<'_>,
    first_timer_ns: Option<u64>,
) -> SmallVec<[Happened; FEW]> {
    let any_found = waiting.iter().any(|waiting| matches!(waiting, Waiting::Over(_)) || waiting.found(poll).any());
    let mut happened = SmallVec::new();
    for waiting in waiting {
        match waiting {
            Waiting::Over(over) => happened.push(over),
            Waiting::Timer { userdata, deadline, left_ns } => {
                let reached = if host.clocks.is_frozen() {
                    !any_found && Some(left_ns) == first_timer_ns
                } else {
                    deadline.left_ns() == 0
                };
                if reached {
                    happened.push(Happened { userdata, event_type: 0, error: None, bytes: 0, hangup: false });
                }
            }
            Waiting::Descriptor { userdata, to, fd, place, ready } => {
                let found = poll.found(place, ready);
                if found.any() {
                    happened.push(descriptor_event(fds, userdata, to, fd, found));
                }
            }
        }
    }
    happened
}

fn descriptor_event(fds: &Descriptors, userdata: u64, to: Subscribed, fd: u32, found: Found) -> Happened {
    let readable = || match fds.resolved(fd).map(|descriptor| &descriptor.kind) {
        Ok(Kind::Source(StandardInput::Host(stream))) => readable_bytes(stream.as_fd()),
        Ok(Kind::Connection(connection)) => readable_bytes(connection.as_fd()),
        // A listener has connections to take, not bytes.
        _ => 1,
    };
    let bytes = match to {
        Subscribed::Read { .. } => readable(),
        _ => u64::from(found.ready),
    };
    // A socket in error is told so by its next call, which says which error it is: here it is ready for that call.
    Happened { userdata, event_type: to.event_type(), error: None, bytes, hangup: found.hangup }
}
