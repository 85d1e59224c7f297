//! Sends a request's body back while it comes, with its `content-type`: `/` through a buffer of its own, `/pass` as the stream
//! that it came as, which this program sees no byte of, `/trailers` is as `/` and sends the trailers back too. A body that
//! breaks off breaks the answer off.

use http_p3::{Asked, answer, body, copy, service, taken};
use wasip3::http::types::{ErrorCode, Fields, Request, Response};

service!(echo);

async fn echo(request: Request) -> Result<Response, ErrorCode> {
    let asked = Asked::of(&request);
    let headers = Fields::new();
    // `trailer` names those that come: some hosts send no others.
    for name in ["content-type", "trailer"] {
        headers.set(name, &request.get_headers().get(name)).expect("what came can go");
    }
    let (mut stream, end) = taken(request);
    if asked.path == "/pass" {
        return Ok(answer(200, headers, (stream, end)));
    }
    let copied = body(|mut writer| async move {
        copy(&mut stream, &mut writer).await;
        drop((stream, writer));
        let trailers = end.await?;
        Ok(if asked.path == "/trailers" { trailers } else { None })
    });
    Ok(answer(200, headers, copied))
}
