//! `turnkey check`: what a program is, what it can ask for, and what nothing here provides. Runs nothing of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use turnkey::preview1::{FUNCTIONS, Generation, Uses};
use turnkey::{Engine, EngineKey, EngineOptions, Start, World};

use super::progress;
use crate::args;
use crate::exit;
use crate::message::{Message, escaped, print};
use crate::plan::{cache, program};

pub(super) fn check(typed: &args::Check) -> Result<ExitCode, Message> {
    let app = typed.app.display().to_string();
    let program = program::read(&typed.app)?;
    let options = EngineOptions {
        key: EngineKey::default(),
        cache: cache::for_run(),
        on_compile: Some(progress::on_compile(&app)),
    };
    let guest =
        Engine::new(options).and_then(|engine| engine.load(&program)).map_err(|error| Message::of(&app, &error))?;
    let world = guest.world();
    print(&report(&app, program.len(), world))?;
    Ok(if world.missing().is_empty() { ExitCode::SUCCESS } else { ExitCode::from(exit::CANNOT_RUN) })
}

fn report(app: &str, bytes: usize, world: &World) -> String {
    let mut report = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(report, "`{}` is {}, {:.1} KB", escaped(app), what(world), bytes as f64 / 1e3);
    let capabilities = capabilities(world);
    if capabilities.is_empty() {
        report.push_str("it asks for nothing\n");
    } else {
        report.push_str("it can ask for\n");
        for (uses, functions) in capabilities {
            let (word, flags) = described(uses);
            let _ = writeln!(report, "  {word:<14} {flags:<36} {}", functions.join(" "));
        }
    }
    let missing = world.missing();
    if !missing.is_empty() {
        report.push_str("nothing here provides\n");
        for import in missing {
            let nearest = import.nearest.map(|nearest| format!("  nearest: {}", escaped(&nearest)));
            let _ = writeln!(
                report,
                "  {}::{}{}",
                escaped(&import.module),
                escaped(&import.name),
                nearest.unwrap_or_default()
            );
        }
    }
    if world.start == Start::Reactor {
        let exports: Vec<String> = world.exports.iter().map(|name| escaped(name)).collect();
        let _ = writeln!(report, "`--invoke` calls {}", exports.join(" "));
    }
    report
}

fn what(world: &World) -> &'static str {
    let has = |wanted| world.imports.iter().any(|import| import.generation == Some(wanted));
    match (world.start, has(Generation::Preview1), has(Generation::Preview0)) {
        (Start::Command, true, _) => "a module: a Preview 1 command",
        (Start::Command, false, true) => "a module: a preview 0 (`wasi_unstable`) command",
        (Start::Command, false, false) => "a module: a command without WASI",
        (Start::Reactor, true, _) => "a module: a Preview 1 reactor",
        (Start::Reactor, false, true) => "a module: a preview 0 (`wasi_unstable`) reactor",
        (Start::Reactor, false, false) => "a module without WASI",
    }
}

/// The functions that a program imports, by what they need.
fn capabilities(world: &World) -> BTreeMap<Uses, Vec<&'static str>> {
    let mut found: BTreeMap<Uses, Vec<&'static str>> = BTreeMap::new();
    for row in FUNCTIONS {
        if world.imports.iter().any(|import| import.generation.is_some() && import.name == row.name) {
            found.entry(row.uses).or_default().push(row.name);
        }
    }
    found
}

/// What a need is called, and the flags that grant it.
const fn described(uses: Uses) -> (&'static str, &'static str) {
    match uses {
        Uses::Environment => ("environment", "--env, --inherit-env"),
        Uses::Clocks => ("clocks", "--clock, --clock-resolution"),
        Uses::Descriptors => ("descriptors", "--stdin, --stdout, --stderr"),
        Uses::Directories => ("directories", "--dir, --ro-dir"),
        Uses::Waiting => ("waiting", ""),
        Uses::Process => ("its own end", ""),
        Uses::Random => ("random", "--random-seed"),
        Uses::Sockets => ("sockets", "--tcp-listener"),
    }
}
