//! `response-outparam`, `incoming-response`, `outgoing-response` and `future-incoming-response` of `wasi:http/types`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::JoinHandle;
use turnkey_core::slab::Id;
use turnkey_core::stream::{Event, Interest};
use turnkey_http::Body;
use turnkey_http::http::StatusCode;
use wasmtime::component::Resource;

use crate::call::{Call, Kept};
use crate::http::Answer;
use crate::http::bodies::{IncomingBody, OutgoingBody};
use crate::http::error::ErrorCode;
use crate::http::fields::{Fields, Section};
use crate::interface::{Interface, State};
use crate::io::poll::Pollable;

/// `response-outparam`
#[derive(Debug)]
pub struct ResponseOutparam(Answer);

impl ResponseOutparam {
    pub(crate) const fn new(answer: Answer) -> Self {
        ResponseOutparam(answer)
    }
}

impl Kept for ResponseOutparam {}

/// `incoming-response`
#[derive(Debug)]
pub(crate) struct IncomingResponse {
    status: StatusCode,
    headers: Section,
    /// `None`: it has been consumed.
    body: Option<Body>,
    /// How long each piece of the body may take.
    patience: Option<Duration>,
}

impl Kept for IncomingResponse {
    fn dropped(self, _: Id, call: &mut Call<'_>) -> wasmtime::Result<()> {
        self.headers.must_be_whole(call)
    }
}

/// `outgoing-response`
#[derive(Debug)]
pub(crate) struct OutgoingResponse {
    status: StatusCode,
    headers: Section,
    /// `None`: nobody has asked for it, and so it is empty.
    body: Option<Body>,
}

impl Kept for OutgoingResponse {
    fn dropped(self, _: Id, call: &mut Call<'_>) -> wasmtime::Result<()> {
        self.headers.must_be_whole(call)
    }
}

type Answered = Result<turnkey_http::Response, turnkey_http::ErrorCode>;

/// `future-incoming-response`
#[derive(Debug)]
pub(crate) struct FutureIncomingResponse {
    sent: Arc<Sent>,
    patience: Option<Duration>,
}

impl Kept for FutureIncomingResponse {}

impl FutureIncomingResponse {
    /// The answer to a request, which a task of the executor's waits for: whatever the guest does meanwhile, it goes on.
    pub(crate) fn new(task: JoinHandle<Answered>, patience: Option<Duration>) -> Self {
        FutureIncomingResponse { sent: Arc::new(Sent(Mutex::new(Sending::Task(task)))), patience }
    }

    /// What it waits for.
    pub(crate) fn interest(&self) -> Interest {
        Interest::Event(Arc::<Sent>::clone(&self.sent))
    }
}

/// A request that has been sent.
#[derive(Debug)]
struct Sent(Mutex<Sending>);

#[derive(Debug)]
enum Sending {
    Task(JoinHandle<Answered>),
    Answered(Answered),
    /// The guest has had it.
    Had,
}

impl Sent {
    fn lock(&self) -> MutexGuard<'_, Sending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Event for Sent {
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut sending = self.lock();
        if let Sending::Task(task) = &mut *sending {
            let Poll::Ready(answered) = std::pin::Pin::new(task).poll(context) else { return Poll::Pending };
            *sending = Sending::Answered(answered.unwrap_or(Err(turnkey_http::ErrorCode::InternalError(None))));
        }
        Poll::Ready(())
    }
}

impl Drop for Sending {
    /// Nobody waits for it any more.
    fn drop(&mut self) {
        if let Sending::Task(task) = self {
            task.abort();
        }
    }
}

/// `response-outparam`
pub(crate) fn define_outparam<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    type This = Resource<ResponseOutparam>;
    it.resource::<ResponseOutparam>("response-outparam");
    it.func(
        "[method]response-outparam.send-informational",
        |call, (_this, status, headers): (This, u16, Resource<Fields>)| {
            call.take(&headers)?;
            // The standard has these two for a status that is none of these, and for a host that sends none of them.
            Ok(Err::<(), _>(match status {
                100..200 => ErrorCode::InternalError(None),
                _ => ErrorCode::HttpProtocolError,
            }))
        },
    );
    it.action(
        "[static]response-outparam.set",
        |call, (param, response): (This, Result<Resource<OutgoingResponse>, ErrorCode>)| {
            let ResponseOutparam(answer) = call.take(&param)?;
            let response = match response {
                Ok(response) => {
                    let OutgoingResponse { status, headers, body } = call.take(&response)?;
                    headers.must_be_whole(call)?;
                    Ok(turnkey_http::Response { status, headers: headers.fields, body: body.unwrap_or_default() })
                }
                Err(code) => Err(code.into()),
            };
            // Whoever asked may have gone; then the body learns so.
            let _ = answer.send(response);
            Ok(())
        },
    );
}

/// `incoming-response`
pub(crate) fn define_incoming<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    type This = Resource<IncomingResponse>;
    it.resource::<IncomingResponse>("incoming-response");
    it.func("[method]incoming-response.status", |call, (this,): (This,)| Ok(call.get(&this)?.status.as_u16()));
    it.func("[method]incoming-response.headers", |call, (this,): (This,)| {
        let headers = call.get_mut(&this)?.headers.lend();
        call.keep(headers)
    });
    it.func("[method]incoming-response.consume", |call, (this,): (This,)| {
        let response = call.get_mut(&this)?;
        let body = response.body.take().map(|body| match response.patience {
            Some(longest) => turnkey_http::IncomingBody::with_patience(body, longest),
            None => turnkey_http::IncomingBody::new(body),
        });
        IncomingBody::keep(call, body)
    });
}

/// `outgoing-response`
pub(crate) fn define_outgoing<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    type This = Resource<OutgoingResponse>;
    it.resource::<OutgoingResponse>("outgoing-response");
    it.func("[constructor]outgoing-response", |call, (headers,): (Resource<Fields>,)| {
        let headers = Section::of(call, &headers)?;
        call.keep(OutgoingResponse { status: StatusCode::OK, headers, body: None })
    });
    it.func("[method]outgoing-response.status-code", |call, (this,): (This,)| Ok(call.get(&this)?.status.as_u16()));
    it.func("[method]outgoing-response.set-status-code", |call, (this, status): (This, u16)| {
        let response = call.get_mut(&this)?;
        Ok(StatusCode::from_u16(status).map(|status| response.status = status).map_err(drop))
    });
    it.func("[method]outgoing-response.headers", |call, (this,): (This,)| {
        let headers = call.get_mut(&this)?.headers.lend();
        call.keep(headers)
    });
    it.func("[method]outgoing-response.body", |call, (this,): (This,)| {
        let response = call.get_mut(&this)?;
        let body = OutgoingBody::of_message(false, &response.headers, &mut response.body);
        OutgoingBody::keep(call, body)
    });
}

/// `future-incoming-response`
pub(crate) fn define_future<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    type This = Resource<FutureIncomingResponse>;
    it.resource::<FutureIncomingResponse>("future-incoming-response");
    it.func("[method]future-incoming-response.subscribe", |call, (this,): (This,)| {
        call.keep(Pollable::Response(call.id(&this)))
    });
    it.func("[method]future-incoming-response.get", |call, (this,): (This,)| {
        let future = call.get(&this)?;
        if future.sent.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Ok(None);
        }
        let patience = future.patience;
        let mut sending = std::mem::replace(&mut *future.sent.lock(), Sending::Had);
        let Sending::Answered(answered) = &mut sending else { return Ok(Some(Err(()))) };
        let answered = std::mem::replace(answered, Err(turnkey_http::ErrorCode::InternalError(None)));
        Ok(Some(Ok(match answered {
            Ok(turnkey_http::Response { status, headers, body }) => {
                let headers = Section::new(call, headers)?;
                Ok(call.keep(IncomingResponse { status, headers, body: Some(body), patience })?)
            }
            Err(code) => Err(ErrorCode::from(code)),
        })))
    });
}
