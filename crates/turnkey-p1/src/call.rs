//! One call of a guest: what every function is given, what it gives back, and the way between the engine and it.

use turnkey_core::limits::Limit;
use turnkey_core::{Capabilities, ErrorCode};
use wasmtime::{Caller, Extern, Memory};

use crate::errno::errno;
use crate::fault::{Exit, Fault, OutOfBounds, Outcome, Stopped};
use crate::fds::Descriptors;
use crate::memory::GuestMemory;

/// The state of Preview 1 for one guest: its descriptors, and where its memory is.
#[derive(Debug, Default)]
pub struct Preview1 {
    pub(crate) fds: Descriptors,
    /// The name that the module exports its memory by; `None`: it exports none.
    memory_export: Option<String>,
    /// The memory, once it has been found: the first call may come before there is an instance to ask.
    memory: Option<Memory>,
}

impl Preview1 {
    /// The state of a guest that has not run yet. Takes what the guest finds open out of the capabilities.
    ///
    /// # Errors
    /// [`ErrorCode::TooManyDescriptors`]: more is handed over than the guest may have open.
    pub fn new(host: &mut Capabilities, memory_export: Option<String>) -> Result<Self, ErrorCode> {
        host.clocks.begin_cpu();
        Ok(Preview1 { fds: Descriptors::new(host)?, memory_export, memory: None })
    }
}

/// What a function works on.
pub(crate) struct Call<'a> {
    /// The function's name.
    pub(crate) name: &'static str,
    pub(crate) memory: GuestMemory<'a>,
    pub(crate) host: &'a mut Capabilities,
    pub(crate) fds: &'a mut Descriptors,
    /// Fuel for what the guest makes the host do, where that grows with a number of the guest's. Taken when the call is
    /// done, if fuel is counted at all: the standard bounds what a call can do, and then the guest ends.
    pub(crate) fuel: u64,
}

/// Makes one call: finds the guest's memory and state, runs the function, and gives the engine an errno or a trap.
#[inline]
pub(crate) fn enter<T: 'static>(
    mut caller: Caller<'_, T>,
    state: impl Fn(&mut T) -> (&mut Capabilities, &mut Preview1),
    name: &'static str,
    function: impl FnOnce(&mut Call<'_>) -> Outcome,
) -> wasmtime::Result<u32> {
    let memory = match state(caller.data_mut()).1.memory {
        Some(memory) => Some(memory),
        None => find_memory(&mut caller, &state),
    };
    let (bytes, data) = match &memory {
        Some(memory) => memory.data_and_store_mut(&mut caller),
        None => (&mut [][..], caller.data_mut()),
    };
    let memory_bytes = bytes.len() as u64;
    let (host, preview1) = state(data);
    // All but one function tell the guest something, or change something; that one says so itself.
    host.news += u64::from(name != "fd_read");
    let mut call = Call { name, memory: GuestMemory::new(bytes), host, fds: &mut preview1.fds, fuel: 0 };
    let outcome = function(&mut call);
    let fuel = call.fuel;
    // Asked of the limits: the engine's own answer, where it counts none, is an error, which takes longer than the call.
    if fuel > 0 && outcome.is_ok() && call.host.limits.fuel.is_some() {
        burn(&mut caller, fuel)?;
    }
    match outcome {
        Ok(()) => Ok(0),
        Err(Fault::Code(code)) => Ok(errno(code).into()),
        Err(fault) => Err(trap(fault, name, memory_bytes)),
    }
}

/// Takes fuel.
///
/// # Errors
/// [`Stopped`]: there is not as much.
#[cold]
fn burn<T: 'static>(caller: &mut Caller<'_, T>, fuel: u64) -> wasmtime::Result<()> {
    match caller.get_fuel()?.checked_sub(fuel) {
        Some(left) => caller.set_fuel(left),
        None => Err(Stopped(Limit::Fuel).into()),
    }
}

/// Before the first call has found the memory: by its export, which is there even while a start function runs.
#[cold]
fn find_memory<T: 'static>(
    caller: &mut Caller<'_, T>,
    state: &impl Fn(&mut T) -> (&mut Capabilities, &mut Preview1),
) -> Option<Memory> {
    let name = state(caller.data_mut()).1.memory_export.clone()?;
    match caller.get_export(&name) {
        Some(Extern::Memory(memory)) => {
            state(caller.data_mut()).1.memory = Some(memory);
            Some(memory)
        }
        _ => None,
    }
}

#[cold]
fn trap(fault: Fault, call: &'static str, memory_bytes: u64) -> wasmtime::Error {
    match fault {
        Fault::OutOfBounds { address, bytes } => OutOfBounds { call, address, bytes, memory_bytes }.into(),
        Fault::Exit(status) => Exit(status).into(),
        Fault::Stopped(limit) => Stopped(limit).into(),
        // `enter` has answered this one with its number.
        Fault::Code(code) => wasmtime::format_err!("{code}"),
    }
}
