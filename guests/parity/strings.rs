//! Names in the previews that have strings for them: a byte that is no text is a character of its own.

/// A string as the bytes of a name. A character from U+EF80 to U+EFFF stands for a byte that is no text.
pub fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match u32::from(character) {
            code @ 0xef80..=0xefff => bytes.push((code - 0xef00) as u8),
            _ => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// The bytes of a name as a string.
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let stands_for = |byte: &u8| char::from_u32(0xef00 + u32::from(*byte)).unwrap_or_default();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match u32::from(character) {
                // One of these as itself is written by its own bytes.
                0xef80..=0xefff => text.extend(character.encode_utf8(&mut [0; 4]).as_bytes().iter().map(stands_for)),
                _ => text.push(character),
            }
        }
        text.extend(chunk.invalid().iter().map(stands_for));
    }
    text
}
