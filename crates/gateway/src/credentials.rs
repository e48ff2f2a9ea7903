//! Which of its provider's credentials a target is called with: those that are left alone are left out, the others take turns.
//! What each failure says of one is judged elsewhere.

use std::sync::Arc;

use domain::{Admits, CredentialId, Trouble, Why};
use http::header::{HeaderName, HeaderValue};

use crate::health::Slot;
use crate::rotation::OpenPlaces;
use crate::routes::TargetRoute;
use crate::routing::{Party, Skip};

/// A credential ready to be sent.
pub(crate) struct CredentialRoute {
    /// `None`: the provider is called without any.
    pub(crate) id: Option<CredentialId>,
    /// The credential and the configured headers.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// How it stands, at whatever target.
    pub(crate) slot: Arc<Slot>,
}

impl TargetRoute {
    /// Whether a wrong or a spent credential leaves others.
    pub(crate) fn has_several_credentials(&self) -> bool {
        self.provider.credentials.len() > 1
    }

    /// How the credential at this place stands at any target, and at this one where there are several.
    pub(crate) fn slots_of(&self, place: usize) -> impl Iterator<Item = &Slot> {
        let everywhere = self.provider.credentials.get(place).map(|credential| &*credential.slot);
        everywhere.into_iter().chain(self.by_credential.get(place).map(|slot| &**slot))
    }

    /// Whether anything speaks, or may speak, against it or one of its credentials.
    pub(crate) fn is_troubled(&self) -> bool {
        let credentials = || self.provider.credentials.iter().map(|credential| &credential.slot).chain(&self.by_credential);
        self.slot.is_troubled() || credentials().any(|slot| slot.is_troubled())
    }

    /// All its credentials.
    pub(crate) fn all_credentials(&self) -> OpenPlaces {
        OpenPlaces::of(self.provider.credentials.len(), |_| false)
    }

    /// The credentials that may be used here now. Where none may: when the first of those may that are rate limited, else of those that
    /// are left alone for another reason; one that is refused is no prospect, however soon its rate limit ends.
    pub(crate) fn open_credentials(&self, now_us: u64) -> Result<OpenPlaces, Skip> {
        let mut first: Option<(bool, u64, Why)> = None;
        let mut open = OpenPlaces::default();
        for place in 0..self.provider.credentials.len() {
            match self.closed_credential(place, now_us) {
                None => open = open.with(place),
                Some((until_us, why)) => {
                    let later = !matches!(why, Why::Cooling(Trouble::RateLimited));
                    if first.is_none_or(|(first_later, first_us, _)| (later, until_us) < (first_later, first_us)) {
                        first = Some((later, until_us, why));
                    }
                }
            }
        }
        match first {
            Some((_, until_us, why)) if open.is_empty() => Err(Skip::Resting { until_us, why, party: Party::Credential }),
            Some(_) | None => Ok(open),
        }
    }

    fn closed_credential(&self, place: usize, now_us: u64) -> Option<(u64, Why)> {
        let closed = |slot: &Slot| match slot.admits(now_us) {
            Admits::No { until_us, why } => Some((until_us, why)),
            Admits::Yes | Admits::Probe => None,
        };
        let is_limit = |(_, why): &(u64, Why)| matches!(why, Why::Cooling(Trouble::RateLimited));
        self.slots_of(place).filter_map(closed).max_by_key(|closed| (!is_limit(closed), closed.0))
    }
}
