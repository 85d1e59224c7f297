//! The engine: what code is generated for, and how a program becomes a [`Guest`].

use std::fmt::{Debug, Formatter};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use turnkey_core::host::programs;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use crate::artifact::{self, Kind, Loaded, TrustedArtifact};
use crate::cache::Cache;
use crate::error::Error;
use crate::guest::Guest;
use crate::key::EngineKey;

/// What an engine is made with.
#[derive(Default)]
pub struct EngineOptions {
    /// The options that change code.
    pub key: EngineKey,
    /// Where compiled programs are kept. `None`: nowhere; each load compiles.
    pub cache: Option<Cache>,
    /// Room that is kept for instances, for programs of which there are many. `None`: each run makes its own.
    pub pool: Option<Pool>,
    /// Called when a program has to be compiled, and when that is done.
    pub on_compile: Option<Box<dyn Fn(Compiling) + Send + Sync>>,
}

/// Room for instances that come and go: making one is little more than taking a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Instances at once. Of address space each has four gibibytes, of memory nothing before it is used.
    pub instances: u32,
}

/// What an engine tells of its compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiling {
    /// It begins with a program of so many bytes.
    Begins {
        /// Bytes of the program.
        bytes: usize,
    },
    /// It is done, well or not.
    Ends,
}

/// An engine. Cloning is cheap, and the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    engines: Engines,
    options: EngineOptions,
}

/// What loads and runs code. Neither of the two has a compiler: setting one up takes longer than most programs run.
pub(crate) struct Engines {
    /// The options that their code depends on.
    pub(crate) key: EngineKey,
    pool: Option<Pool>,
    /// For what has one thing to do at a time: a call of the host is then little more than a call.
    plain: OnceLock<wasmtime::Engine>,
    /// For components of the asynchronous ABI, once there is one.
    concurrent: OnceLock<wasmtime::Engine>,
}

impl Engines {
    fn new(key: EngineKey, pool: Option<Pool>) -> Result<Self, Error> {
        let engines = Engines { key, pool, plain: OnceLock::new(), concurrent: OnceLock::new() };
        // Whether this machine is one that the engine runs on is better known early; with a pool, only what is needed is made.
        if pool.is_none() {
            engines.of(Kind::Module)?;
        }
        Ok(engines)
    }

    /// The one for code of this kind.
    ///
    /// # Errors
    /// [`Error::Engine`]
    pub(crate) fn of(&self, kind: Kind) -> Result<&wasmtime::Engine, Error> {
        let engine = if kind == Kind::AsyncComponent { &self.concurrent } else { &self.plain };
        if let Some(engine) = engine.get() {
            return Ok(engine);
        }
        let made = loading(self.key, kind, self.pool)?;
        Ok(engine.get_or_init(|| made))
    }
}

/// An engine that loads and runs.
fn loading(key: EngineKey, kind: Kind, pool: Option<Pool>) -> Result<wasmtime::Engine, Error> {
    let mut config = config(key, kind);
    config.enable_compiler(false);
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(pool)));
    }
    wasmtime::Engine::new(&config).map_err(|error| Error::Engine(format!("{error:#}")))
}

impl Debug for Engine {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("key", &self.0.options.key).finish_non_exhaustive()
    }
}

impl Engine {
    /// Makes an engine.
    ///
    /// # Errors
    /// [`Error::Engine`]: this processor or operating system is not one that the engine runs on.
    pub fn new(options: EngineOptions) -> Result<Self, Error> {
        let engines = Engines::new(options.key, options.pool)?;
        Ok(Engine(Arc::new(Inner { engines, options })))
    }

    /// The options that its code depends on.
    #[must_use]
    pub fn key(&self) -> EngineKey {
        self.0.options.key
    }

    /// Loads a program, in binary or text form.
    ///
    /// # Errors
    /// [`Error::NotWebAssembly`], [`Error::Invalid`], [`Error::Precompiled`].
    pub fn load(&self, program: &[u8]) -> Result<Guest, Error> {
        Ok(self.guest(self.load_code(program, artifact::kind(program)?)?))
    }

    /// Loads a program from a file.
    ///
    /// # Errors
    /// [`Error::Read`]; else as [`Engine::load`].
    pub fn load_file(&self, path: &Path) -> Result<Guest, Error> {
        let program = programs::read(path).map_err(|code| Error::Read { path: path.to_owned(), code })?;
        self.load(&program)
    }

    /// Loads what [`Engine::compile`] made, from a file.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Artifact`]: it is no artifact, or one of another version or of other options.
    pub fn load_precompiled(&self, artifact: &TrustedArtifact) -> Result<Guest, Error> {
        Ok(self.guest(artifact::load_trusted(&self.0.engines, artifact)?))
    }

    /// Compiles a program ahead of time: the bytes of an artifact for [`Engine::load_precompiled`], on processors like this
    /// one.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn compile(&self, program: &[u8]) -> Result<Vec<u8>, Error> {
        let (mut code, kind) = self.compile_code(program, artifact::kind(program)?)?;
        code.extend_from_slice(&artifact::footer(self.key(), kind, code.len()));
        Ok(code)
    }

    fn guest(&self, loaded: Loaded) -> Guest {
        match loaded {
            Loaded::Module(module) => Guest::of_module(self.key(), module),
            Loaded::Component { component, is_async } => Guest::of_component(self.key(), component, is_async),
        }
    }

    fn load_code(&self, program: &[u8], kind: Kind) -> Result<Loaded, Error> {
        let engines = &self.0.engines;
        let Some(cache) = &self.0.options.cache else {
            let (code, kind) = self.compile_code(program, kind)?;
            return artifact::load_fresh(engines, kind, &code);
        };
        let name = artifact::cache_name(program, self.key(), kind);
        let cached = |file| artifact::load_cached(engines, kind, file);
        if let Some(loaded) = cache.get(&name).and_then(cached) {
            return Ok(loaded);
        }
        let (code, made) = self.compile_code(program, kind)?;
        let kept = cache.put(&name, &[&code, &artifact::footer(self.key(), made, code.len())]);
        match kept.and_then(cached) {
            Some(loaded) => Ok(loaded),
            // No room, or no right to write there: the program runs all the same.
            None => artifact::load_fresh(engines, made, &code),
        }
    }

    /// The code of a program, and the kind that it turned out to be.
    fn compile_code(&self, program: &[u8], kind: Kind) -> Result<(Vec<u8>, Kind), Error> {
        let tell = |what| {
            if let Some(on_compile) = &self.0.options.on_compile {
                on_compile(what);
            }
        };
        tell(Compiling::Begins { bytes: program.len() });
        let compiled = wat::parse_bytes(program)
            .map_err(|error| Error::Invalid(first_line(&error.to_string())))
            .and_then(|binary| match compile(self.key(), &binary, kind) {
                // What is no component without the asynchronous ABI may be one with it. If it is none either way, this is what
                // is said of it.
                Err(Error::Invalid(_)) if kind == Kind::Component => {
                    Ok((compile(self.key(), &binary, Kind::AsyncComponent)?, Kind::AsyncComponent))
                }
                code => Ok((code?, kind)),
            });
        tell(Compiling::Ends);
        compiled
    }
}

fn compile(key: EngineKey, binary: &[u8], kind: Kind) -> Result<Vec<u8>, Error> {
    let compiler = wasmtime::Engine::new(&config(key, kind)).map_err(|error| Error::Engine(format!("{error:#}")))?;
    match kind {
        Kind::Module => compiler.precompile_module(binary),
        Kind::Component | Kind::AsyncComponent => compiler.precompile_component(binary),
    }
    .map_err(|error| Error::Invalid(innermost(&error)))
}

/// What the engine says is wrong, without the frames that it wraps it in.
fn innermost(error: &wasmtime::Error) -> String {
    first_line(&error.root_cause().to_string())
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// Bytes of a memory that are put back as they were by copying, rather than to be given to the kernel and faulted in again: what
/// a small program touches while it answers.
const KEPT_BYTES: usize = 1 << 20;

/// Core instances of one component, at the most on average: its module, its adapters.
const INSTANCES_EACH: u32 = 4;

/// The engine's settings for a pool. All of it is address space before it is used.
fn pooling(pool: Pool) -> PoolingAllocationConfig {
    let mut pooling = PoolingAllocationConfig::new();
    pooling
        .total_component_instances(pool.instances)
        .total_core_instances(pool.instances.saturating_mul(INSTANCES_EACH))
        .total_memories(pool.instances)
        .total_tables(pool.instances.saturating_mul(INSTANCES_EACH))
        .total_stacks(pool.instances)
        .total_gc_heaps(0)
        .linear_memory_keep_resident(KEPT_BYTES)
        .table_keep_resident(KEPT_BYTES)
        .pagemap_scan(Enabled::Auto);
    pooling
}

/// The engine's settings. Everything that changes code is in the key and the kind; the rest is the same for all.
fn config(key: EngineKey, kind: Kind) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(key.fuel)
        .epoch_interruption(key.interruptible)
        .cranelift_nan_canonicalization(key.deterministic)
        .relaxed_simd_deterministic(key.deterministic)
        .concurrency_support(kind == Kind::AsyncComponent)
        // A backtrace has names; lines would need the guest's debug information kept in every artifact.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        // Only native profilers and debuggers look at it, and every load would have to register it.
        .native_unwind_info(false);
    config
}
