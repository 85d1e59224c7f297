//! `fields` of `wasi:http/types`: handles on names and values, some of which others have too. What they mean is in
//! `turnkey-http`.

use std::sync::Arc;

use turnkey_core::Capabilities;
use turnkey_core::limits::Lease;
use turnkey_http::HeaderError as Refused;
use wasmtime::component::Resource;

use crate::call::{Call, Kept, lease};
use crate::http::error::HeaderError;
use crate::interface::{Interface, State};

/// Names and values, and what they are charged with wherever they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    pub(crate) fields: Arc<turnkey_http::Fields>,
    lease: Option<Arc<Lease>>,
}

/// `fields`
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) section: Section,
    is_mutable: bool,
}

impl Kept for Fields {}

type This = Resource<Fields>;

impl Section {
    /// These, charged to the guest.
    ///
    /// # Errors
    /// The guest ends.
    pub(crate) fn new(host: &mut Capabilities, fields: Arc<turnkey_http::Fields>) -> wasmtime::Result<Self> {
        let mut section = Section { fields, lease: None };
        section.charge(host)?;
        Ok(section)
    }

    fn charge(&mut self, host: &mut Capabilities) -> wasmtime::Result<()> {
        self.lease = None;
        let bytes = self.fields.held_bytes();
        if bytes > 0 {
            self.lease = Some(Arc::new(lease(host, bytes as u64)?));
        }
        Ok(())
    }
}

impl Fields {
    /// Those of a message: they do not change.
    pub(crate) const fn of_message(section: Section) -> Self {
        Fields { section, is_mutable: false }
    }

    const fn mutable(section: Section) -> Self {
        Fields { section, is_mutable: true }
    }
}

/// Changes fields, if these may be changed.
fn change<R>(
    call: &mut Call<'_>,
    this: &This,
    change: impl FnOnce(&mut turnkey_http::Fields) -> Result<R, Refused>,
) -> wasmtime::Result<Result<R, HeaderError>> {
    let (this, host) = call.with_host(this)?;
    if !this.is_mutable {
        return Ok(Err(HeaderError::Immutable));
    }
    match change(Arc::make_mut(&mut this.section.fields)) {
        Ok(value) => {
            this.section.charge(host)?;
            Ok(Ok(value))
        }
        Err(refused) => Ok(Err(refused.into())),
    }
}

/// `fields` of `wasi:http/types`.
pub(crate) fn define<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<Fields>("fields");
    it.func("[constructor]fields", |call, ()| call.keep(Fields::mutable(Section::default())));
    it.func("[static]fields.from-list", |call, (entries,): (Vec<(String, Vec<u8>)>,)| {
        let entries = entries.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        match turnkey_http::Fields::from_list(entries) {
            Ok(fields) => {
                let section = Section::new(call.host, Arc::new(fields))?;
                call.keep(Fields::mutable(section)).map(Ok)
            }
            Err(refused) => Ok(Err(HeaderError::from(refused))),
        }
    });
    it.func("[method]fields.get", |call, (this, name): (This, String)| {
        Ok(call.get(&this)?.section.fields.get(&name).map(<[u8]>::to_vec).collect::<Vec<_>>())
    });
    it.func("[method]fields.has", |call, (this, name): (This, String)| Ok(call.get(&this)?.section.fields.has(&name)));
    it.func("[method]fields.set", |call, (this, name, value): (This, String, Vec<Vec<u8>>)| {
        change(call, &this, |fields| fields.set(&name, value.iter().map(Vec::as_slice)))
    });
    it.func("[method]fields.delete", |call, (this, name): (This, String)| {
        change(call, &this, |fields| fields.delete(&name).map(drop))
    });
    it.func("[method]fields.get-and-delete", |call, (this, name): (This, String)| {
        change(call, &this, |fields| fields.delete(&name))
    });
    it.func("[method]fields.append", |call, (this, name, value): (This, String, Vec<u8>)| {
        change(call, &this, |fields| fields.append(&name, &value))
    });
    it.func("[method]fields.copy-all", |call, (this,): (This,)| {
        let entries = call.get(&this)?.section.fields.entries();
        Ok(entries.map(|(name, value)| (name.to_owned(), value.to_vec())).collect::<Vec<_>>())
    });
    it.func("[method]fields.clone", |call, (this,): (This,)| {
        // As a copy, because it becomes one as soon as either changes.
        let fields = Arc::clone(&call.get(&this)?.section.fields);
        let section = Section::new(call.host, fields)?;
        call.keep(Fields::mutable(section))
    });
}
