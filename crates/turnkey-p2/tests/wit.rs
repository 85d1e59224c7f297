//! What is in `wit/` is what is published: every package, interface, type, function and world, with its gates and in its
//! order. Not whether the host has it: that is `every_function.rs`. Source of truth: the definitions that the crate `wasip2`
//! ships.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, iter};

use wit_component::WitPrinter;
use wit_parser::Resolve;

/// Packages that are published, and not for Turnkey yet.
const LATER: [&str; 1] = ["http"];

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

/// The folder of the crate `wasip2`, wherever cargo has it. Only packages for the machine that this runs on are sure to be
/// there, and the crate's folder is the same for all of them.
fn published() -> PathBuf {
    let platform = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let output = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let wasip2: Vec<_> = packages.iter().filter(|package| package["name"] == "wasip2").collect();
    assert_eq!(wasip2.len(), 1, "one version of `wasip2`");
    Path::new(wasip2[0]["manifest_path"].as_str().unwrap()).with_file_name("wit")
}

/// All that a folder defines of WASI, a statement a line: where it is, its gate, and itself. Comments are left out, and so are
/// packages of other names than WASI's.
fn statements(folder: &Path) -> Vec<String> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    resolve.push_dir(folder).unwrap();
    let mut packages: Vec<_> =
        resolve.packages.iter().filter(|(_, package)| package.name.namespace == "wasi").collect();
    packages.retain(|(_, package)| !LATER.contains(&&*package.name.name));
    packages.sort_by_key(|(_, package)| package.name.to_string());

    let mut statements = Vec::new();
    for (id, package) in packages {
        let mut printer = WitPrinter::default();
        printer.emit_docs(false).print(&resolve, id, &[]).unwrap();
        let text = printer.output.to_string();

        let mut place = vec![package.name.to_string()];
        let mut gate = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line.starts_with('@') {
                gate += &format!("{line} ");
            } else if line == "}" {
                place.pop();
            } else {
                let statement = line.trim_end_matches(['{', ' ', ';', ',']);
                statements.push(format!("{}: {gate}{statement}", place.join(" / ")));
                gate.clear();
                if line.ends_with('{') {
                    place.push(statement.to_string());
                }
            }
        }
    }
    statements
}

/// What is in one and not in the other; or, if they have the same, the first that is not at its place.
fn differences(ours: &[String], published: &[String]) -> Vec<String> {
    fn lacking(what: &str, all: &[String], other: &[String]) -> Vec<String> {
        let other: HashSet<_> = other.iter().collect();
        all.iter().filter(|statement| !other.contains(statement)).map(|it| format!("{what}: {it}")).collect()
    }
    let mut found = lacking("not in `wit/`", published, ours);
    found.extend(lacking("only in `wit/`", ours, published));
    if found.is_empty() {
        let moved = iter::zip(ours, published).find(|(ours, published)| ours != published);
        found.extend(moved.map(|(ours, published)| format!("not in order: {ours}, where there should be {published}")));
    }
    found
}

#[test]
fn what_is_here_is_what_is_published() {
    let found = differences(&statements(&ours()), &statements(&published()));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// `wit/` in a folder of its own, with all of `from` in one file as `to`.
fn edited(file: &str, from: &str, to: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("deps")).unwrap();
    let (root, deps) = (ours(), ours().join("deps"));
    for entry in [root, deps].iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        if path.is_file() {
            let mut text = fs::read_to_string(&path).unwrap();
            if path.file_name().unwrap() == file {
                assert!(text.contains(from), "`{from}` is in `{file}`");
                text = text.replace(from, to);
            }
            fs::write(folder.path().join(path.strip_prefix(ours()).unwrap()), text).unwrap();
        }
    }
    statements(folder.path())
}

#[test]
fn whatever_else_is_here_is_seen() {
    let published = statements(&published());
    for (file, from, to) in [
        // Functions: a name, a parameter's name, its type, what is owned and what is lent, a result, which kind, one too few,
        // one too many, their order.
        ("random.wit", "get-random-u64:", "get-random-number:"),
        ("filesystem.wit", "(offset: filesize)", "(at: filesize)"),
        ("io.wit", "write: func(contents: list<u8>)", "write: func(contents: list<s8>)"),
        ("io.wit", "list<borrow<pollable>>", "list<pollable>"),
        ("clocks.wit", "-> s32", "-> u32"),
        ("io.wit", "-> result<_, stream-error>", "-> result<u64, stream-error>"),
        ("io.wit", "block: func()", "block: static func()"),
        ("filesystem.wit", "@since(version = 0.2.0)\n    sync: func() -> result<_, error-code>;", ""),
        ("cli.wit", "initial-cwd: func() -> option<string>;", "initial-cwd: func() -> option<string>;\n  cwd: func();"),
        (
            "random.wit",
            "get-random-bytes: func(len: u64) -> list<u8>;\n\n  @since(version = 0.2.0)\n  get-random-u64: func() -> u64;",
            "get-random-u64: func() -> u64;\n\n  @since(version = 0.2.0)\n  get-random-bytes: func(len: u64) -> list<u8>;",
        ),
        // Types: fields, cases, flags, their order, what they hold, an alias, a resource.
        ("clocks.wit", "seconds: u64,\n    nanoseconds: u32,", "nanoseconds: u32,\n    seconds: u64,"),
        ("clocks.wit", "nanoseconds: u32", "nanoseconds: u64"),
        ("io.wit", "last-operation-failed(error),\n    closed,", "closed,\n    last-operation-failed(error),"),
        ("filesystem.wit", "timestamp(datetime)", "timestamp(u64)"),
        ("filesystem.wit", "bad-descriptor,\n    busy,", "busy,\n    bad-descriptor,"),
        ("sockets.wit", "    remote-unreachable,\n", ""),
        ("filesystem.wit", "read,\n    write,", "write,\n    read,"),
        ("filesystem.wit", "enum advice", "flags advice"),
        ("filesystem.wit", "type filesize = u64", "type filesize = u32"),
        ("cli.wit", "resource terminal-input;", "resource terminal-input { columns: func() -> u32; }"),
        // Gates: a version, a feature, one too few, one too many.
        ("cli.wit", "@since(version = 0.2.12)", "@since(version = 0.2.11)"),
        ("sockets.wit", "feature = network-error-code", "feature = network"),
        ("clocks.wit", "@unstable(feature = clocks-timezone)\n  record", "record"),
        ("sockets.wit", "    check-send", "    @since(version = 0.2.0)\n    check-send"),
        // Interfaces, worlds, packages.
        ("cli.wit", "interface run {", "interface run {}\n@since(version = 0.2.0)\ninterface walk {"),
        ("cli.wit", "  import wasi:random/insecure@0.2.12;\n", ""),
        ("cli.wit", "export run", "import run"),
        ("cli.wit", "world command", "world reactor"),
    ] {
        let found = differences(&edited(file, from, to), &published);
        assert!(!found.is_empty(), "`{to}` for `{from}` in `{file}`");
    }
}

#[test]
fn what_differs_is_said() {
    let published = statements(&published());
    let said = |from, to| differences(&edited("random.wit", from, to), &published);
    let place = "wasi:random@0.2.12 / interface random";
    assert_eq!(
        said("get-random-u64: func() -> u64", "get-random-u64: func() -> u32"),
        [
            format!("not in `wit/`: {place}: @since(version = 0.2.0) get-random-u64: func() -> u64"),
            format!("only in `wit/`: {place}: @since(version = 0.2.0) get-random-u64: func() -> u32"),
        ]
    );
    assert_eq!(said("// wasi:random", "// other words, "), [""; 0]);
}
