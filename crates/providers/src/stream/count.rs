//! Counting a stream's output while it passes, in bounded memory: at least one token a text, exactly when there is no usage.
//! It refuses to know where texts stand in a chunk.

use std::collections::BTreeSet;

use domain::Tokenizer;

use crate::caps;
use crate::json::Text;
use crate::openai::Lane;
use crate::tokens;

/// The running count of one stream.
#[derive(Debug)]
pub(super) struct OutputCount {
    tokenizer: Tokenizer,
    lanes: Vec<(Lane, String)>,
    last: usize,
    /// Tokens of the texts that came: one for each, and for a long one what it surely has.
    pieces: u64,
    /// Tokens of what has left the lanes.
    counted: u64,
}

impl OutputCount {
    pub(super) const fn new(tokenizer: Tokenizer) -> Self {
        Self { tokenizer, lanes: Vec::new(), last: 0, pieces: 0, counted: 0 }
    }

    /// Takes a text that isn't empty.
    pub(super) fn add(&mut self, lane: Lane, text: &Text<'_>) {
        let index = self.lane(lane);
        let Some((_, held)) = self.lanes.get_mut(index) else {
            self.pieces += 1;
            return;
        };
        let before = held.len();
        match std::str::from_utf8(text.raw) {
            Ok(plain) if text.plain => held.push_str(plain),
            _ => {
                text.decode_into(held);
            }
        }
        self.pieces += tokens_surely_in(self.tokenizer, held.get(before..).unwrap_or_default(), before == 0);
        if held.len() >= caps::COUNT_AT_BYTES {
            self.counted += count_what_is_whole(self.tokenizer, held);
        }
    }

    /// The choices that said something, or the first one.
    pub(super) fn choices(&self) -> BTreeSet<u32> {
        let said: BTreeSet<_> = self.lanes.iter().map(|(lane, _)| lane.choice).collect();
        if said.is_empty() { BTreeSet::from([0]) } else { said }
    }

    /// Tokens that have surely come so far; never falls.
    pub(super) fn so_far(&self) -> u64 {
        self.pieces.max(self.counted)
    }

    /// Tokens of all that came, by the tokenizer.
    pub(super) fn total(&self) -> u64 {
        self.lanes.iter().map(|(_, held)| tokens::count(self.tokenizer, held)).sum::<u64>() + self.counted
    }

    fn lane(&mut self, lane: Lane) -> usize {
        if self.lanes.get(self.last).is_some_and(|(known, _)| *known == lane) {
            return self.last;
        }
        let known = self.lanes.iter().position(|(known, _)| *known == lane);
        self.last = known.unwrap_or_else(|| {
            if self.lanes.len() < caps::MAX_LANES {
                self.lanes.push((lane, String::new()));
            }
            self.lanes.len() - 1
        });
        self.last
    }
}

/// Most texts are a token or two. Of a long one, one token fewer than it has alone: the first may belong to what stands before, unless
/// nothing does.
fn tokens_surely_in(tokenizer: Tokenizer, text: &str, is_first: bool) -> u64 {
    if text.len() <= caps::COARSE_TEXT_BYTES {
        return words_begun_in(text.as_bytes(), is_first).max(1);
    }
    let (counted, estimated) = text.split_at(text.floor_char_boundary(caps::MAX_COUNTED_EVENT_TEXT_BYTES));
    (tokens::count(tokenizer, counted) + (estimated.len() as u64) / 4).saturating_sub(1).max(1)
}

/// How many words begin in a text, by spaces alone: each is a token at least, since no token goes on over a space behind a letter.
/// Providers that guess ahead put several tokens into one event.
fn words_begun_in(text: &[u8], is_first: bool) -> u64 {
    let at_its_beginning = is_first && text.first().is_some_and(u8::is_ascii_alphanumeric);
    let within = text.windows(2).filter(|pair| matches!(pair, [b' ', letter] if letter.is_ascii_alphanumeric()));
    u64::from(at_its_beginning) + within.count() as u64
}

/// Counts a running text up to a place where what follows can't change the tokens before, and takes that part away.
fn count_what_is_whole(tokenizer: Tokenizer, held: &mut String) -> u64 {
    let Some(cut) = place_to_cut(held) else { return 0 };
    let whole = held.get(..cut).unwrap_or_default();
    let (counted, estimated) = whole.split_at(whole.floor_char_boundary(caps::MAX_COUNTED_EVENT_TEXT_BYTES));
    let count = tokens::count(tokenizer, counted) + (estimated.len() as u64).div_ceil(4);
    held.drain(..cut);
    if held.capacity() > 2 * caps::COUNT_ANYWHERE_AT_BYTES {
        held.shrink_to(caps::COUNT_AT_BYTES);
    }
    count
}

/// Tokenizers split a text into words before anything else, and no word of theirs goes on over a space that follows something
/// else than white space, nor from a letter or digit on to a punctuation mark that is no apostrophe. `None`: there is no such place yet.
fn place_to_cut(text: &str) -> Option<usize> {
    let mut after: Option<(usize, char)> = None;
    for (index, before) in text.char_indices().rev() {
        if let Some((at, next)) = after
            && separates(before, next)
        {
            return Some(at);
        }
        after = Some((index, before));
    }
    (text.len() >= caps::COUNT_ANYWHERE_AT_BYTES).then_some(text.len())
}

fn separates(before: char, next: char) -> bool {
    let is_letter_or_digit = before.is_ascii_alphanumeric() || matches!(before, 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='鿿' | '가'..='힣');
    let is_mark = (next.is_ascii_punctuation() && next != '\'')
        || matches!(next, '，' | '。' | '、' | '；' | '：' | '！' | '？' | '「' | '」' | '（' | '）');
    (next == ' ' && !before.is_whitespace()) || (is_letter_or_digit && is_mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::LaneKind;
    use proptest::prelude::*;

    const LANE: Lane = Lane { choice: 0, kind: LaneKind::Content, call: 0 };

    fn count_in_pieces(text: &str, sizes: &[usize], tokenizer: Tokenizer) -> (u64, u64) {
        let mut count = OutputCount::new(tokenizer);
        let mut rest = text;
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(rest.ceil_char_boundary((*size).min(rest.len())));
            count.add(LANE, &Text { raw: piece.as_bytes(), start: 0, plain: true });
            rest = after;
        }
        assert!(count.lanes.iter().all(|(_, held)| held.len() < caps::COUNT_ANYWHERE_AT_BYTES + 64));
        (count.so_far(), count.total())
    }

    /// Text with everything that tokenizers split at.
    fn any_long_text() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            3 => "[a-zA-Z]{1,9}",
            1 => "[0-9.,]{1,7}",
            1 => "[ \n\t\r]{1,9}",
            1 => "[!-/:-@]{1,4}",
            1 => "(一二三|漢字かな|にほんご|中文，字符。|한국어)",
            1 => "('s|'LL|don't|é|e\u{301}|🦀|\u{a0}|क\u{93f}ताब,)",
            3 => Just(" ".to_owned()),
        ];
        proptest::collection::vec(word, 0..2_500).prop_map(|words| words.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn counting_in_slices_gives_the_count_of_the_whole(text in any_long_text(), sizes in proptest::collection::vec(1_usize..3_000, 1..4), cl100k in any::<bool>()) {
            let tokenizer = if cl100k { Tokenizer::Cl100kBase } else { Tokenizer::O200kBase };
            let (so_far, total) = count_in_pieces(&text, &sizes, tokenizer);
            prop_assert_eq!(total, tokens::count(tokenizer, &text));
            prop_assert!(so_far >= text.len().div_ceil(3_000) as u64);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn what_is_counted_on_the_way_is_more_than_there_is_by_one_a_text_at_most(text in any_long_text(), size in 8_usize..64) {
            let text = text.get(..text.floor_char_boundary(500)).unwrap_or_default();
            let (so_far, total) = count_in_pieces(text, &[size], Tokenizer::O200kBase);
            prop_assert!(so_far <= total + text.len().div_ceil(size) as u64, "{so_far} {total}");
        }
    }

    #[test]
    fn several_words_in_one_text_are_several_tokens() {
        for (text, words) in
            [("hello", 1), (" hello", 1), (" hello hello hello", 3), ("hello hello hello", 3), (" a  b\n1 2", 3), ("  ", 1), ("...", 1)]
        {
            let (so_far, total) = count_in_pieces(text, &[64], Tokenizer::O200kBase);
            assert_eq!(so_far, words, "{text:?}");
            assert!(so_far <= total, "{text:?}: {total}");
        }
        let text = " hello".repeat(600);
        assert_eq!(count_in_pieces(&text, &[18], Tokenizer::O200kBase), (600, 600));
    }

    #[test]
    fn text_without_any_place_to_cut_is_cut_anywhere() {
        let text = "a".repeat(20_000);
        let (_, total) = count_in_pieces(&text, &[7], Tokenizer::O200kBase);
        let exact = tokens::count(Tokenizer::O200kBase, &text);
        assert!(total.abs_diff(exact) <= 10, "{total} {exact}");
    }

    #[test]
    fn one_huge_text_is_estimated_beyond_the_cap() {
        let text = "word ".repeat(30_000);
        let (_, total) = count_in_pieces(&text, &[usize::MAX], Tokenizer::O200kBase);
        assert!((30_000..40_000).contains(&total), "{total}");
    }

    #[test]
    fn texts_beyond_the_lanes_are_counted_too() {
        let mut count = OutputCount::new(Tokenizer::O200kBase);
        for choice in 0..1_000 {
            count.add(Lane { choice, ..LANE }, &Text { raw: b" hello", start: 0, plain: true });
        }
        assert_eq!(count.lanes.len(), caps::MAX_LANES);
        assert_eq!((count.so_far(), count.total()), (1_000, 1_000));
    }
}
