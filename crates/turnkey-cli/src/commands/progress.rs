//! The line that says that a program is being compiled, where that takes long and somebody is looking.

use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::ProgressBar;
use turnkey::Compiling;

use crate::message::escaped;

/// What takes less than this needs no line.
const QUIET_FOR: Duration = Duration::from_secs(1);

/// Shows the line while a program is compiled, on a terminal.
pub(crate) fn on_compile(app: &str) -> Box<dyn Fn(Compiling) + Send + Sync> {
    let app = escaped(app);
    let shown: Mutex<Option<(Sender<()>, JoinHandle<()>)>> = Mutex::new(None);
    Box::new(move |compiling| {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        match compiling {
            Compiling::Begins { bytes } if std::io::stderr().is_terminal() => {
                let line = format!("compiling `{app}` ({} KB), this once", bytes / 1000);
                let (done, is_done) = channel();
                *shown = Some((done, std::thread::spawn(move || show(line, &is_done))));
            }
            Compiling::Begins { .. } => {}
            Compiling::Ends => {
                if let Some((done, thread)) = shown.take() {
                    drop(done);
                    let _ = thread.join();
                }
            }
        }
    })
}

fn show(line: String, is_done: &Receiver<()>) {
    use std::sync::mpsc::RecvTimeoutError::Timeout;
    if is_done.recv_timeout(QUIET_FOR) != Err(Timeout) {
        return;
    }
    let bar = ProgressBar::new_spinner().with_message(line);
    bar.enable_steady_tick(Duration::from_millis(100));
    let _ = is_done.recv();
    bar.finish_and_clear();
}
