//! TCP on the loopback interface: a component that sends back what comes in, in each host, with this process at the other
//! end. A thread of this process that does the same with plain `std` is the limit: what it takes is the kernel's.
//!
//! The server is started anew in each round, and what starting it takes is in no figure. All of it runs on one processor.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread;

use serde_json::{Value, json};

use super::bounds::{self, Bound};
use super::client;
use super::form::Form;
use super::hosts::{Host, Kind};
use super::options::Options;
use super::server::Server;
use super::statistics::{median, per_round, ratio};
use super::{machine, processor, table, write_json};

const DEFAULT_ROUNDS: usize = 9;

const ROUND_TRIPS: u32 = 20_000;
const BULK_MEBIBYTES: usize = 256;

/// How much faster than the peer each of the two is to be.
const BOUND: f64 = 1.3;

/// One connection for each figure.
const CONNECTIONS: usize = 2;

/// Who sends back, in the order of the table.
enum Echo {
    /// A thread of this process.
    Native,
    Host(Host),
}

/// What was measured with one of them in one round.
struct Rates {
    round_trips: f64,
    bulk: f64,
}

/// One number of a round.
type Figure = fn(&Rates) -> f64;

const FIGURES: [(&str, &str, Figure); 2] = [
    ("64 bytes and back, a second", "round_trips_per_second", |rates| rates.round_trips),
    ("bulk, MiB a second", "bulk_mib_per_second", |rates| rates.bulk),
];

struct Bench {
    echoes: Vec<Echo>,
    component: PathBuf,
    machine: Value,
    /// The one that all of it runs on.
    processor: Option<u32>,
}

/// Measures, prints the table, writes the JSON.
///
/// # Errors
/// What could not be built or run, bytes that came back changed, bounds not met if that was to be checked.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let bench = Bench::prepare()?;
    let rounds = options.rounds.unwrap_or(DEFAULT_ROUNDS);
    let mut rates: Vec<Vec<Rates>> = bench.echoes.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for index in super::turns(round, bench.echoes.len()) {
            let echo = &bench.echoes[index];
            let measured = bench.measure(echo).map_err(|error| format!("{}: {error}", echo.name()))?;
            rates[index].push(measured);
        }
    }
    bench.report(options, &rates)
}

impl Echo {
    fn name(&self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Host(host) => host.name(),
        }
    }
}

impl Bench {
    fn prepare() -> Result<Self, String> {
        // One connection after the other, and it waits in the calls themselves: what takes time is the host.
        let component = Form::Component.program("tcp_echo")?;
        let mut echoes = vec![Echo::Native, Echo::Host(Host::turnkey()?)];
        match Host::wasmtime() {
            Ok(host) => echoes.push(Echo::Host(host)),
            Err(note) => eprintln!("{note}"),
        }
        let machine = machine::describe(hosts(&echoes));
        // Whatever had to be built has been built by now, on all of them.
        let processor = processor::keep_to_one().inspect_err(|note| eprintln!("{note}")).ok();
        Ok(Self { echoes, component, machine, processor })
    }

    fn measure(&self, echo: &Echo) -> Result<Rates, String> {
        match echo {
            Echo::Native => native(),
            Echo::Host(host) => {
                let mut command = host.listening(&self.component);
                command.args(["127.0.0.1:0", &CONNECTIONS.to_string()]);
                let server = Server::start(command)?;
                let rates = rates(server.address())?;
                well_served(&server.finish()?)?;
                Ok(rates)
            }
        }
    }

    fn report(&self, options: &Options, rates: &[Vec<Rates>]) -> Result<(), String> {
        let bounds = FIGURES
            .map(|(title, _, figure)| Bound::at_least(&format!("{title}/wasmtime"), self.ratio(rates, figure), BOUND));
        println!("{}", machine::line(&self.machine));
        let where_to = if self.processor.is_some() { "on one processor" } else { "on all processors" };
        println!(
            "a component behind TCP on the loopback interface, {where_to}, medians of {} rounds\n",
            rates[0].len()
        );
        println!("{}", self.table(rates));
        for bound in &bounds {
            println!("{}", bound.cell());
        }
        let report = json!({
            "bench": "echo",
            "form": Form::Component.name(),
            "machine": self.machine,
            "on_processor": self.processor,
            "round_trips": ROUND_TRIPS,
            "bulk_mib": BULK_MEBIBYTES,
            "figures": self.figures_json(rates),
            "bounds": bounds.iter().map(Bound::json).collect::<Vec<_>>(),
        });
        write_json(options, &report)?;
        if !options.check {
            return Ok(());
        }
        bounds::check(bounds.iter().map(|bound| ("echo", bound)))
    }

    /// One figure of a host in each round; none if it is not on this machine.
    fn of(&self, rates: &[Vec<Rates>], kind: Kind, figure: Figure) -> Vec<Option<f64>> {
        let is_it = |echo: &Echo| matches!(echo, Echo::Host(host) if host.kind == kind);
        let index = self.echoes.iter().position(is_it);
        index.map_or_else(Vec::new, |index| rates[index].iter().map(|rates| Some(figure(rates))).collect())
    }

    fn ratio(&self, rates: &[Vec<Rates>], figure: Figure) -> Option<f64> {
        ratio(&self.of(rates, Kind::Turnkey, figure), &self.of(rates, Kind::Wasmtime, figure))
    }

    fn table(&self, rates: &[Vec<Rates>]) -> String {
        let [round_trips, bulk] = FIGURES.map(|(title, ..)| title);
        let rows = self.echoes.iter().zip(rates).map(|(echo, rates)| {
            let mut cells = vec![echo.name().to_owned()];
            cells.extend(FIGURES.map(|(.., figure)| table::number(median(rates.iter().map(figure)), 0)));
            cells
        });
        let mut rows: Vec<Vec<String>> = rows.collect();
        let mut ratios = vec!["turnkey/wasmtime".to_owned()];
        ratios.extend(FIGURES.map(|(.., figure)| table::number(self.ratio(rates, figure), 2)));
        rows.push(ratios);
        table::render(&["server", round_trips, bulk, ""], &rows)
    }

    fn figures_json(&self, rates: &[Vec<Rates>]) -> Value {
        let figures = FIGURES.map(|(_, name, figure)| {
            let servers = self.echoes.iter().zip(rates).map(|(echo, rates)| {
                let numbers: Vec<f64> = rates.iter().map(figure).collect();
                (echo.name().to_owned(), json!({ "median": median(numbers.iter().copied()), "rounds": numbers }))
            });
            let ours = self.of(rates, Kind::Turnkey, figure);
            let ratios = per_round(&ours, &self.of(rates, Kind::Wasmtime, figure), |ours, theirs| ours / theirs);
            let figure = json!({
                "servers": servers.collect::<serde_json::Map<_, _>>(),
                "turnkey_to_wasmtime": { "median": self.ratio(rates, figure), "rounds": ratios },
            });
            (name.to_owned(), figure)
        });
        Value::Object(figures.into_iter().collect())
    }
}

fn hosts(echoes: &[Echo]) -> impl Iterator<Item = &Host> {
    echoes.iter().filter_map(|echo| match echo {
        Echo::Native => None,
        Echo::Host(host) => Some(host),
    })
}

/// Both figures of whoever listens there, a connection for each.
fn rates(address: SocketAddr) -> Result<Rates, String> {
    Ok(Rates {
        round_trips: client::round_trips_per_second(address, ROUND_TRIPS)?,
        bulk: client::mib_per_second(address, BULK_MEBIBYTES)?,
    })
}

/// The server counts too.
fn well_served(line: &str) -> Result<(), String> {
    let bytes = client::round_trips_bytes(ROUND_TRIPS) + ((BULK_MEBIBYTES as u64) << 20);
    let expected = format!("{CONNECTIONS} connections, {bytes} bytes");
    if line == expected { Ok(()) } else { Err(format!("it says {line:?}, and not {expected:?}")) }
}

fn native() -> Result<Rates, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("cannot listen: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("cannot listen: {error}"))?;
    let server = thread::spawn(move || send_back(&listener));
    let rates = rates(address)?;
    let served = server.join().unwrap_or_else(|_| Err(std::io::Error::other("it ended badly")));
    served.map_err(|error| format!("the thread that sends back: {error}"))?;
    Ok(rates)
}

/// One connection after the other.
fn send_back(listener: &TcpListener) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..CONNECTIONS {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        loop {
            let came = stream.read(&mut buffer)?;
            if came == 0 {
                break;
            }
            stream.write_all(&buffer[..came])?;
        }
        stream.shutdown(Shutdown::Write)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_lost_bytes_has_not_served_well() {
        let bytes = 20_500 * 64 + 256 * 1024 * 1024;
        assert_eq!(well_served(&format!("2 connections, {bytes} bytes")), Ok(()));
        assert!(well_served(&format!("2 connections, {} bytes", bytes - 1)).is_err());
        assert!(well_served(&format!("1 connections, {bytes} bytes")).is_err());
    }
}
