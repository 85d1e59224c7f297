//! An interface while its functions are named: what becomes of each is decided here, once. It goes into a guest's linker,
//! if the guest imports it; or its name into a list.

use std::future::ready;

use turnkey_core::ending::Stopped;
use turnkey_core::host::clock::Deadline;
use turnkey_core::host::reactor;
use turnkey_core::limits::Limit;
use turnkey_core::sleepers::Sleep;
use turnkey_core::stream::Waiting;
use turnkey_core::stream::waiting::Watched;
use turnkey_core::{Capabilities, ErrorCode};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::call::{Call, Kept, lease};
use crate::fault::{Fault, Outcome};
use crate::state::Preview3;

/// How the state of Preview 3 is found in what a store holds.
pub trait State<T>: Fn(&mut T) -> (&mut Capabilities, &mut Preview3) + Copy + Send + Sync + Unpin + 'static {}

impl<T, S: Fn(&mut T) -> (&mut Capabilities, &mut Preview3) + Copy + Send + Sync + Unpin + 'static> State<T> for S {}

/// Bytes that a call which waits is charged with: the engine keeps a task for it, and the executor what it waits for. Measured:
/// 1050 for a timer, 1400 where it is a descriptor.
const TASK_BYTES: u64 = 1536;

/// What becomes of a function that is named.
pub(crate) enum To<'a, T: 'static> {
    /// Its name is noted.
    Names(&'a mut Vec<&'static str>),
    /// It is given to a guest, if the guest imports it.
    Linker { instance: LinkerInstance<'a, T>, wanted: &'a [String] },
}

/// An interface while its functions are named.
pub(crate) struct Interface<'a, T: 'static, S> {
    to: To<'a, T>,
    state: S,
    result: wasmtime::Result<()>,
}

/// What a function does. Behind a pointer, because the engine's way to a function is compiled for each type that it is given,
/// some kilobytes each: so functions with the same parameters and results have one.
type Body<P, R> = Box<dyn Fn(&mut Call<'_>, P) -> wasmtime::Result<R> + Send + Sync>;

/// How far a function came that can wait.
pub(crate) enum Step<R> {
    /// To its end.
    Done(R),
    /// It has to be called again when one of these has happened.
    Wait(Waiting),
}

/// What a call waits for.
enum Waits {
    Descriptors(Watched, Option<Deadline>),
    Sleep(Sleep, u64),
    /// Nothing: what it waits for has happened already.
    Nothing,
}

/// A function's name without its resource: `stat` of `[method]descriptor.stat`.
fn short(name: &'static str) -> &'static str {
    name.rsplit_once('.').map_or(name, |(_, short)| short)
}

impl<'a, T: Send + 'static, S: State<T>> Interface<'a, T, S> {
    pub(crate) const fn new(to: To<'a, T>, state: S) -> Self {
        Interface { to, state, result: Ok(()) }
    }

    /// What the engine said of the functions.
    pub(crate) fn finish(self) -> wasmtime::Result<()> {
        self.result
    }

    /// Does with a name what is to be done; `give` makes the function.
    fn name(&mut self, name: &'static str, give: impl FnOnce(&mut LinkerInstance<'a, T>, S) -> wasmtime::Result<()>) {
        match &mut self.to {
            To::Names(names) => names.push(name),
            To::Linker { instance, wanted } => {
                if self.result.is_ok() && wanted.iter().any(|wanted| wanted == name) {
                    self.result = give(instance, self.state);
                }
            }
        }
    }

    /// A kind of resource, which is dropped by the guest.
    pub(crate) fn resource<R: Kept>(&mut self, name: &'static str) {
        self.name(name, |instance, state| {
            instance.resource(name, ResourceType::host::<R>(), move |mut store, rep| {
                let (host, p3) = state(store.data_mut());
                Call { name, host, p3 }.discard::<R>(rep);
                Ok(())
            })
        });
    }

    /// The same, of a kind that has streams or futures, which are closed in the store.
    pub(crate) fn resource_in_store<R: Kept>(
        &mut self,
        name: &'static str,
        close: fn(StoreContextMut<'_, T>, R) -> wasmtime::Result<()>,
    ) {
        self.name(name, |instance, state| {
            instance.resource(name, ResourceType::host::<R>(), move |mut store, rep| {
                let (host, p3) = state(store.data_mut());
                let resource = Call { name, host, p3 }.take(Resource::<R>::new_own(rep))?;
                close(store, resource)
            })
        });
    }

    /// A function that gives a value.
    pub(crate) fn func<P, R>(
        &mut self,
        name: &'static str,
        body: impl Fn(&mut Call<'_>, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    ) where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentType + Lower + 'static,
    {
        let (short, body): (_, Body<P, R>) = (short(name), Box::new(body));
        self.name(name, |instance, state| {
            instance.func_wrap(name, move |mut store: StoreContextMut<'_, T>, parameters: P| {
                let (host, p3) = state(store.data_mut());
                host.news += 1;
                Ok((body(&mut Call { name: short, host, p3 }, parameters)?,))
            })
        });
    }

    /// A function that gives nothing.
    pub(crate) fn action<P>(
        &mut self,
        name: &'static str,
        body: impl Fn(&mut Call<'_>, P) -> wasmtime::Result<()> + Send + Sync + 'static,
    ) where
        P: ComponentNamedList + Lift + 'static,
    {
        let short = short(name);
        self.name(name, |instance, state| {
            instance.func_wrap(name, move |mut store: StoreContextMut<'_, T>, parameters: P| {
                let (host, p3) = state(store.data_mut());
                host.news += 1;
                body(&mut Call { name: short, host, p3 }, parameters)
            })
        });
    }

    /// A function that gives a value, or a code `E` of the interface's own.
    pub(crate) fn fails<P, R, E>(
        &mut self,
        name: &'static str,
        body: impl Fn(&mut Call<'_>, P) -> Outcome<R> + Send + Sync + 'static,
    ) where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentType + Lower + 'static,
        E: ComponentType + Lower + From<ErrorCode> + 'static,
    {
        self.func(name, move |call, parameters| answer::<R, E>(body(call, parameters)));
    }

    /// A function that makes streams or futures, or takes them: the store is what they are made in. One that costs fuel takes it
    /// from there too.
    pub(crate) fn streams<P, R>(
        &mut self,
        name: &'static str,
        body: impl Fn(StoreContextMut<'_, T>, S, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    ) where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentType + Lower + 'static,
    {
        self.name(name, |instance, state| {
            instance.func_wrap(name, move |mut store: StoreContextMut<'_, T>, parameters: P| {
                state(store.data_mut()).0.news += 1;
                Ok((body(store, state, parameters)?,))
            })
        });
    }

    /// An `async` function that never has to wait, and gives a value.
    pub(crate) fn at_once<P, R>(
        &mut self,
        name: &'static str,
        body: impl Fn(&mut Call<'_>, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    ) where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentType + Lower + Send + Sync + 'static,
    {
        let (short, body): (_, Body<P, R>) = (short(name), Box::new(body));
        self.name(name, |instance, state| {
            instance.func_wrap_concurrent(name, move |accessor, parameters: P| {
                let result = accessor.with(|mut access| {
                    let (host, p3) = state(access.data_mut());
                    host.news += 1;
                    body(&mut Call { name: short, host, p3 }, parameters)
                });
                Box::pin(ready(result.map(|value| (value,))))
            })
        });
    }

    /// The same, of a function that gives a value or a code `E` of the interface's own.
    pub(crate) fn at_once_or_fails<P, R, E>(
        &mut self,
        name: &'static str,
        body: impl Fn(&mut Call<'_>, P) -> Outcome<R> + Send + Sync + 'static,
    ) where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentType + Lower + Send + Sync + 'static,
        E: ComponentType + Lower + From<ErrorCode> + Send + Sync + 'static,
    {
        self.at_once(name, move |call, parameters| answer::<R, E>(body(call, parameters)));
    }

    /// An `async` function that waits for what is no descriptor: `begin` says for what, and of what comes of it `end` makes what the
    /// guest gets. Where the guest cancels it, what is waited for is dropped.
    pub(crate) fn awaits<P, F, R>(
        &mut self,
        name: &'static str,
        begin: impl Fn(StoreContextMut<'_, T>, S, P) -> wasmtime::Result<F> + Copy + Send + Sync + 'static,
        end: impl Fn(&mut Call<'_>, F::Output) -> wasmtime::Result<R> + Copy + Send + Sync + 'static,
    ) where
        P: ComponentNamedList + Lift + Send + Sync + 'static,
        F: Future + Send + 'static,
        R: ComponentType + Lower + Send + Sync + 'static,
    {
        let short = short(name);
        self.name(name, |instance, state| {
            instance.func_wrap_concurrent(name, move |accessor, parameters: P| {
                Box::pin(async move {
                    let (waits, _lease) = accessor.with(|mut access| {
                        let host = state(access.data_mut()).0;
                        host.news += 1;
                        let lease = lease(host, TASK_BYTES)?;
                        Ok::<_, wasmtime::Error>((begin(access.as_context_mut(), state, parameters)?, lease))
                    })?;
                    let outcome = waits.await;
                    accessor.with(|mut access| {
                        let (host, p3) = state(access.data_mut());
                        in_time(host)?;
                        end(&mut Call { name: short, host, p3 }, outcome).map(|value| (value,))
                    })
                })
            })
        });
    }

    /// An `async` function that can wait: `step` is called until it is done, with its parameters and with what it keeps of its
    /// own from one call to the next; what it gives is a tuple, of one value or none. Where the guest cancels it, what it keeps
    /// is dropped.
    pub(crate) fn waits<P, K, R>(
        &mut self,
        name: &'static str,
        step: impl Fn(&mut Call<'_>, &P, &mut K) -> wasmtime::Result<Step<R>> + Copy + Send + Sync + 'static,
    ) where
        P: ComponentNamedList + Lift + Send + Sync + 'static,
        K: Default + Send + 'static,
        R: ComponentNamedList + Lower + Send + Sync + 'static,
    {
        let short = short(name);
        self.name(name, |instance, state| {
            instance.func_wrap_concurrent(name, move |accessor, parameters: P| {
                Box::pin(async move {
                    let (mut kept, mut lease) = (K::default(), None);
                    loop {
                        let waits = accessor.with(|mut access| {
                            let (host, p3) = state(access.data_mut());
                            host.news += 1;
                            let mut call = Call { name: short, host, p3 };
                            let waiting = match step(&mut call, &parameters, &mut kept)? {
                                Step::Done(results) => return Ok(Err(results)),
                                Step::Wait(waiting) => waiting,
                            };
                            if lease.is_none() {
                                lease = Some(call.lease(TASK_BYTES)?);
                            }
                            Ok(Ok(Waits::of(waiting, call.host)))
                        });
                        match waits {
                            Ok(Err(results)) => return Ok(results),
                            Ok(Ok(Waits::Descriptors(descriptors, deadline))) => {
                                reactor::wait(descriptors, deadline).await;
                            }
                            Ok(Ok(Waits::Nothing)) => reactor::yield_now().await,
                            Ok(Ok(Waits::Sleep(sleep, at_ns))) => {
                                sleep.await;
                                accessor.with(|mut access| state(access.data_mut()).0.clocks.move_to(at_ns));
                            }
                            Err(error) => return Err(error),
                        }
                        accessor.with(|mut access| in_time(state(access.data_mut()).0))?;
                    }
                })
            })
        });
    }
}

/// Whether a guest that has waited has still time.
fn in_time(host: &Capabilities) -> wasmtime::Result<()> {
    match host.end {
        Some(end) if end.left_ns() == 0 => Err(Stopped(Limit::Timeout).into()),
        _ => Ok(()),
    }
}

impl Waits {
    /// What becomes of a wait in an executor.
    fn of(waiting: Waiting, host: &Capabilities) -> Self {
        if let (Some(sleepers), Some(at_ns)) = (host.clocks.sleepers(), waiting.first_clock()) {
            return Waits::Sleep(sleepers.sleep_until(at_ns), at_ns);
        }
        match waiting.into_parts(host) {
            Some((descriptors, deadline)) => Waits::Descriptors(descriptors, deadline),
            None => Waits::Nothing,
        }
    }
}

/// What the guest gets of an outcome.
#[inline]
pub(crate) fn answer<R, E: From<ErrorCode>>(outcome: Outcome<R>) -> wasmtime::Result<Result<R, E>> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(Fault::Code(code)) => Ok(Err(E::from(code))),
        Err(Fault::Trap(error)) => Err(error),
    }
}
