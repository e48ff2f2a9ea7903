//! Byte-pair encoding of one word: of all adjacent tokens that make another, always those are merged whose token has the least id,
//! the leftmost first. It knows no texts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::vocabulary::{NONE, Vocabulary};

/// Up to here looking through all pairs for the least is faster than keeping them sorted.
const SHORT_WORD: usize = 64;

/// Room for the work, to be used again and again.
#[derive(Default)]
pub(super) struct Merger {
    tokens: Vec<u32>,
    /// What each token makes with the next, or `NONE`.
    made: Vec<u32>,
    links: Vec<Link>,
    /// What could be made and where; much of it no longer.
    queue: BinaryHeap<Reverse<(u32, u32)>>,
}

/// Where a token's neighbours stand.
#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
}

impl Merger {
    /// The tokens of a word.
    pub(super) fn merge(&mut self, vocabulary: &Vocabulary, word: &[u8]) -> &[u32] {
        self.tokens.clear();
        self.tokens.extend(word.iter().map(|byte| vocabulary.of_byte(*byte)));
        self.made.clear();
        self.made.extend(self.tokens.windows(2).map(|pair| vocabulary.made_of(pair[0], pair[1])));
        if word.len() <= SHORT_WORD {
            self.merge_short(vocabulary)
        } else {
            self.merge_long(vocabulary)
        }
        &self.tokens
    }

    /// In time quadratic in the word's length.
    fn merge_short(&mut self, vocabulary: &Vocabulary) {
        let Self { tokens, made, .. } = self;
        loop {
            let least = made.iter().copied().min().unwrap_or(NONE);
            let Some(at) = made.iter().position(|token| *token == least).filter(|_| least != NONE) else { return };
            tokens[at] = least;
            tokens.remove(at + 1);
            made.remove(at);
            if let Some(token) = made.get_mut(at) {
                *token = vocabulary.made_of(least, tokens[at + 1]);
            }
            if let Some(before) = at.checked_sub(1) {
                made[before] = vocabulary.made_of(tokens[before], least);
            }
        }
    }

    /// In time that grows hardly more than the word's length.
    fn merge_long(&mut self, vocabulary: &Vocabulary) {
        let Self { tokens, made, links, queue } = self;
        let count = tokens.len() as u32;
        links.clear();
        links.extend((0..count).map(|at| Link { before: at.wrapping_sub(1), after: at + 1 }));
        queue.clear();
        queue.extend((0..).zip(made.iter()).filter(|(_, token)| **token != NONE).map(|(at, token)| Reverse((*token, at))));
        made.push(NONE);
        while let Some(Reverse((token, place))) = queue.pop() {
            let at = place as usize;
            if made[at] != token {
                continue;
            }
            let Link { before, after: merged } = links[at];
            let after = links[merged as usize].after;
            tokens[at] = token;
            made[merged as usize] = NONE;
            links[at].after = after;
            made[at] = NONE;
            if after < count {
                links[after as usize].before = place;
                made[at] = vocabulary.made_of(token, tokens[after as usize]);
                queue.extend(Some(made[at]).filter(|made| *made != NONE).map(|made| Reverse((made, place))));
            }
            if let Some(left) = tokens.get(before as usize) {
                let both = vocabulary.made_of(*left, token);
                made[before as usize] = both;
                queue.extend(Some(both).filter(|made| *made != NONE).map(|made| Reverse((made, before))));
            }
        }
        let (mut kept, mut at) = (0, 0);
        while at < tokens.len() {
            tokens[kept] = tokens[at];
            kept += 1;
            at = links[at].after as usize;
        }
        tokens.truncate(kept);
    }
}
