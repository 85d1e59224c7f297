//! `wasi:http` as a guest calls it, through the canonical ABI, in an executor: what can be had once, what belongs to what, which
//! error it gets of what, and what reaches the other side. What fields, bodies and requests mean is tested in `turnkey-http`.
#![allow(clippy::cloned_ref_to_slice_refs, reason = "one argument is written as several are")]
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

#[path = "../sockets/again.rs"]
mod again;
mod bodies;
mod fields;
mod requests;

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use turnkey_core::limits::Limits;
use turnkey_core::{Capabilities, Grants};
use turnkey_http::http::{Method, uri};
use turnkey_http::{Body, ErrorCode, Fields, IncomingBody, Request, RequestOptions, Response};
use turnkey_p2::{BrokenRule, Preview2, Waits};
use wasmtime::component::{Component, Instance, Linker, ResourceAny, Val};
use wasmtime::{Engine, Store};

type Data = (Capabilities, Preview2);
type Answered = oneshot::Receiver<Result<Response, ErrorCode>>;

/// A guest that calls what it is told to call.
struct Guest {
    executor: Runtime,
    store: Store<Data>,
    instance: Instance,
}

/// The component is compiled once.
fn component() -> &'static (Engine, Component) {
    static COMPONENT: OnceLock<(Engine, Component)> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let engine = Engine::default();
        let component = Component::new(&engine, again::component(&["http", "io"])).unwrap();
        (engine, component)
    })
}

impl Guest {
    fn new() -> Self {
        Guest::with(Grants::default(), Limits::default())
    }

    /// One that has ten seconds for whatever it waits for.
    fn with(grants: Grants, limits: Limits) -> Self {
        let executor = Builder::new_current_thread().enable_all().build().unwrap();
        let limits = Limits { timeout: Some(Duration::from_secs(10)), ..limits };
        let host = Capabilities::new(grants, limits).unwrap();
        let (engine, component) = component();
        let mut linker = Linker::new(engine);
        turnkey_p2::link(&mut linker, component, Waits::InExecutor, |(host, p2): &mut Data| (host, p2)).unwrap();
        let mut store = Store::new(engine, (host, Preview2::default()));
        let instance = executor.block_on(linker.instantiate_async(&mut store, component)).unwrap();
        Guest { executor, store, instance }
    }

    /// Calls a function that has results, or none.
    fn call(&mut self, interface: &str, function: &str, arguments: &[Val]) -> wasmtime::Result<Option<Val>> {
        let path = format!("test:again/{interface}");
        let instance = self.instance.get_export_index(&mut self.store, None, &path).expect(&path);
        let index = self.instance.get_export_index(&mut self.store, Some(&instance), function).expect(function);
        let function = self.instance.get_func(&mut self.store, index).unwrap();
        let count = function.ty(&self.store).results().len();
        let mut results = vec![Val::Bool(false); count];
        self.executor.block_on(function.call_async(&mut self.store, arguments, &mut results))?;
        Ok(results.pop())
    }

    /// What a function of `wasi:http/types` gives.
    fn get(&mut self, function: &str, arguments: &[Val]) -> Val {
        self.call("types", function, arguments).unwrap().unwrap()
    }

    /// What a function of `wasi:http/types` gives that can fail.
    fn result(&mut self, function: &str, arguments: &[Val]) -> Result<Option<Val>, Option<Val>> {
        result(self.get(function, arguments))
    }

    /// What a function of `wasi:http/types` gives that does not fail.
    fn ok(&mut self, function: &str, arguments: &[Val]) -> Val {
        self.result(function, arguments).unwrap_or_else(|error| panic!("{function}: {error:?}")).unwrap_or(NONE)
    }

    /// What a function of `wasi:io/streams` gives.
    fn stream(&mut self, function: &str, arguments: &[Val]) -> Result<Option<Val>, Option<Val>> {
        result(self.call("streams", function, arguments).unwrap().unwrap())
    }

    fn write(&mut self, stream: &Val, data: &[u8]) {
        self.stream("output-stream-blocking-write-and-flush", &[stream.clone(), bytes(data)]).unwrap();
    }

    /// The code that the error of a stream hides.
    fn code(&mut self, error: Option<Val>) -> Val {
        match error {
            Some(Val::Variant(case, Some(error))) if case == "last-operation-failed" => {
                option(self.get("http-error-code", &[*error])).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    /// The rule that a call breaks.
    fn broken(&mut self, function: &str, arguments: &[Val]) -> &'static str {
        let error = self.call("types", function, arguments).unwrap_err();
        error.downcast_ref::<BrokenRule>().unwrap_or_else(|| panic!("{function}: {error:?}")).what
    }

    fn drop(&mut self, resource: &Val) -> wasmtime::Result<()> {
        self.executor.block_on(handle(resource).resource_drop_async(&mut self.store))
    }

    /// A request that came, and where the answer to it goes.
    fn incoming(&mut self, headers: Fields, body: Body) -> (Val, Val, Answered) {
        let (sender, receiver) = oneshot::channel();
        let request = Request {
            method: Method::from_bytes(b"QUERY").unwrap(),
            scheme: Some(uri::Scheme::HTTPS),
            authority: Some(uri::Authority::from_static("example.com:8443")),
            path_with_query: Some(uri::PathAndQuery::from_static("/a?b")),
            headers: Arc::new(headers),
            options: RequestOptions::default(),
            body,
        };
        let (host, p2) = self.store.data_mut();
        let (request, outparam) = turnkey_p2::http::incoming((host, p2), request, sender).unwrap();
        let request = ResourceAny::try_from_resource(request, &mut self.store).unwrap();
        let outparam = ResourceAny::try_from_resource(outparam, &mut self.store).unwrap();
        (Val::Resource(request), Val::Resource(outparam), receiver)
    }

    /// Fields that the guest makes.
    fn fields(&mut self, entries: &[(&str, &str)]) -> Val {
        self.ok("fields-from-list", &[list(entries)])
    }

    /// A response of the guest's, and its body.
    fn response(&mut self, headers: &[(&str, &str)]) -> (Val, Val) {
        let headers = self.fields(headers);
        let response = self.get("outgoing-response-constructor", &[headers]);
        let body = self.ok("outgoing-response-body", &[response.clone()]);
        (response, body)
    }

    /// Answers a request that came, with this.
    fn answer(&mut self, response: Result<Val, Val>) -> Result<Response, ErrorCode> {
        let (_, outparam, mut receiver) = self.incoming(Fields::new(), Body::default());
        let response = response.map(|value| Some(Box::new(value))).map_err(|value| Some(Box::new(value)));
        self.call("types", "response-outparam-set", &[outparam, Val::Result(response)]).unwrap();
        receiver.try_recv().unwrap()
    }

    fn used(&self) -> u64 {
        self.store.data().0.budget.used()
    }
}

/// All of a body that is there, and its end.
fn read(body: &IncomingBody) -> (Vec<u8>, Poll<Result<Option<Fields>, ErrorCode>>) {
    let (mut read, context) = (Vec::new(), &mut Context::from_waker(Waker::noop()));
    while let Poll::Ready(Some(piece)) = body.poll_piece(context) {
        read.extend_from_slice(&piece);
    }
    (read, body.poll_end(context))
}

fn handle(resource: &Val) -> ResourceAny {
    match resource {
        Val::Resource(resource) => *resource,
        other => panic!("no resource: {other:?}"),
    }
}

fn result(value: Val) -> Result<Option<Val>, Option<Val>> {
    let Val::Result(result) = value else { panic!("no result: {value:?}") };
    result.map(|value| value.map(|value| *value)).map_err(|error| error.map(|error| *error))
}

fn option(value: Val) -> Option<Val> {
    let Val::Option(option) = value else { panic!("no option: {value:?}") };
    option.map(|value| *value)
}

fn word(word: &str) -> Val {
    Val::Variant(word.to_owned(), None)
}

fn with(word: &str, value: Val) -> Val {
    Val::Variant(word.to_owned(), Some(Box::new(value)))
}

fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

fn bytes(data: &[u8]) -> Val {
    Val::List(data.iter().copied().map(Val::U8).collect())
}

/// `list<tuple<field-name, field-value>>`
fn list(entries: &[(&str, &str)]) -> Val {
    Val::List(entries.iter().map(|(name, value)| Val::Tuple(vec![text(name), bytes(value.as_bytes())])).collect())
}

fn some(value: Val) -> Val {
    Val::Option(Some(Box::new(value)))
}

const NONE: Val = Val::Option(None);
