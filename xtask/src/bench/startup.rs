//! Whole runs of a small module: wall time and peak memory with what was compiled in the cache, and without.
//!
//! `true` runs in the same rounds. It is the floor: what starting any process costs here, and how much memory a child
//! of this process shows at the least.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::bounds::{self, Bound};
use super::hosts::{Host, Kind};
use super::measured::{self, Measured};
use super::options::Options;
use super::scratch::Scratch;
use super::statistics::{median, ratio};
use super::{guest, machine, table, tree, write_json};

const DEFAULT_ROUNDS: usize = 60;

/// Of runs that compile, which take long and vary little.
const FIRST_ROUNDS: usize = 5;

const WARM_WALL_BOUND: f64 = 0.40;
const FIRST_WALL_BOUND: f64 = 1.0;
const PEAK_RSS_BOUND: f64 = 0.6;
const BINARY_BOUND_MB: f64 = 20.0;

/// Who takes part, in the order of the table.
enum Runner {
    Floor,
    Host(Host),
}

impl Runner {
    fn name(&self) -> &'static str {
        match self {
            Self::Floor => "true",
            Self::Host(host) => host.name(),
        }
    }

    fn is(&self, kind: Kind) -> bool {
        matches!(self, Self::Host(host) if host.kind == kind)
    }
}

/// Every run of one runner.
type Runs = Vec<Measured>;

struct Bench {
    runners: Vec<Runner>,
    module: PathBuf,
    scratch: Scratch,
}

/// Measures, prints the tables, writes the JSON.
///
/// # Errors
/// What could not be built or run, a cache that stays empty, bounds not met if that was to be checked.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let mut bench = Bench::prepare()?;
    let rounds = options.rounds.unwrap_or(DEFAULT_ROUNDS);
    eprintln!("{FIRST_ROUNDS} rounds that compile");
    let first = bench.first_runs()?;
    eprintln!("{rounds} rounds with a warm cache");
    let warm = bench.warm_runs(rounds)?;
    bench.report(options, &warm, &first)
}

impl Bench {
    fn prepare() -> Result<Self, String> {
        let module = guest("small.wasm")?;
        let mut runners = vec![Runner::Floor, Runner::Host(Host::turnkey()?)];
        match Host::wasmtime() {
            Ok(host) => runners.push(Runner::Host(host)),
            Err(note) => eprintln!("{note}"),
        }
        let scratch = Scratch::new(&tree::target())?;
        Ok(Self { runners, module, scratch })
    }

    /// One command, with its cache and its configuration in `home` only: neither does a user's configuration change
    /// what is measured, nor does measuring touch the user's cache.
    fn command(&self, runner: &Runner, home: &Path) -> Command {
        let mut command = match runner {
            Runner::Floor => Command::new("true"),
            Runner::Host(host) => host.plain(&self.module),
        };
        command
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    fn measure(&self, runner: &Runner, home: &Path) -> Result<Measured, String> {
        measured::run(&mut self.command(runner, home))
    }

    fn first_runs(&mut self) -> Result<Vec<Runs>, String> {
        let mut runs = vec![Runs::new(); self.runners.len()];
        for round in 0..FIRST_ROUNDS {
            for index in turns(round, self.runners.len()) {
                // A new folder is an empty cache.
                let home = self.scratch.fresh()?;
                runs[index].push(self.measure(&self.runners[index], &home)?);
            }
        }
        Ok(runs)
    }

    fn warm_runs(&mut self, rounds: usize) -> Result<Vec<Runs>, String> {
        let mut homes = Vec::new();
        for _ in 0..self.runners.len() {
            homes.push(self.scratch.fresh()?);
        }
        for (runner, home) in self.runners.iter().zip(&homes) {
            self.warm_up(runner, home)?;
        }
        let mut runs = vec![Runs::new(); self.runners.len()];
        for round in 0..rounds {
            for index in turns(round, self.runners.len()) {
                runs[index].push(self.measure(&self.runners[index], &homes[index])?);
            }
        }
        Ok(runs)
    }

    /// Fills the cache, and makes sure that there is something in it: a bench of warm runs that are none says nothing.
    fn warm_up(&self, runner: &Runner, home: &Path) -> Result<(), String> {
        self.measure(runner, home)?;
        if matches!(runner, Runner::Floor) || holds_a_file(&home.join("cache")) {
            return Ok(());
        }
        Err(format!("{} put nothing into its cache under XDG_CACHE_HOME: its warm runs would compile", runner.name()))
    }

    fn ratio(&self, runs: &[Runs], figure: Figure) -> Option<f64> {
        let figures = |kind| {
            let index = self.runners.iter().position(|runner| runner.is(kind));
            index.map_or_else(Vec::new, |index| runs[index].iter().map(|run| Some(figure(run))).collect())
        };
        ratio(&figures(Kind::Turnkey), &figures(Kind::Wasmtime))
    }

    fn report(&self, options: &Options, warm: &[Runs], first: &[Runs]) -> Result<(), String> {
        let sizes = self.binary_sizes();
        let bounds = self.bounds(warm, first, &sizes);
        let machine = machine::describe(self.hosts());
        println!("{}", machine::line(&machine));
        println!("{}", self.table("warm cache", warm));
        println!("{}", self.table("first run, compiling", first));
        println!("{}", sizes_table(&sizes));
        for bound in &bounds {
            println!("{}", bound.cell());
        }
        let report = json!({
            "bench": "startup",
            "machine": machine,
            "warm": self.runs_json(warm),
            "first": self.runs_json(first),
            "binary_bytes": sizes_json(&sizes),
            "bounds": bounds.iter().map(Bound::json).collect::<Vec<_>>(),
        });
        write_json(options, &report)?;
        if !options.check {
            return Ok(());
        }
        bounds::check(bounds.iter().map(|bound| ("startup", bound)))
    }
    fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.runners.iter().filter_map(|runner| match runner {
            Runner::Floor => None,
            Runner::Host(host) => Some(host),
        })
    }

    fn binary_sizes(&self) -> Vec<(String, Option<u64>)> {
        self.hosts().map(|host| (host.name().to_owned(), host.binary_bytes())).collect()
    }

    fn bounds(&self, warm: &[Runs], first: &[Runs], sizes: &[(String, Option<u64>)]) -> Vec<Bound> {
        let ours = sizes.iter().find(|(name, _)| name == "turnkey");
        let megabytes = ours.and_then(|(_, bytes)| *bytes).map(megabytes);
        let ratio_of = |name, runs, figure, limit| Bound::at_most(name, self.ratio(runs, figure), limit);
        vec![
            ratio_of("warm wall/wasmtime", warm, wall_ms, WARM_WALL_BOUND),
            ratio_of("first wall/wasmtime", first, wall_ms, FIRST_WALL_BOUND),
            ratio_of("warm peak RSS/wasmtime", warm, peak_rss_mib, PEAK_RSS_BOUND),
            Bound::at_most("binary in MB", megabytes, BINARY_BOUND_MB),
        ]
    }

    fn table(&self, title: &str, runs: &[Runs]) -> String {
        let headings = [title, "wall ms", "CPU ms", "peak RSS MiB", ""];
        let rows = self.runners.iter().zip(runs).map(|(runner, runs)| {
            let mut cells = vec![runner.name().to_owned()];
            cells.extend(FIGURES.map(|(_, figure)| table::number(median(runs.iter().map(figure)), 2)));
            cells
        });
        let mut rows: Vec<Vec<String>> = rows.collect();
        let mut ratios = vec!["turnkey/wasmtime".to_owned()];
        ratios.extend(FIGURES.map(|(_, figure)| table::number(self.ratio(runs, figure), 3)));
        rows.push(ratios);
        table::render(&headings, &rows)
    }

    fn runs_json(&self, runs: &[Runs]) -> Value {
        let runners = self.runners.iter().zip(runs);
        let runners = runners.map(|(runner, runs)| (runner.name().to_owned(), figures_json(runs)));
        let ratios = FIGURES.map(|(name, figure)| (name.to_owned(), json!(self.ratio(runs, figure))));
        json!({
            "runs": runners.collect::<serde_json::Map<_, _>>(),
            "turnkey_to_wasmtime": ratios.into_iter().collect::<serde_json::Map<_, _>>(),
        })
    }
}

/// One number of a run.
type Figure = fn(&Measured) -> f64;

const FIGURES: [(&str, Figure); 3] = [("wall_ms", wall_ms), ("cpu_ms", cpu_ms), ("peak_rss_mib", peak_rss_mib)];

fn wall_ms(run: &Measured) -> f64 {
    run.wall_ms
}

fn cpu_ms(run: &Measured) -> f64 {
    run.cpu_ms
}

fn peak_rss_mib(run: &Measured) -> f64 {
    run.peak_rss_kib / 1024.0
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn figures_json(runs: &Runs) -> Value {
    let figures = FIGURES.map(|(name, figure)| {
        let numbers: Vec<f64> = runs.iter().map(figure).collect();
        let figures = json!({ "median": median(numbers.iter().copied()), "rounds": numbers });
        (name.to_owned(), figures)
    });
    Value::Object(figures.into_iter().collect())
}

fn sizes_table(sizes: &[(String, Option<u64>)]) -> String {
    let row = |(name, bytes): &(String, Option<u64>)| vec![name.clone(), table::number(bytes.map(megabytes), 1)];
    let rows: Vec<Vec<String>> = sizes.iter().map(row).collect();
    table::render(&["binary", "MB", ""], &rows)
}

fn sizes_json(sizes: &[(String, Option<u64>)]) -> Value {
    let sizes = sizes.iter();
    Value::Object(sizes.map(|(name, bytes)| (name.clone(), json!(bytes))).collect())
}

/// The runners of a round, beginning with another one each time.
fn turns(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |turn| (round + turn) % count)
}

fn holds_a_file(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| entry.path().is_file() || holds_a_file(&entry.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runner_has_its_turn_in_every_round() {
        assert_eq!(turns(0, 3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(turns(4, 3).collect::<Vec<_>>(), [1, 2, 0]);
    }
}
