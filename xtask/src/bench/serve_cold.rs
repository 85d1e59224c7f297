//! From the start of a server's process to the end of its first answer, with what was compiled in its cache: what a user waits for
//! where servers are started when somebody asks.
//!
//! The component is one of about 100 KB. The servers take turns.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use super::bounds::{self, Bound};
use super::form::Form;
use super::hosts::Host;
use super::options::Options;
use super::scratch::Scratch;
use super::served::Served;
use super::statistics::{median, ratio};
use super::{machine, table, tree, turns, write_json};

const DEFAULT_ROUNDS: usize = 40;

const PROGRAM: &str = "p2_http_faults";

/// The share of the peer's time.
const BOUND: f64 = 0.5;

/// Measures, prints the table, writes the JSON.
///
/// # Errors
/// What could not be built or run, a wrong answer, the bound not met if that was to be checked.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let component = Form::Component.program(PROGRAM)?;
    let mut hosts = vec![Host::turnkey()?];
    match Host::wasmtime() {
        Ok(host) => hosts.push(host),
        Err(note) => eprintln!("{note}"),
    }
    let mut scratch = Scratch::new(&tree::target())?;
    let homes: Vec<PathBuf> = hosts.iter().map(|_| scratch.fresh()).collect::<Result<_, _>>()?;
    for (host, home) in hosts.iter().zip(&homes) {
        // Compiles it.
        first_answer_ms(host, &component, home)?;
    }
    let mut measured: Vec<Vec<Option<f64>>> = vec![Vec::new(); hosts.len()];
    for round in 0..options.rounds.unwrap_or(DEFAULT_ROUNDS) {
        for index in turns(round, hosts.len()) {
            measured[index].push(Some(first_answer_ms(&hosts[index], &component, &homes[index])?));
        }
    }
    let ratio = measured.get(1).and_then(|theirs| ratio(&measured[0], theirs));
    let bound = Bound::at_most("first answer/wasmtime", ratio, BOUND);
    let machine = machine::describe(hosts.iter());
    println!("{}", machine::line(&machine));
    println!(
        "from the start of the process to the end of the first answer, {PROGRAM}, medians of {} rounds\n",
        measured[0].len()
    );
    let middle = |rounds: &[Option<f64>]| median(rounds.iter().flatten().copied());
    let rows = hosts.iter().zip(&measured);
    let mut rows: Vec<Vec<String>> = rows
        .map(|(host, rounds)| vec![host.name().to_owned(), table::number(middle(rounds), 2), String::new()])
        .collect();
    rows.push(vec!["turnkey/wasmtime".to_owned(), table::number(ratio, 2), bound.cell()]);
    println!("{}", table::render(&["server", "ms", ""], &rows));
    let figures = hosts
        .iter()
        .zip(&measured)
        .map(|(host, rounds)| (host.name().to_owned(), json!({ "median": middle(rounds), "rounds": rounds })));
    let report = json!({
        "bench": "serve-cold",
        "machine": machine,
        "first_answer_ms": figures.collect::<serde_json::Map<_, _>>(),
        "turnkey_to_wasmtime": ratio,
        "bounds": [bound.json()],
    });
    write_json(options, &report)?;
    if !options.check {
        return Ok(());
    }
    bounds::check([("serve-cold", &bound)].into_iter())
}

fn first_answer_ms(host: &Host, component: &Path, home: &Path) -> Result<f64, String> {
    let mut command = host.serving(component, false, &[]);
    command.env("XDG_CACHE_HOME", home.join("cache")).env("XDG_CONFIG_HOME", home.join("config"));
    let started = Instant::now();
    let answered = Served::start(command).and_then(|served| {
        served.expect("/ok", None, b"ok\n")?;
        // Ending it is in no figure.
        Ok(started.elapsed().as_secs_f64() * 1e3)
    });
    answered.map_err(|error| format!("{}: {error}", host.name()))
}
