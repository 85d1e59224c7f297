//! `p3_http_get URL [METHOD] [BODY]`: sends a request, and prints the answer's status, a line for each header, an empty line, and
//! the body, from one stream to the other. Where there is none, it prints the error's code and ends with status 1.

use http_p3::{body, code, listed, print, request};
use wasip3::cli::environment::get_arguments;
use wasip3::cli::stdout;
use wasip3::exports::cli::run::Guest;
use wasip3::http::client::send;
use wasip3::http::types::{Fields, Response};
use wasip3::wit_future;

struct Get;

impl Guest for Get {
    async fn run() -> Result<(), ()> {
        let Err(why) = get().await else { return Ok(()) };
        print(format!("{why}\n")).await;
        Err(())
    }
}

async fn get() -> Result<(), String> {
    let mut words = get_arguments().into_iter().skip(1);
    let url = words.next().ok_or("usage: p3_http_get URL [METHOD] [BODY]")?;
    let method = words.next().unwrap_or_else(|| "GET".to_owned());
    let body = words.next().map(|text| {
        body(|mut writer| async move {
            writer.write_all(text.into_bytes()).await;
            Ok(None)
        })
    });
    let sent = request(&method, &url, Fields::new(), body, None)?;
    let response = send(sent).await.map_err(|error| code(&error))?;
    print(format!("{}\n{}\n", response.get_status_code(), listed(&response.get_headers()))).await;
    let (stream, end) = Response::consume_body(response, wit_future::new(|| Ok(())).1);
    stdout::write_via_stream(stream).await.map_err(|error| format!("{error:?}"))?;
    end.await.map_err(|error| code(&error))?;
    Ok(())
}

wasip3::cli::command::export!(Get);

fn main() {}
