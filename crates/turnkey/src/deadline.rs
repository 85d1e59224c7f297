//! The end of a guest's time: it is interrupted while it computes, and its waits in the host end by themselves. What is
//! stuck in the kernel, where neither reaches it, is left to whoever runs it.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use turnkey_core::host::clock::Deadline;

/// Called on another thread when a guest's time has been up for a quarter of a second and it is still in a call of the host.
pub type WhenStuck = Arc<dyn Fn() + Send + Sync>;

/// What a guest is given to end in, once its time is up, before it counts as stuck.
const GRACE: Duration = Duration::from_millis(250);

/// Watches one run. Dropping it ends the watch.
pub(crate) struct Watch {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Interrupts the engine's guests at the deadline; each looks then whether it is its own.
    pub(crate) fn start(
        engine: wasmtime::Engine,
        end: Deadline,
        when_stuck: Option<WhenStuck>,
    ) -> std::io::Result<Self> {
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let seen = Arc::clone(&over);
        let thread = std::thread::Builder::new().name("deadline".to_owned()).spawn(move || {
            if wait(&seen, Duration::from_nanos(end.left_ns())) {
                return;
            }
            engine.increment_epoch();
            if let Some(when_stuck) = when_stuck
                && !wait(&seen, GRACE)
            {
                when_stuck();
            }
        })?;
        Ok(Watch { over, thread: Some(thread) })
    }
}

/// Waits until the run is over, but no longer than this. `true`: it is.
fn wait((over, changed): &(Mutex<bool>, Condvar), longest: Duration) -> bool {
    let Ok(guard) = over.lock() else {
        return true;
    };
    // Some thirty years at most: more could not be added to the present.
    changed
        .wait_timeout_while(guard, longest.min(Duration::from_secs(1 << 30)), |over| !*over)
        .is_ok_and(|(over, _)| *over)
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Ok(mut over) = self.over.0.lock() {
            *over = true;
        }
        self.over.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
