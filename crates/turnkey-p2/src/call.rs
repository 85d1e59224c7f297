//! One call of a guest: what every function works on, and how it takes resources in and finds them again.

use turnkey_core::Capabilities;
use turnkey_core::ending::Stopped;
use turnkey_core::filesystem::Request;
use turnkey_core::limits::Limit;
use turnkey_core::slab::{Id, Slab};
use turnkey_core::stream::{Interruption, Wait, Waiting};
use wasmtime::component::Resource;

use crate::fault::BrokenRule;
use crate::state::{Preview2, Table};

/// Bytes that a handle is charged with: its places in our table and in the engine's, and what stands behind it there.
pub(crate) const HANDLE_BYTES: u64 = 256;

/// Bytes of [`Preview2::scratch`].
pub(crate) const SCRATCH_BYTES: usize = 64 << 10;

/// What a function works on.
pub(crate) struct Call<'a> {
    /// The function's name in WIT, of a method without its resource: `open-at`.
    pub(crate) name: &'static str,
    pub(crate) host: &'a mut Capabilities,
    pub(crate) p2: &'a mut Preview2,
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
    ///
    /// # Errors
    /// The guest ends: what belongs to it is still there, where the standard says that this traps.
    fn dropped(self, _id: Id, _call: &mut Call<'_>) -> wasmtime::Result<()> {
        Ok(())
    }
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
        self.charge(HANDLE_BYTES)?;
        self.host.held.handles += 1;
        Ok(Resource::new_own(R::slab_mut(&mut self.p2.table).insert(resource)))
    }

    /// Charges bytes that the host is about to hold, where the standard has no error for it.
    ///
    /// # Errors
    /// The guest ends.
    #[inline]
    pub(crate) fn charge(&mut self, bytes: u64) -> wasmtime::Result<()> {
        self.host.budget.take_host(bytes).map_err(|_| Stopped(Limit::Memory).into())
    }

    /// A resource that the guest has named.
    #[inline]
    pub(crate) fn get<R: Kept>(&self, resource: &Resource<R>) -> wasmtime::Result<&R> {
        R::slab(&self.p2.table).get(resource.rep()).ok_or_else(|| self.broken("it is not there"))
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
        let resource = R::slab_mut(&mut self.p2.table).get_mut(resource.rep()).ok_or(gone)?;
        Ok((resource, self.host))
    }

    /// What to remember of a resource.
    #[inline]
    pub(crate) fn id<R: Kept>(&self, resource: &Resource<R>) -> Id {
        R::slab(&self.p2.table).id(resource.rep())
    }

    /// A resource that the guest has given away, and not dropped. Its charge is given back.
    #[inline]
    pub(crate) fn take<R: Kept>(&mut self, resource: &Resource<R>) -> wasmtime::Result<R> {
        let Some(resource) = R::slab_mut(&mut self.p2.table).remove(resource.rep()) else {
            return Err(self.broken("it is not there"));
        };
        self.host.held.handles -= 1;
        self.host.budget.give_host(HANDLE_BYTES);
        Ok(resource)
    }

    /// Drops a resource, and gives its charge back.
    ///
    /// # Errors
    /// As [`Kept::dropped`].
    #[inline]
    pub(crate) fn discard<R: Kept>(&mut self, rep: u32) -> wasmtime::Result<()> {
        let id = R::slab(&self.p2.table).id(rep);
        let resource = self.take(&Resource::<R>::new_own(rep))?;
        resource.dropped(id, self)
    }

    /// Room to read to, where it is not known yet how much there is. To be put back into [`Preview2::scratch`].
    ///
    /// # Errors
    /// The guest ends: its memory has no room for it.
    pub(crate) fn take_scratch(&mut self) -> wasmtime::Result<Vec<u8>> {
        let scratch = std::mem::take(&mut self.p2.scratch);
        if !scratch.is_empty() {
            return Ok(scratch);
        }
        self.charge(SCRATCH_BYTES as u64)?;
        Ok(vec![0; SCRATCH_BYTES])
    }

    /// The end of a guest that broke a rule of the standard.
    #[cold]
    pub(crate) fn broken(&self, what: &'static str) -> wasmtime::Error {
        BrokenRule { call: self.name, what }.into()
    }

    /// Who asks, for operations on paths.
    pub(crate) fn request(&mut self) -> Request<'_> {
        Request { call: self.name, audit: &mut self.host.audit, grants: &self.host.grant_names }
    }

    /// Waits as far as the call may, and meanwhile writes what streams have promised to write.
    ///
    /// # Errors
    /// The guest's own end came first.
    pub(crate) fn wait(&mut self, mut waiting: Waiting, wait: Wait) -> wasmtime::Result<()> {
        self.p2.unsent.add_to(&mut waiting);
        match waiting.wait(self.host, wait) {
            Ok(_) => self.waited(),
            Err(Interruption::Stopped(limit)) => Err(Stopped(limit).into()),
            Err(Interruption::Failed(code)) => {
                Err(wasmtime::format_err!("`{}`: the host cannot wait: {code}", self.name))
            }
        }
    }

    /// What follows a wait: what can be written of what was promised is written.
    ///
    /// # Errors
    /// The guest's time is up.
    pub(crate) fn waited(&mut self) -> wasmtime::Result<()> {
        self.p2.unsent.send(&mut self.host.budget);
        match self.host.end {
            Some(end) if end.left_ns() == 0 => Err(Stopped(Limit::Timeout).into()),
            _ => Ok(()),
        }
    }
}
