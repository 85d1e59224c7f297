//! What must not be possible, tried: ways out of a directory, special files, races, host memory that a guest makes grow. One
//! test for each published advisory of a WASI host and each preview that has the operation, named after it, whatever else the
//! host calls' own tests say of the same.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

#[path = "../harness/mod.rs"]
mod harness;

mod advisories_of_async;
mod advisories_of_components;
mod advisories_of_files;
mod advisories_of_http;
mod advisories_of_limits;
mod async_component;
mod climber;
mod component;
mod descriptors_of_proc;
mod hostile_async;
mod hostile_components;
mod limits_of_async;
mod limits_of_components;
mod names;
mod races;
mod random_components;
mod special_files;
mod system_calls;
