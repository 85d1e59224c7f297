//! What a program can do to the host that has it answer requests: one thing a path, and `/ok` to see who is still alive. What
//! comes of it, where the answer cannot say it, is a line on standard error.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use http_p3::{Asked, answer, body, code, complain, fields, header_code, listed, print, service, text};
use wasip3::cli::environment::get_environment;
use wasip3::cli::exit::exit;
use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::spawn_local;

service!(handle);

/// How often this instance has been asked to count.
static COUNT: AtomicU64 = AtomicU64::new(0);

async fn handle(request: Request) -> Result<Response, ErrorCode> {
    let asked = Asked::of(&request);
    Ok(match asked.path.as_str() {
        "/ok" => text(200, "ok\n"),
        // How it ends.
        "/trap" => std::arch::wasm32::unreachable(),
        "/exit" => {
            exit(if asked.number("code", 1) == 0 { Ok(()) } else { Err(()) });
            text(500, "still there\n")
        }
        "/loop" => {
            compute(u64::MAX);
            text(500, "computed\n")
        }
        "/sleep" => {
            wait_for(u64::MAX).await;
            text(500, "slept\n")
        }
        "/error" => return Err(ErrorCode::HttpRequestDenied),
        "/early" => {
            spawn_local(async {
                // By then the answer is under way.
                wait_for(100_000_000).await;
                compute(1_000_000);
                complain("after the response\n").await;
            });
            text(200, "early\n")
        }
        "/late-trap" => {
            spawn_local(async {
                wait_for(100_000_000).await;
                std::arch::wasm32::unreachable();
            });
            text(200, "late\n")
        }
        // What it takes.
        "/headers" => headers(),
        "/memory" => memory(),
        "/output" => output().await,
        "/print" => {
            print("to standard output\n").await;
            complain("to standard error\n").await;
            text(200, "printed\n")
        }
        // What it gives.
        "/status" => {
            let code = u16::try_from(asked.number("code", 200)).expect("a status");
            text(code, format!("{code}\n"))
        }
        "/short" => promised("10", b"short"),
        "/long" => promised("5", b"0123456789"),
        "/unfinished" => {
            let broken = body(|mut writer| async move {
                writer.write_all(b"begun\n".to_vec()).await;
                Err(ErrorCode::InternalError(Some("broken off".to_owned())))
            });
            answer(200, Fields::new(), broken)
        }
        "/slow" => slow(asked.number("chunks", 20), asked.number("ms", 100)),
        "/big" => big(asked.number("bytes", 0)),
        // What it keeps.
        "/count" => text(200, format!("{}\n", 1 + COUNT.fetch_add(1, Ordering::Relaxed))),
        // What it was given.
        "/headers-echo" => {
            let scheme = request.get_scheme().map_or_else(String::new, |scheme| format!("{scheme:?}"));
            let authority = request.get_authority().unwrap_or_default();
            let path = request.get_path_with_query().unwrap_or_default();
            let method = request.get_method();
            let headers = listed(&request.get_headers());
            text(200, format!("{method:?}\n{path}\n{scheme}\n{authority}\n{headers}"))
        }
        "/env" => {
            let variables = get_environment().into_iter();
            text(200, variables.map(|(name, value)| format!("{name}={value}\n")).collect::<String>())
        }
        _ => text(404, "no such path\n"),
    })
}

fn compute(turns: u64) {
    for turn in 0..turns {
        black_box(turn);
    }
}

/// Until the host takes no more.
fn headers() -> Response {
    let headers = Fields::new();
    let value = [b'v'; 1024];
    let mut count = 0_u64;
    loop {
        if let Err(error) = headers.append(&format!("x-{count}"), &value) {
            return text(200, format!("{} after {count}\n", header_code(&error)));
        }
        count += 1;
    }
}

/// Until the allocation fails, which traps.
fn memory() -> Response {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Until it cannot be written.
async fn output() -> Response {
    let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
    while print(line.clone()).await {}
    text(500, "no output any more\n")
}

/// A body of another length than was said.
fn promised(length: &str, bytes: &'static [u8]) -> Response {
    let (stream, end) = body(|mut writer| async move {
        writer.write_all(bytes.to_vec()).await;
        Ok(None)
    });
    let (response, sent) = Response::new(fields([("content-length", length)]), Some(stream), end);
    spawn_local(async move {
        let said = sent.await.map_or_else(|error| code(&error), |()| "ok".to_owned());
        complain(format!("sent: {said}\n")).await;
    });
    response
}

fn slow(chunks: u64, ms: u64) -> Response {
    let slow = body(move |mut writer| async move {
        for chunk in 0..chunks {
            wait_for(ms * 1_000_000).await;
            if !writer.write_all(format!("{chunk}\n").into_bytes()).await.is_empty() {
                complain(format!("nobody reads after {chunk} chunks\n")).await;
                break;
            }
        }
        Ok(None)
    });
    answer(200, Fields::new(), slow)
}

fn big(bytes: u64) -> Response {
    let big = body(move |mut writer| async move {
        let mut rest = bytes;
        while rest > 0 {
            let now = usize::try_from(rest).unwrap_or(usize::MAX).min(64 * 1024);
            if !writer.write_all(vec![b'b'; now]).await.is_empty() {
                complain(format!("nobody reads after {} bytes\n", bytes - rest)).await;
                break;
            }
            rest -= now as u64;
        }
        Ok(None)
    });
    answer(200, Fields::new(), big)
}
