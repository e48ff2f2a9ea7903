//! The attempts that a usage record tells, as bytes at its end. It knows no record.
//!
//! ```text
//! attempts  how many | each: provider, model there (texts) | how it ended (byte) | provider's status (0: none) | began, lasted (us) | cost (signed)
//! ended     0 answered, 1 rejected, 2 rate limited, 3 overloaded, 4 failed, 5 timed out, 6 credential, 7 billing, 8 missing, 9 broken,
//!           10 cancelled, 11 client gone
//! ```
//!
//! Where nothing follows there are none: so it is in most records, and in all of a Tidegate that told none. Such a one passes over them.

use domain::{AttemptEnd, AttemptRecord, Money, ProviderName, Trouble};

use super::format::{Put, Take};

pub(super) fn put_attempts(into: &mut Vec<u8>, attempts: &[AttemptRecord]) {
    into.number(attempts.len() as u64);
    for attempt in attempts {
        into.text(attempt.provider.as_str());
        into.text(&attempt.model);
        into.push(end_byte(attempt.end));
        into.number(u64::from(attempt.status.unwrap_or(0)));
        into.number(attempt.begun_us);
        into.number(attempt.lasted_us);
        into.signed(attempt.cost.0);
    }
}

pub(super) fn take_attempts(take: &mut Take<'_>) -> Option<Vec<AttemptRecord>> {
    if take.is_empty() {
        return Some(Vec::new());
    }
    let count = take.number()?;
    (0..count).map(|_| take_attempt(take)).collect()
}

fn take_attempt(take: &mut Take<'_>) -> Option<AttemptRecord> {
    Some(AttemptRecord {
        provider: ProviderName::from(take.text()?),
        model: take.text()?.to_owned(),
        end: take_end(take)?,
        status: Some(u16::try_from(take.number()?).ok()?).filter(|status| *status != 0),
        begun_us: take.number()?,
        lasted_us: take.number()?,
        cost: Money(take.signed()?),
    })
}

fn end_byte(end: AttemptEnd) -> u8 {
    match end {
        AttemptEnd::Answered => 0,
        AttemptEnd::Rejected => 1,
        AttemptEnd::Failed(Trouble::RateLimited) => 2,
        AttemptEnd::Failed(Trouble::Overloaded) => 3,
        AttemptEnd::Failed(Trouble::Failed) => 4,
        AttemptEnd::Failed(Trouble::TimedOut) => 5,
        AttemptEnd::Failed(Trouble::Credential) => 6,
        AttemptEnd::Failed(Trouble::Billing) => 7,
        AttemptEnd::Failed(Trouble::Missing) => 8,
        AttemptEnd::Broken => 9,
        AttemptEnd::Cancelled => 10,
        AttemptEnd::ClientGone => 11,
    }
}

fn take_end(take: &mut Take<'_>) -> Option<AttemptEnd> {
    let byte = take.byte()?;
    AttemptEnd::ALL.into_iter().find(|end| end_byte(*end) == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_round_trip_with_every_end() {
        let attempt = |(n, end)| AttemptRecord {
            provider: format!("p{n}").as_str().into(),
            model: "there".into(),
            end,
            status: (n % 2 == 0).then_some(429),
            begun_us: n,
            lasted_us: n << 40,
            cost: Money(n.cast_signed()),
        };
        let attempts: Vec<_> = (0..).zip(AttemptEnd::ALL).map(attempt).collect();
        let mut bytes = Vec::new();
        put_attempts(&mut bytes, &attempts);
        let mut take = Take::new(&bytes);
        assert_eq!(take_attempts(&mut take), Some(attempts));
        assert!(take.is_empty());
        assert!((1..bytes.len()).all(|cut| take_attempts(&mut Take::new(&bytes[..cut])).is_none()));
        assert_eq!(take_attempts(&mut Take::new(&[])), Some(Vec::new()));
    }
}
