//! Components in scripting languages, made the first time that a test needs them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use xtask::scripts;

use crate::harness::{Folder, run, turnkey};

/// One at a time: making one, and compiling it the first time that it runs, takes all processors.
static MAKING: Mutex<()> = Mutex::new(());

/// The component of a language, compiled into the cache of these tests. `None`: nothing here can make one.
pub(crate) fn scripted(language: &str) -> Option<PathBuf> {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if !scripts::can_be_made(language) {
        eprintln!("skipped: nothing here makes components of {language}");
        return None;
    }
    let component = scripts::component(language).unwrap();
    // Without a word it only says what it is asked for.
    run(turnkey().arg("run").arg(&component));
    Some(component)
}

/// `turnkey run FLAGS COMPONENT WORDS`.
pub(crate) fn running(component: &PathBuf, flags: &[&str], words: &[&str]) -> Command {
    let mut command = turnkey();
    command.arg("run").args(flags).arg(component).args(words);
    command
}

/// The same with the folder as `/d`.
pub(crate) fn running_in(folder: &Folder, flag: &str, component: &PathBuf, words: &[&str]) -> Command {
    let granted = format!("{}::/d", folder.root().display());
    running(component, &[flag, &granted], words)
}
