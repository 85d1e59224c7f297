//! Programs that others have written and that a machine may not have: a test that needs one does without, but where all of them are
//! promised to be there, as `.ci/run` does by TURNKEY_TESTS_WITH_CLIENTS.

use std::process::{Command, Stdio};

/// Whether all of these are there.
pub(crate) fn are_installed(programs: &[&str]) -> bool {
    let is_missing = |program: &&&str| {
        let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_err()
    };
    let Some(program) = programs.iter().find(is_missing) else { return true };
    let promised = std::env::var_os("TURNKEY_TESTS_WITH_CLIENTS").is_some();
    assert!(!promised, "`{program}` is not installed");
    eprintln!("skipped: `{program}` is not installed");
    false
}
