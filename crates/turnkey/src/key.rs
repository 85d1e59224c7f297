//! What code is generated for: the options that an artifact, a cache and a run must agree on.

/// The options that change the code which is generated: an artifact is valid for one of these, and the cache is keyed by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EngineKey {
    /// Instructions are counted: [`Limits::fuel`](crate::Limits::fuel).
    pub fuel: bool,
    /// A guest can be interrupted while it computes: [`Limits::timeout`](crate::Limits::timeout).
    pub interruptible: bool,
    /// NaNs and relaxed vector instructions give the same bits on every host.
    pub deterministic: bool,
}
