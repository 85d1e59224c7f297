//! `fields` of `wasi:http/types`: those that a guest makes, and those that belong to a message or to what comes after its body.

use std::sync::Arc;

use turnkey_core::Capabilities;
use turnkey_core::ending::Stopped;
use turnkey_core::limits::{Lease, Limit};
use wasmtime::component::{ComponentType, Lower, Resource};

use crate::call::{Call, Kept};
use crate::interface::{Interface, State};

/// The host holds so many times what a section counts, at the most: that is a peer's measure, of one byte and no value.
const HELD_FOR_COUNTED: u64 = 4;

/// `fields`
#[derive(Debug)]
pub(crate) struct Fields {
    section: Arc<turnkey_http::Fields>,
    charge: Charge,
    /// The mark of what they belong to; such fields do not change.
    owner: Option<Arc<()>>,
}

impl Kept for Fields {}

/// Fields that others can be lent of.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) fields: Arc<turnkey_http::Fields>,
    pub(crate) charge: Charge,
    /// Who has one has fields that belong to these.
    mark: Option<Arc<()>>,
}

/// What fields are charged with.
#[derive(Debug, Default)]
pub(crate) struct Charge {
    bytes: u64,
    /// Given back when it is dropped.
    _lease: Option<Lease>,
}

impl Charge {
    /// Charges as much as these fields take.
    ///
    /// # Errors
    /// The guest ends.
    fn cover(&mut self, fields: &turnkey_http::Fields, host: &mut Capabilities) -> wasmtime::Result<()> {
        let bytes = HELD_FOR_COUNTED * fields.bytes() as u64;
        if bytes > self.bytes {
            // In steps that grow with it, since fields are appended one by one.
            let bytes = bytes.next_power_of_two();
            let lease = host.budget.lease(bytes).map_err(|_| Stopped(Limit::Memory))?;
            *self = Charge { bytes, _lease: Some(lease) };
        }
        Ok(())
    }
}

impl Section {
    /// Of a message that came.
    ///
    /// # Errors
    /// The guest ends: there is no room for it.
    pub(crate) fn new(call: &mut Call<'_>, fields: Arc<turnkey_http::Fields>) -> wasmtime::Result<Self> {
        let mut charge = Charge::default();
        charge.cover(&fields, call.host)?;
        Ok(Section { fields, charge, mark: None })
    }

    /// Of a message that the guest makes out of fields of its own.
    ///
    /// # Errors
    /// As [`Section::new`].
    pub(crate) fn of(call: &mut Call<'_>, fields: &Resource<Fields>) -> wasmtime::Result<Self> {
        let Fields { section, mut charge, owner: _ } = call.take(fields)?;
        // Those that belonged to something were charged to that.
        charge.cover(&section, call.host)?;
        Ok(Section { fields: section, charge, mark: None })
    }

    /// `headers` of a message: they belong to it, and do not change.
    pub(crate) fn lend(&mut self) -> Fields {
        let owner = Some(Arc::clone(self.mark.get_or_insert_default()));
        Fields { section: Arc::clone(&self.fields), charge: Charge::default(), owner }
    }

    /// What they belong to goes: nothing that was lent may be left.
    ///
    /// # Errors
    /// The guest ends.
    pub(crate) fn must_be_whole(&self, call: &Call<'_>) -> wasmtime::Result<()> {
        match &self.mark {
            Some(mark) if Arc::strong_count(mark) > 1 => Err(call.broken("its fields are still there")),
            _ => Ok(()),
        }
    }
}

/// `header-error`
#[derive(ComponentType, Lower, Clone, Copy, Debug)]
#[component(variant)]
pub(crate) enum HeaderError {
    #[component(name = "invalid-syntax")]
    InvalidSyntax,
    #[component(name = "forbidden")]
    Forbidden,
    #[component(name = "immutable")]
    Immutable,
}

impl From<turnkey_http::HeaderError> for HeaderError {
    fn from(error: turnkey_http::HeaderError) -> Self {
        match error {
            // The standard has no word for too much, and a guest that copies a peer's fields must be able to survive it: to
            // end there would be in the peer's hands.
            turnkey_http::HeaderError::InvalidSyntax | turnkey_http::HeaderError::SizeExceeded => {
                HeaderError::InvalidSyntax
            }
            turnkey_http::HeaderError::Forbidden => HeaderError::Forbidden,
            turnkey_http::HeaderError::Immutable => HeaderError::Immutable,
        }
    }
}

type This = Resource<Fields>;
type Entries = Vec<(String, Vec<u8>)>;
type Changed = wasmtime::Result<Result<(), HeaderError>>;

/// The functions of `fields`.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<Fields>("fields");
    it.func("[constructor]fields", |call, ()| keep(call, Arc::default()));
    it.func("[static]fields.from-list", |call, (entries,): (Entries,)| {
        let entries = entries.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        match turnkey_http::Fields::from_list(entries) {
            Ok(section) => keep(call, Arc::new(section)).map(Ok),
            Err(error) => Ok(Err(HeaderError::from(error))),
        }
    });
    it.func("[method]fields.get", |call, (this, name): (This, String)| {
        Ok(call.get(&this)?.section.get(&name).map(<[u8]>::to_vec).collect::<Vec<_>>())
    });
    it.func("[method]fields.has", |call, (this, name): (This, String)| Ok(call.get(&this)?.section.has(&name)));
    it.func("[method]fields.set", |call, (this, name, value): (This, String, Vec<Vec<u8>>)| {
        change(call, &this, |section| section.set(&name, value.iter().map(Vec::as_slice)))
    });
    it.func("[method]fields.delete", |call, (this, name): (This, String)| {
        change(call, &this, |section| section.delete(&name).map(drop))
    });
    it.func("[method]fields.append", |call, (this, name, value): (This, String, Vec<u8>)| {
        change(call, &this, |section| section.append(&name, &value))
    });
    it.func("[method]fields.entries", |call, (this,): (This,)| {
        let entries = call.get(&this)?.section.entries();
        Ok(entries.map(|(name, value)| (name.to_owned(), value.to_vec())).collect::<Entries>())
    });
    it.func("[method]fields.clone", |call, (this,): (This,)| {
        // Shared until one of them changes.
        let section = Arc::clone(&call.get(&this)?.section);
        keep(call, section)
    });
}

/// Fields that the guest may change.
fn keep(call: &mut Call<'_>, section: Arc<turnkey_http::Fields>) -> wasmtime::Result<This> {
    let mut charge = Charge::default();
    charge.cover(&section, call.host)?;
    call.keep(Fields { section, charge, owner: None })
}

fn change(
    call: &mut Call<'_>,
    this: &This,
    change: impl FnOnce(&mut turnkey_http::Fields) -> Result<(), turnkey_http::HeaderError>,
) -> Changed {
    let (fields, host) = call.with_host(this)?;
    if fields.owner.is_some() {
        return Ok(Err(HeaderError::Immutable));
    }
    let outcome = change(Arc::make_mut(&mut fields.section));
    fields.charge.cover(&fields.section, host)?;
    Ok(outcome.map_err(HeaderError::from))
}
