//! What a provider says, in headers of any answer, is left of its limits.
//! It refuses to keep it: each answer is read by itself.

use super::times::{self, When};
use crate::caps;

/// What is left of one limit; each part only where the provider told it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// The limit's number.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// When it is whole again, or the window begins anew.
    pub reset: Option<When>,
}

/// What is left of a provider's limits; of several windows, the one with the smallest share left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Of requests.
    pub requests: Option<Allowance>,
    /// Of tokens.
    pub tokens: Option<Allowance>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Resource {
    Requests,
    Tokens,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Limit,
    Remaining,
    Reset,
}

/// Windows and sorts of one resource that providers tell apart, each with a place of its own.
const ROWS: usize = 7;

/// All that headers told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    requests: [Allowance; ROWS],
    tokens: [Allowance; ROWS],
}

impl Quota {
    /// Reads an answer's headers, names in lower case. Names that aren't known and values that can't be read are passed over.
    ///
    /// Known are OpenAI's `x-ratelimit-remaining-tokens` and what others made of it (Azure's `x-rate-limit-*`, windows such as
    /// `-tokens-minute` at Cerebras and Mistral, `-tokens-prompt` at Fireworks, `x-ratelimit-remaining` and `x-tokenlimit-*` at
    /// Together), Anthropic's `anthropic-ratelimit-tokens-remaining`, and the IETF's `ratelimit-remaining` and `ratelimit`
    /// (draft-ietf-httpapi-ratelimit-headers, 3 to 10).
    pub fn read<'h>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut limits = Limits::default();
        headers.into_iter().for_each(|(name, value)| limits.take(name, value));
        limits.quota()
    }

    /// Whether a header of this name, in lower case, may be one of these.
    pub fn is_told_by(name: &str) -> bool {
        match name.as_bytes().first() {
            Some(b'x') => name.starts_with("x-ratelimit") || name.starts_with("x-rate-limit") || name.starts_with("x-tokenlimit"),
            Some(b'r') => name.starts_with("ratelimit"),
            Some(b'a') => name.starts_with("anthropic-ratelimit"),
            Some(_) | None => false,
        }
    }
}

impl Limits {
    /// Takes a header in, if it is one of these.
    pub(super) fn take(&mut self, name: &str, value: &[u8]) {
        // Nearly all headers are others: this is all that they cost.
        if !(name.starts_with("x-") || name.starts_with('r') || name.starts_with("anthropic-")) {
            return;
        }
        let Ok(value) = std::str::from_utf8(value) else { return };
        if name == "ratelimit" || name == "ratelimit-policy" {
            self.take_structured(value);
        } else if let Some((resource, row, field)) = named(name) {
            self.set(resource, row, field, value);
        }
    }

    fn set(&mut self, resource: Resource, row: usize, field: Field, value: &str) {
        let Some(allowance) = self.rows(resource).get_mut(row) else { return };
        // `100, 100;w=60` says the limit and then its policy.
        let amount = || value.split([',', ';']).next().and_then(amount);
        match field {
            Field::Limit => allowance.limit = amount().or(allowance.limit),
            Field::Remaining => allowance.remaining = amount().or(allowance.remaining),
            Field::Reset => allowance.reset = times::reset(value).or(allowance.reset),
        }
    }

    fn rows(&mut self, resource: Resource) -> &mut [Allowance; ROWS] {
        match resource {
            Resource::Requests => &mut self.requests,
            Resource::Tokens => &mut self.tokens,
        }
    }

    /// `"requests-60s";r=179;t=60, "tokens-60s";r=119000;t=43`, a policy's `"default";q=100;w=60`, and the older `limit=100, remaining=50, reset=5`.
    fn take_structured(&mut self, value: &str) {
        for item in value.split(',').take(caps::MAX_LIMITS_IN_HEADER) {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let resource = if item.contains("token") { Resource::Tokens } else { Resource::Requests };
            if name.contains("concurrent") || item.contains("qu=") {
                continue;
            }
            for (key, value) in std::iter::once(name).chain(parts).filter_map(|part| part.split_once('=')) {
                let field = match key {
                    "q" | "limit" => Field::Limit,
                    "r" | "remaining" => Field::Remaining,
                    "t" | "reset" => Field::Reset,
                    _ => continue,
                };
                self.set(resource, IETF_ROW, field, value.trim_matches('"'));
            }
        }
    }

    pub(super) fn quota(&self) -> Quota {
        Quota { requests: tightest(&self.requests), tokens: tightest(&self.tokens) }
    }

    /// When a limit that refused opens again, as far as the resets tell: the last of those with nothing left; if there are none,
    /// the first of those that may have refused.
    pub(super) fn opens(&self) -> Option<When> {
        let all = || self.requests.iter().map(|row| (row, true)).chain(self.tokens.iter().map(|row| (row, false)));
        // One that is whole has not refused.
        let reset = |(row, _): (&Allowance, bool)| row.reset.filter(|when| *when != When::AfterMs(0));
        let spent = all().filter(|(row, _)| row.remaining == Some(0)).filter_map(reset);
        // One request fits wherever one is left; of tokens, no number says that enough are.
        let suspect = all().filter(|(row, is_requests)| row.remaining.is_none_or(|left| !is_requests && Some(left) != row.limit));
        spent.reduce(later).or_else(|| suspect.filter_map(reset).reduce(|a, b| if later(a, b) == a { b } else { a }))
    }
}

/// Spans and moments aren't compared: among moments the later, among spans the longer, otherwise the moment.
fn later(a: When, b: When) -> When {
    match (a, b) {
        (When::AfterMs(x), When::AfterMs(y)) => When::AfterMs(x.max(y)),
        (When::At(x), When::At(y)) => When::At(x.max(y)),
        (When::At(_), When::AfterMs(_)) => a,
        (When::AfterMs(_), When::At(_)) => b,
    }
}

fn tightest(rows: &[Allowance; ROWS]) -> Option<Allowance> {
    let told = rows.iter().filter(|row| **row != Allowance::default());
    // Thousandths of what the limit allows; a row that doesn't tell comes last.
    let share = |row: &Allowance| match (row.limit, row.remaining) {
        (Some(limit), Some(remaining)) => u128::from(remaining) * 1_000 / u128::from(limit.max(1)),
        (None, Some(0)) => 0,
        (None | Some(_), _) => u128::MAX,
    };
    told.min_by_key(|row| share(row)).copied()
}

fn amount(text: &str) -> Option<u64> {
    let number: f64 = text.trim().parse().ok()?;
    // Azure says -1 where it doesn't know.
    (0.0..=MOST).contains(&number).then_some(number as u64)
}

/// Above this a limit is none, and a float no longer exact.
const MOST: f64 = 9e15;

const IETF_ROW: usize = 6;

/// Which limit a header speaks of, and what it says of it.
fn named(name: &str) -> Option<(Resource, usize, Field)> {
    const FAMILIES: [(&str, Resource); 5] = [
        ("x-ratelimit-", Resource::Requests),
        ("x-rate-limit-", Resource::Requests),
        ("anthropic-ratelimit-", Resource::Requests),
        ("ratelimit-", Resource::Requests),
        ("x-tokenlimit-", Resource::Tokens),
    ];
    let (rest, mut resource) = FAMILIES.iter().find_map(|(family, resource)| Some((name.strip_prefix(family)?, *resource)))?;
    let (mut row, mut field) = (0, None);
    for word in rest.split('-') {
        match word {
            "limit" => field = Some(Field::Limit),
            "remaining" => field = Some(Field::Remaining),
            "reset" => field = Some(Field::Reset),
            "requests" | "request" | "req" => resource = Resource::Requests,
            "tokens" | "token" => resource = Resource::Tokens,
            "input" | "prompt" => row = 1,
            "output" | "generated" => row = 2,
            "minute" => row = 3,
            "hour" => row = 4,
            "day" | "month" => row = 5,
            "per" | "dynamic" => {}
            _ => return None,
        }
    }
    Some((resource, row, field?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(headers: &[(&'static str, &'static str)]) -> Quota {
        Quota::read(headers.iter().map(|(name, value)| (*name, value.as_bytes())))
    }

    fn allowance(limit: impl Into<Option<u64>>, remaining: impl Into<Option<u64>>, reset_ms: impl Into<Option<u64>>) -> Option<Allowance> {
        Some(Allowance { limit: limit.into(), remaining: remaining.into(), reset: reset_ms.into().map(When::AfterMs) })
    }

    #[test]
    fn what_this_gateway_writes_is_read() {
        let ours = [
            (
                "ratelimit-policy",
                r#""requests-60s";q=180;w=60, "tokens-60s";q=120000;tidegate-unit="tokens";w=60, "concurrent";q=8;qu="concurrent-requests""#,
            ),
            ("ratelimit", r#""requests-60s";r=179;t=60, "tokens-60s";r=119000;t=43, "concurrent";r=7"#),
        ];
        let expected = Quota { requests: allowance(180, 179, 60_000), tokens: allowance(120_000, 119_000, 43_000) };
        assert_eq!(quota(&ours), expected);
    }

    #[test]
    fn the_drafts_older_forms_are_read() {
        let expected = Quota { requests: allowance(300, 280, 53_000), tokens: None };
        assert_eq!(quota(&[("ratelimit-limit", "300, 300;w=60"), ("ratelimit-remaining", "280"), ("ratelimit-reset", "53")]), expected);
        assert_eq!(quota(&[("ratelimit", "limit=300, remaining=280, reset=53")]), expected);
    }

    #[test]
    fn a_header_has_a_bound() {
        let long = [r#""a";r=1, "#.repeat(caps::MAX_LIMITS_IN_HEADER), r#""b";r=7"#.to_owned()].concat();
        let told = Quota::read([("ratelimit", long.as_bytes())]);
        assert_eq!(told.requests, allowance(None, 1, None));
    }

    #[test]
    fn of_several_windows_the_tightest_counts() {
        let told = quota(&[
            ("x-ratelimit-limit-tokens-minute", "60000"),
            ("x-ratelimit-remaining-tokens-minute", "59000"),
            ("x-ratelimit-limit-tokens-day", "1000000"),
            ("x-ratelimit-remaining-tokens-day", "1000"),
            ("x-ratelimit-reset-tokens-day", "33011.4"),
        ]);
        assert_eq!(told, Quota { requests: None, tokens: allowance(1_000_000, 1_000, 3_600_000) });
    }

    #[test]
    fn what_says_nothing_is_passed_over() {
        for (name, value) in [
            ("x-ratelimit-limit-tokens", "-1"),
            ("x-ratelimit-limit-tokens", "many"),
            ("x-ratelimit-limit-tokens_usage_based", "5"),
            ("x-ratelimit-tokens-query-cost", "52"),
            ("x-ratelimit-limit-images", "5"),
            ("anthropic-ratelimit-unified-status", "rejected"),
            ("anthropic-priority-input-tokens-limit", "5"),
            ("x-ratelimit-", "5"),
            ("ratelimit", "nonsense"),
            ("x-request-id", "5"),
            ("server", "cloudflare"),
        ] {
            assert_eq!(quota(&[(name, value)]), Quota::default(), "{name}: {value}");
        }
    }

    #[test]
    fn the_limit_that_refused_says_when_it_opens() {
        let opens = |headers: &[(&str, &str)]| {
            let mut limits = Limits::default();
            headers.iter().for_each(|(name, value)| limits.take(name, value.as_bytes()));
            limits.opens()
        };
        let after = |ms| Some(When::AfterMs(ms));
        let (requests, tokens) = (("x-ratelimit-reset-requests", "2s"), ("x-ratelimit-reset-tokens", "6m0s"));
        assert_eq!(opens(&[requests, tokens]), after(2_000));
        assert_eq!(opens(&[requests, tokens, ("x-ratelimit-remaining-tokens", "0")]), after(360_000));
        assert_eq!(opens(&[requests, tokens, ("x-ratelimit-remaining-requests", "7")]), after(360_000));
        let full = [("x-ratelimit-limit-tokens", "9"), ("x-ratelimit-remaining-tokens", "9"), ("x-ratelimit-remaining-requests", "7")];
        assert_eq!(opens(&[&full[..], &[requests, tokens]].concat()), None);
        let both = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-remaining-requests", "0")];
        assert_eq!(opens(&[&both[..], &[requests, tokens]].concat()), after(360_000));
    }
}
