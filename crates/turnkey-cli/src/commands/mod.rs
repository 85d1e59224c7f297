//! What is done, a file a command.

use std::process::ExitCode;

use crate::args::{Command, Typed};
use crate::message::Message;

mod cache;
mod check;
mod compile;
mod completions;
pub(crate) mod progress;
mod refusals;
mod run;
mod serve;

pub(crate) fn run(typed: Typed) -> Result<ExitCode, Message> {
    match typed.command {
        Command::Run(typed) => run::run(*typed),
        Command::Serve(typed) => serve::serve(*typed),
        Command::Compile(typed) => compile::compile(&typed),
        Command::Check(typed) => check::check(&typed),
        Command::Cache { command } => cache::cache(command),
        Command::Completions { shell } => completions::completions(shell),
    }
}
