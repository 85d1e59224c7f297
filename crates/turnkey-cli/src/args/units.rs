//! Sizes and times, as people write them.

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

/// A value together with how it was written, for messages that name it.
#[derive(Clone, Debug)]
pub(crate) struct Written<T> {
    pub(crate) value: T,
    pub(crate) as_written: String,
}

/// `64MiB`, `500KB`, `4096`: bytes.
pub(super) fn size(written: &str) -> Result<Written<u64>, String> {
    let digits = written.find(|character: char| !character.is_ascii_digit()).unwrap_or(written.len());
    let (number, unit) = written.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err("a size is written `64MiB`, `500KB` or `4096`".to_owned()),
    };
    let value = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    let value = value.ok_or("a size is written `64MiB`, `500KB` or `4096`")?;
    Ok(Written { value, as_written: written.to_owned() })
}

/// `5s`, `1m 30s`, `250ms`: a time that is not nothing.
pub(super) fn time(written: &str) -> Result<Written<Duration>, String> {
    match humantime::parse_duration(written) {
        Ok(value) if !value.is_zero() => Ok(Written { value, as_written: written.to_owned() }),
        _ => Err("a time is written `5s`, `250ms` or `1m 30s`".to_owned()),
    }
}

/// A step of a clock: at least a nanosecond, at most a day.
pub(super) fn step(written: &str) -> Result<Duration, String> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    match time(written) {
        Ok(step) if step.value <= DAY => Ok(step.value),
        _ => Err("a step is written `1ms` or `100us`, and is a day at most".to_owned()),
    }
}

/// `frozen`, or `frozen=2026-01-01T00:00:00Z`: the time since 1970 at which the clock stands.
pub(super) fn frozen(written: &str) -> Result<Duration, String> {
    let at = match written.strip_prefix("frozen") {
        Some("") => return Ok(Duration::ZERO),
        Some(at) => at.strip_prefix('='),
        None => None,
    };
    at.and_then(|at| humantime::parse_rfc3339_weak(at).ok())
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        // A guest counts nanoseconds in 64 bits: until 2554.
        .filter(|at| u64::try_from(at.as_nanos()).is_ok())
        .ok_or_else(|| "a clock is `frozen`, or `frozen=2026-01-01T00:00:00Z`".to_owned())
}

/// `db.example.com:10.0.0.7`, `localhost:::1`: a name, and the address that it stands for.
pub(super) fn host(written: &str) -> Result<(String, IpAddr), String> {
    written
        .split_once(':')
        .filter(|(name, _)| !name.is_empty())
        .and_then(|(name, address)| {
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
            Some((name.to_owned(), bare.parse().ok()?))
        })
        .ok_or_else(|| "a host is written `NAME:IP`, as in `db.example.com:10.0.0.7`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_as_written() {
        for (written, bytes) in [("64MiB", 64 << 20), ("1k", 1024), ("2 MB", 2_000_000), ("7", 7), ("0", 0)] {
            assert_eq!(size(written).unwrap().value, bytes, "{written}");
        }
        for wrong in ["", "MiB", "-1", "1.5GB", "99999999999GiB", "12 parsecs"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(time("1m 30s").unwrap().value, Duration::from_secs(90));
        assert!(time("0s").is_err() && time("soon").is_err());
        assert_eq!(frozen("frozen=1970-01-01T00:01:00Z").unwrap(), Duration::from_secs(60));
        assert_eq!(host("a.b:10.0.0.7").unwrap(), ("a.b".to_owned(), "10.0.0.7".parse().unwrap()));
        assert_eq!(host("a:[::1]").unwrap().1, host("a:::1").unwrap().1);
        assert!(host(":1.2.3.4").is_err() && host("a").is_err() && host("a:b").is_err());
        for wrong in ["frozen=1969-01-01T00:00:00Z", "frozen=9999-12-31T23:59:59Z", "melted"] {
            assert!(frozen(wrong).is_err(), "{wrong}");
        }
    }
}
