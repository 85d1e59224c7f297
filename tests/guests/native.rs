//! The same sources, compiled for this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::harness::{Ran, repository, run};

/// What has been compiled, each once: several at a time would only wait for the same processors, and no program can be
/// written while it runs.
static COMPILED: Mutex<BTreeMap<String, Option<PathBuf>>> = Mutex::new(BTreeMap::new());

fn compiled(name: &str, compiler: &str, words: &[&str], source: &str) -> Option<PathBuf> {
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = compiled.get(name) {
        return known.clone();
    }
    let program = compile(name, compiler, words, source);
    compiled.insert(name.to_owned(), program.clone());
    program
}

fn compile(name: &str, compiler: &str, words: &[&str], source: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native");
    std::fs::create_dir_all(&folder).unwrap();
    // Under a name of its own first: another run of the tests may be using the one of before.
    let new = folder.join(format!("{name}-{}", std::process::id()));
    let mut command = Command::new(compiler);
    command.args(words).arg("-o").arg(&new).arg(repository().join("guests").join(source)).stdin(Stdio::null());
    let Ok(output) = command.output() else {
        eprintln!("skipped: there is no {compiler} here to compile {source} natively");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let program = folder.join(name);
    std::fs::rename(&new, &program).unwrap();
    Some(program)
}

/// A guest program in Rust, as a program of this machine: one that is a single file and needs `std` alone.
pub(crate) fn rust(name: &str) -> Command {
    let words = ["--edition", "2024", "-C", "opt-level=0", "-C", "debuginfo=0", "--crate-name", name];
    let program = compiled(name, "rustc", &words, &format!("rust/src/bin/{name}.rs"));
    plain(&program.expect("who runs this test has a rustc"))
}

/// One in C. `None`: there is no compiler here.
pub(crate) fn c(name: &str) -> Option<Command> {
    compiled(name, "cc", &["-std=gnu17"], &format!("c/{name}.c")).map(|program| plain(&program))
}

/// One in Go. `None`: there is no compiler here.
pub(crate) fn go(name: &str) -> Option<Command> {
    compiled(name, "go", &["build"], &format!("go/{name}/main.go")).map(|program| plain(&program))
}

/// No variables and no input of the host, as for a guest.
fn plain(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    command
}

/// Both runs, which must be the same in everything that a user sees.
#[track_caller]
pub(crate) fn same(guest: &mut Command, native: &mut Command) -> Ran {
    let (guest, native) = (run(guest), run(native));
    assert_eq!(guest.text(), native.text());
    assert_eq!(guest.stderr, native.stderr);
    assert_eq!(guest.status(), native.status());
    guest
}
