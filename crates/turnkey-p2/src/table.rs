//! Every interface once, in the standard's order: its name, what its functions need, and what is worth knowing; and how a
//! component is given what it imports of them.

use turnkey_core::interfaces::row;
pub use turnkey_core::interfaces::{Row, Uses};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use crate::interface::{Interface, State, To, Waits};
use crate::{cli, clocks, filesystem, http, io, random, sockets};

/// The interfaces of WASI 0.2.12 that are here.
pub const INTERFACES: [Row; 32] = [
    row("wasi:io/error", Uses::Nothing, ""),
    row("wasi:io/poll", Uses::Nothing, ""),
    row("wasi:io/streams", Uses::Nothing, "the blocking writes take more than 4096 bytes"),
    row("wasi:clocks/monotonic-clock", Uses::Clocks, "begins with the guest"),
    row("wasi:clocks/wall-clock", Uses::Clocks, ""),
    row("wasi:clocks/timezone", Uses::Clocks, "UTC"),
    row("wasi:random/random", Uses::Random, ""),
    row("wasi:random/insecure", Uses::Random, ""),
    row("wasi:random/insecure-seed", Uses::Random, ""),
    row("wasi:filesystem/types", Uses::Directories, "names that are not text are escaped, reversibly"),
    row("wasi:filesystem/preopens", Uses::Directories, ""),
    row("wasi:sockets/network", Uses::Network, ""),
    row(
        "wasi:sockets/instance-network",
        Uses::Network,
        "the network itself is no authority: every operation is checked",
    ),
    row("wasi:sockets/ip-name-lookup", Uses::Network, ""),
    row("wasi:sockets/tcp", Uses::Network, ""),
    row("wasi:sockets/tcp-create-socket", Uses::Network, ""),
    row("wasi:sockets/udp", Uses::Network, ""),
    row("wasi:sockets/udp-create-socket", Uses::Network, ""),
    row("wasi:cli/environment", Uses::Environment, "there is no initial directory"),
    row("wasi:cli/exit", Uses::Process, ""),
    row("wasi:cli/stdin", Uses::Streams, ""),
    row("wasi:cli/stdout", Uses::Streams, ""),
    row("wasi:cli/stderr", Uses::Streams, ""),
    row("wasi:cli/terminal-input", Uses::Streams, ""),
    row("wasi:cli/terminal-output", Uses::Streams, ""),
    row("wasi:cli/terminal-stdin", Uses::Streams, ""),
    row("wasi:cli/terminal-stdout", Uses::Streams, ""),
    row("wasi:cli/terminal-stderr", Uses::Streams, ""),
    row("wasi:cli/run", Uses::Nothing, "exported, not imported"),
    row("wasi:http/types", Uses::Network, "fields are bounded to 128 KiB; no informational responses"),
    row("wasi:http/incoming-handler", Uses::Nothing, "exported, not imported"),
    row("wasi:http/outgoing-handler", Uses::Network, "redirects are the guest's"),
];

/// Names the functions of an interface.
fn define<T: Send, S: State<T>>(name: &str, it: &mut Interface<'_, T, S>) {
    match name {
        "wasi:io/error" => io::error::define(it),
        "wasi:io/poll" => io::poll::define(it),
        "wasi:io/streams" => io::streams::define(it),
        "wasi:clocks/monotonic-clock" => clocks::define_monotonic(it),
        "wasi:clocks/wall-clock" => clocks::define_wall(it),
        "wasi:clocks/timezone" => clocks::define_timezone(it),
        "wasi:random/random" => random::define_random(it),
        "wasi:random/insecure" => random::define_insecure(it),
        "wasi:random/insecure-seed" => random::define_insecure_seed(it),
        "wasi:filesystem/types" => filesystem::define_types(it),
        "wasi:filesystem/preopens" => filesystem::define_preopens(it),
        "wasi:sockets/network" => sockets::network::define(it),
        "wasi:sockets/instance-network" => sockets::instance_network::define(it),
        "wasi:sockets/ip-name-lookup" => sockets::ip_name_lookup::define(it),
        "wasi:sockets/tcp" => sockets::tcp::define(it),
        "wasi:sockets/tcp-create-socket" => sockets::tcp_create_socket::define(it),
        "wasi:sockets/udp" => sockets::udp::define(it),
        "wasi:sockets/udp-create-socket" => sockets::udp_create_socket::define(it),
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
        "wasi:http/types" => http::types::define(it),
        "wasi:http/outgoing-handler" => http::outgoing_handler::define(it),
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

/// The interface of an imported name, `wasi:io/streams` of `wasi:io/streams@0.2.3`. `None`: it is not of Preview 2.
#[must_use]
pub fn interface(import: &str) -> Option<&'static str> {
    let (name, version) = import.split_once('@')?;
    // Versions of 0.2 add functions and change none: what a guest imports is looked up function by function.
    let patch = version.strip_prefix("0.2.")?;
    let is_number = !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit());
    INTERFACES.iter().map(|row| row.name).find(|known| is_number && *known == name)
}

/// Gives a component what it imports of Preview 2: each function under the version that the component names.
///
/// # Errors
/// What the engine says of a function.
pub fn link<T: Send, S: State<T>>(
    linker: &mut Linker<T>,
    component: &Component,
    waits: Waits,
    state: S,
) -> wasmtime::Result<()> {
    let engine = component.engine().clone();
    for (import, item) in component.component_type().imports(&engine) {
        let (Some(name), ComponentItem::ComponentInstance(instance)) = (interface(import), item.ty) else {
            continue;
        };
        let wanted: Vec<String> = instance.exports(&engine).map(|(name, _)| name.to_owned()).collect();
        let to = To::Linker { instance: linker.instance(import)?, wanted: &wanted, waits };
        let mut interface = Interface::new(to, state);
        define(name, &mut interface);
        interface.finish()?;
    }
    Ok(())
}
