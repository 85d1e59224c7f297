//! One request: from its head to the record of it.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderValue, Method, StatusCode, Version, header};
use hyper::body::Incoming;
use tokio::time::Sleep;
use turnkey::Limit;
use turnkey::host::clock::{Deadline, HostClock, now};
use turnkey::http::{Body, ErrorCode, Refused, Request, Response};

use crate::body::Served;
use crate::connection::Unfinished;
use crate::instances::{Failed, Going, Guest, Shared};
use crate::log::Asked;
use crate::metrics::{Failure, Met};
use crate::server::Thread;

/// What is left to do of a request while its response goes out. When it is dropped, the request is over.
pub(crate) struct Answered {
    shared: Arc<Shared>,
    thread: usize,
    unfinished: Arc<Unfinished>,
    asked: Asked,
    status: StatusCode,
    bytes: u64,
    going: Going,
    end: Deadline,
    late: Option<Pin<Box<Sleep>>>,
    /// The whole response has gone out, or there is none.
    is_whole: bool,
    has_failed: bool,
}

impl Debug for Answered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Answered").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Where a request comes from.
#[derive(Debug)]
pub(crate) struct From {
    pub(crate) peer: SocketAddr,
    pub(crate) scheme: Scheme,
    /// The requests of its connection.
    pub(crate) unfinished: Arc<Unfinished>,
}

/// Answers a request.
///
/// What has to be known of it is taken out of it at once, before anything waits: what it was read into is then free for what comes
/// after it.
pub(crate) fn answer(
    on: Arc<Thread>,
    request: http::Request<Incoming>,
    from: From,
) -> impl Future<Output = Result<http::Response<Served>, Infallible>> {
    let shared = Arc::clone(&on.shared);
    let From { peer, scheme, unfinished } = from;
    shared.metrics.request_begins();
    let mut asked = Asked {
        peer,
        method: request.method().clone(),
        path: request.uri().path_and_query().cloned(),
        version: request.version(),
        traceparent: request
            .headers()
            .get("traceparent")
            .and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()),
        began_ns: now(HostClock::Monotonic),
    };
    let request = match Request::from_network(request, scheme) {
        Ok(_) if asked.method == Method::CONNECT => {
            Err(Refused { status: StatusCode::NOT_IMPLEMENTED, why: "no tunnels are made here" })
        }
        Ok(request) => {
            asked.path.clone_from(&request.path_with_query);
            Ok(request)
        }
        Err(refused) => Err(refused),
    };
    let end = shared.end();
    unfinished.begins(end);
    let answered = Answered {
        shared,
        thread: on.number,
        unfinished,
        asked,
        // Until there is another one: the client goes before it has an answer. The number is nginx's for it.
        status: StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        bytes: 0,
        going: Going::Nothing,
        end,
        late: None,
        is_whole: false,
        has_failed: false,
    };
    answered.answer(on, request)
}

impl Answered {
    /// Answers it, or says why not.
    async fn answer(
        mut self,
        on: Arc<Thread>,
        request: Result<Request, Refused>,
    ) -> Result<http::Response<Served>, Infallible> {
        let request = match request {
            Ok(request) => request,
            Err(Refused { status, why }) => return Ok(self.refuse(status, why)),
        };
        let end = self.end;
        let mut asked = std::pin::pin!(async {
            let instances = on.instances().await;
            instances.answer(request, end).await
        });
        let in_time = poll_fn(|context| match asked.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(answer),
            Poll::Pending if self.is_late(context) => Poll::Ready(Err(Failed::Late)),
            Poll::Pending => Poll::Pending,
        });
        let response = match in_time.await {
            Ok((response, going)) => {
                self.going = going;
                response
            }
            Err(failed) => return Ok(self.fail(&failed)),
        };
        // What will surely not be whole is not even begun.
        if let Some(code) = response.body.failure() {
            return Ok(self.fail(&Failed::Broken(code)));
        }
        Ok(match response.into_network() {
            Ok(response) => self.serve(response),
            Err(code) => self.fail(&Failed::Code(code)),
        })
    }

    /// Whether the request has taken as long as it may; else whoever asks is woken when it has.
    pub(crate) fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        // Most requests are over before anybody has to wait, and then no timer is set.
        let left = || Duration::from_nanos(self.end.left_ns());
        let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(left())));
        late.as_mut().poll(context).is_ready()
    }

    /// Lets the guest go on that writes the response.
    pub(crate) fn poll_guest(&mut self, context: &mut Context<'_>) {
        let Going::Guest(guest) = &mut self.going else { return };
        let inside = self.shared.ticker.enter(self.thread);
        let polled = guest.as_mut().poll(context);
        drop(inside);
        if let Poll::Ready(ended) = polled {
            self.going = Going::Nothing;
            if let Err(fault) = ended {
                self.has_failed = true;
                let what = format!("after its response began, {}", fault.what);
                self.shared.log.fault(&self.asked, self.status, fault.failure, &what);
            }
        }
    }

    /// So many bytes have gone out.
    pub(crate) const fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// All has gone out.
    pub(crate) const fn whole(&mut self) {
        self.is_whole = true;
    }

    /// The response ends in the middle.
    pub(crate) fn failed(&mut self, code: &ErrorCode) {
        if !std::mem::replace(&mut self.has_failed, true) {
            let what = format!("the response was cut off: {code}");
            self.shared.log.fault(&self.asked, self.status, Failure::CutOff, &what);
        }
    }

    /// The response ends in the middle: the request has had its time.
    pub(crate) fn late(&mut self) {
        if !std::mem::replace(&mut self.has_failed, true) {
            self.shared.metrics.limit_met(Met::Guest(Limit::Timeout));
            let what = "after its response began, the guest was stopped by `--timeout`";
            self.shared.log.fault(&self.asked, self.status, Failure::Limit, what);
        }
    }

    /// A response of the guest's.
    fn serve(mut self, response: http::Response<Body>) -> http::Response<Served> {
        self.status = response.status();
        response.map(|body| Served::new(body, self))
    }

    /// A response without a guest.
    fn refuse(mut self, status: StatusCode, why: &str) -> http::Response<Served> {
        self.has_failed = true;
        self.shared.log.fault(&self.asked, status, Failure::Request, why);
        // What comes after it on the connection may be part of it.
        let is_last = self.asked.version < Version::HTTP_2;
        let mut response = self.plain(status);
        if is_last {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn fail(mut self, failed: &Failed) -> http::Response<Served> {
        self.has_failed = true;
        let timeout = StatusCode::GATEWAY_TIMEOUT;
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let (status, failure, what) = match failed {
            Failed::Full => (unavailable, Failure::Full, "no instance is free, and too many requests wait".into()),
            Failed::Late => {
                self.shared.metrics.limit_met(Met::Guest(Limit::Timeout));
                (timeout, Failure::Limit, "the guest was stopped by `--timeout`".into())
            }
            Failed::Code(ErrorCode::HttpResponseTimeout | ErrorCode::ConnectionReadTimeout) => {
                (timeout, Failure::Error, "the guest answered that it took too long".into())
            }
            Failed::Code(code) => {
                (StatusCode::BAD_GATEWAY, Failure::Error, format!("the guest answered with the error `{code}`"))
            }
            Failed::Broken(code) => {
                (StatusCode::BAD_GATEWAY, Failure::CutOff, format!("the response is not whole: {code}"))
            }
            Failed::Fault(fault) => (fault.status, fault.failure, fault.what.clone()),
            Failed::Lost => (StatusCode::BAD_GATEWAY, Failure::Lost, "its instance ended with another request".into()),
        };
        self.shared.log.fault(&self.asked, status, failure, &what);
        let mut response = self.plain(status);
        if status == unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// A response of a status and its words.
    fn plain(self, status: StatusCode) -> http::Response<Served> {
        let words = format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or_default());
        let response = Response { body: Body::full(words), ..Response::of_status(status) };
        // A status alone is always one that can be sent.
        let mut response = response.into_network().unwrap_or_else(|_| http::Response::new(Body::default()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        self.serve(response)
    }
}

/// Lets a guest that has answered come to its end, as long as its request may take.
async fn come_to_an_end(shared: Arc<Shared>, thread: usize, mut guest: Guest, end: Deadline) {
    let late = tokio::time::sleep(Duration::from_nanos(end.left_ns()));
    let mut late = std::pin::pin!(late);
    let ended = poll_fn(|context| {
        let inside = shared.ticker.enter(thread);
        let polled = guest.as_mut().poll(context);
        drop(inside);
        match polled {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending => late.as_mut().poll(context).map(|()| None),
        }
    });
    match ended.await {
        Some(Ok(())) => {}
        Some(Err(fault)) => shared.log.fault_after_answer(&fault),
        None => shared.log.late_after_answer(),
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.unfinished.is_over(self.end);
        let duration_ns = now(HostClock::Monotonic).saturating_sub(self.asked.began_ns);
        if let (Going::Guest(guest), true, Ok(executor)) =
            (std::mem::replace(&mut self.going, Going::Nothing), self.is_whole, tokio::runtime::Handle::try_current())
        {
            // The client has what it asked for; the guest may have more to do.
            executor.spawn(come_to_an_end(Arc::clone(&self.shared), self.thread, guest, self.end));
        }
        if !self.is_whole && !self.has_failed {
            self.shared.log.fault(&self.asked, self.status, Failure::Client, "the client has gone");
        }
        self.shared.metrics.request_ends(&self.asked.method, self.status, duration_ns, self.bytes);
        self.shared.log.access(&self.asked, self.status, self.bytes, duration_ns);
    }
}
