//! Names as text, for previews whose strings are Unicode, where the host's are bytes.
//!
//! A byte that is not part of valid UTF-8 becomes one character of its own, U+EF80 to U+EFFF for 0x80 to 0xFF, and is that
//! byte again when the guest uses the name: such a file is listed, and can be opened. A name that has one of these
//! characters already is written by the bytes of that character, so that no two names look the same.

use std::borrow::Cow;

/// The first of the 128 characters that stand for a byte: this one for 0x80.
const FIRST: u32 = 0xef80;

/// The byte that all of these characters begin with in UTF-8.
const LEAD: u8 = 0xee;

/// The byte that a character stands for.
fn byte_of(character: char) -> Option<u8> {
    let offset = u32::from(character).checked_sub(FIRST)?;
    u8::try_from(offset + 0x80).ok().filter(|_| offset < 0x80)
}

/// The character that stands for a byte from 0x80 on.
fn character_of(byte: u8) -> char {
    char::from_u32(FIRST + u32::from(byte) - 0x80).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// A name of the host as text.
#[must_use]
pub fn to_text(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) if !name.contains(&LEAD) => text.to_owned(),
        _ => escaped(name),
    }
}

#[cold]
fn escaped(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len() + 16);
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match byte_of(character) {
                Some(_) => text.extend(character.encode_utf8(&mut [0; 4]).bytes().map(character_of)),
                None => text.push(character),
            }
        }
        text.extend(chunk.invalid().iter().map(|&byte| character_of(byte)));
    }
    text
}

/// The name of the host that a guest's text stands for.
#[must_use]
pub fn from_text(text: &str) -> Cow<'_, [u8]> {
    if !text.as_bytes().contains(&LEAD) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut name = Vec::with_capacity(text.len());
    for character in text.chars() {
        match byte_of(character) {
            Some(byte) => name.push(byte),
            None => name.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_and_no_two_look_the_same() {
        let names: [&[u8]; 9] = [
            b"plain",
            "gr\u{fc}n".as_bytes(),
            b"latin \xfc",
            b"\x80",
            b"\xff\xfe",
            "\u{ef80}".as_bytes(),
            "\u{ee00}\u{efff}x".as_bytes(),
            b"cut \xe2\x82",
            b"\xee\xbe",
        ];
        let texts: Vec<String> = names.iter().map(|name| to_text(name)).collect();
        for (name, text) in names.iter().zip(&texts) {
            assert_eq!(from_text(text), *name, "{text:?}");
        }
        for (index, text) in texts.iter().enumerate() {
            assert!(!texts[..index].contains(text), "{text:?}");
        }
        assert_eq!(texts[0], "plain");
        assert_eq!(texts[2], "latin \u{effc}");
    }
}
