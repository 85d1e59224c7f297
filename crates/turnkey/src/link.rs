//! What functions exist for a guest: those that it imports, and no others are even made.

use turnkey_core::Capabilities;
use turnkey_p1::Preview1;
use wasmtime::Linker;

use crate::error::Error;
use crate::world::World;

/// What a store holds: the capabilities, which the generations of WASI share, and the state of each.
pub(crate) struct State {
    pub(crate) core: Capabilities,
    pub(crate) preview1: Preview1,
    /// What the growth that the engine was last allowed has taken of the budget.
    pub(crate) growing_bytes: u64,
}

/// A linker with what this program imports.
pub(crate) fn link(engine: &wasmtime::Engine, world: &World) -> Result<Linker<State>, Error> {
    let mut linker = Linker::new(engine);
    for import in &world.imports {
        if let Some(generation) = import.generation {
            // A module may import the same function twice; it is made once.
            linker.allow_shadowing(true);
            turnkey_p1::link(&mut linker, generation, &import.name, |state: &mut State| {
                (&mut state.core, &mut state.preview1)
            })
            .map_err(|error| Error::Engine(format!("{error:#}")))?;
        }
    }
    Ok(linker)
}
