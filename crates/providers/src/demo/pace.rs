//! When each token of the simulated server is due. It reads no clock.

use domain::Category;

use super::Speed;
use super::random::Random;

/// The pace of one answer.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    first_us: f64,
    interval_us: f64,
    random: Random,
}

impl Pace {
    pub(super) fn new(random: &mut Random, category: Category, speed: Speed) -> Self {
        let (tokens_per_second, first_ms) = match category {
            Category::Small => (120.0, random.between(150, 250)),
            Category::Medium => (60.0, random.between(220, 380)),
            Category::Large => (30.0, random.between(320, 500)),
        };
        let scale = match speed {
            Speed::Believable => 1.0,
            Speed::Times(times) if times.is_finite() && times > 0.0 => 1.0 / times,
            Speed::Times(_) => 1.0,
            Speed::Instant => 0.0,
        };
        Self { first_us: first_ms as f64 * 1_000.0 * scale, interval_us: 1_000_000.0 / tokens_per_second * scale, random: random.clone() }
    }

    /// When the first byte is due.
    pub(super) const fn first_us(&self) -> u64 {
        self.first_us as u64
    }

    /// When the token with this index, from 0, is due: even on the whole, uneven one by one, never earlier than the one before.
    pub(super) fn token_us(&self, index: u64) -> u64 {
        let mut random = self.random.clone();
        for _ in 0..index % 8 {
            random.next();
        }
        let unevenness = random.signed() / 2.0;
        (self.first_us + self.interval_us * (index as f64 + 0.5 + unevenness)) as u64
    }

    /// When an answer of so many tokens is whole.
    pub(super) const fn whole_us(&self, tokens: u64) -> u64 {
        (self.first_us + self.interval_us * (tokens as f64 + 1.0)) as u64
    }

    /// When embeddings are there: they take a fifth of the time to a first token.
    pub(super) const fn embeddings_us(&self) -> u64 {
        (self.first_us / 5.0) as u64
    }
}
