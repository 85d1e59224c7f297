//! What a store holds, and what functions exist for a module: those that it imports, and no others are even made.

use turnkey_core::Capabilities;
use turnkey_p1::{Generation, Preview1};
use turnkey_p2::Preview2;
use turnkey_p3::Preview3;
use wasmtime::Linker;

use crate::error::Error;
use crate::world::{Provider, World};

/// What a store holds: the capabilities, which the generations of WASI share, and the state of each.
pub(crate) struct State {
    pub(crate) core: Capabilities,
    pub(crate) preview1: Preview1,
    pub(crate) preview2: Preview2,
    pub(crate) preview3: Preview3,
    /// What the growth that the engine was last allowed has taken of the budget.
    pub(crate) growing_bytes: u64,
}

impl State {
    pub(crate) fn new(core: Capabilities, preview1: Preview1) -> Self {
        State { core, preview1, preview2: Preview2::default(), preview3: Preview3::default(), growing_bytes: 0 }
    }

    pub(crate) fn preview2(&mut self) -> (&mut Capabilities, &mut Preview2) {
        (&mut self.core, &mut self.preview2)
    }

    pub(crate) fn preview3(&mut self) -> (&mut Capabilities, &mut Preview3) {
        (&mut self.core, &mut self.preview3)
    }
}

/// A linker with what this module imports.
pub(crate) fn link(engine: &wasmtime::Engine, world: &World) -> Result<Linker<State>, Error> {
    let mut linker = Linker::new(engine);
    for import in &world.imports {
        let generation = match import.provider {
            Some(Provider::Preview0) => Generation::Preview0,
            Some(Provider::Preview1) => Generation::Preview1,
            Some(Provider::Preview2 | Provider::Preview3) | None => continue,
        };
        // A module may import the same function twice; it is made once.
        linker.allow_shadowing(true);
        turnkey_p1::link(&mut linker, generation, &import.name, |state: &mut State| {
            (&mut state.core, &mut state.preview1)
        })
        .map_err(|error| Error::Engine(format!("{error:#}")))?;
    }
    Ok(linker)
}
