//! `turnkey completions`: a script that a shell completes commands and flags with.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::Typed;
use crate::message::{Message, print};

pub(super) fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Message> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Typed::command(), "turnkey", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
