//! The grants of a run.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use turnkey::host::{files, process, programs};
use turnkey::{
    Access, ClockGrant, DirectoryGrant, Grants, NetworkGrants, RandomGrant, StreamGrant, TcpListener, has_certificates,
};

use crate::args;
use crate::exit;
use crate::message::{Message, error_line, escaped, words};

/// What the guest is handed.
pub(crate) fn grants(
    typed: &args::Grants,
    streams: Option<&args::Streams>,
    arguments: Vec<Vec<u8>>,
    explain: bool,
) -> Result<Grants, Message> {
    let open = |name, written: fn(&args::Streams) -> &OsString, is_output| match streams {
        Some(streams) => stream(name, written(streams), is_output),
        None => Ok(StreamGrant::Null),
    };
    Ok(Grants {
        arguments,
        variables: variables(typed)?,
        directories: directories(typed)?,
        tcp_listeners: streams.map_or_else(|| Ok(Vec::new()), listeners)?,
        network: network(typed)?,
        hosts: typed.add_host.clone(),
        stdin: open("stdin", |streams| &streams.stdin, false)?,
        stdout: open("stdout", |streams| &streams.stdout, true)?,
        stderr: open("stderr", |streams| &streams.stderr, true)?,
        clock: clock(typed),
        random: match typed.random_seed {
            Some(seed) => RandomGrant::Seeded(seed),
            None if typed.deterministic => RandomGrant::Seeded(0),
            None => RandomGrant::Secure,
        },
        deterministic_files: typed.deterministic,
        record_paths: explain,
    })
}

fn directories(typed: &args::Grants) -> Result<Vec<DirectoryGrant>, Message> {
    let read_write = typed.dir.iter().map(|written| ("--dir", written, Access::ReadWrite));
    let read_only = typed.ro_dir.iter().map(|written| ("--ro-dir", written, Access::ReadOnly));
    read_write
        .chain(read_only)
        .map(|(flag, written, access)| {
            DirectoryGrant::parse(written, access).map_err(|why| {
                let written = escaped(&written.to_string_lossy());
                Message::new(exit::USAGE, format!("`{flag} {written}`: {why}"))
                    .hint(format!("a directory is written `{flag} HOST[::GUEST]`"))
            })
        })
        .collect()
}

/// Variables, the last word on each name, in the order of their first.
fn variables(typed: &args::Grants) -> Result<Vec<Vec<u8>>, Message> {
    let mut variables = if typed.inherit_env { process::environment_variables() } else { Vec::new() };
    for written in &typed.env {
        let variable = variable(written)?;
        let name = name_of(&variable).to_vec();
        match variables.iter_mut().find(|known| name_of(known) == name) {
            Some(known) => *known = variable,
            None => variables.push(variable),
        }
    }
    Ok(variables)
}

fn name_of(variable: &[u8]) -> &[u8] {
    variable.split(|&byte| byte == b'=').next().unwrap_or_default()
}

fn variable(written: &OsStr) -> Result<Vec<u8>, Message> {
    let bytes = written.as_bytes();
    let shown = escaped(&written.to_string_lossy());
    if name_of(bytes).is_empty() {
        return Err(Message::new(exit::USAGE, format!("`--env {shown}`: a variable has a name"))
            .hint("a variable is written `--env NAME[=VALUE]`"));
    }
    if bytes.contains(&b'=') {
        return Ok(bytes.to_vec());
    }
    let value = process::environment_variable(bytes).ok_or_else(|| {
        Message::new(exit::FAILED, format!("`--env {shown}`: the host has no such variable"))
            .hint(format!("`--env {shown}=VALUE` gives it a value"))
    })?;
    Ok([bytes, b"=", &value].concat())
}

fn network(typed: &args::Grants) -> Result<NetworkGrants, Message> {
    let mut grants = NetworkGrants::default();
    for written in &typed.allow {
        grants.allow(written).map_err(|why| {
            Message::new(exit::USAGE, format!("`--allow {}`: {}", escaped(written), escaped(&why)))
                .hint("a grant is written `--allow tcp-connect=10.0.0.0/8:5432`, `--allow http=https://example.com`, …")
        })?;
    }
    grants.roots = typed.ca.iter().map(|path| roots(path)).collect::<Result<_, _>>()?;
    Ok(grants)
}

/// Certificates to trust.
fn roots(path: &Path) -> Result<Vec<u8>, Message> {
    let shown = escaped(&path.display().to_string());
    let pem = programs::read(path).map_err(|code| {
        Message::new(exit::FAILED, format!("the file `{shown}` for `--ca` cannot be read: {}", words(code)))
    })?;
    if has_certificates(&pem) {
        return Ok(pem);
    }
    Err(Message::new(
        exit::FAILED,
        format!("the file `{shown}` for `--ca` has no root certificates, or one that is none"),
    )
    .hint("`--ca FILE` takes PEM: `-----BEGIN CERTIFICATE-----`, …"))
}

fn listeners(typed: &args::Streams) -> Result<Vec<TcpListener>, Message> {
    typed
        .tcp_listener
        .iter()
        .map(|&address| {
            let listener = TcpListener::open(address)
                .map_err(|code| Message::new(exit::FAILED, format!("cannot listen on `{address}`: {}", words(code))))?;
            if address.port() == 0 {
                error_line(&format!("listening on `{}`", listener.address()));
            }
            Ok(listener)
        })
        .collect()
}

fn stream(name: &str, mode: &OsString, write: bool) -> Result<StreamGrant, Message> {
    match mode.as_bytes() {
        b"inherit" => Ok(StreamGrant::Inherit),
        b"null" => Ok(StreamGrant::Null),
        path => {
            let path = Path::new(OsStr::from_bytes(path));
            files::open_for_stream(path, write).map(StreamGrant::Descriptor).map_err(|code| {
                let path = escaped(&path.display().to_string());
                Message::new(exit::FAILED, format!("the file `{path}` for {name} cannot be opened: {}", words(code)))
                    .hint(format!("`--{name}` takes `inherit`, `null`, or a file"))
            })
        }
    }
}

fn clock(typed: &args::Grants) -> ClockGrant {
    let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let frozen_at = typed.clock.or(typed.deterministic.then_some(std::time::Duration::ZERO));
    ClockGrant {
        resolution_ns: typed.clock_resolution.map_or(1, nanoseconds),
        frozen_at_ns: frozen_at.map(nanoseconds),
    }
}

/// A program's name as it is told itself: without the folders of the host that it lies in.
pub(crate) fn program_name(app: &OsStr) -> Vec<u8> {
    Path::new(app).file_name().unwrap_or(app).to_owned().into_vec()
}
