//! What is said and written down of a refusal, and of one that a limit which only records would have made.

use domain::{Now, RefusalEvent};
use limits::Retry;
use store::pools::{BlockedLimit, Refused};

use super::{Admission, AdmitFault, RateLimited};
use crate::metrics::Refusals;
use crate::settle::Subject;

impl Admission<'_> {
    /// Writes the refusal down and says it.
    pub(super) fn refuse(&self, subject: &Subject, refused: Refused, now: Now) -> AdmitFault {
        let Refused { blocked, retry } = refused;
        let Some(binding) = blocked.into_iter().next() else { return AdmitFault::TooManyInProgress };
        self.count(&self.gateway.metrics.refusals, &binding);
        self.write_down(subject, &binding, retry, now, false);
        match retry {
            Retry::Never => AdmitFault::Closed { pool: binding.pool, kind: binding.kind },
            Retry::At { at, estimate } => {
                AdmitFault::RateLimited(Box::new(RateLimited { limit: Some(binding), at_us: at, is_estimate: estimate, now }))
            }
        }
    }

    /// Writes down that a limit which only records would have refused this.
    pub(super) fn would_have_refused(&self, subject: &Subject, blocked: &BlockedLimit, now: Now) {
        self.count(&self.gateway.metrics.shadow_refusals, blocked);
        self.write_down(subject, blocked, Retry::Never, now, true);
    }

    fn count(&self, refusals: &Refusals, blocked: &BlockedLimit) {
        let own = self.pools.with(|pools| pools.iter().find(|p| p.name.text() == blocked.pool).map(|p| p.id));
        let shared = || self.pools.common.as_ref().map(|common| common.limits().id);
        if let Some(id) = own.or_else(shared) {
            refusals.count(id, &blocked.pool, blocked.kind);
        }
    }

    fn write_down(&self, subject: &Subject, blocked: &BlockedLimit, retry: Retry, now: Now, shadow: bool) {
        let retry_after_ms = match retry {
            Retry::At { at, .. } => Some(at.saturating_sub(now.mono_us).div_ceil(1_000)),
            Retry::Never => None,
        };
        self.gateway.recorder().refusal(RefusalEvent {
            request: subject.request,
            at: now.wall,
            org: subject.key.org().id(),
            key: subject.key.id(),
            plan: subject.plan.clone(),
            model: subject.model.model.id.clone(),
            category: subject.model.model.size_category(),
            pool: blocked.pool.clone(),
            kind: blocked.kind,
            window_us: blocked.window_us,
            limit: blocked.n,
            used: blocked.used,
            held: blocked.held,
            requested: blocked.requested,
            retry_after_ms,
            shadow,
        });
    }
}
