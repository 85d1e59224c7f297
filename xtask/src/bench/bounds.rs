//! What was promised, beside what was measured.

use serde_json::{Value, json};

/// One promise: a measured figure is at most a limit, or at least.
pub(super) struct Bound {
    /// What is bounded, in the words of the table.
    pub(super) name: String,
    /// The limit in the words of the table.
    pub(super) limit: String,
    /// How far within the limit the figure is; negative where it is beyond, nothing where it was not measured.
    pub(super) margin: Option<f64>,
}

impl Bound {
    /// A figure that is at most `limit`.
    pub(super) fn at_most(name: &str, measured: Option<f64>, limit: f64) -> Self {
        Self {
            name: name.to_owned(),
            limit: format!("≤ {limit:.2}"),
            margin: measured.map(|measured| limit - measured),
        }
    }

    /// A figure that is at least `limit`: of what is better the more there is.
    pub(super) fn at_least(name: &str, measured: Option<f64>, limit: f64) -> Self {
        Self {
            name: name.to_owned(),
            limit: format!("≥ {limit:.2}"),
            margin: measured.map(|measured| measured - limit),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.margin {
            None => "not judged",
            Some(margin) if margin >= 0.0 => "met",
            Some(_) => "MISSED",
        }
    }

    /// For the table.
    pub(super) fn cell(&self) -> String {
        format!("{} {} {}", self.name, self.limit, self.verdict())
    }

    /// For `--json`.
    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "limit": self.limit,
            "margin": self.margin,
            "met": self.margin.map(|margin| margin >= 0.0),
        })
    }
}

/// Fails for bounds that were missed or that nothing could be said of, each named by what it belongs to.
///
/// # Errors
/// One line for each of them.
pub(super) fn check<'a>(bounds: impl Iterator<Item = (&'a str, &'a Bound)>) -> Result<(), String> {
    let missed: Vec<String> = bounds
        .filter(|(_, bound)| bound.margin.is_none_or(|margin| margin < 0.0))
        .map(|(of, bound)| format!("{of}: {}", bound.cell()))
        .collect();
    if missed.is_empty() {
        return Ok(());
    }
    Err(format!("bounds not met:\n{}", missed.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        assert_eq!(Bound::at_most("/w", Some(0.5), 0.5).verdict(), "met");
        assert_eq!(Bound::at_most("/w", Some(0.51), 0.5).verdict(), "MISSED");
        assert_eq!(Bound::at_most("/w", None, 0.5).verdict(), "not judged");
        assert_eq!(Bound::at_least("/w", Some(1.3), 1.3).verdict(), "met");
        assert_eq!(Bound::at_least("/w", Some(1.29), 1.3).verdict(), "MISSED");
    }

    #[test]
    fn what_was_not_judged_was_not_met() {
        let bound = Bound::at_most("/w", None, 0.5);
        assert!(check([("fd_seek", &bound)].into_iter()).is_err());
        assert!(check(std::iter::empty()).is_ok());
    }
}
