//! The attempts of one request: what is told of those that ended, and the one in progress. It sends nothing and settles no hold.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use domain::{AttemptEnd, AttemptRecord, Clock, Money, Outcome, ProviderName};

use crate::quota::{QuotaHold, Sending};
use crate::routes::ModelRoute;
use crate::spend::SpendTicket;

/// The attempts of one request so far. As long as one suffices nothing is allocated for what is told of it.
#[derive(Default)]
pub(crate) struct Attempts {
    made: u32,
    current: Attempt,
    /// The one that is made beside it.
    beside: Option<Box<Beside>>,
    ended: Vec<AttemptRecord>,
}

/// A second attempt at the same time, with what was taken for it.
pub(crate) struct Beside {
    attempt: Attempt,
    pub(crate) quota: Option<QuotaHold>,
    pub(crate) spend: Option<SpendTicket>,
}

/// One attempt at a target.
#[derive(Default)]
struct Attempt {
    /// Counted from 1; 0: there is none.
    number: u32,
    /// The target's place among the model's.
    target: usize,
    begun_us: u64,
    answered_us: Option<u64>,
    /// The attempt's number, once a connection has taken its body.
    sent: Arc<AtomicU32>,
}

impl Attempts {
    /// How many there were.
    pub(crate) const fn made(&self) -> u32 {
        self.made
    }

    /// One begins at the target at this place.
    pub(crate) fn begin(&mut self, target: usize, sending: Option<Heard>, now_us: u64) -> SentMark {
        self.made += 1;
        let current = &mut self.current;
        (current.number, current.target, current.begun_us, current.answered_us) = (self.made, target, now_us, None);
        SentMark { sent: Arc::clone(&current.sent), attempt: self.made, sending }
    }

    /// One begins at the target at this place, beside the one in progress.
    pub(crate) fn begin_beside(
        &mut self,
        target: usize,
        sending: Option<Heard>,
        quota: Option<QuotaHold>,
        spend: Option<SpendTicket>,
        now_us: u64,
    ) -> SentMark {
        self.made += 1;
        let attempt = Attempt { number: self.made, target, begun_us: now_us, ..Attempt::default() };
        let mark = SentMark { sent: Arc::clone(&attempt.sent), attempt: self.made, sending };
        self.beside = Some(Box::new(Beside { attempt, quota, spend }));
        mark
    }

    /// The two change places. What was taken for the one that is beside from now on is to be put there.
    pub(crate) fn swap(&mut self) -> Option<&mut Beside> {
        let beside = self.beside.as_deref_mut()?;
        std::mem::swap(&mut self.current, &mut beside.attempt);
        Some(beside)
    }

    /// The one beside is no more; where it had not ended, it ends so, and may have cost so much if a provider was sent it. Tells whether it was.
    pub(crate) fn take_beside(&mut self, of: &Of<'_>, end: AttemptEnd, cost: Money, now_us: u64) -> Option<(Box<Beside>, bool)> {
        let beside = self.beside.take()?;
        let is_sent = beside.attempt.is_sent();
        let record = beside.attempt.record(of, end, None, now_us);
        self.ended.extend(record.map(|record| AttemptRecord { cost: if is_sent { cost } else { Money(0) }, ..record }));
        Some((beside, is_sent))
    }

    /// Whether a provider may be working on the one beside.
    pub(crate) fn is_beside_sent(&self) -> bool {
        self.beside.as_ref().is_some_and(|beside| beside.attempt.is_sent())
    }

    /// Whether a provider may be working, or have worked, on the one in progress.
    pub(crate) fn is_sent(&self) -> bool {
        self.current.is_sent()
    }

    /// It was answered. What comes of the answer is told at the end.
    pub(crate) const fn answered(&mut self, now_us: u64) {
        self.current.answered_us = Some(now_us);
    }

    /// It gave no answer.
    pub(crate) fn failed(&mut self, of: &Of<'_>, end: AttemptEnd, status: Option<u16>, now_us: u64) {
        self.ended.extend(self.current.record(of, end, status, now_us));
        self.current.end();
    }

    /// The provider that answered, or was tried last.
    pub(crate) fn provider<'a>(&self, model: &'a ModelRoute) -> Option<&'a ProviderName> {
        model.targets.get(self.current.target).filter(|_| self.made > 0).map(|target| &target.provider.provider.name)
    }

    /// Whether some have failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.ended.iter().any(|attempt| matches!(attempt.end, AttemptEnd::Failed(_)))
    }

    /// What the request's record tells of them: nothing where the one that was made says no more than the record does.
    pub(crate) fn told(&mut self, of: &Of<'_>, outcome: Outcome, now_us: u64) -> Vec<AttemptRecord> {
        let (end, ended_us) = match outcome {
            Outcome::Answered | Outcome::Cut | Outcome::ClientGone => (AttemptEnd::Answered, self.current.answered_us),
            Outcome::Rejected => (AttemptEnd::Rejected, self.current.answered_us),
            Outcome::Broken => (AttemptEnd::Broken, None),
            Outcome::Failed => (AttemptEnd::ClientGone, None),
        };
        if !self.ended.is_empty() || end == AttemptEnd::Broken {
            self.ended.extend(self.current.record(of, end, None, ended_us.unwrap_or(now_us)));
        }
        std::mem::take(&mut self.ended)
    }
}

/// Whose attempts they are.
pub(crate) struct Of<'a> {
    pub(crate) model: &'a ModelRoute,
    pub(crate) arrived_us: u64,
}

impl Attempt {
    fn is_sent(&self) -> bool {
        self.number > 0 && self.sent.load(Relaxed) == self.number
    }

    fn end(&mut self) {
        self.sent.store(0, Relaxed);
        self.number = 0;
    }

    fn record(&self, of: &Of<'_>, end: AttemptEnd, status: Option<u16>, now_us: u64) -> Option<AttemptRecord> {
        let target = of.model.targets.get(self.target).filter(|_| self.number > 0)?;
        Some(AttemptRecord {
            provider: target.provider.provider.name.clone(),
            model: target.model.clone(),
            end,
            status,
            begun_us: self.begun_us.saturating_sub(of.arrived_us),
            lasted_us: now_us.saturating_sub(self.begun_us),
            cost: Money(0),
        })
    }
}

/// Where there is a quota: what it hears when a request is sent, and from which clock.
pub(crate) type Heard = (Sending, Arc<dyn Clock>);

/// Set when a connection takes a request's body: from then on a provider may be working.
#[derive(Clone)]
pub(crate) struct SentMark {
    sent: Arc<AtomicU32>,
    attempt: u32,
    sending: Option<Heard>,
}

impl SentMark {
    pub(crate) fn set(&self) {
        self.sent.store(self.attempt, Relaxed);
        if let Some((sending, clock)) = &self.sending {
            sending.begins(clock.now().mono_us);
        }
    }
}

impl fmt::Debug for SentMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentMark").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
