//! Counting text with OpenAI's tokenizers, which stand in for all others.
//! It refuses to know where the text comes from.

use bpe_openai::Tokenizer as Encoding;
use domain::Tokenizer;

/// Loads a tokenizer's tables, which otherwise the first count does: some 20 ms. Call it at start, off the hot path.
pub fn warm_up(tokenizer: Tokenizer) {
    count(tokenizer, "");
}

/// The tokens of a text.
pub(crate) fn count(tokenizer: Tokenizer, text: &str) -> u64 {
    encoding(tokenizer).count(text) as u64
}

fn encoding(tokenizer: Tokenizer) -> &'static Encoding {
    match tokenizer {
        Tokenizer::O200kBase => bpe_openai::o200k_base(),
        Tokenizer::Cl100kBase => bpe_openai::cl100k_base(),
    }
}
