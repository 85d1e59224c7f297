//! The program that was named: a file, or what comes through standard input.

use std::path::Path;

use turnkey::host::programs;

use crate::message::{Message, unreadable};

/// Reads the program; `-` is standard input.
pub(crate) fn read(app: &Path) -> Result<Vec<u8>, Message> {
    let program = if app.as_os_str() == "-" { programs::read_stdin() } else { programs::read(app) };
    program.map_err(|code| unreadable(&app.display().to_string(), code))
}
