//! Every interface once, in the standard's order: its name, what its functions need, and what is worth knowing; and how a
//! component is given what it imports of them.

use turnkey_core::interfaces::row;
pub use turnkey_core::interfaces::{Row, Uses};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use crate::interface::{Interface, State, To};
use crate::{cli, clocks, filesystem, http, random, sockets};

/// The interfaces of WASI 0.3.2 that are here.
pub const INTERFACES: [Row; 26] = [
    row("wasi:clocks/types", Uses::Nothing, ""),
    row("wasi:clocks/monotonic-clock", Uses::Clocks, "begins with the guest"),
    row("wasi:clocks/system-clock", Uses::Clocks, ""),
    row("wasi:clocks/timezone", Uses::Clocks, "UTC"),
    row("wasi:random/random", Uses::Random, "at most 64 KiB a call"),
    row("wasi:random/insecure", Uses::Random, "at most 64 KiB a call"),
    row("wasi:random/insecure-seed", Uses::Random, ""),
    row("wasi:filesystem/types", Uses::Directories, "names that are not text are escaped, reversibly"),
    row("wasi:filesystem/preopens", Uses::Directories, ""),
    row("wasi:sockets/types", Uses::Network, ""),
    row("wasi:sockets/ip-name-lookup", Uses::Network, ""),
    row("wasi:cli/environment", Uses::Environment, "there is no initial directory"),
    row("wasi:cli/exit", Uses::Process, ""),
    row("wasi:cli/types", Uses::Nothing, ""),
    row("wasi:cli/stdin", Uses::Streams, ""),
    row("wasi:cli/stdout", Uses::Streams, ""),
    row("wasi:cli/stderr", Uses::Streams, ""),
    row("wasi:cli/terminal-input", Uses::Streams, ""),
    row("wasi:cli/terminal-output", Uses::Streams, ""),
    row("wasi:cli/terminal-stdin", Uses::Streams, ""),
    row("wasi:cli/terminal-stdout", Uses::Streams, ""),
    row("wasi:cli/terminal-stderr", Uses::Streams, ""),
    row("wasi:cli/run", Uses::Nothing, "exported, not imported"),
    row("wasi:http/types", Uses::Nothing, "at most 128 KiB of fields a section"),
    row("wasi:http/handler", Uses::Nothing, "exported; imported, it is the next one"),
    row("wasi:http/client", Uses::Network, ""),
];

/// Versions before 0.3.0 that guests were made for, each with the interfaces whose types were others then: these are not here.
const CANDIDATES: [(&str, &[&str]); 3] = [
    (
        "0.3.0-rc-2026-01-06",
        &[
            "wasi:cli/stdout",
            "wasi:cli/stderr",
            "wasi:filesystem/types",
            "wasi:filesystem/preopens",
            "wasi:sockets/types",
            "wasi:sockets/ip-name-lookup",
            "wasi:http/types",
            "wasi:http/handler",
            "wasi:http/client",
        ],
    ),
    (
        "0.3.0-rc-2026-02-09",
        &[
            "wasi:filesystem/types",
            "wasi:filesystem/preopens",
            "wasi:sockets/types",
            "wasi:sockets/ip-name-lookup",
            "wasi:http/types",
            "wasi:http/handler",
            "wasi:http/client",
        ],
    ),
    ("0.3.0-rc-2026-03-15", &[]),
];

/// Names the functions of an interface.
fn define<T: Send, S: State<T>>(name: &str, it: &mut Interface<'_, T, S>) {
    match name {
        "wasi:clocks/monotonic-clock" => clocks::define_monotonic(it),
        "wasi:clocks/system-clock" => clocks::define_system(it),
        "wasi:clocks/timezone" => clocks::define_timezone(it),
        "wasi:random/random" => random::define_random(it),
        "wasi:random/insecure" => random::define_insecure(it),
        "wasi:random/insecure-seed" => random::define_insecure_seed(it),
        "wasi:filesystem/types" => filesystem::define_types(it),
        "wasi:filesystem/preopens" => filesystem::define_preopens(it),
        "wasi:sockets/types" => sockets::define_types(it),
        "wasi:sockets/ip-name-lookup" => sockets::ip_name_lookup::define(it),
        "wasi:cli/environment" => cli::define_environment(it),
        "wasi:cli/exit" => cli::define_exit(it),
        "wasi:cli/stdin" => cli::define_stdin(it),
        "wasi:cli/stdout" => cli::define_stdout(it),
        "wasi:cli/stderr" => cli::define_stderr(it),
        "wasi:cli/terminal-input" => cli::define_terminal_input(it),
        "wasi:cli/terminal-output" => cli::define_terminal_output(it),
        "wasi:cli/terminal-stdin" => cli::define_terminal_stdin(it),
        "wasi:cli/terminal-stdout" => cli::define_terminal_stdout(it),
        "wasi:cli/terminal-stderr" => cli::define_terminal_stderr(it),
        "wasi:http/types" => http::define_types(it),
        "wasi:http/handler" => http::client::define_handler(it),
        "wasi:http/client" => http::client::define_client(it),
        _ => {}
    }
}

/// The functions and resources of an interface, in the standard's order; none of one that is not here. The state is that of the
/// store that [`link`] is called for: with another one, all functions would be compiled once more for nothing but their names.
#[must_use]
pub fn names<T: Send + 'static, S: State<T>>(interface: &str, state: S) -> Vec<&'static str> {
    let mut names = Vec::new();
    define(interface, &mut Interface::new(To::Names(&mut names), state));
    names
}

/// The interface of an imported name, `wasi:cli/stdin` of `wasi:cli/stdin@0.3.0`. `None`: it is not of Preview 3.
#[must_use]
pub fn interface(import: &str) -> Option<&'static str> {
    let (name, version) = import.split_once('@')?;
    let known = INTERFACES.iter().map(|row| row.name).find(|known| *known == name)?;
    if let Some((_, differ)) = CANDIDATES.iter().find(|(candidate, _)| *candidate == version) {
        return (!differ.contains(&known)).then_some(known);
    }
    // Versions of 0.3 add functions and change none: what a guest imports is looked up function by function.
    let patch = version.strip_prefix("0.3.")?;
    (!patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit())).then_some(known)
}

/// Gives a component what it imports of Preview 3: each function under the version that the component names.
///
/// # Errors
/// What the engine says of a function.
pub fn link<T: Send, S: State<T>>(linker: &mut Linker<T>, component: &Component, state: S) -> wasmtime::Result<()> {
    let engine = component.engine().clone();
    for (import, item) in component.component_type().imports(&engine) {
        let (Some(name), ComponentItem::ComponentInstance(instance)) = (interface(import), item.ty) else {
            continue;
        };
        let wanted: Vec<String> = instance.exports(&engine).map(|(name, _)| name.to_owned()).collect();
        let to = To::Linker { instance: linker.instance(import)?, wanted: &wanted };
        let mut interface = Interface::new(to, state);
        define(name, &mut interface);
        interface.finish()?;
    }
    Ok(())
}
