//! What a program imports and exports: what it can ask for, what nothing here provides, and how it is started.

use turnkey_p1::Generation;
use wasmtime::{ExternType, Module};

/// What a program asks of its host, and what it offers.
#[derive(Clone, Debug)]
pub struct World {
    /// Its imports, in their order.
    pub imports: Vec<Import>,
    /// The functions that it exports.
    pub exports: Vec<String>,
    /// How it is started.
    pub start: Start,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The module that it is imported from.
    pub module: String,
    /// Its name there.
    pub name: String,
    /// The generation of WASI that has it; `None`: nothing here provides it.
    pub generation: Option<Generation>,
}

/// An import that nothing provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The module that it is imported from.
    pub module: String,
    /// Its name there.
    pub name: String,
    /// What is nearest to it, if anything is.
    pub nearest: Option<String>,
}

/// How a program is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A command: `_start` runs it from begin to end.
    Command,
    /// A reactor: its functions are called, after `_initialize` if it has one.
    Reactor,
}

/// How different two names may be and still be taken for one another.
const NEAR: usize = 4;

impl World {
    /// Of a module.
    pub(crate) fn of(module: &Module) -> Self {
        let imports = module
            .imports()
            .map(|import| {
                let generation = Generation::of_module(import.module())
                    .filter(|generation| generation.has(import.name()) && matches!(import.ty(), ExternType::Func(_)));
                Import { module: import.module().to_owned(), name: import.name().to_owned(), generation }
            })
            .collect();
        let exports: Vec<String> = module
            .exports()
            .filter(|export| matches!(export.ty(), ExternType::Func(_)))
            .map(|export| export.name().to_owned())
            .collect();
        let start = if exports.iter().any(|name| name == "_start") { Start::Command } else { Start::Reactor };
        World { imports, exports, start }
    }

    /// The imports that nothing provides.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.imports
            .iter()
            .filter(|import| import.generation.is_none())
            .map(|import| Missing {
                module: import.module.clone(),
                name: import.name.clone(),
                nearest: nearest(&import.module, &import.name),
            })
            .collect()
    }
}

/// The function that was probably meant.
fn nearest(module: &str, name: &str) -> Option<String> {
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
            assert_eq!(nearest(module, name).as_deref(), near, "{module}::{name}");
        }
    }
}
