//! An interface while its functions are named: what becomes of each is decided here, once. It goes into a guest's linker,
//! if the guest imports it; or its name into a list.

use turnkey_core::host::reactor;
use turnkey_core::stream::{Wait, Waiting};
use turnkey_core::{Capabilities, ErrorCode};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, LinkerInstance, Lower, ResourceType};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::call::{Call, Kept};
use crate::fault::{Fault, Outcome};
use crate::state::Preview2;

/// How the state of Preview 2 is found in what a store holds.
pub trait State<T>: Fn(&mut T) -> (&mut Capabilities, &mut Preview2) + Copy + Send + Sync + 'static {}

impl<T, S: Fn(&mut T) -> (&mut Capabilities, &mut Preview2) + Copy + Send + Sync + 'static> State<T> for S {}

/// Where a call waits that can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// In the kernel, on this thread: nothing else runs there. Such a store needs no fiber.
    Here,
    /// In an executor, while others run: the store has to be entered asynchronously.
    InExecutor,
    /// The same, and what else the store has to do is done meanwhile: calls of the host that tasks wait for, streams between
    /// guests and the host, tasks of other instances. The engine has to support tasks.
    BesideTasks,
}

/// What becomes of a function that is named.
pub(crate) enum To<'a, T: 'static> {
    /// Its name is noted.
    Names(&'a mut Vec<&'static str>),
    /// It is given to a guest, if the guest imports it.
    Linker { instance: LinkerInstance<'a, T>, wanted: &'a [String], waits: Waits },
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

/// Functions that tell a guest nothing of the world outside, and change nothing in it; or whose bodies say so themselves by
/// [`Capabilities::news`].
const QUIET: [&str; 8] = [
    "[method]descriptor.get-flags",
    "[method]descriptor.get-type",
    "[method]descriptor.stat",
    "[method]descriptor.metadata-hash",
    "[method]descriptor.metadata-hash-at",
    "[method]directory-entry-stream.read-directory-entry",
    "[method]input-stream.blocking-read",
    "[method]input-stream.read",
];

/// A function's name without its resource: `read` of `[method]input-stream.read`.
fn short(name: &'static str) -> &'static str {
    name.rsplit_once('.').map_or(name, |(_, short)| short)
}

impl<'a, T: 'static, S: State<T>> Interface<'a, T, S> {
    pub(crate) const fn new(to: To<'a, T>, state: S) -> Self {
        Interface { to, state, result: Ok(()) }
    }

    /// What the engine said of the functions.
    pub(crate) fn finish(self) -> wasmtime::Result<()> {
        self.result
    }

    /// Does with a name what is to be done; `give` makes the function.
    fn name(
        &mut self,
        name: &'static str,
        give: impl FnOnce(&mut LinkerInstance<'a, T>, Waits, S) -> wasmtime::Result<()>,
    ) {
        match &mut self.to {
            To::Names(names) => names.push(name),
            To::Linker { instance, wanted, waits } => {
                if self.result.is_ok() && wanted.iter().any(|wanted| wanted == name) {
                    self.result = give(instance, *waits, self.state);
                }
            }
        }
    }

    /// A kind of resource, which is dropped by the guest.
    pub(crate) fn resource<R: Kept>(&mut self, name: &'static str) {
        self.name(name, |instance, _, state| {
            instance.resource(name, ResourceType::host::<R>(), move |mut store, rep| {
                let (host, p2) = state(store.data_mut());
                Call { name, host, p2 }.discard::<R>(rep)
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
        let news = u64::from(!QUIET.contains(&name));
        let short = short(name);
        self.name(name, |instance, _, state| {
            let body: Body<P, R> = Box::new(body);
            instance.func_wrap(name, move |mut store: StoreContextMut<'_, T>, parameters: P| {
                let (host, p2) = state(store.data_mut());
                host.news += news;
                Ok((body(&mut Call { name: short, host, p2 }, parameters)?,))
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
        self.name(name, |instance, _, state| {
            let body: Body<P, ()> = Box::new(body);
            instance.func_wrap(name, move |mut store: StoreContextMut<'_, T>, parameters: P| {
                let (host, p2) = state(store.data_mut());
                host.news += 1;
                body(&mut Call { name: short, host, p2 }, parameters)
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

    /// A function that looks at the guest's memory itself, and gives a value.
    pub(crate) fn with_memory<P, R>(
        &mut self,
        name: &'static str,
        body: impl Fn(StoreContextMut<'_, T>, S, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    ) where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentType + Lower + 'static,
    {
        let news = u64::from(!QUIET.contains(&name));
        self.name(name, |instance, _, state| {
            instance.func_wrap(name, move |mut store: StoreContextMut<'_, T>, parameters: P| {
                state(store.data_mut()).0.news += news;
                Ok((body(store, state, parameters)?,))
            })
        });
    }

    /// A function that can wait: `step` is called until it is done, with its parameters and a number of its own that begins
    /// as 0; what it gives is a tuple, of one value or none. It may wait itself as far as the [`Wait`] that it is given allows.
    pub(crate) fn waits<P, R>(
        &mut self,
        name: &'static str,
        step: impl Fn(&mut StoreContextMut<'_, T>, S, &P, &mut u64, Wait) -> wasmtime::Result<Step<R>>
        + Copy
        + Send
        + Sync
        + 'static,
    ) where
        P: ComponentNamedList + Lift + Send + Sync + 'static,
        R: ComponentNamedList + Lower + Send + 'static,
        T: Send,
    {
        let news = u64::from(!QUIET.contains(&name));
        let short = short(name);
        self.name(name, |instance, waits, state| match waits {
            Waits::Here => instance.func_wrap(name, move |mut store: StoreContextMut<'_, T>, parameters: P| {
                let mut progress = 0;
                loop {
                    let (host, p2) = state(store.data_mut());
                    host.news += news;
                    let longest = Wait::of(false, host.end);
                    // What has been promised to be written is not written while this thread is in another call.
                    let wait = if p2.unsent.is_empty() { longest } else { Wait::Never };
                    match step(&mut store, state, &parameters, &mut progress, wait)? {
                        Step::Done(results) => return Ok(results),
                        Step::Wait(waiting) => {
                            let (host, p2) = state(store.data_mut());
                            Call { name: short, host, p2 }.wait(waiting, longest)?;
                        }
                    }
                }
            }),
            Waits::InExecutor | Waits::BesideTasks => {
                instance.func_wrap_async(name, move |mut store: StoreContextMut<'_, T>, parameters: P| {
                    Box::new(async move {
                        state(store.data_mut()).0.news += news;
                        let mut progress = 0;
                        loop {
                            match step(&mut store, state, &parameters, &mut progress, Wait::Never)? {
                                Step::Done(results) => return Ok(results),
                                Step::Wait(mut waiting) => {
                                    let (host, p2) = state(store.data_mut());
                                    if waiting.moves_clock(host) {
                                        let longest = Wait::of(false, host.end);
                                        Call { name: short, host, p2 }.wait(waiting, longest)?;
                                        wait(&mut store, waits, reactor::yield_now()).await?;
                                        continue;
                                    }
                                    p2.unsent.add_to(&mut waiting);
                                    match waiting.into_parts(host) {
                                        Some((descriptors, deadline)) => {
                                            wait(&mut store, waits, reactor::wait(descriptors, deadline)).await?;
                                        }
                                        None => wait(&mut store, waits, reactor::yield_now()).await?,
                                    }
                                    let (host, p2) = state(store.data_mut());
                                    Call { name: short, host, p2 }.waited()?;
                                }
                            }
                        }
                    })
                })
            }
        });
    }
}

/// Waits in an executor.
///
/// # Errors
/// Something else that the store had to do failed meanwhile: with that the guest ends.
async fn wait<T: Send + 'static>(
    store: &mut StoreContextMut<'_, T>,
    waits: Waits,
    until: impl Future<Output = ()> + Send,
) -> wasmtime::Result<()> {
    // A call that the engine does not know to be `async` holds the store until it is done, so what the store has to do is done
    // from here. Not below a call from one instance to another: nobody else may come into the one that was called before it
    // returns, and the engine keeps others only out of those that the host has called.
    if waits == Waits::BesideTasks && store.async_call_stack()?.nth(1).is_none() {
        return store.as_context_mut().run_concurrent(async |_| until.await).await;
    }
    until.await;
    Ok(())
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
