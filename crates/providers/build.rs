//! Writes down what counting tokens needs, so that nothing of it is computed or fetched at run time: OpenAI's vocabularies, as
//! the crate `tiktoken-rs` carries them, and the automata that split a text into words. It counts nothing.

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, Input};
use tiktoken_rs::CoreBPE;

/// The patterns in the order of their precedence. Their look-ahead `\s+(?!\S)` isn't regular; the second matches one character
/// more instead, which `src/tokens/words.rs` takes off again.
const WHITE_SPACE: [&str; 2] = [r"\s+\s", r"\s+"];
const CL100K: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+$";
const O200K: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+$"
);
/// The place of the one that looks ahead.
const LOOKS_AHEAD: usize = 1;
/// A token's id has 18 bits in the tables.
const MAX_TOKENS: usize = 1 << 18;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo names no folder for what is made")?);
    write(&out, "cl100k", tiktoken_rs::cl100k_base_singleton(), CL100K)?;
    write(&out, "o200k", tiktoken_rs::o200k_base_singleton(), O200K)
}

fn write(out: &Path, name: &str, reference: &CoreBPE, pattern: &str) -> Result<(), Box<dyn Error>> {
    std::fs::write(out.join(format!("{name}.tokens")), vocabulary(reference)?)?;
    std::fs::write(out.join(format!("{name}.words")), automaton(pattern)?)?;
    Ok(())
}

/// The automaton that finds a text's first word, as 16-bit numbers, the lesser byte first: the length of a row; the first state
/// that says a word has ended; the first state that says so after looking ahead; the first ordinary state; the state to begin
/// with; for each of the 256 bytes its column; then a row a state: where each column leads to, the end of the text being the last.
/// State 0 is the one where nothing more can be found.
fn automaton(pattern: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let config = dense::Config::new().start_kind(StartKind::Anchored);
    let automaton = dense::Builder::new().configure(config).build_many(&[pattern, WHITE_SPACE[0], WHITE_SPACE[1]])?;
    let start = automaton.start_state_forward(&Input::new("").anchored(Anchored::Yes))?;
    let (mut states, mut found, mut rows) = (vec![start], HashMap::from([(start, 0)]), Vec::new());
    while let Some(state) = states.get(rows.len()).copied() {
        let next: Vec<StateID> = (0..=255).map(|byte| automaton.next_state(state, byte)).chain([automaton.next_eoi_state(state)]).collect();
        for state in &next {
            found.entry(*state).or_insert_with(|| {
                states.push(*state);
                states.len() - 1
            });
        }
        rows.push(next);
    }
    let kind = |state: StateID| match () {
        () if automaton.is_dead_state(state) => 0,
        () if !automaton.is_match_state(state) => 3,
        () if automaton.match_pattern(state, 0).as_usize() == LOOKS_AHEAD => 2,
        () => 1,
    };
    let mut order: Vec<usize> = (0..states.len()).collect();
    order.sort_by_key(|place| kind(states[*place]));
    let first_of = |least| order.partition_point(|place| kind(states[*place]) < least);
    let mut numbers = vec![0; order.len()];
    order.iter().enumerate().for_each(|(number, place)| numbers[*place] = number);
    // Bytes that lead to the same places from everywhere share a column.
    let column = |input: usize| -> Vec<usize> { order.iter().map(|place| numbers[found[&rows[*place][input]]]).collect() };
    let mut columns: Vec<Vec<usize>> = Vec::new();
    let mut column_of = Vec::new();
    for input in 0..256 {
        let column = column(input);
        let known = columns.iter().position(|other| *other == column);
        column_of.push(known.unwrap_or(columns.len()));
        columns.extend(known.is_none().then_some(column));
    }
    columns.push(column(256));
    let head = [columns.len(), first_of(1), first_of(2), first_of(3), numbers[0]];
    let table = (0..order.len()).flat_map(|state| columns.iter().map(move |column| column[state]));
    let mut written = Vec::new();
    for number in head.into_iter().chain(column_of).chain(table) {
        written.extend(u16::try_from(number)?.to_le_bytes());
    }
    Ok(written)
}

/// All tokens by their ids, each after its length and that of the first of the two tokens it is made of (0: it is one byte).
fn vocabulary(reference: &CoreBPE) -> Result<Vec<u8>, Box<dyn Error>> {
    // There is a gap between the last ordinary token and the special ones.
    let tokens: Vec<Vec<u8>> = (0..).map_while(|id| reference.decode_bytes(&[id]).ok()).collect();
    if !(100_000..MAX_TOKENS).contains(&tokens.len()) {
        return Err(format!("a vocabulary of {} tokens isn't the one that is meant", tokens.len()).into());
    }
    let ids: HashMap<&[u8], usize> = tokens.iter().enumerate().map(|(id, token)| (token.as_slice(), id)).collect();
    let mut written = Vec::new();
    for token in &tokens {
        written.extend([u8::try_from(token.len())?, u8::try_from(first_part(token, &ids).ok_or("a token isn't made of two")?)?]);
        written.extend(token);
    }
    Ok(written)
}

/// The length of the first of the two tokens that byte-pair encoding makes a token of. An id is a rank: of all pairs that make a
/// token, the one whose token has the least id is merged first. So it is what remains when everything else is merged.
fn first_part(token: &[u8], ids: &HashMap<&[u8], usize>) -> Option<usize> {
    let mut bounds: Vec<usize> = (0..=token.len()).collect();
    while bounds.len() > 3 {
        let made = |at: usize| Some((*ids.get(&token[bounds[at - 1]..bounds[at + 1]])?, at));
        let (_, at) = (1..bounds.len() - 1).filter_map(made).min()?;
        bounds.remove(at);
    }
    if token.len() == 1 { Some(0) } else { bounds.get(1).copied() }
}
