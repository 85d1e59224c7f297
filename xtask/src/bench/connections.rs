//! What a connection costs: the memory of a host's process before there are any, and with a thousand of them open, all of
//! which one component serves in one loop around `poll`.
//!
//! That a thousand are served is the point, and not how fast: some of them ask at a time.

use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::bounds::{self, Bound};
use super::client;
use super::form::Form;
use super::hosts::{Host, Kind};
use super::memory::status_kib;
use super::options::Options;
use super::server::Server;
use super::statistics::{median, ratio};
use super::{machine, table, write_json};

const DEFAULT_ROUNDS: usize = 3;

const CONNECTIONS: u32 = 1000;

/// Messages that each of them is answered.
const MESSAGES: u32 = 5;

/// So many ask before the first is listened to. Where 128 or more are ready at once, Wasmtime 48 may go around the component's
/// loop for ever and answer none of them.
const AT_ONCE: usize = 50;

/// What a connection may cost in Turnkey.
const BOUND_KIB: f64 = 20.0;

/// Memory of a host's process, in KiB.
struct Memory {
    /// It listens, and nobody has come.
    before: f64,
    /// All connections are open, and have been served.
    open: f64,
    /// The most that there was at any time.
    peak: f64,
}

impl Memory {
    fn of_a_connection(&self) -> f64 {
        (self.open - self.before) / f64::from(CONNECTIONS)
    }
}

/// One number of a round.
type Figure = fn(&Memory) -> f64;

const FIGURES: [(&str, &str, Figure); 4] = [
    ("before, MiB", "rss_before_kib", |memory| memory.before),
    ("with 1000, MiB", "rss_open_kib", |memory| memory.open),
    ("at most, MiB", "rss_peak_kib", |memory| memory.peak),
    ("each, KiB", "kib_each", Memory::of_a_connection),
];

struct Bench {
    hosts: Vec<Host>,
    component: PathBuf,
}

/// Measures, prints the table, writes the JSON.
///
/// # Errors
/// What could not be built or run, a connection that was not served, the bound not met if that was to be checked.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let bench = Bench::prepare()?;
    let rounds = options.rounds.unwrap_or(DEFAULT_ROUNDS);
    let mut measured: Vec<Vec<Memory>> = bench.hosts.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for index in super::turns(round, bench.hosts.len()) {
            let host = &bench.hosts[index];
            let memory = bench.measure(host).map_err(|error| format!("{}: {error}", host.name()))?;
            measured[index].push(memory);
        }
    }
    bench.report(options, &measured)
}

impl Bench {
    fn prepare() -> Result<Self, String> {
        let component = Form::Component.program("tcp_echo_server")?;
        let mut hosts = vec![Host::turnkey()?];
        match Host::wasmtime() {
            Ok(host) => hosts.push(host),
            Err(note) => eprintln!("{note}"),
        }
        Ok(Self { hosts, component })
    }

    fn measure(&self, host: &Host) -> Result<Memory, String> {
        let mut command = host.listening(&self.component);
        command.args(["127.0.0.1:0", &CONNECTIONS.to_string()]);
        let server = Server::start(command)?;
        let before = status_kib(server.process(), "VmRSS:")?;
        let streams = (0..CONNECTIONS).map(|_| client::connect(server.address()));
        let streams: Vec<TcpStream> = streams.collect::<Result<_, _>>()?;
        for number in 0..MESSAGES {
            for some in streams.chunks(AT_ONCE) {
                some.iter().try_for_each(|stream| client::ask(stream, number))?;
                some.iter().try_for_each(|stream| client::take_answer(stream, number))?;
            }
        }
        let open = status_kib(server.process(), "VmRSS:")?;
        drop(streams);
        let peak = status_kib(server.process(), "VmHWM:").unwrap_or(open);
        well_served(&server.finish()?)?;
        Ok(Memory { before, open, peak })
    }

    fn report(&self, options: &Options, measured: &[Vec<Memory>]) -> Result<(), String> {
        let each = median(self.of(measured, Kind::Turnkey, Memory::of_a_connection).into_iter().flatten());
        let bounds = [Bound::at_most("KiB of a connection in turnkey", each, BOUND_KIB)];
        let machine = machine::describe(self.hosts.iter());
        println!("{}", machine::line(&machine));
        println!(
            "resident memory of a process with {CONNECTIONS} connections to a component, medians of {} rounds\n",
            measured[0].len()
        );
        println!("{}", self.table(measured));
        for bound in &bounds {
            println!("{}", bound.cell());
        }
        let report = json!({
            "bench": "connections",
            "form": Form::Component.name(),
            "machine": machine,
            "connections": CONNECTIONS,
            "hosts": self.hosts_json(measured),
            "bounds": bounds.iter().map(Bound::json).collect::<Vec<_>>(),
        });
        write_json(options, &report)?;
        if !options.check {
            return Ok(());
        }
        bounds::check(bounds.iter().map(|bound| ("connections", bound)))
    }

    /// One figure of a host in each round; none if it is not on this machine.
    fn of(&self, measured: &[Vec<Memory>], kind: Kind, figure: Figure) -> Vec<Option<f64>> {
        let index = self.hosts.iter().position(|host| host.kind == kind);
        index.map_or_else(Vec::new, |index| measured[index].iter().map(|memory| Some(figure(memory))).collect())
    }

    fn table(&self, measured: &[Vec<Memory>]) -> String {
        let [before, open, peak, each] = FIGURES.map(|(title, ..)| title);
        let cell = |title: &str, value: Option<f64>| {
            let mebibytes = title.ends_with("MiB");
            table::number(value.map(|kib| if mebibytes { kib / 1024.0 } else { kib }), 1)
        };
        let rows = self.hosts.iter().zip(measured).map(|(host, memory)| {
            let mut cells = vec![host.name().to_owned()];
            cells.extend(FIGURES.map(|(title, _, figure)| cell(title, median(memory.iter().map(figure)))));
            cells
        });
        let mut rows: Vec<Vec<String>> = rows.collect();
        let mut ratios = vec!["turnkey/wasmtime".to_owned()];
        ratios.extend(FIGURES.map(|(.., figure)| {
            let [ours, theirs] = [Kind::Turnkey, Kind::Wasmtime].map(|kind| self.of(measured, kind, figure));
            table::number(ratio(&ours, &theirs), 2)
        }));
        rows.push(ratios);
        table::render(&["host", before, open, peak, each, ""], &rows)
    }

    fn hosts_json(&self, measured: &[Vec<Memory>]) -> Value {
        let hosts = self.hosts.iter().zip(measured).map(|(host, memory)| {
            let figures = FIGURES.map(|(_, name, figure)| {
                let numbers: Vec<f64> = memory.iter().map(figure).collect();
                (name.to_owned(), json!({ "median": median(numbers.iter().copied()), "rounds": numbers }))
            });
            (host.name().to_owned(), Value::Object(figures.into_iter().collect()))
        });
        Value::Object(hosts.collect())
    }
}

/// The server counts too: all were open at once, and nothing was lost.
fn well_served(line: &str) -> Result<(), String> {
    let bytes = CONNECTIONS as usize * MESSAGES as usize * client::MESSAGE_BYTES;
    let expected = format!("{CONNECTIONS} connections, {CONNECTIONS} at once, {bytes} bytes");
    if line == expected { Ok(()) } else { Err(format!("it says {line:?}, and not {expected:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_costs_what_all_of_them_add() {
        let memory = Memory { before: 10_000.0, open: 15_000.0, peak: 16_000.0 };
        assert_eq!(memory.of_a_connection(), 5.0);
    }

    #[test]
    fn all_connections_must_have_been_open_at_once() {
        assert_eq!(well_served("1000 connections, 1000 at once, 320000 bytes"), Ok(()));
        assert!(well_served("1000 connections, 999 at once, 320000 bytes").is_err());
    }
}
