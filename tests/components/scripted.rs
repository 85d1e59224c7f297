//! Components in scripting languages, made the first time that a test needs them.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use xtask::scripts;

use crate::harness::{Folder, turnkey};

/// An engine of a language has 18 MB, which no test has to compile but the first.
const PATIENCE: Duration = Duration::from_secs(300);

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
    compile(&component);
    Some(component)
}

/// Runs it for the first time, without a word, when it only says how it is called.
fn compile(component: &PathBuf) {
    let mut child = turnkey().arg("run").arg(component).stdout(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if begin.elapsed() < PATIENCE => sleep(Duration::from_millis(20)),
            None => {
                child.kill().unwrap();
                break child.wait().unwrap();
            }
        }
    };
    assert!(status.success(), "{status} after {:?}", begin.elapsed());
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
