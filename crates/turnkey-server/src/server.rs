//! The server: its threads, its signals, and its end.

use std::fmt::Debug;
use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use turnkey::ErrorCode;
use turnkey::Service;
use turnkey::host::listen::listen_together;
use turnkey::host::process;
use turnkey::http::{Client, Handler, Outgoing};

use crate::instances::{Instances, Shared};
use crate::log::Log;
use crate::metrics::{Met, Metrics};
use crate::ticker::Ticker;
use crate::tls::Tls;
use crate::{App, LoadError, Options, Version, admin, connection};

/// How often files are looked at that may be written anew.
const LOOK: Duration = Duration::from_millis(250);

/// Why nothing is served.
#[derive(Debug)]
pub enum Error {
    /// It cannot listen there.
    Listen(SocketAddr, ErrorCode),
    /// The app cannot be loaded; why.
    App(LoadError),
    /// The host has no thread, no timer or no signal left for it.
    Host(std::io::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Listen(address, code) => write!(formatter, "cannot listen on {address}: {code}"),
            Error::App(why) => write!(formatter, "{why}"),
            Error::Host(error) => write!(formatter, "cannot begin: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::Host(error)
    }
}

/// A server that listens, and answers when it runs.
#[derive(Debug)]
pub struct Server {
    options: Options,
    app: App,
    listeners: Vec<TcpListener>,
    admin: Option<TcpListener>,
    services: Vec<Service>,
    /// The main thread's.
    executor: Runtime,
    signals: Signals,
}

/// What a server is told by. Nothing of it is lost from the time that this is made.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Inside of an executor.
    fn new() -> std::io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

/// A connection that another thread has taken.
type Handed = (std::net::TcpStream, SocketAddr, OwnedSemaphorePermit);

/// What threads share of their connections: how many each has, and the way to hand one over.
#[derive(Debug)]
struct Balance(Vec<(AtomicU32, mpsc::UnboundedSender<Handed>)>);

impl Balance {
    /// The thread that a connection is for which this one has taken. The kernel spreads few connections unevenly over threads, and
    /// a connection stays where it is for as long as it lasts.
    fn thread_for(&self, own: usize) -> usize {
        let count = |thread: usize| self.0[thread].0.load(Ordering::Relaxed);
        let least = (0..self.0.len()).min_by_key(|thread| (count(*thread), *thread != own)).unwrap_or(own);
        // Counted here, so that those who come at the same time see it.
        self.0[least].0.fetch_add(1, Ordering::Relaxed);
        least
    }

    fn gone(&self, thread: usize) {
        self.0[thread].0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What one thread answers with.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) number: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) tls: Option<Tls>,
    /// Those that a request goes through, in turn; others after a reload, and none for as long as one engine takes the place of
    /// another.
    instances: watch::Sender<Chain>,
}

/// The instances of each component that a request goes through.
type Chain = Vec<Arc<Instances>>;

impl Thread {
    /// The first of those that a request goes through.
    pub(crate) async fn instances(&self) -> Arc<Instances> {
        loop {
            if let Some(first) = self.instances.borrow().first() {
                return Arc::clone(first);
            }
            // Who sends is here, so that it does not end.
            let _ = self.instances.subscribe().wait_for(|chain| !chain.is_empty()).await;
        }
    }
}

/// Joins components: each answers for the one before it, and the first for the network.
fn chain(shared: &Arc<Shared>, number: usize, services: &[Service], places: &[Arc<Semaphore>]) -> Chain {
    let mut chain = Chain::new();
    let client = Client::default();
    for (service, places) in services.iter().zip(places).rev() {
        let behind = chain.last().map(|next| Arc::clone(next) as Arc<dyn Handler>);
        let outgoing = Outgoing { client: client.clone(), next: behind };
        chain.push(Instances::new(shared, number, service.clone(), outgoing, places));
    }
    chain.reverse();
    chain
}

impl Server {
    /// Loads what is to be served, and listens. From then on, signals are for the server.
    ///
    /// # Errors
    /// [`Error::Listen`], [`Error::App`], [`Error::Host`].
    pub fn new(mut options: Options, app: App) -> Result<Self, Error> {
        options.threads = options.threads.max(1);
        let services = (app.load)(Version::Newest).map_err(Error::App)?;
        if services.is_empty() {
            return Err(Error::App("there is no component to be served".into()));
        }
        let listeners = if options.handed_over.is_empty() {
            let address = options.address;
            listen_together(address, options.threads).map_err(|code| Error::Listen(address, code))?
        } else {
            std::mem::take(&mut options.handed_over)
        };
        let admin = match options.admin {
            Some(address) => {
                let listeners = listen_together(address, 1).map_err(|code| Error::Listen(address, code))?;
                listeners.into_iter().next()
            }
            None => None,
        };
        let executor = executor()?;
        // Whoever is told where it listens may tell it to end.
        let signals = {
            let _inside = executor.enter();
            Signals::new()?
        };
        Ok(Server { options, app, listeners, admin, services, executor, signals })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in self.listeners.iter().filter_map(|listener| listener.local_addr().ok()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    /// Where it shows what goes on.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|admin| admin.local_addr().ok())
    }

    /// Answers until it is told to end, by SIGTERM or SIGINT, and the requests in flight have ended or their time is up.
    ///
    /// # Errors
    /// [`Error::Host`]
    pub fn run(self) -> Result<(), Error> {
        let Server { options, app, listeners, admin, services, executor: main, signals } = self;
        let app = Arc::new(app);
        let (ticker, ticking) = Ticker::start(options.threads)?;
        ticker.serve(services.clone());
        let metrics = Arc::<Metrics>::default();
        let shared = Arc::new(Shared {
            log: Arc::new(Log::new(options.access_log, &metrics)),
            metrics,
            ticker: Arc::clone(&ticker),
            waiting: AtomicU32::new(0),
            most_instances: AtomicU32::new(0),
            has_grown: Notify::new(),
            wanted: Notify::new(),
            is_ending: AtomicBool::new(false),
            limits: options.limits.clone(),
        });
        let places: Vec<Arc<Semaphore>> =
            services.iter().map(|_| Arc::new(Semaphore::new(options.limits.instances as usize))).collect();
        let connections = Arc::new(Semaphore::new(options.limits.connections as usize));
        let (end, ends) = watch::channel(false);
        let (senders, handed): (Vec<_>, Vec<_>) =
            (0..options.threads).map(|_| mpsc::unbounded_channel::<Handed>()).unzip();
        let balance = Arc::new(Balance(senders.into_iter().map(|sender| (AtomicU32::new(0), sender)).collect()));
        let mut threads = Vec::new();
        let mut handles = Vec::new();
        for (number, handed) in handed.into_iter().enumerate() {
            let thread = Arc::new(Thread {
                number,
                shared: Arc::clone(&shared),
                tls: options.tls.clone(),
                instances: watch::Sender::new(chain(&shared, number, &services, &places)),
            });
            // Of those that were handed over, each thread takes from all; of its own, each has one.
            let its: Vec<TcpListener> = if listeners.len() == options.threads {
                vec![listeners[number].try_clone()?]
            } else {
                listeners.iter().map(TcpListener::try_clone).collect::<Result<_, _>>()?
            };
            threads.push(Arc::clone(&thread));
            let taking =
                Taking { connections: Arc::clone(&connections), balance: Arc::clone(&balance), ends: ends.clone() };
            let runtime = executor()?;
            let handle = std::thread::Builder::new()
                .name(format!("serve-{number}"))
                .spawn(move || runtime.block_on(taking.run(thread, its, handed)))?;
            handles.push(handle);
        }
        drop((listeners, services));
        drop(ends);
        main.block_on(async {
            if let Some(admin) = admin {
                let listener = tokio::net::TcpListener::from_std(admin)?;
                tokio::spawn(admin::serve(listener, Arc::clone(&shared)));
            }
            let reload = Reload { app: &app, shared: &shared, threads: &threads, places: &places };
            reload.until_the_end(signals).await;
            shared.is_ending.store(true, Ordering::Relaxed);
            let _ = end.send(true);
            // Each thread has a copy until it has nothing left to do.
            let _ = tokio::time::timeout(options.grace, end.closed()).await;
            Ok::<_, std::io::Error>(())
        })?;
        drop(threads);
        ticker.stop();
        let _ = ticking.join();
        // Threads with requests that have had their time are left as they are: the process ends.
        for handle in handles {
            if handle.is_finished() {
                let _ = handle.join();
            }
        }
        Ok(())
    }
}

/// Turns between two looks at connections. Where a guest computes, each of them is a millisecond, and a request takes some looks.
const TURNS_WITHOUT_LOOK: u32 = 8;

fn executor() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().event_interval(TURNS_WITHOUT_LOOK).build()
}

/// What a thread takes connections with.
#[derive(Clone)]
struct Taking {
    connections: Arc<Semaphore>,
    balance: Arc<Balance>,
    ends: watch::Receiver<bool>,
}

impl Taking {
    /// Takes connections until the server ends, and then waits for those that are still there.
    async fn run(
        mut self,
        thread: Arc<Thread>,
        listeners: Vec<TcpListener>,
        mut handed: mpsc::UnboundedReceiver<Handed>,
    ) {
        // Dropped with the last connection.
        let (here, mut all_gone) = mpsc::channel::<()>(1);
        let mut taking = Vec::new();
        for listener in listeners {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { continue };
            taking.push(tokio::spawn(self.clone().accept(Arc::clone(&thread), listener, here.clone())));
        }
        let ends = self.ends.clone();
        let mut ended = std::pin::pin!(self.ends.wait_for(|ends| *ends));
        loop {
            let next = poll_fn(|context| match ended.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => handed.poll_recv(context),
            });
            let Some((stream, peer, place)) = next.await else { break };
            if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
                let balance = Arc::clone(&self.balance);
                serve(Arc::clone(&thread), balance, stream, peer, place, ends.clone(), here.clone());
            }
        }
        for taking in taking {
            taking.abort();
        }
        drop((here, ends));
        // What was in the kernel's hands when it ended has come to nothing; what was here comes to its end.
        let _ = all_gone.recv().await;
    }

    async fn accept(self, thread: Arc<Thread>, listener: tokio::net::TcpListener, here: mpsc::Sender<()>) {
        let own = thread.number;
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(taken) => taken,
                Err(error) => {
                    // Or the connection is gone already.
                    if ErrorCode::from(error) == ErrorCode::TooManyDescriptors {
                        thread.shared.log.no_descriptor_left();
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            };
            // Not before: a place that a thread has ready for whoever comes is nobody's on the others.
            if self.connections.available_permits() == 0 {
                thread.shared.metrics.limit_met(Met::Connections);
            }
            let Ok(place) = Arc::clone(&self.connections).acquire_owned().await else { return };
            let its = self.balance.thread_for(own);
            if its == own {
                let (balance, ends) = (Arc::clone(&self.balance), self.ends.clone());
                serve(Arc::clone(&thread), balance, stream, peer, place, ends, here.clone());
            } else if let Ok(stream) = stream.into_std() {
                let _ = self.balance.0[its].1.send((stream, peer, place));
            }
        }
    }
}

/// Serves a connection on this thread.
fn serve(
    thread: Arc<Thread>,
    balance: Arc<Balance>,
    stream: tokio::net::TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
    ends: watch::Receiver<bool>,
    here: mpsc::Sender<()>,
) {
    let number = thread.number;
    tokio::spawn(async move {
        let shared = Arc::clone(&thread.shared);
        let counted = shared.metrics.connection();
        connection::serve(thread, stream, peer, ends).await;
        drop(counted);
        balance.gone(number);
        drop((place, here));
    });
}

/// Instances at once from which on memory is given back when most of them have gone; and how many of them may be left then.
pub(crate) const MANY: u32 = 256;
const LEFT: u32 = 8;

/// How often that is seen before it is done: the next ones may come at once.
const LOOKS: u32 = 8;

/// How long requests may have to wait for those that are being answered, for memory to be given back.
const LETTING_GO: Duration = Duration::from_millis(20);

/// Milliseconds that are waited for an engine to end when its last instance has.
const MOMENTS: u32 = 100;

/// How often it is looked, after a reload, whether what was there before is still used.
const SETTLING: u32 = 240;

/// What happens between the beginning and the end.
struct Reload<'a> {
    app: &'a Arc<App>,
    shared: &'a Arc<Shared>,
    threads: &'a [Arc<Thread>],
    places: &'a [Arc<Semaphore>],
}

impl Reload<'_> {
    /// Waits for the end, and loads the app anew whenever it has to be.
    async fn until_the_end(&self, signals: Signals) {
        let Signals { mut terminate, mut interrupt, mut hang_up } = signals;
        let mut version = self.app.version.as_ref().map(|version| version());
        let mut look = tokio::time::interval(LOOK);
        let (mut looks, mut patience, mut settling) = (0, LOOKS, 0);
        loop {
            let mut grown = std::pin::pin!(self.shared.has_grown.notified());
            let told = poll_fn(|context| {
                if terminate.poll_recv(context).is_ready() || interrupt.poll_recv(context).is_ready() {
                    return Poll::Ready(Told::End);
                }
                if hang_up.poll_recv(context).is_ready() {
                    return Poll::Ready(Told::Reload);
                }
                let has_grown = self.app.is_quick && self.shared.most_instances.load(Ordering::Relaxed) >= MANY;
                if (version.is_some() || has_grown || settling > 0) && look.poll_tick(context).is_ready() {
                    return Poll::Ready(Told::Look);
                }
                grown.as_mut().poll(context).map(|()| Told::Look)
            });
            match told.await {
                Told::End => return,
                Told::Reload => {
                    self.reload(Version::Newest).await;
                    settling = SETTLING;
                }
                Told::Look => {
                    let found = self.app.version.as_ref().map(|version| version());
                    if found != version {
                        version = found;
                        self.reload(Version::Newest).await;
                        settling = SETTLING;
                    }
                    settling = settling.saturating_sub(1);
                    if settling > 0 {
                        let (before, left) = self.shared.ticker.forget();
                        if left < before {
                            process::give_memory_back();
                        }
                    }
                    let most = self.shared.most_instances.load(Ordering::Relaxed);
                    let is_quiet = most >= MANY && self.shared.metrics.instances() <= u64::from(most / LEFT);
                    looks = if is_quiet { looks + 1 } else { 0 };
                    let is_empty = self.threads.iter().any(|thread| thread.instances.borrow().is_empty());
                    if is_empty || (looks >= patience && self.let_go().await) {
                        self.shared.most_instances.store(0, Ordering::Relaxed);
                        self.reload(Version::Same).await;
                        process::give_memory_back();
                        (looks, patience, settling) = (0, LOOKS, SETTLING);
                    } else if looks >= patience {
                        (looks, patience) = (0, patience.saturating_mul(2));
                    }
                }
            }
        }
    }

    /// Has the engine end, which keeps the memory of instances for the next ones: what so many have used is given back with it.
    /// Before there is another one, as the kernel has mappings for one with many instances (`vm.max_map_count`). Requests that
    /// come meanwhile wait, some milliseconds; one that is being answered for longer than that has all stay as it is.
    ///
    /// Whether it has ended, and there is nothing to answer with.
    async fn let_go(&self) -> bool {
        let chains: Vec<Chain> =
            self.threads.iter().map(|thread| thread.instances.send_replace(Chain::new())).collect();
        chains.iter().flatten().for_each(|instances| instances.let_go());
        let all_gone = async {
            while self.shared.metrics.instances() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(LETTING_GO, all_gone).await.is_err() {
            for (thread, chain) in self.threads.iter().zip(chains) {
                thread.instances.send_replace(chain);
            }
            return false;
        }
        drop(chains);
        // Whoever had the last instance has the engine for a moment longer.
        let mut looks = 0;
        while self.shared.ticker.forget().1 > 0 && looks < MOMENTS {
            tokio::time::sleep(Duration::from_millis(1)).await;
            looks += 1;
        }
        true
    }

    /// Loads the app anew. Requests that come from now on are its; those that the one before has, stay with that.
    async fn reload(&self, version: Version) {
        let app = Arc::clone(self.app);
        // Compiling takes a while, and others are waited for here.
        let loaded = tokio::task::spawn_blocking(move || (app.load)(version)).await;
        let services = match loaded {
            Ok(Ok(services)) if services.len() == self.places.len() => services,
            Ok(Ok(_)) => return self.shared.log.not_reloaded("it is another chain of components"),
            Ok(Err(why)) => return self.shared.log.not_reloaded(&why.to_string()),
            Err(why) => return self.shared.log.not_reloaded(&why.to_string()),
        };
        self.shared.ticker.serve(services.clone());
        for thread in self.threads {
            thread.instances.send_replace(chain(self.shared, thread.number, &services, self.places));
        }
        if version == Version::Newest {
            self.shared.log.reloaded();
        }
    }
}

enum Told {
    End,
    Reload,
    Look,
}
