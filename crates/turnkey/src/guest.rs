//! A program that has been loaded: it says what it asks for, and runs as often as one likes.

use turnkey_core::limits::Limit;
use turnkey_core::{Grants, Limits};
use wasmtime::component::Component;
use wasmtime::{ExternType, Module};

use crate::component;
use crate::deadline::WhenStuck;
use crate::error::Error;
use crate::key::EngineKey;
use crate::outcome::Outcome;
use crate::run::{self, Code, Entry, Loaded};
use crate::service::Service;
use crate::world::{Form, Start, World};

/// A loaded program. Cloning is cheap, and the same program.
#[derive(Clone, Debug)]
pub struct Guest {
    loaded: Loaded,
}

impl Guest {
    pub(crate) fn of_module(key: EngineKey, module: Module) -> Self {
        let world = World::of_module(&module);
        let memory_export = memory_export(&module);
        Guest { loaded: Loaded { key, code: Code::Module { module, memory_export }, world } }
    }

    pub(crate) fn of_component(key: EngineKey, component: Component, is_async: bool) -> Self {
        let world = World::of_component(&component);
        Guest { loaded: Loaded { key, code: Code::Component { component, is_async }, world } }
    }

    /// What it imports and exports.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.loaded.world
    }

    /// Runs a command from begin to end.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NoExport`] for a reactor, [`Error::Grant`], [`Error::Limit`], [`Error::NotMadeFor`].
    pub fn run(&self, grants: Grants, limits: Limits) -> Result<Outcome, Error> {
        self.run_watched(grants, limits, None)
    }

    /// The same; `when_stuck` is called when the guest's time is up and it is in a call of the host that does not end.
    ///
    /// # Errors
    /// As [`Guest::run`].
    pub fn run_watched(&self, grants: Grants, limits: Limits, when_stuck: Option<WhenStuck>) -> Result<Outcome, Error> {
        if self.loaded.world.start == Start::Reactor {
            let start = if self.loaded.world.form == Form::Module { "_start" } else { "wasi:cli/run" };
            return Err(self.no_export(start));
        }
        run::run(&self.loaded, grants, limits, when_stuck, Entry::Start)
    }

    /// Calls a function by name, with arguments as a user types them: of a module numbers, after `_initialize` if there is
    /// one; of a component values in WAVE, also as one expression, `name(1, "two")`, which is then the name.
    ///
    /// # Errors
    /// [`Error::NoExport`], [`Error::Argument`]; else as [`Guest::run`].
    pub fn invoke(
        &self,
        name: &str,
        arguments: &[String],
        grants: Grants,
        limits: Limits,
        when_stuck: Option<WhenStuck>,
    ) -> Result<Outcome, Error> {
        let world = &self.loaded.world;
        let known = match world.form {
            Form::Module => world.exports.iter().any(|export| export == name),
            Form::Component => !component::meant(world, name).is_empty(),
        };
        if !known {
            return Err(self.no_export(name.split('(').next().unwrap_or_default()));
        }
        run::run(&self.loaded, grants, limits, when_stuck, Entry::Function { name, arguments })
    }

    /// Prepares it to answer HTTP requests. Its time is for whoever drives its instances; every other limit is of each.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NoExport`]: it is no `wasi:http` service; [`Error::Grant`], [`Error::NotMadeFor`].
    pub fn service(&self, grants: Grants, limits: Limits) -> Result<Service, Error> {
        if !self.loaded.key.interruptible {
            return Err(Error::NotMadeFor(Limit::Timeout));
        }
        Service::new(&self.loaded, grants, limits)
    }

    fn no_export(&self, name: &str) -> Error {
        Error::NoExport { name: name.to_owned(), exports: self.loaded.world.exports.clone() }
    }
}

/// `memory`, as the standard asks for, else the first memory under whatever name.
fn memory_export(module: &Module) -> Option<String> {
    let mut first = None;
    for export in module.exports() {
        if matches!(export.ty(), ExternType::Memory(_)) {
            if export.name() == "memory" {
                return Some(export.name().to_owned());
            }
            first.get_or_insert_with(|| export.name().to_owned());
        }
    }
    first
}
