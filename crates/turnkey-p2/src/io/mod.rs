//! `wasi:io`: errors, pollables, streams.

pub(crate) mod error;
pub(crate) mod poll;
pub(crate) mod streams;
pub(crate) mod unsent;
