//! Entering a component: what it imports is given to it, and `wasi:cli/run` or a function by name is called.

use std::future::poll_fn;
use std::time::Duration;

use turnkey_core::ending::Stopped;
use turnkey_core::host::clock::Deadline;
use turnkey_core::limits::Limit;
use turnkey_p2::Waits;
use wasmtime::Store;
use wasmtime::component::wasm_wave::untyped::UntypedFuncCall;
use wasmtime::component::{Accessor, Component, Func, Instance, Linker, Type, TypedFunc, Val};

use crate::link::State;
use crate::run::{BadCall, BadProgram, Entered, Entry};
use crate::world::World;

/// Bytes of strings and lists that a guest may pass in one call, besides the handles that it names. Bounds the strings that the
/// host holds while a call lasts. Lists that are written are not copied, but the engine counts them too: what a program
/// writes in one call, which the standard bounds by 4096 bytes or by `check-write` everywhere but in `descriptor.write`, has
/// to fit as well.
const PASSED_BYTES: usize = 16 << 20;

/// The same for one handle in a list.
const LISTED_HANDLE_BYTES: usize = 32;

/// How long tasks may go on that a component has left behind.
const REST: Duration = Duration::from_secs(1);

/// Makes an instance, and calls what is to be called; what it gave back, in WAVE. `Err(())` of `run` is status 1.
pub(crate) fn enter(
    store: &mut Store<State>,
    component: &Component,
    world: &World,
    entry: &Entry<'_>,
    results: &mut Vec<String>,
) -> wasmtime::Result<u32> {
    let linker = link(store, component, entry, Waits::Here)?;
    let instance = linker.instantiate(&mut *store, component)?;
    match entry {
        Entry::Start => {
            let (ended,) = run(store, instance, world)?.call(store, ()).map_err(entered)?;
            Ok(u32::from(ended.is_err()))
        }
        Entry::Function { name, arguments } => {
            let call = Typed::find(store, instance, world, name, arguments)?;
            let mut given = call.room_for_results();
            call.function.call(&mut *store, &call.arguments, &mut given).map_err(entered)?;
            *results = in_wave(&given)?;
            Ok(0)
        }
    }
}

/// The same for a component that reaches others by HTTP: connections have tasks of their own, and those an executor.
pub(crate) fn enter_waiting(
    store: &mut Store<State>,
    component: &Component,
    world: &World,
    entry: &Entry<'_>,
    results: &mut Vec<String>,
) -> wasmtime::Result<u32> {
    let end = store.data().core.end;
    let entered = async {
        let linker = link(store, component, entry, Waits::InExecutor)?;
        let instance = linker.instantiate_async(&mut *store, component).await?;
        match entry {
            Entry::Start => {
                let run = run(store, instance, world)?;
                let (ended,) = run.call_async(&mut *store, ()).await.map_err(entered)?;
                Ok(u32::from(ended.is_err()))
            }
            Entry::Function { name, arguments } => {
                let call = Typed::find(store, instance, world, name, arguments)?;
                let mut given = call.room_for_results();
                call.function.call_async(&mut *store, &call.arguments, &mut given).await.map_err(entered)?;
                *results = in_wave(&given)?;
                Ok(0)
            }
        }
    };
    in_time(entered, end)
}

/// Waits in an executor that lasts for as long as this does, until the guest's time is up.
fn in_time(entered: impl Future<Output = wasmtime::Result<u32>>, end: Option<Deadline>) -> wasmtime::Result<u32> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    executor.block_on(async {
        match end {
            Some(end) => {
                let left = Duration::from_nanos(end.left_ns());
                tokio::time::timeout(left, entered).await.unwrap_or_else(|_| Err(Stopped(Limit::Timeout).into()))
            }
            None => entered.await,
        }
    })
}

/// The same for a component of the asynchronous ABI: its tasks run beside one another, on this thread, in an executor that lasts
/// for as long as it does.
pub(crate) fn enter_async(
    store: &mut Store<State>,
    component: &Component,
    world: &World,
    entry: &Entry<'_>,
    results: &mut Vec<String>,
) -> wasmtime::Result<u32> {
    let end = store.data().core.end;
    let sleepers = store.data().core.clocks.sleepers().cloned();
    let entered = async {
        let entered = enter_in_executor(store, component, world, entry, results);
        match sleepers {
            Some(sleepers) => sleepers.run(entered).await,
            None => entered.await,
        }
    };
    in_time(entered, end)
}

async fn enter_in_executor(
    store: &mut Store<State>,
    component: &Component,
    world: &World,
    entry: &Entry<'_>,
    results: &mut Vec<String>,
) -> wasmtime::Result<u32> {
    let linker = link(store, component, entry, Waits::BesideTasks)?;
    let instance = linker.instantiate_async(&mut *store, component).await?;
    match entry {
        Entry::Start => {
            let run = run(store, instance, world)?;
            let (ended,) = store
                .run_concurrent(async |accessor| {
                    let ended = run.call_concurrent(accessor, ()).await;
                    if ended.is_ok() {
                        rest(accessor).await;
                    }
                    ended
                })
                .await
                .flatten()
                .map_err(entered)?;
            Ok(u32::from(ended.is_err()))
        }
        Entry::Function { name, arguments } => {
            let call = Typed::find(store, instance, world, name, arguments)?;
            let mut given = call.room_for_results();
            store
                .run_concurrent(async |accessor| {
                    let called = call.function.call_concurrent(accessor, &call.arguments, &mut given).await;
                    if called.is_ok() {
                        rest(accessor).await;
                    }
                    called
                })
                .await
                .flatten()
                .map_err(entered)?;
            *results = in_wave(&given)?;
            Ok(0)
        }
    }
}

/// What has been called has given its results: tasks that go on after that, to write what is still to be written, get a second
/// to come to their ends.
pub(crate) async fn rest(accessor: &Accessor<State>) {
    let done = poll_fn(|context| accessor.poll_no_interesting_tasks(context));
    // Those that are not done by then are left where they are, as threads are when a program ends.
    let _ = tokio::time::timeout(REST, done).await;
}

/// A linker with what the component imports.
fn link(
    store: &mut Store<State>,
    component: &Component,
    entry: &Entry<'_>,
    waits: Waits,
) -> wasmtime::Result<Linker<State>> {
    // What a function gives that was called by name is copied out too, and may be as much as the engine lets it.
    if let Entry::Start = entry {
        bound_calls(store);
    }
    linker(component, waits)
}

/// The same, for as many stores as one likes.
pub(crate) fn linker(component: &Component, waits: Waits) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(component.engine());
    turnkey_p2::link(&mut linker, component, waits, State::preview2)?;
    turnkey_p3::link(&mut linker, component, State::preview3)?;
    Ok(linker)
}

/// Bounds what a guest hands over in one call.
pub(crate) fn bound_calls(store: &mut Store<State>) {
    let handles = store.data().core.limits.handles as usize;
    store.set_hostcall_fuel(handles.saturating_mul(LISTED_HANDLE_BYTES).saturating_add(PASSED_BYTES));
}

/// An error that came when the component had been entered.
pub(crate) fn entered(error: wasmtime::Error) -> wasmtime::Error {
    error.context(Entered)
}

type Run = TypedFunc<(), (Result<(), ()>,)>;

/// `run` of `wasi:cli/run`.
fn run(store: &mut Store<State>, instance: Instance, world: &World) -> wasmtime::Result<Run> {
    let interface = world.run().unwrap_or_default();
    let bad = || BadProgram(format!("its `{interface}#run` takes arguments, or does not give a result"));
    let function = find(store, instance, &format!("{interface}#run")).ok_or_else(bad)?;
    function.typed(&*store).map_err(|_| bad().into())
}

/// An exported function, by its name in the world.
fn find(store: &mut Store<State>, instance: Instance, export: &str) -> Option<Func> {
    let Some((interface, function)) = export.split_once('#') else {
        return instance.get_func(&mut *store, export);
    };
    let interface = instance.get_export_index(&mut *store, None, interface)?;
    let function = instance.get_export_index(&mut *store, Some(&interface), function)?;
    instance.get_func(&mut *store, function)
}

/// The call that a user typed: `name(1, "two")`, or a name and each argument as a word of its own.
pub(crate) fn typed_call(name: &str, arguments: &[String]) -> String {
    if name.contains('(') { name.to_owned() } else { format!("{name}({})", arguments.join(", ")) }
}

/// The exports that a user may have meant by the name of a call: with its interface, or, if no two have it, without.
pub(crate) fn meant<'a>(world: &'a World, call: &str) -> Vec<&'a str> {
    let name = call.split('(').next().unwrap_or_default().trim();
    let whole: Vec<&str> = world.exports.iter().map(String::as_str).filter(|export| *export == name).collect();
    if !whole.is_empty() {
        return whole;
    }
    let in_interface = |export: &&str| export.split_once('#').is_some_and(|(_, function)| function == name);
    world.exports.iter().map(String::as_str).filter(in_interface).collect()
}

/// A call that a user typed, with its values.
struct Typed {
    function: Func,
    arguments: Vec<Val>,
    results: usize,
}

impl Typed {
    fn find(
        store: &mut Store<State>,
        instance: Instance,
        world: &World,
        name: &str,
        arguments: &[String],
    ) -> wasmtime::Result<Self> {
        let call = typed_call(name, arguments);
        let export = match meant(world, &call)[..] {
            [export] => export,
            [] => return Err(BadCall(format!("no function `{name}` is exported")).into()),
            [one, other, ..] => {
                return Err(BadCall(format!("`{name}` may be `{one}` or `{other}`: say which")).into());
            }
        };
        let gone = || BadCall(format!("no function `{export}` is exported"));
        let function = find(store, instance, export).ok_or_else(gone)?;
        let ty = function.ty(&*store);
        let parameters: Vec<(String, Type)> = ty.params().map(|(name, ty)| (name.to_owned(), ty)).collect();
        // The interface before the name is ours: WAVE has names alone.
        let arguments = call.split_once('(').map_or("", |(_, arguments)| arguments);
        let in_words = format!("f({arguments}");
        let takes = || {
            let words: Vec<String> = parameters.iter().map(|(name, ty)| format!("{name}: {}", in_wit(ty))).collect();
            format!("it is called as `{}({})`", export, words.join(", "))
        };
        let bad = |why: String| BadCall(format!("`{call}`: {why}; {}", takes()));
        let typed = UntypedFuncCall::parse(&in_words).map_err(|error| bad(error.to_string()))?;
        let arguments: Vec<Val> =
            typed.to_wasm_params(parameters.iter().map(|(_, ty)| ty)).map_err(|error| bad(error.to_string()))?;
        Ok(Typed { function, arguments, results: ty.results().len() })
    }

    fn room_for_results(&self) -> Vec<Val> {
        vec![Val::Bool(false); self.results]
    }
}

/// Values as a user reads them.
fn in_wave(values: &[Val]) -> wasmtime::Result<Vec<String>> {
    values.iter().map(Val::to_wave).collect()
}

/// A type as it is written in WIT.
fn in_wit(ty: &Type) -> String {
    wasmtime::component::wasm_wave::wasm::DisplayType(ty).to_string()
}
