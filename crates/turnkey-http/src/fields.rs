//! `fields` of `wasi:http/types`: names and values in their order, as headers and as trailers.
//!
//! A name keeps the letters that it was first written with, and is the same name in any others. A section has a bound, and each
//! field counts with what it takes besides its bytes, so that a guest cannot make many of nothing.

use bytes::BytesMut;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::ErrorCode;

/// Bytes of one section: names, values, and [`FIELD_BYTES`] for each field. Bounds what the host holds, and what it sends to a
/// peer that has a bound of its own.
pub(crate) const SECTION_BYTES: usize = 128 << 10;

/// What a field counts besides its name and value: RFC 9113, section 6.5.2, has the same number.
const FIELD_BYTES: usize = 32;

/// Names that belong to a connection and not to a message: the host's, whichever way the message goes. `host` is the authority.
const FORBIDDEN: [&str; 9] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// `header-error`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// A name or a value that no message can have.
    InvalidSyntax,
    /// A name that belongs to the connection.
    Forbidden,
    /// These fields do not change.
    Immutable,
    /// More than a section may have, 128 KiB.
    SizeExceeded,
}

/// Names and values, in their order.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    entries: Vec<Entry>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    /// In small letters.
    name: HeaderName,
    /// As it was first written, where that is not so.
    written: Option<Box<str>>,
    value: HeaderValue,
}

impl Entry {
    fn written(&self) -> &str {
        self.written.as_deref().unwrap_or(self.name.as_str())
    }

    fn bytes(&self) -> usize {
        self.name.as_str().len() + self.value.len() + FIELD_BYTES
    }
}

/// Whether a name belongs to the connection.
fn is_forbidden(name: &HeaderName) -> bool {
    FORBIDDEN.contains(&name.as_str())
}

/// A name, if it is one.
fn name(written: &str) -> Result<HeaderName, HeaderError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !written.bytes().all(is_token) {
        return Err(HeaderError::InvalidSyntax);
    }
    HeaderName::from_bytes(written.as_bytes()).map_err(|_| HeaderError::InvalidSyntax)
}

fn value(bytes: &[u8]) -> Result<HeaderValue, HeaderError> {
    HeaderValue::from_bytes(bytes).map_err(|_| HeaderError::InvalidSyntax)
}

impl Fields {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Fields::default()
    }

    /// `from-list`
    ///
    /// # Errors
    /// [`HeaderError::InvalidSyntax`], [`HeaderError::Forbidden`], [`HeaderError::SizeExceeded`].
    pub fn from_list<'a>(entries: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Self, HeaderError> {
        let mut fields = Fields::new();
        for (name, value) in entries {
            fields.append(name, value)?;
        }
        Ok(fields)
    }

    /// Of a message that came from a connection: without what belongs to that, and without what its `connection` names.
    ///
    /// # Errors
    /// [`HeaderError::SizeExceeded`]
    pub fn received(map: HeaderMap) -> Result<Self, HeaderError> {
        let named: Vec<HeaderName> = map
            .get_all(http::header::CONNECTION)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
            .collect();
        let mut fields = Fields { entries: Vec::with_capacity(map.len()), bytes: 0 };
        // A value is a piece of what was read with it, all of which it would keep for as long as the guest has the fields.
        let mut own = BytesMut::with_capacity(map.values().map(HeaderValue::len).sum());
        let mut last = None;
        for (name, value) in map {
            // A name is given once for all its values.
            let Some(name) = name.or_else(|| last.clone()) else { continue };
            last = Some(name.clone());
            if !is_forbidden(&name) && !named.contains(&name) {
                own.extend_from_slice(value.as_bytes());
                let value = HeaderValue::from_maybe_shared(own.split().freeze()).unwrap_or(value);
                fields.push(Entry { name, written: None, value })?;
            }
        }
        Ok(fields)
    }

    /// Of a message that goes to a connection.
    ///
    /// # Errors
    /// [`HeaderError::Forbidden`]: for fields that came from elsewhere than these functions.
    pub fn to_map(&self) -> Result<HeaderMap, HeaderError> {
        // A map takes so many that no section has as many; it says so, rather than to panic.
        let mut map = HeaderMap::try_with_capacity(self.entries.len()).map_err(|_| HeaderError::SizeExceeded)?;
        for Entry { name, value, .. } in &self.entries {
            if is_forbidden(name) {
                return Err(HeaderError::Forbidden);
            }
            map.try_append(name.clone(), value.clone()).map_err(|_| HeaderError::SizeExceeded)?;
        }
        Ok(map)
    }

    /// Bytes that the host holds for it: at most, whatever the fields are.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        // A list may have twice the room that it needs, and a name and a value are allocations of their own.
        2 * self.bytes + self.entries.len() * (2 * size_of::<Entry>() + 64)
    }

    /// Bytes that the host holds for it, as they are counted.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// `get`: none of a name that is none.
    pub fn get<'a>(&'a self, written: &str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let name = name(written).ok();
        let entries = self.entries.iter().filter(move |entry| Some(&entry.name) == name.as_ref());
        entries.map(|entry| entry.value.as_bytes())
    }

    /// `has`
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).next().is_some()
    }

    /// `set`: these values, and no others of this name, where the first of them was.
    ///
    /// # Errors
    /// [`HeaderError::InvalidSyntax`], [`HeaderError::Forbidden`], [`HeaderError::SizeExceeded`]; then nothing has changed.
    pub fn set<'a>(&mut self, written: &str, values: impl Iterator<Item = &'a [u8]>) -> Result<(), HeaderError> {
        let mut changed = self.clone();
        changed.delete(written)?;
        for value in values {
            changed.append(written, value)?;
        }
        *self = changed;
        Ok(())
    }

    /// `delete`, and `get-and-delete`: what was there.
    ///
    /// # Errors
    /// [`HeaderError::InvalidSyntax`], [`HeaderError::Forbidden`].
    pub fn delete(&mut self, written: &str) -> Result<Vec<Vec<u8>>, HeaderError> {
        let name = allowed(written)?;
        let mut values = Vec::new();
        let bytes = &mut self.bytes;
        self.entries.retain(|entry| {
            if entry.name == name {
                *bytes -= entry.bytes();
                values.push(entry.value.as_bytes().to_vec());
            }
            entry.name != name
        });
        Ok(values)
    }

    /// `append`
    ///
    /// # Errors
    /// [`HeaderError::InvalidSyntax`], [`HeaderError::Forbidden`], [`HeaderError::SizeExceeded`].
    pub fn append(&mut self, written: &str, bytes: &[u8]) -> Result<(), HeaderError> {
        let name = allowed(written)?;
        let value = value(bytes)?;
        let first = self.entries.iter().find(|entry| entry.name == name);
        let written = match first {
            Some(first) => first.written.clone(),
            None => (name.as_str() != written).then(|| written.into()),
        };
        self.push(Entry { name, written, value })
    }

    /// `entries`, and `copy-all`.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.entries.iter().map(|entry| (entry.written(), entry.value.as_bytes()))
    }

    /// What the message says of the length of its body.
    ///
    /// # Errors
    /// [`ErrorCode::HttpProtocolError`]: it is no number, or said twice. Two that differ are how requests are smuggled, and
    /// nobody has to say the same twice.
    pub fn content_length(&self) -> Result<Option<u64>, ErrorCode> {
        let mut lengths = self.entries.iter().filter(|entry| entry.name == http::header::CONTENT_LENGTH);
        let (Some(length), None) = (lengths.next(), lengths.next()) else {
            // Either none, or more than one.
            return if self.has("content-length") { Err(ErrorCode::HttpProtocolError) } else { Ok(None) };
        };
        let digits = length.value.as_bytes();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(ErrorCode::HttpProtocolError);
        }
        let length = length.value.to_str().ok().and_then(|digits| digits.parse().ok());
        length.map(Some).ok_or(ErrorCode::HttpProtocolError)
    }

    fn push(&mut self, entry: Entry) -> Result<(), HeaderError> {
        let bytes = self.bytes + entry.bytes();
        if bytes > SECTION_BYTES {
            return Err(HeaderError::SizeExceeded);
        }
        self.bytes = bytes;
        self.entries.push(entry);
        Ok(())
    }
}

/// A name that a guest may change.
fn allowed(written: &str) -> Result<HeaderName, HeaderError> {
    let name = name(written)?;
    if is_forbidden(&name) { Err(HeaderError::Forbidden) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_letters_and_is_the_same_in_any() {
        let mut fields = Fields::new();
        fields.append("X-One", b"1").unwrap();
        fields.append("x-one", b"2").unwrap();
        assert_eq!(fields.entries().map(|(name, _)| name).collect::<Vec<_>>(), ["X-One", "X-One"]);
        assert_eq!(fields.get("X-ONE").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(fields.delete("x-ONE").unwrap().len(), 2);
        assert_eq!(fields.bytes(), 0);
    }

    #[test]
    fn a_section_ends_exactly_at_its_bound() {
        let mut fields = Fields::new();
        let value = vec![b'v'; SECTION_BYTES - FIELD_BYTES - 1];
        fields.append("a", &value).unwrap();
        assert_eq!(fields.append("a", b""), Err(HeaderError::SizeExceeded));
        fields.delete("a").unwrap();
        assert_eq!(fields.append("ab", &value), Err(HeaderError::SizeExceeded));
    }

    #[test]
    fn a_length_is_digits_and_said_once() {
        for (values, length) in [
            (&["5"][..], Ok(Some(5))),
            (&[], Ok(None)),
            (&["5", "5"], Err(())),
            (&["5", "6"], Err(())),
            (&["5, 5"], Err(())),
            (&["+5"], Err(())),
            (&[""], Err(())),
            (&["99999999999999999999"], Err(())),
        ] {
            let fields = Fields::from_list(values.iter().map(|value| ("Content-Length", value.as_bytes()))).unwrap();
            assert_eq!(fields.content_length().map_err(|_| ()), length, "{values:?}");
        }
    }

    #[test]
    fn what_belongs_to_a_connection_does_not_reach_a_guest() {
        let mut map = HeaderMap::new();
        map.append("connection", "x-secret, close".parse().unwrap());
        map.append("x-secret", "1".parse().unwrap());
        map.append("host", "example.com".parse().unwrap());
        map.append("accept", "a".parse().unwrap());
        map.append("accept", "b".parse().unwrap());
        let fields = Fields::received(map).unwrap();
        let entries: Vec<_> = fields.entries().collect();
        assert_eq!(entries, [("accept", &b"a"[..]), ("accept", &b"b"[..])]);
    }
}
