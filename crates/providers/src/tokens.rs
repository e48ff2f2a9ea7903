//! Counting text with OpenAI's tokenizers, which stand in for all others.
//! It refuses to know where the text comes from.

use bpe_openai::Tokenizer as Encoding;
use domain::Tokenizer;

use crate::caps;

/// Loads a tokenizer's tables, which otherwise the first count does: up to 80 ms, for good. Call it on a thread that may block.
pub fn warm_up(tokenizer: Tokenizer) {
    count(tokenizer, "");
}

/// The tokens of a text, at 20 to 50 MB a second, and never below 2 whatever the text. A word longer than `caps::MAX_WORD_BYTES`
/// is counted in parts; each cut may add a token.
pub(crate) fn count(tokenizer: Tokenizer, text: &str) -> u64 {
    let encoding = encoding(tokenizer);
    let parts = encoding.split(text).flat_map(|word| word.as_bytes().chunks(caps::MAX_WORD_BYTES));
    let mut last: (&[u8], u64) = (&[], 0);
    let mut sum = 0;
    for part in parts {
        // Monotonous texts have the same part again and again.
        if part.len() <= SHORT_WORD || part != last.0 {
            last = (part, count_part(encoding, part));
        }
        sum += last.1;
    }
    sum
}

const SHORT_WORD: usize = 64;

/// Long rows of punctuation or white space make the usual algorithm go back and forth; merging pair by pair takes them steadily.
fn count_part(encoding: &Encoding, part: &[u8]) -> u64 {
    let is_row = part.len() > SHORT_WORD && part.iter().all(|byte| byte.is_ascii_punctuation() || byte.is_ascii_whitespace());
    let tokens = if is_row { encoding.bpe.encode_via_bitfield(part).len() } else { encoding.bpe.count(part) };
    tokens as u64
}

/// Where each token of a text ends, in bytes.
pub(crate) fn ends(tokenizer: Tokenizer, text: &str) -> Vec<usize> {
    let encoding = encoding(tokenizer);
    let lengths = encoding.encode(text).into_iter().map(|token| encoding.bpe.token_len(token));
    lengths
        .scan(0, |end, length| {
            *end += length;
            Some(*end)
        })
        .collect()
}

fn encoding(tokenizer: Tokenizer) -> &'static Encoding {
    match tokenizer {
        Tokenizer::O200kBase => bpe_openai::o200k_base(),
        Tokenizer::Cl100kBase => bpe_openai::cl100k_base(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_count_is_the_encoders(text in "([a-z]{1,90}|[-=*]{1,200}|[ \t\n]{1,99}|\\PC{1,9})*", cl100k in any::<bool>()) {
            let tokenizer = if cl100k { Tokenizer::Cl100kBase } else { Tokenizer::O200kBase };
            let ends = ends(tokenizer, &text);
            prop_assert_eq!(count(tokenizer, &text), ends.len() as u64);
            prop_assert_eq!(ends.last().copied().unwrap_or(0), text.len());
        }
    }
}
