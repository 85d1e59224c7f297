//! Sends a request's body back while it comes, with its `content-type`: `/` reads and writes, `/splice` has the host do both,
//! `/trailers` is as `/` and sends the trailers back too. A body that breaks off breaks the answer off.

use http_p2::{Asked, begin, copy, service, splice};
use wasip2::http::types::{Fields, IncomingBody, IncomingRequest, OutgoingBody, ResponseOutparam, Trailers};

service!(echo);

fn echo(request: IncomingRequest, out: ResponseOutparam) {
    let asked = Asked::of(&request);
    let headers = Fields::new();
    // `trailer` names those that come: some hosts send no others.
    for name in ["content-type", "trailer"] {
        headers.set(name, &request.headers().get(name)).expect("what came can go");
    }
    let incoming = request.consume().expect("the first time");
    let input = incoming.stream().expect("the first time");
    let outgoing = begin(out, 200, headers);
    let output = outgoing.write().expect("the first time");
    let copied = if asked.path == "/splice" { splice(&input, &output) } else { copy(&input, &output) };
    drop((input, output));
    if copied.is_ok() {
        let trailers = if asked.path == "/trailers" { trailers(incoming) } else { None };
        let _ = OutgoingBody::finish(outgoing, trailers);
    }
}

/// Those that came after the body, as others of the same content.
fn trailers(body: IncomingBody) -> Option<Trailers> {
    let coming = IncomingBody::finish(body);
    coming.subscribe().block();
    let trailers = coming.get()?.ok()?.ok()??;
    Some(trailers.clone())
}
