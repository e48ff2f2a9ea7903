//! A ledger's state as a payload. It knows no ledger, only its state.
//!
//! ```text
//! ledger    org (id) | at (steady) | limits | holds
//! limits    how many, then each: key as in a grant, never "same pool" | n | owed | how many entries, then each: time since the one
//!           before (the first: since 0) | amount
//! holds     how many, then each: request (id) | at (steady) | requests | concurrent | input | input later | output | left
//!           | how many limits, then the index of each | whether amounts of their own follow (byte), then one for each limit
//! ```

use domain::OrgId;
use limits::{HoldState, LimitState, State};

use super::format::{Put, Take};
use super::records::{put_key, take_key};

pub(crate) fn put_ledger(into: &mut Vec<u8>, org: OrgId, state: &State) {
    into.id(org.bits());
    into.number(state.at);
    into.number(state.limits.len() as u64);
    for limit in &state.limits {
        put_key(into, &limit.key, false);
        into.number(limit.n);
        into.number(limit.owed);
        into.number(limit.entries.len() as u64);
        let mut before = 0;
        for (at, amount) in &limit.entries {
            into.number(at.saturating_sub(before));
            into.number(*amount);
            before = *at;
        }
    }
    into.number(state.holds.len() as u64);
    for hold in &state.holds {
        into.id(hold.request);
        for n in [hold.at, hold.requests, hold.concurrent, hold.input, hold.input_later, hold.output, hold.left] {
            into.number(n);
        }
        into.number(hold.limits.len() as u64);
        hold.limits.iter().for_each(|index| into.number(u64::from(*index)));
        into.push(u8::from(!hold.own.is_empty()));
        hold.own.iter().for_each(|own| into.number(*own));
    }
}

pub(crate) fn take_ledger(payload: &[u8]) -> Option<(OrgId, State)> {
    let mut take = Take::new(payload);
    let org = OrgId::from_bits(take.id()?);
    let at = take.number()?;
    let limits = list(&mut take, take_limit)?;
    let holds = list(&mut take, take_hold)?;
    take.is_empty().then_some((org, State { at, limits, holds }))
}

fn list<'a, T>(take: &mut Take<'a>, one: impl Fn(&mut Take<'a>) -> Option<T>) -> Option<Vec<T>> {
    let len = usize::try_from(take.number()?).ok()?;
    // Each has a byte at least: a wrong number asks for no more memory than there are bytes.
    let mut found = Vec::with_capacity(len.min(take.len()));
    for _ in 0..len {
        found.push(one(take)?);
    }
    Some(found)
}

fn take_limit(take: &mut Take<'_>) -> Option<LimitState> {
    let (key, n, owed) = (take_key(take, 0)?, take.number()?, take.number()?);
    let mut entries = list(take, |take| Some((take.number()?, take.number()?)))?;
    let mut before = 0_u64;
    for (at, _) in &mut entries {
        before = before.checked_add(*at)?;
        *at = before;
    }
    Some(LimitState { key, n, entries, owed })
}

fn take_hold(take: &mut Take<'_>) -> Option<HoldState> {
    let request = take.id()?;
    let (at, requests, concurrent) = (take.number()?, take.number()?, take.number()?);
    let (input, input_later, output, left) = (take.number()?, take.number()?, take.number()?, take.number()?);
    let limits = list(take, |take| u16::try_from(take.number()?).ok())?;
    let mut own = Vec::new();
    if take.byte()? != 0 {
        for _ in 0..limits.len() {
            own.push(take.number()?);
        }
    }
    Some(HoldState { request, at, limits, requests, concurrent, input, input_later, output, left, own })
}

#[cfg(test)]
mod tests {
    use limits::{Kind, LimitKey};

    use super::*;

    #[test]
    fn a_state_round_trips_and_is_never_read_from_a_part() {
        let limit = |pool, kind, window_us| LimitState {
            key: LimitKey { pool, kind, window_us },
            n: 1 << 60,
            entries: vec![(1 << 40, 5), ((1 << 40) + 7, 300)],
            owed: 9,
        };
        let hold = |request, own| HoldState {
            request,
            at: 1 << 40,
            limits: vec![0, 2],
            requests: 1,
            concurrent: 1,
            input: 300,
            input_later: 1,
            output: 2,
            left: 64,
            own,
        };
        let limits = vec![limit(1, Kind::Requests, 60_000_000), limit(1, Kind::Tokens, 86_400_000_000), limit(2, Kind::Concurrent, 0)];
        let state = State { at: 1 << 41, limits, holds: vec![hold(u128::MAX, vec![]), hold(7, vec![64, 3])] };
        let mut bytes = Vec::new();
        put_ledger(&mut bytes, OrgId::from_bits(77), &state);
        assert_eq!(take_ledger(&bytes), Some((OrgId::from_bits(77), state)));
        assert!((0..bytes.len()).all(|cut| take_ledger(&bytes[..cut]).is_none()));
    }
}
