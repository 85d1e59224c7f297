//! Random bytes: a generator seeded by the operating system, or by a number, for runs that are to be the same again.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::host;

/// What randomness a guest is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RandomGrant {
    /// Fit for keys.
    #[default]
    Secure,
    /// The same for the same number, and so not fit for keys.
    Seeded(u64),
}

/// A guest's generator. It is made when the guest first asks.
#[derive(Debug)]
pub struct Random {
    grant: RandomGrant,
    generator: Option<Box<ChaCha20Rng>>,
}

impl Random {
    /// A generator as granted.
    #[must_use]
    pub const fn new(grant: RandomGrant) -> Self {
        Random { grant, generator: None }
    }

    /// Fills the buffer.
    #[inline]
    pub fn fill(&mut self, buffer: &mut [u8]) {
        let grant = self.grant;
        self.generator.get_or_insert_with(|| Box::new(generator(grant))).fill_bytes(buffer);
    }
}

fn generator(grant: RandomGrant) -> ChaCha20Rng {
    match grant {
        RandomGrant::Seeded(seed) => ChaCha20Rng::seed_from_u64(seed),
        RandomGrant::Secure => {
            let mut seed = [0; 32];
            host::random::fill(&mut seed);
            ChaCha20Rng::from_seed(seed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(grant: RandomGrant) -> [u8; 64] {
        let mut bytes = [0; 64];
        Random::new(grant).fill(&mut bytes);
        bytes
    }

    #[test]
    fn a_seed_repeats_and_the_system_does_not() {
        assert_eq!(bytes(RandomGrant::Seeded(7)), bytes(RandomGrant::Seeded(7)));
        assert_ne!(bytes(RandomGrant::Seeded(7)), bytes(RandomGrant::Seeded(8)));
        assert_ne!(bytes(RandomGrant::Secure), bytes(RandomGrant::Secure));
    }
}
