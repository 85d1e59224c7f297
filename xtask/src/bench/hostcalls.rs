//! Each host call many times, in Turnkey, in a peer, in Node, and natively.
//!
//! `--component` takes the same guest as a component: a call of Preview 1 is then one or more of Preview 2, and the adapter's
//! own work is in the figures of all hosts. Node runs no components.
//!
//! The guest takes the time itself, so starting and compiling are not in the figures. It is given one operation at a
//! time, and the hosts take turns at it: what is compared ran within the same second or two.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::bounds::{self, Bound};
use super::form::Form;
use super::hosts::{Host, Kind};
use super::options::Options;
use super::report::{Report, untimed};
use super::scratch::{Scratch, in_memory};
use super::statistics::{median, per_round, ratio};
use super::{lines, machine, table, tree, turns, write_json};

const DEFAULT_ROUNDS: usize = 5;

/// Over native code, a host call may take this factor…
const NATIVE_FACTOR: f64 = 1.3;

/// … and this much, for leaving and entering the guest.
const NATIVE_EXTRA_NS: f64 = 25.0;

/// Where the guest's standard output goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    Nowhere,
    /// This process reads the other end, and checks every byte.
    Pipe,
    /// Checked when the guest has ended.
    File,
}

/// One row of the table.
struct Operation {
    name: &'static str,
    /// What the guest calls it.
    word: &'static str,
    output: Output,
    /// The promised ratios to the peer, where there are any.
    of_module: Option<f64>,
    of_component: Option<f64>,
    /// Is a module's call bounded by native code too?
    native_bound: bool,
}

const fn operation(name: &'static str, of_module: Option<f64>, of_component: Option<f64>) -> Operation {
    Operation { name, word: name, output: Output::Nowhere, of_module, of_component, native_bound: true }
}

const fn stdout_line(name: &'static str, output: Output) -> Operation {
    Operation { word: "stdout_line", output, ..operation(name, Some(0.50), Some(0.45)) }
}

impl Operation {
    fn peer_bound(&self, form: Form) -> Option<f64> {
        match form {
            Form::Module => self.of_module,
            Form::Component => self.of_component,
        }
    }
}

const OPERATIONS: &[Operation] = &[
    operation("clock_time_get", Some(0.40), Some(0.45)),
    operation("fd_read_16", Some(0.55), Some(0.50)),
    operation("fd_write_16", Some(0.75), None),
    operation("fd_seek", Some(0.20), None),
    operation("open_close", Some(0.45), Some(0.45)),
    operation("path_filestat_get", Some(0.20), Some(0.30)),
    Operation {
        // The C library's listing has other costs of its own: a comparison with it says little.
        native_bound: false,
        ..operation("readdir_1000", Some(0.05), Some(0.15))
    },
    stdout_line("stdout_pipe", Output::Pipe),
    stdout_line("stdout_file", Output::File),
    operation("read_1m", Some(1.05), Some(0.60)),
    operation("write_1m", Some(1.05), Some(0.60)),
    operation("random_16", None, None),
    operation("fd_fdstat_get", None, None),
    operation("poll_clock_0", None, None),
];

/// Why there is no figure.
enum Trouble {
    /// This host cannot do it: others are still compared.
    Refused(String),
    /// The guest's output came out wrong: no figure of this run is worth anything.
    Wrong(String),
}

impl From<String> for Trouble {
    fn from(message: String) -> Self {
        Self::Refused(message)
    }
}

/// Nanoseconds for one operation, by host (in the order of `Bench::hosts`) and round.
type Figures = Vec<Vec<Option<f64>>>;

/// One operation's figures, and what follows from them.
struct Row {
    operation: &'static Operation,
    figures: Figures,
    bounds: Vec<Bound>,
}

struct Bench {
    hosts: Vec<Host>,
    form: Form,
    program: PathBuf,
    scratch: Scratch,
}

/// Measures, prints the table, writes the JSON.
///
/// # Errors
/// What could not be built or run in Turnkey, wrong output in any host, bounds not met if that was to be checked.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let chosen = chosen(options)?;
    let mut bench = Bench::prepare(options)?;
    let rounds = options.rounds.unwrap_or(DEFAULT_ROUNDS);
    let mut figures: Vec<Figures> = chosen.iter().map(|_| vec![Vec::new(); bench.hosts.len()]).collect();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (operation, figures) in chosen.iter().zip(&mut figures) {
            bench.round(operation, round, figures)?;
        }
    }
    let rows: Vec<Row> =
        chosen.into_iter().zip(figures).map(|(operation, figures)| bench.row(operation, figures)).collect();
    bench.report(options, rounds, &rows)
}

fn chosen(options: &Options) -> Result<Vec<&'static Operation>, String> {
    let known = |name: &String| OPERATIONS.iter().any(|operation| operation.name == name);
    if let Some(unknown) = options.only.iter().find(|name| !known(name)) {
        let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
        return Err(format!("no operation `{unknown}`; there are {}", names.join(", ")));
    }
    let wanted = |operation: &&Operation| options.wants(operation.name);
    Ok(OPERATIONS.iter().filter(wanted).collect())
}

impl Bench {
    fn prepare(options: &Options) -> Result<Self, String> {
        let program = options.form.program("hostcalls")?;
        let mut hosts = vec![Host::native("hostcalls")?, Host::turnkey()?];
        match Host::wasmtime() {
            Ok(host) => hosts.push(host),
            Err(note) => eprintln!("{note}"),
        }
        if options.form == Form::Module {
            hosts.extend(Host::node());
        }
        let folder = options.folder.clone().unwrap_or_else(|| in_memory(&tree::target()));
        let scratch = Scratch::new(&folder)?;
        Ok(Self { hosts, form: options.form, program, scratch })
    }

    /// Every host once, beginning with another one each round: none is always first on a cold cache.
    fn round(&mut self, operation: &Operation, round: usize, figures: &mut Figures) -> Result<(), String> {
        for index in turns(round, self.hosts.len()) {
            let figure = match self.measure(index, operation) {
                Ok(figure) => Some(figure),
                Err(trouble) => self.no_figure(index, operation, trouble)?,
            };
            figures[index].push(figure);
        }
        Ok(())
    }

    fn no_figure(&self, index: usize, operation: &Operation, trouble: Trouble) -> Result<Option<f64>, String> {
        let host = &self.hosts[index];
        let name = operation.name;
        match trouble {
            Trouble::Wrong(message) => Err(format!("{name} in {}: wrong output: {message}", host.name())),
            Trouble::Refused(message) if host.kind == Kind::Turnkey => Err(format!("{name} in turnkey: {message}")),
            Trouble::Refused(message) => {
                eprintln!("{name} in {}: {message}", host.name());
                Ok(None)
            }
        }
    }

    /// Nanoseconds for one operation in a fresh folder.
    fn measure(&mut self, index: usize, operation: &Operation) -> Result<f64, Trouble> {
        let folder = self.scratch.fresh()?;
        let command = self.hosts[index].with_directory(&self.program, &folder, operation.word);
        let figure = self.run(command, operation);
        let removed = std::fs::remove_dir_all(&folder);
        removed.map_err(|error| format!("cannot remove `{}`: {error}", folder.display()))?;
        figure
    }

    fn run(&self, mut command: Command, operation: &Operation) -> Result<f64, Trouble> {
        let [said, written] = ["stderr", "stdout"].map(|name| self.scratch.file(name));
        let output = match operation.output {
            Output::Nowhere => Stdio::null(),
            Output::Pipe => Stdio::piped(),
            Output::File => Stdio::from(create(&written)?),
        };
        // Standard error goes to a file, so that a talkative host never waits for a reader.
        command.stdin(Stdio::null()).stdout(output);
        command.stderr(create(&said)?);
        let child = command.spawn().map_err(|error| format!("cannot run it: {error}"))?;
        let piped = finish(child, &said)?;
        let report = Report::read(&said, operation.word)?;
        let lines = match operation.output {
            Output::Nowhere => return Ok(report.nanoseconds_each()),
            Output::Pipe => piped,
            Output::File => Some(lines::check(open(&written)?).map_err(Trouble::Wrong)?),
        };
        counted(&report, lines)
    }

    fn row(&self, operation: &'static Operation, figures: Figures) -> Row {
        let mut bounds = Vec::new();
        if let Some(limit) = operation.peer_bound(self.form) {
            let measured = self.ratio(&figures, Kind::Wasmtime);
            bounds.push(Bound::at_most("/wasmtime", measured, limit));
        }
        if operation.native_bound && self.form == Form::Module {
            bounds.push(self.native_bound(&figures));
        }
        Row { operation, figures, bounds }
    }

    fn native_bound(&self, figures: &Figures) -> Bound {
        let ours = self.figures(figures, Kind::Turnkey);
        let native = self.figures(figures, Kind::Native);
        let margins = per_round(ours, native, |ours, native| NATIVE_FACTOR * native + NATIVE_EXTRA_NS - ours);
        Bound {
            name: "native".to_owned(),
            limit: format!("× {NATIVE_FACTOR} + {NATIVE_EXTRA_NS} ns"),
            margin: median(margins.into_iter().flatten()),
        }
    }

    /// The figures of a host, or none if it is not on this machine.
    fn figures<'a>(&self, figures: &'a Figures, kind: Kind) -> &'a [Option<f64>] {
        let index = self.hosts.iter().position(|host| host.kind == kind);
        index.map_or(&[], |index| &figures[index])
    }

    fn ratio(&self, figures: &Figures, to: Kind) -> Option<f64> {
        let ours = self.figures(figures, Kind::Turnkey);
        ratio(ours, self.figures(figures, to))
    }

    fn report(&self, options: &Options, rounds: usize, rows: &[Row]) -> Result<(), String> {
        let machine = machine::describe(self.hosts.iter());
        println!("{}", machine::line(&machine));
        println!("the guest is a {}: nanoseconds an operation, medians of {rounds} rounds\n", self.form.name());
        print!("{}", self.table(rows));
        let operations: Vec<Value> = rows.iter().map(|row| self.row_json(row)).collect();
        let report = json!({
            "bench": "hostcalls",
            "form": self.form.name(),
            "machine": machine,
            "rounds": rounds,
            "operations": operations,
        });
        write_json(options, &report)?;
        if !options.check {
            return Ok(());
        }
        bounds::check(rows.iter().flat_map(|row| {
            let name = row.operation.name;
            row.bounds.iter().map(move |bound| (name, bound))
        }))
    }

    fn table(&self, rows: &[Row]) -> String {
        let mut headings = vec!["operation"];
        headings.extend(self.columns().iter().map(|(name, _)| name));
        headings.extend(["turnkey/wasmtime", "turnkey/native", "bounds"]);
        let cells: Vec<Vec<String>> = rows.iter().map(|row| self.cells(row)).collect();
        table::render(&headings, &cells)
    }

    /// Who could have figures, whether or not it is on this machine.
    fn columns(&self) -> &'static [(&'static str, Kind)] {
        let all =
            &[("native", Kind::Native), ("turnkey", Kind::Turnkey), ("wasmtime", Kind::Wasmtime), ("node", Kind::Node)];
        match self.form {
            Form::Module => all,
            Form::Component => &all[..3],
        }
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let mut cells = vec![row.operation.name.to_owned()];
        for (_, kind) in self.columns() {
            let figures = self.figures(&row.figures, *kind);
            cells.push(table::number(median(figures.iter().flatten().copied()), 1));
        }
        for kind in [Kind::Wasmtime, Kind::Native] {
            cells.push(table::number(self.ratio(&row.figures, kind), 3));
        }
        let bounds: Vec<String> = row.bounds.iter().map(Bound::cell).collect();
        cells.push(bounds.join("; "));
        cells
    }

    fn row_json(&self, row: &Row) -> Value {
        let hosts: serde_json::Map<String, Value> = self
            .hosts
            .iter()
            .zip(&row.figures)
            .map(|(host, figures)| (host.name().to_owned(), figures_json(figures)))
            .collect();
        let ours = self.figures(&row.figures, Kind::Turnkey);
        let ratios = |kind| {
            let theirs = self.figures(&row.figures, kind);
            figures_json(&per_round(ours, theirs, |ours, theirs| ours / theirs))
        };
        json!({
            "name": row.operation.name,
            "ns_each": hosts,
            "turnkey_to_wasmtime": ratios(Kind::Wasmtime),
            "turnkey_to_native": ratios(Kind::Native),
            "bounds": row.bounds.iter().map(Bound::json).collect::<Vec<_>>(),
        })
    }
}

fn figures_json(figures: &[Option<f64>]) -> Value {
    json!({
        "median": median(figures.iter().flatten().copied()),
        "rounds": figures,
    })
}

/// Waits for the guest to end well; where its output is a pipe, says how many lines came.
fn finish(mut child: Child, said: &Path) -> Result<Option<u64>, Trouble> {
    let lines = child.stdout.take().map(lines::check);
    // A reader that gave up has closed its end by now, so the guest cannot be stuck in writing to it.
    let status = child.wait().map_err(|error| format!("cannot wait for it: {error}"))?;
    // First of all: a guest whose reader gave up ends badly, too.
    let lines = lines.transpose().map_err(Trouble::Wrong)?;
    if status.success() {
        return Ok(lines);
    }
    let text = std::fs::read_to_string(said).unwrap_or_default();
    Err(Trouble::Refused(format!("{status}\n{}", text.trim_end())))
}

/// The figure, if as many lines came out as the guest wrote: it writes some before it takes the time, as it does with every
/// operation.
fn counted(report: &Report, lines: Option<u64>) -> Result<f64, Trouble> {
    let (came, written) = (lines.unwrap_or(0), report.iterations + untimed(report.iterations));
    if came == written {
        return Ok(report.nanoseconds_each());
    }
    Err(Trouble::Wrong(format!("{came} lines of {written} came out")))
}

fn create(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|error| format!("cannot make `{}`: {error}", path.display()))
}

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| format!("cannot open `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_lines_are_no_figure() {
        let report = Report::parse("stdout_line 30 300", "stdout_line").unwrap();
        assert!(matches!(counted(&report, Some(33)), Ok(10.0)));
        assert!(matches!(counted(&report, Some(32)), Err(Trouble::Wrong(_))));
    }

    #[test]
    fn only_known_operations_are_chosen() {
        let options = |only: &str| Options { only: vec![only.to_owned()], ..Options::default() };
        assert_eq!(chosen(&options("fd_seek")).unwrap().len(), 1);
        assert!(chosen(&options("seek")).is_err());
    }
}
