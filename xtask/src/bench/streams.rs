//! Streams and timers of Preview 3: one operation at a time, in Turnkey and in a peer.
//!
//! The guest takes the time itself, so starting and compiling are not in the figures. The hosts take turns at an operation:
//! what is compared ran within the same second or two. Of whatever comes out, on standard output, in a file or at the other end
//! of a connection, which is this process, every byte is looked at.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bounds::{self, Bound};
use super::form::Form;
use super::hosts::{Host, Kind};
use super::options::Options;
use super::report::{Report, untimed};
use super::scratch::{Scratch, in_memory};
use super::server::PATIENCE;
use super::statistics::{median, per_round, ratio};
use super::{blocks, lines, machine, table, tree, turns, write_json};

const DEFAULT_ROUNDS: usize = 9;

/// Blocks of files, which the guest knows too: bytes, and how many there are in a file before it is begun again.
const BULK: Shape = Shape { bytes: 1 << 20, of_file: 64 };
const SMALL: Shape = Shape { bytes: 16, of_file: 64 << 10 };

/// A block of what goes through a pipe or a connection.
const BLOCK_BYTES: usize = 64 << 10;

const MESSAGE_BYTES: usize = 64;

/// Between two looks at whether the guest has connected.
const LOOK_AGAIN: Duration = Duration::from_micros(100);

#[derive(Clone, Copy)]
struct Shape {
    bytes: usize,
    of_file: u64,
}

/// What is beyond the host, and is looked at.
#[derive(Clone, Copy)]
enum Beyond {
    /// Nothing but files that are there already.
    Nothing,
    /// The file that the guest has written, in the end.
    File(Shape),
    /// A pipe with lines.
    Lines,
    /// A pipe with blocks.
    Blocks,
    /// A connection on which the guest sends blocks.
    Sent,
    /// A connection on which it is sent blocks.
    Received,
    /// A connection on which its messages come back.
    RoundTrips,
}

/// What was promised.
#[derive(Clone, Copy)]
enum Promise {
    /// At least so many times as fast as the peer.
    Speed(f64),
    /// At most this share of the peer's time.
    Time(f64),
}

/// One row of the table.
struct Operation {
    name: &'static str,
    repetitions: u64,
    /// Bytes of one, where it is the throughput that matters.
    bulk_bytes: Option<usize>,
    beyond: Beyond,
    promise: Option<Promise>,
}

const fn small(name: &'static str, repetitions: u64, beyond: Beyond, promise: Option<Promise>) -> Operation {
    Operation { name, repetitions, bulk_bytes: None, beyond, promise }
}

const fn bulk(name: &'static str, repetitions: u64, bytes: usize, beyond: Beyond, speed: f64) -> Operation {
    Operation { name, repetitions, bulk_bytes: Some(bytes), beyond, promise: Some(Promise::Speed(speed)) }
}

const OPERATIONS: &[Operation] = &[
    bulk("read_bulk", 1_000, BULK.bytes, Beyond::Nothing, 1.3),
    bulk("write_bulk", 1_000, BULK.bytes, Beyond::File(BULK), 1.3),
    small("read_16", 200_000, Beyond::Nothing, Some(Promise::Speed(1.5))),
    small("write_16", 200_000, Beyond::File(SMALL), Some(Promise::Speed(1.5))),
    small("stdout_pipe", 200_000, Beyond::Lines, Some(Promise::Speed(1.5))),
    bulk("stdout_bulk", 6_000, BLOCK_BYTES, Beyond::Blocks, 1.5),
    bulk("tcp_bulk_send", 6_000, BLOCK_BYTES, Beyond::Sent, 1.2),
    bulk("tcp_bulk_receive", 6_000, BLOCK_BYTES, Beyond::Received, 1.2),
    small("tcp_round_trips", 10_000, Beyond::RoundTrips, None),
    small("timers_0", 100_000, Beyond::Nothing, Some(Promise::Time(0.7))),
    small("timers_1us", 200, Beyond::Nothing, None),
];

impl Operation {
    /// The numbers of what the guest does before it takes the time, and while it does.
    fn passes(&self) -> [Range<u64>; 2] {
        let untimed = untimed(self.repetitions);
        [0..untimed, untimed..untimed + self.repetitions]
    }

    /// Nanoseconds each, or MiB a second.
    fn shown(&self, nanoseconds: Option<f64>) -> (String, &'static str) {
        match self.bulk_bytes {
            None => (table::number(nanoseconds, 0), "ns"),
            Some(bytes) => {
                let mebibytes = bytes as f64 / f64::from(1 << 20);
                (table::number(nanoseconds.map(|nanoseconds| mebibytes * 1e9 / nanoseconds), 0), "MiB/s")
            }
        }
    }
}

/// Nanoseconds for one operation, by host (in the order of `Bench::hosts`) and round.
type Figures = Vec<Vec<Option<f64>>>;

/// One operation's figures, and what follows from them.
struct Row {
    operation: &'static Operation,
    figures: Figures,
    bound: Option<Bound>,
}

struct Bench {
    hosts: Vec<Host>,
    component: PathBuf,
    /// Has the files that are read.
    folder: PathBuf,
    scratch: Scratch,
}

/// Measures, prints the table, writes the JSON.
///
/// # Errors
/// What could not be built or run, wrong output, bounds not met if that was to be checked.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let chosen = chosen(options)?;
    let bench = Bench::prepare(options)?;
    let rounds = options.rounds.unwrap_or(DEFAULT_ROUNDS);
    let mut figures: Vec<Figures> = chosen.iter().map(|_| vec![Vec::new(); bench.hosts.len()]).collect();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (operation, figures) in chosen.iter().zip(&mut figures) {
            // Beginning with another host each round: none is always first on a cold cache.
            for index in turns(round, bench.hosts.len()) {
                let host = &bench.hosts[index];
                let figure = bench.measure(host, operation);
                let figure = figure.map_err(|error| format!("{} in {}: {error}", operation.name, host.name()))?;
                figures[index].push(Some(figure));
            }
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
    Ok(OPERATIONS.iter().filter(|operation| options.wants(operation.name)).collect())
}

impl Bench {
    fn prepare(options: &Options) -> Result<Self, String> {
        let component = Form::Component.program("p3_bench")?;
        let mut hosts = vec![Host::turnkey()?];
        match Host::wasmtime() {
            Ok(host) => hosts.push(host),
            Err(note) => eprintln!("{note}"),
        }
        let folder = options.folder.clone().unwrap_or_else(|| in_memory(&tree::target()));
        let mut scratch = Scratch::new(&folder)?;
        let folder = scratch.fresh()?;
        for (name, shape) in [("bulk", BULK), ("small", SMALL)] {
            write_file(&folder.join(name), shape)?;
        }
        let bench = Self { hosts, component, folder, scratch };
        // What is compiled then is in each host's cache.
        let once = small("timers_0", 1, Beyond::Nothing, None);
        for host in &bench.hosts {
            bench.measure(host, &once).map_err(|error| format!("{}: {error}", host.name()))?;
        }
        Ok(bench)
    }

    /// Nanoseconds for one operation.
    fn measure(&self, host: &Host, operation: &Operation) -> Result<f64, String> {
        let listener = match operation.beyond {
            Beyond::Sent | Beyond::Received | Beyond::RoundTrips => Some(listen()?),
            _ => None,
        };
        let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let repetitions = operation.repetitions.to_string();
        let mut command = host.with_streams(&self.component, &self.folder, address, [operation.name, &repetitions]);
        let output = match operation.beyond {
            Beyond::Lines | Beyond::Blocks => Stdio::piped(),
            _ => Stdio::null(),
        };
        // Standard error goes to a file, so that a talkative host never waits for a reader.
        let said = self.scratch.file("stderr");
        let errors = File::create(&said).map_err(|error| format!("cannot make `{}`: {error}", said.display()))?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut child = command.spawn().map_err(|error| format!("cannot run it: {error}"))?;
        let mut looked = look(operation, listener.as_ref(), &mut child);
        if looked.is_err() {
            // It may wait for somebody who is not there any more.
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| format!("cannot wait for it: {error}"))?;
        if let Beyond::File(shape) = operation.beyond {
            looked =
                looked.and_then(|()| take_file(&self.folder.join("written"), shape, operation.passes()[1].clone()));
        }
        let text = || std::fs::read_to_string(&said).unwrap_or_default();
        looked.map_err(|error| format!("{error}\n{}", text().trim_end()))?;
        if !status.success() {
            return Err(format!("{status}\n{}", text().trim_end()));
        }
        Ok(Report::read(&said, operation.name)?.nanoseconds_each())
    }

    fn row(&self, operation: &'static Operation, figures: Figures) -> Row {
        let bound = operation.promise.map(|promise| match promise {
            Promise::Speed(limit) => Bound::at_least("speed", self.speed(&figures), limit),
            Promise::Time(limit) => Bound::at_most("time", self.time(&figures), limit),
        });
        Row { operation, figures, bound }
    }

    /// The figures of a host, or none if it is not on this machine.
    fn of<'a>(&self, figures: &'a Figures, kind: Kind) -> &'a [Option<f64>] {
        let index = self.hosts.iter().position(|host| host.kind == kind);
        index.map_or(&[], |index| &figures[index])
    }

    /// Turnkey's time, where the peer's is 1.
    fn time(&self, figures: &Figures) -> Option<f64> {
        ratio(self.of(figures, Kind::Turnkey), self.of(figures, Kind::Wasmtime))
    }

    /// How many times as fast as the peer.
    fn speed(&self, figures: &Figures) -> Option<f64> {
        ratio(self.of(figures, Kind::Wasmtime), self.of(figures, Kind::Turnkey))
    }

    fn report(&self, options: &Options, rounds: usize, rows: &[Row]) -> Result<(), String> {
        let machine = machine::describe(self.hosts.iter());
        println!("{}", machine::line(&machine));
        println!("an async component: each operation by itself, medians of {rounds} rounds\n");
        let cells: Vec<Vec<String>> = rows.iter().map(|row| self.cells(row)).collect();
        let headings = ["operation", "turnkey", "wasmtime", "", "speed/wasmtime", "time/wasmtime", "bounds"];
        print!("{}", table::render(&headings, &cells));
        let report = json!({
            "bench": "streams",
            "form": Form::Component.name(),
            "machine": machine,
            "rounds": rounds,
            "operations": rows.iter().map(|row| self.row_json(row)).collect::<Vec<_>>(),
        });
        write_json(options, &report)?;
        if !options.check {
            return Ok(());
        }
        bounds::check(rows.iter().flat_map(|row| row.bound.iter().map(|bound| (row.operation.name, bound))))
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let [(ours, unit), (theirs, _)] = [Kind::Turnkey, Kind::Wasmtime].map(|kind| {
            let figures = self.of(&row.figures, kind);
            row.operation.shown(median(figures.iter().flatten().copied()))
        });
        vec![
            row.operation.name.to_owned(),
            ours,
            theirs,
            unit.to_owned(),
            table::number(self.speed(&row.figures), 2),
            table::number(self.time(&row.figures), 2),
            row.bound.as_ref().map(Bound::cell).unwrap_or_default(),
        ]
    }

    fn row_json(&self, row: &Row) -> Value {
        let hosts = self.hosts.iter().zip(&row.figures);
        let hosts = hosts.map(|(host, figures)| (host.name().to_owned(), figures_json(figures)));
        let [ours, theirs] = [Kind::Turnkey, Kind::Wasmtime].map(|kind| self.of(&row.figures, kind));
        json!({
            "name": row.operation.name,
            "repetitions": row.operation.repetitions,
            "bytes_each": row.operation.bulk_bytes,
            "ns_each": hosts.collect::<serde_json::Map<_, _>>(),
            "time_to_wasmtime": figures_json(&per_round(ours, theirs, |ours, theirs| ours / theirs)),
            "speed_to_wasmtime": figures_json(&per_round(theirs, ours, |theirs, ours| theirs / ours)),
            "bound": row.bound.as_ref().map(Bound::json),
        })
    }
}

fn figures_json(figures: &[Option<f64>]) -> Value {
    json!({
        "median": median(figures.iter().flatten().copied()),
        "rounds": figures,
    })
}

/// Plays the part of what is beyond the host, for as long as the guest runs.
fn look(operation: &Operation, listener: Option<&TcpListener>, child: &mut Child) -> Result<(), String> {
    let [untimed, timed] = operation.passes();
    let all = untimed.start..timed.end;
    if let Some(listener) = listener {
        return [untimed, timed].into_iter().try_for_each(|pass| {
            let connection = accept(listener, child)?;
            peer(&connection, operation.beyond, pass)
        });
    }
    let Some(mut output) = child.stdout.take() else {
        return Ok(());
    };
    if let Beyond::Lines = operation.beyond {
        let came = lines::check(output)?;
        return if came == all.end { Ok(()) } else { Err(format!("{came} lines of {} came out", all.end)) };
    }
    blocks::take(&mut output, BLOCK_BYTES, all)?;
    blocks::end(output)
}

fn listen() -> Result<TcpListener, String> {
    let listening = || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    listening().map_err(|error: io::Error| format!("cannot listen: {error}"))
}

/// The guest's next connection, on which no call waits for longer than [`PATIENCE`].
fn accept(listener: &TcpListener, child: &mut Child) -> Result<TcpStream, String> {
    let accepted = || -> io::Result<TcpStream> {
        let (connection, _) = listener.accept()?;
        connection.set_nonblocking(false)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(connection)
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        match accepted() {
            Ok(connection) => return Ok(connection),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                return Err(format!("cannot accept: {error}"));
            }
            Err(_) if !matches!(child.try_wait(), Ok(None)) => return Err("it ended, and had not connected".to_owned()),
            Err(_) if Instant::now() > deadline => return Err("it does not connect".to_owned()),
            Err(_) => thread::sleep(LOOK_AGAIN),
        }
    }
}

/// The other end of a connection, for these blocks or messages.
fn peer(mut connection: &TcpStream, beyond: Beyond, numbers: Range<u64>) -> Result<(), String> {
    match beyond {
        Beyond::Received => {
            let mut send = || {
                let mut block = vec![0; BLOCK_BYTES];
                for number in numbers.clone() {
                    blocks::make(&mut block, number);
                    connection.write_all(&block)?;
                }
                connection.shutdown(Shutdown::Write)
            };
            send().map_err(|error| format!("it does not take more: {error}"))?;
        }
        Beyond::RoundTrips => {
            for number in numbers {
                blocks::take(connection, MESSAGE_BYTES, number..number + 1)?;
                let mut message = [0; MESSAGE_BYTES];
                blocks::make(&mut message, number);
                connection.write_all(&message).map_err(|error| format!("message {number} cannot be sent: {error}"))?;
            }
        }
        _ => blocks::take(connection, BLOCK_BYTES, numbers)?,
    }
    blocks::end(connection)
}

/// The file as it is to be read.
fn write_file(path: &Path, shape: Shape) -> Result<(), String> {
    let mut bytes = vec![0; shape.bytes * shape.of_file as usize];
    for (number, block) in (0..).zip(bytes.chunks_mut(shape.bytes)) {
        blocks::make(block, number);
    }
    std::fs::write(path, bytes).map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

/// Looks at a file that was written, and removes it.
fn take_file(path: &Path, shape: Shape, written: Range<u64>) -> Result<(), String> {
    let file = File::open(path).map_err(|error| format!("cannot open `{}`: {error}", path.display()))?;
    let mut file = BufReader::with_capacity(BULK.bytes, file);
    for numbers in in_file(shape.of_file, written) {
        blocks::take(&mut file, shape.bytes, numbers)?;
    }
    blocks::end(file)?;
    std::fs::remove_file(path).map_err(|error| format!("cannot remove `{}`: {error}", path.display()))
}

/// The numbers of the blocks in a file, in their order, to which all of these were written.
fn in_file(of_file: u64, written: Range<u64>) -> [Range<u64>; 2] {
    // Since the file was last begun again; behind them is what was written the time before.
    let last = written.end - 1 - (written.end - 1 - written.start) % of_file;
    [last..written.end, written.end.saturating_sub(of_file).max(written.start)..last]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_what_was_written_last_at_each_place() {
        for (first, count) in [(7, 1), (7, 3), (7, 4), (7, 5), (7, 11), (0, 8)] {
            let mut file = vec![None; 4];
            for number in first..first + count {
                file[(number - first) as usize % 4] = Some(number);
            }
            let expected: Vec<u64> = file.into_iter().flatten().collect();
            let found: Vec<u64> = in_file(4, first..first + count).into_iter().flatten().collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn throughput_is_shown_where_there_is_much() {
        let [read, timers] = ["read_bulk", "timers_0"].map(|name| {
            let options = Options { only: vec![name.to_owned()], ..Options::default() };
            chosen(&options).unwrap()[0].shown(Some(250_000.0))
        });
        assert_eq!(read, ("4000".to_owned(), "MiB/s"));
        assert_eq!(timers, ("250000".to_owned(), "ns"));
    }

    #[test]
    fn only_known_operations_are_chosen() {
        let options = Options { only: vec!["read".to_owned()], ..Options::default() };
        assert!(chosen(&options).is_err());
    }
}
