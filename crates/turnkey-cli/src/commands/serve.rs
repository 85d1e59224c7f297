//! `turnkey serve`: answers HTTP requests, until it is told to end.

use std::process::ExitCode;
use std::sync::Arc;

use turnkey::host::{listen, process};
use turnkey_server::{Error, Server};

use crate::args;
use crate::exit;
use crate::message::{Message, error_line, escaped, words};
use crate::plan::serve::{app, options};

/// Descriptors that the host needs besides those of connections.
const OWN_DESCRIPTORS: u64 = 256;

pub(super) fn serve(typed: args::Serve) -> Result<ExitCode, Message> {
    // Before anything is opened: descriptors are handed over by their numbers.
    let handed_over = listen::handed_over();
    process::be_told_of_full_files();
    let mut options = options(&typed)?;
    options.handed_over = handed_over;
    let connections = u64::from(options.limits.connections);
    // A request may have a connection of its own behind it, or a file.
    process::allow_descriptors(2 * connections + OWN_DESCRIPTORS);
    let (typed, tls) = (Arc::new(typed), options.tls.is_some());
    let limits = options.limits.clone();
    let server = Server::new(options, app(Arc::clone(&typed))?).map_err(|error| failed(&typed, error))?;
    let scheme = if tls { "https" } else { "http" };
    let name = escaped(&typed.app.display().to_string());
    let addresses: Vec<String> = server.addresses().iter().map(|address| format!("{scheme}://{address}/")).collect();
    error_line(&format!("serving `{name}` on {}", addresses.join(" ")));
    if let Some(admin) = server.admin_address() {
        error_line(&format!("what goes on: http://{admin}/"));
    }
    error_line(&format!(
        "limits: --timeout {} --max-memory {} --max-output-bytes {} --max-instances {} --queue {} --max-connections {}",
        typed.limits.timeout.as_written,
        typed.limits.max_memory.as_written,
        typed.limits.max_output_bytes.as_written,
        limits.instances,
        limits.queue,
        limits.connections,
    ));
    server.run().map_err(|error| failed(&typed, error))?;
    Ok(ExitCode::SUCCESS)
}

fn failed(typed: &args::Serve, error: Error) -> Message {
    match error {
        Error::Listen(address, code) => {
            Message::new(exit::FAILED, format!("cannot listen on {address}: {}", words(code)))
                .hint(format!("another one, as in `--addr {}:0`, or end who listens there", address.ip()))
        }
        // It is worded already.
        Error::App(why) => match why.downcast::<Message>() {
            Ok(message) => *message,
            Err(why) => Message::new(exit::FAILED, why.to_string()),
        },
        Error::Host(_) => {
            Message::new(exit::FAILED, format!("`{}`: {error}", escaped(&typed.app.display().to_string())))
        }
    }
}
