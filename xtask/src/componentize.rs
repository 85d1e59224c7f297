//! `cargo xtask componentize [--reactor] IN OUT`: a Preview 1 module as a component.
//!
//! The adapter that is put between the two is that of `wasi-preview1-component-adapter-provider`, as compilers use it. A
//! module that imports interfaces of Preview 2 as well, by bindings, keeps those imports.

use std::fs;
use std::path::Path;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER, WASI_SNAPSHOT_PREVIEW1_PROXY_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

const USAGE: &str = "\
usage: cargo xtask componentize [--reactor] IN OUT

IN is a Preview 1 module in binary form, a command unless `--reactor` says otherwise.
";

/// What a module is for, which decides what its component exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It exports `_start`: the component exports `wasi:cli/run`.
    Command,
    /// The component exports what the module says that it exports.
    Reactor,
    /// As a reactor, of which the adapter imports only what an HTTP server's world has: no files, no environment.
    Proxy,
}

/// What the command line names.
///
/// # Errors
/// Words that make no sense, a file that cannot be read or written, a module that no component can be made of.
pub fn run(words: &[String]) -> Result<(), String> {
    let (kind, from, to) = match words {
        [from, to] => (Kind::Command, from, to),
        [flag, from, to] if flag == "--reactor" => (Kind::Reactor, from, to),
        _ => return Err(USAGE.to_owned()),
    };
    componentize_file(Path::new(from), kind, Path::new(to))
}

/// [`componentize`], from a file to another.
///
/// # Errors
/// A file that cannot be read or written, a module that no component can be made of.
pub fn componentize_file(from: &Path, kind: Kind, to: &Path) -> Result<(), String> {
    let module = fs::read(from).map_err(|error| format!("cannot read `{}`: {error}", from.display()))?;
    let component = componentize(&module, kind).map_err(|error| format!("`{}`: {error}", from.display()))?;
    fs::write(to, component).map_err(|error| format!("cannot write `{}`: {error}", to.display()))
}

/// A component made of the module and the adapter; the same bytes for the same module.
///
/// # Errors
/// It is no module, or imports and exports what no component can be made of.
pub fn componentize(module: &[u8], kind: Kind) -> Result<Vec<u8>, String> {
    let adapter = match kind {
        Kind::Command => WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        Kind::Reactor => WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        Kind::Proxy => WASI_SNAPSHOT_PREVIEW1_PROXY_ADAPTER,
    };
    let encoder = ComponentEncoder::default().validate(true);
    let encoder = encoder.module(module).and_then(|it| it.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter));
    encoder.and_then(|mut it| it.encode()).map_err(|error| format!("{error:#}"))
}
