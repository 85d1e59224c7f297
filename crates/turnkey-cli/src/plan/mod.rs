//! What was typed, made into what the library takes.

pub(crate) mod cache;
pub(crate) mod grants;
pub(crate) mod program;
pub(crate) mod run;
pub(crate) mod serve;
