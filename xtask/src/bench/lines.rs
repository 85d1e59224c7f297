//! What operation `stdout_line` must have written: lines of 64 bytes, numbered from 0, in order, and nothing else.
//!
//! A host that is fast because it loses, repeats or mixes output up must not win, so every byte is checked. It is done
//! while reading, and cheaply, as the reader must not be slower than the writer.

use std::io::Read;

/// Bytes of a line, its newline included.
const LINE_BYTES: usize = 64;

/// Enough to empty a full pipe at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Reads to the end and says how many lines there were.
///
/// # Errors
/// The first line that is not what it should be, or an incomplete last one.
pub(super) fn check(mut source: impl Read) -> Result<u64, String> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut expected = Expected::default();
    loop {
        let length = match source.read(&mut chunk) {
            Ok(0) => return expected.finish(),
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("cannot read the guest's output: {error}")),
        };
        expected.take(&chunk[..length])?;
    }
}

/// The line that is awaited, and how much of it has come. The first one is the model: its filler is the guest's business.
struct Expected {
    line: [u8; LINE_BYTES],
    digits: usize,
    come: usize,
    lines: u64,
}

impl Default for Expected {
    fn default() -> Self {
        Self { line: [0; LINE_BYTES], digits: 0, come: 0, lines: 0 }
    }
}

impl Expected {
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            let length = bytes.len().min(LINE_BYTES - self.come);
            let (part, rest) = bytes.split_at(length);
            let place = &mut self.line[self.come..self.come + length];
            if self.lines == 0 {
                place.copy_from_slice(part);
            } else if place != part {
                return Err(self.wrong(part));
            }
            self.come += length;
            bytes = rest;
            if self.come == LINE_BYTES {
                self.next_line()?;
            }
        }
        Ok(())
    }

    fn next_line(&mut self) -> Result<(), String> {
        if self.lines == 0 {
            self.learn()?;
        }
        self.lines += 1;
        self.come = 0;
        self.count_up();
        Ok(())
    }

    /// Takes the first line as the model, if it is a zero, zero-padded, and ends where it should.
    fn learn(&mut self) -> Result<(), String> {
        let is_digit = |byte: &&u8| byte.is_ascii_digit();
        self.digits = self.line.iter().take_while(is_digit).count();
        let zero = self.digits > 0 && self.line[..self.digits].iter().all(|&byte| byte == b'0');
        let newline = self.line.iter().position(|&byte| byte == b'\n');
        if zero && newline == Some(LINE_BYTES - 1) {
            return Ok(());
        }
        let shown = String::from_utf8_lossy(&self.line);
        Err(format!("line 0 is {shown:?}"))
    }

    fn count_up(&mut self) {
        for digit in self.line[..self.digits].iter_mut().rev() {
            if *digit != b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
    }

    fn wrong(&self, part: &[u8]) -> String {
        let expected = &self.line[self.come..self.come + part.len()];
        format!(
            "line {} is wrong from byte {}: {:?} instead of {:?}",
            self.lines,
            self.come,
            String::from_utf8_lossy(part),
            String::from_utf8_lossy(expected),
        )
    }

    fn finish(self) -> Result<u64, String> {
        if self.come == 0 {
            return Ok(self.lines);
        }
        Err(format!("line {} has only {} bytes", self.lines, self.come))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(count: u64) -> Vec<u8> {
        let lines = (0..count).map(|number| format!("{number:012} {:.<50}\n", ""));
        lines.collect::<String>().into_bytes()
    }

    /// Hands out a few bytes at a time, so that lines are cut everywhere.
    struct Dribble<'a>(&'a [u8]);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.0.len().min(buffer.len()).min(7);
            let (part, rest) = self.0.split_at(length);
            buffer[..length].copy_from_slice(part);
            self.0 = rest;
            Ok(length)
        }
    }

    #[test]
    fn good_output_is_counted() {
        assert_eq!(check(&text(12_345)[..]), Ok(12_345));
        assert_eq!(check(Dribble(&text(1_234))), Ok(1_234));
        assert_eq!(check(&[][..]), Ok(0));
    }

    #[test]
    fn lost_repeated_and_changed_bytes_are_found() {
        let good = text(2_000);
        let lost = [&good[..64 * 100], &good[64 * 101..]].concat();
        let repeated = [&good[..64 * 100], &good[64 * 99..]].concat();
        let mut changed = good.clone();
        changed[64 * 1_500 + 40] ^= 1;
        for bad in [lost, repeated, changed, good[..good.len() - 1].to_vec()] {
            assert!(check(&bad[..]).is_err());
            assert!(check(Dribble(&bad)).is_err());
        }
    }

    #[test]
    fn it_begins_at_zero() {
        assert!(check(&text(10)[64..]).is_err());
    }
}
