//! `[errors]`: the shape of a refusal.

use domain::RateLimitBody;

use super::table::Table;
use super::written::Word;

/// `[errors]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// The shape of a 429's body for clients that don't choose one.
    pub rate_limit_body: RateLimitBody,
}

impl Errors {
    pub(super) fn read(table: Table<'_>) -> Self {
        let word = table.get::<Word<RateLimitBody>>("rate_limit_body");
        table.close();
        Self { rate_limit_body: word.map(|Word(body)| body).unwrap_or_default() }
    }
}
