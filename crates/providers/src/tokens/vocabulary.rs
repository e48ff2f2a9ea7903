//! A tokenizer's tokens and which two make which third. It knows neither words nor texts.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

/// No token, and a pair that makes none.
pub(super) const NONE: u32 = u32::MAX;
/// Bytes before a token's own.
const HEAD: usize = 2;
/// Of a token's id in the table of pairs.
const ID_BITS: u32 = 18;

/// The tables: about 23 bytes a token.
#[derive(Default)]
pub(super) struct Vocabulary {
    /// All tokens by their ids, each after its length and that of the first of the two tokens that make it.
    tokens: &'static [u8],
    /// Where each token's bytes begin.
    starts: Vec<u32>,
    /// The ids, found by the tokens' bytes.
    by_bytes: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The left token's id, the right one's, and that of what they make, in one number; found by the first two.
    pairs: HashTable<u64>,
    bytes: Vec<u32>,
    longest: usize,
}

impl Vocabulary {
    /// Makes the tables from what the build has written.
    pub(super) fn new(tokens: &'static [u8]) -> Self {
        let mut all = Self { tokens, bytes: vec![NONE; 256], longest: u8::MAX.into(), ..Self::default() };
        let mut at = 0;
        while let Some(length) = tokens.get(at) {
            all.starts.push(at as u32 + HEAD as u32);
            at += HEAD + usize::from(*length);
        }
        all.starts.shrink_to_fit();
        let count = all.starts.len();
        all.by_bytes.reserve(count, |_| 0);
        all.pairs.reserve(count, |_| 0);
        let mut longest = 0;
        for id in 0..count as u32 {
            let token = all.token(id);
            longest = longest.max(token.len());
            let hash = all.hasher.hash_one(token);
            all.by_bytes.insert_unique(hash, id, |_| hash);
            let (first, second) = token.split_at_checked(all.first_part(id)).unwrap_or_default();
            if let (Some(left), Some(right)) = (all.find(first), all.find(second)) {
                let pair = pair_of(left, right);
                all.pairs.insert_unique(hash_of(pair), pair << ID_BITS | u64::from(id), |entry| hash_of(entry >> ID_BITS));
            } else if let [byte] = token {
                all.bytes[usize::from(*byte)] = id;
            }
        }
        all.longest = longest;
        all
    }

    /// A token's bytes.
    fn token(&self, id: u32) -> &'static [u8] {
        let start = self.starts[id as usize] as usize;
        &self.tokens[start..start + self.length(id)]
    }

    /// A token's length in bytes.
    pub(super) fn length(&self, id: u32) -> usize {
        self.tokens[self.starts[id as usize] as usize - HEAD].into()
    }

    /// The length of the first of the two tokens that make a token; 0 for one byte.
    fn first_part(&self, id: u32) -> usize {
        self.tokens[self.starts[id as usize] as usize - HEAD + 1].into()
    }

    /// The token that has exactly these bytes.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > self.longest {
            return None;
        }
        self.by_bytes.find(self.hasher.hash_one(bytes), |id| self.token(*id) == bytes).copied()
    }

    /// The token of one byte.
    pub(super) fn of_byte(&self, byte: u8) -> u32 {
        self.bytes[usize::from(byte)]
    }

    /// What two adjacent tokens make, or `NONE`.
    pub(super) fn made_of(&self, left: u32, right: u32) -> u32 {
        let pair = pair_of(left, right);
        let found = self.pairs.find(hash_of(pair), |entry| entry >> ID_BITS == pair);
        found.map_or(NONE, |entry| (entry & ((1 << ID_BITS) - 1)) as u32)
    }
}

fn pair_of(left: u32, right: u32) -> u64 {
    u64::from(left) << ID_BITS | u64::from(right)
}

/// Spreads pairs over a table's places. The pairs in it are always the same, hence nobody can choose such that collide.
fn hash_of(pair: u64) -> u64 {
    let product = pair.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ product >> 32
}
