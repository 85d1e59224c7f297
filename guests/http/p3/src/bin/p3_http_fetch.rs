//! Sends a request on, `/?url=URL`, and its answer back: the status, each header `NAME` as `x-NAME`, the body as the stream that
//! it came as. Where there is none, the answer is 502, and the error's code its text.
//!
//! Options: `method`, `header=NAME:VALUE` as often as needed, and in milliseconds `connect-timeout`, `first-byte-timeout` and
//! `between-bytes-timeout`. With a method that has a body, the body that came is sent; its `content-type` always.

use http_p3::{Asked, answer, code, header_code, service, taken, text};
use wasip3::http::client::send;
use wasip3::http::types::{ErrorCode, Fields, Request, RequestOptions, Response};
use wasip3::wit_future;

service!(fetch);

async fn fetch(request: Request) -> Result<Response, ErrorCode> {
    let sent = match to_send(request) {
        Ok(sent) => sent,
        Err(what) => return Ok(text(400, format!("{what}\n"))),
    };
    let response = match send(sent).await {
        Ok(response) => response,
        Err(error) => return Ok(text(502, format!("{}\n", code(&error)))),
    };
    let status = response.get_status_code();
    let headers = Fields::new();
    for (name, value) in response.get_headers().copy_all() {
        headers.append(&format!("x-{name}"), &value).expect("what came can go");
    }
    let body = Response::consume_body(response, wit_future::new(|| Ok(())).1);
    Ok(answer(status, headers, body))
}

fn to_send(request: Request) -> Result<Request, String> {
    let asked = Asked::of(&request);
    let url = asked.option("url").ok_or("no url")?;
    let method = asked.option("method").unwrap_or("GET");
    let headers = Fields::new();
    let kind = request.get_headers().get("content-type");
    headers.set("content-type", &kind).map_err(|error| header_code(&error))?;
    for header in asked.all("header") {
        let (name, value) = header.split_once(':').ok_or("no NAME:VALUE")?;
        headers.append(name, value.as_bytes()).map_err(|error| format!("{name}: {}", header_code(&error)))?;
    }
    let options = RequestOptions::new();
    let time = |name| asked.option(name).map(|_| asked.number(name, 0) * 1_000_000);
    options.set_connect_timeout(time("connect-timeout")).map_err(|_| "no such timeout")?;
    options.set_first_byte_timeout(time("first-byte-timeout")).map_err(|_| "no such timeout")?;
    options.set_between_bytes_timeout(time("between-bytes-timeout")).map_err(|_| "no such timeout")?;
    let body = (!matches!(method, "GET" | "HEAD")).then(|| taken(request));
    http_p3::request(method, url, headers, body, Some(options))
}
