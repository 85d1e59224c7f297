//! Every function of Preview 2 is there, by its name and with its types: a component that imports all that `wit/0.2` defines,
//! one for each release, is linked and instantiated. Not what a function does: there are other tests for that. Source of
//! truth: `wit/0.2`, which `wit.rs` holds against the standard.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use turnkey_core::{Capabilities, Grants, Limits};
use turnkey_p2::{Preview2, Waits, table};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};
use wit_parser::{Resolve, TypeDefKind, UnresolvedPackageGroup, WorldItem};

#[path = "definitions/importing.rs"]
mod importing;

use importing::{Definitions, component};

/// The last number of the release that `wit/0.2` has, 0.2.12.
const NEWEST: u32 = 12;

/// The text of a `.wit` file as it would be in an older release: without the functions that came later.
fn of_release(text: &str, patch: u32) -> String {
    let mut older = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let since = line.trim().strip_prefix("@since(version = 0.2.").and_then(|rest| rest.strip_suffix(')'));
        if since.is_some_and(|since| since.parse::<u32>().unwrap() > patch) {
            let gated = lines.next().unwrap();
            // Another name for a type is nothing that a component can lack.
            if gated.trim().starts_with("type ") {
                older += &format!("{gated}\n");
                continue;
            }
            assert!(gated.contains(": func(") && gated.ends_with(';'), "no function in one line: `{gated}`");
        } else {
            older += &format!("{line}\n");
        }
    }
    older.replace(&format!("@0.2.{NEWEST}"), &format!("@0.2.{patch}"))
}

/// What `wit/0.2` defines once its files are edited, with all that is unstable.
fn definitions(edit: impl Fn(&str) -> String) -> Definitions {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.2");
    let parse = |path: &Path| {
        let text = edit(&fs::read_to_string(path).unwrap());
        UnresolvedPackageGroup::parse(path, &text).map_err(|(_, error)| error).unwrap()
    };
    let packages = fs::read_dir(folder.join("deps")).unwrap().map(|entry| parse(&entry.unwrap().path())).collect();
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let package = resolve.push_groups(parse(&folder.join("everything.wit")), packages).unwrap();
    let world = resolve.select_world(&[package], Some("everything")).unwrap();
    (resolve, world)
}

/// The definitions of a release.
fn release(patch: u32) -> Definitions {
    definitions(|text| of_release(text, patch))
}

/// Every function of every interface that the world imports: the interface's name with its version, and the function's.
fn defined((resolve, world): &Definitions) -> BTreeSet<(String, String)> {
    let interfaces = resolve.worlds[*world].imports.values().map(|item| match item {
        WorldItem::Interface { id, .. } => *id,
        item => panic!("an interface, not {item:?}"),
    });
    let of_interface = |id| {
        let name = resolve.id_of(id).unwrap();
        resolve.interfaces[id].functions.keys().map(move |function| (name.clone(), function.clone()))
    };
    interfaces.flat_map(of_interface).collect()
}

/// Every function that the engine sees a component import.
fn imported(engine: &Engine, component: &Component) -> BTreeSet<(String, String)> {
    let mut functions = BTreeSet::new();
    for (interface, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else { panic!("an instance: `{interface}`") };
        let exports =
            instance.exports(engine).filter(|(_, export)| matches!(export.ty, ComponentItem::ComponentFunc(_)));
        functions.extend(exports.map(|(function, _)| (interface.to_string(), function.to_string())));
    }
    functions
}

/// How the state is found in what a store holds.
fn state((host, preview): &mut (Capabilities, Preview2)) -> (&mut Capabilities, &mut Preview2) {
    (host, preview)
}

#[test]
fn the_world_imports_every_interface_but_what_a_guest_exports() {
    let (resolve, world) = release(NEWEST);
    let all: BTreeSet<_> = resolve.interfaces.iter().map(|(id, _)| resolve.id_of(id).unwrap()).collect();
    let imports = resolve.worlds[world].imports.keys().map(|key| resolve.name_world_key(key));
    let exported = ["cli/run", "http/incoming-handler"].map(|name| format!("wasi:{name}@0.2.{NEWEST}"));
    assert_eq!(imports.chain(exported).collect::<BTreeSet<_>>(), all);
}

#[test]
fn the_component_of_each_release_imports_every_function_of_it() {
    let engine = Engine::default();
    let newest = defined(&release(NEWEST)).len();
    for patch in 0..=NEWEST {
        let release = release(patch);
        let functions = defined(&release);
        let component = Component::new(&engine, component(&release)).unwrap();
        assert_eq!(imported(&engine, &component), functions);
        assert_eq!(functions.len(), newest - usize::from(patch < NEWEST), "0.2.12 has one more than those before");
        assert!(functions.iter().all(|(interface, _)| interface.ends_with(&format!("@0.2.{patch}"))));
    }
}

/// Links a component, and makes an instance of it.
fn instantiate(component: &[u8], waits: Waits) -> wasmtime::Result<()> {
    let engine = Engine::default();
    let component = Component::new(&engine, component)?;
    let mut linker = Linker::new(&engine);
    turnkey_p2::link(&mut linker, &component, waits, |(host, p2): &mut (Capabilities, Preview2)| (host, p2))?;

    let host = Capabilities::new(Grants::default(), Limits::default()).unwrap();
    let p2 = Preview2::default();
    let mut store = Store::new(&engine, (host, p2));
    match waits {
        Waits::Here => linker.instantiate(&mut store, &component)?,
        Waits::InExecutor | Waits::BesideTasks => {
            let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
            executor.block_on(linker.instantiate_async(&mut store, &component))?
        }
    };
    Ok(())
}

#[test]
fn every_function_of_every_release_is_there_with_its_types() {
    for patch in 0..=NEWEST {
        let component = component(&release(patch));
        for waits in [Waits::Here, Waits::InExecutor, Waits::BesideTasks] {
            instantiate(&component, waits).unwrap_or_else(|error| panic!("0.2.{patch}, {waits:?}: {error:?}"));
        }
    }
}

/// What the engine holds against a function here. Only whether a resource is lent or given it leaves to the component.
#[test]
fn a_function_of_other_types_or_of_another_name_is_not_linked() {
    for (interface, from, to) in [
        ("wasi:random/random", "get-random-u64: func() -> u64", "get-random-u64: func() -> u32"),
        ("wasi:clocks/wall-clock", "seconds: u64,\n    nanoseconds: u32,", "nanoseconds: u32,\n    seconds: u64,"),
        ("wasi:filesystem/types", "bad-descriptor,\n    busy,", "busy,\n    bad-descriptor,"),
        ("wasi:io/streams", "src: borrow<input-stream>", "src: borrow<output-stream>"),
        ("wasi:cli/environment", "initial-cwd", "cwd"),
        ("wasi:http/types", "HTTP-request-body-size(option<u64>)", "HTTP-request-body-size(option<u32>)"),
        ("wasi:http/types", "    HTTP-upgrade-failed,\n", ""),
        ("wasi:http/outgoing-handler", "options: option<request-options>", "options: request-options"),
    ] {
        let only = |text: &str| {
            let text = text.replace(&format!("  include wasi:http/imports@0.2.{NEWEST};\n"), "");
            text.replace("include wasi:cli/imports", &format!("import {interface}"))
        };
        let right = component(&definitions(only));
        let wrong = component(&definitions(|text| only(text).replace(from, to)));
        for waits in [Waits::Here, Waits::InExecutor, Waits::BesideTasks] {
            instantiate(&right, waits).unwrap();
            assert!(instantiate(&wrong, waits).is_err(), "`{to}` for `{from}`");
        }
    }
}

#[test]
fn the_table_has_the_functions_and_resources_of_the_standard_in_its_order_and_no_others() {
    let (resolve, _) = release(NEWEST);
    let mut interfaces = BTreeSet::new();
    for (id, interface) in resolve.interfaces.iter() {
        let name = resolve.id_of(id).unwrap();
        let name = name.split_once('@').unwrap().0;
        interfaces.insert(name.to_owned());
        if ["wasi:cli/run", "wasi:http/incoming-handler"].contains(&name) {
            assert!(table::names(name, state).is_empty(), "`{name}` is exported");
            continue;
        }
        let is_resource = |id| matches!(resolve.types[id].kind, TypeDefKind::Resource);
        let resources = interface.types.iter().filter(|(_, id)| is_resource(**id)).map(|(name, _)| name);
        let (functions, others): (Vec<&str>, Vec<&str>) =
            table::names(name, state).iter().partition(|name| interface.functions.contains_key(**name));
        assert_eq!(functions, interface.functions.keys().collect::<Vec<_>>(), "functions of `{name}`");
        assert_eq!(others, resources.collect::<Vec<_>>(), "resources of `{name}`");
    }
    let rows: Vec<_> = table::INTERFACES.iter().map(|row| row.name.to_owned()).collect();
    assert_eq!(rows.len(), interfaces.len(), "each has one row");
    assert_eq!(BTreeSet::from_iter(rows), interfaces);
}
