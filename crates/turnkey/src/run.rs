//! One run of a guest: a store of its own, what it imports, its start, and how it ended.

use turnkey_core::ending::{Exit as Ended, Stopped};
use turnkey_core::grants::{GrantError, Grants};
use turnkey_core::limits::{Limit, Limits};
use turnkey_core::{Capabilities, ErrorCode};
use turnkey_p1::{OutOfBounds, Preview1};
use wasmtime::component::Component;
use wasmtime::{Func, Instance, Module, Store, Trap, UpdateDeadline, Val, ValType, WasmBacktrace};

use crate::component;

use crate::deadline::{Watch, WhenStuck};
use crate::error::Error;
use crate::key::EngineKey;
use crate::link::{State, link};
use crate::outcome::{Exit, Outcome, Trapped};
use crate::world::World;

/// A program, loaded.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) key: EngineKey,
    pub(crate) code: Code,
    pub(crate) world: World,
}

/// Code that has been loaded.
#[derive(Clone)]
pub(crate) enum Code {
    Module {
        module: Module,
        /// The export that Preview 1 finds the memory by.
        memory_export: Option<String>,
    },
    Component {
        component: Component,
        /// It uses the asynchronous ABI.
        is_async: bool,
    },
}

impl Code {
    /// The engine that it was loaded into.
    pub(crate) fn engine(&self) -> &wasmtime::Engine {
        match self {
            Code::Module { module, .. } => module.engine(),
            Code::Component { component, .. } => component.engine(),
        }
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Code::Module { .. } => "Module",
            Code::Component { .. } => "Component",
        })
    }
}

/// Where a guest is entered.
pub(crate) enum Entry<'a> {
    /// `_start`.
    Start,
    /// A function by name.
    Function { name: &'a str, arguments: &'a [String] },
}

pub(crate) fn run(
    guest: &Loaded,
    grants: Grants,
    limits: Limits,
    when_stuck: Option<WhenStuck>,
    entry: Entry<'_>,
) -> Result<Outcome, Error> {
    let missing = guest.world.missing();
    if !missing.is_empty() {
        return Err(Error::Missing(missing));
    }
    let mut store = store(guest, grants, limits)?;
    let _watch = match store.data().core.end {
        Some(end) => Some(
            Watch::start(guest.code.engine().clone(), end, when_stuck)
                .map_err(|error| Error::Engine(format!("no thread for the deadline: {error}")))?,
        ),
        None => None,
    };
    let mut results = Vec::new();
    let ended = match &guest.code {
        Code::Module { module, .. } => link(module.engine(), &guest.world)?
            .instantiate(&mut store, module)
            .and_then(|instance| enter(&mut store, instance, &entry, &mut results)),
        Code::Component { component, is_async: false } if guest.world.imports_http() => {
            component::enter_waiting(&mut store, component, &guest.world, &entry, &mut results)
        }
        Code::Component { component, is_async: false } => {
            component::enter(&mut store, component, &guest.world, &entry, &mut results)
        }
        Code::Component { component, is_async: true } => {
            component::enter_async(&mut store, component, &guest.world, &entry, &mut results)
        }
    };
    let exit = match ended {
        Ok(status) => Exit::Status(status),
        Err(error) => exit(&guest.code, &store.data().core, &error)?,
    };
    if matches!(exit, Exit::Status(_)) {
        let (core, preview2) = store.data_mut().preview2();
        preview2.finish(core);
    }
    let core = &mut store.data_mut().core;
    let (refusals, refusals_dropped) = core.audit.take();
    Ok(Outcome { exit, met: core.budget.met(), refusals, refusals_dropped, results })
}

/// A store with the guest's capabilities and limits.
fn store(guest: &Loaded, grants: Grants, limits: Limits) -> Result<Store<State>, Error> {
    let key = guest.key;
    if limits.fuel.is_some() && !key.fuel {
        return Err(Error::NotMadeFor(Limit::Fuel));
    }
    if limits.timeout.is_some() && !key.interruptible {
        return Err(Error::NotMadeFor(Limit::Timeout));
    }
    // An engine that counts fuel counts for every guest.
    let fuel = key.fuel.then(|| limits.fuel.unwrap_or(u64::MAX));
    let mut core = Capabilities::new(grants, limits).map_err(Error::Grant)?;
    let preview1 = preview1(guest, &mut core).map_err(|code| match code {
        ErrorCode::InsufficientMemory => Error::Limit {
            limit: Limit::Memory,
            what: "what is handed over takes more memory than it allows".to_owned(),
        },
        code => Error::Grant(GrantError::Descriptors(code)),
    })?;
    let (handles, _) = engine_handles(&guest.code, &core.limits);
    let mut store = Store::new(guest.code.engine(), State::new(core, preview1));
    store.limiter(|state| state);
    store.set_max_component_handles(handles);
    if let Some(fuel) = fuel {
        store.set_fuel(fuel).map_err(|error| Error::Engine(format!("{error:#}")))?;
    }
    if key.interruptible {
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| match store.data().core.end {
            Some(end) if end.left_ns() == 0 => Err(Stopped(Limit::Timeout).into()),
            // Somebody else's time was up.
            _ => Ok(UpdateDeadline::Continue(1)),
        });
    }
    Ok(store)
}

/// Bytes that a handle of the asynchronous ABI takes in the engine, at the most, which charges them to nobody. Measured: a
/// stream or a future of the guest's own 250 for each end, a set 130, a task that waits 1000.
const ASYNC_HANDLE_BYTES: u64 = 1024;

/// How many handles the engine lets a component have at once, and the limit that it has met when there are more. It counts those
/// of a component's own resources, and each that is lent while a call lasts: all that a guest may have of the host can be lent
/// at once. Of the asynchronous ABI it counts streams, futures, tasks and sets, which are made without the host: what it keeps
/// for those is never more than the guest's memory may be.
pub(crate) fn engine_handles(code: &Code, limits: &Limits) -> (usize, Limit) {
    let handles = u64::from(limits.handles).saturating_mul(2);
    let (most, limit) = match (code, limits.memory_bytes) {
        (Code::Component { is_async: true, .. }, Some(bytes)) if bytes / ASYNC_HANDLE_BYTES < handles => {
            (bytes / ASYNC_HANDLE_BYTES, Limit::Memory)
        }
        _ => (handles, Limit::Handles),
    };
    (usize::try_from(most).unwrap_or(usize::MAX), limit)
}

/// Preview 1 takes what the guest finds open into a table of its own; components find it where it is.
fn preview1(guest: &Loaded, core: &mut Capabilities) -> Result<Preview1, ErrorCode> {
    match &guest.code {
        Code::Module { memory_export, .. } => Preview1::new(core, memory_export.clone()),
        Code::Component { .. } => core.must_have_preopens().map(|()| Preview1::default()),
    }
}

/// Enters a module; the status, if it comes back.
fn enter(
    store: &mut Store<State>,
    instance: Instance,
    entry: &Entry<'_>,
    results: &mut Vec<String>,
) -> wasmtime::Result<u32> {
    match entry {
        Entry::Start => enter_plainly(store, instance, "_start").map(|()| 0),
        Entry::Function { name, arguments } => {
            if *name != "_initialize" && instance.get_func(&mut *store, "_initialize").is_some() {
                enter_plainly(store, instance, "_initialize")?;
            }
            let Some(function) = instance.get_func(&mut *store, name) else {
                return Err(BadCall(format!("no function `{name}` is exported")).into());
            };
            *results = call(store, function, name, arguments)?;
            Ok(0)
        }
    }
}

/// Calls what takes nothing and gives nothing.
fn enter_plainly(store: &mut Store<State>, instance: Instance, name: &str) -> wasmtime::Result<()> {
    let function = instance
        .get_typed_func::<(), ()>(&mut *store, name)
        .map_err(|_| BadProgram(format!("its `{name}` takes arguments, or gives results")))?;
    function.call(store, ())
}

/// A program that cannot be entered; why.
#[derive(Debug)]
pub(crate) struct BadProgram(pub(crate) String);

impl std::fmt::Display for BadProgram {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for BadProgram {}

/// A call by name that cannot be made; why.
#[derive(Debug)]
pub(crate) struct BadCall(pub(crate) String);

impl std::fmt::Display for BadCall {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for BadCall {}

fn call(store: &mut Store<State>, function: Func, name: &str, arguments: &[String]) -> wasmtime::Result<Vec<String>> {
    let signature = function.ty(&*store);
    let parameters: Vec<ValType> = signature.params().collect();
    if parameters.len() != arguments.len() {
        let (takes, given) = (parameters.len(), arguments.len());
        return Err(BadCall(format!("`{name}` takes {takes} arguments, and was given {given}")).into());
    }
    let values =
        parameters.iter().zip(arguments).map(|(ty, argument)| value(ty, argument)).collect::<Result<Vec<_>, _>>()?;
    let mut results = vec![Val::I32(0); signature.results().len()];
    function.call(store, &values, &mut results)?;
    Ok(results.iter().map(words).collect())
}

/// A number as a user types it: whole ones with or without a sign, or in hexadecimal.
fn value(ty: &ValType, argument: &str) -> Result<Val, BadCall> {
    let bad = || BadCall(format!("`{argument}` is no {ty}"));
    let whole = |least: i128, most: i128| {
        let (sign, digits) = argument.strip_prefix('-').map_or((1, argument), |digits| (-1, digits));
        let number = match digits.strip_prefix("0x") {
            Some(digits) => i128::from_str_radix(digits, 16),
            None => digits.parse(),
        };
        // One sign is enough, and the parser would take another.
        let number = if digits.starts_with(|first: char| first.is_ascii_digit()) { number } else { return Err(bad()) };
        number.ok().map(|number| sign * number).filter(|number| (least..=most).contains(number)).ok_or_else(bad)
    };
    Ok(match ty {
        ValType::I32 => Val::I32(whole(i32::MIN.into(), u32::MAX.into())? as i32),
        ValType::I64 => Val::I64(whole(i64::MIN.into(), u64::MAX.into())? as i64),
        ValType::F32 => Val::F32(argument.parse::<f32>().map_err(|_| bad())?.to_bits()),
        ValType::F64 => Val::F64(argument.parse::<f64>().map_err(|_| bad())?.to_bits()),
        _ => return Err(BadCall(format!("a value of type {ty} cannot be typed"))),
    })
}

fn words(value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        Val::V128(value) => format!("{:#034x}", value.as_u128()),
        _ => "(reference)".to_owned(),
    }
}

/// What is known of an error that came when a component had been entered: it is the guest's, though none of the guest's code
/// may have been running, as when its results are looked at.
#[derive(Debug)]
pub(crate) struct Entered;

impl std::fmt::Display for Entered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the component had been entered")
    }
}

/// What the engine says where a guest has more handles than [`engine_handles`].
const TOO_MANY_HANDLES: &str = "store handle limit exceeded";

/// And where a call hands over more than it may.
const TOO_MUCH_COPIED: &str = "too much data is being copied";

/// How a guest that did not come back by itself ended.
pub(crate) fn exit(code: &Code, core: &Capabilities, error: &wasmtime::Error) -> Result<Exit, Error> {
    if let Some(Ended(status)) = error.downcast_ref() {
        return Ok(Exit::Status(*status));
    }
    if let Some(Stopped(limit)) = error.downcast_ref() {
        return Ok(Exit::Stopped(*limit));
    }
    if let Some(BadCall(what)) = error.downcast_ref() {
        return Err(Error::Argument(what.clone()));
    }
    if let Some(BadProgram(what)) = error.downcast_ref() {
        return Err(Error::Invalid(what.clone()));
    }
    let has_run = error.downcast_ref::<WasmBacktrace>().is_some() || error.downcast_ref::<Entered>().is_some();
    if has_run && error.root_cause().to_string().contains(TOO_MANY_HANDLES) {
        return Ok(Exit::Stopped(engine_handles(code, &core.limits).1));
    }
    let message = match (error.downcast_ref::<Trap>(), error.downcast_ref::<OutOfBounds>()) {
        (Some(Trap::OutOfFuel), _) => return Ok(Exit::Stopped(Limit::Fuel)),
        (Some(Trap::StackOverflow), _) => "the call stack is exhausted".to_owned(),
        (Some(trap), _) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
        (None, Some(beyond)) => beyond.to_string(),
        (None, None) if has_run => match error.root_cause().to_string() {
            // The engine's word for it is fuel, which is another thing here.
            what if what.contains(TOO_MUCH_COPIED) => "a string or a list is too long for one call".to_owned(),
            // What the engine says of faults of its own is a page.
            what => what.lines().next().unwrap_or_default().to_owned(),
        },
        // Nothing of the guest has run: it could not be set up.
        (None, None) => return Err(set_up(core, error)),
    };
    Ok(Exit::Trapped(Trapped { message, backtrace: backtrace(error) }))
}

/// Why a guest could not be set up.
fn set_up(core: &Capabilities, error: &wasmtime::Error) -> Error {
    let what = error.root_cause().to_string();
    match core.budget.met() {
        Some(Limit::Memory) => Error::Limit { limit: Limit::Memory, what: "it needs more from the start".to_owned() },
        _ if what.contains("shared memor") => Error::Invalid("it uses shared memory, which is off here".to_owned()),
        _ if what.contains("incompatible import type") || what.contains("types incompatible") => {
            Error::Invalid(format!("{error:#}").lines().collect::<Vec<_>>().join(" "))
        }
        _ => Error::Engine(what),
    }
}

fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    // The engine's own words have names demangled; of the module's name, which is one for all of them, nothing is kept.
    let frame = |line: &str| {
        let (place, name) = line.split_once(" - ").unwrap_or((line, ""));
        let place = place.split_once(':').map_or("", |(_, offset)| offset.trim());
        let name = if name.is_empty() { line.split_once(": ").map_or(line, |(_, name)| name) } else { name };
        let name = name.split_once('!').map_or(name, |(_, name)| name);
        if place.starts_with("0x") { format!("{name} at {place}") } else { name.to_owned() }
    };
    backtrace.to_string().lines().skip(1).map(frame).collect()
}
