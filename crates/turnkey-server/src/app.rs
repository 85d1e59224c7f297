//! What is served: a component, with those before it, and how to get it anew.

use std::fmt::{Debug, Formatter};

use turnkey::Service;

/// Why an app cannot be loaded, in the words of whoever loads it.
pub type LoadError = Box<dyn std::error::Error + Send + Sync>;

/// Which version of an app is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// What its files are now.
    Newest,
    /// The one that was loaded last, whatever its files are now.
    Same,
}

/// Loads what is served, into an engine of its own: the components that a request goes through, the app itself the last.
pub type Load = Box<dyn Fn(Version) -> Result<Vec<Service>, LoadError> + Send + Sync>;

/// What is served.
pub struct App {
    /// Loads it; again, when it has changed.
    pub load: Load,
    /// Loading the same version again takes milliseconds, as what has been compiled is kept: memory that a great many instances
    /// have used can be given back with the engine that has it.
    pub is_quick: bool,
    /// Says what changes when its files have been written anew. `None`: nobody looks.
    pub version: Option<Box<dyn Fn() -> Vec<u64> + Send + Sync>>,
}

impl Debug for App {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("App")
    }
}
