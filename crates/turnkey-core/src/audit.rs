//! What was refused: by which call, what was asked for, and the grant that would have allowed it.
//!
//! The guest sees only its error code; the user sees this. A guest writes what is asked for, so its length and the number
//! of rows are bounded here, and whoever prints a row escapes it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

/// One kind of refusal, and how often it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The WASI function: `path_open`.
    pub call: &'static str,
    /// What the guest asked for: a path, an address. Bytes as the guest gave them, cut at [`ASKED_BYTES`].
    pub asked: Vec<u8>,
    /// The flag that would have allowed it, or why none would.
    pub grant: Cow<'static, str>,
    /// How often.
    pub count: u64,
}

/// Bytes kept of what a guest asked for: the longest path that Linux takes.
pub const ASKED_BYTES: usize = 4096;

/// The refusals of one guest, in the order of their first time.
#[derive(Debug)]
pub struct Audit {
    refusals: Vec<Refusal>,
    most: usize,
    dropped: u64,
    late: Option<Late>,
}

/// Where something is refused that goes on after its call has come back, so that the record is not at hand. It is found there
/// when the record is taken out.
#[derive(Clone, Debug)]
pub struct Late(Arc<Mutex<Audit>>);

impl Late {
    /// Records a refusal.
    pub fn refuse(&self, call: &'static str, asked: &[u8], grant: impl Into<Cow<'static, str>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).refuse(call, asked, grant);
    }
}

impl Audit {
    /// An empty record of at most `most` distinct rows.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Audit { refusals: Vec::new(), most, dropped: 0, late: None }
    }

    /// Records a refusal.
    pub fn refuse(&mut self, call: &'static str, asked: &[u8], grant: impl Into<Cow<'static, str>>) {
        let asked = &asked[..asked.len().min(ASKED_BYTES)];
        if let Some(known) = self.refusals.iter_mut().find(|known| known.call == call && known.asked == asked) {
            known.count += 1;
        } else if self.refusals.len() < self.most {
            self.refusals.push(Refusal { call, asked: asked.to_vec(), grant: grant.into(), count: 1 });
        } else {
            self.dropped += 1;
        }
    }

    /// The distinct refusals, oldest first.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// How many refusals came after the record was full.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// For what goes on.
    #[must_use]
    pub fn late(&mut self) -> Late {
        self.late.get_or_insert_with(|| Late(Arc::new(Mutex::new(Audit::new(self.most))))).clone()
    }

    /// Takes the record out, leaving an empty one.
    #[must_use]
    pub fn take(&mut self) -> (Vec<Refusal>, u64) {
        if let Some(Late(late)) = &self.late {
            let (refusals, dropped) = late.lock().unwrap_or_else(PoisonError::into_inner).take();
            self.refusals.extend(refusals);
            self.dropped += dropped;
        }
        (std::mem::take(&mut self.refusals), std::mem::take(&mut self.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_grow_the_record_without_end() {
        let mut audit = Audit::new(2);
        for asked in [&b"a"[..], b"b", b"c", b"a", &[0; 10 * ASKED_BYTES]] {
            audit.refuse("path_open", asked, "--dir");
        }
        assert_eq!(audit.refusals().iter().map(|row| row.count).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(audit.dropped(), 2);
    }
}
