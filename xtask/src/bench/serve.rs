//! `turnkey serve` beside its peer, under `wrk`: the same component, with 1, 8 and 64 connections; a mebibyte sent back, with 8;
//! the memory at rest and at most. `hyper` alone answers the same in the same rounds: it is the limit.
//!
//! All servers of a program are started anew in each round, with what was compiled in their caches, and are then loaded in turn:
//! those that are not are idle. What each answers is looked at before. A load in which anything failed has no figures.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::bounds::{self, Bound};
use super::form::Form;
use super::hosts::{Host, Kind};
use super::memory::status_kib;
use super::options::Options;
use super::scratch::Scratch;
use super::served::Served;
use super::statistics::{median, ratio};
use super::wrk::{self, Load};
use super::{machine, table, tree, turns, write_json};

const DEFAULT_ROUNDS: usize = 5;
const DEFAULT_SECONDS: usize = 5;

const ECHO_BYTES: usize = 1 << 20;

/// How much faster than the peer each is to be, and how much of the limit is enough where that is less.
const PREVIEW2_BOUND: f64 = 4.0;
const PREVIEW3_BOUND: f64 = 2.0;
const OF_BARE: f64 = 0.8;
const ECHO_BOUND: f64 = 1.5;
/// The share of the peer's time and memory.
const LATENCY_BOUND: f64 = 0.35;
const MEMORY_BOUND: f64 = 1.0;

/// A component that is served.
struct Program {
    name: &'static str,
    is_preview3: bool,
    /// It sends back what comes, and is asked to.
    is_echo: bool,
    connections: &'static [u32],
}

const PROGRAMS: [Program; 4] = [
    Program { name: "p2_http_hello", is_preview3: false, is_echo: false, connections: &[1, 8, 64] },
    Program { name: "p3_http_hello", is_preview3: true, is_echo: false, connections: &[1, 8, 64] },
    Program { name: "p2_http_echo", is_preview3: false, is_echo: true, connections: &[8] },
    Program { name: "p3_http_echo", is_preview3: true, is_echo: true, connections: &[8] },
];

/// Who answers, in the order of the table.
enum Side {
    /// This task's own, in release mode.
    Bare(PathBuf),
    Host(Host),
}

impl Side {
    fn name(&self) -> &'static str {
        match self {
            Self::Bare(_) => "hyper",
            Self::Host(host) => host.name(),
        }
    }

    /// `hyper` has nothing to send back through.
    fn serves(&self, program: &Program) -> bool {
        matches!(self, Self::Host(_)) || !program.is_echo
    }
}

/// Memory of a process, in KiB.
#[derive(Clone, Copy)]
struct Memory {
    /// It listens, and nobody has come.
    rest: f64,
    /// The most that there was in all loads.
    peak: f64,
}

/// One figure in each round; nothing where it was not to be had.
type Rounds<T> = Vec<Option<T>>;

/// What was measured with one program, by side.
struct Outcome {
    program: &'static Program,
    /// By connections, then by side.
    loads: Vec<Vec<Rounds<Load>>>,
    memory: Vec<Rounds<Memory>>,
}

type LoadFigure = fn(&Load) -> f64;
type MemoryFigure = fn(&Memory) -> f64;

const REQUESTS: LoadFigure = |load| load.requests_per_second;
const LATENCY: LoadFigure = |load| load.median_ms;
const MEMORIES: [(&str, MemoryFigure); 2] =
    [("rest", |memory| memory.rest / 1024.0), ("peak", |memory| memory.peak / 1024.0)];

struct Bench {
    sides: Vec<Side>,
    wrk: PathBuf,
    scratch: Scratch,
    /// Each side's cache and configuration: neither does a user's change what is measured, nor does measuring touch it.
    homes: Vec<PathBuf>,
    seconds: usize,
    /// What went wrong in a load.
    complaints: Vec<String>,
}

/// Measures, prints the tables, writes the JSON.
///
/// # Errors
/// What could not be built or run, a wrong answer before the load; with `--check`, a failure under load, and bounds not met.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let mut bench = Bench::prepare(options)?;
    let rounds = options.rounds.unwrap_or(DEFAULT_ROUNDS);
    let mut outcomes: Vec<Outcome> =
        PROGRAMS.iter().filter(|program| options.wants(program.name)).map(|program| bench.empty(program)).collect();
    for outcome in &outcomes {
        // Compiles it, where it is not in the cache, and is not measured.
        bench.start(outcome.program)?;
    }
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for outcome in &mut outcomes {
            bench.measure(round, outcome)?;
        }
    }
    bench.report(options, &outcomes)
}

impl Bench {
    fn prepare(options: &Options) -> Result<Self, String> {
        let wrk = wrk::program()?;
        let mut sides = vec![Side::Bare(tree::build_xtask()?), Side::Host(Host::turnkey()?)];
        match Host::wasmtime() {
            Ok(host) => sides.push(Side::Host(host)),
            Err(note) => eprintln!("{note}"),
        }
        let mut scratch = Scratch::new(&tree::target())?;
        let homes = sides.iter().map(|_| scratch.fresh()).collect::<Result<_, _>>()?;
        let script = format!("wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", {ECHO_BYTES})\n");
        let path = scratch.file("echo.lua");
        std::fs::write(&path, script).map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
        let seconds = options.seconds.unwrap_or(DEFAULT_SECONDS);
        Ok(Self { sides, wrk, scratch, homes, seconds, complaints: Vec::new() })
    }

    fn empty(&self, program: &'static Program) -> Outcome {
        let sides = self.sides.len();
        let loads = program.connections.iter().map(|_| vec![Vec::new(); sides]).collect();
        Outcome { program, loads, memory: vec![Vec::new(); sides] }
    }

    /// Starts all that serve it, each with its memory at rest, and sees to it that they answer what they should.
    fn start(&self, program: &Program) -> Result<Vec<Option<(Served, f64)>>, String> {
        let component = Form::Component.program(program.name)?;
        let start = |side: &Side, home: &Path| {
            let mut command = match side {
                Side::Bare(xtask) => {
                    let mut command = Command::new(xtask);
                    command.args(["bench", "bare"]);
                    command
                }
                Side::Host(host) => host.serving(&component, program.is_preview3, &[]),
            };
            command.env("XDG_CACHE_HOME", home.join("cache")).env("XDG_CONFIG_HOME", home.join("config"));
            let served = Served::start(command)?;
            let rest = status_kib(served.process(), "VmRSS:")?;
            if program.is_echo {
                let bytes: Vec<u8> = (0..ECHO_BYTES).map(|index| (index % 251) as u8).collect();
                served.expect("/", Some(&bytes), &bytes)?;
            } else {
                served.expect("/", None, b"hello\n")?;
            }
            Ok((served, rest))
        };
        let sides = self.sides.iter().zip(&self.homes);
        let started = sides.map(|(side, home)| {
            let started = side.serves(program).then(|| start(side, home)).transpose();
            started.map_err(|error: String| format!("{}: {}: {error}", program.name, side.name()))
        });
        started.collect()
    }

    fn measure(&mut self, round: usize, outcome: &mut Outcome) -> Result<(), String> {
        let program = outcome.program;
        let script = self.scratch.file("echo.lua");
        let script = program.is_echo.then_some(&*script);
        let servers = self.start(program)?;
        for (&connections, loads) in program.connections.iter().zip(&mut outcome.loads) {
            for index in turns(round, servers.len()) {
                let Some((served, _)) = &servers[index] else { continue };
                let load = wrk::run(&self.wrk, served.address(), connections, self.seconds, script);
                let load = load.map_err(|error| {
                    let (name, side) = (program.name, self.sides[index].name());
                    let complaint = format!("{name}, {connections} connections: {side}: {error}; {:?}", served.said());
                    eprintln!("{complaint}");
                    self.complaints.push(complaint);
                });
                loads[index].push(load.ok());
            }
        }
        for (served, memory) in servers.iter().zip(&mut outcome.memory) {
            let Some((served, rest)) = served else { continue };
            let peak = status_kib(served.process(), "VmHWM:").ok();
            memory.push(peak.map(|peak| Memory { rest: *rest, peak }));
        }
        Ok(())
    }

    fn report(&self, options: &Options, outcomes: &[Outcome]) -> Result<(), String> {
        let bounds: Vec<(&str, Bound)> = outcomes.iter().flat_map(|outcome| self.bounds(outcome)).collect();
        let hosts = self.sides.iter().filter_map(|side| match side {
            Side::Bare(_) => None,
            Side::Host(host) => Some(host),
        });
        let machine = machine::describe(hosts);
        println!("{}", machine::line(&machine));
        println!("wrk on the loopback interface, {} s each, medians of the rounds\n", self.seconds);
        for outcome in outcomes {
            println!("{}", self.table(outcome));
        }
        for (of, bound) in &bounds {
            println!("{of}: {}", bound.cell());
        }
        for complaint in &self.complaints {
            println!("failed: {complaint}");
        }
        let report = json!({
            "bench": "serve",
            "machine": machine,
            "seconds": self.seconds,
            "programs": outcomes.iter().map(|outcome| self.json(outcome)).collect::<Vec<_>>(),
            "failed": self.complaints,
            "bounds": bounds.iter().map(|(of, bound)| json!({ "of": of, "bound": bound.json() })).collect::<Vec<_>>(),
        });
        write_json(options, &report)?;
        if !options.check {
            return Ok(());
        }
        if !self.complaints.is_empty() {
            return Err(format!("loads failed:\n{}", self.complaints.join("\n")));
        }
        bounds::check(bounds.iter().map(|(of, bound)| (*of, bound)))
    }

    fn bounds(&self, outcome: &Outcome) -> Vec<(&'static str, Bound)> {
        let program = outcome.program;
        let mut bounds = Vec::new();
        for (connections, loads) in program.connections.iter().zip(&outcome.loads) {
            let title = |figure: &str| format!("{figure} at {connections}/wasmtime");
            let least = match (program.is_echo, program.is_preview3) {
                (true, _) => ECHO_BOUND,
                (false, false) => PREVIEW2_BOUND,
                (false, true) => {
                    let bare = self.bare_ratio(loads).map(|ratio| ratio * OF_BARE);
                    bare.map_or(PREVIEW3_BOUND, |bare| bare.min(PREVIEW3_BOUND))
                }
            };
            bounds.push(Bound::at_least(&title("requests"), self.ratio(loads, REQUESTS), least));
            if program.name == "p2_http_hello" && *connections == 1 {
                bounds.push(Bound::at_most(&title("latency"), self.ratio(loads, LATENCY), LATENCY_BOUND));
            }
        }
        for (name, figure) in MEMORIES {
            let ratio = self.ratio(&outcome.memory, figure);
            bounds.push(Bound::at_most(&format!("{name} memory/wasmtime"), ratio, MEMORY_BOUND));
        }
        bounds.into_iter().map(|bound| (program.name, bound)).collect()
    }

    /// One figure of a host in each round; none if it is not on this machine.
    fn of<T>(&self, measured: &[Rounds<T>], kind: Kind, figure: fn(&T) -> f64) -> Rounds<f64> {
        let is_it = |side: &Side| matches!(side, Side::Host(host) if host.kind == kind);
        let index = self.sides.iter().position(is_it);
        index.map_or_else(Vec::new, |index| each(&measured[index], figure))
    }

    fn ratio<T>(&self, measured: &[Rounds<T>], figure: fn(&T) -> f64) -> Option<f64> {
        ratio(&self.of(measured, Kind::Turnkey, figure), &self.of(measured, Kind::Wasmtime, figure))
    }

    /// How much faster than the peer the limit is.
    fn bare_ratio(&self, loads: &[Rounds<Load>]) -> Option<f64> {
        let bare = self.sides.iter().position(|side| matches!(side, Side::Bare(_)))?;
        ratio(&each(&loads[bare], REQUESTS), &self.of(loads, Kind::Wasmtime, REQUESTS))
    }

    fn table(&self, outcome: &Outcome) -> String {
        let mut headings = vec![outcome.program.name.to_owned()];
        for connections in outcome.program.connections {
            headings.extend([format!("{connections}: requests/s"), "median ms".to_owned()]);
        }
        headings.extend(MEMORIES.map(|(name, _)| format!("{name} MiB")));
        headings.push(String::new());
        let served = self.sides.iter().enumerate().filter(|(_, side)| side.serves(outcome.program));
        let mut rows: Vec<Vec<String>> = Vec::new();
        for (index, side) in served {
            let mut cells = vec![side.name().to_owned()];
            for loads in &outcome.loads {
                cells.push(table::number(middle(&loads[index], REQUESTS), 0));
                cells.push(table::number(middle(&loads[index], LATENCY), 3));
            }
            cells.extend(MEMORIES.map(|(_, figure)| table::number(middle(&outcome.memory[index], figure), 1)));
            rows.push(cells);
        }
        let mut ratios = vec!["turnkey/wasmtime".to_owned()];
        for loads in &outcome.loads {
            ratios.extend([REQUESTS, LATENCY].map(|figure| table::number(self.ratio(loads, figure), 2)));
        }
        ratios.extend(MEMORIES.map(|(_, figure)| table::number(self.ratio(&outcome.memory, figure), 2)));
        rows.push(ratios);
        let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
        table::render(&headings, &rows)
    }

    fn json(&self, outcome: &Outcome) -> Value {
        let figure =
            |numbers: Rounds<f64>| json!({ "median": median(numbers.iter().flatten().copied()), "rounds": numbers });
        let served = self.sides.iter().enumerate().filter(|(_, side)| side.serves(outcome.program));
        let sides = served.map(|(index, side)| {
            let loads = outcome.program.connections.iter().zip(&outcome.loads).map(|(connections, loads)| {
                let load = json!({
                    "requests_per_second": figure(each(&loads[index], REQUESTS)),
                    "median_ms": figure(each(&loads[index], LATENCY)),
                });
                (connections.to_string(), load)
            });
            let memory = MEMORIES.map(|(name, of)| (format!("{name}_mib"), figure(each(&outcome.memory[index], of))));
            let side_json = json!({
                "connections": loads.collect::<serde_json::Map<_, _>>(),
                "memory": memory.into_iter().collect::<serde_json::Map<_, _>>(),
            });
            (side.name().to_owned(), side_json)
        });
        json!({ "name": outcome.program.name, "servers": sides.collect::<serde_json::Map<_, _>>() })
    }
}

fn each<T>(rounds: &Rounds<T>, figure: fn(&T) -> f64) -> Rounds<f64> {
    rounds.iter().map(|measured| measured.as_ref().map(figure)).collect()
}

fn middle<T>(rounds: &Rounds<T>, figure: fn(&T) -> f64) -> Option<f64> {
    median(each(rounds, figure).into_iter().flatten())
}
