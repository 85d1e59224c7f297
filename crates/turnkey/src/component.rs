//! Entering a component: what it imports is given to it, and `wasi:cli/run` or a function by name is called.

use turnkey_p2::Waits;
use wasmtime::Store;
use wasmtime::component::wasm_wave::untyped::UntypedFuncCall;
use wasmtime::component::{Component, Func, Instance, Linker, Type, Val};

use crate::link::State;
use crate::run::{BadCall, BadProgram, Entered, Entry};
use crate::world::{World, run_interface};

/// Bytes of strings and lists that a guest may pass in one call, besides the handles that it names. Bounds the strings that the
/// host holds while a call lasts. Lists that are written are not copied, but the engine counts them too: what a program
/// writes in one call, which the standard bounds by 4096 bytes or by `check-write` everywhere but in `descriptor.write`, has
/// to fit as well.
const PASSED_BYTES: usize = 16 << 20;

/// The same for one handle in a list.
const LISTED_HANDLE_BYTES: usize = 32;

/// Makes an instance, and calls what is to be called; what it gave back, in WAVE. `Err(())` of `run` is status 1.
pub(crate) fn enter(
    store: &mut Store<State>,
    component: &Component,
    world: &World,
    entry: &Entry<'_>,
    results: &mut Vec<String>,
) -> wasmtime::Result<u32> {
    let mut linker = Linker::new(component.engine());
    turnkey_p2::link(&mut linker, component, Waits::Here, State::preview2)?;
    // What a function gives that was called by name is copied out too, and may be as much as the engine lets it.
    if let Entry::Start = entry {
        let handles = store.data().core.limits.handles as usize;
        store.set_hostcall_fuel(handles.saturating_mul(LISTED_HANDLE_BYTES).saturating_add(PASSED_BYTES));
    }
    let instance = linker.instantiate(&mut *store, component)?;
    match entry {
        Entry::Start => run(store, instance, world),
        Entry::Function { name, arguments } => {
            *results = invoke(store, instance, world, name, arguments)?;
            Ok(0)
        }
    }
}

fn run(store: &mut Store<State>, instance: Instance, world: &World) -> wasmtime::Result<u32> {
    let interface = world.exports.iter().find_map(|export| run_interface(export)).unwrap_or_default();
    let bad = || BadProgram(format!("its `{interface}#run` takes arguments, or does not give a result"));
    let function = find(store, instance, &format!("{interface}#run")).ok_or_else(bad)?;
    let typed = function.typed::<(), (Result<(), ()>,)>(&*store).map_err(|_| bad())?;
    let (ended,) = typed.call(store, ()).map_err(|error| error.context(Entered))?;
    Ok(u32::from(ended.is_err()))
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

fn invoke(
    store: &mut Store<State>,
    instance: Instance,
    world: &World,
    name: &str,
    arguments: &[String],
) -> wasmtime::Result<Vec<String>> {
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
    let values: Vec<Val> =
        typed.to_wasm_params(parameters.iter().map(|(_, ty)| ty)).map_err(|error| bad(error.to_string()))?;
    let mut results = vec![Val::Bool(false); ty.results().len()];
    function.call(&mut *store, &values, &mut results).map_err(|error| error.context(Entered))?;
    results.iter().map(Val::to_wave).collect()
}

/// A type as it is written in WIT.
fn in_wit(ty: &Type) -> String {
    wasmtime::component::wasm_wave::wasm::DisplayType(ty).to_string()
}
