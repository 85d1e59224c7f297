//! The engine: what code is generated for, and how a program becomes a [`Guest`].

use std::fmt::{Debug, Formatter};
use std::path::Path;
use std::sync::Arc;

use turnkey_core::host::programs;
use wasmtime::{Config, Module, WasmBacktraceDetails};

use crate::artifact::{self, Kind, TrustedArtifact};
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
    /// Called when a program has to be compiled, and when that is done.
    pub on_compile: Option<Box<dyn Fn(Compiling) + Send + Sync>>,
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
    /// Loads and runs, and has no compiler: setting one up takes longer than most programs run.
    runtime: wasmtime::Engine,
    options: EngineOptions,
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
        let mut config = config(options.key);
        config.enable_compiler(false);
        let runtime = wasmtime::Engine::new(&config).map_err(|error| Error::Engine(format!("{error:#}")))?;
        Ok(Engine(Arc::new(Inner { runtime, options })))
    }

    /// The options that its code depends on.
    #[must_use]
    pub fn key(&self) -> EngineKey {
        self.0.options.key
    }

    /// Loads a program, in binary or text form.
    ///
    /// # Errors
    /// [`Error::NotWebAssembly`], [`Error::Component`], [`Error::Invalid`], [`Error::Precompiled`].
    pub fn load(&self, program: &[u8]) -> Result<Guest, Error> {
        let module = match artifact::kind(program)? {
            Kind::Module => self.load_module(program)?,
        };
        Ok(self.guest(module))
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
        Ok(self.guest(artifact::load_trusted(&self.0.runtime, self.key(), artifact)?))
    }

    /// Compiles a program ahead of time: the bytes of an artifact for [`Engine::load_precompiled`], on processors like this
    /// one.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn compile(&self, program: &[u8]) -> Result<Vec<u8>, Error> {
        let Kind::Module = artifact::kind(program)?;
        let mut code = self.compile_module(program)?;
        code.extend_from_slice(&artifact::footer(self.key(), code.len()));
        Ok(code)
    }

    fn guest(&self, module: Module) -> Guest {
        Guest::new(self.0.runtime.clone(), self.key(), module)
    }

    fn load_module(&self, program: &[u8]) -> Result<Module, Error> {
        let Some(cache) = &self.0.options.cache else {
            return artifact::load_fresh(&self.0.runtime, &self.compile_module(program)?);
        };
        let name = artifact::cache_name(program, self.key());
        if let Some(module) = cache.get(&name).and_then(|file| artifact::load_cached(&self.0.runtime, self.key(), file))
        {
            return Ok(module);
        }
        let code = self.compile_module(program)?;
        let kept = cache.put(&name, &[&code, &artifact::footer(self.key(), code.len())]);
        match kept.and_then(|file| artifact::load_cached(&self.0.runtime, self.key(), file)) {
            Some(module) => Ok(module),
            // No room, or no right to write there: the program runs all the same.
            None => artifact::load_fresh(&self.0.runtime, &code),
        }
    }

    fn compile_module(&self, program: &[u8]) -> Result<Vec<u8>, Error> {
        let tell = |what| {
            if let Some(on_compile) = &self.0.options.on_compile {
                on_compile(what);
            }
        };
        tell(Compiling::Begins { bytes: program.len() });
        let compiled = wasmtime::Engine::new(&config(self.key()))
            .map_err(|error| Error::Engine(format!("{error:#}")))
            .and_then(|compiler| {
                let binary =
                    wat::parse_bytes(program).map_err(|error| Error::Invalid(first_line(&error.to_string())))?;
                compiler.precompile_module(&binary).map_err(|error| Error::Invalid(innermost(&error)))
            });
        tell(Compiling::Ends);
        compiled
    }
}

/// What the engine says is wrong, without the frames that it wraps it in.
fn innermost(error: &wasmtime::Error) -> String {
    first_line(&error.root_cause().to_string())
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// The engine's settings. Everything that changes code is in the key; the rest is the same for all.
fn config(key: EngineKey) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(key.fuel)
        .epoch_interruption(key.interruptible)
        .cranelift_nan_canonicalization(key.deterministic)
        .relaxed_simd_deterministic(key.deterministic)
        // A backtrace has names; lines would need the guest's debug information kept in every artifact.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        // Only native profilers and debuggers look at it, and every load would have to register it.
        .native_unwind_info(false);
    config
}
