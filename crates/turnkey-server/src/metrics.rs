//! What is counted while a server runs, and how it is told to programs: in the text of Prometheus.
//!
//! A request costs a handful of additions: no lock, no look-up of a name. Labels are of sets that are known beforehand, but for the
//! calls that refusals are of, which are names in this program. What a guest says is never one.

use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use http::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use turnkey::host::process::resident_bytes;
use turnkey::{Limit, Refusal};

use crate::instances::Shared;

/// Methods that are told apart: those of RFC 9110 that have a use here, PATCH, and the rest.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "other"];

/// Classes of statuses, and those that are in none.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// What a request may take at most to be counted in a bucket; the last one has no bound.
pub(crate) const BOUNDS_US: [u64; 18] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// A limit that something has met, by its flag.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Met {
    /// A guest's own.
    Guest(Limit),
    /// A request that had to wait for an instance.
    Instances,
    /// A request that could not even wait.
    Queue,
    /// There was no place left for one more connection.
    Connections,
    /// A guest that had more to write.
    Output,
}

const FLAGS: [&str; 10] = [
    Limit::Memory.flag(),
    Limit::Timeout.flag(),
    Limit::Fuel.flag(),
    Limit::Descriptors.flag(),
    Limit::Handles.flag(),
    Limit::Sockets.flag(),
    "--max-instances",
    "--queue",
    "--max-connections",
    "--max-output-bytes",
];

impl Met {
    const fn place(self) -> usize {
        match self {
            Met::Guest(Limit::Memory) => 0,
            Met::Guest(Limit::Timeout) => 1,
            Met::Guest(Limit::Fuel) => 2,
            Met::Guest(Limit::Descriptors) => 3,
            Met::Guest(Limit::Handles) => 4,
            Met::Guest(Limit::Sockets) => 5,
            Met::Instances => 6,
            Met::Queue => 7,
            Met::Connections => 8,
            Met::Output => 9,
        }
    }
}

/// What has become of a request, or of an instance, that came to no good end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The guest did what WebAssembly does not allow.
    Trap,
    /// It ended itself.
    Exit,
    /// A limit ended it, or the wait for it.
    Limit,
    /// It answered with an error, or with what is no response.
    Error,
    /// It ended without an answer.
    NoAnswer,
    /// Its response broke off.
    CutOff,
    /// Its instance ended with another request.
    Lost,
    /// The host could not run it.
    Host,
    /// There was no place for it.
    Full,
    /// The request was none that is answered here.
    Request,
    /// The client went away before it had its answer.
    Client,
}

const FAILURES: [&str; 11] =
    ["trap", "exit", "limit", "error", "no-answer", "cut-off", "lost", "host", "full", "request", "client"];

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    begun: AtomicU64,
    ended: [[AtomicU64; CLASSES.len()]; METHODS.len()],
    durations: [AtomicU64; BOUNDS_US.len() + 1],
    duration_us: AtomicU64,
    bytes: AtomicU64,
    instances_made: AtomicU64,
    instances_ended: AtomicU64,
    connections_made: AtomicU64,
    connections_ended: AtomicU64,
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
    limits: [AtomicU64; FLAGS.len()],
    failures: [AtomicU64; FAILURES.len()],
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// How many there are: begun, and not ended. Whoever reads both in between of others sees no fewer than none.
fn still(ended: &AtomicU64, begun: &AtomicU64) -> u64 {
    let ended = read(ended);
    read(begun).saturating_sub(ended)
}

fn place_of(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::DELETE => 4,
        Method::OPTIONS => 5,
        Method::PATCH => 6,
        _ => METHODS.len() - 1,
    }
}

/// A connection, for as long as it is there.
pub(crate) struct Connection<'a>(&'a Metrics);

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        add(&self.0.connections_ended, 1);
    }
}

impl Metrics {
    pub(crate) fn connection(&self) -> Connection<'_> {
        add(&self.connections_made, 1);
        Connection(self)
    }

    pub(crate) fn instance_made(&self) {
        add(&self.instances_made, 1);
    }

    pub(crate) fn instance_ended(&self) {
        add(&self.instances_ended, 1);
    }

    pub(crate) fn request_begins(&self) {
        add(&self.begun, 1);
    }

    pub(crate) fn request_ends(&self, method: &Method, status: StatusCode, duration_ns: u64, bytes: u64) {
        let class = match status.as_u16() / 100 {
            class @ 1..=5 => usize::from(class) - 1,
            _ => CLASSES.len() - 1,
        };
        let us = duration_ns / 1000;
        add(&self.ended[place_of(method)][class], 1);
        add(&self.durations[BOUNDS_US.partition_point(|bound| *bound < us)], 1);
        add(&self.duration_us, us);
        add(&self.bytes, bytes);
    }

    pub(crate) fn limit_met(&self, met: Met) {
        add(&self.limits[met.place()], 1);
    }

    pub(crate) fn failed(&self, failure: Failure) {
        add(&self.failures[failure as usize], 1);
    }

    pub(crate) fn reloaded(&self, well: bool) {
        add(if well { &self.reloads } else { &self.failed_reloads }, 1);
    }

    pub(crate) fn refused(&self, refusal: &Refusal) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.entry(refusal.call).or_default() += refusal.count;
    }

    pub(crate) fn instances(&self) -> u64 {
        still(&self.instances_ended, &self.instances_made)
    }

    pub(crate) fn instances_made(&self) -> u64 {
        read(&self.instances_made)
    }

    pub(crate) fn connections(&self) -> u64 {
        still(&self.connections_ended, &self.connections_made)
    }

    /// Requests that are over, by the class of their status.
    pub(crate) fn by_class(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |class: usize| self.ended.iter().map(|method| read(&method[class])).sum();
        CLASSES.iter().enumerate().map(move |(class, name)| (*name, count(class)))
    }

    pub(crate) fn in_flight(&self) -> u64 {
        let ended: u64 = self.by_class().map(|(_, count)| count).sum();
        read(&self.begun).saturating_sub(ended)
    }

    /// Requests in each bucket of [`BOUNDS_US`], and beyond.
    pub(crate) fn durations(&self) -> impl Iterator<Item = u64> {
        self.durations.iter().map(read)
    }

    pub(crate) fn bytes(&self) -> u64 {
        read(&self.bytes)
    }

    pub(crate) fn reloads(&self) -> [(&'static str, u64); 2] {
        [("ok", read(&self.reloads)), ("failed", read(&self.failed_reloads))]
    }

    pub(crate) fn limits(&self) -> impl Iterator<Item = (&'static str, u64)> {
        FLAGS.into_iter().zip(self.limits.iter().map(read))
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        FAILURES.into_iter().zip(self.failures.iter().map(read))
    }

    pub(crate) fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// Writes families of one kind each.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        ConstCounter::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in values {
            ConstCounter::new(count).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }
}

impl Collector for Shared {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let metrics = &self.metrics;
        let mut families = Families(encoder);
        let mut requests =
            families.0.encode_descriptor("turnkey_requests", "Requests that are over", None, MetricType::Counter)?;
        for (method, ended) in METHODS.iter().zip(&metrics.ended) {
            for (class, count) in CLASSES.iter().zip(ended) {
                let labels = [("method", *method), ("status", *class)];
                ConstCounter::new(read(count)).encode(requests.encode_family(&labels)?)?;
            }
        }
        let help = "From a request's head to the end of its response";
        let name = "turnkey_request_duration_seconds";
        let bounds = BOUNDS_US.iter().map(|bound| seconds(*bound)).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(metrics.durations()).collect();
        families.0.encode_descriptor(name, help, None, MetricType::Histogram)?.encode_histogram::<NoLabelSet>(
            seconds(read(&metrics.duration_us)),
            buckets.iter().map(|(_, count)| count).sum(),
            &buckets,
            None,
        )?;
        families.gauge("turnkey_requests_in_flight", "Requests that are being answered", metrics.in_flight())?;
        let waiting = u64::from(self.waiting.load(Ordering::Relaxed));
        families.gauge("turnkey_requests_waiting", "Requests that wait for an instance", waiting)?;
        families.counter("turnkey_response_bytes", "Bytes of bodies that were sent", metrics.bytes())?;
        families.gauge("turnkey_instances", "Instances that there are", metrics.instances())?;
        families.counter("turnkey_instances_made", "Instances that were made", metrics.instances_made())?;
        families.gauge("turnkey_connections", "Connections that are open", metrics.connections())?;
        let made = read(&metrics.connections_made);
        families.counter("turnkey_connections_made", "Connections that were taken", made)?;
        let help = "Requests and instances that came to no good end, by what became of them";
        families.counters("turnkey_failures", help, "kind", metrics.failures())?;
        families.counters("turnkey_limits_met", "Limits that were met, by their flag", "flag", metrics.limits())?;
        let help = "What was refused to guests, by the call";
        families.counters("turnkey_refusals", help, "call", metrics.refusals())?;
        families.counters("turnkey_reloads", "The app was to be loaded anew", "result", metrics.reloads())?;
        let help = "When the server began, since 1970";
        families.gauge("process_start_time_seconds", help, self.log.began_ms() / 1000)?;
        families.gauge("process_resident_memory_bytes", "Memory of the process", resident_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_in_the_bucket_whose_bound_it_keeps() {
        for (duration_ns, place) in
            [(0, 0), (100_000, 0), (101_000, 1), (60_000_000_000, 17), (60_000_001_000, 18), (u64::MAX, 18)]
        {
            let metrics = Metrics::default();
            metrics.request_begins();
            metrics.request_ends(&Method::GET, StatusCode::OK, duration_ns, 0);
            let counts: Vec<u64> = metrics.durations().collect();
            assert_eq!(counts.iter().position(|count| *count == 1), Some(place), "{duration_ns}: {counts:?}");
            assert_eq!(counts.iter().sum::<u64>(), 1);
        }
    }

    #[test]
    fn each_limit_and_each_failure_has_a_name_of_its_own() {
        let guest = [Limit::Memory, Limit::Timeout, Limit::Fuel, Limit::Descriptors, Limit::Handles, Limit::Sockets];
        for limit in guest {
            assert_eq!(FLAGS[Met::Guest(limit).place()], limit.flag());
        }
        assert_eq!(FAILURES[Failure::Client as usize], "client");
        assert_eq!(FAILURES[Failure::CutOff as usize], "cut-off");
    }

    #[test]
    fn what_is_no_method_of_these_and_no_class_of_those_is_counted_too() {
        let metrics = Metrics::default();
        metrics.request_begins();
        metrics.request_begins();
        assert_eq!(metrics.in_flight(), 2);
        let status = StatusCode::from_u16(999).unwrap();
        metrics.request_ends(&Method::from_bytes(b"BREW").unwrap(), status, 1, 7);
        assert_eq!((metrics.in_flight(), metrics.bytes()), (1, 7));
        assert_eq!(metrics.by_class().find(|(_, count)| *count > 0), Some(("other", 1)));
    }
}
