//! `wasi:cli`: environment, exit, standard streams, terminals.

use turnkey_core::ending::Exit;
use turnkey_core::filesystem::names;
use turnkey_core::stream::{Sink, Source, StandardInput, StandardOutput};
use wasmtime::component::Resource;

use crate::call::{Call, Kept};
use crate::interface::{Interface, State};
use crate::io::streams::{InputStream, OutputStream};

/// `terminal-input`
#[derive(Debug)]
pub(crate) struct TerminalInput;

/// `terminal-output`
#[derive(Debug)]
pub(crate) struct TerminalOutput;

impl Kept for TerminalInput {}
impl Kept for TerminalOutput {}

/// `wasi:cli/environment`. Bytes that are not text are written as in names of files.
pub(crate) fn define_environment<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-environment", |call, ()| {
        let pairs = call.host.environment.variables.iter().map(|variable| {
            let name = variable.iter().position(|&byte| byte == b'=').unwrap_or(variable.len());
            let value = variable.get(name + 1..).unwrap_or_default();
            (names::to_text(&variable[..name]), names::to_text(value))
        });
        Ok(pairs.collect::<Vec<_>>())
    });
    it.func("get-arguments", |call, ()| {
        Ok(call.host.environment.arguments.iter().map(|argument| names::to_text(argument)).collect::<Vec<_>>())
    });
    it.func("initial-cwd", |_, ()| Ok(None::<String>));
}

/// `wasi:cli/exit`.
pub(crate) fn define_exit<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.action("exit", |_, (status,): (Result<(), ()>,)| Err(Exit(u32::from(status.is_err())).into()));
    it.action("exit-with-code", |_, (status,): (u8,)| Err(Exit(status.into()).into()));
}

/// `wasi:cli/stdin`.
pub(crate) fn define_stdin<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-stdin", |call, ()| {
        // One that was closed when the process began has nothing to read.
        let closed = call.host.found_open.stdin.is_none();
        let source = Source::Standard(call.host.found_open.stdin.clone().unwrap_or(StandardInput::Null));
        call.keep(InputStream { closed, ..InputStream::new(source) })
    });
}

/// `wasi:cli/stdout`.
pub(crate) fn define_stdout<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-stdout", |call, ()| output(call, |call| call.host.found_open.stdout.clone()));
}

/// `wasi:cli/stderr`.
pub(crate) fn define_stderr<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-stderr", |call, ()| output(call, |call| call.host.found_open.stderr.clone()));
}

fn output(
    call: &mut Call<'_>,
    of: impl FnOnce(&Call<'_>) -> Option<StandardOutput>,
) -> wasmtime::Result<Resource<OutputStream>> {
    let stream = match of(call) {
        Some(output) => OutputStream::new(Sink::Standard(output)),
        None => OutputStream::closed(),
    };
    call.keep(stream)
}

/// `wasi:cli/terminal-input`.
pub(crate) fn define_terminal_input<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<TerminalInput>("terminal-input");
}

/// `wasi:cli/terminal-output`.
pub(crate) fn define_terminal_output<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<TerminalOutput>("terminal-output");
}

/// `wasi:cli/terminal-stdin`.
pub(crate) fn define_terminal_stdin<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-terminal-stdin", |call, ()| match &call.host.found_open.stdin {
        Some(StandardInput::Host(stream)) if stream.is_terminal() => call.keep(TerminalInput).map(Some),
        _ => Ok(None),
    });
}

/// `wasi:cli/terminal-stdout`.
pub(crate) fn define_terminal_stdout<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-terminal-stdout", |call, ()| terminal_output(call, |call| is_terminal(&call.host.found_open.stdout)));
}

/// `wasi:cli/terminal-stderr`.
pub(crate) fn define_terminal_stderr<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-terminal-stderr", |call, ()| terminal_output(call, |call| is_terminal(&call.host.found_open.stderr)));
}

fn is_terminal(output: &Option<StandardOutput>) -> bool {
    matches!(output, Some(StandardOutput::Host(stream)) if stream.is_terminal())
}

fn terminal_output(
    call: &mut Call<'_>,
    is_terminal: impl FnOnce(&Call<'_>) -> bool,
) -> wasmtime::Result<Option<Resource<TerminalOutput>>> {
    if is_terminal(call) { call.keep(TerminalOutput).map(Some) } else { Ok(None) }
}
