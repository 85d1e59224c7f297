//! One load by `wrk`, and what it says of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What was measured in one load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    pub(super) requests_per_second: f64,
    pub(super) median_ms: f64,
}

/// The program: what WRK names, or `wrk` on PATH.
///
/// # Errors
/// It is not there.
pub(super) fn program() -> Result<PathBuf, String> {
    let program = std::env::var_os("WRK").map_or_else(|| "wrk".into(), PathBuf::from);
    // It has no way to be asked that succeeds.
    match Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(_) => Ok(program),
        Err(error) => Err(format!("cannot run `{}`: {error}\nhint: Debian's wrk, or WRK=PATH", program.display())),
    }
}

/// Asks again and again for so many seconds.
///
/// # Errors
/// It failed, or an answer was no success, or a connection broke: such a load says nothing.
pub(super) fn run(
    program: &Path,
    address: SocketAddr,
    connections: u32,
    seconds: usize,
    script: Option<&Path>,
) -> Result<Load, String> {
    let mut command = Command::new(program);
    let threads = connections.min(2).to_string();
    command.args(["--latency", "--threads", &threads, "--connections", &connections.to_string()]);
    command.args(["--duration", &format!("{seconds}s")]);
    if let Some(script) = script {
        command.arg("--script").arg(script);
    }
    command.arg(format!("http://{address}/")).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{command:?}: {}\n{said}", output.status));
    }
    read(&said)
}

fn read(said: &str) -> Result<Load, String> {
    let row = |name: &str| said.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    for bad in ["Socket errors:", "Non-2xx or 3xx responses:"] {
        if let Some(what) = row(bad) {
            return Err(format!("{bad} {what}"));
        }
    }
    let requests_per_second = row("Requests/sec:").and_then(|word| word.parse().ok());
    match (requests_per_second, row("50%").and_then(milliseconds)) {
        (Some(requests_per_second), Some(median_ms)) if requests_per_second > 0.0 => {
            Ok(Load { requests_per_second, median_ms })
        }
        _ => Err(format!("wrk says no figures, but {said:?}")),
    }
}

fn milliseconds(word: &str) -> Option<f64> {
    // The last two are not the ends of each other, these are.
    for (unit, factor) in [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 60e3)] {
        if let Some(number) = word.strip_suffix(unit) {
            return Some(number.parse::<f64>().ok()? * factor);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Running 1s test @ http://127.0.0.1:1/\n  1 threads and 1 connections\n  \
                        Latency Distribution\n     50%  161.00us\n     75%    1.20ms\n  \
                        6700 requests in 1.00s, 1.01MB read\nRequests/sec:   6689.12\nTransfer/sec:      1.01MB\n";

    #[test]
    fn its_figures_are_read() {
        let load = read(SAID).unwrap();
        assert_eq!((load.requests_per_second, load.median_ms), (6689.12, 0.161));
        assert_eq!(milliseconds("1.50s"), Some(1500.0));
        assert_eq!(milliseconds("2.00m"), Some(120e3));
        assert_eq!(milliseconds("2"), None);
    }

    #[test]
    fn a_load_with_failures_has_none() {
        assert!(read(&format!("{SAID}  Non-2xx or 3xx responses: 3\n")).is_err());
        assert!(read(&format!("{SAID}  Socket errors: connect 0, read 1, write 0, timeout 0\n")).is_err());
        assert!(read("").is_err());
    }
}
