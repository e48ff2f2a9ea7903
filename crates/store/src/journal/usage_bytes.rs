//! Usage records and refusals as payloads, and the choices within them as bytes. It knows no segment.
//!
//! ```text
//! usage     request (id) | at (wall) | org (id) | key (id) | plan, model (texts) | category (byte) | pool, provider (texts; none: empty)
//!           | endpoint (byte) | streamed (byte) | status | outcome (byte) | input | output | cached | counted (byte) | cost (signed)
//!           | attempts | first byte, duration, waited, paused (us) | debt | attempts told, where any are: see `attempt_bytes.rs`
//!           | reasoning, where there is any; then attempts are told, if only that there are none
//! refusal   request (id) | at (wall) | org (id) | key (id) | plan, model (texts) | category (byte) | pool (text) | kind (byte) | window (us)
//!           | limit | used | held | requested | announced wait (ms; 0: never, else one more than it) | shadow (byte)
//! category  0 none, 1 small, 2 medium, 3 large         kind      0 requests, 1 tokens, 2 concurrent
//! endpoint  0 chat completions, 1 completions, 2 embeddings
//! outcome   0 answered, 1 client gone, 2 broken, 3 rejected, 4 failed, 5 cut
//! counted   0 provider, 1 Tidegate, 2 estimate
//! ```

use domain::{Category, Counted, Endpoint, KeyId, Kind, Money, OrgId, Outcome, ProviderName, RefusalEvent, RequestId, TokenUsage};
use domain::{UnixMicros, UsageRecord};

use super::attempt_bytes::{put_attempts, take_attempts};
use super::format::{Put, Take};

pub(crate) fn put_usage(into: &mut Vec<u8>, record: &UsageRecord) {
    into.id(record.request.bits());
    into.signed(record.at.0);
    into.id(record.org.bits());
    into.id(record.key.bits());
    into.text(record.plan.as_str());
    into.text(record.model.as_str());
    into.push(category_byte(record.category));
    into.text(&record.pool);
    into.text(record.provider.as_ref().map_or("", ProviderName::as_str));
    into.push(endpoint_byte(record.endpoint));
    into.push(u8::from(record.stream));
    into.number(u64::from(record.status));
    into.push(outcome_byte(record.outcome));
    into.number(record.tokens.input);
    into.number(record.tokens.output);
    into.number(record.tokens.cached);
    into.push(counted_byte(record.counted));
    into.signed(record.cost.0);
    into.number(u64::from(record.attempts));
    for n in [record.first_byte_us, record.duration_us, record.waited_us, record.paused_us, record.debt] {
        into.number(n);
    }
    // What came later stands at the end, so that whoever doesn't know it passes over it.
    if !record.attempt_list.is_empty() || record.tokens.reasoning > 0 {
        put_attempts(into, &record.attempt_list);
    }
    if record.tokens.reasoning > 0 {
        into.number(record.tokens.reasoning);
    }
}

pub(crate) fn take_usage(take: &mut Take<'_>) -> Option<UsageRecord> {
    let mut record = UsageRecord {
        request: RequestId::from_bits(take.id()?),
        at: UnixMicros(take.signed()?),
        org: OrgId::from_bits(take.id()?),
        key: KeyId::from_bits(take.id()?),
        plan: take.text()?.into(),
        model: take.text()?.into(),
        category: take_category(take)?,
        pool: take.text()?.into(),
        provider: Some(take.text()?).filter(|name| !name.is_empty()).map(ProviderName::from),
        endpoint: take_endpoint(take)?,
        stream: take.byte()? != 0,
        status: u16::try_from(take.number()?).ok()?,
        outcome: take_outcome(take)?,
        tokens: TokenUsage { input: take.number()?, output: take.number()?, cached: take.number()?, reasoning: 0 },
        counted: take_counted(take)?,
        cost: Money(take.signed()?),
        attempts: u32::try_from(take.number()?).ok()?,
        first_byte_us: take.number()?,
        duration_us: take.number()?,
        waited_us: take.number()?,
        paused_us: take.number()?,
        debt: take.number()?,
        attempt_list: take_attempts(take)?,
    };
    if !take.is_empty() {
        record.tokens.reasoning = take.number()?;
    }
    Some(record)
}

pub(crate) fn put_refusal(into: &mut Vec<u8>, event: &RefusalEvent) {
    into.id(event.request.bits());
    into.signed(event.at.0);
    into.id(event.org.bits());
    into.id(event.key.bits());
    into.text(event.plan.as_str());
    into.text(event.model.as_str());
    into.push(category_byte(event.category));
    into.text(&event.pool);
    into.push(kind_byte(event.kind));
    for n in [event.window_us, event.limit, event.used, event.held, event.requested] {
        into.number(n);
    }
    into.number(event.retry_after_ms.map_or(0, |ms| ms.saturating_add(1)));
    into.push(u8::from(event.shadow));
}

pub(crate) fn take_refusal(take: &mut Take<'_>) -> Option<RefusalEvent> {
    Some(RefusalEvent {
        request: RequestId::from_bits(take.id()?),
        at: UnixMicros(take.signed()?),
        org: OrgId::from_bits(take.id()?),
        key: KeyId::from_bits(take.id()?),
        plan: take.text()?.into(),
        model: take.text()?.into(),
        category: take_category(take)?,
        pool: take.text()?.into(),
        kind: take_kind(take)?,
        window_us: take.number()?,
        limit: take.number()?,
        used: take.number()?,
        held: take.number()?,
        requested: take.number()?,
        retry_after_ms: take.number()?.checked_sub(1),
        shadow: take.byte()? != 0,
    })
}

pub(crate) fn category_byte(category: Option<Category>) -> u8 {
    match category {
        None => 0,
        Some(Category::Small) => 1,
        Some(Category::Medium) => 2,
        Some(Category::Large) => 3,
    }
}

pub(crate) fn take_category(take: &mut Take<'_>) -> Option<Option<Category>> {
    let byte = take.byte()?;
    [None, Some(Category::Small), Some(Category::Medium), Some(Category::Large)].into_iter().find(|c| category_byte(*c) == byte)
}

pub(crate) fn endpoint_byte(endpoint: Endpoint) -> u8 {
    match endpoint {
        Endpoint::ChatCompletions => 0,
        Endpoint::Completions => 1,
        Endpoint::Embeddings => 2,
    }
}

pub(crate) fn take_endpoint(take: &mut Take<'_>) -> Option<Endpoint> {
    let byte = take.byte()?;
    [Endpoint::ChatCompletions, Endpoint::Completions, Endpoint::Embeddings].into_iter().find(|e| endpoint_byte(*e) == byte)
}

fn outcome_byte(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Answered => 0,
        Outcome::ClientGone => 1,
        Outcome::Broken => 2,
        Outcome::Rejected => 3,
        Outcome::Failed => 4,
        Outcome::Cut => 5,
    }
}

fn take_outcome(take: &mut Take<'_>) -> Option<Outcome> {
    let byte = take.byte()?;
    let all = [Outcome::Answered, Outcome::ClientGone, Outcome::Broken, Outcome::Rejected, Outcome::Failed, Outcome::Cut];
    all.into_iter().find(|o| outcome_byte(*o) == byte)
}

fn counted_byte(counted: Counted) -> u8 {
    match counted {
        Counted::Provider => 0,
        Counted::Tidegate => 1,
        Counted::Estimate => 2,
    }
}

fn take_counted(take: &mut Take<'_>) -> Option<Counted> {
    let byte = take.byte()?;
    [Counted::Provider, Counted::Tidegate, Counted::Estimate].into_iter().find(|c| counted_byte(*c) == byte)
}

fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Requests => 0,
        Kind::Tokens => 1,
        Kind::Concurrent => 2,
    }
}

fn take_kind(take: &mut Take<'_>) -> Option<Kind> {
    let byte = take.byte()?;
    [Kind::Requests, Kind::Tokens, Kind::Concurrent].into_iter().find(|k| kind_byte(*k) == byte)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn usage_records_round_trip_with_every_choice() {
        let outcomes = [Outcome::Answered, Outcome::ClientGone, Outcome::Broken, Outcome::Rejected, Outcome::Failed, Outcome::Cut];
        let endpoints = [Endpoint::ChatCompletions, Endpoint::Completions, Endpoint::Embeddings];
        let counted = [Counted::Provider, Counted::Tidegate, Counted::Estimate];
        let categories = [None, Some(Category::Small), Some(Category::Medium), Some(Category::Large)];
        for n in 0..60_usize {
            let record = UsageRecord {
                outcome: outcomes[n % 6],
                endpoint: endpoints[n % 3],
                counted: counted[n % 3],
                category: categories[n % 4],
                provider: (n % 2 == 0).then(|| "main".into()),
                stream: n % 2 == 1,
                cost: Money(-(n as i64)),
                at: UnixMicros(-5),
                tokens: TokenUsage { reasoning: 0, ..testing::usage(1).tokens },
                ..testing::usage(n as u128)
            };
            let mut bytes = Vec::new();
            put_usage(&mut bytes, &record);
            let mut take = Take::new(&bytes);
            assert_eq!(format!("{:?}", take_usage(&mut take).unwrap()), format!("{record:?}"));
            assert!(take.is_empty());
            for cut in 0..bytes.len() {
                assert!(take_usage(&mut Take::new(&bytes[..cut])).is_none(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn records_end_with_the_attempts_they_tell_or_tell_none() {
        let plain = UsageRecord { tokens: TokenUsage { reasoning: 0, ..testing::usage(1).tokens }, ..testing::usage(1) };
        let reasoned = UsageRecord { tokens: TokenUsage { reasoning: 300, ..plain.tokens }, ..plain.clone() };
        let told = UsageRecord { attempt_list: vec![testing::attempt(), testing::attempt()], ..plain.clone() };
        let bytes_of = |record: &UsageRecord| {
            let mut bytes = Vec::new();
            put_usage(&mut bytes, record);
            bytes
        };
        let (plain_bytes, bytes) = (bytes_of(&plain), bytes_of(&told));
        assert_eq!(take_usage(&mut Take::new(&bytes)).unwrap().attempt_list, told.attempt_list);
        for record in [reasoned.clone(), UsageRecord { attempt_list: told.attempt_list.clone(), ..reasoned }] {
            assert_eq!(format!("{:?}", take_usage(&mut Take::new(&bytes_of(&record))).unwrap()), format!("{record:?}"));
        }
        // As a journal has it that was written before attempts were told.
        let old = take_usage(&mut Take::new(&bytes[..plain_bytes.len()])).unwrap();
        assert_eq!(format!("{old:?}"), format!("{plain:?}"));
        assert_eq!(plain_bytes, bytes[..plain_bytes.len()], "whoever knows of no attempts reads all the rest");
    }

    #[test]
    fn refusals_round_trip() {
        for (n, retry_after_ms) in [None, Some(0), Some(5_000)].into_iter().enumerate() {
            let kind = [Kind::Requests, Kind::Tokens, Kind::Concurrent][n];
            let event = RefusalEvent { kind, retry_after_ms, shadow: n == 1, ..testing::refusal(n as u128) };
            let mut bytes = Vec::new();
            put_refusal(&mut bytes, &event);
            let mut take = Take::new(&bytes);
            assert_eq!(format!("{:?}", take_refusal(&mut take).unwrap()), format!("{event:?}"));
            assert!(take.is_empty());
            assert!((0..bytes.len()).all(|cut| take_refusal(&mut Take::new(&bytes[..cut])).is_none()));
        }
    }
}
