//! `turnkey check`: what a program is, what it can ask for, and what nothing here provides. Runs nothing of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use turnkey::{
    Engine, EngineKey, EngineOptions, Form, Http, Import, Provider, Start, World, preview1, preview2, preview3,
};

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
        pool: None,
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
        for ((word, flags), names) in capabilities {
            let _ = writeln!(report, "  {word:<14} {flags:<36} {}", names.join(" "));
        }
    }
    let missing = world.missing();
    if !missing.is_empty() {
        report.push_str("nothing here provides\n");
        for import in missing {
            let nearest = import.nearest.map(|nearest| format!("  nearest: {}", escaped(&nearest)));
            let _ = writeln!(report, "  {}{}", escaped(&import.import), nearest.unwrap_or_default());
        }
    }
    if world.start == Start::Reactor && world.answers_http().is_none() && !world.exports.is_empty() {
        let exports: Vec<String> = world.exports.iter().map(|name| escaped(name)).collect();
        let _ = writeln!(report, "`--invoke` calls {}", exports.join(" "));
    }
    report
}

fn what(world: &World) -> &'static str {
    let has = |wanted| world.imports.iter().any(|import| import.provider == Some(wanted));
    match (world.form, world.start) {
        (Form::Module, Start::Command) if has(Provider::Preview1) => "a module: a Preview 1 command",
        (Form::Module, Start::Command) if has(Provider::Preview0) => "a module: a preview 0 (`wasi_unstable`) command",
        (Form::Module, Start::Command) => "a module: a command without WASI",
        (Form::Module, Start::Reactor) if has(Provider::Preview1) => "a module: a Preview 1 reactor",
        (Form::Module, Start::Reactor) if has(Provider::Preview0) => "a module: a preview 0 (`wasi_unstable`) reactor",
        (Form::Module, Start::Reactor) => "a module without WASI",
        (Form::Component, Start::Command) if world.is_preview3_command() => {
            "a component: a Preview 3 command (`wasi:cli/run`)"
        }
        (Form::Component, Start::Command) => "a component: a Preview 2 command (`wasi:cli/run`)",
        (Form::Component, Start::Reactor) if world.answers_http() == Some(Http::Preview3) => {
            "a component: a Preview 3 HTTP service (`turnkey serve`)"
        }
        (Form::Component, Start::Reactor) if world.answers_http() == Some(Http::Preview2) => {
            "a component: a Preview 2 HTTP service (`turnkey serve`)"
        }
        (Form::Component, Start::Reactor) if has(Provider::Preview3) => {
            "a component with Preview 3 that is no command: it exports no `wasi:cli/run`"
        }
        (Form::Component, Start::Reactor) if has(Provider::Preview2) => {
            "a component with Preview 2 that is no command: it exports no `wasi:cli/run`"
        }
        (Form::Component, Start::Reactor) => "a component that is no command: it exports no `wasi:cli/run`",
    }
}

/// What a program imports, by what it needs: of a module the functions, of a component the interfaces.
fn capabilities(world: &World) -> BTreeMap<(&'static str, &'static str), Vec<&'static str>> {
    let mut found: BTreeMap<_, Vec<&'static str>> = BTreeMap::new();
    for row in preview1::FUNCTIONS {
        let wanted = |import: &Import| {
            matches!(import.provider, Some(Provider::Preview0 | Provider::Preview1)) && import.name == row.name
        };
        if world.imports.iter().any(wanted) {
            found.entry(module_need(row.uses)).or_default().push(row.name);
        }
    }
    // An interface that two generations have is one to whoever grants it.
    for row in preview2::INTERFACES.iter().chain(&preview3::INTERFACES) {
        let wanted = |import: &Import| {
            let of = |interface: fn(&str) -> Option<&'static str>| interface(&import.module) == Some(row.name);
            of(preview2::interface) || of(preview3::interface)
        };
        if row.uses != preview2::Uses::Nothing && world.imports.iter().any(wanted) {
            let names = found.entry(component_need(row.uses)).or_default();
            if !names.contains(&row.name) {
                names.push(row.name);
            }
        }
    }
    found
}

/// What a need of a module is called, and the flags that grant it.
const fn module_need(uses: preview1::Uses) -> (&'static str, &'static str) {
    use preview1::Uses;
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

/// The same of a component.
const fn component_need(uses: preview2::Uses) -> (&'static str, &'static str) {
    use preview2::Uses;
    match uses {
        Uses::Environment => ("environment", "--env, --inherit-env"),
        Uses::Clocks => ("clocks", "--clock, --clock-resolution"),
        Uses::Streams => ("streams", "--stdin, --stdout, --stderr"),
        Uses::Directories => ("directories", "--dir, --ro-dir"),
        Uses::Process => ("its own end", ""),
        Uses::Random => ("random", "--random-seed"),
        Uses::Network => ("network", "--allow"),
        Uses::Nothing => ("nothing", ""),
    }
}
