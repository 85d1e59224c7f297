//! What a program imports and exports: what it can ask for, what nothing here provides, and how it is started.

use turnkey_p1::Generation;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, types};
use wasmtime::{ExternType, Module};

use crate::link::State;
use crate::service::Http;

/// What a program asks of its host, and what it offers.
#[derive(Clone, Debug)]
pub struct World {
    /// What it is.
    pub form: Form,
    /// Its imports, in their order.
    pub imports: Vec<Import>,
    /// The functions that it exports; of a component, those in an interface as `INTERFACE#FUNCTION`.
    pub exports: Vec<String>,
    /// How it is started.
    pub start: Start,
}

/// What a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A module.
    Module,
    /// A component.
    Component,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The module or the interface that it is imported from, with its version; empty for what a component imports by itself.
    pub module: String,
    /// Its name there; empty for an interface of which a component uses only types.
    pub name: String,
    /// The generation of WASI that has it; `None`: nothing here provides it.
    pub provider: Option<Provider>,
}

/// A generation of WASI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// `wasi_unstable`
    Preview0,
    /// `wasi_snapshot_preview1`
    Preview1,
    /// `wasi:` interfaces, 0.2
    Preview2,
    /// `wasi:` interfaces, 0.3
    Preview3,
}

/// An import that nothing provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What is imported: `MODULE::NAME`, `INTERFACE@VERSION`, or `INTERFACE@VERSION#FUNCTION`.
    pub import: String,
    /// What is nearest to it, if anything is.
    pub nearest: Option<String>,
}

/// How a program is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A command: `_start`, or `run` of `wasi:cli/run`, runs it from begin to end.
    Command,
    /// A reactor: its functions are called, after `_initialize` if it has one.
    Reactor,
}

/// How different two names may be and still be taken for one another.
const NEAR: usize = 4;

/// An interface that is here.
struct Known {
    /// Its name, without the version.
    name: &'static str,
    provider: Provider,
    /// The version of it that is here.
    version: &'static str,
}

impl Known {
    const fn of_preview2(name: &'static str) -> Self {
        Known { name, provider: Provider::Preview2, version: "0.2.12" }
    }

    const fn of_preview3(name: &'static str) -> Self {
        Known { name, provider: Provider::Preview3, version: "0.3.2" }
    }

    /// The one that an import names.
    fn of(import: &str) -> Option<Self> {
        let preview2 = turnkey_p2::table::interface(import).map(Known::of_preview2);
        preview2.or_else(|| turnkey_p3::table::interface(import).map(Known::of_preview3))
    }

    fn all() -> impl Iterator<Item = Self> {
        let preview2 = turnkey_p2::table::INTERFACES.iter().map(|row| Known::of_preview2(row.name));
        preview2.chain(turnkey_p3::table::INTERFACES.iter().map(|row| Known::of_preview3(row.name)))
    }

    /// Its functions and resources.
    fn names(&self) -> Vec<&'static str> {
        match self.provider {
            Provider::Preview3 => turnkey_p3::table::names(self.name, State::preview3),
            _ => turnkey_p2::table::names(self.name, State::preview2),
        }
    }
}

impl World {
    /// Of a module.
    pub(crate) fn of_module(module: &Module) -> Self {
        let imports = module
            .imports()
            .map(|import| {
                let generation = Generation::of_module(import.module())
                    .filter(|generation| generation.has(import.name()) && matches!(import.ty(), ExternType::Func(_)));
                let provider = generation.map(|generation| match generation {
                    Generation::Preview0 => Provider::Preview0,
                    Generation::Preview1 => Provider::Preview1,
                });
                Import { module: import.module().to_owned(), name: import.name().to_owned(), provider }
            })
            .collect();
        let exports: Vec<String> = module
            .exports()
            .filter(|export| matches!(export.ty(), ExternType::Func(_)))
            .map(|export| export.name().to_owned())
            .collect();
        let start = if exports.iter().any(|name| name == "_start") { Start::Command } else { Start::Reactor };
        World { form: Form::Module, imports, exports, start }
    }

    /// Of a component.
    pub(crate) fn of_component(component: &Component) -> Self {
        let engine = component.engine().clone();
        let world = component.component_type();
        let mut imports = Vec::new();
        for (name, item) in world.imports(&engine) {
            match item.ty {
                ComponentItem::ComponentInstance(instance) => imports_of(name, &instance, &engine, &mut imports),
                // A type is no more than a name.
                ComponentItem::Type(_) => {}
                _ => imports.push(Import { module: String::new(), name: name.to_owned(), provider: None }),
            }
        }
        let mut exports = Vec::new();
        for (name, item) in world.exports(&engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => exports.push(name.to_owned()),
                ComponentItem::ComponentInstance(instance) => {
                    exports.extend(functions(&instance, &engine).map(|function| format!("{name}#{function}")));
                }
                _ => {}
            }
        }
        let start =
            if exports.iter().any(|name| run_interface(name).is_some()) { Start::Command } else { Start::Reactor };
        World { form: Form::Component, imports, exports, start }
    }

    /// Whether what starts it is of Preview 3.
    #[must_use]
    pub fn is_preview3_command(&self) -> bool {
        self.run().and_then(Known::of).is_some_and(|run| run.provider == Provider::Preview3)
    }

    /// The interface that starts a command. One that has it of both generations has the older only for hosts that do not know
    /// the newer: compilers put it there for what a program's language calls `main`.
    pub(crate) fn run(&self) -> Option<&str> {
        let runs = || self.exports.iter().filter_map(|export| run_interface(export));
        let of_preview3 = |run: &&str| Known::of(run).is_some_and(|run| run.provider == Provider::Preview3);
        runs().find(of_preview3).or_else(|| runs().next())
    }

    /// The function that answers HTTP requests, and of which generation it is: of both the newer.
    pub(crate) fn http(&self) -> Option<(&str, Http)> {
        let named = |http, name: &str| {
            let is_it = |interface: &str| Known::of(interface).is_some_and(|known| known.name == name);
            let mut exports = self.exports.iter().map(String::as_str);
            exports.find(|export| export.strip_suffix("#handle").is_some_and(is_it)).map(|export| (export, http))
        };
        named(Http::Preview3, "wasi:http/handler").or_else(|| named(Http::Preview2, "wasi:http/incoming-handler"))
    }

    /// Whether it answers HTTP requests, and by which generation: `turnkey serve` runs it then.
    #[must_use]
    pub fn answers_http(&self) -> Option<Http> {
        self.http().map(|(_, http)| http)
    }

    /// Whether it reaches others by HTTP.
    pub(crate) fn imports_http(&self) -> bool {
        self.imports
            .iter()
            .any(|import| Known::of(&import.module).is_some_and(|known| known.name.starts_with("wasi:http/")))
    }

    /// Whether it passes requests on to another handler.
    pub(crate) fn imports_http_handler(&self) -> bool {
        let named = |import: &Import| Known::of(&import.module).is_some_and(|known| known.name == "wasi:http/handler");
        self.imports.iter().any(named)
    }

    /// The imports that nothing provides.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        let mut missing: Vec<Missing> = Vec::new();
        for Import { module, name, .. } in self.imports.iter().filter(|import| import.provider.is_none()) {
            let found = match self.form {
                Form::Module => {
                    Missing { import: format!("{module}::{name}"), nearest: nearest_function(module, name) }
                }
                Form::Component => missing_of_component(module, name),
            };
            // An interface that is not here is missing once, whatever is used of it.
            if !missing.contains(&found) {
                missing.push(found);
            }
        }
        missing
    }
}

/// The functions of an interface.
fn functions<'a>(
    instance: &'a types::ComponentInstance,
    engine: &'a wasmtime::Engine,
) -> impl Iterator<Item = &'a str> {
    instance
        .exports(engine)
        .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
        .map(|(name, _)| name)
}

/// What a component imports of one interface.
fn imports_of(module: &str, instance: &types::ComponentInstance, engine: &wasmtime::Engine, imports: &mut Vec<Import>) {
    let interface = Known::of(module);
    let known = interface.as_ref().map(Known::names).unwrap_or_default();
    let before = imports.len();
    for name in functions(instance, engine) {
        let provider = interface.as_ref().filter(|_| known.contains(&name)).map(|interface| interface.provider);
        imports.push(Import { module: module.to_owned(), name: name.to_owned(), provider });
    }
    if imports.len() == before {
        let provider = interface.map(|interface| interface.provider);
        imports.push(Import { module: module.to_owned(), name: String::new(), provider });
    }
}

/// The interface of an exported function, if it is the one that starts a command.
fn run_interface(export: &str) -> Option<&str> {
    let is_run = |interface: &&str| Known::of(interface).is_some_and(|interface| interface.name == "wasi:cli/run");
    export.strip_suffix("#run").filter(is_run)
}

/// The function that was probably meant.
fn nearest_function(module: &str, name: &str) -> Option<String> {
    let whole = |generation: Generation, name: &str| format!("{}::{name}", generation.module());
    let exact = turnkey_p1::FUNCTIONS.iter().any(|row| row.name == name);
    if exact && Generation::of_module(module).is_none() {
        return Some(whole(Generation::Preview1, name));
    }
    if exact {
        // A function of the other generation.
        return [Generation::Preview1, Generation::Preview0]
            .into_iter()
            .find(|generation| generation.module() != module && generation.has(name))
            .map(|generation| whole(generation, name));
    }
    Generation::of_module(module)?;
    turnkey_p1::FUNCTIONS
        .iter()
        .map(|row| (strsim::levenshtein(name, row.name), row.name))
        .min()
        .filter(|(distance, _)| *distance <= NEAR)
        .map(|(_, near)| format!("{module}::{near}"))
}

/// What is missing, and the interface or function that was probably meant.
fn missing_of_component(module: &str, name: &str) -> Missing {
    if let Some(interface) = Known::of(module) {
        let near = interface
            .names()
            .into_iter()
            .map(|known| (strsim::levenshtein(name, known), known))
            .min()
            .filter(|(distance, _)| *distance <= NEAR);
        return Missing {
            import: format!("{module}#{name}"),
            nearest: near.map(|(_, near)| format!("{}@{}#{near}", interface.name, interface.version)),
        };
    }
    let import = if module.is_empty() { name.to_owned() } else { module.to_owned() };
    let (bare, version) = import.split_once('@').unwrap_or((&import, ""));
    // Of two that have the name, the one of the generation that was meant.
    let distance = |known: &Known| {
        let other_generation = !version.starts_with(&known.version[..4]);
        (strsim::levenshtein(bare, known.name), other_generation)
    };
    let near = Known::all().min_by_key(distance).filter(|known| distance(known).0 <= NEAR);
    Missing { nearest: near.map(|near| format!("{}@{}", near.name, near.version)), import }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_one_of_ours_is_said_to_be() {
        for (module, name, near) in [
            ("wasi_snapshot_preview1", "fd_raed", Some("wasi_snapshot_preview1::fd_read")),
            ("wasi_unstable", "sock_accept", Some("wasi_snapshot_preview1::sock_accept")),
            ("wasi_snapshot_preview2", "fd_read", Some("wasi_snapshot_preview1::fd_read")),
            ("env", "abort", None),
            ("wasi_snapshot_preview1", "thread_spawn_of_no_kind", None),
        ] {
            assert_eq!(nearest_function(module, name).as_deref(), near, "{module}::{name}");
        }
    }

    #[test]
    fn an_interface_that_is_nearly_one_of_ours_is_said_to_be() {
        for (module, name, import, near) in [
            ("wasi:io/streams@0.3.0", "x", "wasi:io/streams@0.3.0", Some("wasi:io/streams@0.2.12")),
            ("wasi:io/stream@0.2.0", "x", "wasi:io/stream@0.2.0", Some("wasi:io/streams@0.2.12")),
            ("wasi:io/poll@0.2.0", "pol", "wasi:io/poll@0.2.0#pol", Some("wasi:io/poll@0.2.12#poll")),
            ("", "log", "log", None),
            ("acme:printer/paper@1.0.0", "feed", "acme:printer/paper@1.0.0", None),
        ] {
            let missing = missing_of_component(module, name);
            assert_eq!((missing.import.as_str(), missing.nearest.as_deref()), (import, near));
        }
    }
}
