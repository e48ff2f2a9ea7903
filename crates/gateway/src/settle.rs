//! The end of every admitted request: its hold is settled and its usage recorded exactly once, on every way out. It owns
//! the hold; how a request fared is told to it.

use std::sync::Arc;

use bytes::Bytes;
use domain::{AttemptEnd, Counted, Endpoint, ModelId, Money, Now, OnExhausted, Outcome, PlanId, ProviderName, RequestId};
use domain::{TokenUsage, UsageRecord};
use limits::{Cover, Settlement};
use store::KeyEntry;
use store::pools::{End, Hold};
use tokio::task::JoinHandle;

use crate::Gateway;
use crate::attempts::{Attempts, Heard, Of, SentMark};
use crate::caps;
use crate::quota::QuotaHold;
use crate::routes::ModelRoute;
use crate::spend::{SpendRefused, SpendTicket, Spent, price};
use crate::uncounted::{Text, Ticket, is_short};

/// What a request is, as its record says it.
pub(crate) struct Subject {
    pub(crate) request: RequestId,
    pub(crate) arrived: Now,
    pub(crate) key: Arc<KeyEntry>,
    pub(crate) plan: PlanId,
    pub(crate) on_exhausted: OnExhausted,
    pub(crate) model: Arc<ModelRoute>,
    pub(crate) pool: Arc<str>,
    pub(crate) endpoint: Endpoint,
    pub(crate) stream: bool,
    /// Answers asked for at once.
    pub(crate) choices: u64,
    /// Output tokens that all of them can have.
    pub(crate) most_output: u64,
}

/// How much input an admitted request is known to have.
pub(crate) enum InputTokens {
    /// Counted.
    Exact(u64),
    /// Logged at a bound; countable while the ticket lives.
    Bound(u64, Ticket),
    /// Logged at a bound because no token limit asks.
    Unlimited(u64, Text),
}

/// A request that was let in.
pub(crate) struct Admitted {
    pub(crate) hold: Hold,
    pub(crate) input: InputTokens,
    /// Output tokens held.
    pub(crate) held: u64,
    /// How long it waited for that.
    pub(crate) waited_us: u64,
}

/// What is known of an answer's tokens.
pub(crate) struct Tally {
    /// The provider's count.
    pub(crate) usage: Option<TokenUsage>,
    /// Where there is no usage.
    pub(crate) output: OutputTokens,
}

/// How output without usage is counted.
pub(crate) enum OutputTokens {
    /// It was counted while it was relayed.
    Counted(u64),
    /// From this unstreamed answer.
    OfAnswer(Bytes),
}

/// An admitted request until it is settled. Dropped before that, it settles itself: refunded whole where no provider was
/// sent anything, else charged what it held, since nobody knows what was produced.
pub(crate) struct Exchange {
    gateway: Arc<Gateway>,
    subject: Subject,
    open: Option<Open>,
    attempts: Attempts,
    first_byte_us: u64,
    /// What was produced without room so far, in tokens.
    debt: u64,
    /// Something went to the client that isn't charged yet.
    is_behind: bool,
    waited_us: u64,
    paused_us: u64,
    spend: Option<SpendTicket>,
    /// What an attempt may have cost that was cancelled, until the record tells it.
    lost_spend: Option<SpendTicket>,
}

struct Open {
    hold: Hold,
    quota: Option<QuotaHold>,
    input: InputTokens,
    /// Output tokens that went to the client so far.
    passed: u64,
    /// Output tokens that may go to the client before more room is needed: those and what is left of the hold.
    covered: u64,
}

/// Whether output may go on to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// It may, and is charged.
    Go,
    /// There is no room for it; it waits in the queue of its limits.
    Wait,
}

struct Ended {
    outcome: Outcome,
    status: u16,
    tokens: TokenUsage,
    counted: Counted,
}

impl Exchange {
    /// Takes over what was admitted.
    pub(crate) fn new(gateway: &Arc<Gateway>, subject: Subject, admitted: Admitted) -> Self {
        gateway.metrics.open_requests.inc();
        let Admitted { hold, input, held, waited_us } = admitted;
        Self {
            gateway: Arc::clone(gateway),
            subject,
            open: Some(Open { hold, quota: None, input, passed: 0, covered: held }),
            attempts: Attempts::default(),
            first_byte_us: 0,
            debt: 0,
            is_behind: false,
            waited_us,
            paused_us: 0,
            spend: None,
            lost_spend: None,
        }
    }

    /// Takes what it may cost from the day's spend; refused, nothing goes to any provider.
    pub(crate) fn hold_spend(&mut self) -> Result<(), SpendRefused> {
        self.spend = self.gateway.spend.hold(self.subject.arrived.wall, &self.subject.plan, self.held_cost())?;
        Ok(())
    }

    /// Takes the same from the provider's ceiling, if it has room.
    pub(crate) fn hold_spend_at(&mut self, provider: &ProviderName) -> bool {
        self.spend.as_mut().is_none_or(|spend| spend.take_at(provider))
    }

    pub(crate) fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// How long it waited before it was let in.
    pub(crate) const fn waited_us(&self) -> u64 {
        self.waited_us
    }

    /// Input and output as they are held, for a provider's quota.
    pub(crate) fn held(&self) -> (u64, u64) {
        self.open.as_ref().map_or((0, 0), |open| (open.input.best_known(), open.covered))
    }

    /// An attempt at the target at this place begins; `quota` is what was taken from its quota. The mark is set by whoever sends the body.
    pub(crate) fn attempt(&mut self, target: usize, quota: Option<QuotaHold>, now_us: u64) -> SentMark {
        let heard = quota.as_ref().map(|quota| self.heard(quota));
        if let Some(open) = &mut self.open {
            open.quota = quota;
        }
        self.attempts.begin(target, heard, now_us)
    }

    fn heard(&self, quota: &QuotaHold) -> Heard {
        (quota.sending(), Arc::clone(&self.gateway.clock))
    }

    /// It was answered.
    pub(crate) const fn attempt_answered(&mut self, now_us: u64) {
        self.attempts.answered(now_us);
    }

    /// It failed and nothing was produced: its quota is given back, but for the request if the provider was sent one.
    pub(crate) fn attempt_failed(&mut self, end: AttemptEnd, status: Option<u16>, now_us: u64) {
        if let Some(quota) = self.open.as_mut().and_then(|open| open.quota.take()) {
            if self.attempts.is_sent() { quota.refund_tokens(now_us) } else { quota.refund_all(now_us) }
        }
        let Subject { model, arrived, .. } = &self.subject;
        self.attempts.failed(&Of { model, arrived_us: arrived.mono_us }, end, status, now_us);
    }

    /// Takes what it may cost at another provider a second time, if every ceiling has room: both may have to be paid.
    pub(crate) fn hold_spend_beside(&self, provider: &ProviderName) -> Result<Option<SpendTicket>, SpendRefused> {
        let Subject { arrived, plan, .. } = &self.subject;
        let (guard, amount) = (&self.gateway.spend, self.held_cost());
        if self.spend.is_none() {
            return Ok(None);
        }
        if !guard.has_room_for(plan, provider, amount) {
            return Err(SpendRefused);
        }
        let mut ticket = guard.hold(arrived.wall, plan, amount)?;
        if ticket.as_mut().is_none_or(|ticket| ticket.take_at(provider)) { Ok(ticket) } else { Err(SpendRefused) }
    }

    /// An attempt begins beside the one in progress, with what was taken for it.
    pub(crate) fn attempt_beside(&mut self, target: usize, quota: Option<QuotaHold>, spend: Option<SpendTicket>, now_us: u64) -> SentMark {
        let heard = quota.as_ref().map(|quota| self.heard(quota));
        self.attempts.begin_beside(target, heard, quota, spend, now_us)
    }

    /// The two attempts change places.
    pub(crate) fn swap_beside(&mut self) {
        if let (Some(beside), Some(open)) = (self.attempts.swap(), &mut self.open) {
            std::mem::swap(&mut beside.quota, &mut open.quota);
            std::mem::swap(&mut beside.spend, &mut self.spend);
        }
    }

    /// The attempt in progress has failed: the one beside goes on in its place.
    pub(crate) fn promote_beside(&mut self) {
        self.swap_beside();
        self.let_beside_go(AttemptEnd::Cancelled, 0);
    }

    /// The attempt beside is given up, unless it has ended. Nobody knows what it produced, so its provider's quota is charged what it held,
    /// and the day's spend what that may cost.
    pub(crate) fn let_beside_go(&mut self, end: AttemptEnd, now_us: u64) {
        let cost = self.held_cost();
        let Subject { model, arrived, .. } = &self.subject;
        let Some((beside, is_sent)) = self.attempts.take_beside(&Of { model, arrived_us: arrived.mono_us }, end, cost, now_us) else {
            return;
        };
        match beside.quota {
            Some(quota) if is_sent => quota.lapse(now_us),
            Some(quota) => quota.refund_all(now_us),
            None => {}
        }
        if is_sent {
            self.lost_spend = beside.spend;
        }
    }

    /// What it costs if all that is held comes.
    fn held_cost(&self) -> Money {
        let (input, output) = self.held();
        price(&self.subject.model.model, input, output)
    }

    /// Whether an attempt has failed.
    pub(crate) fn has_failed_attempts(&self) -> bool {
        self.attempts.has_failed()
    }

    /// The first byte of the answer is on its way to the client.
    pub(crate) fn first_byte(&mut self, now: Now) {
        self.first_byte_us = now.mono_us.saturating_sub(self.subject.arrived.mono_us);
        if let Some(quota) = self.open.as_ref().and_then(|open| open.quota.as_ref()) {
            quota.arrived(now.mono_us);
        }
    }

    /// Output tokens that went to the client so far.
    pub(crate) fn passed(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.passed)
    }

    /// Output tokens that may go to the client before more room is needed.
    pub(crate) fn covered(&self) -> u64 {
        self.open.as_ref().map_or(u64::MAX, |open| open.covered)
    }

    /// Output tokens that may go to the client beyond those that did.
    pub(crate) fn room(&self) -> u64 {
        match self.subject.on_exhausted {
            OnExhausted::Pace | OnExhausted::Cut => self.open.as_ref().map_or(u64::MAX, |open| open.covered - open.passed),
            OnExhausted::Overdraft => u64::MAX,
        }
    }

    /// `total` output tokens are to have gone to the client, if there is room for them, or if the plan lets them pass without. What
    /// passes is charged at rest.
    pub(crate) fn pass(&mut self, total: u64, now_us: u64) -> Pass {
        let Some(open) = &mut self.open else { return Pass::Go };
        let needs_room = match self.subject.on_exhausted {
            OnExhausted::Pace | OnExhausted::Cut => total > open.covered,
            OnExhausted::Overdraft => false,
        };
        if needs_room && !open.cover(total, self.subject.most_output, now_us) {
            return Pass::Wait;
        }
        if needs_room && let Some(spend) = &mut self.spend {
            spend.grow(price(&self.subject.model.model, open.input.best_known(), open.covered));
        }
        if total > open.passed {
            open.passed = total;
            open.covered = open.covered.max(total);
            open.hold.relay(total);
            self.is_behind = true;
        }
        Pass::Go
    }

    /// Nothing more passes for now: what did is charged. The disk may have kept what asked for room, so this is the last thing that is
    /// done before it is written to the client: it counts until a window after that.
    pub(crate) fn rest(&mut self) {
        if !std::mem::take(&mut self.is_behind) {
            return;
        }
        let now_us = self.gateway.clock.now().mono_us;
        let Some(open) = &mut self.open else { return };
        let debt = open.hold.charge_relayed(now_us);
        self.debt += debt;
        self.gateway.count_debt(debt);
    }

    /// When output that waits for room may be looked at again, in microseconds of the steady clock; `None` where nobody can tell.
    pub(crate) fn next_chance(&self, now_us: u64) -> Option<u64> {
        self.open.as_ref().and_then(|open| open.hold.next_chance(now_us))
    }

    /// The answer stood still for so long.
    pub(crate) fn paused(&mut self, us: u64) {
        self.paused_us += us;
        self.gateway.metrics.pauses.observe(us);
    }

    /// The provider has told the input: what was logged too much goes back before the output asks for room.
    pub(crate) fn input_is(&mut self, exact: u64, now_us: u64) {
        if let Some(open) = &mut self.open {
            let debt = open.hold.input(exact, now_us);
            open.input = InputTokens::Exact(exact);
            self.debt += debt;
            self.gateway.count_debt(debt);
        }
    }

    /// Input and output so far, for a client that is told what it was.
    pub(crate) fn usage_so_far(&self, now_us: u64) -> TokenUsage {
        let input = self.open.as_ref().map_or(0, |open| open.input.exact(now_us));
        TokenUsage { input, output: self.passed(), cached: 0, reasoning: 0 }
    }

    /// Counts the input exactly and gives back what was logged too much.
    pub(crate) async fn know_input(&mut self) {
        let now = self.gateway.clock.now().mono_us;
        let Some(open) = &mut self.open else { return };
        let exact = match &open.input {
            InputTokens::Exact(_) => None,
            InputTokens::Bound(_, ticket) => self.gateway.uncounted.count_kept(Arc::clone(&ticket.input), now).await,
            InputTokens::Unlimited(_, text) => Some(self.gateway.uncounted.count(text).await),
        };
        if let Some(exact) = exact {
            open.hold.input(exact, now);
            open.input = InputTokens::Exact(exact);
        }
    }

    /// An answer, whole or in part: charges what the provider says, else what was counted. Where something long must be counted
    /// first it ends elsewhere, whoever leaves meanwhile; then what is returned tells when it has.
    pub(crate) fn answered(mut self, outcome: Outcome, status: u16, tally: Tally) -> Option<JoinHandle<()>> {
        let is_at_hand = |open: &Open| open.input.is_at_hand() && tally.output.is_at_hand();
        if tally.usage.is_some() || self.open.as_ref().is_none_or(is_at_hand) {
            let output = if tally.usage.is_some() { 0 } else { tally.output.count(&self.subject) };
            self.end_answered(outcome, status, tally.usage, output);
            return None;
        }
        let tasks = self.gateway.tasks.clone();
        Some(tasks.spawn(async move {
            self.know_input().await;
            let output = match tally.output {
                OutputTokens::Counted(n) => n,
                OutputTokens::OfAnswer(body) => self.count_output(body).await,
            };
            self.end_answered(outcome, status, None, output);
        }))
    }

    /// Counts an unstreamed answer.
    pub(crate) async fn count_output(&self, body: Bytes) -> u64 {
        let (endpoint, tokenizer, bytes) = (self.subject.endpoint, self.subject.model.model.tokenizer, body.len());
        let count = move || providers::count_output(endpoint, &body, tokenizer);
        self.gateway.uncounted.off_the_runtime(bytes, count).await.unwrap_or(0)
    }

    fn end_answered(&mut self, outcome: Outcome, status: u16, usage: Option<TokenUsage>, output: u64) {
        let Some(open) = self.open.take() else { return };
        let now = self.gateway.clock.now();
        let (tokens, counted) = match usage {
            Some(usage) => (usage, Counted::Provider),
            None => (TokenUsage { input: open.input.exact(now.mono_us), output, cached: 0, reasoning: 0 }, Counted::Tidegate),
        };
        let settlement = Settlement { input: Some(tokens.input), output: tokens.output };
        if let Some(quota) = open.quota {
            quota.settle(settlement, now.mono_us);
        }
        if outcome == Outcome::Answered && self.subject.endpoint != Endpoint::Embeddings {
            self.subject.key.org().note_output(&self.subject.model.model.id, tokens.output.div_ceil(self.subject.choices.max(1)));
        }
        self.finish(open.hold, End::Settled(settlement), &Ended { outcome, status, tokens, counted }, now);
    }

    /// A provider rejected the request as the client's fault: it keeps its one request.
    pub(crate) fn rejected(mut self, status: u16) {
        let Some(open) = self.open.take() else { return };
        let now = self.gateway.clock.now();
        if let Some(quota) = open.quota {
            quota.refund_tokens(now.mono_us);
        }
        let ended = Ended { outcome: Outcome::Rejected, status, tokens: TokenUsage::default(), counted: Counted::Provider };
        self.finish(open.hold, End::TokensBack, &ended, now);
    }

    /// Nobody produced anything: it cost nothing.
    pub(crate) fn nothing(mut self, status: u16) {
        self.end_without_answer(status);
    }

    fn end_without_answer(&mut self, status: u16) {
        let Some(open) = self.open.take() else { return };
        let now = self.gateway.clock.now();
        if let Some(quota) = open.quota {
            quota.refund_all(now.mono_us);
        }
        let ended = Ended { outcome: Outcome::Failed, status, tokens: TokenUsage::default(), counted: Counted::Tidegate };
        self.finish(open.hold, End::AllBack, &ended, now);
    }

    /// The client left while a provider worked: what was held is charged.
    fn lapse(&mut self) {
        let Some(open) = self.open.take() else { return };
        let now = self.gateway.clock.now();
        let tokens = TokenUsage { input: open.input.best_known(), output: open.covered, cached: 0, reasoning: 0 };
        if let Some(quota) = open.quota {
            quota.lapse(now.mono_us);
        }
        let ended = Ended { outcome: Outcome::Failed, status: CLIENT_GONE, tokens, counted: Counted::Estimate };
        self.finish(open.hold, End::Lapsed, &ended, now);
    }

    /// Ends the hold and writes the request down, as one step.
    fn finish(&mut self, hold: Hold, end: End, ended: &Ended, now: Now) {
        self.gateway.metrics.open_requests.dec();
        let record = self.record(ended, now);
        let cost = record.cost;
        let lost = record.attempt_list.iter().find(|attempt| !attempt.cost.is_zero());
        let lost = lost.map(|attempt| (attempt.provider.clone(), attempt.cost));
        let debt = self.gateway.recorder().finish(hold, end, now.mono_us, record);
        self.gateway.count_debt(debt);
        let Subject { arrived, plan, model, .. } = &self.subject;
        let provider = self.attempts.provider(model);
        self.gateway.spend.settle(self.spend.take(), &Spent { arrived: arrived.wall, plan, provider, cost });
        if let Some((provider, cost)) = lost {
            self.gateway.spend.settle(self.lost_spend.take(), &Spent { arrived: arrived.wall, plan, provider: Some(&provider), cost });
        }
    }

    fn record(&mut self, ended: &Ended, now: Now) -> UsageRecord {
        let Subject { request, arrived, key, plan, model, pool, endpoint, stream, .. } = &self.subject;
        let attempt_list = self.attempts.told(&Of { model, arrived_us: arrived.mono_us }, ended.outcome, now.mono_us);
        let provider = self.attempts.provider(model).cloned();
        let model = &model.model;
        let cost = price(model, ended.tokens.input, ended.tokens.output);
        UsageRecord {
            request: *request,
            at: arrived.wall,
            org: key.org().id(),
            key: key.id(),
            plan: plan.clone(),
            model: ModelId::clone(&model.id),
            category: model.size_category(),
            pool: Arc::clone(pool),
            provider,
            endpoint: *endpoint,
            stream: *stream,
            status: ended.status,
            outcome: ended.outcome,
            tokens: ended.tokens,
            counted: ended.counted,
            cost,
            attempts: self.attempts.made(),
            first_byte_us: self.first_byte_us,
            duration_us: now.mono_us.saturating_sub(arrived.mono_us),
            waited_us: self.waited_us,
            paused_us: self.paused_us,
            debt: self.debt,
            attempt_list,
        }
    }
}

impl Open {
    /// Has room for output up to `total`, and a little more unless that is more than `most`. Where `total` is more than a limit ever lets through, it is charged in
    /// slices as they come.
    fn cover(&mut self, total: u64, most: u64, now_us: u64) -> bool {
        while total > self.covered {
            let least = total - self.passed;
            let want = least.saturating_add(caps::LOOKAHEAD_TOKENS).min(most.saturating_sub(self.passed)).max(least);
            match self.hold.cover(least, want, now_us) {
                Cover::Waiting => return false,
                Cover::Covered(0) => return true,
                Cover::Covered(left) => self.covered = self.passed + left,
            }
            if total > self.covered {
                self.hold.charge(self.covered, now_us);
                self.passed = self.covered;
            }
        }
        true
    }
}

/// The status of a request whose client left before it got one.
pub(crate) const CLIENT_GONE: u16 = 499;

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.open.is_none() {
            return;
        }
        let was_sent = self.attempts.is_sent() || self.attempts.is_beside_sent();
        if !self.attempts.is_sent() {
            self.swap_beside();
        }
        self.let_beside_go(AttemptEnd::ClientGone, self.gateway.clock.now().mono_us);
        if was_sent { self.lapse() } else { self.end_without_answer(CLIENT_GONE) }
    }
}

impl InputTokens {
    /// What was taken from the pools for it.
    pub(crate) fn reserved(&self) -> u64 {
        match self {
            Self::Exact(n) | Self::Unlimited(n, _) | Self::Bound(n, _) => *n,
        }
    }

    /// The count if there is one, else the bound.
    fn best_known(&self) -> u64 {
        match self {
            Self::Exact(n) | Self::Unlimited(n, _) => *n,
            Self::Bound(n, ticket) => ticket.input.exact().unwrap_or(*n),
        }
    }

    fn is_at_hand(&self) -> bool {
        match self {
            Self::Exact(_) => true,
            Self::Bound(_, ticket) => ticket.input.exact().is_some() || is_short(ticket.input.text.body.len()),
            Self::Unlimited(_, text) => is_short(text.body.len()),
        }
    }

    /// The count, made now where there is none. Long texts are left at their bound: whoever has the time counts them before.
    fn exact(&self, now_us: u64) -> u64 {
        match self {
            Self::Bound(_, ticket) if self.is_at_hand() => ticket.input.count(now_us),
            Self::Unlimited(_, text) if self.is_at_hand() => providers::count_input(text.endpoint, &text.body, text.tokenizer),
            Self::Exact(_) | Self::Bound(..) | Self::Unlimited(..) => self.best_known(),
        }
    }
}

impl OutputTokens {
    fn is_at_hand(&self) -> bool {
        match self {
            Self::Counted(_) => true,
            Self::OfAnswer(body) => is_short(body.len()),
        }
    }

    fn count(&self, subject: &Subject) -> u64 {
        match self {
            Self::Counted(n) => *n,
            Self::OfAnswer(body) => providers::count_output(subject.endpoint, body, subject.model.model.tokenizer),
        }
    }
}
