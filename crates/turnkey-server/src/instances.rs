//! The instances of one component on one thread: which of them answers a request, and when one is made or ends.
//!
//! An instance of Preview 2 answers one request at a time, and is polled by whoever waits for its answer: no task is woken on
//! the way from a connection to a guest and back. One of Preview 3 answers several, and has a task of its own.

use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use turnkey::host::clock::Deadline;
use turnkey::http::{Body, ErrorCode, Handler, Handling, Outgoing, Request, Response};
use turnkey::stream::StandardOutput;
use turnkey::{Ended, Exit, Given, Http, Job, Proxy, Refusal, Refused, Service, Slot};

use crate::RequestLimits;
use crate::log::{Fault, Log};
use crate::metrics::{Met, Metrics};
use crate::output::Lines;
use crate::server::MANY;
use crate::ticker::Ticker;

/// How often an idle instance is looked at before it ends, within the time that it may be idle.
const LOOKS: u32 = 4;

/// Requests that an instance of Preview 3 answers, and at once, where nothing else is said.
const REUSE: u32 = 128;
const CONCURRENCY: u32 = 16;

/// How long the head of a response is held back whose body is not there yet, where the instance has several requests.
const HELD: Duration = Duration::from_millis(5);

/// Turns of an instance, one after the other, after which its other requests are asked again of another one.
const STUCK_TURNS: u32 = 50;

/// What is left to a worker's other requests when one of them has run out of time.
const GRACE: Duration = Duration::from_secs(1);

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: RequestLimits,
    pub(crate) log: Arc<Log>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) ticker: Arc<Ticker>,
    /// Requests that wait for an instance.
    pub(crate) waiting: AtomicU32,
    /// The most instances that there were of one component since memory was given back last, where they were many.
    pub(crate) most_instances: AtomicU32,
    /// That there are many has just been seen.
    pub(crate) has_grown: Notify,
    /// Wakes whoever looks after instances that have nothing to do: a request waits for a place.
    pub(crate) wanted: Notify,
    /// It has been told to end.
    pub(crate) is_ending: AtomicBool,
}

impl Shared {
    /// When a request that comes now is to be over.
    pub(crate) fn end(&self) -> Deadline {
        Deadline::after_ns(u64::try_from(self.limits.timeout.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// The instances of one component on one thread.
pub(crate) struct Instances {
    me: Weak<Instances>,
    shared: Arc<Shared>,
    thread: usize,
    service: Service,
    outgoing: Outgoing,
    /// Places for instances of this component, on all threads and of all its versions.
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Kept>>,
    workers: Mutex<Vec<Working>>,
    reuse: u32,
    concurrency: u32,
    /// One of the instances has a place for one more request.
    request_is_over: Notify,
    is_looked_after: AtomicBool,
}

/// An instance of Preview 2, its place, and how often it may still be used. In this order: the place is free when it is gone.
struct Kept {
    proxy: Proxy,
    uses_left: u32,
    looks: u32,
    left: Arc<AtomicU64>,
    _place: Place,
}

/// An instance of Preview 3.
struct Working {
    jobs: mpsc::UnboundedSender<Box<Job>>,
    uses_left: u32,
    looks: u32,
    state: Arc<WorkerState>,
}

#[derive(Debug)]
struct WorkerState {
    /// The instance's own; each request has one too, for as long as the guest is busy with it.
    slot: Slot,
    /// Requests whose response is not out yet.
    requests: AtomicU32,
    /// What its guest may still write.
    left: Arc<AtomicU64>,
    /// Its turn was over before it had nothing more to do.
    is_computing: Arc<AtomicBool>,
    /// One of its requests has run out of time.
    is_late: Notify,
    /// It has computed for many turns without a pause.
    is_stuck: Notify,
    /// It had several requests when it ended.
    had_others: AtomicBool,
    /// Why it ended.
    fault: Mutex<Option<Fault>>,
}

/// The place of an instance.
struct Place {
    _permit: OwnedSemaphorePermit,
    shared: Arc<Shared>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.metrics.instance_ended();
    }
}

/// Why a request has no answer of its guest's.
#[derive(Debug)]
pub(crate) enum Failed {
    /// There are as many instances as there may be, and as many requests that wait.
    Full,
    /// Its time is up.
    Late,
    /// The guest says that it failed.
    Code(ErrorCode),
    /// It has answered with a body that is not what its head says.
    Broken(ErrorCode),
    /// The guest ended.
    Fault(Fault),
    /// It ended with another request of the same instance, which has said why.
    Lost,
}

/// A guest that still runs.
pub(crate) type Guest = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

/// What goes on after a request has its answer: the guest, or its place among the requests of an instance.
pub(crate) enum Going {
    Nothing,
    Guest(Guest),
    Request { _taken: Requested },
}

impl Debug for Instances {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Instances").field("service", &self.service).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Instances {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        thread: usize,
        service: Service,
        outgoing: Outgoing,
        places: &Arc<Semaphore>,
    ) -> Arc<Self> {
        let reuse = shared.limits.reuse.unwrap_or(match service.http() {
            Http::Preview2 => 1,
            Http::Preview3 => REUSE,
        });
        Arc::new_cyclic(|me| Instances {
            me: Weak::clone(me),
            shared: Arc::clone(shared),
            thread,
            service,
            outgoing,
            places: Arc::clone(places),
            idle: Mutex::default(),
            workers: Mutex::default(),
            reuse: reuse.max(1),
            concurrency: shared.limits.concurrency.unwrap_or(CONCURRENCY).max(1),
            request_is_over: Notify::new(),
            is_looked_after: AtomicBool::new(false),
        })
    }

    /// Answers a request; what goes on after that is for whoever has asked. To be dropped when nobody waits any more.
    pub(crate) async fn answer(&self, request: Request, end: Deadline) -> Result<(Response, Going), Failed> {
        match self.service.http() {
            Http::Preview2 => self.answer_alone(request).await,
            Http::Preview3 => self.answer_beside_others(request, end).await,
        }
    }

    /// A place for an instance, as soon as there is one.
    async fn place(&self) -> Result<Place, Failed> {
        let place = |permit| {
            self.count_instance();
            Place { _permit: permit, shared: Arc::clone(&self.shared) }
        };
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place(permit));
        }
        let _waiting = self.wait_in_line()?;
        Arc::clone(&self.places).acquire_owned().await.map(place).map_err(|_| Failed::Full)
    }

    /// One more instance is about to be.
    fn count_instance(&self) {
        self.shared.metrics.instance_made();
        let limit = self.shared.limits.instances;
        let now = limit.saturating_sub(u32::try_from(self.places.available_permits()).unwrap_or(limit));
        if now >= MANY && self.shared.most_instances.fetch_max(now, Ordering::Relaxed) < MANY {
            self.shared.has_grown.notify_one();
        }
    }

    /// A place in the line of those that wait, kept for as long as this is.
    fn wait_in_line(&self) -> Result<impl Drop + use<'_>, Failed> {
        struct Waiting<'a>(&'a AtomicU32);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let waiting = &self.shared.waiting;
        let before = waiting.fetch_add(1, Ordering::SeqCst);
        let waiting = Waiting(waiting);
        let is_full = before >= self.shared.limits.queue;
        self.shared.metrics.limit_met(if is_full { Met::Queue } else { Met::Instances });
        if is_full {
            return Err(Failed::Full);
        }
        // The places may be those of instances on other threads, which have nothing to do.
        self.shared.wanted.notify_waiters();
        Ok(waiting)
    }

    /// What a new instance is given; and how much it may still write.
    fn given(&self) -> (Given, Arc<AtomicU64>) {
        let left = Arc::new(AtomicU64::new(self.shared.limits.output_bytes));
        let number = self.shared.log.number();
        let lines = |stream| StandardOutput::Drain(Lines::new(&self.shared.log, number, stream, &left));
        let given = Given { stdout: lines("stdout"), stderr: lines("stderr"), outgoing: self.outgoing.clone() };
        (given, left)
    }

    fn note(&self, refusals: &[Refusal]) {
        for refusal in refusals {
            self.shared.log.refused(refusal);
        }
    }

    /// What is said of an instance that has ended; nothing, if it came back by itself.
    fn fault_of(&self, ended: Result<Ended, turnkey::Error>) -> Result<(), Fault> {
        let ended = ended.map_err(|error| Fault::of_host(&error))?;
        self.note(&ended.refusals);
        match ended.exit {
            Ok(()) => Ok(()),
            Err(exit) => {
                let stopped = if let Exit::Stopped(limit) = exit { Some(limit) } else { ended.met };
                if let Some(limit) = stopped {
                    self.shared.metrics.limit_met(Met::Guest(limit));
                }
                Err(Fault::of_guest(&exit, ended.met))
            }
        }
    }

    /// Has the instances that have nothing to do end now, and the others when they are done.
    pub(crate) fn let_go(&self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        let workers = std::mem::take(&mut *lock(&self.workers));
        // Not while others cannot take one.
        drop((idle, workers));
    }

    /// Has as many instances that have nothing to do end as there are requests that wait for a place.
    fn give_way(&self) {
        let waiting = self.shared.waiting.load(Ordering::SeqCst) as usize;
        if waiting == 0 {
            return;
        }
        let mut idle = lock(&self.idle);
        let left = idle.len().saturating_sub(waiting);
        let gone = idle.split_off(left);
        drop(idle);
        let is_idle = |worker: &mut Working| worker.state.requests.load(Ordering::SeqCst) == 0;
        let workers: Vec<Working> = lock(&self.workers).extract_if(.., is_idle).take(waiting).collect();
        // Not while others cannot take one.
        drop((gone, workers));
    }

    /// Has the instances that have nothing to do end after a while, or as soon as others need their places.
    fn look_after(&self) {
        if self.is_looked_after.swap(true, Ordering::Relaxed) {
            return;
        }
        let (me, every) = (Weak::clone(&self.me), self.shared.limits.idle / LOOKS);
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            loop {
                let mut pause = std::pin::pin!(tokio::time::sleep(every.max(Duration::from_millis(1))));
                loop {
                    // Whoever waits from now on is heard, and whoever has waited before is seen.
                    let mut wanted = std::pin::pin!(shared.wanted.notified());
                    wanted.as_mut().enable();
                    match me.upgrade() {
                        Some(me) => me.give_way(),
                        None => return,
                    }
                    let is_over = poll_fn(|context| match pause.as_mut().poll(context) {
                        Poll::Ready(()) => Poll::Ready(true),
                        Poll::Pending => wanted.as_mut().poll(context).map(|()| false),
                    });
                    if is_over.await {
                        break;
                    }
                }
                let Some(me) = me.upgrade() else { return };
                let gone: Vec<Kept> = lock(&me.idle)
                    .extract_if(.., |kept| {
                        kept.looks += 1;
                        kept.looks > LOOKS
                    })
                    .collect();
                // Not while others cannot take one.
                drop(gone);
                let mut workers = lock(&me.workers);
                workers.retain_mut(|worker| {
                    worker.looks = if worker.state.requests.load(Ordering::Relaxed) > 0 { 0 } else { worker.looks + 1 };
                    worker.looks <= LOOKS
                });
                if workers.is_empty() && lock(&me.idle).is_empty() {
                    me.is_looked_after.store(false, Ordering::Relaxed);
                    return;
                }
            }
        });
    }
}

// Preview 2: one request at a time.
impl Instances {
    async fn answer_alone(&self, request: Request) -> Result<(Response, Going), Failed> {
        let kept = lock(&self.idle).pop();
        let place = if kept.is_none() { Some(self.place().await?) } else { None };
        let Some(me) = self.me.upgrade() else { return Err(Failed::Lost) };
        let (answer, response) = oneshot::channel();
        let mut response = Some(response);
        let mut guest: Option<Guest> = Some(Box::pin(me.run(kept, place, request, answer)));
        let answered = poll_fn(|context| {
            let Some(running) = &mut guest else { return Poll::Ready(Err(Failed::Lost)) };
            let inside = self.shared.ticker.enter(self.thread);
            let ended = running.as_mut().poll(context);
            drop(inside);
            let answered = response.as_mut().map(|response| Pin::new(response).poll(context));
            match (answered, ended) {
                (Some(Poll::Ready(Ok(response))), Poll::Ready(ended)) => {
                    guest = None;
                    let is_broken = |response: &Response| response.body.failure().is_some();
                    Poll::Ready(match (response, ended) {
                        (Ok(response), Err(fault)) if is_broken(&response) => Err(Failed::Fault(fault)),
                        (response, ended) => {
                            // It has answered, and what has become of it after that is told, but not to the client.
                            if let Err(fault) = ended {
                                self.shared.log.fault_after_answer(&fault);
                            }
                            response.map_err(Failed::Code)
                        }
                    })
                }
                (Some(Poll::Ready(Ok(response))), Poll::Pending) => Poll::Ready(response.map_err(Failed::Code)),
                (_, Poll::Ready(ended)) => {
                    guest = None;
                    Poll::Ready(Err(Failed::Fault(ended.err().unwrap_or_else(Fault::no_response))))
                }
                (Some(Poll::Ready(Err(_))), Poll::Pending) => {
                    // It will not answer any more, and says when it ends.
                    response = None;
                    Poll::Pending
                }
                (Some(Poll::Pending) | None, Poll::Pending) => Poll::Pending,
            }
        });
        let response = answered.await?;
        Ok((response, guest.map_or(Going::Nothing, Going::Guest)))
    }

    /// Has an instance answer one request, to its end.
    async fn run(
        self: Arc<Self>,
        kept: Option<Kept>,
        place: Option<Place>,
        request: Request,
        answer: oneshot::Sender<Result<Response, ErrorCode>>,
    ) -> Result<(), Fault> {
        let mut kept = match (kept, place) {
            (Some(kept), _) => {
                kept.left.store(self.shared.limits.output_bytes, Ordering::Relaxed);
                kept
            }
            (None, Some(place)) => {
                let (given, left) = self.given();
                // By itself, for the time that it takes.
                let proxy = match Box::pin(self.service.proxy(given)).await {
                    Ok(Ok(proxy)) => proxy,
                    Ok(Err(ended)) => return self.fault_of(Ok(ended)),
                    Err(error) => return Err(Fault::of_host(&error)),
                };
                Kept { proxy, uses_left: self.reuse, looks: 0, left, _place: place }
            }
            (None, None) => return Err(Fault::no_response()),
        };
        match kept.proxy.handle(request, answer).await {
            Ok(()) => {
                self.note(&kept.proxy.refusals());
                kept.uses_left -= 1;
                kept.looks = 0;
                // It is not kept from those who wait for its place.
                if kept.uses_left > 0 && self.shared.waiting.load(Ordering::SeqCst) == 0 {
                    lock(&self.idle).push(kept);
                    self.look_after();
                }
                Ok(())
            }
            Err(ended) => self.fault_of(ended),
        }
    }
}

/// What is needed to ask the same again of another instance, where nothing can come of asking twice.
struct Again(Request);

impl Again {
    /// Of a request without a body, whose method promises that (RFC 9110, section 9.2.2).
    fn of(request: &Request) -> Option<Self> {
        let is_harmless = request.method.is_idempotent() && http_body::Body::is_end_stream(&request.body);
        is_harmless.then(|| {
            Again(Request {
                method: request.method.clone(),
                scheme: request.scheme.clone(),
                authority: request.authority.clone(),
                path_with_query: request.path_with_query.clone(),
                headers: Arc::clone(&request.headers),
                options: request.options,
                body: Body::default(),
            })
        })
    }
}

// Preview 3: several at a time.
impl Instances {
    async fn answer_beside_others(&self, request: Request, end: Deadline) -> Result<(Response, Going), Failed> {
        // Whoever shares an instance may lose it to another's fault: then it is asked again, alone.
        let again = if self.concurrency > 1 { Again::of(&request) } else { None };
        match (self.ask(request, end, false, again.is_some()).await, again) {
            (Err(Lost::Beside(_)), Some(Again(request))) => self.ask(request, end, true, false).await,
            (answered, _) => answered,
        }
        .map_err(|lost| match lost {
            Lost::Beside(fault) | Lost::Alone(fault) => fault.map_or(Failed::Lost, Failed::Fault),
            Lost::Failed(failed) => failed,
        })
    }

    /// Asks an instance, which may have others, or one of its own. Where it may be asked `again`, one that computes and computes is
    /// not waited for.
    async fn ask(&self, request: Request, end: Deadline, alone: bool, again: bool) -> Result<(Response, Going), Lost> {
        let Taken { jobs, taken } = self.worker(alone).await.map_err(Lost::Failed)?;
        let state = Arc::clone(&taken.state);
        state.left.store(self.shared.limits.output_bytes, Ordering::Relaxed);
        let (answer, response) = oneshot::channel();
        let slot = Arc::new(state.slot.clone());
        let mut left = Left { busy: Arc::downgrade(&slot), state: Some(Arc::clone(&state)), end, instances: self };
        let sent = jobs.send(Box::new(Job { request, answer, slot }));
        drop(jobs);
        let mut response = response;
        let mut stuck = std::pin::pin!(state.is_stuck.notified());
        let response = poll_fn(|context| match Pin::new(&mut response).poll(context) {
            Poll::Ready(response) => Poll::Ready(Some(response.ok())),
            Poll::Pending if again => stuck.as_mut().poll(context).map(|()| None),
            Poll::Pending => Poll::Pending,
        });
        let response = match if sent.is_ok() { response.await } else { Some(None) } {
            Some(response) => response,
            // What it does for this request, it does for nobody: until its time is up.
            None => return Err(Lost::Beside(None)),
        };
        // While its instance does something else, a response is held back: so it can still be had of another one.
        if let (true, Some(Ok(response))) = (again, &response) {
            let mut held = std::pin::pin!(tokio::time::sleep(HELD));
            let goes = poll_fn(|context| {
                if stuck.as_mut().poll(context).is_ready() {
                    return Poll::Ready(false);
                }
                if response.body.poll_complete(context).is_ready() {
                    return Poll::Ready(true);
                }
                while held.as_mut().poll(context).is_ready() {
                    if !state.is_computing.load(Ordering::Relaxed) {
                        return Poll::Ready(true);
                    }
                    held.set(tokio::time::sleep(HELD));
                }
                Poll::Pending
            });
            if !response.body.is_complete() && !goes.await {
                return Err(Lost::Beside(None));
            }
        }
        left.state = None;
        // An answer whose body ended with its instance is none: nobody has seen anything of it.
        let is_gone = |response: &Response| response.body.failure().is_some() && lock(&state.fault).is_some();
        match response {
            Some(Ok(response)) if !is_gone(&response) => Ok((response, Going::Request { _taken: taken })),
            Some(Err(code)) => Err(Lost::Failed(Failed::Code(code))),
            Some(Ok(_)) | None => {
                let fault = lock(&state.fault).clone();
                let had_others = state.had_others.load(Ordering::Relaxed);
                Err(if had_others {
                    Lost::Beside(fault)
                } else {
                    Lost::Alone(fault.or_else(|| Some(Fault::no_response())))
                })
            }
        }
    }

    /// An instance that has a place for one more request, and that place.
    async fn worker(&self, alone: bool) -> Result<Taken, Failed> {
        if !alone && let Some(found) = self.free_worker() {
            return Ok(found);
        }
        let permit = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = self.wait_in_line()?;
                let mut place = std::pin::pin!(Arc::clone(&self.places).acquire_owned());
                loop {
                    let mut free = std::pin::pin!(self.request_is_over.notified());
                    let either = poll_fn(|context| match place.as_mut().poll(context) {
                        Poll::Ready(permit) => Poll::Ready(Some(permit)),
                        Poll::Pending => free.as_mut().poll(context).map(|()| None),
                    });
                    match either.await {
                        Some(permit) => break permit.map_err(|_| Failed::Full)?,
                        None if alone => {}
                        None => {
                            if let Some(found) = self.free_worker() {
                                return Ok(found);
                            }
                        }
                    }
                }
            }
        };
        let Some(me) = self.me.upgrade() else { return Err(Failed::Lost) };
        self.count_instance();
        let place = Place { _permit: permit, shared: Arc::clone(&self.shared) };
        let (jobs, queue) = mpsc::unbounded_channel();
        let (given, left) = self.given();
        let state = Arc::new(WorkerState {
            slot: Slot::default(),
            requests: AtomicU32::new(0),
            left,
            is_computing: Arc::default(),
            is_late: Notify::new(),
            is_stuck: Notify::new(),
            had_others: AtomicBool::new(false),
            fault: Mutex::default(),
        });
        tokio::spawn(Arc::clone(&me).work(queue, Arc::clone(&state), given, place));
        let uses_left = self.reuse - 1;
        if !alone && uses_left > 0 {
            let working = Working { jobs: jobs.clone(), uses_left, looks: 0, state: Arc::clone(&state) };
            lock(&self.workers).push(working);
            self.look_after();
        }
        Ok(Taken { jobs, taken: Requested::new(me, state) })
    }

    fn free_worker(&self) -> Option<Taken> {
        let me = self.me.upgrade()?;
        let mut workers = lock(&self.workers);
        workers.retain(|worker| !worker.jobs.is_closed());
        let has_room = |worker: &Working| {
            let requests = worker.state.requests.load(Ordering::Relaxed);
            requests < self.concurrency && !worker.state.is_computing.load(Ordering::Relaxed)
        };
        let place = workers.iter().position(has_room)?;
        let worker = &mut workers[place];
        worker.uses_left -= 1;
        worker.looks = 0;
        let found = Taken { jobs: worker.jobs.clone(), taken: Requested::new(me, Arc::clone(&worker.state)) };
        if worker.uses_left == 0 {
            workers.swap_remove(place);
        }
        Some(found)
    }

    /// The task of an instance.
    async fn work(
        self: Arc<Self>,
        mut jobs: mpsc::UnboundedReceiver<Box<Job>>,
        state: Arc<WorkerState>,
        given: Given,
        place: Place,
    ) {
        let me = Weak::clone(&self.me);
        let refused: Refused = Arc::new(move |refusals| {
            if let Some(me) = me.upgrade() {
                me.note(&refusals);
            }
        });
        let working = async {
            // By itself, for the time that it takes.
            match Box::pin(self.service.worker(given, Arc::clone(&state.is_computing))).await? {
                Ok(mut worker) => worker.work(&mut jobs, &state.slot, refused).await,
                Err(ended) => Ok(ended),
            }
        };
        let mut working = std::pin::pin!(working);
        let mut late = std::pin::pin!(async {
            state.is_late.notified().await;
            tokio::time::sleep(GRACE).await;
        });
        let mut turns = 0;
        let ended = poll_fn(|context| {
            // Set again if its turn ends before it has nothing more to do.
            state.is_computing.store(false, Ordering::Relaxed);
            let inside = self.shared.ticker.enter(self.thread);
            let polled = working.as_mut().poll(context);
            drop(inside);
            turns = if state.is_computing.load(Ordering::Relaxed) { turns + 1 } else { 0 };
            if turns == STUCK_TURNS {
                lock(&self.workers).retain(|worker| !Arc::ptr_eq(&worker.state, &state));
                state.is_stuck.notify_waiters();
            }
            if turns >= STUCK_TURNS && state.requests.load(Ordering::Relaxed) == 0 {
                // Nobody waits for what it computes.
                state.is_late.notify_one();
            }
            match polled {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending => late.as_mut().poll(context).map(|()| None),
            }
        })
        .await;
        let requests = state.requests.load(Ordering::Relaxed);
        state.had_others.store(requests > 1, Ordering::Relaxed);
        if let Some(Err(fault)) = ended.map(|ended| self.fault_of(ended)) {
            if requests == 0 {
                self.shared.log.fault_of_instance(&fault);
            }
            // Whoever waits for an answer says what has become of it.
            *lock(&state.fault) = Some(fault);
        }
        drop(place);
        self.request_is_over.notify_waiters();
    }
}

/// Why a request of an instance that may have others has no answer.
enum Lost {
    /// The instance ended when it had others too: nobody knows whose fault it was.
    Beside(Option<Fault>),
    /// It ended when it had this one alone.
    Alone(Option<Fault>),
    /// It still goes on, or there is none.
    Failed(Failed),
}

/// A place for a request, and where it goes.
struct Taken {
    jobs: mpsc::UnboundedSender<Box<Job>>,
    taken: Requested,
}

/// A request of an instance, until all of its response is out.
pub(crate) struct Requested {
    instances: Arc<Instances>,
    state: Arc<WorkerState>,
}

impl Requested {
    fn new(instances: Arc<Instances>, state: Arc<WorkerState>) -> Self {
        state.requests.fetch_add(1, Ordering::Relaxed);
        Requested { instances, state }
    }
}

impl Drop for Requested {
    fn drop(&mut self) {
        let before = self.state.requests.fetch_sub(1, Ordering::SeqCst);
        // Those of this thread first: they need no other instance.
        self.instances.request_is_over.notify_one();
        if before == 1 && self.instances.shared.waiting.load(Ordering::SeqCst) > 0 {
            self.instances.shared.wanted.notify_waiters();
        }
    }
}

/// Whoever waits for an answer of an instance that others use too. When nobody waits any more, and the guest still has to do with it
/// when its time is up, the instance is not used any further.
struct Left<'a> {
    state: Option<Arc<WorkerState>>,
    /// There for as long as the guest has to do with the request.
    busy: Weak<Slot>,
    end: Deadline,
    instances: &'a Instances,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        let (Some(state), Some(instances)) = (self.state.take(), self.instances.me.upgrade()) else { return };
        let give_up = move |state: &Arc<WorkerState>| {
            lock(&instances.workers).retain(|worker| !Arc::ptr_eq(&worker.state, state));
            state.is_late.notify_one();
        };
        if self.end.left_ns() == 0 {
            give_up(&state);
            return;
        }
        // The client has gone, or is answered by another instance.
        let (busy, left) = (Weak::clone(&self.busy), Duration::from_nanos(self.end.left_ns()));
        if let Ok(executor) = tokio::runtime::Handle::try_current() {
            executor.spawn(async move {
                tokio::time::sleep(left).await;
                if busy.strong_count() > 0 {
                    give_up(&state);
                }
            });
        }
    }
}

impl Handler for Instances {
    /// For a guest before this one: what goes on after the answer goes on by itself.
    fn handle(&self, request: Request) -> Handling {
        let me = self.me.upgrade();
        Box::pin(async move {
            let Some(me) = me else { return Err(ErrorCode::ConfigurationError) };
            let end = me.shared.end();
            match me.answer(request, end).await {
                Ok((response, Going::Guest(guest))) => {
                    let log = Arc::clone(&me.shared.log);
                    tokio::spawn(async move {
                        if let Err(fault) = guest.await {
                            log.fault_after_answer(&fault);
                        }
                    });
                    Ok(response)
                }
                Ok((response, _)) => Ok(response),
                Err(Failed::Code(code) | Failed::Broken(code)) => Err(code),
                Err(Failed::Full) => Err(ErrorCode::ConnectionLimitReached),
                Err(Failed::Late) => Err(ErrorCode::HttpResponseTimeout),
                Err(Failed::Lost) => Err(ErrorCode::HttpResponseIncomplete),
                Err(Failed::Fault(fault)) => {
                    me.shared.log.fault_of_instance(&fault);
                    Err(ErrorCode::HttpResponseIncomplete)
                }
            }
        })
    }
}
