//! Who is compared, and how each is asked to run a guest.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tree;

/// The folder's name for the guest, whatever it is outside.
const GUEST_DIRECTORY: &str = "/bench";

/// The peer's release line that the bounds are stated against.
const WASMTIME_LINE: &str = "48.";

/// A way to run a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The same source, compiled for this machine: what the system calls themselves cost.
    Native,
    Turnkey,
    Wasmtime,
    Node,
}

/// A way to run a guest, as found on this machine.
pub(super) struct Host {
    pub(super) kind: Kind,
    pub(super) program: PathBuf,
    pub(super) version: String,
}

impl Host {
    /// This tree's command line, in release mode, or the binary that TURNKEY names.
    ///
    /// # Errors
    /// It does not build, or does not run.
    pub(super) fn turnkey() -> Result<Self, String> {
        let program = std::env::var_os("TURNKEY").map_or_else(tree::build_cli, |named| Ok(PathBuf::from(named)))?;
        let version = version_of(&program).ok_or_else(|| format!("`{} --version` failed", program.display()))?;
        Ok(Self { kind: Kind::Turnkey, program, version })
    }

    /// The peer, or why there is none.
    ///
    /// # Errors
    /// A note for the reader: it is missing, or of another release line.
    pub(super) fn wasmtime() -> Result<Self, String> {
        let program = std::env::var_os("WASMTIME").map_or_else(|| "wasmtime".into(), PathBuf::from);
        let Some(version) = version_of(&program) else {
            return Err(format!(
                "no wasmtime (`{}`): its column stays empty\n\
                 hint: `cargo install wasmtime-cli --version ^48 --locked`, or WASMTIME=PATH",
                program.display()
            ));
        };
        let number = version.split(' ').nth(1).unwrap_or_default();
        if !number.starts_with(WASMTIME_LINE) {
            return Err(format!(
                "{version} is left out: the bounds are stated against {WASMTIME_LINE}x\n\
                 hint: `cargo install wasmtime-cli --version ^48 --locked`, or WASMTIME=PATH"
            ));
        }
        Ok(Self { kind: Kind::Wasmtime, program, version })
    }

    /// Node's own WASI, where there is a Node.
    pub(super) fn node() -> Option<Self> {
        let program = PathBuf::from("node");
        let version = format!("node {}", version_of(&program)?);
        Some(Self { kind: Kind::Node, program, version })
    }

    /// A guest program as a program of this machine.
    ///
    /// # Errors
    /// It does not build.
    pub(super) fn native(guest: &str) -> Result<Self, String> {
        Ok(Self { kind: Kind::Native, program: tree::build_native_guest(guest)?, version: "native".to_owned() })
    }

    /// Its column's name.
    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Native => "native",
            Kind::Turnkey => "turnkey",
            Kind::Wasmtime => "wasmtime",
            Kind::Node => "node",
        }
    }

    /// The size of its binary, where it is known where that is.
    pub(super) fn binary_bytes(&self) -> Option<u64> {
        let metadata = if self.program.components().count() > 1 {
            self.program.metadata().ok()
        } else {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path)
                .map(|folder| folder.join(&self.program))
                .find(|place| place.is_file())
                .and_then(|place| place.metadata().ok())
        };
        metadata.map(|metadata| metadata.len())
    }

    /// Runs `module` with one folder, whose name for the guest is its first argument.
    pub(super) fn with_directory(&self, module: &Path, directory: &Path, word: &str) -> Command {
        let mut command = Command::new(&self.program);
        match self.kind {
            Kind::Native => {
                command.arg(directory);
            }
            Kind::Turnkey | Kind::Wasmtime => {
                let mut grant = directory.as_os_str().to_owned();
                grant.push("::");
                grant.push(GUEST_DIRECTORY);
                command.args(["run", "--dir"]).arg(grant).arg(module);
                command.arg(GUEST_DIRECTORY);
            }
            Kind::Node => {
                let runner = tree::root().join("benches/node-wasi.mjs");
                // Its warning that WASI is experimental would be read as the guest's.
                command.arg("--no-warnings").arg(runner);
                command.args([module, directory]);
                command.args([GUEST_DIRECTORY, GUEST_DIRECTORY]);
            }
        }
        command.arg(word);
        command
    }

    /// Runs `module` with nothing granted.
    pub(super) fn plain(&self, module: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("run").arg(module);
        command
    }

    /// Runs a component that may listen on any port of 127.0.0.1. Its words are still to be added.
    pub(super) fn listening(&self, component: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("run");
        match self.kind {
            Kind::Turnkey => command.args(["--allow", "tcp-listen=127.0.0.1:0"]),
            // Its command line gives all of the network or nothing.
            Kind::Wasmtime => command.args(["-S", "inherit-network"]),
            // They run no components.
            Kind::Native | Kind::Node => &mut command,
        };
        command.arg(component);
        command
    }

    /// Serves HTTP with a component, of Preview 3 or 2, on a port of 127.0.0.1 that is free.
    pub(super) fn serving(&self, component: &Path, is_preview3: bool, flags: &[String]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["serve", "--addr", "127.0.0.1:0"]);
        if self.kind == Kind::Wasmtime {
            command.args(["-S", "cli"]);
            if is_preview3 {
                command.args(["-W", "component-model-async", "-S", "p3,http"]);
            }
        }
        command.args(flags).arg(component);
        command
    }

    /// Runs a component of Preview 3 with its words, the last of which is the place that it works in: the peer that it may
    /// connect to, where there is one, or else the folder.
    pub(super) fn with_streams(
        &self,
        component: &Path,
        directory: &Path,
        peer: Option<SocketAddr>,
        words: [&str; 2],
    ) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("run");
        match self.kind {
            Kind::Turnkey => {
                if let Some(peer) = peer {
                    command.args(["--allow", &format!("tcp-connect={peer}")]);
                }
            }
            Kind::Wasmtime => {
                command.args(["-W", "component-model-async=y", "-S", "p3=y", "-S", "inherit-network"]);
            }
            // They run no components.
            Kind::Native | Kind::Node => {}
        }
        let mut grant = directory.as_os_str().to_owned();
        grant.push("::");
        grant.push(GUEST_DIRECTORY);
        command.arg("--dir").arg(grant).arg(component).args(words);
        command.arg(peer.map_or_else(|| GUEST_DIRECTORY.to_owned(), |peer| peer.to_string()));
        command
    }
}

fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().next()?.trim().to_owned())
}
