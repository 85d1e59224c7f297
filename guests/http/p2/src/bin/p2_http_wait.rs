//! Waits `?ms=N` for a timer, then answers: for a bench of many requests that wait at once.

use http_p2::{Asked, service, text};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

service!(wait);

fn wait(request: IncomingRequest, out: ResponseOutparam) {
    let ms = Asked::of(&request).number("ms", 0);
    subscribe_duration(ms * 1_000_000).block();
    text(out, 200, "waited\n");
}
