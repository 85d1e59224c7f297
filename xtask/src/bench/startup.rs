//! Whole runs of a small program: wall time and peak memory with what was compiled in the cache, and without. With
//! `--component` also of a large one, CPython, which is only started and ends.
//!
//! `true` runs in the same rounds. It is the floor: what starting any process costs here, and how much memory a child
//! of this process shows at the least.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::bounds::{self, Bound};
use super::form::Form;
use super::hosts::{Host, Kind};
use super::measured::{self, Measured};
use super::options::Options;
use super::scratch::Scratch;
use super::statistics::{median, ratio};
use super::{machine, table, tree, turns, write_json};

const DEFAULT_ROUNDS: usize = 60;

/// Of runs that compile, which take long and vary little.
const FIRST_ROUNDS: usize = 5;

/// CPython has a quarter of the rounds: its runs take ten times as long, and compiling it takes many seconds.
const PYTHON_ROUNDS_DIVISOR: usize = 4;
const PYTHON_FIRST_ROUNDS: usize = 1;

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

/// What is run.
struct Program {
    name: &'static str,
    path: PathBuf,
    words: &'static [&'static str],
    first_rounds: usize,
    warm_rounds: usize,
    bounds: &'static [Promise],
}

/// A ratio to the peer that was promised.
type Promise = (&'static str, Warmth, Figure, f64);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Warmth {
    /// The cache is empty.
    First,
    Warm,
}

const MODULE_BOUNDS: &[Promise] = &[
    ("warm wall/wasmtime", Warmth::Warm, wall_ms, 0.40),
    ("first wall/wasmtime", Warmth::First, wall_ms, 1.0),
    ("warm peak RSS/wasmtime", Warmth::Warm, peak_rss_mib, 0.6),
];
const COMPONENT_BOUNDS: &[Promise] = &[("warm wall/wasmtime", Warmth::Warm, wall_ms, 0.45)];
const PYTHON_BOUNDS: &[Promise] = &[("warm wall/wasmtime", Warmth::Warm, wall_ms, 0.7)];

impl Program {
    fn small(form: Form, rounds: usize) -> Result<Self, String> {
        Ok(Self {
            name: "small",
            path: form.program("small")?,
            words: &[],
            first_rounds: FIRST_ROUNDS,
            warm_rounds: rounds,
            bounds: match form {
                Form::Module => MODULE_BOUNDS,
                Form::Component => COMPONENT_BOUNDS,
            },
        })
    }

    /// The component of guests/python. It prints its words and what it reads, which is nothing.
    fn python(path: PathBuf, rounds: usize) -> Self {
        Self {
            name: "python",
            path,
            words: &["given"],
            first_rounds: PYTHON_FIRST_ROUNDS,
            warm_rounds: rounds.div_ceil(PYTHON_ROUNDS_DIVISOR),
            bounds: PYTHON_BOUNDS,
        }
    }

    fn bytes(&self) -> Option<u64> {
        self.path.metadata().ok().map(|metadata| metadata.len())
    }
}

/// Every run of one runner.
type Runs = Vec<Measured>;

/// What was measured with one program: by runner, in their order.
struct Outcome {
    first: Vec<Runs>,
    warm: Vec<Runs>,
}

impl Outcome {
    fn runs(&self, warmth: Warmth) -> &[Runs] {
        match warmth {
            Warmth::First => &self.first,
            Warmth::Warm => &self.warm,
        }
    }
}

struct Bench {
    runners: Vec<Runner>,
    form: Form,
    programs: Vec<Program>,
    scratch: Scratch,
}

/// Measures, prints the tables, writes the JSON.
///
/// # Errors
/// What could not be built or run, a cache that stays empty, bounds not met if that was to be checked.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let mut bench = Bench::prepare(options)?;
    let mut outcomes = Vec::new();
    for index in 0..bench.programs.len() {
        let Program { name, first_rounds, warm_rounds, .. } = bench.programs[index];
        eprintln!("{name}: {first_rounds} rounds that compile");
        let first = bench.first_runs(index, first_rounds)?;
        eprintln!("{name}: {warm_rounds} rounds with a warm cache");
        let warm = bench.warm_runs(index, warm_rounds)?;
        outcomes.push(Outcome { first, warm });
    }
    bench.report(options, &outcomes)
}

impl Bench {
    fn prepare(options: &Options) -> Result<Self, String> {
        let rounds = options.rounds.unwrap_or(DEFAULT_ROUNDS);
        let mut programs = vec![Program::small(options.form, rounds)?];
        if options.form == Form::Component {
            match options.python.clone().or_else(left_python) {
                Some(path) => programs.push(Program::python(path, rounds)),
                None => eprintln!(
                    "no component of CPython: it is left out\nhint: `cargo xtask guests python`, or --python FILE"
                ),
            }
        }
        let mut runners = vec![Runner::Floor, Runner::Host(Host::turnkey()?)];
        match Host::wasmtime() {
            Ok(host) => runners.push(Runner::Host(host)),
            Err(note) => eprintln!("{note}"),
        }
        let scratch = Scratch::new(&tree::target())?;
        Ok(Self { runners, form: options.form, programs, scratch })
    }

    /// One command, with its cache and its configuration in `home` only: neither does a user's configuration change
    /// what is measured, nor does measuring touch the user's cache.
    fn command(&self, runner: &Runner, program: &Program, home: &Path) -> Command {
        let mut command = match runner {
            Runner::Floor => Command::new("true"),
            Runner::Host(host) => host.plain(&program.path),
        };
        command
            .args(program.words)
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    fn measure(&self, runner: usize, program: usize, home: &Path) -> Result<Measured, String> {
        measured::run(&mut self.command(&self.runners[runner], &self.programs[program], home))
    }

    fn first_runs(&mut self, program: usize, rounds: usize) -> Result<Vec<Runs>, String> {
        let mut runs = vec![Runs::new(); self.runners.len()];
        for round in 0..rounds {
            for index in turns(round, self.runners.len()) {
                // A new folder is an empty cache.
                let home = self.scratch.fresh()?;
                runs[index].push(self.measure(index, program, &home)?);
            }
        }
        Ok(runs)
    }

    fn warm_runs(&mut self, program: usize, rounds: usize) -> Result<Vec<Runs>, String> {
        let mut homes = Vec::new();
        for index in 0..self.runners.len() {
            homes.push(self.scratch.fresh()?);
            self.warm_up(index, program, &homes[index])?;
        }
        let mut runs = vec![Runs::new(); self.runners.len()];
        for round in 0..rounds {
            for index in turns(round, self.runners.len()) {
                runs[index].push(self.measure(index, program, &homes[index])?);
            }
        }
        Ok(runs)
    }

    /// Fills the cache, and makes sure that there is something in it: a bench of warm runs that are none says nothing.
    fn warm_up(&self, runner: usize, program: usize, home: &Path) -> Result<(), String> {
        self.measure(runner, program, home)?;
        let runner = &self.runners[runner];
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

    fn report(&self, options: &Options, outcomes: &[Outcome]) -> Result<(), String> {
        let sizes = self.binary_sizes();
        let bounds = self.bounds(outcomes, &sizes);
        let machine = machine::describe(self.hosts());
        println!("{}", machine::line(&machine));
        for (program, outcome) in self.programs.iter().zip(outcomes) {
            let kilobytes = table::number(program.bytes().map(|bytes| bytes as f64 / 1e3), 0);
            println!("\n{}, a {} of {kilobytes} KB\n", program.name, self.form.name());
            println!("{}", self.table("warm cache", &outcome.warm));
            println!("{}", self.table("first run, compiling", &outcome.first));
        }
        println!("{}", sizes_table(&sizes));
        for (of, bound) in &bounds {
            println!("{of}: {}", bound.cell());
        }
        let programs: Vec<Value> =
            self.programs.iter().zip(outcomes).map(|(program, outcome)| self.program_json(program, outcome)).collect();
        let report = json!({
            "bench": "startup",
            "form": self.form.name(),
            "machine": machine,
            "programs": programs,
            "binary_bytes": sizes_json(&sizes),
            "bounds": bounds.iter().map(|(of, bound)| json!({ "of": of, "bound": bound.json() })).collect::<Vec<_>>(),
        });
        write_json(options, &report)?;
        if !options.check {
            return Ok(());
        }
        bounds::check(bounds.iter().map(|(of, bound)| (*of, bound)))
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

    /// All of them, each with what it is of.
    fn bounds(&self, outcomes: &[Outcome], sizes: &[(String, Option<u64>)]) -> Vec<(&'static str, Bound)> {
        let mut bounds = Vec::new();
        for (program, outcome) in self.programs.iter().zip(outcomes) {
            for &(name, warmth, figure, limit) in program.bounds {
                let measured = self.ratio(outcome.runs(warmth), figure);
                bounds.push((program.name, Bound::at_most(name, measured, limit)));
            }
        }
        let ours = sizes.iter().find(|(name, _)| name == "turnkey");
        let megabytes = ours.and_then(|(_, bytes)| *bytes).map(megabytes);
        bounds.push(("turnkey", Bound::at_most("binary in MB", megabytes, BINARY_BOUND_MB)));
        bounds
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

    fn program_json(&self, program: &Program, outcome: &Outcome) -> Value {
        json!({
            "name": program.name,
            "bytes": program.bytes(),
            "warm": self.runs_json(&outcome.warm),
            "first": self.runs_json(&outcome.first),
        })
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

/// What `cargo xtask guests python` has left last, whatever it was made of.
fn left_python() -> Option<PathBuf> {
    newest(&tree::target().join("scripts"), |name| name.starts_with("python-") && name.ends_with(".wasm"))
}

/// The file that was written last of those whose names are wanted.
fn newest(folder: &Path, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let wanted = entries.filter(|entry| entry.file_name().to_str().is_some_and(&wanted));
    let dated = wanted.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
    dated.max().map(|(_, path)| path)
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
    fn the_newest_of_the_components_is_taken() {
        let folder = Scratch::new(&tree::target()).unwrap().fresh().unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        let component = |name: &str| name.ends_with(".wasm");
        assert_eq!(newest(&folder, component), None);
        for (name, second) in [("a.wasm", 2), ("b.wasm", 1), ("c.txt", 3)] {
            let file = std::fs::File::create(folder.join(name)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(second)).unwrap();
        }
        assert_eq!(newest(&folder, component), Some(folder.join("a.wasm")));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_component_is_promised_another_ratio_than_a_module() {
        let [module, component] = [Form::Module, Form::Component].map(|form| Program::small(form, 60).unwrap());
        assert_ne!(module.bounds[0].3, component.bounds[0].3);
        assert_eq!(Program::python(PathBuf::new(), 60).warm_rounds, 15);
    }
}
