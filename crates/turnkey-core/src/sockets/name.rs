//! Names of hosts, and the patterns that grants have for them.
//!
//! A name is RFC 1123's, in ASCII, with the underscores that service names have (RFC 2782). It is kept in lower case and
//! without the dot that may end it, so that two that mean the same are the same.

/// The longest name (RFC 1035, without its last dot).
const LONGEST_NAME: usize = 253;

/// The longest part between two dots.
const LONGEST_LABEL: usize = 63;

/// The name in the form in which it is compared. `None`: it is no name of a host.
///
/// What ends in a number is none (RFC 3696): the system's resolver takes `127.1`, `0x7f000001` and `2130706433` for
/// addresses, and a grant for names would be one for any address.
pub(super) fn host_name(given: &str) -> Option<String> {
    let name = given.strip_suffix('.').unwrap_or(given);
    let last = name.rsplit('.').next().unwrap_or(name);
    if name.len() > LONGEST_NAME || is_number(last) || !name.split('.').all(is_label) {
        return None;
    }
    Some(name.to_ascii_lowercase())
}

fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_number(label: &str) -> bool {
    match label.as_bytes() {
        [b'0', b'x' | b'X', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

/// A pattern of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamePattern {
    /// `*`: every name.
    Any,
    /// `*.example.com`: every name below this one, and not itself.
    Below(String),
    /// `example.com`: this name.
    Exact(String),
}

impl NamePattern {
    /// From `example.com`, `*.example.com` or `*`. `None`: it is none of them.
    pub(super) fn parse(written: &str) -> Option<Self> {
        if written == "*" {
            return Some(NamePattern::Any);
        }
        match written.strip_prefix("*.") {
            Some(parent) => host_name(parent).map(NamePattern::Below),
            None => host_name(written).map(NamePattern::Exact),
        }
    }

    /// Whether it covers a name, which is in the form that [`host_name`] gives it.
    pub(super) fn covers(&self, name: &str) -> bool {
        match self {
            NamePattern::Any => true,
            NamePattern::Below(parent) => name.strip_suffix(parent.as_str()).is_some_and(|below| below.ends_with('.')),
            NamePattern::Exact(exact) => name == exact,
        }
    }
}

impl std::fmt::Display for NamePattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NamePattern::Any => formatter.write_str("*"),
            NamePattern::Below(parent) => write!(formatter, "*.{parent}"),
            NamePattern::Exact(name) => formatter.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_from_what_is_none() {
        for (given, name) in [
            ("Example.COM.", Some("example.com")),
            ("localhost", Some("localhost")),
            ("_sip._tcp.example.com", Some("_sip._tcp.example.com")),
            ("3com.com", Some("3com.com")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("", None),
            (".", None),
            ("a..b", None),
            (".a", None),
            ("a-.b", None),
            ("-a", None),
            ("a b", None),
            ("a\0b", None),
            ("a/b", None),
            ("bücher.example", None),
            ("[::1]", None),
            ("fe80::1%eth0", None),
            ("127.1", None),
            ("2130706433", None),
            ("0x7f000001", None),
            ("example.0X7F", None),
            ("1.2.3.4.", None),
        ] {
            assert_eq!(host_name(given).as_deref(), name, "{given}");
        }
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert!(host_name(&longest).is_some());
        assert!(host_name(&format!("{longest}a")).is_none());
        assert!(host_name(&format!("{label}a.b")).is_none());
    }

    #[test]
    fn a_pattern_covers_what_is_below_it_and_nothing_that_only_ends_alike() {
        for (pattern, name, covered) in [
            ("*", "a.b", true),
            ("example.com", "example.com", true),
            ("example.com", "www.example.com", false),
            ("*.example.com", "www.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "notexample.com", false),
            ("*.Example.com.", "www.example.com", true),
        ] {
            assert_eq!(NamePattern::parse(pattern).unwrap().covers(name), covered, "{pattern} {name}");
        }
        for written in ["", "*.", "*example.com", "www.*.com", "*.*"] {
            assert_eq!(NamePattern::parse(written), None, "{written}");
        }
    }
}
