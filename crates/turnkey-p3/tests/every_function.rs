//! Every function of Preview 3 is there, by its name and with its types, and asynchronous where the standard says so: a component
//! that imports all that `wit/0.3` defines, one for each version, is linked and instantiated. Not what a function does: there are
//! other tests for that. Source of truth: `wit/0.3`, which `wit.rs` holds against the standard.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

use std::fs;
use std::path::Path;

use turnkey_core::{Capabilities, Grants, Limits};
use turnkey_p3::{Preview3, table};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};
use wit_parser::{Resolve, UnresolvedPackageGroup};

#[path = "../../turnkey-p2/tests/definitions/importing.rs"]
mod importing;

use importing::{Definitions, component};

/// What `wit/0.3` defines of a world, once its files are edited, with all that is unstable.
fn definitions(imports: &str, edit: impl Fn(&str) -> String) -> Definitions {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.3/deps");
    let parse =
        |path: &Path, text: &str| UnresolvedPackageGroup::parse(path, &edit(text)).map_err(|(_, error)| error).unwrap();
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let packages = files.map(|path| parse(&path, &fs::read_to_string(&path).unwrap())).collect();
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let world = format!("package turnkey:test;\nworld all {{ {imports} }}");
    let package = resolve.push_groups(parse(Path::new("all.wit"), &world), packages).unwrap();
    let world = resolve.select_world(&[package], Some("all")).unwrap();
    (resolve, world)
}

const ALL: &str = "include wasi:cli/imports@0.3.2; import wasi:http/client@0.3.2; import wasi:http/handler@0.3.2;";

/// The definitions under another version's name.
fn of_version(version: &str) -> impl Fn(&str) -> String {
    move |text| {
        text.replace("@0.3.2", &format!("@{version}")).replace("since(version = 0.3.0)", "since(version = 0.0.1)")
    }
}

/// Links a component, and makes an instance of it.
fn instantiate(component: &[u8]) -> wasmtime::Result<()> {
    let mut config = Config::new();
    config.concurrency_support(true);
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, component)?;
    let mut linker = Linker::new(&engine);
    turnkey_p3::link(&mut linker, &component, |(host, p3): &mut (Capabilities, Preview3)| (host, p3))?;
    let host = Capabilities::new(Grants::default(), Limits::default()).unwrap();
    let mut store = Store::new(&engine, (host, Preview3::default()));
    let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
    executor.block_on(linker.instantiate_async(&mut store, &component))?;
    Ok(())
}

#[test]
fn every_function_of_every_version_is_there_with_its_types() {
    for version in ["0.3.0", "0.3.1", "0.3.2", "0.3.0-rc-2026-03-15"] {
        let component = component(&definitions(ALL, of_version(version)));
        instantiate(&component).unwrap_or_else(|error| panic!("{version}: {error:?}"));
    }
}

#[test]
fn of_an_older_candidate_there_is_what_has_not_changed() {
    for version in ["0.3.0-rc-2026-01-06", "0.3.0-rc-2026-02-09"] {
        for row in table::INTERFACES.iter().filter(|row| row.name != "wasi:cli/run") {
            let import = format!("{}@{version}", row.name);
            let component = component(&definitions(&format!("import {import};"), of_version(version)));
            let linked = instantiate(&component);
            assert_eq!(linked.is_ok(), table::interface(&import).is_some(), "{import}: {linked:?}");
        }
    }
}

#[test]
fn a_function_of_other_types_or_of_another_name_is_not_linked() {
    for (interface, from, to) in [
        ("wasi:random/random", "get-random-u64: func() -> u64", "get-random-u64: func() -> u32"),
        ("wasi:clocks/system-clock", "seconds: s64,\n    nanoseconds: u32,", "nanoseconds: u32,\n    seconds: s64,"),
        ("wasi:filesystem/types", "bad-descriptor,\n    busy,", "busy,\n    bad-descriptor,"),
        ("wasi:filesystem/types", "sync: async func()", "sync: func()"),
        ("wasi:cli/stdout", "data: stream<u8>", "data: stream<u16>"),
        ("wasi:cli/environment", "get-initial-cwd", "initial-cwd"),
        (
            "wasi:http/types",
            "set-status-code: func(status-code: status-code)",
            "set-status-code: func(status-code: u32)",
        ),
        ("wasi:http/types", "size-exceeded,", ""),
        ("wasi:http/client", "send: async func", "send: func"),
    ] {
        let import = format!("import {interface}@0.3.2;");
        let right = component(&definitions(&import, str::to_owned));
        let wrong = component(&definitions(&import, |text| text.replace(from, to)));
        assert!(right != wrong, "`{from}` is nowhere");
        instantiate(&right).unwrap();
        assert!(instantiate(&wrong).is_err(), "`{to}` for `{from}`");
    }
}
