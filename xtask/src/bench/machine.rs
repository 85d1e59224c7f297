//! On what the figures were taken: without it they mean nothing to a reader.

use serde_json::{Value, json};

use super::hosts::Host;

/// The kernel, the processor and the versions compared.
pub(super) fn describe<'a>(hosts: impl Iterator<Item = &'a Host>) -> Value {
    let versions: serde_json::Map<String, Value> =
        hosts.map(|host| (host.name().to_owned(), Value::from(host.version.clone()))).collect();
    json!({
        "kernel": read("/proc/sys/kernel/osrelease"),
        "cpu": cpu_model(),
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "architecture": std::env::consts::ARCH,
        "versions": versions,
    })
}

/// The same in a line, over the table.
pub(super) fn line(machine: &Value) -> String {
    let versions = machine["versions"].as_object();
    let versions: Vec<&str> = versions.into_iter().flat_map(|map| map.values()).filter_map(Value::as_str).collect();
    format!(
        "{} × {}, Linux {}; {}",
        machine["cpus"],
        machine["cpu"].as_str().unwrap_or("?"),
        machine["kernel"].as_str().unwrap_or("?"),
        versions.join(", "),
    )
}

fn read(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

fn cpu_model() -> Option<String> {
    let text = read("/proc/cpuinfo")?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
