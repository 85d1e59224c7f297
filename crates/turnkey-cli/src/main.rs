//! `turnkey`: WASI programs from the command line.
//!
//! What was typed is in [`args`], what it means in [`plan`], what is done in [`commands`]; every line that a user reads is
//! worded in [`message`], and every status that comes back is in [`exit`].

use std::process::ExitCode;

mod args;
mod commands;
mod exit;
mod message;
mod plan;

fn main() -> ExitCode {
    let typed = match args::parse() {
        Ok(typed) => typed,
        Err(status) => return status,
    };
    match commands::run(typed) {
        Ok(status) => status,
        Err(message) => message.end(),
    }
}
