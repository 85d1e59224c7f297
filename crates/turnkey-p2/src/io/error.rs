//! `wasi:io/error`, and the variant `stream-error` that carries one.

use turnkey_core::ErrorCode;
use turnkey_core::ending::Stopped;
use turnkey_core::stream::Interruption;
use wasmtime::component::{ComponentType, Lower, Resource};

use crate::call::{Call, Kept};
use crate::interface::{Interface, State};

/// `error`: why an operation of a stream failed.
#[derive(Debug)]
pub(crate) struct IoError {
    pub(crate) code: ErrorCode,
    /// The same as a body of HTTP says it.
    pub(crate) http: Option<Box<turnkey_http::ErrorCode>>,
}

impl Kept for IoError {}

/// `wasi:io/error`.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<IoError>("error");
    it.func("[method]error.to-debug-string", |call, (this,): (Resource<IoError>,)| {
        let error = call.get(&this)?;
        Ok(error.http.as_ref().map_or(error.code.word(), |code| code.word()).to_owned())
    });
}

/// `stream-error` of `wasi:io/streams`.
#[derive(ComponentType, Lower, Debug)]
#[component(variant)]
pub(crate) enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// How an operation of a stream ends other than well.
#[derive(Debug)]
pub(crate) enum StreamFault {
    /// There is nothing more to be had, or to be given.
    Closed,
    /// It failed.
    Failed(ErrorCode),
    /// It failed, and is the body of a message.
    Http(Box<turnkey_http::ErrorCode>),
    /// The guest ends.
    Trap(wasmtime::Error),
}

pub(crate) type StreamOutcome<R> = Result<R, StreamFault>;

impl From<ErrorCode> for StreamFault {
    fn from(code: ErrorCode) -> Self {
        StreamFault::Failed(code)
    }
}

impl From<wasmtime::Error> for StreamFault {
    fn from(error: wasmtime::Error) -> Self {
        StreamFault::Trap(error)
    }
}

impl From<Interruption> for StreamFault {
    fn from(interruption: Interruption) -> Self {
        match interruption {
            Interruption::Failed(code) => StreamFault::Failed(code),
            Interruption::Stopped(limit) => StreamFault::Trap(Stopped(limit).into()),
        }
    }
}

/// What the guest gets of an outcome: for a failure, an error to hold.
#[inline]
pub(crate) fn answer<R>(call: &mut Call<'_>, outcome: StreamOutcome<R>) -> wasmtime::Result<Result<R, StreamError>> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(StreamFault::Closed) => Ok(Err(StreamError::Closed)),
        Err(StreamFault::Failed(code)) => failed(call, IoError { code, http: None }),
        Err(StreamFault::Http(code)) => failed(call, IoError { code: code.as_code(), http: Some(code) }),
        Err(StreamFault::Trap(error)) => Err(error),
    }
}

fn failed<R>(call: &mut Call<'_>, error: IoError) -> wasmtime::Result<Result<R, StreamError>> {
    Ok(Err(StreamError::LastOperationFailed(call.keep(error)?)))
}
