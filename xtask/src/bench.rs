//! `cargo xtask bench NAME`: Turnkey beside a peer, in one run, as ratios.
//!
//! Not a benchmark harness for functions: whole processes are run, in turn, so that a noisy machine is noisy for all of
//! them. The bounds are those of SPECIFICATION.md, and are only enforced with `--check`.
#![allow(clippy::disallowed_methods, reason = "a bench measures with the real clock and starts programs")]

mod bare;
mod blocks;
mod bounds;
mod client;
mod connections;
mod density;
mod descriptors;
mod echo;
mod form;
mod hostcalls;
mod hosts;
mod http1;
mod lines;
mod machine;
mod measured;
mod memory;
mod options;
mod processor;
mod report;
mod scratch;
mod serve;
mod serve_cold;
mod served;
mod server;
mod silent;
mod startup;
mod statistics;
mod streams;
mod table;
pub(crate) mod tree;
mod unharmed;
mod wrk;

use options::Options;

const USAGE: &str = "\
usage: cargo xtask bench NAME [OPTIONS]

  hostcalls      each host call, by itself
  startup        whole runs of a small program
  echo           a component that sends back what comes over TCP: round trips, and many bytes at once
  connections    the memory of a process whose component serves 1000 connections
  streams        streams and timers of a component of Preview 3
  serve          `turnkey serve` under `wrk`: requests a second, latency, memory
  serve-cold     from the start of a server to its first answer
  faults         good requests beside those whose guests fail in every way: none is lost, no memory grows
  reload         requests while the app is loaded anew again and again: none is lost
  density        the memory of a process in which 10000 requests wait, each in an instance of its own

  --component    the program as a component of Preview 2, not as a module (hostcalls, startup)
  --python FILE  run this component of guests/python too, and not the one that `cargo xtask guests python`
                 has left (startup --component)
  --rounds N     rounds, each with every host in it (hostcalls: 5, startup: 60, echo: 9, connections: 3,
                 streams: 9, serve: 5, serve-cold: 40, density: 1)
  --seconds S    how long a load lasts (serve: 5, faults: 600, reload: 30)
  --instances N  how many wait (density: 10000)
  --only A,B     only these operations (hostcalls, streams), or these programs (serve, density)
  --json FILE    write everything that was measured, and on what
  --folder DIR   where the guests of `hostcalls` and `streams` have their files (a folder in memory, if there is one)
  --check        fail if a bound is not met, or cannot be judged

The peer is `wasmtime` on PATH, or the binary that WASMTIME names; TURNKEY names one that is measured instead of this tree's;
WRK names `wrk`.
";

/// Runs the bench that the words name.
///
/// # Errors
/// What could not be built or run; a guest's output that was not what it wrote; with `--check`, the bounds not met.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let Some((name, rest)) = words.split_first() else {
        return Err(USAGE.to_owned());
    };
    let options = Options::parse(rest).map_err(|message| format!("{message}\n\n{USAGE}"))?;
    match name.as_str() {
        "hostcalls" => hostcalls::run(&options),
        "startup" => startup::run(&options),
        "echo" => echo::run(&options),
        "connections" => connections::run(&options),
        "streams" => streams::run(&options),
        "serve" => serve::run(&options),
        "serve-cold" => serve_cold::run(&options),
        "faults" => unharmed::faults(&options),
        "reload" => unharmed::reload(&options),
        "density" => density::run(&options),
        // For `serve`, which starts it.
        "bare" => bare::serve(),
        _ => Err(USAGE.to_owned()),
    }
}

/// Writes what was measured where `--json` says, if it was given.
fn write_json(options: &Options, report: &serde_json::Value) -> Result<(), String> {
    let Some(path) = &options.json else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
    std::fs::write(path, text + "\n").map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

/// The places of a round, beginning with another one each time: none is always first.
fn turns(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |turn| (round + turn) % count)
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn everyone_has_a_turn_in_every_round() {
        assert_eq!(turns(0, 3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(turns(4, 3).collect::<Vec<_>>(), [1, 2, 0]);
    }
}
