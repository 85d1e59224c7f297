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
    /// Sockets and names, for a component: `tcp-connect=WHERE`, `tcp-listen=WHERE`, `udp=WHERE`, `udp-bind=WHERE`,
    /// `resolve=NAME`, or `network` for all of it; WHERE is `ADDRESS:PORT`, and ADDRESS an IP address, a block, a name, `*.NAME`
    /// or `*`
    #[arg(long, value_name = "WHAT[=WHERE]")]
    pub(crate) allow: Vec<String>,
    /// A name of a host that is known without asking anybody; a look-up still needs its grant
    #[arg(long, value_name = "NAME:IP", value_parser = units::host)]
    pub(crate) add_host: Vec<(String, IpAddr)>,
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
pub(crate) struct Compile {
    /// The program
    pub(crate) app: PathBuf,
    /// Where the compiled program is written
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// For runs with `--fuel`
    #[arg(long)]
    pub(crate) fuel: bool,
    /// For runs with `--timeout`
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
