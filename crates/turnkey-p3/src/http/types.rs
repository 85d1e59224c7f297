//! Types of `wasi:http/types`, and how what a guest writes of a request becomes what a request has: syntax is looked at when it is
//! written, and whether it can be sent when it is sent, as the standard says.

use turnkey_http::http::Method as CoreMethod;
use turnkey_http::http::uri::{Authority, PathAndQuery, Scheme as CoreScheme};
use wasmtime::component::{ComponentType, Lift, Lower};

/// Bytes that a method or a scheme may have. Bounds what the host holds; registered ones have at most 17.
const LONGEST_NAME: usize = 64;

/// Bytes that an authority may have: a host's name has at most 253.
const LONGEST_AUTHORITY: usize = 1024;

/// Bytes that a path with its query may have: a URI of 64 KiB is longer than any server takes.
const LONGEST_PATH: usize = u16::MAX as usize - 1;

/// `method`
#[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq)]
#[component(variant)]
pub(crate) enum Method {
    #[component(name = "get")]
    Get,
    #[component(name = "head")]
    Head,
    #[component(name = "post")]
    Post,
    #[component(name = "put")]
    Put,
    #[component(name = "delete")]
    Delete,
    #[component(name = "connect")]
    Connect,
    #[component(name = "options")]
    Options,
    #[component(name = "trace")]
    Trace,
    #[component(name = "patch")]
    Patch,
    #[component(name = "other")]
    Other(String),
}

impl From<&CoreMethod> for Method {
    fn from(method: &CoreMethod) -> Self {
        match *method {
            CoreMethod::GET => Method::Get,
            CoreMethod::HEAD => Method::Head,
            CoreMethod::POST => Method::Post,
            CoreMethod::PUT => Method::Put,
            CoreMethod::DELETE => Method::Delete,
            CoreMethod::CONNECT => Method::Connect,
            CoreMethod::OPTIONS => Method::Options,
            CoreMethod::TRACE => Method::Trace,
            CoreMethod::PATCH => Method::Patch,
            ref other => Method::Other(other.as_str().to_owned()),
        }
    }
}

impl Method {
    /// `None`: it is no token.
    pub(crate) fn parse(self) -> Option<CoreMethod> {
        Some(match self {
            Method::Get => CoreMethod::GET,
            Method::Head => CoreMethod::HEAD,
            Method::Post => CoreMethod::POST,
            Method::Put => CoreMethod::PUT,
            Method::Delete => CoreMethod::DELETE,
            Method::Connect => CoreMethod::CONNECT,
            Method::Options => CoreMethod::OPTIONS,
            Method::Trace => CoreMethod::TRACE,
            Method::Patch => CoreMethod::PATCH,
            Method::Other(token) if token.len() <= LONGEST_NAME => CoreMethod::from_bytes(token.as_bytes()).ok()?,
            Method::Other(_) => return None,
        })
    }
}

/// `scheme`
#[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq)]
#[component(variant)]
pub(crate) enum Scheme {
    #[component(name = "HTTP")]
    Http,
    #[component(name = "HTTPS")]
    Https,
    #[component(name = "other")]
    Other(String),
}

impl From<&CoreScheme> for Scheme {
    fn from(scheme: &CoreScheme) -> Self {
        match scheme.as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => Scheme::Other(other.to_owned()),
        }
    }
}

impl Scheme {
    /// `None`: it is none (RFC 3986, section 3.1).
    pub(crate) fn parse(self) -> Option<CoreScheme> {
        let written = match self {
            Scheme::Http => return Some(CoreScheme::HTTP),
            Scheme::Https => return Some(CoreScheme::HTTPS),
            Scheme::Other(written) => written,
        };
        if written.eq_ignore_ascii_case("http") {
            return Some(CoreScheme::HTTP);
        }
        if written.eq_ignore_ascii_case("https") {
            return Some(CoreScheme::HTTPS);
        }
        let is_scheme = written.len() <= LONGEST_NAME
            && written.starts_with(|first: char| first.is_ascii_alphabetic())
            && written.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if is_scheme { CoreScheme::try_from(written.as_str()).ok() } else { None }
    }
}

/// An authority: `[userinfo@]host[:port]`. `None`: it is none.
pub(crate) fn authority(written: &str) -> Option<Authority> {
    if written.len() > LONGEST_AUTHORITY {
        return None;
    }
    let named = written.rsplit_once('@').map_or(written, |(_, named)| named);
    // The colons of an address of version 6 are in brackets.
    let (host, port) = match named.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (named, None),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if host.is_empty() || !port.is_none_or(is_port) {
        return None;
    }
    Authority::try_from(written).ok()
}

/// A path and a query, in whatever form a guest wrote them.
#[derive(Debug)]
pub(crate) struct Path {
    path: PathAndQuery,
    /// The first slash is not the guest's.
    is_relative: bool,
}

impl From<PathAndQuery> for Path {
    fn from(path: PathAndQuery) -> Self {
        Path { path, is_relative: false }
    }
}

impl Path {
    /// `None`: no request has this.
    pub(crate) fn parse(written: &str) -> Option<Self> {
        // What comes after `#` would be cut off.
        if written.len() > LONGEST_PATH || written.contains('#') {
            return None;
        }
        if written.is_empty() {
            return Some(PathAndQuery::from_static("/").into());
        }
        if written.starts_with(['/', '?']) || written == "*" {
            return PathAndQuery::try_from(written).ok().map(Path::from);
        }
        let path = PathAndQuery::try_from(format!("/{written}")).ok()?;
        Some(Path { path, is_relative: true })
    }

    /// As it was written; nothing as a slash.
    pub(crate) fn as_str(&self) -> &str {
        &self.path.as_str()[usize::from(self.is_relative)..]
    }

    /// As it is sent. `None`: it cannot be, and an absolute form least of all: somebody else would answer it.
    pub(crate) fn into_sendable(self, method: &CoreMethod) -> Option<PathAndQuery> {
        match self.as_str().as_bytes() {
            [b'/', ..] => Some(self.path),
            [b'?', ..] => PathAndQuery::try_from(format!("/{}", self.as_str())).ok(),
            b"*" if method == CoreMethod::OPTIONS => Some(self.path),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_has_a_host_and_a_port_is_a_number() {
        for right in ["a", "a:80", "1.2.3.4:0", "[2001:db8::1]", "[::1]:8080", "user:word@a:1"] {
            assert_eq!(authority(right).map(|it| it.as_str().to_owned()), Some(right.to_owned()));
        }
        let long = "a".repeat(LONGEST_AUTHORITY + 1);
        for wrong in ["", ":80", "a:", "a:b", "a:65536", "a:+1", "::", "@", "u@", "a/b", "a?b", "a#b", "a b", &long] {
            assert_eq!(authority(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_path_to_send_begins_with_a_slash() {
        let sent = |written: &str, method: CoreMethod| {
            Path::parse(written).unwrap().into_sendable(&method).map(|path| path.as_str().to_owned())
        };
        for (written, path) in [("/a?b", "/a?b"), ("?b", "/?b"), ("", "/"), ("//evil/", "//evil/")] {
            assert_eq!(sent(written, CoreMethod::GET).as_deref(), Some(path), "{written}");
        }
        assert_eq!(sent("*", CoreMethod::OPTIONS).as_deref(), Some("*"));
        for written in ["*", "a", "../..", "http://evil/", "evil:80"] {
            assert_eq!(Path::parse(written).unwrap().as_str(), written);
            assert_eq!(sent(written, CoreMethod::GET), None, "{written}");
        }
        for wrong in ["/#a", "/ ", "/\n", "/\r\nhost: evil", "a b"] {
            assert!(Path::parse(wrong).is_none(), "{wrong}");
        }
        assert!(Path::parse(&"/".repeat(LONGEST_PATH)).is_some());
        assert!(Path::parse(&"/".repeat(LONGEST_PATH + 1)).is_none());
    }

    #[test]
    fn a_scheme_is_the_same_in_any_letters() {
        let parse = |written: &str| Scheme::Other(written.to_owned()).parse();
        assert_eq!(parse("HTTPS"), Some(CoreScheme::HTTPS));
        assert_eq!(parse("Http"), Some(CoreScheme::HTTP));
        assert_eq!(parse("a+b").map(|scheme| Scheme::from(&scheme)), Some(Scheme::Other("a+b".to_owned())));
        let long = "a".repeat(LONGEST_NAME + 1);
        for wrong in ["", "1a", "a b", "a:", "ä", &long] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
