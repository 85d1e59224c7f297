//! What `p3_bench` writes and reads where there is much of it: numbered blocks.
//!
//! A page of a block begins with its number among all pages, and the rest of it is the block's number: what was lost, repeated
//! or moved is found. A block is compared as a whole, as whoever reads must not be slower than a host that writes.

use std::io::Read;
use std::ops::Range;

const PAGE_BYTES: usize = 4096;

/// Block `number`, in this buffer: all of it is the block.
pub(super) fn make(block: &mut [u8], number: u64) {
    let pages = block.len().div_ceil(PAGE_BYTES) as u64;
    block.fill(number as u8);
    for (index, page) in (number * pages..).zip(block.chunks_mut(PAGE_BYTES)) {
        page[..8].copy_from_slice(&index.to_le_bytes());
    }
}

/// Reads the blocks of these numbers.
///
/// # Errors
/// The first that is not what it should be, or is not there.
pub(super) fn take(mut source: impl Read, bytes: usize, numbers: Range<u64>) -> Result<(), String> {
    let (mut expected, mut came) = (vec![0; bytes], vec![0; bytes]);
    for number in numbers {
        source.read_exact(&mut came).map_err(|error| format!("block {number} does not come: {error}"))?;
        make(&mut expected, number);
        if came != expected {
            return Err(format!("block {number} came changed"));
        }
    }
    Ok(())
}

/// Makes sure that nothing more comes.
///
/// # Errors
/// It does not end.
pub(super) fn end(mut source: impl Read) -> Result<(), String> {
    match source.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err("more came than was to be written".to_owned()),
        Err(error) => Err(format!("it does not end: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 3 * PAGE_BYTES;

    fn blocks(numbers: Range<u64>) -> Vec<u8> {
        let mut block = vec![0; BYTES];
        let made = numbers.flat_map(|number| {
            make(&mut block, number);
            block.clone()
        });
        made.collect()
    }

    #[test]
    fn what_came_whole_is_taken() {
        let good = blocks(5..9);
        let mut source = &good[..];
        assert_eq!(take(&mut source, BYTES, 5..9), Ok(()));
        assert_eq!(end(source), Ok(()));
    }

    #[test]
    fn lost_moved_changed_and_added_bytes_are_found() {
        let good = blocks(0..4);
        let (page, last) = (PAGE_BYTES, good.len() - 1);
        let lost = [&good[..100], &good[101..]].concat();
        let page_lost = [&good[..page], &good[2 * page..]].concat();
        let page_repeated = [&good[..2 * page], &good[page..]].concat();
        let moved = [&good[page..2 * page], &good[..page], &good[2 * page..]].concat();
        let mut changed = good.clone();
        changed[last] ^= 1;
        for bad in [lost, page_lost, page_repeated, moved, changed] {
            assert!(take(&bad[..], BYTES, 0..4).is_err());
        }
        assert!(end(&b"!"[..]).is_err());
    }
}
