//! `turnkey serve` while something else goes on: requests whose guests fail in every way there is (`faults`), or a new version of
//! the app every other second (`reload`). Good requests are asked at full rate by `wrk` meanwhile, and none of them may be lost; the
//! memory is looked at again and again.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client;
use super::form::Form;
use super::hosts::Host;
use super::memory::status_kib;
use super::options::Options;
use super::scratch::Scratch;
use super::served::Served;
use super::{table, tree, wrk};

const FAULTS_SECONDS: usize = 600;
const RELOAD_SECONDS: usize = 30;

/// One load, after which the memory is looked at.
const LOAD_SECONDS: usize = 10;
const CONNECTIONS: u32 = 16;

/// How the guests fail; what a request is after that is cut off by its client is `/slow`.
const PREVIEW2: [&str; 12] = [
    "/trap",
    "/loop",
    "/sleep",
    "/none",
    "/twice",
    "/short",
    "/long",
    "/headers",
    "/memory",
    "/exit",
    "/error",
    "/unfinished",
];
const PREVIEW3: [&str; 10] =
    ["/trap", "/loop", "/sleep", "/short", "/long", "/headers", "/memory", "/exit", "/error", "/unfinished"];

/// How much larger the process may be in the end than it was after a quarter of the time: nothing grows with time.
const GROWN: f64 = 1.25;

/// # Errors
/// A good request was lost, or the memory grew.
pub(super) fn faults(options: &Options) -> Result<(), String> {
    let host = Host::turnkey()?;
    let wrk = wrk::program()?;
    let mut scratch = Scratch::new(&tree::target())?;
    let script = scratch.file("ok.lua");
    std::fs::write(&script, "wrk.path = \"/ok\"\n").map_err(|error| error.to_string())?;
    let home = scratch.fresh()?;
    let seconds = options.seconds.unwrap_or(FAULTS_SECONDS);
    let programs = [("p2_http_faults", &PREVIEW2[..]), ("p3_http_faults", &PREVIEW3[..])];
    for (program, paths) in programs.into_iter().filter(|(program, _)| options.wants(program)) {
        let mut command = Command::new(&host.program);
        command.args(["serve", "--addr", "127.0.0.1:0", "--timeout", "1s", "--max-memory", "32MiB"]);
        command.arg(Form::Component.program(program)?).env("XDG_CACHE_HOME", home.join("cache"));
        let served = Served::start(command)?;
        let (over, done) = (AtomicBool::new(false), AtomicU64::new(0));
        let mut rows = Vec::new();
        let loads = thread::scope(|scope| {
            scope.spawn(|| fail(served.address(), paths, &over, &done));
            let began = Instant::now();
            let mut loads = Vec::new();
            while began.elapsed() < Duration::from_secs(seconds as u64) {
                let load = wrk::run(&wrk, served.address(), CONNECTIONS, LOAD_SECONDS.min(seconds), Some(&script));
                let memory = status_kib(served.process(), "VmRSS:");
                let lost = load.is_err();
                loads.push(load.and_then(|load| Ok((load.requests_per_second, memory?))));
                if lost {
                    break;
                }
            }
            over.store(true, Ordering::Relaxed);
            loads
        });
        let loads = loads.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| format!("{program}: {error}"))?;
        for (place, (rate, kib)) in loads.iter().enumerate() {
            let at = ((place + 1) * LOAD_SECONDS.min(seconds)).to_string();
            rows.push(vec![at, table::number(Some(*rate), 0), table::number(Some(*kib / 1024.0), 1)]);
        }
        println!("{program}: {} requests failed beside these, and none of them\n", done.load(Ordering::Relaxed));
        println!("{}", table::render(&["s", "good requests a second", "MiB resident"], &rows));
        // By then every kind of fault has had as many instances at once as it ever has.
        if let (Some((_, early)), Some((_, last))) = (loads.get(loads.len() / 4), loads.last())
            && *last > *early * GROWN
        {
            return Err(format!("{program}: the memory has grown from {early} KiB to {last}"));
        }
    }
    Ok(())
}

/// Asks for what fails, one after the other, until it is over.
fn fail(address: SocketAddr, paths: &[&str], over: &AtomicBool, done: &AtomicU64) {
    for path in paths.iter().chain(&["/slow"]).cycle() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        // Those that take long are not waited for: others go on beside them.
        let is_long = ["/loop", "/sleep", "/slow"].contains(path);
        if let Ok(mut stream) = client::connect(address) {
            let asked = stream
                .write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes());
            if is_long {
                thread::sleep(Duration::from_millis(20));
                let _ = stream.shutdown(Shutdown::Both);
            } else if asked.is_ok() {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = stream.read_to_end(&mut Vec::new());
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// # Errors
/// A request was lost.
pub(super) fn reload(options: &Options) -> Result<(), String> {
    let host = Host::turnkey()?;
    let wrk = wrk::program()?;
    let mut scratch = Scratch::new(&tree::target())?;
    let home = scratch.fresh()?;
    let seconds = options.seconds.unwrap_or(RELOAD_SECONDS);
    for program in ["p2_http_hello", "p3_http_hello"].into_iter().filter(|program| options.wants(program)) {
        let versions = versions(&Form::Component.program(program)?)?;
        let app = scratch.file("app.wasm");
        put(&app, &versions[0])?;
        let mut command = Command::new(&host.program);
        command.args(["serve", "--addr", "127.0.0.1:0", "--watch"]).arg(&app);
        command.env("XDG_CACHE_HOME", home.join("cache"));
        let served = Served::start(command)?;
        let over = AtomicBool::new(false);
        let load = thread::scope(|scope| {
            scope.spawn(|| {
                for version in versions.iter().cycle().skip(1) {
                    thread::sleep(Duration::from_secs(2));
                    if over.load(Ordering::Relaxed) || put(&app, version).is_err() {
                        return;
                    }
                }
            });
            let load = wrk::run(&wrk, served.address(), CONNECTIONS, seconds, None);
            over.store(true, Ordering::Relaxed);
            load
        });
        let load = load.map_err(|error| format!("{program}: {error}"))?;
        let reloads = served.said().iter().filter(|line| line.contains("loaded anew")).count();
        println!(
            "{program}: {:.0} requests a second for {seconds} s, none lost; the first lines say of {reloads} reloads",
            load.requests_per_second
        );
        if reloads == 0 {
            return Err(format!("{program}: the app was not loaded anew, but {:?}", served.said()));
        }
    }
    Ok(())
}

/// The program, and the same with an empty section more: another file, another artifact.
fn versions(program: &Path) -> Result<[Vec<u8>; 2], String> {
    let one = std::fs::read(program).map_err(|error| format!("cannot read `{}`: {error}", program.display()))?;
    let mut other = one.clone();
    // A custom section, of two bytes: its name has one letter.
    other.extend_from_slice(&[0, 2, 1, b'x']);
    Ok([one, other])
}

/// Puts a file in another one's place, whole.
fn put(place: &PathBuf, bytes: &[u8]) -> Result<(), String> {
    let beside = place.with_extension("new");
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, place))
        .map_err(|error| format!("cannot write `{}`: {error}", place.display()))
}
