//! `cargo xtask guests python|js`: components of sources in Python and JavaScript, each with its language's engine in it.
//!
//! They are 14 and 18 MB, and the same bytes do not come out twice: so they are not committed, but made when they are
//! first needed and kept in `target/scripts`, under the hash of what they were made of. `COMPONENTIZE_PY` and
//! `COMPONENTIZE_JS` name the programs that make them. Without those, PyPI's `componentize-py` and npm's
//! `@bytecodealliance/componentize-js` are installed below `target/scripts` with the machine's `python3` and `npm`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{root, target};

/// The languages, as folders of `guests/`.
pub const LANGUAGES: [&str; 2] = ["python", "js"];

/// Versions that are known to make what runs.
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";
const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js@0.23.0";
/// Both languages' components are of this world; its package is in `wit/0.2`.
const WORLD: &str = "wasi:cli/command@0.2.12";

/// The component of a language, made anew if its sources have changed.
///
/// # Errors
/// What could not be installed or made. [`can_be_made`] says whether it was worth trying.
pub fn component(language: &str) -> Result<PathBuf, String> {
    let folder = target().join("scripts");
    let hash = hash(language)?;
    let path = folder.join(format!("{language}-{hash}.wasm"));
    if path.is_file() {
        return Ok(path);
    }
    // Two runs of the tests may make it at once: each on its own, and the later one takes the place of the first.
    let work = folder.join(format!("{language}-{}", std::process::id()));
    fs::create_dir_all(&work).map_err(at(&work))?;
    let made = make(language, &folder, &work).and_then(|made| fs::rename(&made, &path).map_err(at(&path)));
    let _ = fs::remove_dir_all(&work);
    made.map(|()| path)
}

/// Whether there is, or can be installed here, what makes components of that language.
#[must_use]
pub fn can_be_made(language: &str) -> bool {
    let (variable, installer) = match language {
        "python" => ("COMPONENTIZE_PY", "python3"),
        _ => ("COMPONENTIZE_JS", "npm"),
    };
    std::env::var_os(variable).is_some() || hash(language).is_ok_and(|hash| kept(language, &hash)) || runs(installer)
}

fn kept(language: &str, hash: &str) -> bool {
    target().join(format!("scripts/{language}-{hash}.wasm")).is_file()
}

fn runs(program: &str) -> bool {
    let status = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Over the sources, the standard's packages, and the version of what makes a component of them.
fn hash(language: &str) -> Result<String, String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update([COMPONENTIZE_PY, COMPONENTIZE_JS, WORLD].join(" ").as_bytes());
    for folder in [root().join("guests").join(language), root().join("wit/0.2/deps")] {
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(at(&folder))?;
        let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).filter(|path| path.is_file()).collect();
        files.sort();
        for file in files {
            hasher.update(&fs::read(&file).map_err(at(&file))?);
        }
    }
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

/// Makes a component in `work`, where the tools may leave what they like.
fn make(language: &str, folder: &Path, work: &Path) -> Result<PathBuf, String> {
    let (sources, made) = (root().join("guests").join(language), work.join("made.wasm"));
    match language {
        "python" => {
            copy(&sources, work, "app.py")?;
            let mut command = Command::new(componentize_py(folder)?);
            command.arg("-d").arg(root().join("wit/0.2")).args(["-w", WORLD, "componentize", "-p"]).arg(work);
            succeed(command.args(["app", "-o"]).arg(&made))?;
        }
        "js" => {
            copy(&sources, work, "app.js")?;
            let mut command = Command::new(componentize_js(folder)?);
            command.arg("-w").arg(root().join("wit/0.2")).args(["-n", WORLD, "-o"]).arg(&made);
            // Without these it has `fetch`, and imports `wasi:http`.
            command.args(["-d", "http", "-d", "fetch-event", "--"]).arg(work.join("app.js"));
            succeed(&mut command)?;
        }
        _ => return Err(format!("no components are made of `{language}`")),
    }
    Ok(made)
}

fn copy(sources: &Path, work: &Path, name: &str) -> Result<(), String> {
    let from = sources.join(name);
    fs::copy(&from, work.join(name)).map(|_| ()).map_err(at(&from))
}

fn componentize_py(folder: &Path) -> Result<PathBuf, String> {
    if let Some(chosen) = std::env::var_os("COMPONENTIZE_PY") {
        return Ok(chosen.into());
    }
    let venv = folder.join("componentize-py");
    installed(&venv, &venv.join("bin/componentize-py"), || {
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let install = ["-m", "pip", "install", "--quiet", COMPONENTIZE_PY];
        succeed(Command::new(venv.join("bin/python")).args(install))
    })
}

fn componentize_js(folder: &Path) -> Result<PathBuf, String> {
    if let Some(chosen) = std::env::var_os("COMPONENTIZE_JS") {
        return Ok(chosen.into());
    }
    let modules = folder.join("componentize-js");
    installed(&modules, &modules.join("node_modules/.bin/componentize-js"), || {
        fs::create_dir_all(&modules).map_err(at(&modules))?;
        let words = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
        succeed(Command::new("npm").args(words).arg(&modules).arg(COMPONENTIZE_JS).current_dir(&modules))
    })
}

/// A program in a folder of its own, installed the first time.
fn installed(folder: &Path, program: &Path, install: impl Fn() -> Result<(), String>) -> Result<PathBuf, String> {
    let complete = folder.join("complete");
    if !complete.is_file() {
        println!("installing {}", folder.display());
        install()?;
        // Written last: an installation that was cut short is made again.
        fs::write(&complete, "").map_err(at(&complete))?;
    }
    Ok(program.to_owned())
}

/// What it says is only shown if it fails: those tools say much.
fn succeed(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("cannot run {program:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{program:?}: {}\n{}", output.status, String::from_utf8_lossy(&said)))
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}
