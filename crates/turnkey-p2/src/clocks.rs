//! `wasi:clocks`: the monotonic clock, the wall clock, the time zone.

use turnkey_core::clocks::Timestamp;
use turnkey_core::host::clock::HostClock;
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::interface::{Interface, State};
use crate::io::poll::{after, at};

/// `datetime` of `wasi:clocks/wall-clock`.
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(record)]
pub(crate) struct Datetime {
    pub(crate) seconds: u64,
    pub(crate) nanoseconds: u32,
}

impl From<Timestamp> for Datetime {
    /// Times before 1970, which the record has no room for, are 1970.
    fn from(timestamp: Timestamp) -> Self {
        match u64::try_from(timestamp.seconds) {
            Ok(seconds) => Datetime { seconds, nanoseconds: timestamp.nanoseconds },
            Err(_) => Datetime { seconds: 0, nanoseconds: 0 },
        }
    }
}

fn datetime(nanoseconds: u64) -> Datetime {
    Timestamp::from_ns(nanoseconds).into()
}

/// `wasi:clocks/monotonic-clock`.
pub(crate) fn define_monotonic<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("now", |call, ()| Ok(call.host.clocks.now_ns(HostClock::Monotonic)));
    it.func("resolution", |call, ()| Ok(call.host.clocks.resolution_ns(HostClock::Monotonic)));
    it.func("subscribe-instant", |call, (when,): (u64,)| at(call, when));
    it.func("subscribe-duration", |call, (when,): (u64,)| after(call, when));
}

/// `wasi:clocks/wall-clock`.
pub(crate) fn define_wall<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("now", |call, ()| Ok(datetime(call.host.clocks.now_ns(HostClock::Realtime))));
    it.func("resolution", |call, ()| Ok(datetime(call.host.clocks.resolution_ns(HostClock::Realtime))));
}

/// `timezone-display`
#[derive(ComponentType, Lower, Clone, Debug)]
#[component(record)]
struct TimezoneDisplay {
    #[component(name = "utc-offset")]
    utc_offset: i32,
    name: String,
    #[component(name = "in-daylight-saving-time")]
    in_daylight_saving_time: bool,
}

/// `wasi:clocks/timezone`: UTC. Where the host stands is not the guest's to know.
pub(crate) fn define_timezone<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("display", |_, (_when,): (Datetime,)| {
        Ok(TimezoneDisplay { utc_offset: 0, name: "UTC".to_owned(), in_daylight_saving_time: false })
    });
    it.func("utc-offset", |_, (_when,): (Datetime,)| Ok(0_i32));
}
