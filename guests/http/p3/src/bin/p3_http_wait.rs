//! Waits `?ms=N` for a timer, then answers: for a bench of many requests that wait at once.

use http_p3::{Asked, service, text};
use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::http::types::{ErrorCode, Request, Response};

service!(wait);

async fn wait(request: Request) -> Result<Response, ErrorCode> {
    wait_for(Asked::of(&request).number("ms", 0) * 1_000_000).await;
    Ok(text(200, "waited\n"))
}
