//! What a server writes: a line for each request, if that is asked for; for each that failed, why; and what guests write.
//!
//! Each line is written at once and whole. Text that a guest or a client controls is escaped.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode, Version};
use turnkey::host::clock::{HostClock, now};
use turnkey::{Exit, Limit, Refusal, Trapped};

/// What is written of each request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLog {
    /// Nothing, unless something is wrong.
    #[default]
    None,
    /// A line for people.
    Text,
    /// A line for programs.
    Json,
}

/// Kinds of refusals that are told, each once; beyond them they are only counted.
const KINDS_OF_REFUSALS: usize = 256;

/// Frames of a backtrace that fit into a line.
const FRAMES: usize = 3;

/// Where lines go: standard error.
#[derive(Debug)]
pub(crate) struct Log {
    access: AccessLog,
    told: Mutex<HashSet<(&'static str, Cow<'static, str>)>>,
}

/// Why a guest has ended, in words, and what its client is told.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) what: String,
}

/// A request, as much of it as a line says.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) peer: SocketAddr,
    pub(crate) method: Method,
    pub(crate) path: Option<PathAndQuery>,
    pub(crate) version: Version,
    pub(crate) traceparent: Option<HeaderValue>,
    pub(crate) began_ns: u64,
}

impl Fault {
    pub(crate) fn no_response() -> Self {
        Fault { status: StatusCode::INTERNAL_SERVER_ERROR, what: "the guest gave no response".to_owned() }
    }

    pub(crate) fn of_host(error: &turnkey::Error) -> Self {
        Fault { status: StatusCode::SERVICE_UNAVAILABLE, what: error.to_string() }
    }

    pub(crate) fn of_guest(exit: &Exit, met: Option<Limit>) -> Self {
        let mut what = match exit {
            Exit::Status(status) => format!("the guest ended itself, with status {status}"),
            Exit::Stopped(limit) => format!("the guest was stopped by `{}`", limit.flag()),
            Exit::Trapped(Trapped { message, backtrace }) => {
                let frames = backtrace.iter().take(FRAMES).map(|frame| format!(", in {frame}"));
                format!("the guest trapped: {message}{}", frames.collect::<String>())
            }
        };
        if let (Some(limit), false) = (met, matches!(exit, Exit::Stopped(_))) {
            what.push_str(&format!(" (it had met `{}`)", limit.flag()));
        }
        Fault { status: StatusCode::INTERNAL_SERVER_ERROR, what }
    }
}

/// Text without what moves a cursor or turns a line around.
fn escaped(text: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| !letter.is_control() && !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().flat_map(|letter| {
        let (plain, escaped) = if is_plain(letter) { (Some(letter), None) } else { (None, Some(letter.escape_default())) };
        plain.into_iter().chain(escaped.into_iter().flatten())
    }).collect())
}

impl Log {
    pub(crate) fn new(access: AccessLog) -> Self {
        Log { access, told: Mutex::default() }
    }

    /// Writes a line; where nobody takes it, nobody is told.
    #[expect(clippy::unused_self, reason = "where lines go is the log's")]
    pub(crate) fn line(&self, line: &str) {
        let line = format!("{line}\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    /// A request has failed.
    pub(crate) fn fault(&self, asked: &Asked, status: StatusCode, what: &str) {
        let path = asked.path.as_ref().map_or("", PathAndQuery::as_str);
        let line = format!("error: {} {path}: {what} ({})", asked.method, status.as_u16());
        self.line(&escaped(&line));
    }

    /// A guest has failed when its answer was there already.
    pub(crate) fn fault_after_answer(&self, fault: &Fault) {
        self.line(&escaped(&format!("error: after its response, {}", fault.what)));
    }

    /// An instance has failed, with all requests that it had.
    pub(crate) fn fault_of_instance(&self, fault: &Fault) {
        self.line(&escaped(&format!("error: {}", fault.what)));
    }

    /// A line that a guest has written.
    pub(crate) fn guest_line(&self, stream: &'static str, line: &[u8]) {
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        self.line(&format!("{stream} | {}", escaped(&line)));
    }

    pub(crate) fn output_is_full(&self, stream: &'static str) {
        self.line(&format!("{stream} | … (the rest is left out: `--max-output-bytes`)"));
    }

    /// Something was refused to a guest: each kind is told once.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= KINDS_OF_REFUSALS || !told.insert((refusal.call, refusal.grant.clone())) {
            return;
        }
        drop(told);
        let asked = String::from_utf8_lossy(&refusal.asked);
        let line = format!("refused: `{}` asked for `{asked}`; allowed by: {}", refusal.call, refusal.grant);
        self.line(&escaped(&line));
    }

    /// A request is over.
    pub(crate) fn access(&self, asked: &Asked, status: StatusCode, bytes: u64, duration_ns: u64) {
        let path = asked.path.as_ref().map_or("", PathAndQuery::as_str);
        let milliseconds = duration_ns as f64 / 1e6;
        match self.access {
            AccessLog::None => {}
            AccessLog::Text => {
                let (peer, method, version, status) = (asked.peer, &asked.method, asked.version, status.as_u16());
                let line = format!("{peer} {method} {path} {version:?} {status} {bytes} {milliseconds:.3}ms");
                self.line(&escaped(&line));
            }
            AccessLog::Json => {
                let traceparent = asked.traceparent.as_ref().and_then(|value| value.to_str().ok());
                let line = serde_json::json!({
                    "time_ms": now(HostClock::Realtime) / 1_000_000,
                    "peer": asked.peer.to_string(),
                    "method": asked.method.as_str(),
                    "path": path,
                    "version": format!("{:?}", asked.version),
                    "status": status.as_u16(),
                    "bytes": bytes,
                    "duration_ms": milliseconds,
                    "traceparent": traceparent,
                });
                self.line(&line.to_string());
            }
        }
    }
}
