//! Counting against the tokenizers' reference.

use proptest::prelude::*;
use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

use super::*;

fn reference(tokenizer: Tokenizer) -> &'static CoreBPE {
    match tokenizer {
        Tokenizer::O200kBase => o200k_base_singleton(),
        Tokenizer::Cl100kBase => cl100k_base_singleton(),
    }
}

fn tokens_of(tokenizer: Tokenizer, text: &str) -> Vec<u32> {
    let encoding = encoding(tokenizer);
    let mut merger = Merger::default();
    encoding.splitter.words(text).flat_map(|word| merger.merge(&encoding.vocabulary, word.as_bytes()).to_vec()).collect()
}

/// Text of all kinds: prose, code, numbers, contractions, white space of every sort, scripts without spaces, emoji, long rows of one
/// letter, words of hundreds of letters, and whatever else is a character.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => " ?[A-Za-z]{1,12}",
        1 => "[a-z]{40,300}",
        1 => "[A-Za-z]{1,4}['’]([sStTmMdDſ]|re|VE|ll)[a-z]?",
        1 => "[0-9٣²ⅷ]{1,9}",
        2 => "[ \t\n\r\u{a0}\u{85}\u{3000}/]{1,9}",
        1 => "[-=*#(){}\\[\\];:.,<>!?\"'`/\\\\ \n]{1,30}",
        1 => "[一-龥。，ぁ-んァ-ン]{1,60}",
        1 => "[가-힣а-яА-Яأ-يक-हा-्é-ýǅʰ]{1,40}",
        1 => "[🌀-🙏👩‍💻🇩🇪️]{1,12}",
        1 => any::<char>().prop_map(String::from),
        1 => "\\PC{1,9}",
        1 => (any::<char>(), 1_usize..400).prop_map(|(one, times)| one.to_string().repeat(times)),
        1 => Just("fn main() {\n\tlet total: u64 = items.iter().map(|i| i.cents).sum();\n}\n\n".to_owned()),
    ];
    proptest::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn tokens_are_the_references(text in text(), cl100k in any::<bool>()) {
        let tokenizer = if cl100k { Tokenizer::Cl100kBase } else { Tokenizer::O200kBase };
        let expected = reference(tokenizer).encode_ordinary(&text);
        let ends = ends(tokenizer, &text);
        prop_assert_eq!(count(tokenizer, &text), expected.len() as u64);
        prop_assert_eq!(ends.len(), expected.len());
        prop_assert_eq!(ends.last().copied().unwrap_or(0), text.len());
        prop_assert_eq!(tokens_of(tokenizer, &text), expected);
    }
}

/// Above a bound words are cut, so that nobody can make one that takes long.
#[test]
fn monotonous_texts_are_counted_as_by_the_reference() {
    for tokenizer in [Tokenizer::O200kBase, Tokenizer::Cl100kBase] {
        for pattern in ["a", " ", "=", "\n", "ab", "潮"] {
            let part = pattern.repeat(caps::MAX_WORD_BYTES / pattern.len() / 2);
            let expected = reference(tokenizer).encode_ordinary(&part).len();
            assert_eq!(count(tokenizer, &part), expected as u64, "{pattern:?}");
        }
        let of_one_cut = count(tokenizer, &"a".repeat(caps::MAX_WORD_BYTES));
        assert_eq!(count(tokenizer, &"a".repeat(10 * caps::MAX_WORD_BYTES)), 10 * of_one_cut);
    }
}

#[test]
fn every_token_is_formed_of_its_bytes_and_found_by_them() {
    for tokenizer in [Tokenizer::O200kBase, Tokenizer::Cl100kBase] {
        let vocabulary = &encoding(tokenizer).vocabulary;
        let mut merger = Merger::default();
        let mut id = 0;
        while let Ok(token) = reference(tokenizer).decode_bytes(&[id]) {
            assert_eq!((vocabulary.find(&token), merger.merge(vocabulary, &token)), (Some(id), &[id][..]), "{token:?}");
            id += 1;
        }
        assert!(id > 100_000);
    }
}
