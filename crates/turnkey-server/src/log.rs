//! What a server writes: a line for each request, if that is asked for; for each that failed, why; and what guests write.
//!
//! Each line is written at once and whole. Text that a guest or a client controls is escaped. What was refused and what failed
//! of late is kept, for whoever looks at the page.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode, Version};
use turnkey::host::clock::{HostClock, now};
use turnkey::{Exit, Limit, Refusal, Trapped};

use crate::metrics::{Failure, Met, Metrics};

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

/// How often it is told that connections wait for a descriptor of the host's: each time they are tried, it is found anew.
const NO_DESCRIPTOR_MS: u64 = 60_000;

/// Frames of a backtrace that fit into a line.
const FRAMES: usize = 3;

/// What is kept for the page: so many of each, and of what a guest asked for, so many letters.
const KEPT: usize = 16;
const KEPT_LETTERS: usize = 300;

/// Where lines go: standard error.
#[derive(Debug)]
pub(crate) struct Log {
    access: AccessLog,
    metrics: Arc<Metrics>,
    began_ms: u64,
    /// Instances that have been numbered.
    numbered: AtomicU64,
    told: Mutex<HashSet<(&'static str, Cow<'static, str>)>>,
    /// When it was told last that no descriptor is left, in milliseconds since 1970; 0: never.
    no_descriptor_ms: AtomicU64,
    recent: Mutex<Recent>,
}

/// What happened of late, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    pub(crate) refusals: VecDeque<LastRefusal>,
    pub(crate) faults: VecDeque<LastFault>,
}

/// A refusal, and when it came last.
#[derive(Debug)]
pub(crate) struct LastRefusal {
    pub(crate) at_ms: u64,
    pub(crate) count: u64,
    pub(crate) call: &'static str,
    pub(crate) asked: String,
    pub(crate) grant: String,
}

/// A line that told of a fault.
#[derive(Debug)]
pub(crate) struct LastFault {
    pub(crate) at_ms: u64,
    pub(crate) what: String,
}

/// Why a guest has ended, in words, and what its client is told.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) failure: Failure,
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
        Fault {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            failure: Failure::NoAnswer,
            what: "the guest gave no response".to_owned(),
        }
    }

    pub(crate) fn of_host(error: &turnkey::Error) -> Self {
        Fault { status: StatusCode::SERVICE_UNAVAILABLE, failure: Failure::Host, what: error.to_string() }
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
        let failure = match exit {
            Exit::Status(_) => Failure::Exit,
            Exit::Stopped(_) => Failure::Limit,
            Exit::Trapped(_) => Failure::Trap,
        };
        Fault { status: StatusCode::INTERNAL_SERVER_ERROR, failure, what }
    }
}

/// Whether a letter is one that neither moves a cursor, nor turns a line around, nor hides.
fn is_plain(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Text of plain letters.
fn escaped(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_plain(letter) {
            escaped.push(letter);
        } else {
            escaped.extend(letter.escape_default());
        }
    }
    Cow::Owned(escaped)
}

/// JSON of plain letters. Those that are not are in strings, and none takes more than one unit of UTF-16.
fn escaped_json(json: &serde_json::Value) -> String {
    let json = json.to_string();
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_plain(letter) {
            escaped.push(letter);
        } else {
            let _ = write!(escaped, "\\u{:04x}", u32::from(letter));
        }
    }
    escaped
}

/// As many letters as are kept, and whether there were more.
fn cut(text: &str) -> String {
    match text.char_indices().nth(KEPT_LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn keep<T>(kept: &mut VecDeque<T>, newest: T) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(newest);
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    now(HostClock::Realtime) / 1_000_000
}

impl Log {
    pub(crate) fn new(access: AccessLog, metrics: &Arc<Metrics>) -> Self {
        Log {
            access,
            metrics: Arc::clone(metrics),
            began_ms: now_ms(),
            numbered: AtomicU64::new(0),
            told: Mutex::default(),
            no_descriptor_ms: AtomicU64::new(0),
            recent: Mutex::default(),
        }
    }

    pub(crate) const fn began_ms(&self) -> u64 {
        self.began_ms
    }

    /// What happened of late.
    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for an instance: the lines that it writes, each on its own, are known by it.
    pub(crate) fn number(&self) -> u64 {
        self.numbered.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Writes a line; where nobody takes it, nobody is told.
    #[expect(clippy::unused_self, reason = "where lines go is the log's")]
    pub(crate) fn line(&self, line: &str) {
        let line = format!("{line}\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    fn failed(&self, failure: Failure, what: &str) {
        self.metrics.failed(failure);
        keep(&mut self.recent().faults, LastFault { at_ms: now_ms(), what: cut(what) });
        self.line(&escaped(&format!("error: {what}")));
    }

    /// A request has failed.
    pub(crate) fn fault(&self, asked: &Asked, status: StatusCode, failure: Failure, what: &str) {
        let path = asked.path.as_ref().map_or("", PathAndQuery::as_str);
        self.failed(failure, &format!("{} {path}: {what} ({})", asked.method, status.as_u16()));
    }

    /// A guest has failed when its answer was there already.
    pub(crate) fn fault_after_answer(&self, fault: &Fault) {
        self.failed(fault.failure, &format!("after its response, {}", fault.what));
    }

    /// The same, because of the time that it took.
    pub(crate) fn late_after_answer(&self) {
        self.metrics.limit_met(Met::Guest(Limit::Timeout));
        self.failed(Failure::Limit, "after its response, the guest was stopped by `--timeout`");
    }

    /// An instance has failed, with all requests that it had.
    pub(crate) fn fault_of_instance(&self, fault: &Fault) {
        self.failed(fault.failure, &fault.what);
    }

    /// The app has been loaded anew.
    pub(crate) fn reloaded(&self) {
        self.metrics.reloaded(true);
        self.line("note: the app was loaded anew");
    }

    /// The app has not been loaded anew; why.
    pub(crate) fn not_reloaded(&self, why: &str) {
        self.metrics.reloaded(false);
        self.line(&escaped(&format!("error: the app was not loaded anew: {why}")));
    }

    /// Connections wait, as the host has no descriptor left for them.
    pub(crate) fn no_descriptor_left(&self) {
        let (now, last) = (now_ms(), self.no_descriptor_ms.load(Ordering::Relaxed));
        let is_due = now.saturating_sub(last) >= NO_DESCRIPTOR_MS;
        // One of the threads tells it.
        let swap = |last| self.no_descriptor_ms.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed);
        if is_due && swap(last).is_ok() {
            self.line("error: connections wait, as no descriptor is left for them: more are allowed by `ulimit -n`");
        }
    }

    /// A line that a guest has written.
    pub(crate) fn guest_line(&self, instance: u64, stream: &'static str, line: &[u8]) {
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        self.line(&format!("#{instance} {stream} | {}", escaped(&line)));
    }

    /// A guest has written as much as it may.
    pub(crate) fn output_is_full(&self, instance: u64, stream: &'static str) {
        self.metrics.limit_met(Met::Output);
        self.line(&format!("#{instance} {stream} | … (the rest is left out: `--max-output-bytes`)"));
    }

    /// Something was refused to a guest: each kind is told once.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.metrics.refused(refusal);
        let asked = String::from_utf8_lossy(&refusal.asked);
        self.keep_refusal(refusal, cut(&asked));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= KINDS_OF_REFUSALS || !told.insert((refusal.call, refusal.grant.clone())) {
            return;
        }
        let is_last = told.len() == KINDS_OF_REFUSALS;
        drop(told);
        let line = format!("refused: `{}` asked for `{asked}`; allowed by: {}", refusal.call, refusal.grant);
        self.line(&escaped(&line));
        if is_last {
            self.line("note: other refusals are counted and not told: there are too many kinds");
        }
    }

    fn keep_refusal(&self, refusal: &Refusal, asked: String) {
        let (call, grant, mut count) = (refusal.call, cut(&refusal.grant), refusal.count);
        let refusals = &mut self.recent().refusals;
        let is_same = |kept: &LastRefusal| (kept.call, &kept.asked, &kept.grant) == (call, &asked, &grant);
        if let Some(same) = refusals.iter().position(is_same).and_then(|place| refusals.remove(place)) {
            count += same.count;
        }
        keep(refusals, LastRefusal { at_ms: now_ms(), count, call, asked, grant });
    }

    /// A request is over.
    pub(crate) fn access(&self, asked: &Asked, status: StatusCode, bytes: u64, duration_ns: u64) {
        if self.access == AccessLog::None {
            return;
        }
        let time = humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms()));
        let path = asked.path.as_ref().map_or("", PathAndQuery::as_str);
        let traceparent = asked.traceparent.as_ref().and_then(|value| value.to_str().ok());
        let (peer, method, version, status) = (asked.peer, &asked.method, asked.version, status.as_u16());
        let milliseconds = duration_ns as f64 / 1e6;
        if self.access == AccessLog::Json {
            let line = serde_json::json!({
                "time": time.to_string(),
                "peer": peer.to_string(),
                "method": method.as_str(),
                "path": path,
                "version": format!("{version:?}"),
                "status": status,
                "bytes": bytes,
                "duration_ms": milliseconds,
                "traceparent": traceparent,
            });
            return self.line(&escaped_json(&line));
        }
        let mut line = format!("{time} {peer} {method} {path} {version:?} {status} {bytes}B {milliseconds:.3}ms");
        if let Some(traceparent) = traceparent {
            let _ = write!(line, " traceparent={traceparent}");
        }
        self.line(&escaped(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\n\r\t\u{1b}[31m\u{7f}\u{9b}\u{202e}\u{2066}\u{2028}\u{feff}\"\\é🦀";

    #[test]
    fn what_moves_a_cursor_or_turns_a_line_is_written_out() {
        assert_eq!(escaped(HOSTILE), r#"a\n\r\t\u{1b}[31m\u{7f}\u{9b}\u{202e}\u{2066}\u{2028}\u{feff}"\é🦀"#);
        assert!(matches!(escaped("as it is: é🦀"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_says_the_same_in_plain_letters() {
        let value = serde_json::json!({ "path": HOSTILE });
        let json = escaped_json(&value);
        assert!(json.chars().all(is_plain), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_newest_is_last() {
        let log = Log::new(AccessLog::None, &Arc::default());
        let refusal = |asked: String| Refusal { call: "open-at", asked: asked.into(), grant: "--dir".into(), count: 2 };
        for number in 0..100 {
            log.refused(&refusal(format!("{number}")));
        }
        log.refused(&refusal("90".to_owned()));
        log.refused(&refusal("é".repeat(4096)));
        let recent = log.recent();
        assert_eq!(recent.refusals.len(), KEPT);
        let last = recent.refusals.back().unwrap();
        assert_eq!((last.asked.chars().count(), last.count), (KEPT_LETTERS + 1, 2));
        let before = &recent.refusals[KEPT - 2];
        assert_eq!((before.asked.as_str(), before.count), ("90", 4));
    }
}
