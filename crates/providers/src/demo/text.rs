//! What the simulated server says: sentences that mean little, the first of which says that nobody thought of them.

use domain::{Category, Tokenizer};

use super::random::Random;
use crate::tokens;

const NOTICE: &str = "This is a simulated answer: no model was asked, Tidegate's demo provider made it up so that you can try the gateway.";
const OPENINGS: [&str; 8] = [
    "At high water",
    "When the tide turns",
    "In a calm harbour",
    "Between two moons",
    "After the first wave",
    "On an ordinary day",
    "Once the gate opens",
    "As every pilot knows",
];
const SUBJECTS: [&str; 8] = [
    "the keeper",
    "a patient captain",
    "each small boat",
    "the current",
    "an honest clock",
    "the last barge",
    "the whole fleet",
    "a careful engineer",
];
const ACTIONS: [&str; 8] = ["waits for", "counts", "lets through", "measures", "remembers", "makes room for", "never overtakes", "greets"];
const OBJECTS: [&str; 8] = [
    "exactly as much as fits",
    "the next sixty seconds",
    "one ship after the other",
    "what was promised",
    "the level at the quay",
    "every lantern on the shore",
    "the ropes and the tolls",
    "whoever comes back in time",
];

/// One text of the answer.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) text: String,
    /// Where each token ends.
    pub(super) ends: Vec<usize>,
    /// Whether it was cut at the maximum.
    pub(super) is_cut: bool,
}

impl Said {
    /// The text of a choice of at most `max_tokens`; larger models say more.
    pub(super) fn new(random: &mut Random, category: Category, max_tokens: Option<u64>) -> Self {
        let wanted = match category {
            Category::Small => random.between(30, 90),
            Category::Medium => random.between(60, 180),
            Category::Large => random.between(90, 300),
        };
        let mut text = NOTICE.to_owned();
        // A sentence has some 14 tokens.
        for _ in 0..wanted.saturating_sub(26).div_ceil(14) {
            text.push_str(&sentence(random));
        }
        let mut ends = tokens::ends(Tokenizer::O200kBase, &text);
        let most = max_tokens.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let is_cut = ends.len() > most;
        ends.truncate(most);
        text.truncate(ends.last().copied().unwrap_or(0));
        Self { text, ends, is_cut }
    }

    /// The text of one token.
    pub(super) fn token(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start..end)
    }

    pub(super) const fn finish_reason(&self) -> &'static str {
        if self.is_cut { "length" } else { "stop" }
    }
}

fn sentence(random: &mut Random) -> String {
    let mut pick = |words: &[&'static str; 8]| words.get((random.next() % 8) as usize).copied().unwrap_or_default();
    format!(" {}, {} {} {}.", pick(&OPENINGS), pick(&SUBJECTS), pick(&ACTIONS), pick(&OBJECTS))
}
