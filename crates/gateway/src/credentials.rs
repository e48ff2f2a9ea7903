//! Which of its provider's credentials a target is called with: those that cool down are left out, the others take turns.
//! When one cools down is decided by whoever calls.

use std::sync::Arc;

use domain::CredentialId;
use http::header::{HeaderName, HeaderValue};

use crate::cooldown::{Slot, Why};
use crate::rotation::OpenPlaces;
use crate::routes::TargetRoute;

/// A credential ready to be sent.
pub(crate) struct CredentialRoute {
    /// `None`: the provider is called without any.
    pub(crate) id: Option<CredentialId>,
    /// The credential and the configured headers.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Its own state, at whatever target.
    pub(crate) slot: Arc<Slot>,
}

/// How a target may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// With the credential at this place.
    Take(usize),
    /// With none: those that the provider takes are rate limited; the first opens then.
    RateLimited { at_us: u64 },
    /// With none: all are refused by the provider. The first to be tried again, and when.
    Refused { at_us: u64, place: usize },
}

impl TargetRoute {
    /// Whether a wrong or a spent credential leaves others.
    pub(crate) fn has_several_credentials(&self) -> bool {
        self.provider.credentials.len() > 1
    }

    /// The credential whose turn it is. The clock is read only where there was a cooldown.
    pub(crate) fn turn(&self, now_us: impl FnOnce() -> u64) -> Turn {
        if !self.has_several_credentials() {
            return Turn::Take(0);
        }
        let mut slots = self.provider.credentials.iter().map(|credential| &credential.slot).chain(&self.by_credential);
        let now_us = slots.any(|slot| slot.ever_cooled()).then(now_us);
        let open = OpenPlaces::of(self.provider.credentials.len(), |place| {
            now_us.is_some_and(|now_us| self.cooling_credential(place, now_us).is_some())
        });
        match self.provider.rotation.next(open) {
            Some(place) => Turn::Take(place),
            None => self.all_cooling(now_us.unwrap_or_default()),
        }
    }

    /// When the credential at this place may be used here again and why not before.
    fn cooling_credential(&self, place: usize, now_us: u64) -> Option<(u64, Why)> {
        let everywhere = self.provider.credentials.get(place).and_then(|credential| credential.slot.cooling(now_us));
        let here = self.by_credential.get(place).and_then(|slot| slot.cooling(now_us));
        match (everywhere, here) {
            // A refused one is no prospect, however soon its rate limit ends.
            (Some(refused @ (_, Why::Refused)), _) => Some(refused),
            (Some(one), Some(other)) => Some(if other.0 > one.0 { other } else { one }),
            (one, other) => one.or(other),
        }
    }

    fn all_cooling(&self, now_us: u64) -> Turn {
        let places = 0..self.provider.credentials.len();
        let all = places.filter_map(|place| self.cooling_credential(place, now_us).map(|(at_us, why)| (why == Why::Refused, at_us, place)));
        // Those that will serve again come before those that were refused.
        match all.min() {
            Some((false, at_us, _)) => Turn::RateLimited { at_us },
            Some((true, at_us, place)) => Turn::Refused { at_us, place },
            None => Turn::Take(0),
        }
    }
}
