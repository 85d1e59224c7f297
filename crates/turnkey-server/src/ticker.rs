//! The turns of guests that compute: while any thread is in a guest, the engine is told again and again that time goes by, and a
//! guest that notices lets others of its thread go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use turnkey::Service;

/// How long a guest computes before others have their turn. Changing between two costs some microseconds.
pub(crate) const TURN: Duration = Duration::from_millis(1);

/// Turns without anybody in a guest after which nobody counts any more, until somebody is.
const IDLE_TURNS: u32 = 64;

/// Whether one thread is in a guest.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Inside(AtomicBool);

/// What the ticker and the threads share.
#[derive(Debug)]
pub(crate) struct Ticker {
    inside: Vec<Inside>,
    asleep: AtomicBool,
    over: AtomicBool,
    services: Mutex<Vec<Service>>,
    thread: Mutex<Option<Thread>>,
}

impl Ticker {
    /// For so many threads.
    pub(crate) fn start(threads: usize) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        let ticker = Arc::new(Ticker {
            inside: (0..threads).map(|_| Inside::default()).collect(),
            asleep: AtomicBool::new(false),
            over: AtomicBool::new(false),
            services: Mutex::default(),
            thread: Mutex::default(),
        });
        let its = Arc::clone(&ticker);
        let handle = std::thread::Builder::new().name("turns".to_owned()).spawn(move || its.run())?;
        *ticker.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle.thread().clone());
        Ok((ticker, handle))
    }

    /// What is told from now on, besides what was before.
    pub(crate) fn serve(&self, services: Vec<Service>) {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).extend(services);
    }

    /// Forgets what nobody else has any more; how many there were, and are left.
    pub(crate) fn forget(&self) -> (usize, usize) {
        let mut told = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.len();
        told.retain(Service::is_used);
        (before, told.len())
    }

    /// Nobody goes into a guest any more.
    pub(crate) fn stop(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// A thread goes into a guest; it comes out when what is given back is dropped.
    pub(crate) fn enter(&self, thread: usize) -> impl Drop + use<'_> {
        struct Out<'a>(&'a AtomicBool);
        impl Drop for Out<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Relaxed);
            }
        }
        let Inside(inside) = &self.inside[thread];
        // Either the ticker sees this before it sleeps, or it is seen here to sleep.
        inside.store(true, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) {
            self.wake();
        }
        Out(inside)
    }

    #[cold]
    fn wake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
        if let Some(thread) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.unpark();
        }
    }

    fn run(&self) {
        let mut idle_turns = 0;
        while !self.over.load(Ordering::Relaxed) {
            if self.inside.iter().any(|Inside(inside)| inside.load(Ordering::Relaxed)) {
                idle_turns = 0;
                for service in &*self.services.lock().unwrap_or_else(PoisonError::into_inner) {
                    service.tick();
                }
            } else {
                idle_turns += 1;
            }
            if idle_turns < IDLE_TURNS {
                std::thread::park_timeout(TURN);
                continue;
            }
            self.asleep.store(true, Ordering::SeqCst);
            let inside = self.inside.iter().any(|Inside(inside)| inside.load(Ordering::SeqCst));
            if !inside && !self.over.load(Ordering::SeqCst) {
                std::thread::park();
            }
            self.asleep.store(false, Ordering::SeqCst);
            idle_turns = 0;
        }
    }
}
