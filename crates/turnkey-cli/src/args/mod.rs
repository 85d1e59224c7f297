//! What was typed: one definition a flag, from which parsing, help and completions are made.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

mod units;
mod usage;

/// A WASI host: runs WebAssembly programs, and hands each one only what you grant
#[derive(Debug, Parser)]
#[command(name = "turnkey", version, propagate_version = false, disable_help_subcommand = true)]
pub(crate) struct Typed {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a program
    Run(Box<Run>),
    /// Answer HTTP requests with a program
    Serve(Box<Serve>),
    /// Compile a program ahead of time
    Compile(Compile),
    /// Say what a program is and what it can ask for, without running it
    Check(Check),
    /// The cache of compiled programs
    Cache {
        #[command(subcommand)]
        command: CacheCommand,
    },
    /// Completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Where it is
    Dir,
    /// What it holds
    Size,
    /// Remove everything in it
    Clear,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) grants: Grants,
    #[command(flatten)]
    pub(crate) streams: Streams,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// Call this function instead, with ARGS as its arguments; of a component also `'NAME(ARGS)'`, with values in WAVE
    #[arg(long, value_name = "NAME")]
    pub(crate) invoke: Option<String>,
    /// APP was made by `turnkey compile`: native code, so only from people you trust with your account
    #[arg(long)]
    pub(crate) precompiled: bool,
    /// Show what was refused, and what was looked for outside every granted directory
    #[arg(long)]
    pub(crate) explain: bool,
    /// The program (`-`: from standard input), and its own arguments
    #[arg(value_name = "APP [ARGS]", required = true, trailing_var_arg = true)]
    pub(crate) app_and_arguments: Vec<OsString>,
}

/// Nothing is open unless one of these opens it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Grants (nothing is open unless one of these opens it)")]
pub(crate) struct Grants {
    /// A directory, to read and write; GUEST is HOST as written when left out
    #[arg(long, value_name = "HOST[::GUEST]")]
    pub(crate) dir: Vec<OsString>,
    /// A directory, to read
    #[arg(long, value_name = "HOST[::GUEST]")]
    pub(crate) ro_dir: Vec<OsString>,
    /// An environment variable; without a value, the host's
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<OsString>,
    /// Every environment variable of the host
    #[arg(long)]
    pub(crate) inherit_env: bool,
    /// The network, for a component: `http=[METHOD ]URL`, `tcp-connect=WHERE`, `tcp-listen=WHERE`, `udp=WHERE`,
    /// `udp-bind=WHERE`, `resolve=NAME`, or `network` for all of it; WHERE is `ADDRESS:PORT`, and ADDRESS an IP address, a
    /// block, a name, `*.NAME` or `*`; URL is as in `https://*.example.com/v1/*`
    #[arg(long, value_name = "WHAT[=WHERE]")]
    pub(crate) allow: Vec<String>,
    /// Root certificates to trust besides the system's, for `https`: a file of PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Vec<PathBuf>,
    /// A name of a host that is known without asking anybody; a look-up still needs its grant
    #[arg(long, value_name = "NAME:IP", value_parser = units::host)]
    pub(crate) add_host: Vec<(String, IpAddr)>,
    /// The finest step that any clock, timestamp or timer shows
    #[arg(long, value_name = "TIME", value_parser = units::step)]
    pub(crate) clock_resolution: Option<Duration>,
    /// `frozen`: time stands still, at 1970 or where you say, and sleeping moves it on at once
    #[arg(long, value_name = "frozen[=RFC3339]", value_parser = units::frozen)]
    pub(crate) clock: Option<Duration>,
    /// Reproducible random numbers, which are not fit for keys
    #[arg(long, value_name = "N")]
    pub(crate) random_seed: Option<u64>,
    /// A frozen clock, a seed, sorted directories, the same NaNs: the same run twice is the same to the byte
    #[arg(long)]
    pub(crate) deterministic: bool,
}

/// What a program finds open besides its directories.
#[derive(Debug, Args)]
#[command(next_help_heading = "Grants (nothing is open unless one of these opens it)")]
pub(crate) struct Streams {
    /// A listening socket, for a module, as a descriptor after the directories
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) tcp_listener: Vec<SocketAddr>,
    /// Standard input: `inherit`, `null`, or a file
    #[arg(long, value_name = "MODE", default_value = "inherit", hide_default_value = true)]
    pub(crate) stdin: OsString,
    /// Standard output: `inherit`, `null`, or a file
    #[arg(long, value_name = "MODE", default_value = "inherit", hide_default_value = true)]
    pub(crate) stdout: OsString,
    /// Standard error: `inherit`, `null`, or a file
    #[arg(long, value_name = "MODE", default_value = "inherit", hide_default_value = true)]
    pub(crate) stderr: OsString,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// The whole instance: memories, tables, and what the host holds for it
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub(crate) max_memory: Option<units::Written<u64>>,
    /// Wall time, wherever the program is when it is up
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    pub(crate) timeout: Option<units::Written<Duration>>,
    /// Instructions; deterministic for one version of the engine
    #[arg(long, value_name = "N")]
    pub(crate) fuel: Option<u64>,
    /// Descriptors open at once [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) max_descriptors: Option<u32>,
    /// Sockets that a component has open at once [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) max_sockets: Option<u32>,
    /// Resources that a component holds at once: streams, pollables, sockets, descriptors [default: 100000]
    #[arg(long, value_name = "N")]
    pub(crate) max_handles: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) grants: Grants,
    #[command(flatten)]
    pub(crate) limits: RequestLimits,
    /// Where to listen; with port 0, wherever there is room. Not where systemd hands sockets over
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080", help_heading = "Server")]
    pub(crate) addr: SocketAddr,
    /// The server's certificate and those that vouch for it, a file of PEM: speak TLS
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Server")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of the certificate, a file of PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Server")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where to show what goes on: a page, `/metrics`, `/healthz`, `/readyz`; for your eyes, not for the internet's
    #[arg(long, value_name = "ADDR:PORT", help_heading = "Server")]
    pub(crate) admin: Option<SocketAddr>,
    /// Threads that answer requests [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Server")]
    pub(crate) threads: Option<std::num::NonZeroU32>,
    /// A line for each request, on standard error
    #[arg(long, value_name = "FORMAT", default_value = "none", help_heading = "Server")]
    pub(crate) access_log: AccessLog,
    /// A component that requests go through before they come to APP; several, in this order
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) middleware: Vec<PathBuf>,
    /// Take a new version of APP when its file changes, as SIGHUP does
    #[arg(long, help_heading = "Server")]
    pub(crate) watch: bool,
    /// How long requests in flight may take when the server is told to end
    #[arg(long, value_name = "TIME", value_parser = units::time, default_value = "30s", help_heading = "Server")]
    pub(crate) grace: units::Written<Duration>,
    /// The program: a component of `wasi:http`
    #[arg(help_heading = "Arguments")]
    pub(crate) app: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum AccessLog {
    None,
    Text,
    Json,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct RequestLimits {
    /// From a request's head until its program has ended, also while its response streams: a stream ends with it
    #[arg(long, value_name = "TIME", value_parser = units::time, default_value = "30s")]
    pub(crate) timeout: units::Written<Duration>,
    /// Each instance: memories, tables, and what the host holds for it
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "128MiB")]
    pub(crate) max_memory: units::Written<u64>,
    /// What one request may write to standard output and error
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "1MiB")]
    pub(crate) max_output_bytes: units::Written<u64>,
    /// Instances at once
    #[arg(long, value_name = "N", default_value = "512")]
    pub(crate) max_instances: std::num::NonZeroU32,
    /// Connections at once
    #[arg(long, value_name = "N", default_value = "10000")]
    pub(crate) max_connections: std::num::NonZeroU32,
    /// Requests that wait for an instance; one more is answered 503
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) queue: u32,
    /// Requests that one instance answers, one after the other or at once [default: 1 of Preview 2, 128 of Preview 3]
    #[arg(long, value_name = "N")]
    pub(crate) reuse: Option<std::num::NonZeroU32>,
    /// Requests that one instance answers at once; of Preview 2 always 1 [default: 16]
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<std::num::NonZeroU32>,
    /// Descriptors that an instance has open at once
    #[arg(long, value_name = "N", default_value = "1024")]
    pub(crate) max_descriptors: u32,
    /// Sockets that an instance has open at once
    #[arg(long, value_name = "N", default_value = "1024")]
    pub(crate) max_sockets: u32,
    /// Resources that an instance holds at once: streams, pollables, fields, bodies
    #[arg(long, value_name = "N", default_value = "100000")]
    pub(crate) max_handles: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Compile {
    /// The program
    pub(crate) app: PathBuf,
    /// Where the compiled program is written
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// For runs with `--fuel`
    #[arg(long)]
    pub(crate) fuel: bool,
    /// For runs with `--timeout`, and for `turnkey serve`
    #[arg(long)]
    pub(crate) timeout: bool,
    /// For runs with `--deterministic`
    #[arg(long)]
    pub(crate) deterministic: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The program
    pub(crate) app: PathBuf,
}

/// Reads the command line. What is no command is answered here: help, or what is wrong with it.
pub(crate) fn parse() -> Result<Typed, ExitCode> {
    Typed::try_parse().map_err(|error| usage::answer(&error))
}
