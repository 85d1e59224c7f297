//! Tasks that sleep by a clock that stands still. One alone would move the clock on and be done; of several that sleep at once,
//! the first to wake is the one that sleeps the shortest, and none does as long as something else can happen: a program with a
//! time-out gets the answer that is there already.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::host::reactor;

/// Those who sleep. A clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Sleepers(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    /// By the time that each sleeps until, and the order in which they came.
    asleep: BTreeMap<(u64, u64), Waker>,
    came: u64,
}

/// A sleep: it is over when [`Sleepers::run`] has found nothing else to do.
#[derive(Debug)]
pub struct Sleep {
    sleepers: Sleepers,
    place: (u64, u64),
}

impl Sleepers {
    /// Sleeps until the guest's monotonic clock reads this, in nanoseconds; whoever wakes moves the clock there.
    #[must_use]
    pub fn sleep_until(&self, at_ns: u64) -> Sleep {
        let mut queue = self.queue();
        let place = (at_ns, queue.came);
        queue.came += 1;
        queue.asleep.insert(place, Waker::noop().clone());
        drop(queue);
        Sleep { sleepers: self.clone(), place }
    }

    /// Runs tasks, some of which sleep here, in an executor with I/O.
    pub async fn run<R>(&self, tasks: impl Future<Output = R>) -> R {
        let mut tasks = pin!(tasks);
        let called = Arc::new(Called::default());
        let waker = Waker::from(Arc::clone(&called));
        loop {
            called.again.store(false, Ordering::Relaxed);
            if let Poll::Ready(result) = tasks.as_mut().poll(&mut Context::from_waker(&waker)) {
                return result;
            }
            // What is ready by now says so.
            reactor::yield_now().await;
            if !called.again.load(Ordering::Relaxed) && !self.wake_first() {
                poll_fn(|context| called.poll(context)).await;
            }
        }
    }

    /// Wakes those who sleep the shortest. `false`: nobody sleeps.
    fn wake_first(&self) -> bool {
        let mut queue = self.queue();
        let Some((&(first_ns, _), _)) = queue.asleep.first_key_value() else {
            return false;
        };
        let mut awake = Vec::new();
        while let Some(first) = queue.asleep.first_entry().filter(|first| first.key().0 == first_ns) {
            awake.push(first.remove());
        }
        drop(queue);
        awake.into_iter().for_each(Waker::wake);
        true
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.sleepers.queue().asleep.get_mut(&self.place) {
            Some(waker) => {
                waker.clone_from(context.waker());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.sleepers.queue().asleep.remove(&self.place);
    }
}

/// Whether a task has something to do again.
#[derive(Debug, Default)]
struct Called {
    again: AtomicBool,
    executor: Mutex<Option<Waker>>,
}

impl Called {
    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        *self.executor.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        if self.again.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.again.store(true, Ordering::Relaxed);
        if let Some(executor) = self.executor.lock().unwrap_or_else(PoisonError::into_inner).take() {
            executor.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_sleep_ends_first_and_one_that_was_dropped_is_not_waited_for() {
        let sleepers = Sleepers::default();
        let order = Mutex::new(Vec::new());
        let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
        executor.block_on(sleepers.run(async {
            drop(sleepers.sleep_until(5));
            let mut sleeps: Vec<_> = [20, 10, 30, 10].map(|at| (at, Box::pin(sleepers.sleep_until(at)))).into();
            poll_fn(|context| {
                sleeps.retain_mut(|(at, sleep)| {
                    let over = sleep.as_mut().poll(context).is_ready();
                    if over {
                        order.lock().unwrap().push(*at);
                    }
                    !over
                });
                if sleeps.is_empty() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }));
        assert_eq!(*order.lock().unwrap(), [10, 10, 20, 30]);
    }
}
