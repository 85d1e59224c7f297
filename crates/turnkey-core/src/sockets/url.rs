//! Grants by URL, for outgoing HTTP: how one is written, what it covers, and where a request that it covers may go.
//!
//! Nothing here speaks HTTP. Whoever does asks [`Network::must_request`] about the authority that it connects to and the path
//! that it sends, as it sends it, and connects to what [`Destination::addresses`] says and to nothing else.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::address::{Reach, is_ipv4_in_disguise};
use super::lookup;
use super::name::{NamePattern, host_name};
use super::policy::Network;
use crate::ErrorCode;
use crate::audit::{Audit, Late};

/// `http=[METHOD ]URL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlGrant {
    /// `None`: any.
    method: Option<String>,
    is_https: bool,
    hosts: Hosts,
    /// `None`: any.
    port: Option<u16>,
    paths: Paths,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    Ip(IpAddr),
    Named(NamePattern),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Paths {
    Any,
    /// `/v1/status`: this one, with any query.
    Exact(String),
    /// `/v1/*`: what begins with `/v1/`.
    Below(String),
}

/// What a request asks for, as it is sent.
#[derive(Clone, Copy, Debug)]
pub struct AskedUrl<'a> {
    /// `GET`
    pub method: &'a str,
    /// Over TLS.
    pub is_https: bool,
    /// A name, or an address, that of IPv6 in brackets.
    pub host: &'a str,
    /// That which is connected to.
    pub port: u16,
    /// Without its query.
    pub path: &'a str,
}

/// Where a request goes that a grant covers.
#[derive(Debug)]
pub struct Destination {
    host: Host,
    port: u16,
    /// What the user says that the name stands for.
    known: Vec<IpAddr>,
    reachable: Reachable,
    is_https: bool,
    call: &'static str,
    late: Late,
}

#[derive(Debug)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

/// How far the grants of one request reach, taken together: each covers what those before it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reachable {
    /// By a pattern: whoever can choose a name below it can choose where it leads.
    Public,
    /// By an exact name.
    ButLinkLocal,
    /// By address, or `network`.
    All,
}

const fn scheme(is_https: bool) -> &'static str {
    if is_https { "https" } else { "http" }
}

const fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

impl UrlGrant {
    /// From what stands behind `--allow http=`: `GET https://api.example.com/v1/*`.
    ///
    /// # Errors
    /// What to type instead.
    pub fn parse(written: &str) -> Result<Self, String> {
        let (method, url) = match written.split_once(' ') {
            Some((method, url)) if !method.contains("://") => (Some(method_of(method)?), url.trim_start()),
            _ => (None, written),
        };
        let (is_https, rest) = if let Some(rest) = url.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = url.strip_prefix("http://") {
            (false, rest)
        } else if let Some((scheme, rest)) = url.split_once("://") {
            return Err(format!("`{scheme}` is no scheme of HTTP; type `https://{rest}` or `http://{rest}`"));
        } else {
            return Err(format!("`{url}` has no scheme; type `https://{url}` or `http://{url}`"));
        };
        if let Some(at) = rest.find(['?', '#']) {
            return Err(format!("a grant covers a path with any query; leave `{}` out", &rest[at..]));
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (hosts, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !authority.ends_with(']') && authority.parse::<Ipv6Addr>().is_err() => {
                (host, port_of(port)?)
            }
            _ => (authority, Some(default_port(is_https))),
        };
        Ok(UrlGrant { method, is_https, hosts: Hosts::parse(hosts)?, port, paths: Paths::parse(path)? })
    }

    fn covers(&self, asked: &AskedUrl<'_>, host: &Host) -> bool {
        let host_covered = match (&self.hosts, host) {
            (Hosts::Ip(granted), Host::Ip(ip)) => granted == ip,
            (Hosts::Named(NamePattern::Any), Host::Ip(_)) => true,
            (Hosts::Named(pattern), Host::Name(name)) => pattern.covers(name),
            _ => false,
        };
        host_covered
            && self.is_https == asked.is_https
            && self.port.is_none_or(|port| port == asked.port)
            && self.method.as_deref().is_none_or(|method| method == asked.method)
            && self.paths.cover(asked.path)
    }

    const fn reachable(&self) -> Reachable {
        match self.hosts {
            Hosts::Ip(_) => Reachable::All,
            Hosts::Named(NamePattern::Exact(_)) => Reachable::ButLinkLocal,
            Hosts::Named(NamePattern::Below(_) | NamePattern::Any) => Reachable::Public,
        }
    }
}

fn method_of(written: &str) -> Result<String, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if written.is_empty() || !written.bytes().all(is_token) || written == "*" {
        return Err(format!(
            "`{written}` is no method; type one as in `GET https://example.com`, or leave it out for all"
        ));
    }
    // Methods are told apart by their letters; those that are in use are large.
    let large = written.to_ascii_uppercase();
    if large != written {
        return Err(format!("`{written}` is no method that is in use; type `{large}`"));
    }
    Ok(large)
}

fn port_of(written: &str) -> Result<Option<u16>, String> {
    if written == "*" {
        return Ok(None);
    }
    let is_number = written.bytes().all(|byte| byte.is_ascii_digit());
    let port = written.parse().ok().filter(|&port: &u16| port != 0 && is_number);
    port.map(Some).ok_or_else(|| format!("`{written}` is no port; type a number from 1 to 65535, or `*`"))
}

impl Hosts {
    fn parse(written: &str) -> Result<Self, String> {
        if let Some(ip) = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let ip: Ipv6Addr =
                ip.parse().map_err(|_| format!("`{written}` is no IPv6 address; type one as in `[::1]`"))?;
            return match ip.to_ipv4().filter(|_| is_ipv4_in_disguise(ip)) {
                Some(ipv4) => Err(format!("`{written}` is an IPv4 address; type `{ipv4}`")),
                None => Ok(Hosts::Ip(IpAddr::V6(ip))),
            };
        }
        if written.parse::<Ipv6Addr>().is_ok() {
            return Err(format!("`{written}` is IPv6 without its brackets; type `[{written}]`"));
        }
        if let Ok(ip) = written.parse() {
            return Ok(Hosts::Ip(IpAddr::V4(ip)));
        }
        NamePattern::parse(written).map(Hosts::Named).ok_or_else(|| {
            format!(
                "`{written}` is no address and no name; type one as in `http://127.0.0.1`, `https://[::1]`, \
                 `https://example.com`, `https://*.example.com` or `https://*`"
            )
        })
    }
}

impl Paths {
    fn parse(written: &str) -> Result<Self, String> {
        let (path, below) = match written.strip_suffix("/*") {
            Some(path) => (path, true),
            None => (written, false),
        };
        if path.contains('*') {
            return Err(format!("`{written}` has a `*` elsewhere than at its end; type one as in `/v1/*`"));
        }
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) || is_ambiguous(path) {
            return Err(format!(
                "`{written}` is no path as it is sent; type one as in `/v1/*`, with no `.` or `..` in it"
            ));
        }
        Ok(match (path, below) {
            ("" | "/", _) => Paths::Any,
            (path, true) => Paths::Below(format!("{path}/")),
            (path, false) => Paths::Exact(String::from(path)),
        })
    }

    fn cover(&self, path: &str) -> bool {
        match self {
            Paths::Any => true,
            Paths::Exact(exact) => path == exact && !is_ambiguous(path),
            Paths::Below(prefix) => path.starts_with(prefix.as_str()) && !is_ambiguous(path),
        }
    }
}

/// Whether servers could take a path for another one than is written: with `.` or `..` as a segment, however it is encoded,
/// or with a parameter behind it; with a backslash, which some take for a slash; or with `//` in front, which some take for the
/// beginning of an authority.
fn is_ambiguous(path: &str) -> bool {
    if path.starts_with("//") {
        return true;
    }
    let mut path = Cow::Borrowed(path.as_bytes());
    // Some decode twice. What is still encoded after that is nothing that anybody means.
    for _ in 0..3 {
        let is_dots = |segment: &[u8]| {
            let segment = segment.split(|&byte| byte == b';').next();
            matches!(segment, Some(b"." | b".."))
        };
        if path.contains(&b'\\') || path.split(|&byte| byte == b'/').any(is_dots) {
            return true;
        }
        match decoded(&path) {
            Some(decoded) => path = Cow::Owned(decoded),
            None => return false,
        }
    }
    true
}

/// Without one layer of `%2e` and the like. `None`: there is none.
fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    let digit = |at: usize| path.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(path.len());
    let mut at = 0;
    while let Some(&byte) = path.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    (decoded.len() < path.len()).then_some(decoded)
}

impl std::fmt::Display for UrlGrant {
    /// As it is written behind `--allow`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("http=")?;
        if let Some(method) = &self.method {
            write!(formatter, "{method} ")?;
        }
        write!(formatter, "{}://", scheme(self.is_https))?;
        match &self.hosts {
            Hosts::Named(pattern) => pattern.fmt(formatter)?,
            Hosts::Ip(ip) => Written(*ip).fmt(formatter)?,
        }
        match self.port {
            None => formatter.write_str(":*")?,
            Some(port) if port == default_port(self.is_https) => {}
            Some(port) => write!(formatter, ":{port}")?,
        }
        match &self.paths {
            Paths::Any => Ok(()),
            Paths::Exact(path) => formatter.write_str(path),
            Paths::Below(prefix) => write!(formatter, "{prefix}*"),
        }
    }
}

/// An address as it stands in a URL.
struct Written(IpAddr);

impl std::fmt::Display for Written {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => ip.fmt(formatter),
            IpAddr::V6(ip) => write!(formatter, "[{ip}]"),
        }
    }
}

impl Host {
    fn parse(given: &str) -> Option<Self> {
        if let Some(ip) = given.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return ip.parse::<Ipv6Addr>().ok().map(|ip| Host::Ip(IpAddr::V6(ip).to_canonical()));
        }
        match given.parse() {
            Ok(ip) => Some(Host::Ip(IpAddr::V4(ip))),
            Err(_) => host_name(given).map(Host::Name),
        }
    }

    /// The grant for all that is there.
    fn grant(&self, is_https: bool, port: u16) -> UrlGrant {
        let hosts = match self {
            Host::Ip(ip) => Hosts::Ip(*ip),
            Host::Name(name) => Hosts::Named(NamePattern::Exact(name.clone())),
        };
        UrlGrant { method: None, is_https, hosts, port: Some(port), paths: Paths::Any }
    }
}

impl Reachable {
    fn covers(self, ip: IpAddr) -> bool {
        match self {
            Reachable::All => true,
            Reachable::ButLinkLocal => Reach::of(ip) != Reach::LinkLocal,
            Reachable::Public => Reach::of(ip) == Reach::Public,
        }
    }
}

impl Network {
    /// Checks that a grant covers a request, and says where it may go.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: its host is no name and no address. [`ErrorCode::Access`]: no grant covers it, which is
    /// recorded, with the grant that would.
    pub fn must_request(
        &self,
        audit: &mut Audit,
        call: &'static str,
        asked: &AskedUrl<'_>,
    ) -> Result<Destination, ErrorCode> {
        let AskedUrl { method, is_https, port, path, .. } = *asked;
        let host = Host::parse(asked.host).ok_or(ErrorCode::Invalid)?;
        let reachable = if self.everything {
            Some(Reachable::All)
        } else {
            self.urls.iter().filter(|grant| grant.covers(asked, &host)).map(UrlGrant::reachable).max()
        };
        let covered = |reachable: &Reachable| match host {
            Host::Ip(ip) => reachable.covers(ip),
            Host::Name(_) => true,
        };
        let Some(reachable) = reachable.filter(covered) else {
            // Without its path, which a guest may have written to be pasted into a shell.
            let grant = host.grant(is_https, port);
            let origin = grant.to_string();
            let origin = origin.strip_prefix("http=").unwrap_or_default();
            audit.refuse(call, format!("{method} {origin}{path}").as_bytes(), format!("--allow {grant}"));
            return Err(ErrorCode::Access);
        };
        let known = match &host {
            Host::Ip(_) => Vec::new(),
            Host::Name(name) => self.known(name),
        };
        Ok(Destination { host, port, known, reachable, is_https, call, late: audit.late() })
    }

    /// Certificates that are trusted besides the system's, as PEM.
    #[must_use]
    pub fn roots(&self) -> &[Vec<u8>] {
        &self.roots
    }
}

impl Destination {
    /// Whether the system's resolver has to be asked.
    #[must_use]
    pub const fn needs_look_up(&self) -> bool {
        matches!(self.host, Host::Name(_)) && self.known.is_empty()
    }

    /// Whether it may be at this address.
    #[must_use]
    pub fn covers(&self, ip: IpAddr) -> bool {
        self.reachable.covers(ip)
    }

    /// Where it is, what to try first in front: looked up now, if that is necessary, in an executor. The resolver's thread
    /// keeps `held` until it is done, even if nobody waits for it any more.
    ///
    /// # Errors
    /// [`ErrorCode::Access`]: only at addresses that its grant does not cover, which is recorded.
    /// [`ErrorCode::NameUnresolvable`], [`ErrorCode::TemporaryResolverFailure`], [`ErrorCode::PermanentResolverFailure`].
    pub async fn addresses(&self, held: impl Send + 'static) -> Result<Vec<SocketAddr>, ErrorCode> {
        let found = match &self.host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(_) if !self.known.is_empty() => self.known.clone(),
            Host::Name(name) => lookup::look_up(name.clone(), held).await?,
        };
        let covered = found.iter().filter(|ip| self.covers(**ip));
        let covered: Vec<SocketAddr> = covered.map(|ip| SocketAddr::new(*ip, self.port)).collect();
        match found.first() {
            None => Err(ErrorCode::NameUnresolvable),
            Some(&first) if covered.is_empty() => {
                self.refuse(first);
                Err(ErrorCode::Access)
            }
            Some(_) => Ok(covered),
        }
    }

    /// Records that the name leads to where its grant does not reach.
    fn refuse(&self, ip: IpAddr) {
        let grant = self.host.grant(self.is_https, self.port);
        let origin = grant.to_string();
        let origin = origin.strip_prefix("http=").unwrap_or_default();
        let asked = format!("{origin} at {ip}");
        if Reachable::ButLinkLocal.covers(ip) {
            self.late.refuse(self.call, asked.as_bytes(), format!("--allow {grant}"));
        } else {
            let why = "none: an address of the link is reached by a grant and a request by address";
            self.late.refuse(self.call, asked.as_bytes(), why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sockets::NetworkGrants;

    fn network(allowed: &[&str], hosts: &[(&str, &str)]) -> Network {
        let mut grants = NetworkGrants::default();
        for written in allowed {
            grants.allow(written).unwrap();
        }
        let hosts = hosts.iter().map(|(name, ip)| (String::from(*name), ip.parse().unwrap())).collect();
        Network::new(grants, hosts)
    }

    /// `GET http://host:port/path`, taken apart.
    fn asked(written: &str) -> AskedUrl<'_> {
        let (method, url) = written.split_once(' ').unwrap();
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let is_https = scheme == "https";
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !authority.ends_with(']') => (host, port.parse().unwrap()),
            _ => (authority, default_port(is_https)),
        };
        AskedUrl { method, is_https, host, port, path }
    }

    #[test]
    fn a_grant_is_written_as_it_was_read() {
        for written in [
            "http=https://example.com",
            "http=http://127.0.0.1:8080",
            "http=GET https://api.example.com/v1/*",
            "http=POST https://*.example.com:8443/v1/items",
            "http=https://*:*",
            "http=https://[::1]:8443/a",
            "http=https://[2001:db8::1]",
        ] {
            let grant = UrlGrant::parse(written.strip_prefix("http=").unwrap()).unwrap();
            assert_eq!(grant.to_string(), written);
        }
        for (written, read) in [
            ("http://Example.COM.:80/", "http=http://example.com"),
            ("https://example.com/*", "http=https://example.com"),
            ("http://example.com:443", "http=http://example.com:443"),
        ] {
            assert_eq!(UrlGrant::parse(written).unwrap().to_string(), read);
        }
    }

    #[test]
    fn what_is_no_grant_is_answered_with_what_to_type() {
        for (written, hint) in [
            ("", "`https://`"),
            ("example.com", "`https://example.com`"),
            ("ftp://example.com", "`https://example.com`"),
            ("get https://example.com", "`GET`"),
            ("* https://example.com", "leave it out"),
            (" https://example.com", "leave it out"),
            ("https://example.com/a?b=c", "`?b=c`"),
            ("https://example.com/a#b", "`#b`"),
            ("https://me@example.com", "`https://example.com`"),
            ("https://", "`https://example.com`"),
            ("https://1.2.3", "`http://127.0.0.1`"),
            ("https://::1", "`[::1]`"),
            ("https://[::1", "`https://[::1]`"),
            ("https://[1.2.3.4]", "`[::1]`"),
            ("https://[::ffff:1.2.3.4]", "`1.2.3.4`"),
            ("https://example.com:", "`*`"),
            ("https://example.com:0", "`*`"),
            ("https://example.com:+80", "`*`"),
            ("https://example.com:80-90", "`*`"),
            ("https://example.com/a/*/b", "`/v1/*`"),
            ("https://example.com/a*", "`/v1/*`"),
            ("https://example.com/a/../b", "`/v1/*`"),
            ("https://example.com//a", "`/v1/*`"),
            ("https://example.com/a b", "`/v1/*`"),
        ] {
            let error = UrlGrant::parse(written).unwrap_err();
            assert!(error.contains(hint), "{written}: {error}");
        }
    }

    #[test]
    fn a_grant_covers_its_method_origin_and_paths_and_no_more() {
        for (granted, requested, covered) in [
            ("http=http://example.com", "GET http://example.com/", true),
            ("http=http://example.com", "DELETE http://EXAMPLE.com./a/../b", true),
            ("http=http://example.com", "GET https://example.com/", false),
            ("http=http://example.com", "GET https://example.com:80/", false),
            ("http=http://example.com", "GET http://example.com:8080/", false),
            ("http=http://example.com", "GET http://www.example.com/", false),
            ("http=http://example.com", "GET http://example.com.evil.org/", false),
            ("http=http://example.com:*", "GET http://example.com:8080/", true),
            ("http=GET http://example.com", "GET http://example.com/", true),
            ("http=GET http://example.com", "POST http://example.com/", false),
            ("http=GET http://example.com", "get http://example.com/", false),
            ("http=https://*.example.com", "GET https://a.b.example.com/", true),
            ("http=https://*.example.com", "GET https://example.com/", false),
            ("http=https://*", "GET https://anything.org/", true),
            ("http=https://*", "GET https://1.1.1.1/", true),
            ("http=https://*", "GET https://127.0.0.1/", false),
            ("http=https://*", "GET https://[::ffff:169.254.169.254]/", false),
            ("http=http://127.0.0.1", "GET http://127.0.0.1/", true),
            ("http=http://127.0.0.1", "GET http://[::ffff:127.0.0.1]/", true),
            ("http=http://127.0.0.1", "GET http://[::1]/", false),
            ("http=http://127.0.0.1", "GET http://localhost/", false),
            ("http=http://localhost", "GET http://127.0.0.1/", false),
            ("http=http://169.254.169.254", "GET http://169.254.169.254/", true),
            ("network", "GET http://169.254.169.254/", true),
            ("network", "PUT https://example.com:1/a/..", true),
            ("tcp-connect=*:*", "GET http://1.1.1.1/", false),
            ("http=http://h/v1/*", "GET http://h/v1/", true),
            ("http=http://h/v1/*", "GET http://h/v1/a/b", true),
            ("http=http://h/v1/*", "GET http://h/v1", false),
            ("http=http://h/v1/*", "GET http://h/v10", false),
            ("http=http://h/v1/*", "GET http://h/%76%31/a", false),
            ("http=http://h/v1/*", "GET http://h/v1/..", false),
            ("http=http://h/v1/*", "GET http://h/v1/../admin", false),
            ("http=http://h/v1/*", "GET http://h/v1/./a", false),
            ("http=http://h/v1/*", "GET http://h/v1/%2e%2E/admin", false),
            ("http=http://h/v1/*", "GET http://h/v1/.%2e/admin", false),
            ("http=http://h/v1/*", "GET http://h/v1/%252e%252e/admin", false),
            ("http=http://h/v1/*", "GET http://h/v1/%25252e/admin", false),
            ("http=http://h/v1/*", "GET http://h/v1/..%2fadmin", false),
            ("http=http://h/v1/*", "GET http://h/v1/..;a=b/admin", false),
            ("http=http://h/v1/*", "GET http://h/v1/..\\admin", false),
            ("http=http://h/v1/*", "GET http://h/v1/a%5cb", false),
            ("http=http://h/v1/*", "GET http://h//v1/a", false),
            ("http=http://h/v1/*", "GET http://h/v1/...", true),
            ("http=http://h/v1/*", "GET http://h/v1/a.b/%20%zz%", true),
            ("http=http://h/v1/a", "GET http://h/v1/a", true),
            ("http=http://h/v1/a", "GET http://h/v1/a/", false),
            ("http=http://h/v1/a", "GET http://h/v1/b", false),
        ] {
            let network = network(&[granted], &[]);
            let mut audit = Audit::new(8);
            let result = network.must_request(&mut audit, "handle", &asked(requested));
            assert_eq!(result.is_ok(), covered, "{granted} {requested}");
            assert_eq!(audit.refusals().len(), usize::from(!covered));
        }
    }

    #[test]
    fn a_refusal_names_a_grant_that_would_have_covered_it() {
        for (requested, recorded, granted) in [
            ("GET http://h/a", "GET http://h/a", "--allow http=http://h"),
            ("PUT https://H:8443/", "PUT https://h:8443/", "--allow http=https://h:8443"),
            ("GET http://h//a/$(b)", "GET http://h//a/$(b)", "--allow http=http://h"),
            ("GET http://[::1]:8080/a", "GET http://[::1]:8080/a", "--allow http=http://[::1]:8080"),
        ] {
            let mut audit = Audit::new(8);
            let refused = network(&["http=https://*.org"], &[]).must_request(&mut audit, "handle", &asked(requested));
            assert_eq!(refused.err(), Some(ErrorCode::Access));
            assert_eq!((&*audit.refusals()[0].asked, &*audit.refusals()[0].grant), (recorded.as_bytes(), granted));
            let again = network(&[granted.strip_prefix("--allow ").unwrap()], &[]);
            again.must_request(&mut audit, "handle", &asked(requested)).unwrap();
        }
        let nothing = network(&["network"], &[]).must_request(&mut Audit::new(8), "handle", &asked("GET http://a_-/"));
        assert_eq!(nothing.err(), Some(ErrorCode::Invalid));
    }

    #[test]
    fn a_name_leads_only_to_where_its_grant_reaches() {
        let hosts = [("a.org", "127.0.0.1"), ("a.org", "1.1.1.1"), ("b.org", "10.0.0.1"), ("c.org", "169.254.169.254")];
        for (granted, requested, addresses, grant) in [
            ("http=http://a.org", "GET http://a.org/", "127.0.0.1:80 1.1.1.1:80", ""),
            ("http=http://*.org", "GET http://a.org/", "1.1.1.1:80", ""),
            ("http=http://b.org:*", "GET http://b.org:81/", "10.0.0.1:81", ""),
            ("http=http://*", "GET http://b.org/", "", "--allow http=http://b.org"),
            ("network", "GET http://c.org/", "169.254.169.254:80", ""),
            ("http=http://c.org", "GET http://c.org/", "", "none: "),
        ] {
            let network = network(&[granted], &hosts);
            let mut audit = Audit::new(8);
            let destination = network.must_request(&mut audit, "handle", &asked(requested)).unwrap();
            assert!(!destination.needs_look_up());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let found = runtime.block_on(destination.addresses(()));
            let told = found.map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
            let expected = if addresses.is_empty() { Err(ErrorCode::Access) } else { Ok(String::from(addresses)) };
            assert_eq!(told, expected, "{granted} {requested}");
            let (refusals, _) = audit.take();
            assert_eq!(refusals.len(), usize::from(!grant.is_empty()));
            assert!(refusals.iter().all(|refusal| refusal.grant.starts_with(grant)), "{refusals:?}");
        }
    }

    #[test]
    fn the_system_is_asked_about_what_nobody_has_told() {
        let network = network(&["http=http://localhost"], &[]);
        let mut audit = Audit::new(8);
        let destination = network.must_request(&mut audit, "handle", &asked("GET http://localhost:80/")).unwrap();
        assert!(destination.needs_look_up());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let held = std::sync::Arc::new(());
        let found = runtime.block_on(destination.addresses(std::sync::Arc::clone(&held))).unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }
}
