//! The least that answers a request: 200, a `content-type`, a line of text, which a task writes while the host sends it. It has
//! nothing to do but what the host does, so a bench takes it to compare hosts.

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{spawn_local, wit_future, wit_stream};

struct Hello;

impl Guest for Hello {
    async fn handle(_: Request) -> Result<Response, ErrorCode> {
        let headers = Fields::new();
        headers.append("content-type", b"text/plain").unwrap();
        let (mut writer, body) = wit_stream::new();
        // Whose writer is dropped gives what was said here: no trailers.
        let (_, trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(headers, Some(body), trailers);
        spawn_local(async move {
            writer.write_all(b"hello\n".to_vec()).await;
        });
        Ok(response)
    }
}

wasip3::http::service::export!(Hello);

fn main() {}
