//! What of the network is handed over to a guest: how a grant is written, what it covers, and how the grant is named that
//! would have covered what was refused.
//!
//! Each operation asks `Network::must` before the system is asked. Whether an address means anything at all to a socket
//! is told before that, in `address.rs`.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::address::{Reach, is_ipv4_in_disguise};
use super::name::{NamePattern, host_name};
use super::url::UrlGrant;
use crate::ErrorCode;
use crate::audit::Audit;
use crate::count::{Count, Counted};
use crate::limits::{Budget, Limit, Limits};

/// Pairs of a name and an address that are remembered from a guest's look-ups; the oldest goes first. Bounds what it can
/// make the host keep, and is far beyond what one guest talks to.
const MOST_ANSWERS: usize = 4096;

/// Bytes that such a pair is charged with, besides the name itself: its places in the map and in the queue.
const ANSWER_BYTES: u64 = 160;

/// What of the network a guest is given. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct NetworkGrants {
    /// Grants for sockets and look-ups.
    pub sockets: Vec<SocketGrant>,
    /// Grants for outgoing HTTP.
    pub urls: Vec<UrlGrant>,
    /// Root certificates that are trusted besides the system's, each a file of PEM.
    pub roots: Vec<Vec<u8>>,
}

impl NetworkGrants {
    /// Adds what stands behind `--allow`.
    ///
    /// # Errors
    /// What to type instead.
    pub fn allow(&mut self, written: &str) -> Result<(), String> {
        match written.strip_prefix("http=") {
            Some(url) => self.urls.push(UrlGrant::parse(url)?),
            None => self.sockets.push(SocketGrant::parse(written)?),
        }
        Ok(())
    }
}

/// One grant, as it stands behind `--allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketGrant {
    /// `network`: everything, as the host has it.
    Network,
    /// `resolve=NAME`: look-ups.
    Resolve(NamePattern),
    /// `tcp-connect=WHERE` and the like.
    Socket(Use, Where),
}

/// What a socket does with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Connects to it.
    TcpConnect,
    /// Binds to it, listens and accepts there.
    TcpListen,
    /// Sends datagrams to it, and receives them from it.
    Udp,
    /// Binds to it, for datagrams.
    UdpBind,
}

/// `ADDRESS:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Where {
    hosts: Hosts,
    ports: Ports,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    /// `*`
    Any,
    /// `10.0.0.0/8`; a single address is a block of one.
    Block { first: IpAddr, prefix: u8 },
    /// `example.com`, `*.example.com`: what look-ups of these names answered.
    Named(NamePattern),
}

/// Ports, both ends included. Port 0, which means any free one, is only in `0` and `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ports {
    first: u16,
    last: u16,
}

impl Use {
    const ALL: [Use; 4] = [Use::TcpConnect, Use::TcpListen, Use::Udp, Use::UdpBind];

    /// The word that grants it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Use::TcpConnect => "tcp-connect",
            Use::TcpListen => "tcp-listen",
            Use::Udp => "udp",
            Use::UdpBind => "udp-bind",
        }
    }

    const fn is_local(self) -> bool {
        matches!(self, Use::TcpListen | Use::UdpBind)
    }
}

impl SocketGrant {
    /// From what stands behind `--allow`: `tcp-connect=10.0.0.0/8:5432`.
    ///
    /// # Errors
    /// What to type instead.
    pub fn parse(written: &str) -> Result<Self, String> {
        let Some((kind, what)) = written.split_once('=') else {
            return match written {
                "network" => Ok(SocketGrant::Network),
                _ => Err(unknown(written)),
            };
        };
        if let Some(used) = Use::ALL.into_iter().find(|used| used.word() == kind) {
            return Ok(SocketGrant::Socket(used, Where::parse(used, what)?));
        }
        match kind {
            "resolve" => NamePattern::parse(what).map(SocketGrant::Resolve).ok_or_else(|| {
                format!(
                    "`{what}` is no name; type one as in `resolve=example.com`, `resolve=*.example.com` or `resolve=*`"
                )
            }),
            "network" => Err(String::from("`network` stands alone; type `network`")),
            _ => Err(unknown(kind)),
        }
    }

    /// Whether it covers the look-up of a name.
    fn covers_lookup(&self, name: &str) -> bool {
        match self {
            SocketGrant::Network => true,
            SocketGrant::Resolve(pattern) => pattern.covers(name),
            // A grant by name would be of no use without.
            SocketGrant::Socket(_, Where { hosts: Hosts::Named(pattern), .. }) => pattern.covers(name),
            SocketGrant::Socket(..) => false,
        }
    }
}

fn unknown(word: &str) -> String {
    format!(
        "`{word}` is no grant; type `tcp-connect=WHERE`, `tcp-listen=WHERE`, `udp=WHERE`, `udp-bind=WHERE`, \
         `resolve=NAME`, `http=[METHOD ]URL` or `network`"
    )
}

impl std::fmt::Display for SocketGrant {
    /// As it is written behind `--allow`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SocketGrant::Network => formatter.write_str("network"),
            SocketGrant::Resolve(pattern) => write!(formatter, "resolve={pattern}"),
            SocketGrant::Socket(used, place) => write!(formatter, "{}={place}", used.word()),
        }
    }
}

impl Where {
    fn parse(used: Use, written: &str) -> Result<Self, String> {
        let (hosts, ports) = match written.rsplit_once(':') {
            Some(both) if !written.ends_with(']') && written.parse::<IpAddr>().is_err() => both,
            _ => {
                let example =
                    if used.is_local() { "127.0.0.1:8080` or `[::1]:8080" } else { "example.com:443` or `[::1]:443" };
                return Err(format!("`{written}` has no port; type one as in `{example}`, or `:*` for all of them"));
            }
        };
        let ports = Ports::parse(used, ports)?;
        let hosts = match (hosts.strip_prefix('['), hosts.contains(':')) {
            (Some(rest), _) => {
                let block = rest.strip_suffix(']').and_then(|block| Hosts::block(block, true));
                block.ok_or_else(|| {
                    format!("`{hosts}` is no IPv6 address or block; type one as in `[2001:db8::/32]`")
                })??
            }
            (None, true) => {
                return Err(format!("`{hosts}` is IPv6 without its brackets; type `[{hosts}]:{ports}`"));
            }
            (None, false) => Hosts::parse(hosts)?,
        };
        Ok(Where { hosts, ports })
    }
}

impl std::fmt::Display for Where {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.hosts, self.ports)
    }
}

impl Hosts {
    /// From what is not in brackets.
    fn parse(written: &str) -> Result<Self, String> {
        if let Some(block) = Hosts::block(written, false) {
            return block;
        }
        match NamePattern::parse(written) {
            Some(NamePattern::Any) => Ok(Hosts::Any),
            Some(pattern) => Ok(Hosts::Named(pattern)),
            None => Err(format!(
                "`{written}` is no address and no name; type one as in `10.1.2.3`, `10.0.0.0/8`, `[::1]`, \
                 `example.com`, `*.example.com` or `*`"
            )),
        }
    }

    /// From `10.0.0.0/8`, or an address alone. `None`: it is not of this kind at all.
    fn block(written: &str, ipv6: bool) -> Option<Result<Self, String>> {
        let (address, prefix) = match written.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (written, None),
        };
        let first: IpAddr = address.parse().ok().filter(|ip: &IpAddr| ip.is_ipv6() == ipv6)?;
        if let IpAddr::V6(ip) = first
            && is_ipv4_in_disguise(ip)
        {
            let ipv4 = ip.to_ipv4().map_or_else(String::new, |ipv4| ipv4.to_string());
            return Some(Err(format!("no socket takes `{first}`; type `{ipv4}`")));
        }
        let bits = bits(first);
        let prefix = match prefix.map(str::parse::<u8>) {
            None => bits,
            Some(Ok(prefix)) if prefix <= bits => prefix,
            Some(_) => return Some(Err(format!("a block of `{address}` ends in `/0` to `/{bits}`"))),
        };
        let network = masked(first, prefix);
        if network != first {
            return Some(Err(format!(
                "`{written}` begins inside of its block; type `{network}/{prefix}`, or `{first}` for the one address"
            )));
        }
        Some(Ok(Hosts::Block { first, prefix }))
    }

    /// Whether it covers an address, of which this guest's look-ups answered `names`.
    fn cover(&self, ip: IpAddr, names: &[Arc<str>]) -> bool {
        match self {
            Hosts::Any => Reach::of(ip) != Reach::LinkLocal,
            // Whoever is bound to no address is bound to all of them, and not to half.
            Hosts::Block { first, prefix } if ip.is_unspecified() => {
                *first == ip && (*prefix == 0 || *prefix == bits(ip))
            }
            Hosts::Block { first, prefix } => first.is_ipv4() == ip.is_ipv4() && masked(ip, *prefix) == *first,
            Hosts::Named(pattern) => {
                let near_enough = match pattern {
                    NamePattern::Exact(_) => Reach::of(ip) != Reach::LinkLocal,
                    // Whoever can choose a name below it can choose where it leads.
                    NamePattern::Below(_) | NamePattern::Any => Reach::of(ip) == Reach::Public,
                };
                near_enough && names.iter().any(|name| pattern.covers(name))
            }
        }
    }
}

const fn bits(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The first address of the block that an address is in.
fn masked(ip: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V4((u32::from(ip) & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V6((u128::from(ip) & mask).into())
        }
    }
}

impl std::fmt::Display for Hosts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Hosts::Any => formatter.write_str("*"),
            Hosts::Named(pattern) => pattern.fmt(formatter),
            Hosts::Block { first, prefix } => match (first, *prefix == bits(*first)) {
                (IpAddr::V4(ip), true) => write!(formatter, "{ip}"),
                (IpAddr::V6(ip), true) => write!(formatter, "[{ip}]"),
                (IpAddr::V4(ip), false) => write!(formatter, "{ip}/{prefix}"),
                (IpAddr::V6(ip), false) => write!(formatter, "[{ip}/{prefix}]"),
            },
        }
    }
}

impl Ports {
    const ALL: Ports = Ports { first: 0, last: u16::MAX };

    fn parse(used: Use, written: &str) -> Result<Self, String> {
        if written == "*" {
            return Ok(Ports::ALL);
        }
        let (first, last) = written.split_once('-').unwrap_or((written, written));
        // A sign is no digit, though Rust reads one.
        let number = |digits: &str| digits.parse::<u16>().ok().filter(|_| !digits.starts_with('+'));
        match (number(first), number(last)) {
            (Some(0), Some(0)) if !used.is_local() => {
                let (port, word) = ("port 0 means any free port of this side", used.word());
                Err(format!("{port}, and `{word}` is about the other; type a port, or `*` for all of them"))
            }
            (Some(0), Some(last)) if last > 0 => Err(format!(
                "a range begins at port 1; type `1-{last}`, or `0` in a grant of its own for any free port"
            )),
            (Some(first), Some(last)) if first <= last => Ok(Ports { first, last }),
            _ => Err(format!("`{written}` is no port; type a number up to 65535, a range as in `8000-8099`, or `*`")),
        }
    }

    const fn cover(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl std::fmt::Display for Ports {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Ports::ALL => formatter.write_str("*"),
            Ports { first, last } if first == last => write!(formatter, "{first}"),
            Ports { first, last } => write!(formatter, "{first}-{last}"),
        }
    }
}

/// What one guest may do in the network while it runs, what it has learned there, and how much of it is under way.
#[derive(Debug)]
pub struct Network {
    grants: Arc<[SocketGrant]>,
    pub(super) urls: Arc<[UrlGrant]>,
    pub(super) roots: Arc<[Vec<u8>]>,
    pub(super) everything: bool,
    hosts: Arc<[(String, IpAddr)]>,
    answers: Answers,
    sockets: Count,
    lookups: Count,
}

/// What this guest's look-ups answered.
#[derive(Debug, Default)]
struct Answers {
    names: HashMap<IpAddr, Vec<Arc<str>>>,
    oldest_first: VecDeque<(IpAddr, Arc<str>)>,
}

impl Network {
    pub(crate) fn new(grants: NetworkGrants, hosts: Vec<(String, IpAddr)>) -> Self {
        let known = hosts.into_iter().filter_map(|(name, ip)| Some((host_name(&name)?, ip.to_canonical())));
        Network {
            everything: grants.sockets.contains(&SocketGrant::Network),
            grants: grants.sockets.into(),
            urls: grants.urls.into(),
            roots: grants.roots.into(),
            hosts: known.collect(),
            answers: Answers::default(),
            sockets: Count::default(),
            lookups: Count::default(),
        }
    }

    /// For another instance of the same program: the same grants, and nothing learned or under way yet.
    pub(crate) fn again(&self) -> Self {
        Network {
            grants: Arc::clone(&self.grants),
            urls: Arc::clone(&self.urls),
            roots: Arc::clone(&self.roots),
            everything: self.everything,
            hosts: Arc::clone(&self.hosts),
            answers: Answers::default(),
            sockets: Count::default(),
            lookups: Count::default(),
        }
    }

    /// Checks that a grant covers this use of an address.
    ///
    /// # Errors
    /// [`ErrorCode::Access`]: none does. It is recorded, with the grant that would.
    pub(crate) fn must(
        &self,
        audit: &mut Audit,
        call: &'static str,
        used: Use,
        address: SocketAddr,
    ) -> Result<(), ErrorCode> {
        if self.may(used, address) {
            return Ok(());
        }
        audit.refuse(call, address.to_string().as_bytes(), self.would_cover(used, address.ip(), address.port()));
        Err(ErrorCode::Access)
    }

    /// Whether a grant covers this use of an address.
    pub(crate) fn may(&self, used: Use, address: SocketAddr) -> bool {
        let ip = address.ip();
        self.everything
            || (used == Use::UdpBind && ip.is_unspecified() && address.port() == 0 && self.may_send())
            || self.grants.iter().any(|grant| match grant {
                SocketGrant::Socket(granted, place) if *granted == used => {
                    place.ports.cover(address.port()) && place.hosts.cover(ip, self.answers.of(ip))
                }
                _ => false,
            })
    }

    /// Whether there are peers to send datagrams to. What sends them has to be bound first in Preview 2, where the system
    /// would do it by itself: to any free port, with no more to be received than from those peers.
    fn may_send(&self) -> bool {
        self.grants.iter().any(|grant| matches!(grant, SocketGrant::Socket(Use::Udp, _)))
    }

    /// Whether a datagram that came from here is for the guest. One that no grant covers is recorded by its address alone:
    /// a sender's port is another one each time.
    pub(crate) fn may_receive(&self, audit: &mut Audit, call: &'static str, from: SocketAddr) -> bool {
        let may = self.may(Use::Udp, from);
        if !may {
            let grant = would_cover(Use::Udp, Hosts::Block { first: from.ip(), prefix: bits(from.ip()) }, Ports::ALL);
            audit.refuse(call, from.ip().to_string().as_bytes(), grant);
        }
        may
    }

    /// The flag that would have covered this: by name, if that is how the guest came to the address.
    fn would_cover(&self, used: Use, ip: IpAddr, port: u16) -> String {
        let names = self.answers.of(ip);
        let mut named = names.iter().map(|name| Hosts::Named(NamePattern::Exact(String::from(&**name))));
        let hosts = named.rfind(|named| named.cover(ip, names));
        let hosts = hosts.unwrap_or(Hosts::Block { first: ip, prefix: bits(ip) });
        would_cover(used, hosts, Ports { first: port, last: port })
    }

    /// Checks that a grant covers the look-up of a name, which is in the form that [`host_name`] gives it.
    ///
    /// # Errors
    /// [`ErrorCode::Access`]: none does. It is recorded, with the grant that would.
    pub(crate) fn must_look_up(&self, audit: &mut Audit, call: &'static str, name: &str) -> Result<(), ErrorCode> {
        if self.grants.iter().any(|grant| grant.covers_lookup(name)) {
            return Ok(());
        }
        audit.refuse(call, name.as_bytes(), format!("--allow resolve={name}"));
        Err(ErrorCode::Access)
    }

    /// What the user says that a name stands for, without anybody being asked.
    pub(crate) fn known(&self, name: &str) -> Vec<IpAddr> {
        self.hosts.iter().filter(|(known, _)| known == name).map(|(_, ip)| *ip).collect()
    }

    /// Remembers what a look-up of this guest answered, for the grants by name.
    ///
    /// # Errors
    /// [`ErrorCode::InsufficientMemory`]: the guest cannot pay for it.
    pub(crate) fn remember(&mut self, budget: &mut Budget, name: &str, found: &[IpAddr]) -> Result<(), ErrorCode> {
        if self.everything {
            return Ok(());
        }
        let name: Arc<str> = Arc::from(name);
        for ip in found {
            self.answers.insert(budget, *ip, &name)?;
        }
        Ok(())
    }

    /// One more socket, or one more request that has a connection.
    ///
    /// # Errors
    /// [`ErrorCode::TooManyDescriptors`]: `--max-sockets`.
    pub fn open_socket(&self, budget: &mut Budget, limits: &Limits) -> Result<Counted, ErrorCode> {
        self.sockets.take(limits.sockets).ok_or_else(|| {
            budget.note(Limit::Sockets);
            ErrorCode::TooManyDescriptors
        })
    }

    /// One more look-up that the system is asked for. `None`: as many as may be are under way.
    pub(crate) fn begin_lookup(&self, limits: &Limits) -> Option<Counted> {
        self.lookups.take(limits.lookups)
    }
}

fn would_cover(used: Use, hosts: Hosts, ports: Ports) -> String {
    format!("--allow {}", SocketGrant::Socket(used, Where { hosts, ports }))
}

impl Answers {
    fn of(&self, ip: IpAddr) -> &[Arc<str>] {
        self.names.get(&ip).map_or(&[], Vec::as_slice)
    }

    fn insert(&mut self, budget: &mut Budget, ip: IpAddr, name: &Arc<str>) -> Result<(), ErrorCode> {
        if self.of(ip).contains(name) {
            return Ok(());
        }
        if self.oldest_first.len() >= MOST_ANSWERS {
            self.forget_oldest(budget);
        }
        budget.take_host(answer_bytes(name))?;
        self.names.entry(ip).or_default().push(Arc::clone(name));
        self.oldest_first.push_back((ip, Arc::clone(name)));
        Ok(())
    }

    fn forget_oldest(&mut self, budget: &mut Budget) {
        let Some((ip, name)) = self.oldest_first.pop_front() else {
            return;
        };
        if let Some(names) = self.names.get_mut(&ip) {
            names.retain(|known| *known != name);
            if names.is_empty() {
                self.names.remove(&ip);
            }
        }
        budget.give_host(answer_bytes(&name));
    }
}

const fn answer_bytes(name: &str) -> u64 {
    ANSWER_BYTES + name.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(grants: &[&str]) -> Network {
        let sockets = grants.iter().map(|written| SocketGrant::parse(written).unwrap()).collect();
        Network::new(NetworkGrants { sockets, ..NetworkGrants::default() }, Vec::new())
    }

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn looked_up(network: &mut Network, name: &str, found: &[&str]) {
        let found: Vec<IpAddr> = found.iter().map(|ip| ip.parse().unwrap()).collect();
        network.remember(&mut Budget::new(&Limits::default()), name, &found).unwrap();
    }

    #[test]
    fn a_grant_is_written_as_it_was_read() {
        for written in [
            "network",
            "resolve=*",
            "resolve=example.com",
            "resolve=*.example.com",
            "tcp-connect=10.1.2.3:80",
            "tcp-connect=10.0.0.0/8:5432",
            "tcp-connect=0.0.0.0/0:1-65535",
            "tcp-connect=[::1]:80",
            "tcp-connect=[2001:db8::/32]:8000-8099",
            "tcp-connect=db.example.com:*",
            "tcp-listen=127.0.0.1:0",
            "tcp-listen=*:*",
            "udp=*.example.com:53",
            "udp-bind=0.0.0.0:0",
        ] {
            assert_eq!(SocketGrant::parse(written).unwrap().to_string(), written);
        }
        assert_eq!(SocketGrant::parse("resolve=Example.COM.").unwrap().to_string(), "resolve=example.com");
    }

    #[test]
    fn what_is_no_grant_is_answered_with_what_to_type() {
        for (written, hint) in [
            ("", "`tcp-connect=WHERE`"),
            ("tcp", "`tcp-connect=WHERE`"),
            ("tcp-conect=*:80", "`tcp-connect=WHERE`"),
            ("network=true", "`network`"),
            ("http", "`http=[METHOD ]URL`"),
            ("resolve=", "`resolve=example.com`"),
            ("resolve=1.2.3.4", "`resolve=example.com`"),
            ("tcp-connect=example.com", "`example.com:443`"),
            ("tcp-connect=::1", "`[::1]:443`"),
            ("tcp-connect=[::1]", "`[::1]:443`"),
            ("tcp-listen=127.0.0.1", "`127.0.0.1:8080`"),
            ("tcp-connect=2001:db8:1:2:3:4:5:6:80", "`[2001:db8:1:2:3:4:5:6]:80`"),
            ("tcp-connect=2001:db8::/32:80", "`[2001:db8::/32]:80`"),
            ("tcp-connect=[2001:db8::]/32:80", "`[2001:db8::/32]`"),
            ("tcp-connect=[1.2.3.4]:80", "`[2001:db8::/32]`"),
            ("tcp-connect=[::ffff:1.2.3.4]:80", "`1.2.3.4`"),
            ("tcp-connect=10.1.2.3/8:80", "`10.0.0.0/8`"),
            ("tcp-connect=10.0.0.0/33:80", "`/32`"),
            ("tcp-connect=10.1.2:80", "`10.1.2.3`"),
            ("tcp-connect=exa mple:80", "`example.com`"),
            ("tcp-connect=:80", "`example.com`"),
            ("tcp-connect=example.com:", "`8000-8099`"),
            ("tcp-connect=example.com:http", "`8000-8099`"),
            ("tcp-connect=example.com:+80", "`8000-8099`"),
            ("tcp-connect=example.com:90-80", "`8000-8099`"),
            ("tcp-connect=example.com:65536", "`8000-8099`"),
            ("tcp-connect=example.com:0", "`*`"),
            ("udp=example.com:0", "`*`"),
            ("tcp-listen=127.0.0.1:0-80", "`1-80`"),
        ] {
            let error = SocketGrant::parse(written).unwrap_err();
            assert!(error.contains(hint), "{written}: {error}");
        }
    }

    #[test]
    fn a_grant_covers_its_addresses_its_ports_and_its_use_and_no_more() {
        for (grant, used, address, covered) in [
            ("tcp-connect=10.1.2.3:80", Use::TcpConnect, "10.1.2.3:80", true),
            ("tcp-connect=10.1.2.3:80", Use::TcpConnect, "10.1.2.3:81", false),
            ("tcp-connect=10.1.2.3:80", Use::TcpConnect, "10.1.2.4:80", false),
            ("tcp-connect=10.1.2.3:80", Use::TcpListen, "10.1.2.3:80", false),
            ("tcp-connect=10.1.2.3:80", Use::Udp, "10.1.2.3:80", false),
            ("udp=10.1.2.3:80", Use::Udp, "10.1.2.3:80", true),
            ("udp=10.1.2.3:80", Use::UdpBind, "10.1.2.3:80", false),
            ("udp-bind=10.1.2.3:80", Use::Udp, "10.1.2.3:80", false),
            ("tcp-connect=10.0.0.0/9:80", Use::TcpConnect, "10.127.255.255:80", true),
            ("tcp-connect=10.0.0.0/9:80", Use::TcpConnect, "10.128.0.0:80", false),
            ("tcp-connect=10.0.0.0/9:80", Use::TcpConnect, "[a00::]:80", false),
            ("tcp-connect=[2001:db8::/33]:80", Use::TcpConnect, "[2001:db8:7fff::1]:80", true),
            ("tcp-connect=[2001:db8::/33]:80", Use::TcpConnect, "[2001:db8:8000::1]:80", false),
            ("tcp-connect=[::/0]:80", Use::TcpConnect, "[::1]:80", true),
            ("tcp-connect=[::/0]:80", Use::TcpConnect, "127.0.0.1:80", false),
            ("tcp-connect=*:8000-8002", Use::TcpConnect, "127.0.0.1:7999", false),
            ("tcp-connect=*:8000-8002", Use::TcpConnect, "127.0.0.1:8000", true),
            ("tcp-connect=*:8000-8002", Use::TcpConnect, "[::1]:8002", true),
            ("tcp-connect=*:8000-8002", Use::TcpConnect, "1.1.1.1:8003", false),
            ("network", Use::TcpConnect, "169.254.169.254:80", true),
            ("network", Use::UdpBind, "[fe80::1]:0", true),
        ] {
            assert_eq!(network(&[grant]).may(used, at(address)), covered, "{grant} {used:?} {address}");
        }
        for used in Use::ALL {
            assert!(!network(&[]).may(used, at("127.0.0.1:80")));
        }
    }

    #[test]
    fn any_free_port_is_granted_by_0_and_by_all() {
        for (grant, covered) in [
            ("tcp-listen=127.0.0.1:0", true),
            ("tcp-listen=127.0.0.1:*", true),
            ("tcp-listen=127.0.0.1:1-65535", false),
            ("tcp-listen=127.0.0.1:80", false),
        ] {
            assert_eq!(network(&[grant]).may(Use::TcpListen, at("127.0.0.1:0")), covered, "{grant}");
        }
        assert!(!network(&["tcp-listen=127.0.0.1:0"]).may(Use::TcpListen, at("127.0.0.1:80")));
    }

    #[test]
    fn all_interfaces_are_granted_by_themselves_or_with_every_address() {
        for (grant, covered) in [
            ("tcp-listen=0.0.0.0:80", true),
            ("tcp-listen=0.0.0.0/0:80", true),
            ("tcp-listen=*:80", true),
            ("tcp-listen=0.0.0.0/1:80", false),
            ("tcp-listen=127.0.0.1:80", false),
            ("tcp-listen=[::]:80", false),
        ] {
            assert_eq!(network(&[grant]).may(Use::TcpListen, at("0.0.0.0:80")), covered, "{grant}");
        }
        assert!(!network(&["tcp-listen=0.0.0.0:80"]).may(Use::TcpListen, at("127.0.0.1:80")));
    }

    #[test]
    fn whoever_may_send_datagrams_may_bind_to_any_free_port_for_it() {
        assert!(network(&["udp=1.1.1.1:53"]).may(Use::UdpBind, at("0.0.0.0:0")));
        assert!(network(&["udp=1.1.1.1:53"]).may(Use::UdpBind, at("[::]:0")));
        assert!(!network(&["udp=1.1.1.1:53"]).may(Use::UdpBind, at("0.0.0.0:53")));
        assert!(!network(&["udp=1.1.1.1:53"]).may(Use::UdpBind, at("127.0.0.1:0")));
        assert!(!network(&["udp=1.1.1.1:53"]).may(Use::TcpListen, at("0.0.0.0:0")));
        assert!(!network(&["tcp-connect=*:*"]).may(Use::UdpBind, at("0.0.0.0:0")));
    }

    #[test]
    fn the_link_and_the_metadata_of_clouds_are_granted_by_address_only() {
        for address in
            ["169.254.169.254:80", "[fe80::1]:80", "[fd00:ec2::254]:80", "100.100.100.200:80", "[ff02::fb]:80"]
        {
            let address = at(address);
            let ip = address.ip().to_string();
            for (grant, covered) in [
                ("tcp-connect=*:*", false),
                ("tcp-connect=*.example.com:*", false),
                ("tcp-connect=metadata.example.com:*", false),
                ("network", true),
            ] {
                let mut network = network(&[grant]);
                looked_up(&mut network, "metadata.example.com", &[&ip]);
                assert_eq!(network.may(Use::TcpConnect, address), covered, "{grant} {address}");
            }
            let host = if address.is_ipv6() { format!("[{ip}]") } else { ip };
            assert!(network(&[&format!("tcp-connect={host}:80")]).may(Use::TcpConnect, address), "{address}");
        }
        assert!(network(&["tcp-connect=169.254.0.0/16:80"]).may(Use::TcpConnect, at("169.254.169.254:80")));
    }

    #[test]
    fn a_name_covers_what_its_own_lookup_answered() {
        for (grant, name, address, covered) in [
            ("tcp-connect=localhost:80", "localhost", "127.0.0.1:80", true),
            ("tcp-connect=db.example.com:80", "db.example.com", "10.0.0.1:80", true),
            ("tcp-connect=db.example.com:80", "db.example.com", "1.1.1.1:80", true),
            ("tcp-connect=db.example.com:80", "db.example.com", "1.1.1.1:81", false),
            ("tcp-connect=db.example.com:80", "www.example.com", "1.1.1.1:80", false),
            ("tcp-connect=*.example.com:80", "www.example.com", "1.1.1.1:80", true),
            ("tcp-connect=*.example.com:80", "www.example.com", "10.0.0.1:80", false),
            ("tcp-connect=*.example.com:80", "www.example.com", "127.0.0.1:80", false),
            ("tcp-connect=*.example.com:80", "www.example.com", "[64:ff9b::7f00:1]:80", false),
            ("tcp-connect=*.example.com:80", "example.com", "1.1.1.1:80", false),
        ] {
            let mut network = network(&[grant]);
            assert!(!network.may(Use::TcpConnect, at(address)), "{grant} before the look-up");
            looked_up(&mut network, name, &[&at(address).ip().to_string()]);
            assert_eq!(network.may(Use::TcpConnect, at(address)), covered, "{grant} {name} {address}");
        }
    }

    #[test]
    fn a_lookup_is_granted_by_name() {
        for (grant, name, covered) in [
            ("resolve=*", "example.com", true),
            ("resolve=*.example.com", "www.example.com", true),
            ("resolve=*.example.com", "example.com", false),
            ("tcp-connect=example.com:80", "example.com", true),
            ("udp-bind=*.example.com:80", "www.example.com", true),
            ("tcp-connect=*:*", "example.com", false),
            ("tcp-connect=10.0.0.1:80", "example.com", false),
            ("network", "example.com", true),
        ] {
            let mut audit = Audit::new(1);
            let result = network(&[grant]).must_look_up(&mut audit, "resolve-addresses", name);
            assert_eq!(result.is_ok(), covered, "{grant} {name}");
            assert_eq!(audit.refusals().len(), usize::from(!covered));
        }
    }

    #[test]
    fn a_refusal_names_the_grant_that_would_have_covered_it() {
        let mut network = network(&["resolve=*"]);
        looked_up(&mut network, "db.example.com", &["10.0.0.1", "169.254.1.1"]);
        let mut audit = Audit::new(8);
        for (used, address) in [
            (Use::TcpConnect, "10.1.2.3:80"),
            (Use::TcpConnect, "[::1]:80"),
            (Use::TcpListen, "127.0.0.1:0"),
            (Use::TcpConnect, "10.0.0.1:5432"),
            (Use::TcpConnect, "169.254.1.1:80"),
        ] {
            assert_eq!(network.must(&mut audit, "start-connect", used, at(address)), Err(ErrorCode::Access));
        }
        assert!(!network.may_receive(&mut audit, "receive", at("10.1.2.3:4567")));
        let grants: Vec<&str> = audit.refusals().iter().map(|row| &*row.grant).collect();
        assert_eq!(
            grants,
            [
                "--allow tcp-connect=10.1.2.3:80",
                "--allow tcp-connect=[::1]:80",
                "--allow tcp-listen=127.0.0.1:0",
                "--allow tcp-connect=db.example.com:5432",
                "--allow tcp-connect=169.254.1.1:80",
                "--allow udp=10.1.2.3:*",
            ]
        );
        for (refusal, granted) in audit.refusals().iter().zip(&grants[..5]) {
            let grant = SocketGrant::parse(granted.strip_prefix("--allow ").unwrap()).unwrap();
            network.grants = [&*network.grants, &[grant]].concat().into();
            let address = at(std::str::from_utf8(&refusal.asked).unwrap());
            assert!(Use::ALL.into_iter().any(|used| network.may(used, address)), "{granted}");
        }
    }

    #[test]
    fn what_lookups_answered_is_bounded_and_paid_for() {
        let mut network = network(&["resolve=*", "tcp-connect=*.example.com:*"]);
        let mut budget = Budget::new(&Limits::default());
        let address = |number: u32| IpAddr::V4((0x0101_0000 + number).into());
        for number in 0..MOST_ANSWERS as u32 {
            network.remember(&mut budget, "www.example.com", &[address(number)]).unwrap();
        }
        let full = budget.used();
        assert!(network.may(Use::TcpConnect, (address(0), 80).into()));
        network.remember(&mut budget, "www.example.com", &[address(1), address(MOST_ANSWERS as u32)]).unwrap();
        assert_eq!(budget.used(), full);
        assert!(!network.may(Use::TcpConnect, (address(0), 80).into()));
        assert!(network.may(Use::TcpConnect, (address(1), 80).into()));
        assert_eq!(network.answers.names.len(), MOST_ANSWERS);
        let mut poor = Budget::new(&Limits { host_bytes: ANSWER_BYTES, ..Limits::default() });
        let result = network.remember(&mut poor, "www.example.com", &[address(0)]);
        assert_eq!(result, Err(ErrorCode::InsufficientMemory));
    }
}
