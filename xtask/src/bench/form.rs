//! The two forms that guest programs are committed in.

use std::path::PathBuf;

use super::tree;

/// What a guest program was compiled to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// A module of Preview 1.
    #[default]
    Module,
    /// A component of Preview 2: of `hostcalls` and `startup`, the module behind the adapter that compilers use.
    Component,
}

impl Form {
    /// For tables and `--json`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Component => "component",
        }
    }

    /// The committed program of this form.
    ///
    /// # Errors
    /// It is not there.
    pub(super) fn program(self, name: &str) -> Result<PathBuf, String> {
        let place = match self {
            Self::Module => format!("guests/bin/{name}.wasm"),
            Self::Component => format!("guests/bin/components/{name}.wasm"),
        };
        let path = tree::root().join(&place);
        if path.is_file() {
            return Ok(path);
        }
        Err(format!("no `{place}`\nhint: `cargo xtask guests {name}` compiles it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_both_forms() {
        let [module, component] = [Form::Module, Form::Component].map(|form| form.program("small").unwrap());
        assert_ne!(module, component);
        assert!(Form::Component.program("no such program").is_err());
    }
}
