//! What file modes forbid, they do not forbid root: where the tests run as root, such a test runs as somebody else.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// By custom nobody's.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Runs the command as a user whom file modes bind; gives that user the folders that are to be its own. `false`: that user
/// cannot even reach the binary, because of where the repository lies; there is nothing to test then.
pub(crate) fn as_ordinary_user(command: &mut Command, owned: &[&Path]) -> bool {
    if !is_root() {
        return true;
    }
    for path in owned {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    command.uid(NOBODY).gid(NOBODY);
    let reaches = Command::new(env!("CARGO_BIN_EXE_turnkey")).arg("--version").uid(NOBODY).gid(NOBODY).output();
    let reaches = reaches.is_ok_and(|output| output.status.success());
    if !reaches {
        eprintln!("skipped: another user cannot run the binary where it lies");
    }
    reaches
}
