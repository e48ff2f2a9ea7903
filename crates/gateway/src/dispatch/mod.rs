//! Fifth stop: finds a target that answers. Each is tried at most once with each credential, under the one hold of the request,
//! and only until something was produced. What a stream's further events say is the relay's matter.

mod attempt;
mod demo;
mod headers;

use bytes::Bytes;
use domain::Now;
use http::{HeaderMap, StatusCode};
use limits::{HoldGuard, Retry};
use providers::{AnswerFacts, RequestFacts, Scope};

use crate::cooldown::{InFlight, Why};
use crate::credentials::Turn;
use crate::metrics::UpstreamOutcome;
use crate::relay::Opened;
use crate::routes::{ModelRoute, TargetRoute};
use crate::settle::Exchange;
use crate::target_order::{Candidate, order};
use crate::{Gateway, caps};

/// A request to be answered by some target.
pub(crate) struct Asked<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) model: &'a ModelRoute,
    pub(crate) facts: &'a RequestFacts,
    pub(crate) body: &'a Bytes,
    /// The client's.
    pub(crate) headers: &'a HeaderMap,
}

/// What a target answered.
pub(crate) enum Answer {
    /// A whole answer.
    Whole { body: Bytes, facts: AnswerFacts },
    /// A stream and its first event.
    Stream(Box<Opened>),
    /// The provider says that the request is at fault; in words that the client may read.
    Rejected { body: Bytes },
}

/// An answer with its head.
pub(crate) struct Dispatched {
    pub(crate) status: StatusCode,
    /// The headers that the client may see.
    pub(crate) headers: HeaderMap,
    pub(crate) answer: Answer,
    /// Which of the model's targets gave it.
    pub(crate) target: usize,
    /// When its first byte was there.
    pub(crate) at: Now,
}

/// Why there is no answer. Nothing was produced.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DispatchFault {
    /// Every target is rate limited; the first opens at this moment of the steady clock.
    AllRateLimited { at_us: u64, now: Now },
    /// The model has no target at any provider that exists.
    NoTarget,
    /// No target takes requests.
    NoneTakes,
    /// The last failure: a provider was too slow.
    TimedOut { provider: String, tried: u32 },
    /// The last failure.
    Failed { provider: String, why: String, tried: u32 },
    /// The last failure: a wrong credential, or a model that isn't there.
    OperatorFault { provider: String, status: u16, tried: u32 },
}

/// Why one attempt gave no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AttemptFault {
    RateLimited { wait_ms: Option<u64>, scope: Scope },
    OperatorFault { status: u16, scope: Scope },
    TimedOut,
    Failed { why: String, wait_ms: Option<u64>, scope: Scope },
}

impl AttemptFault {
    fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), wait_ms: None, scope: Scope::Target }
    }

    /// Whether another credential may fare better there.
    const fn concerns_credential(&self) -> bool {
        match self {
            Self::RateLimited { .. } => true,
            Self::OperatorFault { scope, .. } | Self::Failed { scope, .. } => matches!(scope, Scope::Credential),
            Self::TimedOut => false,
        }
    }

    const fn outcome(&self) -> UpstreamOutcome {
        match self {
            Self::RateLimited { .. } => UpstreamOutcome::RateLimited,
            Self::OperatorFault { .. } => UpstreamOutcome::OperatorFault,
            Self::TimedOut => UpstreamOutcome::TimedOut,
            Self::Failed { .. } => UpstreamOutcome::Failed,
        }
    }
}

/// What was learned on the way.
#[derive(Default)]
struct Findings {
    tried: u32,
    /// The earliest moment at which a rate-limited target opens.
    opens_us: Option<u64>,
    /// Targets that cool down for another reason: the first to open, and when.
    cooling: Option<(u64, usize)>,
    last: Option<DispatchFault>,
}

impl Findings {
    fn rate_limited_until(&mut self, at_us: u64) {
        self.opens_us = Some(self.opens_us.map_or(at_us, |earlier| earlier.min(at_us)));
    }

    fn cooling_until(&mut self, at_us: u64, target: usize) {
        if self.cooling.is_none_or(|(earlier, _)| at_us < earlier) {
            self.cooling = Some((at_us, target));
        }
    }
}

impl Asked<'_> {
    /// Tries targets until one answers.
    pub(crate) async fn dispatch(&self, exchange: &mut Exchange) -> Result<Dispatched, DispatchFault> {
        let mut findings = Findings::default();
        let targets = &self.model.targets;
        if let [_] = targets.as_slice() {
            if let Some(answer) = self.consider(0, exchange, &mut findings).await {
                return Ok(answer);
            }
        } else {
            let places = targets.iter().enumerate();
            let candidates: Vec<_> = places.map(|(index, t)| Candidate { index, priority: t.priority, weight: t.weight }).collect();
            let random = exchange.subject().request.bits() as u64;
            for index in order(&candidates, random) {
                if let Some(answer) = self.consider(index, exchange, &mut findings).await {
                    return Ok(answer);
                }
                if findings.tried >= caps::ATTEMPTS {
                    break;
                }
            }
        }
        // Everything cools down, and not only for rate limits: waiting that long would be worse than one more try.
        if findings.tried == 0
            && let Some((_, index)) = findings.cooling
            && let Some(target) = targets.get(index)
            && let Turn::Take(place) | Turn::Refused { place, .. } = target.turn(|| self.gateway.clock.now().mono_us)
            && let Some(answer) = self.try_target(index, target, place, exchange, &mut findings).await
        {
            return Ok(answer);
        }
        Err(self.conclude(findings))
    }

    fn conclude(&self, findings: Findings) -> DispatchFault {
        match (findings.last, findings.opens_us) {
            (Some(fault), _) => fault,
            (None, Some(at_us)) => DispatchFault::AllRateLimited { at_us, now: self.gateway.clock.now() },
            (None, None) if self.model.targets.is_empty() => DispatchFault::NoTarget,
            (None, None) => DispatchFault::NoneTakes,
        }
    }

    /// Tries a target unless its state speaks against it.
    async fn consider(&self, index: usize, exchange: &mut Exchange, findings: &mut Findings) -> Option<Dispatched> {
        let target = self.model.targets.get(index).filter(|target| target.provider.is_enabled())?;
        // Cooldowns are rare, so that the clock is read only where there was one.
        match target.slot.ever_cooled().then(|| target.slot.cooling(self.gateway.clock.now().mono_us)).flatten() {
            None => {}
            Some((at_us, Why::RateLimited)) => {
                findings.rate_limited_until(at_us);
                return None;
            }
            Some((at_us, Why::Overloaded | Why::Refused)) => {
                findings.cooling_until(at_us, index);
                return None;
            }
        }
        match target.turn(|| self.gateway.clock.now().mono_us) {
            Turn::Take(credential) => self.try_target(index, target, credential, exchange, findings).await,
            Turn::RateLimited { at_us } => {
                findings.rate_limited_until(at_us);
                None
            }
            Turn::Refused { at_us, .. } => {
                findings.cooling_until(at_us, index);
                None
            }
        }
    }

    /// Tries a target with one credential after another, as long as the credential is what is at fault and there is another.
    async fn try_target(
        &self,
        index: usize,
        target: &TargetRoute,
        mut credential: usize,
        exchange: &mut Exchange,
        findings: &mut Findings,
    ) -> Option<Dispatched> {
        loop {
            if !exchange.hold_spend_at(&target.provider.provider.name) {
                return None;
            }
            let quota = self.take_from_quota(target, exchange, findings)?;
            let mark = exchange.attempt(&target.provider, quota);
            findings.tried += 1;
            let fault = match self.attempt(index, target, credential, mark).await {
                Ok(answer) => return Some(answer),
                Err(fault) => fault,
            };
            let now = self.gateway.clock.now();
            exchange.attempt_failed(now.mono_us);
            self.tell(target, credential, &fault);
            if target.has_several_credentials() && fault.concerns_credential() {
                credential = self.leave_out(target, credential, fault, findings, now)?;
            } else {
                self.learn(target, fault, findings, now);
                return None;
            }
        }
    }

    /// The provider's own quota has room: what was taken from it, if there is one. `None`: it has not.
    fn take_from_quota(&self, target: &TargetRoute, exchange: &Exchange, findings: &mut Findings) -> Option<Option<HoldGuard>> {
        let Some(quota) = &target.provider.quota else { return Some(None) };
        let (input, output) = exchange.held();
        let now = self.gateway.clock.now().mono_us;
        match quota.reserve(exchange.subject().request.bits(), input, output, now) {
            Ok(hold) => Some(Some(hold)),
            Err(refusal) => {
                if let Retry::At { at, .. } = refusal.retry {
                    findings.rate_limited_until(at);
                }
                None
            }
        }
    }

    fn tell(&self, target: &TargetRoute, credential: usize, fault: &AttemptFault) {
        target.counters.count(fault.outcome());
        let provider = target.provider.provider.name.as_str();
        let credential = target.provider.credentials.get(credential).and_then(|credential| credential.id).map(tracing::field::display);
        tracing::info!(provider, model = target.model.as_str(), credential, ?fault, "an attempt at a provider failed");
    }

    /// Leaves a credential out for a while, and gives the place of another to try with. Where there is none it is as if the target had
    /// answered so.
    fn leave_out(&self, target: &TargetRoute, place: usize, fault: AttemptFault, findings: &mut Findings, now: Now) -> Option<usize> {
        let everywhere = target.provider.credentials.get(place).map(|credential| &credential.slot);
        match &fault {
            AttemptFault::RateLimited { wait_ms, scope } => {
                let slot = if *scope == Scope::Credential { everywhere } else { target.by_credential.get(place) };
                slot?.cool(*wait_ms, Why::RateLimited, now.mono_us);
            }
            AttemptFault::OperatorFault { .. } | AttemptFault::Failed { .. } | AttemptFault::TimedOut => {
                everywhere?.cool(Some(caps::CREDENTIAL_REFUSED_MS), Why::Refused, now.mono_us);
            }
        }
        match (target.turn(|| now.mono_us), fault) {
            (Turn::Take(other), _) if findings.tried < caps::ATTEMPTS => return Some(other),
            (Turn::RateLimited { at_us }, _) => findings.rate_limited_until(at_us),
            (Turn::Take(_) | Turn::Refused { .. }, AttemptFault::RateLimited { .. }) => findings.rate_limited_until(now.mono_us + 1),
            (Turn::Take(_) | Turn::Refused { .. }, fault) => self.learn(target, fault, findings, now),
        }
        None
    }

    /// Cools the target down where that was asked for, and keeps what the client may have to be told.
    fn learn(&self, target: &TargetRoute, fault: AttemptFault, findings: &mut Findings, now: Now) {
        let (provider, tried) = (target.provider.provider.name.as_str().to_owned(), findings.tried);
        match fault {
            AttemptFault::RateLimited { wait_ms, .. } => {
                target.slot.cool(wait_ms, Why::RateLimited, now.mono_us);
                let opens = target.slot.cooling(now.mono_us).map_or(now.mono_us + 1, |(at, _)| at);
                findings.rate_limited_until(opens);
            }
            AttemptFault::OperatorFault { status, .. } => findings.last = Some(DispatchFault::OperatorFault { provider, status, tried }),
            AttemptFault::TimedOut => findings.last = Some(DispatchFault::TimedOut { provider, tried }),
            AttemptFault::Failed { why, wait_ms, .. } => {
                if wait_ms.is_some() {
                    target.slot.cool(wait_ms, Why::Overloaded, now.mono_us);
                }
                findings.last = Some(DispatchFault::Failed { provider, why, tried });
            }
        }
    }

    fn in_flight(target: &TargetRoute) -> InFlight {
        InFlight::begin(&target.slot)
    }
}
