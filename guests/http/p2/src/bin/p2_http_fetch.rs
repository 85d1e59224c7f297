//! Sends a request on, `/?url=URL`, and its answer back: the status, each header `NAME` as `x-NAME`, the body while it comes.
//! Where there is none, the answer is 502, and the error's code its text.
//!
//! Options: `method`, `header=NAME:VALUE` as often as needed, and in milliseconds `connect-timeout`, `first-byte-timeout` and
//! `between-bytes-timeout`. With a method that has a body, the body that came is sent; its `content-type` always.

use http_p2::{Asked, begin, code, copy, exchange, header_code, service, text};
use wasip2::http::types::{
    Fields, IncomingRequest, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, ResponseOutparam,
};

service!(fetch);

fn fetch(request: IncomingRequest, out: ResponseOutparam) {
    let asked = Asked::of(&request);
    let (sent, options) = match (to_send(&asked, &request), options(&asked)) {
        (Ok(sent), Some(options)) => (sent, options),
        (Err(what), _) => return text(out, 400, &format!("{what}\n")),
        (_, None) => return text(out, 400, "no such timeout\n"),
    };
    let bodiless = matches!(sent.method(), Method::Get | Method::Head);
    let answered = exchange(sent, Some(options), |output| {
        if bodiless {
            return Ok(());
        }
        let body = request.consume().expect("the first time");
        let input = body.stream().expect("the first time");
        copy(&input, output)
    });
    match answered {
        Ok(response) => give(&response, out),
        Err(error) => text(out, 502, &format!("{}\n", code(&error))),
    }
}

fn to_send(asked: &Asked, request: &IncomingRequest) -> Result<OutgoingRequest, String> {
    let url = asked.option("url").ok_or("no url")?;
    let headers = Fields::new();
    let kind = request.headers().get("content-type");
    headers.set("content-type", &kind).map_err(|error| header_code(&error))?;
    for header in asked.all("header") {
        let (name, value) = header.split_once(':').ok_or("no NAME:VALUE")?;
        headers.append(name, value.as_bytes()).map_err(|error| format!("{name}: {}", header_code(&error)))?;
    }
    http_p2::request(asked.option("method").unwrap_or("GET"), url, headers)
}

fn options(asked: &Asked) -> Option<RequestOptions> {
    let options = RequestOptions::new();
    let time = |name| asked.option(name).map(|_| asked.number(name, 0) * 1_000_000);
    options.set_connect_timeout(time("connect-timeout")).ok()?;
    options.set_first_byte_timeout(time("first-byte-timeout")).ok()?;
    options.set_between_bytes_timeout(time("between-bytes-timeout")).ok()?;
    Some(options)
}

fn give(response: &IncomingResponse, out: ResponseOutparam) {
    let headers = Fields::new();
    for (name, value) in response.headers().entries() {
        headers.append(&format!("x-{name}"), &value).expect("what came can go");
    }
    let incoming = response.consume().expect("the first time");
    let input = incoming.stream().expect("the first time");
    let outgoing = begin(out, response.status(), headers);
    let output = outgoing.write().expect("the first time");
    match copy(&input, &output) {
        Ok(()) => {
            drop(output);
            let _ = OutgoingBody::finish(outgoing, None);
        }
        // The answer breaks off where that of the other did.
        Err(error) => eprintln!("body: {}", http_p2::stream_code(&error)),
    }
}
