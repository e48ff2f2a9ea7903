//! The kinds of records and their payloads. It knows no file, and of ledgers only what is asked of them.
//!
//! ```text
//!  1 grant     org, request (ids) | at (steady) | input | output held | facts | asks: pool (u64) where it differs from the one before, and
//!              before it a byte: bits 0-1 kind, bit 2 same pool, bits 3-4 window (0 none, 1 a minute, 2 a day, 3 a number follows); then n
//!              facts: key (id) | arrived (wall) | plan, model (texts) | category | pool (text) | endpoint | streamed | input, output price (signed)
//!  2 cover     org, request | at | output tokens that the hold ever covered, those charged included
//!  3 charges   at | (org, request, output tokens charged so far) until the end of the record
//!  4 end       at | how (byte) | where it is "settled": input + 1 (0: as it was), output | whether usage follows (byte) | org, request, or usage
//!              how: 0 settled, 1 lapsed, 2 tokens back, 3 all back
//!  5 usage     a usage record without a hold
//!  6 refusal
//!  7 open      a copy of a grant that has not ended, in the segment after its own: charged | covered | a grant's payload
//!  8 ledger    org (0: what organisations share) | everything of its ledger, which this replaces: see `ledger_bytes.rs`
//!  9 snapshot  empty: a copy of every open grant and every ledger stands before this in the segment, so nothing earlier is needed
//! 10 clean     empty: the server stopped in peace. Nothing follows
//! 11 tick      steady time | wall time, read together
//! 12 loss      at (steady) until which something is unknown | (org | kind (byte) | pool (u64) | window) of limits that were filled for it
//! 13 input     org, request | at | input tokens, counted exactly
//! ```
//!
//! A record is written after what it tells was done to the ledger, and records of several requests may change places; each of them says
//! totals and names its request, so that done twice it acts once.

use domain::{
    Category, Counted, Endpoint, KeyId, Money, OrgId, Outcome, Price, RefusalEvent, RequestId, TokenUsage, UnixMicros, UsageRecord,
};
use limits::{Ask, Kind, LimitKey, Settlement};

use super::format::{Put, Take};
use super::usage_bytes::{self, category_byte, endpoint_byte, put_usage, take_category, take_endpoint, take_refusal, take_usage};
use crate::pools::End;

pub(crate) const GRANT: u8 = 1;
pub(crate) const COVER: u8 = 2;
pub(crate) const CHARGES: u8 = 3;
pub(crate) const END: u8 = 4;
pub(crate) const USAGE: u8 = 5;
pub(crate) const REFUSAL: u8 = 6;
pub(crate) const OPEN: u8 = 7;
pub(crate) const LEDGER: u8 = 8;
pub(crate) const SNAPSHOT: u8 = 9;
pub(crate) const CLEAN: u8 = 10;
pub(crate) const TICK: u8 = 11;
pub(crate) const LOSS: u8 = 12;
pub(crate) const INPUT: u8 = 13;

const MINUTE_US: u64 = 60_000_000;
const DAY_US: u64 = 86_400_000_000;

/// What a usage record needs to know of a request, should the server die before it can write one.
#[derive(Clone, Copy, Debug)]
pub struct GrantFacts<'a> {
    /// Which key asked.
    pub key: KeyId,
    /// When it arrived.
    pub arrived: UnixMicros,
    /// The plan in force.
    pub plan: &'a str,
    /// The catalogue's model.
    pub model: &'a str,
    /// The model's category, where it has one.
    pub category: Option<Category>,
    /// The pool it counts in.
    pub pool: &'a str,
    /// Which endpoint was called.
    pub endpoint: Endpoint,
    /// Whether it is streamed.
    pub stream: bool,
    /// The model's price of input.
    pub input_price: Price,
    /// The model's price of output.
    pub output_price: Price,
}

/// A request that was admitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant<'a> {
    pub(crate) org: OrgId,
    pub(crate) request: RequestId,
    pub(crate) at: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) facts: GrantFacts<'a>,
}

impl<'a> Grant<'a> {
    pub(crate) fn put(&self, into: &mut Vec<u8>, asks: &[Ask]) {
        let facts = &self.facts;
        into.id(self.org.bits());
        into.id(self.request.bits());
        for n in [self.at, self.input, self.output] {
            into.number(n);
        }
        into.id(facts.key.bits());
        into.signed(facts.arrived.0);
        into.text(facts.plan);
        into.text(facts.model);
        into.push(category_byte(facts.category));
        into.text(facts.pool);
        into.push(endpoint_byte(facts.endpoint));
        into.push(u8::from(facts.stream));
        into.signed(facts.input_price.0);
        into.signed(facts.output_price.0);
        let mut pool = None;
        for ask in asks {
            put_key(into, &ask.key, pool.replace(ask.key.pool) == Some(ask.key.pool));
            into.number(ask.n);
        }
    }

    /// Reads it, and its asks into `asks`.
    pub(crate) fn take(payload: &'a [u8], asks: &mut Vec<Ask>) -> Option<Self> {
        let mut take = Take::new(payload);
        let grant = Self::take_head(&mut take)?;
        asks.clear();
        let mut pool = 0;
        while !take.is_empty() {
            let key = take_key(&mut take, pool)?;
            pool = key.pool;
            let (log, hold) = match key.kind {
                Kind::Requests => (1, 0),
                Kind::Tokens => (grant.input, grant.output),
                Kind::Concurrent => (0, 1),
            };
            asks.push(Ask { key, n: take.number()?, log, hold });
        }
        Some(grant)
    }

    fn take_head(take: &mut Take<'a>) -> Option<Self> {
        Some(Self {
            org: OrgId::from_bits(take.id()?),
            request: RequestId::from_bits(take.id()?),
            at: take.number()?,
            input: take.number()?,
            output: take.number()?,
            facts: GrantFacts {
                key: KeyId::from_bits(take.id()?),
                arrived: UnixMicros(take.signed()?),
                plan: take.text()?,
                model: take.text()?,
                category: take_category(take)?,
                pool: take.text()?,
                endpoint: take_endpoint(take)?,
                stream: take.byte()? != 0,
                input_price: Money(take.signed()?),
                output_price: Money(take.signed()?),
            },
        })
    }

    /// What is written down of it when its server died, or its task, and nobody knows how it fared: at least what was relayed, and
    /// everything that was covered. `lasted_us`: how long it is known to have lived.
    pub(crate) fn interrupted(&self, input: u64, charged: u64, covered: u64, lasted_us: u64) -> UsageRecord {
        let tokens = TokenUsage { input, output: covered.max(charged), cached: 0, reasoning: 0 };
        let facts = &self.facts;
        UsageRecord {
            request: self.request,
            at: facts.arrived,
            org: self.org,
            key: facts.key,
            plan: facts.plan.into(),
            model: facts.model.into(),
            category: facts.category,
            pool: facts.pool.into(),
            provider: None,
            endpoint: facts.endpoint,
            stream: facts.stream,
            status: if charged > 0 { 200 } else { 499 },
            outcome: if charged > 0 { Outcome::Broken } else { Outcome::Failed },
            tokens,
            counted: Counted::Estimate,
            cost: facts.input_price.for_tokens(tokens.input).plus(facts.output_price.for_tokens(tokens.output)),
            attempts: 1,
            first_byte_us: 0,
            duration_us: lasted_us,
            waited_us: 0,
            paused_us: 0,
            debt: 0,
            attempt_list: Vec::new(),
        }
    }
}

pub(crate) fn limit_kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Requests => 0,
        Kind::Tokens => 1,
        Kind::Concurrent => 2,
    }
}

pub(crate) fn limit_kind(byte: u8) -> Option<Kind> {
    [Kind::Requests, Kind::Tokens, Kind::Concurrent].into_iter().find(|kind| limit_kind_byte(*kind) == byte)
}

pub(crate) fn put_key(into: &mut Vec<u8>, key: &LimitKey, same_pool: bool) {
    let window = match key.window_us {
        0 => 0,
        MINUTE_US => 1,
        DAY_US => 2,
        _ => 3,
    };
    into.push(limit_kind_byte(key.kind) | u8::from(same_pool) << 2 | window << 3);
    if !same_pool {
        into.extend_from_slice(&key.pool.to_le_bytes());
    }
    if window == 3 {
        into.number(key.window_us);
    }
}

pub(crate) fn take_key(take: &mut Take<'_>, pool: u64) -> Option<LimitKey> {
    let byte = take.byte()?;
    let pool = if byte & 4 != 0 { pool } else { u64::from_le_bytes(take.array()?) };
    let window_us = match byte >> 3 {
        0 => 0,
        1 => MINUTE_US,
        2 => DAY_US,
        3 => take.number()?,
        _ => return None,
    };
    Some(LimitKey { pool, kind: limit_kind(byte & 3)?, window_us })
}

/// Whose hold it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whose {
    pub(crate) org: OrgId,
    pub(crate) request: RequestId,
}

impl Whose {
    pub(crate) fn put(self, into: &mut Vec<u8>) {
        into.id(self.org.bits());
        into.id(self.request.bits());
    }

    pub(crate) fn take(take: &mut Take<'_>) -> Option<Self> {
        Some(Self { org: OrgId::from_bits(take.id()?), request: RequestId::from_bits(take.id()?) })
    }
}

/// A figure of one hold at a moment: what it covers, or its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) whose: Whose,
    pub(crate) at: u64,
    pub(crate) tokens: u64,
}

impl Figure {
    pub(crate) fn put(&self, into: &mut Vec<u8>) {
        self.whose.put(into);
        into.number(self.at);
        into.number(self.tokens);
    }

    pub(crate) fn take(payload: &[u8]) -> Option<Self> {
        let mut take = Take::new(payload);
        Some(Self { whose: Whose::take(&mut take)?, at: take.number()?, tokens: take.number()? })
    }
}

/// The end of a hold.
pub(crate) fn put_end(into: &mut Vec<u8>, whose: Whose, end: End, at: u64, usage: Option<&UsageRecord>) {
    into.number(at);
    match end {
        End::Settled(Settlement { input, output }) => {
            into.push(0);
            into.number(input.map_or(0, |input| input.saturating_add(1)));
            into.number(output);
        }
        End::Lapsed => into.push(1),
        End::TokensBack => into.push(2),
        End::AllBack => into.push(3),
    }
    into.push(u8::from(usage.is_some()));
    match usage {
        Some(usage) => put_usage(into, usage),
        None => whose.put(into),
    }
}

fn take_end_head(take: &mut Take<'_>) -> Option<(u64, End, bool)> {
    let at = take.number()?;
    let end = match take.byte()? {
        0 => End::Settled(Settlement { input: take.number()?.checked_sub(1), output: take.number()? }),
        1 => End::Lapsed,
        2 => End::TokensBack,
        3 => End::AllBack,
        _ => return None,
    };
    Some((at, end, take.byte()? != 0))
}

/// The end without its usage record, which replay doesn't need.
pub(crate) fn take_end(payload: &[u8]) -> Option<(Whose, End, u64)> {
    let mut take = Take::new(payload);
    let (at, end, has_usage) = take_end_head(&mut take)?;
    if !has_usage {
        return Some((Whose::take(&mut take)?, end, at));
    }
    let request = RequestId::from_bits(take.id()?);
    take.signed()?;
    Some((Whose { org: OrgId::from_bits(take.id()?), request }, end, at))
}

/// What goes to the database.
#[derive(Clone, Debug)]
pub(crate) enum Recordable {
    Usage(UsageRecord),
    Refusal(RefusalEvent),
}

/// What of a record goes to the database; `Some(None)`: nothing. `None`: it can't be read.
pub(crate) fn recordable(kind: u8, payload: &[u8]) -> Option<Option<Recordable>> {
    let mut take = Take::new(payload);
    Some(match kind {
        USAGE => Some(Recordable::Usage(take_usage(&mut take)?)),
        REFUSAL => Some(Recordable::Refusal(take_refusal(&mut take)?)),
        END if take_end_head(&mut take)?.2 => Some(Recordable::Usage(take_usage(&mut take)?)),
        _other_kinds_have_none => None,
    })
}

/// Whether a record counts as a recordable.
pub(crate) fn is_recordable(kind: u8, payload: &[u8]) -> bool {
    match kind {
        USAGE | REFUSAL => true,
        END => take_end_head(&mut Take::new(payload)).is_some_and(|(_, _, has_usage)| has_usage),
        _other_kinds => false,
    }
}

pub(crate) fn put_refusal(into: &mut Vec<u8>, event: &RefusalEvent) {
    usage_bytes::put_refusal(into, event);
}

/// A copy of an open grant.
pub(crate) fn put_open(into: &mut Vec<u8>, charged: u64, covered: u64, grant: &[u8]) {
    into.number(charged);
    into.number(covered);
    into.extend_from_slice(grant);
}

/// What was charged and covered, and the grant's payload.
pub(crate) fn take_open(payload: &[u8]) -> Option<(u64, u64, &[u8])> {
    let mut take = Take::new(payload);
    let (charged, covered) = (take.number()?, take.number()?);
    let rest = take.len();
    Some((charged, covered, take.bytes(rest)?))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn whose() -> Whose {
        Whose { org: OrgId::from_bits(5), request: RequestId::from_bits(6) }
    }

    fn grant() -> Grant<'static> {
        Grant { org: OrgId::from_bits(5), request: RequestId::from_bits(6), at: 1 << 41, input: 300, output: 77, facts: testing::facts() }
    }

    #[test]
    fn grants_round_trip_with_every_kind_of_limit() {
        let key = |pool, kind, window_us| LimitKey { pool, kind, window_us };
        let keys = [
            key(9, Kind::Requests, MINUTE_US),
            key(9, Kind::Tokens, DAY_US),
            key(9, Kind::Tokens, 1_000_000),
            key(8, Kind::Concurrent, 0),
            key(9, Kind::Requests, DAY_US),
        ];
        let asks: Vec<_> = (keys.into_iter().zip(1..))
            .map(|(key, n)| {
                let (log, hold) = match key.kind {
                    Kind::Requests => (1, 0),
                    Kind::Tokens => (300, 77),
                    Kind::Concurrent => (0, 1),
                };
                Ask { key, n, log, hold }
            })
            .collect();
        let (mut bytes, mut read) = (Vec::new(), Vec::new());
        grant().put(&mut bytes, &asks);
        assert_eq!(format!("{:?}", Grant::take(&bytes, &mut read).unwrap()), format!("{:?}", grant()));
        assert_eq!(read, asks);
        grant().put(&mut Vec::new(), &[]);
        let mut copied = Vec::new();
        put_open(&mut copied, 3, 90, &bytes);
        assert_eq!(take_open(&copied), Some((3, 90, bytes.as_slice())));
    }

    #[test]
    fn ends_round_trip_with_and_without_usage() {
        let ends = [
            End::Settled(Settlement { input: None, output: 4 }),
            End::Settled(Settlement { input: Some(0), output: 0 }),
            End::Lapsed,
            End::TokensBack,
            End::AllBack,
        ];
        for end in ends {
            let mut bytes = Vec::new();
            put_end(&mut bytes, whose(), end, 44, None);
            assert_eq!(take_end(&bytes), Some((whose(), end, 44)));
            assert!(!is_recordable(END, &bytes) && matches!(recordable(END, &bytes), Some(None)));
            let usage = testing::usage(6);
            bytes.clear();
            put_end(&mut bytes, whose(), end, 44, Some(&usage));
            assert_eq!(take_end(&bytes), Some((Whose { org: usage.org, request: usage.request }, end, 44)));
            let Some(Some(Recordable::Usage(read))) = recordable(END, &bytes) else { panic!("it has usage") };
            assert_eq!(format!("{read:?}"), format!("{usage:?}"));
            assert!(is_recordable(END, &bytes));
        }
    }

    #[test]
    fn an_interrupted_request_is_charged_all_that_it_was_covered_for() {
        let record = grant().interrupted(300, 10, 77, 5);
        assert_eq!((record.status, record.outcome, record.counted), (200, Outcome::Broken, Counted::Estimate));
        assert_eq!((record.tokens.input, record.tokens.output, record.duration_us), (300, 77, 5));
        assert_eq!(record.cost, testing::facts().input_price.for_tokens(300).plus(testing::facts().output_price.for_tokens(77)));
        let silent = grant().interrupted(300, 0, 77, 5);
        assert_eq!((silent.status, silent.outcome, silent.tokens.output), (499, Outcome::Failed, 77));
    }
}
