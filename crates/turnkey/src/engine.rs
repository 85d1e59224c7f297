//! The engine: what code is generated for, and how a program becomes a [`Guest`].

use std::fmt::{Debug, Formatter};
use std::path::Path;
use std::sync::Arc;

use turnkey_core::host::programs;
use wasmtime::{Config, WasmBacktraceDetails};

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
        Ok(self.guest(artifact::load_trusted(&self.0.runtime, self.key(), artifact)?))
    }

    /// Compiles a program ahead of time: the bytes of an artifact for [`Engine::load_precompiled`], on processors like this
    /// one.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn compile(&self, program: &[u8]) -> Result<Vec<u8>, Error> {
        let kind = artifact::kind(program)?;
        let mut code = self.compile_code(program, kind)?;
        code.extend_from_slice(&artifact::footer(self.key(), kind, code.len()));
        Ok(code)
    }

    fn guest(&self, loaded: Loaded) -> Guest {
        match loaded {
            Loaded::Module(module) => Guest::of_module(self.0.runtime.clone(), self.key(), module),
            Loaded::Component(component) => Guest::of_component(self.0.runtime.clone(), self.key(), component),
        }
    }

    fn load_code(&self, program: &[u8], kind: Kind) -> Result<Loaded, Error> {
        let Some(cache) = &self.0.options.cache else {
            return artifact::load_fresh(&self.0.runtime, kind, &self.compile_code(program, kind)?);
        };
        let name = artifact::cache_name(program, self.key(), kind);
        let cached = |file| artifact::load_cached(&self.0.runtime, self.key(), kind, file);
        if let Some(loaded) = cache.get(&name).and_then(cached) {
            return Ok(loaded);
        }
        let code = self.compile_code(program, kind)?;
        let kept = cache.put(&name, &[&code, &artifact::footer(self.key(), kind, code.len())]);
        match kept.and_then(cached) {
            Some(loaded) => Ok(loaded),
            // No room, or no right to write there: the program runs all the same.
            None => artifact::load_fresh(&self.0.runtime, kind, &code),
        }
    }

    fn compile_code(&self, program: &[u8], kind: Kind) -> Result<Vec<u8>, Error> {
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
                match kind {
                    Kind::Module => compiler.precompile_module(&binary),
                    Kind::Component => compiler.precompile_component(&binary),
                }
                .map_err(|error| Error::Invalid(innermost(&error)))
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
