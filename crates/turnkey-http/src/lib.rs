//! The meaning of `wasi:http`, once for all generations of WASI, with no engine in sight: [`Fields`], a [`Request`], a
//! [`Response`], their bodies, an [`ErrorCode`].
//!
//! What a guest receives is an [`IncomingBody`], and what it sends an [`OutgoingBody`]: both are streams of the core's, behind
//! which is a connection, or another guest. A [`Handler`] is whatever answers requests.
//!
//! Source of truth: `wasi:http/types` of 0.2.12 and 0.3.2; RFC 9110 for what fields and bodies mean.

mod body;
mod client;
mod error;
mod fields;
mod incoming;
mod message;
mod outgoing;

pub use body::Body;
pub use client::{Client, Outgoing, has_certificates};
pub use error::{ErrorCode, FieldSize};
pub use fields::{Fields, HeaderError};
pub use http;
pub use incoming::IncomingBody;
pub use message::{Handler, Handling, Refused, Request, RequestOptions, Response};
pub use outgoing::{OutgoingBody, Sent, outgoing_body};

/// Bytes that a body which is written is charged with: what is held of it at most between a guest and a connection.
pub const OUTGOING_BODY_BYTES: usize = outgoing::HELD_BYTES;
