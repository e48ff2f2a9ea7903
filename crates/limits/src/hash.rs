//! A fast hash for numbers that are ours: request ids, pools. It is no shield against chosen collisions,
//! and whoever lets strangers choose a request id must hash it first.

use std::hash::{BuildHasherDefault, Hasher};

pub(crate) type Mix = BuildHasherDefault<MixHasher>;

/// Multiply and add, as rustc's hasher does: two cycles a word.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MixHasher(u64);

impl MixHasher {
    #[inline]
    fn add(&mut self, word: u64) {
        self.0 = (self.0.wrapping_add(word)).wrapping_mul(0xf135_7aea_2e62_a9c5);
    }
}

impl Hasher for MixHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.add(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    #[inline]
    fn write_u128(&mut self, word: u128) {
        let [low, high] = [word as u64, (word >> 64) as u64];
        self.add(low);
        self.add(high);
    }

    #[inline]
    fn write_isize(&mut self, word: isize) {
        self.add(word.unsigned_abs() as u64);
    }
}
