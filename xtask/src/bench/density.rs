//! What an instance costs that waits: one process with ten thousand requests at once, each with an instance of its own, of a
//! component that waits for a timer, or for the answer to a request that it has sent itself.
//!
//! Memory and mappings are taken at rest, while all of them wait, and after all were answered. That they wait then is seen on
//! each connection: whoever was turned away has an answer already. The peer is given as much room; where it does not get as far,
//! the table has what it reached, and what it says is printed.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bounds::{self, Bound};
use super::form::Form;
use super::hosts::{Host, Kind};
use super::memory::{mappings, status_kib};
use super::options::Options;
use super::scratch::Scratch;
use super::served::Served;
use super::silent::Silent;
use super::statistics::median;
use super::{client, descriptors, http1, machine, table, tree, turns, write_json};

const DEFAULT_ROUNDS: usize = 1;
const DEFAULT_INSTANCES: usize = 10_000;

/// What an instance may cost in Turnkey.
const BOUND_KIB: f64 = 100.0;

/// What may stay of what they took: the kernel gives pages back when it likes.
const STAYS_BOUND: f64 = 0.1;

/// Files that a process needs besides its connections.
const OWN_FILES: u64 = 300;

/// A timer is at least so long, and so much longer for each connection that has to be made before it ends.
const TIMER_MS: usize = 6_000;
const TIMER_US_EACH: usize = 2_000;

/// So many come at once, and then none for so long: whom a server has no time to take, the kernel lets try again a second later.
const AT_ONCE: usize = 50;
const PAUSE: Duration = Duration::from_millis(15);

/// Memory has come to rest when it is the same, but for so much, as it was a moment ago.
const MOMENT: Duration = Duration::from_millis(250);
const SAME_KIB: f64 = 256.0;
const MOST_MOMENTS: usize = 20;

/// Hosts keep what is idle for a second or so, in case that more comes.
const IDLE: Duration = Duration::from_secs(3);

/// What is waited for.
#[derive(Clone, Copy, PartialEq)]
enum Waits {
    Timer,
    Answer,
}

/// A component, and what it waits for.
struct Program {
    name: &'static str,
    is_preview3: bool,
    waits: Waits,
}

const PROGRAMS: [Program; 3] = [
    Program { name: "p2_http_wait", is_preview3: false, waits: Waits::Timer },
    Program { name: "p3_http_wait", is_preview3: true, waits: Waits::Timer },
    Program { name: "p2_http_fetch", is_preview3: false, waits: Waits::Answer },
];

/// A process at one moment.
#[derive(Clone, Copy)]
struct Moment {
    kib: f64,
    mappings: f64,
}

/// What was measured with one host in one round.
struct Density {
    rest: Moment,
    all: Moment,
    after: Moment,
    /// How many waited.
    waiting: usize,
}

impl Density {
    fn kib_each(&self) -> f64 {
        (self.all.kib - self.rest.kib) / self.waiting as f64
    }

    fn mappings_each(&self) -> f64 {
        (self.all.mappings - self.rest.mappings) / self.waiting as f64
    }

    /// The share of what waiting has added that is still there.
    fn stays(&self) -> f64 {
        (self.after.kib - self.rest.kib) / (self.all.kib - self.rest.kib)
    }
}

/// One number of a round.
type Figure = fn(&Density) -> f64;

const FIGURES: [(&str, usize, Figure); 7] = [
    ("waiting", 0, |density| density.waiting as f64),
    ("rest MiB", 1, |density| density.rest.kib / 1024.0),
    ("all wait MiB", 1, |density| density.all.kib / 1024.0),
    ("after MiB", 1, |density| density.after.kib / 1024.0),
    ("KiB each", 1, Density::kib_each),
    ("mappings each", 2, Density::mappings_each),
    ("stays", 3, Density::stays),
];

/// By host, then by round.
type Measured = Vec<Vec<Density>>;

struct Bench {
    hosts: Vec<Host>,
    /// Each host's cache and configuration.
    homes: Vec<PathBuf>,
    instances: usize,
    /// Files that a process may have open.
    files: u64,
    _scratch: Scratch,
}

/// Measures, prints the table, writes the JSON.
///
/// # Errors
/// What could not be built or run, a request that Turnkey did not hold, a bound not met if that was to be checked.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let bench = Bench::prepare(options)?;
    let rounds = options.rounds.unwrap_or(DEFAULT_ROUNDS);
    let mut outcomes = Vec::new();
    for program in PROGRAMS.iter().filter(|program| options.wants(program.name)) {
        let mut measured: Measured = bench.hosts.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            eprintln!("{}: round {} of {rounds}", program.name, round + 1);
            for index in turns(round, bench.hosts.len()) {
                let host = &bench.hosts[index];
                match bench.measure(program, host, &bench.homes[index]) {
                    Ok(density) => measured[index].push(density),
                    // How far the peer gets is no failure of this bench.
                    Err(error) if host.kind == Kind::Wasmtime => println!("{}: wasmtime: {error}", program.name),
                    Err(error) => return Err(format!("{}: {}: {error}", program.name, host.name())),
                }
            }
        }
        outcomes.push((program, measured));
    }
    bench.report(options, &outcomes)
}

impl Bench {
    fn prepare(options: &Options) -> Result<Self, String> {
        let mut hosts = vec![Host::turnkey()?];
        match Host::wasmtime() {
            Ok(host) => hosts.push(host),
            Err(note) => eprintln!("{note}"),
        }
        let mut scratch = Scratch::new(&tree::target())?;
        let homes = hosts.iter().map(|_| scratch.fresh()).collect::<Result<_, _>>()?;
        let instances = options.instances.unwrap_or(DEFAULT_INSTANCES);
        Ok(Self { hosts, homes, instances, files: descriptors::allow_all()?, _scratch: scratch })
    }

    /// As many as were asked for, or as the files allow: where something is sent on, each takes two, here and there.
    fn instances(&self, program: &Program) -> usize {
        let each = if program.waits == Waits::Answer { 2 } else { 1 };
        let most = usize::try_from(self.files.saturating_sub(OWN_FILES)).unwrap_or(usize::MAX) / each;
        if most < self.instances {
            eprintln!(
                "{}: {most} at once, as no more than {} files may be open\nhint: `ulimit -Hn`",
                program.name, self.files
            );
        }
        self.instances.min(most)
    }

    fn measure(&self, program: &Program, host: &Host, home: &Path) -> Result<Density, String> {
        let component = Form::Component.program(program.name)?;
        let silent = Silent::start()?;
        let instances = self.instances(program);
        let start = || {
            let mut command = host.serving(&component, program.is_preview3, &flags(host, program, instances, &silent));
            command.env("XDG_CACHE_HOME", home.join("cache")).env("XDG_CONFIG_HOME", home.join("config"));
            Served::start(command)
        };
        // Compiles it, if it is not in the cache: the memory that this takes is in no figure.
        drop(start()?);
        let served = start()?;
        let timer_ms = TIMER_MS + instances * TIMER_US_EACH / 1000;
        let path = match program.waits {
            Waits::Timer => format!("/?ms={timer_ms}"),
            Waits::Answer => format!("/?url=http://{}/", silent.address()),
        };
        self.one(&served, program, &silent)?;
        let rest = settled(&served)?;
        let started = Instant::now();
        let mut streams = Vec::with_capacity(instances);
        for index in 0..instances {
            if index % AT_ONCE == 0 {
                thread::sleep(PAUSE);
            }
            let asked = client::connect(served.address()).and_then(|stream| {
                http1::ask(&stream, &path, None).map_err(|error| format!("the request cannot be sent: {error}"))?;
                Ok(stream)
            });
            streams.push(asked.map_err(|error| format!("request {index}: {error}; {:?}", served.said()))?);
        }
        eprintln!("{}: {instances} requests in {:.1} s", host.name(), started.elapsed().as_secs_f64());
        if program.waits == Waits::Answer {
            until(|| silent.waiting() >= instances);
        }
        let all = settled(&served)?;
        let waiting = streams.iter().filter(|stream| is_silent(stream)).count();
        if waiting < instances {
            let what = self.turned_away(&streams, &served);
            if host.kind == Kind::Turnkey || waiting == 0 {
                return Err(format!("{waiting} of {instances} wait: {what}"));
            }
            println!("{}: {}: {waiting} of {instances} wait: {what}", program.name, host.name());
        }
        silent.answer();
        for stream in streams.iter().filter(|_| waiting == instances) {
            let answer = http1::answer(stream).map_err(|error| format!("{error}; {:?}", served.said()))?;
            if (answer.status, &*answer.body) != (200, b"waited\n") {
                return Err(format!("who has waited is answered {answer:?}; {:?}", served.said()));
            }
        }
        drop(streams);
        thread::sleep(IDLE);
        let after = settled(&served)?;
        Ok(Density { rest, all, after, waiting })
    }

    /// One request before all others: what the first of all costs is at rest too.
    fn one(&self, served: &Served, program: &Program, silent: &Silent) -> Result<(), String> {
        if program.waits == Waits::Timer {
            return served.expect("/?ms=1", None, b"waited\n");
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                until(|| silent.waiting() > 0);
                silent.answer();
            });
            served.expect(&format!("/?url=http://{}/", silent.address()), None, b"waited\n")
        })
    }

    /// What the first that does not wait was told.
    fn turned_away(&self, streams: &[TcpStream], served: &Served) -> String {
        let Some(stream) = streams.iter().find(|stream| !is_silent(stream)) else {
            return "all wait by now".to_owned();
        };
        let told = match http1::answer(stream) {
            Ok(answer) => format!("{} {:?}", answer.status, String::from_utf8_lossy(&answer.body)),
            Err(error) => error,
        };
        format!("{told}; {:?}", served.said())
    }

    fn report(&self, options: &Options, outcomes: &[(&Program, Measured)]) -> Result<(), String> {
        let machine = machine::describe(self.hosts.iter());
        println!("{}", machine::line(&machine));
        println!("requests that wait in one process at once, each with its own instance, medians of the rounds\n");
        let mut bounds = Vec::new();
        for (program, measured) in outcomes {
            println!("{}", self.table(program, measured));
            let ours = |figure| self.of(measured, Kind::Turnkey, figure);
            bounds.push((program.name, Bound::at_most("KiB each in turnkey", ours(Density::kib_each), BOUND_KIB)));
            bounds.push((program.name, Bound::at_most("stays in turnkey", ours(Density::stays), STAYS_BOUND)));
        }
        for (of, bound) in &bounds {
            println!("{of}: {}", bound.cell());
        }
        let report = json!({
            "bench": "density",
            "machine": machine,
            "programs": outcomes.iter().map(|(program, measured)| self.json(program, measured)).collect::<Vec<_>>(),
            "bounds": bounds.iter().map(|(of, bound)| json!({ "of": of, "bound": bound.json() })).collect::<Vec<_>>(),
        });
        write_json(options, &report)?;
        if !options.check {
            return Ok(());
        }
        bounds::check(bounds.iter().map(|(of, bound)| (*of, bound)))
    }

    fn of(&self, measured: &Measured, kind: Kind, figure: Figure) -> Option<f64> {
        let index = self.hosts.iter().position(|host| host.kind == kind)?;
        median(measured[index].iter().map(figure))
    }

    fn table(&self, program: &Program, measured: &Measured) -> String {
        let mut headings = vec![program.name];
        headings.extend(FIGURES.map(|(title, ..)| title));
        headings.push("");
        let rows = self.hosts.iter().zip(measured).map(|(host, rounds)| {
            let mut cells = vec![host.name().to_owned()];
            cells.extend(
                FIGURES.map(|(_, decimals, figure)| table::number(median(rounds.iter().map(figure)), decimals)),
            );
            cells
        });
        table::render(&headings, &rows.collect::<Vec<_>>())
    }

    fn json(&self, program: &Program, measured: &Measured) -> Value {
        let hosts = self.hosts.iter().zip(measured).map(|(host, rounds)| {
            let figures = FIGURES.map(|(title, _, figure)| {
                let numbers: Vec<f64> = rounds.iter().map(figure).collect();
                (title.replace(' ', "_"), json!({ "median": median(numbers.iter().copied()), "rounds": numbers }))
            });
            (host.name().to_owned(), Value::Object(figures.into_iter().collect()))
        });
        json!({ "name": program.name, "hosts": hosts.collect::<serde_json::Map<_, _>>() })
    }
}

/// Room for so many instances, and for twice as many connections.
fn flags(host: &Host, program: &Program, instances: usize, silent: &Silent) -> Vec<String> {
    if host.kind == Kind::Turnkey {
        let mut flags = vec![
            format!("--max-instances={instances}"),
            format!("--max-connections={}", 2 * instances),
            "--queue=0".to_owned(),
            "--timeout=120s".to_owned(),
            "--reuse=1".to_owned(),
        ];
        if program.waits == Waits::Answer {
            flags.push(format!("--allow=http=http://{}/*", silent.address()));
        }
        return flags;
    }
    // A component is made of a few core instances, each with a table or so, and one memory between them.
    let few = 4 * instances;
    let pool = [
        ("component-instances", instances),
        ("core-instances", few),
        ("memories", instances),
        ("tables", few),
        ("stacks", instances),
    ];
    let mut flags = vec!["-O".to_owned(), "pooling-allocator=y".to_owned()];
    for (what, count) in pool {
        flags.extend(["-O".to_owned(), format!("pooling-total-{what}={count}")]);
    }
    // Its own limits are lower than that.
    flags.push(format!("--max-concurrent-requests={instances}"));
    flags.push(format!("--max-concurrent-connections={}", 2 * instances));
    flags.extend(["--max-instance-reuse-count=1", "--max-instance-concurrent-reuse-count=1"].map(str::to_owned));
    flags
}

/// The process, when it has nothing more to do.
fn settled(served: &Served) -> Result<Moment, String> {
    let look = || status_kib(served.process(), "VmRSS:").map_err(|error| format!("{error}; {:?}", served.said()));
    let mut kib = look()?;
    for _ in 0..MOST_MOMENTS {
        thread::sleep(MOMENT);
        let before = std::mem::replace(&mut kib, look()?);
        if (kib - before).abs() <= SAME_KIB {
            break;
        }
    }
    Ok(Moment { kib, mappings: mappings(served.process())? })
}

/// Nothing has come on it, and it is open.
fn is_silent(stream: &TcpStream) -> bool {
    let peeked = || {
        stream.set_nonblocking(true)?;
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false)?;
        peeked
    };
    matches!(peeked(), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Waits for it, but no longer than for everything else here.
fn until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + super::server::PATIENCE / 2;
    while !is_so() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_costs_what_all_of_them_add() {
        let moment = |kib, mappings| Moment { kib, mappings };
        let density =
            Density { rest: moment(1000.0, 50.0), all: moment(2000.0, 90.0), after: moment(1100.0, 50.0), waiting: 20 };
        assert_eq!((density.kib_each(), density.mappings_each(), density.stays()), (50.0, 2.0, 0.1));
    }
}
