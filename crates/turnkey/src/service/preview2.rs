//! An instance of a `wasi:http/incoming-handler` of 0.2: it answers one request at a time.

use turnkey_http::Request;
use turnkey_p2::http::{Answer, Handle};
use wasmtime::Store;

use super::{Ended, Given, Service};
use crate::component::entered;
use crate::error::Error;
use crate::link::State;

/// An instance that answers requests of Preview 2, one after the other.
pub struct Proxy {
    service: Service,
    store: Store<State>,
    handle: Handle,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Proxy")
    }
}

impl Service {
    /// Makes an instance. What it starts with may already wait; dropping this ends it.
    ///
    /// # Errors
    /// [`Error::Engine`]: there is no more room. `Ok(Err(_))`: it did not come to its start.
    pub async fn proxy(&self, given: Given) -> Result<Result<Proxy, Ended>, Error> {
        let mut store = self.store(given);
        let made = async {
            let instance = self.0.pre.instantiate_async(&mut store).await?;
            instance.get_typed_func(&mut store, &self.0.handle)
        };
        match made.await {
            Ok(handle) => Ok(Ok(Proxy { service: self.clone(), store, handle })),
            Err(error) => self.ended(&mut store, Err(error)).map(Err),
        }
    }
}

impl Proxy {
    /// Has it answer a request. It may have answered before this is over, and may never; dropping this ends it.
    ///
    /// # Errors
    /// It has ended.
    pub async fn handle(&mut self, request: Request, answer: Answer) -> Result<(), Result<Ended, Error>> {
        let handled = async {
            let (request, outparam) = turnkey_p2::http::incoming(self.store.data_mut().preview2(), request, answer)?;
            self.handle.call_async(&mut self.store, (request, outparam)).await.map_err(entered)
        };
        match handled.await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.service.ended(&mut self.store, Err(error))),
        }
    }

    /// What was refused to it since it was made or asked last.
    pub fn refusals(&mut self) -> Vec<turnkey_core::audit::Refusal> {
        self.store.data_mut().core.audit.take().0
    }
}
