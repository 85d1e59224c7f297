//! Stands before another handler: gives each request on with the header `x-from-middleware: yes`, and each answer back with
//! `x-middleware: yes`. It sees no byte of the bodies. What asks for `/stop` it answers itself, with 403.

use http_p3::{Asked, service, taken, text};
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_future;

/// What `wasip3` has no bindings for: the handler that is asked, beside that which this program is.
mod upstream {
    #![allow(missing_docs, unsafe_code, reason = "generated")]

    wasip3::wit_bindgen::generate!({
        path: "../../../wit/0.3",
        inline: "package guests:middleware; world upstream { import wasi:http/handler@0.3.2; }",
        world: "guests:middleware/upstream",
        runtime_path: "::wasip3::wit_bindgen::rt",
        with: {
            "wasi:clocks/types@0.3.2": wasip3::clocks::types,
            "wasi:http/types@0.3.2": wasip3::http::types,
            "wasi:http/handler@0.3.2": generate,
        },
    });
}

service!(middleware);

async fn middleware(request: Request) -> Result<Response, ErrorCode> {
    if Asked::of(&request).path == "/stop" {
        return Ok(text(403, "stopped\n"));
    }
    let response = upstream::wasi::http::handler::handle(marked(request)).await?;
    let status = response.get_status_code();
    let headers = response.get_headers().clone();
    mark(&headers, "x-middleware");
    let (stream, end) = Response::consume_body(response, wit_future::new(|| Ok(())).1);
    let (response, _) = Response::new(headers, Some(stream), end);
    response.set_status_code(status).expect("what came can go");
    Ok(response)
}

/// The same request, with a header more.
fn marked(request: Request) -> Request {
    let headers = request.get_headers().clone();
    mark(&headers, "x-from-middleware");
    let (method, scheme) = (request.get_method(), request.get_scheme());
    let (authority, path) = (request.get_authority(), request.get_path_with_query());
    let options = request.get_options().map(|options| options.clone());
    let (stream, end) = taken(request);
    let (marked, _) = Request::new(headers, Some(stream), end, options);
    marked.set_method(&method).expect("what came can go");
    marked.set_scheme(scheme.as_ref()).expect("what came can go");
    marked.set_authority(authority.as_deref()).expect("what came can go");
    marked.set_path_with_query(path.as_deref()).expect("what came can go");
    marked
}

fn mark(headers: &Fields, name: &str) {
    headers.set(name, &[b"yes".to_vec()]).expect("a field");
}
