//! `cargo xtask conformance --suite FOLDER [--components]`: the WASI project's own test suite, by its own runner.
//!
//! Nothing of the suite is kept here but the adapter, conformance/turnkey.py. All of the tests have to pass: there is
//! no list of known failures.
//!
//! The suite has no tests of Preview 2. With `--components` it runs those of Preview 1, each made a component with the
//! adapter that compilers use: what they do then goes through Preview 2. What cannot pass that way is in
//! conformance/components.toml, and has to fail.
#![allow(clippy::disallowed_methods, reason = "a task works on the developer's files and starts programs")]

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use xtask::componentize::{Kind, componentize_file};

use crate::bench::tree;

const USAGE: &str = "\
usage: cargo xtask conformance --suite FOLDER [--components]

FOLDER is the suite with its compiled tests:
  git clone --depth 1 --branch prod/testsuite-base https://github.com/WebAssembly/wasi-testsuite FOLDER

TURNKEY=COMMAND tests that command instead of this tree's release build; PYTHON names the interpreter.
";

/// The preview that most of the suite's tests are of, and the languages that it has them in.
const PREVIEW1: (&str, &[&str]) = ("wasm32-wasip1", &["assemblyscript", "c", "rust"]);

/// The other.
const PREVIEW3: (&str, &[&str]) = ("wasm32-wasip3", &["rust"]);

/// What tests of Preview 1 are as components: the suite's runner knows the name.
const VERSION_OF_COMPONENTS: &str = "wasm32-wasip2";

/// The oldest Python that the suite's runner works with, as Python writes a version.
const PYTHON_AT_LEAST: &str = "(3, 12)";

/// Interpreters to try, the usual one first.
const PYTHONS: [&str; 4] = ["python3", "python3.14", "python3.13", "python3.12"];

/// Runs the suite.
///
/// # Errors
/// No suite, no Python, a build that failed, or how many tests did not pass.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let (suite, components) = match words {
        [flag, folder] if flag == "--suite" => (PathBuf::from(folder), false),
        [flag, folder, also] if flag == "--suite" && also == "--components" => (PathBuf::from(folder), true),
        _ => return Err(USAGE.to_owned()),
    };
    let runner = suite.join("test-runner/wasi_test_runner.py");
    if !runner.is_file() {
        return Err(format!(
            "`{}` is not the suite: it has no test-runner/wasi_test_runner.py\n\n{USAGE}",
            suite.display()
        ));
    }
    let python = virtual_environment(&suite)?;
    let command = command_under_test()?;
    let work = tree::target().join("conformance");
    let tests = copy_tests(&suite, &work, components)?;
    let mut run = Command::new(python);
    run.arg(runner).arg("--test-suite").args(tests).env("TURNKEY", command);
    if components {
        run.arg("--expectations").arg(tree::root().join("conformance/components.toml"));
    }
    let results = work.join("results.json");
    run_tests(&mut run, &results)?;
    Tally::read(&results)?.verdict()
}

/// TURNKEY, or this tree's release build, in a shell's words.
fn command_under_test() -> Result<OsString, String> {
    if let Some(command) = std::env::var_os("TURNKEY") {
        return Ok(command);
    }
    let path = tree::build_cli()?;
    let text = path.to_str().ok_or("the target folder is not UTF-8")?;
    Ok(quoted(text).into())
}

/// One word for a shell, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The interpreter of a virtual environment that has what the runner imports, made the first time.
fn virtual_environment(suite: &Path) -> Result<PathBuf, String> {
    let folder = tree::target().join("conformance-venv");
    let python = folder.join("bin/python");
    let complete = folder.join("complete");
    if complete.is_file() && is_recent(python.as_os_str()) {
        return Ok(python);
    }
    let system = find_python()?;
    let make = ["-m", "venv", "--clear"];
    succeed(Command::new(system).args(make).arg(&folder))?;
    let requirements = suite.join("test-runner/requirements/prod.txt");
    let install = ["-m", "pip", "install", "--quiet", "--requirement"];
    succeed(Command::new(&python).args(install).arg(requirements))?;
    // Written last: an installation that was cut short is made again.
    fs::write(&complete, "").map_err(|error| format!("`{}`: {error}", complete.display()))?;
    Ok(python)
}

fn find_python() -> Result<OsString, String> {
    let chosen = std::env::var_os("PYTHON");
    let candidates: Vec<OsString> = match chosen {
        Some(python) => vec![python],
        None => PYTHONS.map(OsString::from).to_vec(),
    };
    let found = candidates.into_iter().find(|python| is_recent(python));
    found.ok_or_else(|| "the suite's runner needs Python 3.12 or later\nhint: PYTHON=PATH names one".to_owned())
}

fn is_recent(python: &std::ffi::OsStr) -> bool {
    let question = format!("import sys; sys.exit(sys.version_info < {PYTHON_AT_LEAST})");
    let status = Command::new(python).args(["-c", &question]).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {status}"))
}

/// Copies the tests: they write into folders beside themselves, and a suite that is somebody's clone stays as it was.
fn copy_tests(suite: &Path, work: &Path, components: bool) -> Result<Vec<PathBuf>, String> {
    let previews: &[_] = if components { &[PREVIEW1] } else { &[PREVIEW1, PREVIEW3] };
    let mut copied = Vec::new();
    for (version, languages) in previews {
        for language in *languages {
            let folder = format!("tests/{language}/testsuite");
            let named = if components { VERSION_OF_COMPONENTS } else { version };
            let (from, to) = (suite.join(&folder).join(version), work.join(&folder).join(named));
            if !from.is_dir() {
                return Err(format!(
                    "no `{}`\nhint: the branch without compiled tests was cloned; take prod/testsuite-base",
                    from.display()
                ));
            }
            copy_anew(&from, &to).map_err(|error| format!("cannot copy `{}`: {error}", from.display()))?;
            give_each_its_own_root(&to)?;
            if components {
                make_components(&to)?;
            }
            copied.push(to);
        }
    }
    Ok(copied)
}

/// Gives each test a directory of its own, in the place of the one that they share. The runner does not remove symbolic links
/// that a test has left there, so that it would depend on the order of the tests, which is the file system's, whether the test
/// that lists the directory finds them.
fn give_each_its_own_root(folder: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("`{}`: {error}", folder.display());
    for (described, mut test) in described_tests(folder)? {
        let mut own = String::new();
        let runs = test["operations"].as_array().map_or(0, Vec::len);
        let operations = (0..runs).map(|place| format!("/operations/{place}/root"));
        for place in std::iter::once("/root".to_owned()).chain(operations) {
            let Some(root) = test.pointer_mut(&place) else { continue };
            let (Some(shared), Some(name)) = (root.as_str(), described.file_stem()) else { continue };
            own = format!("{}.own.dir", name.display());
            copy_anew(&folder.join(shared), &folder.join(&own)).map_err(failed)?;
            *root = own.clone().into();
        }
        if !own.is_empty() {
            fs::write(&described, test.to_string()).map_err(failed)?;
        }
    }
    Ok(())
}

/// The tests of a folder that have a description.
fn described_tests(folder: &Path) -> Result<Vec<(PathBuf, Value)>, String> {
    let failed = |error: std::io::Error| format!("`{}`: {error}", folder.display());
    let mut tests = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let described = entry.map_err(failed)?.path();
        if described.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&described).map_err(failed)?;
            let test = serde_json::from_str(&text).map_err(|error| format!("{described:?}: {error}"))?;
            tests.push((described, test));
        }
    }
    Ok(tests)
}

/// Makes a component of each program in a folder, in its place, and says in the folder's manifest what they are now.
fn make_components(folder: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("`{}`: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            componentize_file(&path, Kind::Command, &path)?;
        }
    }
    let manifest = folder.join("manifest.json");
    let text = fs::read_to_string(&manifest).map_err(failed)?;
    let mut described: Value = serde_json::from_str(&text).map_err(|error| format!("{manifest:?}: {error}"))?;
    described["version"] = VERSION_OF_COMPONENTS.into();
    fs::write(&manifest, described.to_string()).map_err(failed)
}

fn copy_anew(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    copy_folder(from, to)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&from, &to)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(from)?, to)?;
        } else {
            fs::copy(from, to)?;
        }
    }
    Ok(())
}

/// Whether the tests passed is read from the results: the runner's exit status is also that of a host that skipped all.
fn run_tests(run: &mut Command, results: &Path) -> Result<(), String> {
    if results.exists() {
        fs::remove_file(results).map_err(|error| format!("`{}`: {error}", results.display()))?;
    }
    run.arg("--runtime-adapter")
        .arg(tree::root().join("conformance/turnkey.py"))
        .arg("--json-output-location")
        .arg(results)
        .arg("--disable-colors")
        // Its own calls that a later Python deprecates are no news to us.
        .env("PYTHONWARNINGS", "ignore::DeprecationWarning")
        // Neither the suite nor the adapter gets a `__pycache__` beside it.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()
        .map_err(|error| format!("cannot run the suite's runner: {error}"))?;
    Ok(())
}

/// The runner's results, added up over the suites.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: u64,
    /// Those that were said to fail, and did.
    failed_as_expected: u64,
    total: u64,
    others: Vec<String>,
}

impl Tally {
    fn read(results: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(results).map_err(|_| "the suite's runner ended without results".to_owned())?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let report: Value =
            serde_json::from_str(text).map_err(|error| format!("the runner's results are not JSON: {error}"))?;
        let suites = report["results"].as_array().into_iter().flatten();
        let mut tally = Self::default();
        for test in suites.flat_map(|suite| suite["tests"].as_array().into_iter().flatten()) {
            tally.add(test);
        }
        Ok(tally)
    }

    fn add(&mut self, test: &Value) {
        self.total += 1;
        match test["outcome"].as_str() {
            Some("pass") => self.passed += 1,
            Some("xfail") => self.failed_as_expected += 1,
            outcome => {
                let name = test["name"].as_str().unwrap_or("?");
                self.others.push(format!("{name}: {}", outcome.unwrap_or("?")));
            }
        }
    }

    /// Every test has to have run and passed, but for those that had to fail; none at all is no success either.
    fn verdict(&self) -> Result<(), String> {
        let Self { passed, failed_as_expected, total, .. } = self;
        let mut summary = format!("conformance: {passed} of {total} tests passed");
        if *failed_as_expected > 0 {
            write!(summary, ", {failed_as_expected} failed as expected").map_err(|error| error.to_string())?;
        }
        if *passed > 0 && passed + failed_as_expected == *total {
            println!("{summary}");
            return Ok(());
        }
        Err(format!("{summary}\n{}", self.others.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_test_has_not_passed() {
        let tally = Tally::parse(
            r#"{"results": [
                {"tests": [{"name": "a", "outcome": "pass"}, {"name": "b", "outcome": "skip"}]},
                {"tests": [{"name": "c", "outcome": "fail"}]}
            ]}"#,
        )
        .unwrap();
        assert_eq!((tally.passed, tally.total), (1, 3));
        assert_eq!(tally.others, ["b: skip", "c: fail"]);
        assert!(tally.verdict().is_err());
    }

    #[test]
    fn a_test_that_has_to_fail_must_not_pass() {
        let of = |outcome: &str| {
            let tests = format!(r#"{{"tests": [{{"name": "a", "outcome": "pass"}}, {{"name": "b", {outcome}}}]}}"#);
            Tally::parse(&format!(r#"{{"results": [{tests}]}}"#)).unwrap()
        };
        assert_eq!(of(r#""outcome": "xfail""#).verdict(), Ok(()));
        let passes = of(r#""outcome": "xpass""#);
        assert_eq!(passes.others, ["b: xpass"]);
        assert!(passes.verdict().is_err());
    }

    #[test]
    fn no_test_at_all_is_no_success() {
        assert!(Tally::parse("{}").unwrap().verdict().is_err());
    }

    #[test]
    fn a_word_stays_one_word() {
        assert_eq!(quoted("a b'c"), r"'a b'\''c'");
    }
}
