//! A path as a guest gives it: bytes, relative, looked at before the host sees it.
//!
//! Names are bytes here. A preview whose strings are text decides for itself what it does with names that are not.

use crate::ErrorCode;

/// Bytes of the longest path: Linux's `PATH_MAX`, with the zero at its end.
const MOST_BYTES: usize = 4096;

/// A relative path without a zero byte, its trailing slashes taken off and remembered.
#[derive(Clone, Copy, Debug)]
pub struct GuestPath<'a> {
    given: &'a [u8],
    bytes: &'a [u8],
    must_be_directory: bool,
    is_single_name: bool,
}

impl<'a> GuestPath<'a> {
    /// Looks at what a guest gave.
    ///
    /// # Errors
    /// [`ErrorCode::NoEntry`] for nothing, [`ErrorCode::Invalid`] for a zero byte in it, [`ErrorCode::NotPermitted`] for an
    /// absolute path, [`ErrorCode::NameTooLong`].
    #[inline]
    pub fn parse(given: &'a [u8]) -> Result<Self, ErrorCode> {
        match given {
            [] => return Err(ErrorCode::NoEntry),
            [b'/', ..] => return Err(ErrorCode::NotPermitted),
            _ if given.len() >= MOST_BYTES => return Err(ErrorCode::NameTooLong),
            _ => {}
        }
        let mut bytes = given;
        while let [front @ .., b'/'] = bytes {
            bytes = front;
        }
        let (mut zeroes, mut slashes) = (false, false);
        for &byte in bytes {
            zeroes |= byte == 0;
            slashes |= byte == b'/';
        }
        if zeroes {
            return Err(ErrorCode::Invalid);
        }
        let is_single_name = !slashes && !matches!(bytes, b"." | b"..");
        Ok(GuestPath { given, bytes, must_be_directory: bytes.len() < given.len(), is_single_name })
    }

    /// As the guest gave it.
    #[must_use]
    pub const fn given(&self) -> &'a [u8] {
        self.given
    }

    /// Without trailing slashes; never empty.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// It ended in a slash, and so means a directory.
    #[must_use]
    pub const fn must_be_directory(&self) -> bool {
        self.must_be_directory
    }

    /// The path, if it is one name and so cannot leave its directory.
    #[inline]
    #[must_use]
    pub const fn single_name(&self) -> Option<&'a [u8]> {
        if self.is_single_name { Some(self.bytes) } else { None }
    }

    /// The path of the parent (`.` for none) and the last component.
    #[must_use]
    pub fn split(&self) -> (&'a [u8], &'a [u8]) {
        match self.bytes.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&self.bytes[..slash], &self.bytes[slash + 1..]),
            None => (b".", self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_path_is_told_apart() {
        for (given, code) in [
            (&b""[..], ErrorCode::NoEntry),
            (b"/", ErrorCode::NotPermitted),
            (b"/etc/passwd", ErrorCode::NotPermitted),
            (b"a\0", ErrorCode::Invalid),
            (&[b'a'; MOST_BYTES], ErrorCode::NameTooLong),
        ] {
            assert_eq!(GuestPath::parse(given).unwrap_err(), code);
        }
    }

    #[test]
    fn slashes_at_the_end_mean_a_directory() {
        for (given, bytes, directory, single) in [
            (&b"a"[..], &b"a"[..], false, true),
            (b"a/", b"a", true, true),
            (b"a//", b"a", true, true),
            (b"a/b", b"a/b", false, false),
            (b"..", b"..", false, false),
            (b"./", b".", true, false),
            (b"...", b"...", false, true),
        ] {
            let path = GuestPath::parse(given).unwrap();
            assert_eq!((path.bytes(), path.must_be_directory()), (bytes, directory));
            assert_eq!(path.single_name().is_some(), single, "{given:?}");
        }
    }
}
