//! What a guest that takes the time itself says of its run: `NAME ITERATIONS NANOSECONDS_TOTAL`, on standard error.

use std::path::Path;

/// The most iterations of the first pass.
const MOST_UNTIMED: u64 = 100_000;

/// One such line.
pub(super) struct Report {
    pub(super) iterations: u64,
    nanoseconds: f64,
}

impl Report {
    /// Finds it in what the guest has said.
    ///
    /// # Errors
    /// There is none of this name, or no text.
    pub(super) fn read(said: &Path, name: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(said).map_err(|error| error.to_string())?;
        let report = text.lines().find_map(|line| Self::parse(line, name));
        report.ok_or_else(|| format!("it reported no `{name}`, but {text:?}"))
    }

    /// The same in one line, if it is one.
    pub(super) fn parse(line: &str, name: &str) -> Option<Self> {
        let mut fields = line.split_whitespace();
        if fields.next() != Some(name) {
            return None;
        }
        let iterations: u64 = fields.next()?.parse().ok()?;
        let nanoseconds = fields.next()?.parse().ok()?;
        (iterations > 0).then_some(Self { iterations, nanoseconds })
    }

    pub(super) fn nanoseconds_each(&self) -> f64 {
        self.nanoseconds / self.iterations as f64
    }
}

/// How often a guest does it before it takes the time.
pub(super) fn untimed(iterations: u64) -> u64 {
    (iterations / 10).clamp(1, MOST_UNTIMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_three_fields() {
        let report = Report::parse("fd_seek 200 5000", "fd_seek").unwrap();
        assert_eq!(report.nanoseconds_each(), 25.0);
        assert!(Report::parse("fd_seek 200", "fd_seek").is_none());
        assert!(Report::parse("fd_seek 0 0", "fd_seek").is_none());
        assert!(Report::parse("other 1 1", "fd_seek").is_none());
    }
}
