//! `wasi:sockets` as a guest calls it, through the canonical ABI: which code it gets of what, and what goes through a
//! connection. On loopback only. What each state allows in detail is tested in the core, `tests/sockets`.
#![allow(clippy::cloned_ref_to_slice_refs, reason = "one argument is written as several are")]
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

mod again;
mod lookup;
mod tcp;
mod udp;

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use turnkey_core::limits::Limits;
use turnkey_core::sockets::{NetworkGrants, SocketGrant};
use turnkey_core::{Capabilities, Grants};
use turnkey_p2::{Preview2, Waits};
use wasmtime::component::{Component, Instance, Linker, ResourceAny, Val};
use wasmtime::{Engine, Store};

type Data = (Capabilities, Preview2);

/// A guest that calls what it is told to call.
struct Guest {
    store: Store<Data>,
    instance: Instance,
    /// Its `network`.
    network: Val,
}

/// The component is compiled once.
fn component() -> &'static (Engine, Component) {
    static COMPONENT: OnceLock<(Engine, Component)> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let engine = Engine::default();
        let component = Component::new(&engine, again::component(&["sockets", "io"])).unwrap();
        (engine, component)
    })
}

impl Guest {
    /// One that has these grants, and ten seconds for whatever it waits for.
    fn new(allowed: &[&str]) -> Self {
        Guest::with(allowed, &[], Limits::default())
    }

    fn with(allowed: &[&str], hosts: &[(&str, &str)], limits: Limits) -> Self {
        let sockets = allowed.iter().map(|written| SocketGrant::parse(written).unwrap()).collect();
        let ip = |ip: &str| ip.parse::<IpAddr>().unwrap();
        let grants = Grants {
            network: NetworkGrants { sockets, ..NetworkGrants::default() },
            hosts: hosts.iter().map(|(name, address)| ((*name).to_owned(), ip(address))).collect(),
            ..Grants::default()
        };
        let limits = Limits { timeout: Some(Duration::from_secs(10)), ..limits };
        let host = Capabilities::new(grants, limits).unwrap();
        let p2 = Preview2::default();
        let (engine, component) = component();
        let mut linker = Linker::new(engine);
        turnkey_p2::link(&mut linker, component, Waits::Here, |(host, p2): &mut Data| (host, p2)).unwrap();
        let mut store = Store::new(engine, (host, p2));
        let instance = linker.instantiate(&mut store, component).unwrap();
        let mut guest = Guest { store, instance, network: Val::Bool(false) };
        guest.network = guest.get("instance-network", "instance-network", &[]);
        guest
    }

    /// Calls a function that has results, or none.
    fn call(&mut self, interface: &str, function: &str, arguments: &[Val]) -> wasmtime::Result<Option<Val>> {
        let path = format!("test:again/{interface}");
        let instance = self.instance.get_export_index(&mut self.store, None, &path).expect(&path);
        let index = self.instance.get_export_index(&mut self.store, Some(&instance), function).expect(function);
        let function = self.instance.get_func(&mut self.store, index).unwrap();
        let count = function.ty(&self.store).results().len();
        let mut results = vec![Val::Bool(false); count];
        function.call(&mut self.store, arguments, &mut results)?;
        Ok(results.pop())
    }

    /// What a function gives that has no error.
    fn get(&mut self, interface: &str, function: &str, arguments: &[Val]) -> Val {
        self.call(interface, function, arguments).unwrap().unwrap()
    }

    /// What a function gives, or its error.
    fn result(&mut self, interface: &str, function: &str, arguments: &[Val]) -> Result<Option<Val>, Val> {
        let Val::Result(result) = self.get(interface, function, arguments) else { panic!("no result: {function}") };
        result.map(|value| value.map(|value| *value)).map_err(|error| *error.unwrap())
    }

    /// What a function gives that does not fail.
    fn ok(&mut self, interface: &str, function: &str, arguments: &[Val]) -> Val {
        let result = self.result(interface, function, arguments);
        result.unwrap_or_else(|error| panic!("{function}: {error:?}")).unwrap_or(Val::Bool(true))
    }

    /// The code that a function fails with.
    fn code(&mut self, interface: &str, function: &str, arguments: &[Val]) -> String {
        match self.result(interface, function, arguments) {
            Err(Val::Enum(code)) => code,
            other => panic!("{function}: {other:?}"),
        }
    }

    /// Waits for what a resource has to say.
    fn wait(&mut self, interface: &str, resource: &str, this: &Val) {
        let pollable = self.get(interface, &format!("{resource}-subscribe"), &[this.clone()]);
        self.call("poll", "pollable-block", &[pollable.clone()]).unwrap();
        assert_eq!(self.get("poll", "pollable-ready", &[pollable.clone()]), Val::Bool(true));
        self.drop(pollable);
    }

    /// Whether a resource has anything to say by now.
    fn is_ready(&mut self, interface: &str, resource: &str, this: &Val) -> bool {
        let pollable = self.get(interface, &format!("{resource}-subscribe"), &[this.clone()]);
        let ready = self.get("poll", "pollable-ready", &[pollable.clone()]);
        self.drop(pollable);
        ready == Val::Bool(true)
    }

    fn drop(&mut self, resource: Val) {
        handle(&resource).resource_drop(&mut self.store).unwrap();
    }

    fn host(&mut self) -> &mut Capabilities {
        &mut self.store.data_mut().0
    }

    /// The calls that were refused, and the grants that would have allowed them.
    fn refused(&mut self) -> Vec<(&'static str, String)> {
        self.host().audit.refusals().iter().map(|row| (row.call, row.grant.to_string())).collect()
    }
}

fn handle(resource: &Val) -> ResourceAny {
    match resource {
        Val::Resource(resource) => *resource,
        other => panic!("no resource: {other:?}"),
    }
}

fn word(word: &str) -> Val {
    Val::Enum(word.to_owned())
}

/// The values of a tuple.
fn tuple<const N: usize>(value: Val) -> [Val; N] {
    match value {
        Val::Tuple(values) => values.try_into().unwrap(),
        other => panic!("no tuple: {other:?}"),
    }
}

/// `ip-address`
fn ip(address: &str) -> Val {
    match address.parse().unwrap() {
        IpAddr::V4(ip) => Val::Variant("ipv4".to_owned(), Some(Box::new(Val::Tuple(ip.octets().map(Val::U8).into())))),
        IpAddr::V6(ip) => {
            Val::Variant("ipv6".to_owned(), Some(Box::new(Val::Tuple(ip.segments().map(Val::U16).into()))))
        }
    }
}

/// `ip-socket-address`
fn at(address: SocketAddr) -> Val {
    let Val::Variant(family, Some(ip)) = ip(&address.ip().to_string()) else { unreachable!() };
    let field = |name: &str, value| (name.to_owned(), value);
    let mut fields = vec![field("port", Val::U16(address.port()))];
    if let SocketAddr::V6(address) = address {
        fields.push(field("flow-info", Val::U32(address.flowinfo())));
    }
    fields.push(field("address", *ip));
    if let SocketAddr::V6(address) = address {
        fields.push(field("scope-id", Val::U32(address.scope_id())));
    }
    Val::Variant(family, Some(Box::new(Val::Record(fields))))
}

/// An `ip-socket-address` as it is written.
fn written(address: &str) -> Val {
    at(address.parse().unwrap())
}

/// The port of an `ip-socket-address`.
fn port(address: &Val) -> u16 {
    let Val::Variant(_, Some(record)) = address else { panic!("no address: {address:?}") };
    let Val::Record(fields) = &**record else { panic!("no address: {address:?}") };
    match fields[0].1 {
        Val::U16(port) => port,
        ref other => panic!("no port: {other:?}"),
    }
}

fn bytes(data: &[u8]) -> Val {
    Val::List(data.iter().copied().map(Val::U8).collect())
}

fn some(value: Val) -> Val {
    Val::Option(Some(Box::new(value)))
}

const NONE: Val = Val::Option(None);
