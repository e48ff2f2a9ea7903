//! Splits a text into the words within which tokens are formed. It knows no vocabulary.

/// An automaton that finds a text's first word, as the build has written it: `build.rs` says how. It needs no memory of its own.
pub(super) struct Splitter {
    columns: [u8; 256],
    row: usize,
    /// States below say that a word has ended, or that nothing more can be found (which is 0).
    ordinary: u16,
    /// States of those from here on have looked at one character more.
    looks_ahead: u16,
    start: u16,
    table: &'static [[u8; 2]],
}

impl Splitter {
    pub(super) fn new(automaton: &'static [u8]) -> Self {
        let (numbers, _) = automaton.as_chunks::<2>();
        let number = |at: usize| numbers.get(at).map_or(0, |bytes| u16::from_le_bytes(*bytes));
        Self {
            row: number(0).into(),
            looks_ahead: number(2),
            ordinary: number(3),
            start: number(4),
            columns: std::array::from_fn(|byte| number(5 + byte) as u8),
            table: numbers.get(5 + 256..).unwrap_or_default(),
        }
    }

    /// All words of a text, which together are the text.
    pub(super) fn words<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> {
        let mut rest = text;
        std::iter::from_fn(move || {
            let (word, after) = rest.split_at_checked(self.first(rest)).unwrap_or((rest, ""));
            rest = after;
            (!word.is_empty()).then_some(word)
        })
    }

    /// Where a text's first word ends. The patterns leave out nothing; if one ever did, all that remains would be one word.
    fn first(&self, text: &str) -> usize {
        let (mut end, mut ended_in) = (0, 0);
        let mut state = self.start;
        // That a word has ended is known one byte later.
        for (at, byte) in text.bytes().enumerate() {
            state = self.next(state, self.columns[usize::from(byte)].into());
            if state < self.ordinary {
                if state == 0 {
                    break;
                }
                (end, ended_in) = (at, state);
            }
        }
        if state != 0 {
            state = self.next(state, self.row - 1);
            if (1..self.ordinary).contains(&state) {
                (end, ended_in) = (text.len(), state);
            }
        }
        match (end, &text[..end]) {
            (0, _) => text.len(),
            (end, word) if ended_in >= self.looks_ahead => end - word.chars().next_back().map_or(0, char::len_utf8),
            (end, _) => end,
        }
    }

    fn next(&self, state: u16, column: usize) -> u16 {
        u16::from_le_bytes(self.table[usize::from(state) * self.row + column])
    }
}
