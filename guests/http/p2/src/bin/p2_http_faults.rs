//! What a program can do to the host that has it answer requests: one thing a path, and `/ok` to see who is still alive. What
//! comes of it, where the answer cannot say it, is a line on standard error.

use std::hint::black_box;
use std::io::{Write, stdout};
use std::sync::atomic::{AtomicU64, Ordering};

use http_p2::{Asked, begin, code, fields, header_code, listed, service, stream_code, text, write};
use wasip2::cli::exit::exit;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::http::types::{ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

service!(handle);

/// How often this instance has been asked to count.
static COUNT: AtomicU64 = AtomicU64::new(0);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let asked = Asked::of(&request);
    match asked.path.as_str() {
        "/ok" => text(out, 200, "ok\n"),
        // How it ends.
        "/trap" => std::arch::wasm32::unreachable(),
        "/exit" => exit(if asked.number("code", 1) == 0 { Ok(()) } else { Err(()) }),
        "/loop" => compute(u64::MAX),
        "/sleep" => subscribe_duration(u64::MAX).block(),
        "/none" => drop(out),
        "/error" => ResponseOutparam::set(out, Err(ErrorCode::HttpRequestDenied)),
        "/early" => {
            text(out, 200, "early\n");
            compute(1_000_000);
            eprintln!("after the response");
        }
        // What it takes.
        "/headers" => headers(out),
        "/memory" => memory(),
        "/output" => output(),
        "/print" => {
            println!("to standard output");
            eprintln!("to standard error");
            text(out, 200, "printed\n");
        }
        // What it gives.
        "/status" => {
            let code = u16::try_from(asked.number("code", 200)).expect("a status");
            text(out, code, &format!("{code}\n"));
        }
        "/short" => promised(out, "10", b"short"),
        "/long" => promised(out, "5", b"0123456789"),
        "/unfinished" => {
            let body = begin(out, 200, Fields::new());
            let stream = body.write().expect("the first time");
            let _ = write(&stream, b"begun\n").and_then(|()| stream.blocking_flush());
        }
        "/open" => {
            let body = begin(out, 200, Fields::new());
            let stream = body.write();
            let finished = OutgoingBody::finish(body, None);
            eprintln!("finish: {finished:?}");
            drop(stream);
        }
        "/twice" => twice(&request, out),
        "/slow" => slow(out, asked.number("chunks", 20), asked.number("ms", 100)),
        "/big" => big(out, asked.number("bytes", 0)),
        // What it keeps.
        "/count" => text(out, 200, &format!("{}\n", 1 + COUNT.fetch_add(1, Ordering::Relaxed))),
        // What it was given.
        "/headers-echo" => {
            let scheme = request.scheme().map_or_else(String::new, |scheme| format!("{scheme:?}"));
            let authority = request.authority().unwrap_or_default();
            let path = request.path_with_query().unwrap_or_default();
            let method = request.method();
            let headers = listed(&request.headers());
            text(out, 200, &format!("{method:?}\n{path}\n{scheme}\n{authority}\n{headers}"));
        }
        "/env" => {
            let variables = wasip2::cli::environment::get_environment().into_iter();
            let lines: String = variables.map(|(name, value)| format!("{name}={value}\n")).collect();
            text(out, 200, &lines);
        }
        _ => text(out, 404, "no such path\n"),
    }
}

fn compute(turns: u64) {
    for turn in 0..turns {
        black_box(turn);
    }
}

/// Until the host takes no more.
fn headers(out: ResponseOutparam) {
    let headers = Fields::new();
    let value = [b'v'; 1024];
    let mut count = 0_u64;
    loop {
        if let Err(error) = headers.append(&format!("x-{count}"), &value) {
            return text(out, 200, &format!("{} after {count}\n", header_code(&error)));
        }
        count += 1;
    }
}

/// Until the allocation fails, which traps.
fn memory() {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Until it cannot be written.
fn output() {
    let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
    while stdout().write_all(&line).is_ok() {}
}

/// A body of another length than was said.
fn promised(out: ResponseOutparam, length: &str, bytes: &[u8]) {
    let body = begin(out, 200, fields([("content-length", length)]));
    let stream = body.write().expect("the first time");
    let written = write(&stream, bytes).and_then(|()| stream.blocking_flush());
    drop(stream);
    let finished = OutgoingBody::finish(body, None);
    let ok = |()| "ok".to_owned();
    let written = written.map_or_else(|error| stream_code(&error), ok);
    eprintln!("write: {written}, finish: {}", finished.map_or_else(|error| code(&error), ok));
}

/// What can be had once, a second time.
fn twice(request: &IncomingRequest, out: ResponseOutparam) {
    let incoming = request.consume();
    let response = OutgoingResponse::new(Fields::new());
    let outgoing = response.body().expect("the first time");
    let second = response.body().is_ok();
    ResponseOutparam::set(out, Ok(response));
    let stream = outgoing.write().expect("the first time");
    let incoming = incoming.expect("the first time");
    let input = incoming.stream();
    let text = format!(
        "consume {}, incoming stream {}, body {second}, outgoing stream {}\n",
        request.consume().is_ok(),
        incoming.stream().is_ok(),
        outgoing.write().is_ok(),
    );
    drop(input);
    let _ = write(&stream, text.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(outgoing, None);
}

fn slow(out: ResponseOutparam, chunks: u64, ms: u64) {
    let body = begin(out, 200, Fields::new());
    let stream = body.write().expect("the first time");
    for chunk in 0..chunks {
        subscribe_duration(ms * 1_000_000).block();
        if write(&stream, format!("{chunk}\n").as_bytes()).and_then(|()| stream.blocking_flush()).is_err() {
            return eprintln!("nobody reads after {chunk} chunks");
        }
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

fn big(out: ResponseOutparam, bytes: u64) {
    let body = begin(out, 200, Fields::new());
    let stream = body.write().expect("the first time");
    let piece = [b'b'; 16 * 1024];
    let mut rest = bytes;
    while rest > 0 {
        let now = piece.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        if write(&stream, &piece[..now]).is_err() {
            return eprintln!("nobody reads after {} bytes", bytes - rest);
        }
        rest -= now as u64;
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}
