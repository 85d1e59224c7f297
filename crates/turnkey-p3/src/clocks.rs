//! `wasi:clocks`: the monotonic clock, the system's clock, the time zone.

use turnkey_core::clocks::Timestamp;
use turnkey_core::host::clock::HostClock;
use turnkey_core::stream::{Interest, Waiting};
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::call::Call;
use crate::interface::{Interface, State, Step};

/// `instant` of `wasi:clocks/system-clock`.
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(record)]
pub(crate) struct Instant {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

impl From<Timestamp> for Instant {
    fn from(Timestamp { seconds, nanoseconds }: Timestamp) -> Self {
        Instant { seconds, nanoseconds }
    }
}

/// `wasi:clocks/monotonic-clock`. A time that has come already, and none to wait for, are answered at once.
pub(crate) fn define_monotonic<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("now", |call, ()| Ok(call.host.clocks.now_ns(HostClock::Monotonic)));
    it.func("get-resolution", |call, ()| Ok(call.host.clocks.resolution_ns(HostClock::Monotonic)));
    it.waits("wait-until", |call, &(when,): &(u64,), (): &mut ()| Ok(wait_until(call, when)));
    it.waits("wait-for", |call, &(how_long,): &(u64,), until: &mut Option<u64>| {
        let now = || call.host.clocks.now_ns(HostClock::Monotonic);
        let until = *until.get_or_insert_with(|| if how_long == 0 { 0 } else { now().saturating_add(how_long) });
        Ok(wait_until(call, until))
    });
}

fn wait_until(call: &mut Call<'_>, when: u64) -> Step<()> {
    let when = when.min(call.host.clocks.latest_ns());
    // No clock has to be asked for what has always been.
    let left = if when == 0 { 0 } else { when.saturating_sub(call.host.clocks.now_ns(HostClock::Monotonic)) };
    if left == 0 {
        return Step::Done(());
    }
    Step::Wait(Waiting::new(vec![Interest::Clock(when)]))
}

/// `wasi:clocks/system-clock`.
pub(crate) fn define_system<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("now", |call, ()| Ok(Instant::from(Timestamp::from_ns(call.host.clocks.now_ns(HostClock::Realtime)))));
    it.func("get-resolution", |call, ()| Ok(call.host.clocks.resolution_ns(HostClock::Realtime)));
}

/// `wasi:clocks/timezone`: UTC. Where the host stands is not the guest's to know.
pub(crate) fn define_timezone<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("iana-id", |_, ()| Ok(Some("UTC")));
    it.func("utc-offset", |_, (_when,): (Instant,)| Ok(Some(0_i64)));
    it.func("to-debug-string", |_, ()| Ok("UTC"));
}
