//! Turnkey: a host for WASI programs, as a library.
//!
//! An [`Engine`] loads a guest; a guest runs with the [`Grants`] that it is handed, and nothing else, within [`Limits`]; what
//! comes back is an [`Outcome`].
//!
//! ```
//! use turnkey::{Engine, EngineOptions, Exit, Grants, Limits};
//!
//! # fn main() -> Result<(), turnkey::Error> {
//! let engine = Engine::new(EngineOptions::default())?;
//! let guest = engine.load(
//!     br#"(module
//!         (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
//!         (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
//!         (memory (export "memory") 1)
//!         (func (export "_start")
//!             (drop (call $sizes (i32.const 0) (i32.const 4)))
//!             (call $exit (i32.load (i32.const 0)))))"#,
//! )?;
//!
//! let grants = Grants { variables: vec![b"GREETING=hello".to_vec()], ..Grants::default() };
//! let outcome = guest.run(grants, Limits::default())?;
//! assert_eq!(outcome.exit, Exit::Status(1), "the guest was handed one variable, and counted it");
//! # Ok(())
//! # }
//! ```
//!
//! One engine loads many guests, and one guest runs many times, on any thread: each run has a store, a memory and a table of
//! descriptors of its own.

mod artifact;
mod cache;
mod component;
mod deadline;
mod engine;
mod error;
mod guest;
mod key;
mod link;
mod memory;
mod outcome;
mod run;
mod service;
mod world;

pub use artifact::TrustedArtifact;
pub use cache::{Cache, CacheUse};
pub use deadline::WhenStuck;
pub use engine::{Compiling, Engine, EngineOptions, Pool};
pub use error::Error;
pub use guest::Guest;
pub use key::EngineKey;
pub use outcome::{Exit, Outcome, Trapped};
pub use service::{Ended, Given, Http, Job, Proxy, Refused, Service, Slot, Worker};
pub use turnkey_core::audit::Refusal;
pub use turnkey_core::clocks::ClockGrant;
pub use turnkey_core::filesystem::Access;
pub use turnkey_core::grants::{DirectoryGrant, GrantError};
pub use turnkey_core::limits::Limit;
pub use turnkey_core::random::RandomGrant;
pub use turnkey_core::sockets::{NetworkGrants, SocketGrant, TcpListener};
pub use turnkey_core::stream::{self, StreamGrant};
pub use turnkey_core::{ErrorCode, Grants, Limits, host};
pub use turnkey_http as http;
pub use turnkey_http::has_certificates;
pub use world::{Form, Import, Missing, Provider, Start, World};

/// The interfaces of Preview 2, for those who describe what a program asks for.
pub use turnkey_p2::table as preview2;
pub use turnkey_p3::table as preview3;

/// The functions of Preview 1 and 0, for those who describe what a program asks for.
pub use turnkey_p1::table as preview1;
