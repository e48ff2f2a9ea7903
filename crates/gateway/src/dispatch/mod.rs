//! Fifth stop: finds a target that answers. Each is tried at most once, two at a time at most, under the one hold of the request, and
//! only until something was produced. What a stream's further events say is the relay's matter.

mod attempt;
mod demo;
mod findings;
mod headers;
mod hedge;
mod learn;

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use domain::{AttemptEnd, Features, Now, Trouble, Why};
use http::{HeaderMap, StatusCode};
use providers::{AnswerFacts, RequestFacts, Scope};

use crate::Gateway;
use crate::caps;
use crate::health::InFlight;
use crate::metrics::UpstreamOutcome;
use crate::quota::{NoRoom, QuotaHold};
use crate::relay::Opened;
use crate::routes::{ModelRoute, TargetRoute};
use crate::routing::{Entry, Needs, Skip, consider};
use crate::settle::Exchange;
use findings::Findings;
use hedge::{Leg, Raced};

/// A request to be answered by some target.
pub(crate) struct Asked<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) model: &'a ModelRoute,
    pub(crate) facts: &'a RequestFacts,
    pub(crate) body: &'a Bytes,
    /// The client's.
    pub(crate) headers: &'a HeaderMap,
    /// When it was let in.
    pub(crate) begun_us: u64,
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
    /// No target takes requests; the first that is left alone for a while opens at this moment of the steady clock.
    NoneTakes { opens: Option<(u64, Now)> },
    /// Each target lacks something that the request needs.
    Unfit { lacking: Features },
    /// The last failure: a provider was too slow.
    TimedOut { provider: String, tried: u32 },
    /// The last failure.
    Failed { provider: String, why: String, tried: u32 },
    /// The last failure: a wrong credential, or a model that isn't there.
    OperatorFault { provider: String, status: u16, tried: u32 },
}

/// Why one attempt gave no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AttemptFault {
    trouble: Trouble,
    /// Whom it concerns.
    scope: Scope,
    /// What the provider asked for.
    wait_ms: Option<u64>,
    /// Its answer's, if that was no success.
    status: Option<u16>,
    /// For the client.
    why: Cow<'static, str>,
}

impl AttemptFault {
    fn failed(why: impl Into<Cow<'static, str>>) -> Self {
        Self { trouble: Trouble::Failed, scope: Scope::Target, wait_ms: None, status: None, why: why.into() }
    }

    const fn timed_out() -> Self {
        let why = Cow::Borrowed("it took too long");
        Self { trouble: Trouble::TimedOut, scope: Scope::Target, wait_ms: None, status: None, why }
    }

    /// Whether another credential may fare better there.
    const fn concerns_credential(&self) -> bool {
        matches!(self.trouble, Trouble::RateLimited) || matches!(self.scope, Scope::Credential)
    }

    const fn outcome(&self) -> UpstreamOutcome {
        match self.trouble {
            Trouble::RateLimited => UpstreamOutcome::RateLimited,
            Trouble::TimedOut => UpstreamOutcome::TimedOut,
            Trouble::Credential | Trouble::Billing | Trouble::Missing => UpstreamOutcome::OperatorFault,
            Trouble::Overloaded | Trouble::Failed => UpstreamOutcome::Failed,
        }
    }
}

/// Where a request stands on its way from target to target.
struct Way {
    findings: Findings,
    needs: Needs,
    /// Output that was asked for, in tokens.
    output: u64,
    is_counted: bool,
    /// The time as it was last read.
    now_us: u64,
    /// Whether an attempt that takes long may still get another beside it: once a request.
    may_hedge: bool,
    /// The target that was tried beside another, and is not tried again.
    hedged: Option<usize>,
}

impl Way {
    /// Has the input counted, which was known at its bound only.
    async fn count_input(&mut self, exchange: &mut Exchange) {
        Box::pin(exchange.know_input()).await;
        self.is_counted = true;
        self.needs.tokens = exchange.held().0.saturating_add(self.output);
    }
}

impl<'r> Asked<'r> {
    /// Tries targets until one answers.
    pub(crate) async fn dispatch(&self, exchange: &mut Exchange) -> Result<Dispatched, DispatchFault> {
        let output = self.facts.max_output.unwrap_or(0);
        let needs = Needs { features: self.facts.features, tokens: exchange.held().0.saturating_add(output) };
        let mut way =
            Way { findings: Findings::default(), needs, output, is_counted: false, now_us: self.begun_us, may_hedge: true, hedged: None };
        let model: &'r ModelRoute = self.model;
        if let [target] = model.targets.as_slice() {
            if let Some(answer) = self.go_to(0, target, exchange, &mut way).await {
                return Ok(answer);
            }
        } else {
            for index in model.order(exchange.subject().request.bits() as u64) {
                if let Some(target) = model.targets.get(index)
                    && way.hedged != Some(index)
                    && self.may_try(&way)
                    && let Some(answer) = self.go_to(index, target, exchange, &mut way).await
                {
                    return Ok(answer);
                }
            }
        }
        if way.findings.has_last_resorts()
            && let Some(answer) = Box::pin(self.last_resort(exchange, &mut way)).await
        {
            return Ok(answer);
        }
        Err(way.findings.conclude(!self.model.targets.is_empty(), || self.gateway.clock.now()))
    }

    /// Whether attempts and time are left.
    fn may_try(&self, way: &Way) -> bool {
        way.findings.tried < caps::ATTEMPTS && !self.left(way).is_zero()
    }

    /// Time left for all attempts together.
    fn left(&self, way: &Way) -> Duration {
        self.model.timeout.saturating_sub(Duration::from_micros(way.now_us.saturating_sub(self.begun_us)))
    }

    /// Tries a target unless something speaks against it.
    async fn go_to(&self, index: usize, target: &'r TargetRoute, exchange: &mut Exchange, way: &mut Way) -> Option<Dispatched> {
        let entered = loop {
            match self.enter(target, exchange, way) {
                // The bound said so; the count may not.
                Err(Skip::TooLong { .. } | Skip::NoRoom(NoRoom { lacks_tokens: true, .. })) if !way.is_counted => {
                    way.count_input(exchange).await;
                }
                entered => break entered,
            }
        };
        match entered {
            Ok(entered) => self.try_target(index, target, entered, exchange, way).await,
            Err(skip) => {
                way.findings.passed_over(index, skip);
                None
            }
        }
    }

    fn enter<'a>(&self, target: &'a TargetRoute, exchange: &mut Exchange, way: &Way) -> Result<(Entry<'a>, Option<QuotaHold>), Skip> {
        let clock = || self.gateway.clock.now().mono_us;
        consider(target, &way.needs, clock, |open| {
            hold_spend(target, exchange)?;
            let entry = Entry::begin(target, open, way.now_us, clock)?;
            Ok((entry, self.take_from_quota(target, exchange.subject().request.bits(), exchange)?))
        })
    }

    /// Takes from the target's ceiling and quota, whatever else speaks against it.
    fn take(&self, target: &TargetRoute, exchange: &mut Exchange) -> Result<Option<QuotaHold>, Skip> {
        hold_spend(target, exchange)?;
        self.take_from_quota(target, exchange.subject().request.bits(), exchange)
    }

    /// None answered: those that were left alone, and not for their rate, are tried after all. Refusing the request would be worse.
    async fn last_resort(&self, exchange: &mut Exchange, way: &mut Way) -> Option<Dispatched> {
        way.may_hedge = false;
        let model: &'r ModelRoute = self.model;
        for index in way.findings.last_resorts() {
            let target = model.targets.get(index).filter(|_| self.may_try(way))?;
            let now_us = self.gateway.clock.now().mono_us;
            let Some(entry) = Entry::begin_as_last_resort(target, now_us) else { continue };
            let mut taken = self.take(target, exchange);
            if matches!(taken, Err(Skip::NoRoom(NoRoom { lacks_tokens: true, .. }))) && !way.is_counted {
                way.count_input(exchange).await;
                taken = self.take(target, exchange);
            }
            match taken {
                Ok(quota) => {
                    if let Some(answer) = self.try_target(index, target, (entry, quota), exchange, way).await {
                        return Some(answer);
                    }
                }
                Err(skip) => way.findings.passed_over(index, skip),
            }
        }
        None
    }

    /// Tries a target with one credential after another, as long as the credential is what is at fault and there is another.
    async fn try_target(
        &self,
        index: usize,
        target: &'r TargetRoute,
        (mut entry, mut quota): (Entry<'r>, Option<QuotaHold>),
        exchange: &mut Exchange,
        way: &mut Way,
    ) -> Option<Dispatched> {
        let others = way.findings.tried + caps::CREDENTIAL_ATTEMPTS;
        loop {
            let mark = exchange.attempt(index, quota, way.now_us);
            way.findings.tried += 1;
            let raced = match self.model.hedge_after.filter(|_| way.may_hedge) {
                None => {
                    let came = self.attempt(index, target, entry.place, mark, self.left(way), None).await;
                    Raced::First(Leg::begun(index, target, entry, way), came)
                }
                Some(after) => {
                    let leg = Leg::begun(index, target, entry, way);
                    Box::pin(self.attempt_hedged(after, leg, mark, exchange, way)).await
                }
            };
            let fault = match raced {
                Raced::First(leg, Ok(answer)) => {
                    self.answered(&answer, leg.entry, exchange);
                    return Some(answer);
                }
                Raced::Second(answer) => return Some(answer),
                Raced::First(leg, Err(fault)) => {
                    self.failed(leg, &fault, exchange, way);
                    fault
                }
                Raced::Neither(fault) => fault?,
            };
            let has_others = target.has_several_credentials() && fault.concerns_credential();
            if !has_others || way.findings.tried >= others || !self.may_try(way) {
                self.conclude_target(target, fault, way);
                return None;
            }
            match self.enter(target, exchange, way) {
                Ok(another) => (entry, quota) = another,
                // As if the target had answered so.
                Err(skip) => {
                    let is_prospect = matches!(skip, Skip::Resting { why: Why::Cooling(Trouble::RateLimited), .. } | Skip::NoRoom(_));
                    if is_prospect {
                        way.findings.passed_over(index, skip)
                    } else {
                        self.conclude_target(target, fault, way)
                    }
                    return None;
                }
            }
        }
    }

    fn answered(&self, answer: &Dispatched, entry: Entry<'_>, exchange: &mut Exchange) {
        exchange.attempt_answered(answer.at.mono_us);
        match answer.answer {
            Answer::Whole { .. } | Answer::Stream(_) => {
                entry.answered(answer.at.mono_us);
                if exchange.has_failed_attempts() {
                    self.gateway.metrics.recovered.inc();
                }
            }
            Answer::Rejected { .. } => {}
        }
    }

    /// What is taken from the quotas of the provider and the target, if there are any.
    /// Under `number`, which no other attempt that is under way has.
    fn take_from_quota(&self, target: &TargetRoute, number: u128, exchange: &Exchange) -> Result<Option<QuotaHold>, Skip> {
        let Some(quota) = &target.quota else { return Ok(None) };
        let (input, held) = exchange.held();
        // A provider may produce all that it can, whatever answers have needed so far.
        let output = target.provider.provider.quota_hold.of(held, exchange.subject().most_output);
        let now_us = self.gateway.clock.now().mono_us;
        quota.reserve(number, input, output, now_us).map(Some).map_err(Skip::NoRoom)
    }

    /// Tells how the attempt went, and writes it down.
    fn failed(&self, leg: Leg<'_>, fault: &AttemptFault, exchange: &mut Exchange, way: &mut Way) {
        let Leg { target, entry, number, begun_us, .. } = leg;
        let now = self.gateway.clock.now();
        way.now_us = now.mono_us;
        exchange.attempt_failed(AttemptEnd::Failed(fault.trouble), fault.status, now.mono_us);
        target.counters.count(fault.outcome());
        let request = exchange.subject().request;
        let provider = target.provider.provider.name.as_str();
        let credential = target.provider.credentials.get(entry.place).and_then(|credential| credential.id).map(tracing::field::display);
        let ms = now.mono_us.saturating_sub(begun_us) / 1_000;
        tracing::info!(
            %request, attempt = number, provider, model = target.model.as_str(), credential, trouble = fault.trouble.as_str(),
            status = fault.status, ms, "an attempt at a provider failed: {}", fault.why
        );
        let random = (request.bits() as u64).wrapping_mul(u64::from(number) | 1);
        entry.failed(fault.trouble, fault.scope, fault.wait_ms, now.mono_us, random);
    }

    /// Keeps what the client may have to be told.
    fn conclude_target(&self, target: &TargetRoute, fault: AttemptFault, way: &mut Way) {
        let (provider, tried) = (target.provider.provider.name.as_str().to_owned(), way.findings.tried);
        match (fault.trouble, fault.status) {
            (Trouble::RateLimited, _) => way.findings.rate_limited_until(target.opens_us(way.now_us)),
            (Trouble::TimedOut, _) => way.findings.last = Some(DispatchFault::TimedOut { provider, tried }),
            (Trouble::Credential | Trouble::Billing | Trouble::Missing, Some(status)) => {
                way.findings.last = Some(DispatchFault::OperatorFault { provider, status, tried });
            }
            (Trouble::Overloaded | Trouble::Failed | Trouble::Credential | Trouble::Billing | Trouble::Missing, _) => {
                way.findings.last = Some(DispatchFault::Failed { provider, why: fault.why.into_owned(), tried });
            }
        }
    }

    fn in_flight(target: &TargetRoute) -> InFlight {
        InFlight::begin(&target.slot)
    }
}

/// Takes the request's price from its provider's ceiling, once nothing else speaks against the target: a refusal is an alarm.
fn hold_spend(target: &TargetRoute, exchange: &mut Exchange) -> Result<(), Skip> {
    if exchange.hold_spend_at(&target.provider.provider.name) { Ok(()) } else { Err(Skip::Spent) }
}
