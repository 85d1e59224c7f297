//! A component that answers HTTP requests: prepared once, and then instantiated as often as it has to be.
//!
//! This is the half that knows the engine. Who listens, how many instances there are at once and what becomes of a request whose
//! instance ends is for whoever asks.

mod preview2;
mod preview3;

use std::sync::Arc;

use turnkey_core::audit::Refusal;
use turnkey_core::stream::StandardOutput;
use turnkey_core::{Grants, Limits, Opened};
use turnkey_http::Outgoing;
use turnkey_p1::Preview1;
use turnkey_p2::Waits;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};
use wasmtime::{Store, UpdateDeadline};

pub use preview2::Proxy;
pub use preview3::{Job, Refused, Slot, Worker};

use crate::component;
use crate::error::Error;
use crate::link::State;
use crate::outcome::Exit;
use crate::run::{self, Code, Loaded};

/// A component that answers HTTP requests. Cloning is cheap, and the same component.
#[derive(Clone)]
pub struct Service(Arc<Prepared>);

struct Prepared {
    code: Code,
    pre: InstancePre<State>,
    handle: ComponentExportIndex,
    http: Http,
    opened: Opened,
    limits: Limits,
    imports_handler: bool,
}

/// Which `wasi:http` a component exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// `wasi:http/incoming-handler` of 0.2: one request at a time.
    Preview2,
    /// `wasi:http/handler` of 0.3: several at a time.
    Preview3,
}

/// What an instance is given besides what is granted to all.
#[derive(Clone, Debug)]
pub struct Given {
    /// Standard output.
    pub stdout: StandardOutput,
    /// Standard error.
    pub stderr: StandardOutput,
    /// What it reaches by HTTP.
    pub outgoing: Outgoing,
}

/// What is left of an instance that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How it ended, where it did not come back by itself.
    pub exit: Result<(), Exit>,
    /// What was refused to it.
    pub refusals: Vec<Refusal>,
    /// The last limit that it met.
    pub met: Option<turnkey_core::limits::Limit>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Service").field("http", &self.0.http).finish_non_exhaustive()
    }
}

impl Service {
    /// Prepares a component, and opens what is granted to all of its instances.
    pub(crate) fn new(loaded: &Loaded, grants: Grants, limits: Limits) -> Result<Self, Error> {
        let missing = loaded.world.missing();
        if !missing.is_empty() {
            return Err(Error::Missing(missing));
        }
        let no_export = || Error::NoExport {
            name: "wasi:http/incoming-handler#handle` or `wasi:http/handler#handle".to_owned(),
            exports: loaded.world.exports.clone(),
        };
        let (Code::Component { component, is_async }, Some((export, http))) = (&loaded.code, loaded.world.http())
        else {
            return Err(no_export());
        };
        let engine = |error: wasmtime::Error| Error::Engine(format!("{error:#}"));
        let waits = if *is_async { Waits::BesideTasks } else { Waits::InExecutor };
        let linker = component::linker(component, waits).map_err(engine)?;
        let pre = linker.instantiate_pre(component).map_err(engine)?;
        let handle = find(component, export).ok_or_else(no_export)?;
        let opened = Opened::new(grants).map_err(Error::Grant)?;
        let imports_handler = loaded.world.imports_http_handler();
        Ok(Service(Arc::new(Prepared {
            code: loaded.code.clone(),
            pre,
            handle,
            http,
            opened,
            limits,
            imports_handler,
        })))
    }

    /// Which requests it takes, and how.
    #[must_use]
    pub fn http(&self) -> Http {
        self.0.http
    }

    /// Whether it passes requests on to another handler: then it is given one.
    #[must_use]
    pub fn imports_handler(&self) -> bool {
        self.0.imports_handler
    }

    /// Whether anybody but who asks has it, or an instance of it.
    #[must_use]
    pub fn is_used(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Has the guests that compute look whether others have waited. To be called again and again while any of them runs.
    pub fn tick(&self) {
        self.0.code.engine().increment_epoch();
    }

    /// A store for one instance.
    fn store(&self, given: Given) -> Store<State> {
        let prepared = &*self.0;
        let core = prepared.opened.give_again(prepared.limits.clone(), given.stdout, given.stderr);
        let mut state = State::new(core, Preview1::default());
        state.preview2.http = given.outgoing.clone();
        state.preview3.http = given.outgoing;
        let mut store = Store::new(prepared.code.engine(), state);
        store.limiter(|state| state);
        let (handles, _) = run::engine_handles(&prepared.code, &prepared.limits);
        store.set_max_component_handles(handles);
        component::bound_calls(&mut store);
        // Whoever drives the instance sees to its time; here others get their turn.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        store
    }

    /// What is left of an instance, and how it ended.
    fn ended(&self, store: &mut Store<State>, result: wasmtime::Result<()>) -> Result<Ended, Error> {
        let core = &mut store.data_mut().core;
        let exit = match result {
            Ok(()) => Ok(()),
            Err(error) => Err(run::exit(&self.0.code, core, &error)?),
        };
        Ok(Ended { exit, refusals: core.audit.take().0, met: core.budget.met() })
    }
}

/// An exported function by its name in the world, before there is an instance.
fn find(component: &Component, export: &str) -> Option<ComponentExportIndex> {
    let (interface, function) = export.split_once('#')?;
    let interface = component.get_export_index(None, interface)?;
    component.get_export_index(Some(&interface), function)
}
