//! Definitions in WIT as statements, which can be compared: those of a folder of `wit/`, as they are or edited, and those that
//! a crate ships. Whether they are the same is for the tests to say, of Preview 2 and of Preview 3. Source of truth: the
//! definitions that the crates `wasip2` and `wasip3` ship.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, iter};

use wit_component::WitPrinter;
use wit_parser::Resolve;

/// The folder of `wit/` with what a generation defines: `0.2`.
pub(crate) fn ours(generation: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit").join(generation)
}

/// The definitions of a crate, wherever cargo has it. Only packages for the machine that this runs on are sure to be there,
/// and the crate's folder is the same for all of them.
pub(crate) fn published(by: &str) -> PathBuf {
    let platform = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let output = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found: Vec<_> = packages.iter().filter(|package| package["name"] == by).collect();
    assert_eq!(found.len(), 1, "one version of `{by}`");
    Path::new(found[0]["manifest_path"].as_str().unwrap()).with_file_name("wit")
}

/// All that a folder defines of WASI, a statement a line: where it is, its gate, and itself. Comments are left out, and so are
/// packages of other names than WASI's.
pub(crate) fn statements(folder: &Path) -> Vec<String> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    resolve.push_dir(folder).unwrap();
    let mut packages: Vec<_> =
        resolve.packages.iter().filter(|(_, package)| package.name.namespace == "wasi").collect();
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
pub(crate) fn differences(ours: &[String], published: &[String]) -> Vec<String> {
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

/// What a folder of `wit/` defines with all of `from` in one file as `to`.
pub(crate) fn edited(ours: &Path, file: &str, from: &str, to: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("deps")).unwrap();
    let (root, deps) = (ours.to_owned(), ours.join("deps"));
    for entry in [root, deps].iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        if path.is_file() {
            let mut text = fs::read_to_string(&path).unwrap();
            if path.file_name().unwrap() == file {
                assert!(text.contains(from), "`{from}` is in `{file}`");
                text = text.replace(from, to);
            }
            fs::write(folder.path().join(path.strip_prefix(ours).unwrap()), text).unwrap();
        }
    }
    statements(folder.path())
}
