//! Where this repository is, and building what is measured with the same cargo that runs this task.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Where things that can be made again are put.
pub(crate) fn target() -> PathBuf {
    let chosen = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = chosen.unwrap_or_else(|| root().join("target"));
    // Given relative, it is so to the folder that cargo was started in, as is this process.
    std::path::absolute(&target).unwrap_or(target)
}

/// Builds the command line in release mode and says where its binary is.
///
/// # Errors
/// Cargo could not be run, or failed: it has then said why.
pub(crate) fn build_cli() -> Result<PathBuf, String> {
    let manifest = root().join("Cargo.toml");
    build(&manifest, &["--package", "turnkey-cli"], &target())
}

/// Builds this task in release mode: what of it is a limit is not to be held back by how tasks are compiled.
///
/// # Errors
/// Cargo could not be run, or failed: it has then said why.
pub(super) fn build_xtask() -> Result<PathBuf, String> {
    let manifest = root().join("Cargo.toml");
    build(&manifest, &["--package", "xtask"], &target())
}

/// Builds a guest program for this machine, as it is: plain `std`.
///
/// # Errors
/// Cargo could not be run, or failed: it has then said why.
pub(super) fn build_native_guest(name: &str) -> Result<PathBuf, String> {
    let manifest = root().join("guests/rust/Cargo.toml");
    let target = target().join("native-guests");
    build(&manifest, &["--bin", name], &target)
}

/// Cargo says itself where it put the executable: that holds whatever profile or target its configuration sets.
fn build(manifest: &Path, what: &[&str], target: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--quiet"])
        .arg("--message-format=json-render-diagnostics")
        .args(what)
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    let built = executable(&String::from_utf8_lossy(&output.stdout));
    match built {
        Some(path) if output.status.success() => Ok(path),
        _ => Err(format!("`cargo build --release {}` failed", what.join(" "))),
    }
}

fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().rev();
    messages
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/t/release/turnkey\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable(messages), Some(PathBuf::from("/t/release/turnkey")));
        assert_eq!(executable("not json"), None);
    }
}
