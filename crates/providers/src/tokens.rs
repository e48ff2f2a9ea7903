//! Counting text with OpenAI's tokenizers, which stand in for all others.
//! It refuses to know where the text comes from.

mod merge;
mod vocabulary;
mod words;

use std::sync::LazyLock;

use domain::Tokenizer;

use crate::caps;
use merge::Merger;
use vocabulary::Vocabulary;
use words::Splitter;

/// The tokens of a text. A word longer than `caps::MAX_WORD_BYTES` is counted in parts; each cut may add a token.
///
/// A tokenizer's first count makes its tables, which takes 25 ms and 6 MB (half of it for cl100k). After that prose and code are
/// counted at 70 MB a second, and what has no words at 15 or more.
pub(crate) fn count(tokenizer: Tokenizer, text: &str) -> u64 {
    let encoding = encoding(tokenizer);
    let mut merger = Merger::default();
    let mut last: (&[u8], usize) = (&[], 0);
    let mut sum = 0;
    for word in encoding.splitter.words(text) {
        if encoding.vocabulary.find(word.as_bytes()).is_some() {
            sum += 1;
            continue;
        }
        for part in word.as_bytes().chunks(caps::MAX_WORD_BYTES) {
            // Monotonous texts have the same part again and again.
            if part != last.0 {
                last = (part, merger.merge(&encoding.vocabulary, part).len());
            }
            sum += last.1 as u64;
        }
    }
    sum
}

/// Where each token of a text ends, in bytes.
pub(crate) fn ends(tokenizer: Tokenizer, text: &str) -> Vec<usize> {
    let encoding = encoding(tokenizer);
    let mut merger = Merger::default();
    let mut ends = Vec::new();
    let mut end = 0;
    for word in encoding.splitter.words(text) {
        for token in merger.merge(&encoding.vocabulary, word.as_bytes()) {
            end += encoding.vocabulary.length(*token);
            ends.push(end);
        }
    }
    ends
}

/// One tokenizer, ready for use.
struct Encoding {
    vocabulary: Vocabulary,
    splitter: Splitter,
}

static CL100K: LazyLock<Encoding> = LazyLock::new(|| Encoding {
    vocabulary: Vocabulary::new(include_bytes!(concat!(env!("OUT_DIR"), "/cl100k.tokens"))),
    splitter: Splitter::new(include_bytes!(concat!(env!("OUT_DIR"), "/cl100k.words"))),
});
static O200K: LazyLock<Encoding> = LazyLock::new(|| Encoding {
    vocabulary: Vocabulary::new(include_bytes!(concat!(env!("OUT_DIR"), "/o200k.tokens"))),
    splitter: Splitter::new(include_bytes!(concat!(env!("OUT_DIR"), "/o200k.words"))),
});

fn encoding(tokenizer: Tokenizer) -> &'static Encoding {
    match tokenizer {
        Tokenizer::O200kBase => &O200K,
        Tokenizer::Cl100kBase => &CL100K,
    }
}

#[cfg(test)]
mod tests;
