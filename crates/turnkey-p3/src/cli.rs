//! `wasi:cli`: environment, exit, standard streams, terminals.

use turnkey_core::ErrorCode as Code;
use turnkey_core::ending::Exit;
use turnkey_core::filesystem::names;
use turnkey_core::stream::{Sink, Source, StandardInput, StandardOutput};
use wasmtime::component::{ComponentType, Lift, Lower, Resource, StreamReader};

use crate::call::{Call, Kept};
use crate::interface::{Interface, State};
use crate::stream;

/// `terminal-input`
#[derive(Debug)]
pub(crate) struct TerminalInput;

/// `terminal-output`
#[derive(Debug)]
pub(crate) struct TerminalOutput;

impl Kept for TerminalInput {}
impl Kept for TerminalOutput {}

/// `error-code` of `wasi:cli/types`
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum ErrorCode {
    #[component(name = "io")]
    Io,
    #[component(name = "illegal-byte-sequence")]
    IllegalByteSequence,
    #[component(name = "pipe")]
    Pipe,
}

impl ErrorCode {
    /// Its name in the standard.
    #[cfg(test)]
    pub(crate) const fn word(self) -> &'static str {
        match self {
            ErrorCode::Io => "io",
            ErrorCode::IllegalByteSequence => "illegal-byte-sequence",
            ErrorCode::Pipe => "pipe",
        }
    }
}

impl From<Code> for ErrorCode {
    /// What the standard has no word for is `io`.
    fn from(code: Code) -> Self {
        match code {
            Code::IllegalByteSequence => ErrorCode::IllegalByteSequence,
            Code::Pipe => ErrorCode::Pipe,
            _ => ErrorCode::Io,
        }
    }
}

/// `wasi:cli/environment`. Bytes that are not text are written as in names of files.
pub(crate) fn define_environment<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
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
    it.func("get-initial-cwd", |_, ()| Ok(None::<String>));
}

/// `wasi:cli/exit`.
pub(crate) fn define_exit<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.action("exit", |_, (status,): (Result<(), ()>,)| Err(Exit(u32::from(status.is_err())).into()));
    it.action("exit-with-code", |_, (status_code,): (u8,)| Err(Exit(status_code.into()).into()));
}

/// `wasi:cli/stdin`.
pub(crate) fn define_stdin<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.streams("read-via-stream", |mut store, state, ()| {
        // One that was closed when the process began has nothing to read.
        let stdin = state(store.data_mut()).0.found_open.stdin.clone().unwrap_or(StandardInput::Null);
        stream::read::<T, S, ErrorCode>(store, state, Ok(Source::Standard(stdin)))
    });
}

/// `wasi:cli/stdout`.
pub(crate) fn define_stdout<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.streams("write-via-stream", |mut store, state, (data,): (StreamReader<u8>,)| {
        let stdout = state(store.data_mut()).0.found_open.stdout.clone();
        stream::write::<T, S, ErrorCode>(store, state, data, sink(stdout))
    });
}

/// `wasi:cli/stderr`.
pub(crate) fn define_stderr<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.streams("write-via-stream", |mut store, state, (data,): (StreamReader<u8>,)| {
        let stderr = state(store.data_mut()).0.found_open.stderr.clone();
        stream::write::<T, S, ErrorCode>(store, state, data, sink(stderr))
    });
}

/// One that was closed when the process began is a pipe that nobody reads.
fn sink(output: Option<StandardOutput>) -> Result<Sink, Code> {
    output.map(Sink::Standard).ok_or(Code::Pipe)
}

/// `wasi:cli/terminal-input`.
pub(crate) fn define_terminal_input<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<TerminalInput>("terminal-input");
}

/// `wasi:cli/terminal-output`.
pub(crate) fn define_terminal_output<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<TerminalOutput>("terminal-output");
}

/// `wasi:cli/terminal-stdin`.
pub(crate) fn define_terminal_stdin<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-terminal-stdin", |call, ()| match &call.host.found_open.stdin {
        Some(StandardInput::Host(stream)) if stream.is_terminal() => call.keep(TerminalInput).map(Some),
        _ => Ok(None),
    });
}

/// `wasi:cli/terminal-stdout`.
pub(crate) fn define_terminal_stdout<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-terminal-stdout", |call, ()| {
        let is_terminal = is_terminal(&call.host.found_open.stdout);
        terminal_output(call, is_terminal)
    });
}

/// `wasi:cli/terminal-stderr`.
pub(crate) fn define_terminal_stderr<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-terminal-stderr", |call, ()| {
        let is_terminal = is_terminal(&call.host.found_open.stderr);
        terminal_output(call, is_terminal)
    });
}

fn is_terminal(output: &Option<StandardOutput>) -> bool {
    matches!(output, Some(StandardOutput::Host(stream)) if stream.is_terminal())
}

fn terminal_output(call: &mut Call<'_>, is_terminal: bool) -> wasmtime::Result<Option<Resource<TerminalOutput>>> {
    if is_terminal { call.keep(TerminalOutput).map(Some) } else { Ok(None) }
}
