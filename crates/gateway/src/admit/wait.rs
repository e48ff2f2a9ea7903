//! The micro-wait: a request for which there will be room in a moment waits for it instead of being refused. Who waits has
//! no precedence: newcomers that fit pass. It decides nothing.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;
use limits::Retry;
use store::pools::Refused;

use crate::{GatewayConfig, caps};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// How long this request would wait: what it asks for with `Prefer: wait=SECONDS` (RFC 7240), up to the installation's bound,
/// else the installation's figure.
pub(crate) fn patience(headers: &HeaderMap, config: &GatewayConfig) -> Duration {
    let preferences = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let wait = preferences.filter_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse::<u32>().ok())?
    });
    wait.map(|seconds| Duration::from_secs(seconds.into())).next().map_or(config.micro_wait, |asked| asked.min(config.max_wait))
}

/// How many requests wait, and how many bytes they have.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

/// A place among those who wait.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    waiters: &'a Waiters,
    bytes: usize,
}

impl Waiters {
    /// A place for a request of so many bytes; `None` where too many wait already.
    pub(crate) fn enter(&self, bytes: usize) -> Option<Place<'_>> {
        let (requests, all) = (self.requests.fetch_add(1, Relaxed), self.bytes.fetch_add(bytes, Relaxed));
        let place = Place { waiters: self, bytes };
        (requests < caps::WAITERS && all.saturating_add(bytes) <= caps::WAITER_BYTES).then_some(place)
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.load(Relaxed)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiters.requests.fetch_sub(1, Relaxed);
        self.waiters.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

/// How long to wait until a refused request is decided anew, `end_us` being the moment until which it would wait; `None`: it
/// is refused for good. `looks` is how often it was looked at before.
pub(super) fn until_next_look(refused: &Refused, looks: u32, now_us: u64, end_us: u64) -> Option<Duration> {
    let left = end_us.checked_sub(now_us).filter(|left| *left > 0)?;
    match refused.retry {
        Retry::At { at, estimate: false } => (at <= end_us).then(|| Duration::from_micros(at.saturating_sub(now_us).max(1))),
        // Whoever holds may be done at any moment.
        Retry::At { estimate: true, .. } if !refused.blocked.is_empty() => {
            let (first, longest) = caps::WAIT_LOOKS;
            Some((first * 2_u32.saturating_pow(looks)).min(longest).min(Duration::from_micros(left)))
        }
        Retry::At { .. } | Retry::Never => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_how_long_it_waits() {
        let config = GatewayConfig { micro_wait: Duration::from_millis(250), max_wait: Duration::from_secs(30), ..Default::default() };
        let of = |values: &[&'static str]| {
            let headers = values.iter().map(|value| (PREFER, http::HeaderValue::from_static(value))).collect();
            patience(&headers, &config).as_millis()
        };
        for (values, ms) in [
            (&[][..], 250),
            (&["wait=5"], 5_000),
            (&["respond-async, wait=\"7\""], 7_000),
            (&["handling=lenient", "Wait = 2; x=1"], 2_000),
            (&["wait=0"], 0),
            (&["wait=31"], 30_000),
            (&["wait=soon"], 250),
            (&["wait=-1"], 250),
            (&["wait"], 250),
        ] {
            assert_eq!(of(values), ms, "{values:?}");
        }
    }

    #[test]
    fn those_who_wait_are_bounded_in_number_and_bytes() {
        let waiters = Waiters::default();
        let places: Vec<_> = (0..caps::WAITERS).map(|_| waiters.enter(1).unwrap()).collect();
        assert!(waiters.enter(1).is_none());
        assert_eq!(waiters.count(), caps::WAITERS);
        drop(places);
        assert!(waiters.enter(caps::WAITER_BYTES + 1).is_none());
        let _whole = waiters.enter(caps::WAITER_BYTES).unwrap();
        assert!(waiters.enter(1).is_none());
        assert_eq!((waiters.count(), waiters.bytes.load(Relaxed)), (1, caps::WAITER_BYTES));
    }

    #[test]
    fn an_exact_time_is_slept_until_and_an_estimate_is_looked_at_more_and_more_rarely() {
        let blocked = || store::pools::BlockedLimit {
            pool: "any".into(),
            source: domain::Source::Plan,
            kind: domain::Kind::Tokens,
            window_us: 60_000_000,
            n: 1,
            used: 1,
            held: 0,
            waiting: 0,
            requested: 1,
            retry: Retry::Never,
        };
        let refused = |retry| Refused { blocked: vec![blocked()], retry };
        let look = |retry, looks, now, end| until_next_look(&refused(retry), looks, now, end).map(|pause| pause.as_micros());
        let exact = |at| Retry::At { at, estimate: false };
        assert_eq!(look(exact(1_200), 0, 1_000, 1_200), Some(200));
        assert_eq!(look(exact(1_201), 0, 1_000, 1_200), None);
        let estimate = Retry::At { at: 9_000_000, estimate: true };
        let looks: Vec<_> = (0..7).map(|looks| look(estimate, looks, 0, 1_000_000).unwrap()).collect();
        assert_eq!(looks, [2_000, 4_000, 8_000, 16_000, 32_000, 50_000, 50_000]);
        assert_eq!((look(estimate, 9, 0, 700), look(estimate, 0, 700, 700), look(Retry::Never, 0, 0, 9)), (Some(700), None, None));
        assert_eq!(until_next_look(&Refused { blocked: vec![], retry: estimate }, 0, 0, 9), None, "a bound of the ledger");
    }
}
