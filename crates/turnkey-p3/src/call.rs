//! One call of a guest: what every function works on, and how it takes resources in and finds them again.

use turnkey_core::Capabilities;
use turnkey_core::ending::Stopped;
use turnkey_core::filesystem::Request;
use turnkey_core::limits::{Lease, Limit};
use turnkey_core::slab::Slab;
use wasmtime::component::Resource;

use crate::fault::BrokenRule;
use crate::state::{Preview3, Table};

/// Bytes that a handle is charged with: its places in our table and in the engine's, and what stands behind it there.
const HANDLE_BYTES: u64 = 256;

/// What a function works on.
pub(crate) struct Call<'a> {
    /// The function's name in WIT, of a method without its resource: `open-at`.
    pub(crate) name: &'static str,
    pub(crate) host: &'a mut Capabilities,
    pub(crate) p3: &'a mut Preview3,
}

/// A resource that has a list of its kind in the table.
pub(crate) trait Listed: Send + Sized + 'static {
    /// The list.
    fn slab(table: &Table) -> &Slab<Self>;

    /// The same, to change.
    fn slab_mut(table: &mut Table) -> &mut Slab<Self>;
}

/// A resource of the guest's.
pub(crate) trait Kept: Listed {
    /// What is to be done when the guest has dropped it, besides dropping it.
    fn dropped(self, _host: &mut Capabilities) {}
}

impl Call<'_> {
    /// Takes a resource in, charged to the guest; what the guest is given for it.
    ///
    /// # Errors
    /// The guest ends: the standard has no other answer to whoever makes handles without end.
    #[inline]
    pub(crate) fn keep<R: Kept>(&mut self, resource: R) -> wasmtime::Result<Resource<R>> {
        if self.host.held.handles >= self.host.limits.handles {
            self.host.budget.note(Limit::Handles);
            return Err(Stopped(Limit::Handles).into());
        }
        self.host.budget.take_host(HANDLE_BYTES).map_err(|_| Stopped(Limit::Memory))?;
        self.host.held.handles += 1;
        Ok(Resource::new_own(R::slab_mut(&mut self.p3.table).insert(resource)))
    }

    /// Charges bytes that the host, or the engine for it, holds for as long as the lease is kept.
    ///
    /// # Errors
    /// The guest ends.
    pub(crate) fn lease(&mut self, bytes: u64) -> wasmtime::Result<Lease> {
        lease(self.host, bytes)
    }

    /// A resource that the guest has named.
    #[inline]
    pub(crate) fn get<R: Kept>(&self, resource: &Resource<R>) -> wasmtime::Result<&R> {
        let gone = BrokenRule { call: self.name, what: "it is not there" };
        R::slab(&self.p3.table).get(resource.rep()).ok_or_else(|| gone.into())
    }

    /// The same, to change.
    #[inline]
    pub(crate) fn get_mut<R: Kept>(&mut self, resource: &Resource<R>) -> wasmtime::Result<&mut R> {
        self.with_host(resource).map(|(resource, _)| resource)
    }

    /// The same, and the host, borrowed apart.
    #[inline]
    pub(crate) fn with_host<R: Kept>(
        &mut self,
        resource: &Resource<R>,
    ) -> wasmtime::Result<(&mut R, &mut Capabilities)> {
        let gone = BrokenRule { call: self.name, what: "it is not there" };
        let resource = R::slab_mut(&mut self.p3.table).get_mut(resource.rep()).ok_or(gone)?;
        Ok((resource, self.host))
    }

    /// Drops a resource, and gives its charge back.
    #[inline]
    pub(crate) fn discard<R: Kept>(&mut self, rep: u32) {
        if let Some(resource) = self.remove::<R>(rep) {
            resource.dropped(self.host);
        }
    }

    /// A resource that the guest has given away.
    pub(crate) fn take<R: Kept>(&mut self, resource: Resource<R>) -> wasmtime::Result<R> {
        let gone = BrokenRule { call: self.name, what: "it is not there" };
        self.remove(resource.rep()).ok_or_else(|| gone.into())
    }

    fn remove<R: Kept>(&mut self, rep: u32) -> Option<R> {
        let resource = R::slab_mut(&mut self.p3.table).remove(rep)?;
        self.host.held.handles -= 1;
        self.host.budget.give_host(HANDLE_BYTES);
        Some(resource)
    }

    /// Who asks, for operations on paths.
    pub(crate) fn request(&mut self) -> Request<'_> {
        Request { call: self.name, audit: &mut self.host.audit, grants: &self.host.grant_names }
    }
}

/// [`Call::lease`], where there is no call.
pub(crate) fn lease(host: &mut Capabilities, bytes: u64) -> wasmtime::Result<Lease> {
    host.budget.lease(bytes).map_err(|_| Stopped(Limit::Memory).into())
}
