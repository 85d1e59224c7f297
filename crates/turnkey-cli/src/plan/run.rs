//! A run: which engine, which limits, what is called.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use turnkey::{EngineKey, Grants, Limit, Limits};

use super::grants::{grants, program_name};
use crate::args;
use crate::message::Message;

/// A run, ready to be made.
pub(crate) struct Plan {
    pub(crate) app: OsString,
    pub(crate) key: EngineKey,
    pub(crate) grants: Grants,
    pub(crate) limits: Limits,
    pub(crate) entry: Entry,
    pub(crate) precompiled: bool,
    pub(crate) explain: bool,
    pub(crate) written: WrittenLimits,
}

/// What is called.
pub(crate) enum Entry {
    Start,
    Invoke { name: String, arguments: Vec<String> },
}

/// Limits as they were written, for messages.
pub(crate) struct WrittenLimits {
    memory: Option<String>,
    timeout: Option<String>,
    fuel: Option<String>,
    descriptors: String,
    sockets: String,
    handles: String,
}

impl WrittenLimits {
    /// The flag of a limit with what was written behind it.
    pub(crate) fn flag(&self, limit: Limit) -> String {
        let written = match limit {
            Limit::Memory => self.memory.as_deref(),
            Limit::Timeout => self.timeout.as_deref(),
            Limit::Fuel => self.fuel.as_deref(),
            Limit::Descriptors => Some(self.descriptors.as_str()),
            Limit::Sockets => Some(self.sockets.as_str()),
            Limit::Handles => Some(self.handles.as_str()),
        };
        crate::message::limit(limit, written)
    }
}

pub(crate) fn plan(typed: args::Run) -> Result<Plan, Message> {
    let mut words = typed.app_and_arguments.into_iter();
    // The parser has asked for at least one.
    let app = words.next().unwrap_or_default();
    let rest: Vec<OsString> = words.collect();
    let limits = limits(&typed.limits);
    let written = WrittenLimits {
        memory: typed.limits.max_memory.as_ref().map(|memory| memory.as_written.clone()),
        timeout: typed.limits.timeout.as_ref().map(|timeout| timeout.as_written.clone()),
        fuel: typed.limits.fuel.map(|fuel| fuel.to_string()),
        descriptors: limits.descriptors.to_string(),
        sockets: limits.sockets.to_string(),
        handles: limits.handles.to_string(),
    };
    let key = EngineKey {
        fuel: limits.fuel.is_some(),
        interruptible: limits.timeout.is_some(),
        deterministic: typed.grants.deterministic,
    };
    let (entry, passed_on) = match typed.invoke {
        None => (Entry::Start, rest),
        Some(name) => {
            let arguments = rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            (Entry::Invoke { name, arguments }, Vec::new())
        }
    };
    let mut arguments = vec![program_name(&app)];
    arguments.extend(passed_on.into_iter().map(OsStringExt::into_vec));
    Ok(Plan {
        app,
        key,
        grants: grants(&typed.grants, Some(&typed.streams), arguments, typed.explain)?,
        limits,
        entry,
        precompiled: typed.precompiled,
        explain: typed.explain,
        written,
    })
}

fn limits(typed: &args::Limits) -> Limits {
    let default = Limits::default();
    Limits {
        memory_bytes: typed.max_memory.as_ref().map(|memory| memory.value),
        timeout: typed.timeout.as_ref().map(|timeout| timeout.value),
        fuel: typed.fuel,
        descriptors: typed.max_descriptors.unwrap_or(default.descriptors),
        sockets: typed.max_sockets.unwrap_or(default.sockets),
        handles: typed.max_handles.unwrap_or(default.handles),
        ..default
    }
}
