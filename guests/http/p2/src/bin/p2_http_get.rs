//! `p2_http_get URL [METHOD] [BODY]`: sends a request, and prints the answer's status, a line for each header, an empty line, and
//! the body. Where there is none, it prints the error's code and ends with status 1.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use http_p2::{code, exchange, listed, request, stream_code, write};
use wasip2::http::types::Fields;
use wasip2::io::streams::StreamError;

fn main() -> ExitCode {
    match get() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn get() -> Result<(), String> {
    let mut words = env::args().skip(1);
    let url = words.next().ok_or("usage: p2_http_get URL [METHOD] [BODY]")?;
    let method = words.next().unwrap_or_else(|| "GET".to_owned());
    let sent = request(&method, &url, Fields::new())?;
    let response = exchange(sent, None, |output| write(output, words.next().unwrap_or_default().as_bytes()));
    let response = response.map_err(|error| code(&error))?;
    print!("{}\n{}\n", response.status(), listed(&response.headers()));
    let body = response.consume().expect("the first time");
    let stream = body.stream().expect("the first time");
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(piece) => io::stdout().write_all(&piece).map_err(|error| error.to_string())?,
            Err(StreamError::Closed) => return Ok(()),
            Err(error) => return Err(stream_code(&error)),
        }
    }
}
