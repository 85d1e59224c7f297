//! A server: what it serves, where, and what holds of each request.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use turnkey::host::programs;
use turnkey::{Cache, Engine, EngineKey, EngineOptions, Limits, Pool, Service};
use turnkey_server::{AccessLog, App, LoadError, Options, RequestLimits, Tls, TlsError, Version};

use super::grants::{grants, program_name};
use super::{cache, program};
use crate::args;
use crate::commands::progress;
use crate::exit;
use crate::message::{Message, escaped, unreadable};

/// What is set up, but for the sockets that may have been handed over.
pub(crate) fn options(typed: &args::Serve) -> Result<Options, Message> {
    let limits = &typed.limits;
    let default = RequestLimits::default();
    Ok(Options {
        address: typed.addr,
        handed_over: Vec::new(),
        tls: tls(typed)?,
        admin: typed.admin,
        threads: typed.threads.map_or_else(processors, |threads| threads.get() as usize),
        limits: RequestLimits {
            timeout: limits.timeout.value,
            instances: limits.max_instances.get(),
            queue: limits.queue,
            reuse: limits.reuse.map(Into::into),
            concurrency: limits.concurrency.map(Into::into),
            connections: limits.max_connections.get(),
            output_bytes: limits.max_output_bytes.value,
            ..default
        },
        access_log: match typed.access_log {
            args::AccessLog::None => AccessLog::None,
            args::AccessLog::Text => AccessLog::Text,
            args::AccessLog::Json => AccessLog::Json,
        },
        grace: typed.grace.value,
    })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn tls(typed: &args::Serve) -> Result<Option<Tls>, Message> {
    let (Some(certificates), Some(key)) = (&typed.tls_cert, &typed.tls_key) else { return Ok(None) };
    let read = |path: &Path| programs::read(path).map_err(|code| unreadable(&path.display().to_string(), code));
    let tls = Tls::from_pem(&read(certificates)?, &read(key)?);
    tls.map(Some).map_err(|error| {
        let (flag, path, why) = match error {
            TlsError::Certificate(why) => ("--tls-cert", certificates, why),
            TlsError::Key(why) => ("--tls-key", key, why),
            TlsError::Unfit(why) => ("--tls-cert", certificates, why),
        };
        let path = escaped(&path.display().to_string());
        Message::new(exit::USAGE, format!("`{flag} {path}`: {}", escaped(&why)))
            .hint("both are files of PEM, and the key is that of the first certificate")
    })
}

/// What is served, and how it is loaded: again, when it has changed.
pub(crate) fn app(typed: Arc<args::Serve>) -> Result<App, Message> {
    let paths: Vec<_> = typed.middleware.iter().chain([&typed.app]).cloned().collect();
    let version = typed.watch.then(|| {
        let paths = paths.clone();
        let stamps = move || paths.iter().flat_map(|path| programs::stamp(path)).collect();
        Box::new(stamps) as Box<dyn Fn() -> Vec<u64> + Send + Sync>
    });
    let is_quick = Cache::default_folder().is_some_and(|folder| Cache::open(&folder).is_ok());
    let last = Mutex::new(Vec::new());
    let load = move |version| {
        let mut programs = last.lock().unwrap_or_else(PoisonError::into_inner);
        if version == Version::Newest {
            *programs = paths.iter().map(|path| program::read(path)).collect::<Result<Vec<_>, _>>()?;
        }
        let engine = engine(&typed)?;
        let services = paths.iter().zip(&*programs).enumerate().map(|(place, (path, program))| {
            let is_app = place + 1 == paths.len();
            service(&typed, &engine, path, program, is_app).map_err(LoadError::from)
        });
        services.collect()
    };
    Ok(App { load: Box::new(load), is_quick, version })
}

/// The engine for all that is served, with room for all instances that there may be, and for those of an older version that still
/// answer.
fn engine(typed: &args::Serve) -> Result<Engine, Message> {
    let chain = u32::try_from(typed.middleware.len()).unwrap_or(u32::MAX).saturating_add(1);
    let instances = typed.limits.max_instances.get().saturating_mul(chain);
    let app = typed.app.display().to_string();
    let options = EngineOptions {
        key: EngineKey { fuel: false, interruptible: true, deterministic: typed.grants.deterministic },
        cache: cache::for_run(),
        pool: Some(Pool { instances }),
        on_compile: Some(progress::on_compile(&app)),
    };
    Engine::new(options).map_err(|error| Message::of(&app, &error))
}

/// One component of the chain.
fn service(
    typed: &args::Serve,
    engine: &Engine,
    path: &Path,
    program: &[u8],
    is_app: bool,
) -> Result<Service, Message> {
    let name = path.display().to_string();
    let limits = Limits {
        memory_bytes: Some(typed.limits.max_memory.value),
        descriptors: typed.limits.max_descriptors,
        sockets: typed.limits.max_sockets,
        handles: typed.limits.max_handles,
        ..Limits::default()
    };
    let grants = grants(&typed.grants, None, vec![program_name(path.as_os_str())], false)?;
    let guest = engine.load(program).map_err(|error| Message::of(&name, &error))?;
    let service = guest.service(grants, limits).map_err(|error| Message::of(&name, &error))?;
    if is_app && service.imports_handler() {
        let name = escaped(&name);
        return Err(Message::new(exit::CANNOT_RUN, format!("`{name}` passes requests on, and nothing is behind it"))
            .hint(format!("`turnkey serve --middleware {name} APP`")));
    }
    Ok(service)
}
