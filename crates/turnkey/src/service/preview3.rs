//! An instance of a `wasi:http/handler` of 0.3: it answers several requests at a time, each in a task of its own.

use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;

use tokio::sync::{Notify, mpsc, oneshot};
use turnkey_core::audit::Refusal;
use turnkey_http::{ErrorCode, Request, Response};
use turnkey_p3::http::Handle;
use wasmtime::component::{Accessor, AccessorTask};
use wasmtime::{AsContextMut, Store, UpdateDeadline};

use super::{Ended, Given, Service};
use crate::component::{entered, rest};
use crate::error::Error;
use crate::link::State;

/// A request for an instance, and where its answer goes. Dropped without an answer: there is none.
#[derive(Debug)]
pub struct Job {
    /// The request.
    pub request: Request,
    /// The answer.
    pub answer: oneshot::Sender<Result<Response, ErrorCode>>,
    /// Its place, kept until the guest has nothing more to do for it.
    pub slot: Arc<Slot>,
}

/// Is told what was refused to a guest.
pub type Refused = Arc<dyn Fn(Vec<Refusal>) + Send + Sync>;

/// How many requests an instance has. A clone is another one.
#[derive(Debug)]
pub struct Slot(Arc<Slots>);

#[derive(Debug, Default)]
struct Slots {
    taken: AtomicU32,
    given_back: Notify,
}

impl Clone for Slot {
    fn clone(&self) -> Self {
        self.0.taken.fetch_add(1, Ordering::Relaxed);
        Slot(Arc::clone(&self.0))
    }
}

impl Default for Slot {
    fn default() -> Self {
        Slot(Arc::new(Slots { taken: AtomicU32::new(1), given_back: Notify::new() }))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.given_back.notify_one();
    }
}

impl Slot {
    /// How many there are, this one too.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// Waits until this is the only one.
    async fn be_alone(&self) {
        while self.count() > 1 {
            self.0.given_back.notified().await;
        }
    }
}

/// An instance that answers requests of Preview 3, several at a time.
pub struct Worker {
    service: Service,
    store: Store<State>,
    handle: Handle,
}

impl Debug for Worker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Worker")
    }
}

impl Service {
    /// Makes an instance. What it starts with may already wait; dropping this ends it. `computes` is set whenever its turn is over
    /// before it has nothing more to do.
    ///
    /// # Errors
    /// [`Error::Engine`]: there is no more room. `Ok(Err(_))`: it did not come to its start.
    pub async fn worker(&self, given: Given, computes: Arc<AtomicBool>) -> Result<Result<Worker, Ended>, Error> {
        let mut store = self.store(given);
        store.epoch_deadline_callback(move |_| {
            computes.store(true, Ordering::Relaxed);
            Ok(UpdateDeadline::Yield(1))
        });
        let made = async {
            let instance = self.0.pre.instantiate_async(&mut store).await?;
            instance.get_typed_func(&mut store, &self.0.handle)
        };
        match made.await {
            Ok(handle) => Ok(Ok(Worker { service: self.clone(), store, handle })),
            Err(error) => self.ended(&mut store, Err(error)).map(Err),
        }
    }
}

impl Worker {
    /// Answers requests for as long as there may be more, and until all are answered; dropping this ends it.
    ///
    /// `own` is a slot of this instance that is no request's. Jobs are boxed, as a queue has room for many.
    ///
    /// # Errors
    /// [`Error::Engine`]
    pub async fn work(
        &mut self,
        jobs: &mut mpsc::UnboundedReceiver<Box<Job>>,
        own: &Slot,
        refused: Refused,
    ) -> Result<Ended, Error> {
        let handle = self.handle;
        let worked = self.store.run_concurrent(async |accessor| {
            while let Some(job) = jobs.recv().await {
                accessor.spawn(Answering { job, handle, refused: Arc::clone(&refused) })?;
            }
            own.be_alone().await;
            rest(accessor).await;
            Ok(())
        });
        let worked = worked.await.flatten();
        self.service.ended(&mut self.store, worked)
    }
}

/// Turns that a guest's other tasks get between its answer and the head of the response. One that writes a line and ends takes six.
const TURNS_FOR_A_BODY: u32 = 16;

/// Lets the other tasks of the same guest have a turn each, before anything else happens.
async fn take_turns() {
    let mut has_waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The answering of one request.
struct Answering {
    job: Box<Job>,
    handle: Handle,
    refused: Refused,
}

impl AccessorTask<State> for Answering {
    async fn run(self, accessor: &Accessor<State>) -> wasmtime::Result<()> {
        let Answering { job, handle, refused } = self;
        let Job { request, answer, slot: _slot } = *job;
        let request = accessor.with(|mut access| turnkey_p3::http::incoming(access.data_mut().preview3(), request))?;
        let (answered,) = handle.call_concurrent(accessor, (request,)).await.map_err(entered)?;
        let refusals = accessor.with(|mut access| access.data_mut().core.audit.take().0);
        if !refusals.is_empty() {
            refused(refusals);
        }
        let response = match answered {
            Ok(response) => Ok(accessor
                .with(|mut access| turnkey_p3::http::outgoing(access.as_context_mut(), State::preview3, response))?),
            Err(code) => Err(code.into()),
        };
        // A small body is mostly there at once, when others of the guest's tasks have had their turn; then one write sends all of
        // it. Nobody waits for one that is not.
        if let Ok(response) = &response {
            for _ in 0..TURNS_FOR_A_BODY {
                if response.body.is_complete() {
                    break;
                }
                take_turns().await;
            }
        }
        let _ = answer.send(response);
        Ok(())
    }
}
