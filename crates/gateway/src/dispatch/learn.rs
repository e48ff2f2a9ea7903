//! What a failed attempt says of the target and of its credential. What the provider's words mean is judged elsewhere.

use domain::{Allowance, Now, QuotaRead, Trouble};
use http::HeaderMap;
use providers::{Fault, Quota, Scope, StreamFault};

use crate::routes::TargetRoute;

impl TargetRoute {
    /// A stream from it, with the credential at this place, ended before its end. A refusal for rate concerns the credential at this
    /// model, where there are others.
    pub(crate) fn broke(&self, place: usize, fault: Option<&StreamFault>, now: Now, random: u64) {
        let (trouble, scope, wait_ms) = match fault {
            Some(StreamFault::InBand(error)) => (trouble(error.verdict.fault), error.verdict.scope, error.verdict.wait_ms(now.wall)),
            Some(StreamFault::NotItsLanguage | StreamFault::EventTooLong | StreamFault::EndedEarly) | None => {
                (Trouble::Failed, Scope::Target, None)
            }
        };
        let is_of_one = trouble == Trouble::RateLimited && self.has_several_credentials();
        let mut credentials = self.slots_of(place);
        let slot = match scope {
            Scope::Request => None,
            Scope::Target if is_of_one => credentials.nth(1),
            Scope::Target => Some(&*self.slot),
            Scope::Credential => credentials.next(),
        };
        if let Some(slot) = slot {
            slot.broke(trouble, wait_ms, now.mono_us, random);
        }
    }
}

/// What a fault says of whoever was asked. A client's says nothing, and has the request for its scope.
pub(super) const fn trouble(fault: Fault) -> Trouble {
    match fault {
        Fault::RateLimited => Trouble::RateLimited,
        Fault::Overloaded => Trouble::Overloaded,
        Fault::Client | Fault::Failed => Trouble::Failed,
        Fault::Credential => Trouble::Credential,
        Fault::Billing => Trouble::Billing,
        Fault::Missing => Trouble::Missing,
    }
}

/// What an answer's headers tell of the provider's own limits; most tell nothing, and cost a look at their names.
pub(super) fn quota_read(headers: &HeaderMap, now: impl FnOnce() -> Now) -> Option<QuotaRead> {
    if !headers.keys().any(|name| Quota::is_told_by(name.as_str())) {
        return None;
    }
    let read = Quota::read(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    let now = now();
    let allowance = |told: providers::Allowance| Allowance {
        limit: told.limit,
        remaining: told.remaining,
        reset_us: told.reset.map(|when| now.mono_us.saturating_add(when.wait_ms(now.wall).saturating_mul(1_000))),
    };
    let is_told = read.requests.is_some() || read.tokens.is_some();
    is_told.then(|| QuotaRead { requests: read.requests.map(allowance), tokens: read.tokens.map(allowance), at_us: now.mono_us.max(1) })
}
