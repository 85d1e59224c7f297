//! The same sources, compiled for this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::harness::{Ran, repository, run};

/// Compiles one source at a time; several at once would only wait for the same processors.
static COMPILING: Mutex<()> = Mutex::new(());

fn compile(name: &str, compiler: &str, words: &[&str], source: &str) -> Option<PathBuf> {
    let _one_at_a_time = COMPILING.lock();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native");
    std::fs::create_dir_all(&folder).unwrap();
    let out = folder.join(name);
    let mut command = Command::new(compiler);
    command.args(words).arg("-o").arg(&out).arg(repository().join("guests").join(source)).stdin(Stdio::null());
    let Ok(output) = command.output() else {
        eprintln!("skipped: there is no {compiler} here to compile {source} natively");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(out)
}

/// A guest program in Rust, as a program of this machine: one that is a single file and needs `std` alone.
pub(crate) fn rust(name: &str) -> Command {
    let words = ["--edition", "2024", "-C", "opt-level=0", "-C", "debuginfo=0", "--crate-name", name];
    let program = compile(name, "rustc", &words, &format!("rust/src/bin/{name}.rs"));
    plain(&program.expect("who runs this test has a rustc"))
}

/// One in C. `None`: there is no compiler here.
pub(crate) fn c(name: &str) -> Option<Command> {
    compile(name, "cc", &["-std=gnu17"], &format!("c/{name}.c")).map(|program| plain(&program))
}

/// One in Go. `None`: there is no compiler here.
pub(crate) fn go(name: &str) -> Option<Command> {
    compile(name, "go", &["build"], &format!("go/{name}/main.go")).map(|program| plain(&program))
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
