//! Compiles the guest programs, and knows whether what is compiled belongs to what is written.
//!
//! `cargo xtask guests [NAME…]` compiles all programs in `guests/`, or those named, to `guests/bin/NAME.wasm`, makes a
//! component of each, `guests/bin/components/NAME.wasm`, and notes in `guests/bin/MANIFEST.json` which sources each came
//! from and their hash. The compiled programs are committed: whoever works on the host needs no compiler for guests.
//! `cargo xtask guests --check` only compares the hashes, as a test here does.
//!
//! Components in Python and JavaScript are large, not committed, and made only where they are named: `scripts.rs`.
//!
//! What must be installed, and which variables say where, is in `guests/README.md`.

#![allow(clippy::disallowed_methods, reason = "a task works on the developer's files and starts programs")]

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use xtask::componentize::{Kind, componentize};
use xtask::{root, scripts};

const TARGET: &str = "wasm32-wasip1";
const MANIFEST: &str = "bin/MANIFEST.json";
/// The line by which a program says that it also runs natively.
const NATIVE_MARK: &str = "//! Native:";
/// Where components are, below `bin/`, and how their names begin in the manifest.
const COMPONENTS: &str = "components/";
/// The program that is a library: it exports functions and no `_start`.
const REACTOR: &str = "reactor";
/// Packages whose programs say themselves what their components export: the functions of the reactor, and the `run` of
/// Preview 3, which no adapter makes of a `_start`.
const EXPORTING: [&str; 2] = ["async/", "reactor/"];
/// The workspace of the programs of `wasi:http`, and how those say that they export a world: others are commands.
const HTTP: &str = "http";
const SERVING_MARKS: [&str; 2] = ["service!(", "export!("];
/// Packages with a library, and the name that their programs call it by.
const LIBRARIES: [(&str, &str); 5] = [
    ("async", "async_components"),
    ("components", "components"),
    ("http/p2", "http_p2"),
    ("http/p3", "http_p3"),
    ("rust", "guests"),
];
/// Of these no component is made.
const MODULES_ONLY: [&str; 5] = [
    // It tries paths that are no UTF-8, and strings of components are.
    "climber",
    // A listener that the host hands over is a thing of Preview 1.
    "echo_server",
    "echo_server_c",
    // wasi-libc's `scandir` asks for the inode number of `..`, where the adapter gives none and the host must not.
    "files_c",
    // It is compared with a component that has no adapter in between.
    "parity_p1",
];
/// A folder of sources that are no program, and how a program says that it takes them in.
const SHARED: (&str, &str) = ("parity", "/parity/mod.rs\"]");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Rust,
    C,
    Go,
    /// Not compiled: a component made of a module that was.
    Module,
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::C => "c",
            Language::Go => "go",
            Language::Module => "module",
        }
    }
}

/// A program as its sources describe it.
struct Program {
    language: Language,
    native: bool,
    /// What its component is for.
    kind: Kind,
    /// Relative to `guests/`, sorted, with slashes.
    sources: Vec<String>,
}

pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let root = root();
    if words == ["--check"] {
        return check_hashes(&root);
    }
    let (scripted, words): (Vec<&String>, Vec<&String>) =
        words.iter().partition(|word| scripts::LANGUAGES.contains(&word.as_str()));
    for language in &scripted {
        let component = scripts::component(language)?;
        println!("{language:<16} {}", component.display());
    }
    if !scripted.is_empty() && words.is_empty() {
        return Ok(());
    }
    let guests = root.join("guests");
    let programs = programs(&guests)?;
    if let Some(unknown) = words.iter().find(|word| !programs.keys().any(|name| base(name) == **word)) {
        return Err(format!("no guest program is called `{unknown}`"));
    }
    let chosen = |language: Language| -> Vec<&str> {
        let wanted = |name: &&String| words.is_empty() || words.iter().any(|word| base(name) == *word);
        let of_language = programs.iter().filter(|(_, program)| program.language == language);
        of_language.map(|(name, _)| name).filter(wanted).map(String::as_str).collect()
    };

    let (http, others): (Vec<&str>, Vec<&str>) =
        chosen(Language::Rust).into_iter().partition(|name| programs[*name].is_http());
    let mut compiled = rust(&guests, &others, &http)?;
    compiled.extend(c(&guests, &chosen(Language::C))?);
    compiled.extend(go(&guests, &chosen(Language::Go))?);
    let mut made = Vec::new();
    for (name, path) in &compiled {
        let module = fs::read(path).map_err(at(path))?;
        mentions_no_folder(name, &module, &root)?;
        let component = format!("{COMPONENTS}{}", base(name));
        if *name != component {
            made.push(keep(&guests, name, &module)?);
        }
        if let Some(program) = programs.get(&component) {
            let bytes = componentize(&module, program.kind).map_err(|error| format!("{name}: {error}"))?;
            made.push(keep(&guests, &component, &bytes)?);
        }
    }
    write_manifest(&guests, &programs, &made)
}

/// Writes what was compiled. It is not copied, since a compiler may have made it executable.
fn keep(guests: &Path, name: &str, bytes: &[u8]) -> Result<String, String> {
    let target = guests.join(format!("bin/{name}.wasm"));
    fs::create_dir_all(target.parent().unwrap_or(guests)).map_err(at(&target))?;
    fs::write(&target, bytes).map_err(at(&target))?;
    println!("{name:<28} {:>8} bytes", bytes.len());
    Ok(name.to_owned())
}

/// The name that a program has for its compiler.
fn base(name: &str) -> &str {
    name.strip_prefix(COMPONENTS).unwrap_or(name)
}

/// Every program in the manifest exists, and belongs to the sources of today; every program with sources is in the
/// manifest.
///
/// # Errors
/// One line for each program of which that is not so.
pub(crate) fn check_hashes(root: &Path) -> Result<(), String> {
    let guests = root.join("guests");
    let programs = programs(&guests)?;
    let manifest = read_manifest(&guests)?;
    let mut wrong = Vec::new();
    for (name, program) in &programs {
        let problem = match manifest.get(name) {
            None => "was never compiled",
            Some(_) if !guests.join(format!("bin/{name}.wasm")).is_file() => "is not there",
            Some(entry) if *entry != program.entry(&guests)? => "was compiled from other sources",
            Some(_) => continue,
        };
        wrong.push(format!("guests/bin/{name}.wasm {problem}: cargo xtask guests {}", base(name)));
    }
    for name in manifest.keys().filter(|name| !programs.contains_key(*name)) {
        wrong.push(format!("guests/bin/{name}.wasm has no sources any more: cargo xtask guests"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// All programs, by name: what there is in `rust/src/bin`, `components/src/bin`, `async/src/bin`, `http/*/src/bin`, `reactor`,
/// `c` and `go`, and the components that are made of modules.
fn programs(guests: &Path) -> Result<BTreeMap<String, Program>, String> {
    let mut programs = BTreeMap::new();
    let mut add = |name: String, language, main: String, mut sources: Vec<String>| -> Result<(), String> {
        let path = guests.join(&main);
        let text = fs::read(&path).map_err(at(&path))?;
        let text = String::from_utf8_lossy(&text);
        for (package, library) in LIBRARIES {
            if main.starts_with(&format!("{package}/src/bin/")) && text.contains(&format!("{library}::")) {
                sources.push(format!("{package}/src/lib.rs"));
            }
        }
        let (folder, mark) = SHARED;
        if text.contains(mark) {
            sources.extend(names(&guests.join(folder))?.iter().map(|name| format!("{folder}/{name}")));
        }
        let exporting = EXPORTING.iter().any(|folder| main.starts_with(folder));
        let serving = main.starts_with("http/") && SERVING_MARKS.iter().any(|mark| text.contains(mark));
        let kind = match (exporting, serving) {
            (true, _) => Kind::Reactor,
            (_, true) => Kind::Proxy,
            _ => Kind::Command,
        };
        sources.push(main);
        sources.sort();
        let native = text.lines().any(|line| line.starts_with(NATIVE_MARK));
        match programs.insert(name.clone(), Program { language, native, kind, sources }) {
            None => Ok(()),
            Some(_) => Err(format!("two guest programs are called `{name}`")),
        }
    };
    let mut modules = Vec::new();
    for name in stems(&guests.join("rust/src/bin"), ".rs")? {
        let manifests = ["Cargo.toml", "rust/Cargo.toml"].map(str::to_owned).to_vec();
        add(name.clone(), Language::Rust, format!("rust/src/bin/{name}.rs"), manifests)?;
        modules.push(name);
    }
    for name in stems(&guests.join("c"), ".c")? {
        add(name.clone(), Language::C, format!("c/{name}.c"), Vec::new())?;
        modules.push(name);
    }
    // No component of these is kept: each module has three megabytes.
    for name in names(&guests.join("go"))? {
        let main = format!("go/{name}/main.go");
        if guests.join(&main).is_file() {
            add(name, Language::Go, main, vec!["go/go.mod".to_owned()])?;
        }
    }
    for name in modules.iter().filter(|name| !MODULES_ONLY.contains(&name.as_str())) {
        add(format!("{COMPONENTS}{name}"), Language::Module, format!("bin/{name}.wasm"), Vec::new())?;
    }
    // What those below are made of besides are other people's crates, by the versions that the lock file has.
    for (workspace, package) in [("", "async"), ("", "components"), ("http/", "http/p2"), ("http/", "http/p3")] {
        for name in stems(&guests.join(format!("{package}/src/bin")), ".rs")? {
            let manifests = ["Cargo.lock", "Cargo.toml"].map(|manifest| format!("{workspace}{manifest}"));
            let manifests = manifests.into_iter().chain([format!("{package}/Cargo.toml")]).collect();
            add(format!("{COMPONENTS}{name}"), Language::Rust, format!("{package}/src/bin/{name}.rs"), manifests)?;
        }
    }
    let manifests = ["Cargo.lock", "Cargo.toml", "reactor/Cargo.toml", "reactor/wit/reactor.wit"];
    let manifests = manifests.map(str::to_owned).to_vec();
    add(format!("{COMPONENTS}{REACTOR}"), Language::Rust, "reactor/src/lib.rs".to_owned(), manifests)?;
    Ok(programs)
}

impl Program {
    /// Whether its package is in the workspace of `wasi:http`.
    fn is_http(&self) -> bool {
        self.sources.contains(&format!("{HTTP}/Cargo.toml"))
    }

    /// What the manifest says about it.
    fn entry(&self, guests: &Path) -> Result<Value, String> {
        let mut hasher = blake3::Hasher::new();
        for source in &self.sources {
            let path = guests.join(source);
            let contents = fs::read(&path).map_err(at(&path))?;
            // With its length before each part, no two lists of sources run together to the same bytes.
            for part in [source.as_bytes(), &contents] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        Ok(json!({
            "language": self.language.name(),
            "native": self.native,
            "sources": self.sources,
            "blake3": hasher.finalize().to_hex().as_str(),
        }))
    }
}

fn read_manifest(guests: &Path) -> Result<BTreeMap<String, Value>, String> {
    let path = guests.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Notes what was made, keeps what is said of the others, and forgets programs that are no more.
fn write_manifest(guests: &Path, programs: &BTreeMap<String, Program>, made: &[String]) -> Result<(), String> {
    let mut manifest = if guests.join(MANIFEST).exists() { read_manifest(guests)? } else { BTreeMap::new() };
    for name in made {
        manifest.insert(name.clone(), programs[name].entry(guests)?);
    }
    let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
        manifest.into_iter().partition(|(name, _)| programs.contains_key(name));
    for name in gone.keys() {
        println!("{name:<16} has no sources any more");
        let _ = fs::remove_file(guests.join(format!("bin/{name}.wasm")));
    }
    let text = serde_json::to_string_pretty(&kept).map_err(|error| error.to_string())?;
    let path = guests.join(MANIFEST);
    fs::write(&path, text + "\n").map_err(at(&path))
}

/// Where the compilers left what they made, by name of the program.
type Compiled = BTreeMap<String, PathBuf>;

fn rust(guests: &Path, names: &[&str], http: &[&str]) -> Result<Compiled, String> {
    let (reactor, commands): (Vec<&str>, Vec<&str>) =
        names.iter().map(|name| base(name)).partition(|name| *name == REACTOR);
    let http_commands: Vec<&str> = http.iter().map(|name| base(name)).collect();
    let mut able = true;
    for (workspace, commands) in [("", &commands), (HTTP, &http_commands)] {
        if able && !commands.is_empty() {
            able = cargo_build(guests, workspace, commands.iter().flat_map(|name| ["--bin", name]))?;
        }
    }
    if able && !reactor.is_empty() {
        able = cargo_build(guests, "", ["--package", REACTOR])?;
    }
    let names = [names, http].concat();
    if !able {
        skip(&names, "rustup target add wasm32-wasip1, or set GUEST_CARGO");
        return Ok(Compiled::new());
    }
    let made = |name: &&str| ((*name).to_owned(), guests.join(format!("target/{TARGET}/release/{}.wasm", base(name))));
    Ok(names.iter().map(made).collect())
}

/// Compiles what the words say of the Rust guests in a workspace. `false`: nothing here can.
fn cargo_build<'a>(guests: &Path, workspace: &str, words: impl IntoIterator<Item = &'a str>) -> Result<bool, String> {
    let (mut cargo, rustc) = if has_std() {
        (Command::new(variable("CARGO").unwrap_or_else(|| "cargo".to_owned())), "rustc".to_owned())
    } else if let Some(program) = variable("GUEST_CARGO") {
        let mut cargo = Command::new(program);
        let mut rustc = "rustc".to_owned();
        for assignment in variable("GUEST_ENV").unwrap_or_default().split_whitespace() {
            let (name, value) =
                assignment.split_once('=').ok_or_else(|| format!("GUEST_ENV: `{assignment}` is no NAME=VALUE"))?;
            cargo.env(name, value);
            if name == "RUSTC" {
                value.clone_into(&mut rustc);
            }
        }
        cargo.arg("-Zbuild-std=std,panic_abort");
        (cargo, rustc)
    } else {
        return Ok(false);
    };
    cargo.current_dir(guests.join(workspace));
    cargo.args(["build", "--quiet", "--release", "--target", TARGET, "--target-dir"]).arg(guests.join("target"));
    cargo.args(words);
    // Panics name files, and should not name this machine's folders.
    let flags: Vec<String> = folders(guests, &rustc)?
        .iter()
        .map(|(folder, stands_for)| format!("--remap-path-prefix={}={stands_for}", folder.display()))
        .collect();
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env_remove("RUSTFLAGS");
    execute(&mut cargo)?;
    Ok(true)
}

/// Whether rustup has `std` for guests.
fn has_std() -> bool {
    output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))
        .and_then(|folder| names(Path::new(&folder)))
        .is_ok_and(|files| files.iter().any(|file| file.starts_with("libstd-")))
}

/// Folders that a compiled program would otherwise mention, and what they are called there.
fn folders(guests: &Path, rustc: &str) -> Result<Vec<(PathBuf, &'static str)>, String> {
    let sysroot = PathBuf::from(output(Command::new(rustc).args(["--print", "sysroot"]))?);
    let mut folders = vec![(guests.to_owned(), "/guests"), (sysroot.join("lib/rustlib/src/rust"), "/rust")];
    if let Some(home) = cargo_home() {
        // Each registry has a folder of its own, where what `std` depends on is unpacked.
        let registries = home.join("registry/src");
        for name in names(&registries).unwrap_or_default() {
            folders.push((registries.join(name), "/dependencies"));
        }
    }
    Ok(folders)
}

fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")))
}

fn c(guests: &Path, names: &[&str]) -> Result<Compiled, String> {
    let Some(compiler) = variable("GUEST_CC") else {
        skip(names, "set GUEST_CC to a C compiler for wasm32-wasi");
        return Ok(Compiled::new());
    };
    compile_each(guests, names, |name, made| {
        let mut words = compiler.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(["-std=gnu17", "-Wall", "-Wextra", "-O2", "-s", "-o"]).arg(made);
        command.current_dir(guests.join("c")).arg(format!("{name}.c"));
        command
    })
}

fn go(guests: &Path, names: &[&str]) -> Result<Compiled, String> {
    let go = variable("GUEST_GO").unwrap_or_else(|| "go".to_owned());
    if output(Command::new(&go).arg("version")).is_err() {
        skip(names, "install Go, or set GUEST_GO");
        return Ok(Compiled::new());
    }
    compile_each(guests, names, |name, made| {
        let mut command = Command::new(&go);
        command.args(["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"]).arg(made);
        command.arg(format!("./{name}")).current_dir(guests.join("go"));
        command.env("GOOS", "wasip1").env("GOARCH", "wasm").env("GOTOOLCHAIN", "local").env("GOFLAGS", "");
        command
    })
}

fn compile_each(guests: &Path, names: &[&str], command: impl Fn(&str, &Path) -> Command) -> Result<Compiled, String> {
    let folder = guests.join("target/others");
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    let mut compiled = Compiled::new();
    for name in names {
        let made = folder.join(format!("{name}.wasm"));
        execute(&mut command(name, &made))?;
        compiled.insert((*name).to_owned(), made);
    }
    Ok(compiled)
}

/// A compiler that was not told otherwise writes where it found the sources into what it makes.
fn mentions_no_folder(name: &str, program: &[u8], root: &Path) -> Result<(), String> {
    for folder in [Some(root.to_owned()), cargo_home()].into_iter().flatten() {
        let folder = folder.as_os_str().as_encoded_bytes();
        if program.windows(folder.len()).any(|window| window == folder) {
            let folder = String::from_utf8_lossy(folder);
            return Err(format!("{name} mentions {folder}: if this was the first time, compile it again"));
        }
    }
    Ok(())
}

fn skip(names: &[&str], remedy: &str) {
    for name in names {
        println!("{name:<16} skipped: {remedy}");
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn execute(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} failed: {status}", shown(&program))),
        Err(error) => Err(format!("{}: {error}", shown(&program))),
    }
}

fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_owned();
    let output = command.output().map_err(|error| format!("{}: {error}", shown(&program)))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!("{} failed: {}", shown(&program), String::from_utf8_lossy(&output.stderr).trim()))
    }
}

fn shown(program: &OsStr) -> String {
    program.to_string_lossy().into_owned()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(at(folder))?;
    let mut names: Vec<OsString> = entries.iter().map(fs::DirEntry::file_name).collect();
    names.sort();
    Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())
}

/// The names in a folder that end so, without that end, sorted.
fn stems(folder: &Path, end: &str) -> Result<Vec<String>, String> {
    Ok(names(folder)?.iter().filter_map(|name| name.strip_suffix(end)).map(str::to_owned).collect())
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiled_guests_belong_to_their_sources() {
        assert_eq!(check_hashes(&root()), Ok(()));
    }
}
