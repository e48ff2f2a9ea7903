//! Simulated embeddings: unit vectors that follow from the words, so that texts with words in common are near each other.

use std::hash::Hasher;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::random::Random;
use crate::caps;
use crate::json::{Cursor, Halt};

const DIMENSIONS: usize = 256;

/// The `data` of an answer to a body that was read as a request for embeddings.
pub(super) fn data(body: &[u8]) -> Vec<Value> {
    let mut asked = Asked { inputs: Vec::new(), is_base64: false };
    // `read_request` has accepted the body.
    let _ = asked.read(body);
    let embedding = |vector: &[f32]| if asked.is_base64 { json!(base64(vector)) } else { json!(vector) };
    let one = |(index, vector): (usize, &Vec<f32>)| json!({"object": "embedding", "index": index, "embedding": embedding(vector)});
    asked.inputs.iter().enumerate().map(one).collect()
}

/// Little-endian 32-bit floats, as OpenAI's SDKs ask for them.
fn base64(vector: &[f32]) -> String {
    STANDARD.encode(vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

struct Asked {
    inputs: Vec<Vec<f32>>,
    is_base64: bool,
}

impl Asked {
    fn read(&mut self, body: &[u8]) -> Result<(), Halt> {
        Cursor::new(body).members(|cursor, name| match &*name.decode() {
            "encoding_format" if cursor.peek() == b'"' => {
                self.is_base64 = cursor.string()?.is("base64");
                Ok(())
            }
            "input" => self.input(cursor, body),
            _ => cursor.skip(),
        })
    }

    fn input(&mut self, cursor: &mut Cursor<'_>, body: &[u8]) -> Result<(), Halt> {
        if cursor.peek() != b'[' {
            return self.one(cursor, body);
        }
        let start = cursor.clone();
        let mut holds_ids = false;
        cursor.elements(|cursor| {
            if matches!(cursor.peek(), b'"' | b'[') {
                return if self.inputs.len() < caps::MAX_DEMO_EMBEDDINGS { self.one(cursor, body) } else { cursor.skip() };
            }
            holds_ids = true;
            cursor.skip()
        })?;
        if holds_ids && self.inputs.is_empty() { self.one(&mut start.clone(), body) } else { Ok(()) }
    }

    /// A text, or a list of token ids, which are its words.
    fn one(&mut self, cursor: &mut Cursor<'_>, body: &[u8]) -> Result<(), Halt> {
        let vector = if cursor.peek() == b'"' {
            vector(&cursor.string()?.decode())
        } else {
            let span = cursor.span()?;
            vector(&String::from_utf8_lossy(body.get(span).unwrap_or_default()))
        };
        self.inputs.push(vector);
        Ok(())
    }
}

fn vector(text: &str) -> Vec<f32> {
    let mut sum = [0.0; DIMENSIONS];
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    for word in words.take(caps::MAX_DEMO_EMBEDDED_WORDS) {
        add(&mut sum, &word.to_lowercase(), 1.0);
    }
    // A text without words, and the order of words, must make a difference, too.
    let end = text.floor_char_boundary(text.len().min(caps::MAX_DEMO_COUNTED_BYTES));
    add(&mut sum, text.get(..end).unwrap_or_default(), 0.25);
    let length = sum.iter().map(|number| number * number).sum::<f64>().sqrt();
    sum.iter().map(|number| (number / length) as f32).collect()
}

fn add(sum: &mut [f64; DIMENSIONS], word: &str, weight: f64) {
    let mut hasher = Fnv(0xCBF2_9CE4_8422_2325);
    hasher.write(word.as_bytes());
    let mut random = Random::new(hasher.finish());
    sum.iter_mut().for_each(|number| *number += weight * random.signed());
}

/// FNV-1a: the standard library's hashes may change with its version, and the vectors must not.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}
