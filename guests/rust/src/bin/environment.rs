//! Shows what a program is given, and gives something back: arguments, variables (sorted), standard input copied to
//! standard output, a count on standard error, and the exit status that the variable `EXIT` asks for (0 without it).
//!
//! Native: the same source runs outside WebAssembly, and prints the same (but for the name that it was started by).

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (index, argument) in std::env::args_os().enumerate() {
        writeln!(out, "argument {index}: {}", escaped(argument.as_encoded_bytes()))?;
    }
    let mut variables: Vec<_> = std::env::vars_os().collect();
    variables.sort();
    for (name, value) in variables {
        writeln!(out, "variable {}={}", escaped(name.as_encoded_bytes()), escaped(value.as_encoded_bytes()))?;
    }
    let copied = io::copy(&mut io::stdin().lock(), &mut out)?;
    out.flush()?;
    eprintln!("{copied} bytes copied");
    let status = std::env::var("EXIT").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    std::process::exit(status)
}

/// Arguments and variables need not be UTF-8.
fn escaped(bytes: &[u8]) -> impl std::fmt::Display {
    bytes.escape_ascii()
}
