//! What a WASI guest may touch, and how it behaves when it does.
//!
//! Capabilities here are plain Rust: no engine, no guest pointer, no preview of WASI is in sight. The ABI layers translate
//! a guest's calls into calls of this crate, and the only road to the operating system leads through [`host`].

pub mod audit;
pub mod clocks;
pub mod count;
pub mod ending;
pub mod environment;
mod error;
pub mod filesystem;
pub mod grants;
pub mod host;
pub mod interfaces;
pub mod limits;
pub mod random;
pub mod slab;
pub mod sleepers;
pub mod sockets;
pub mod stream;

mod capabilities;

pub use capabilities::{Capabilities, FoundOpen, Held, Opened};
pub use error::ErrorCode;
pub use grants::Grants;
pub use limits::Limits;
