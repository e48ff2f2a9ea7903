//! A request's hold on its organisation's limits. It ends in one way only: together with its usage record, at the recorder.

use domain::{OrgId, RequestId};
use limits::{Cover, HoldGuard, HoldId, Micros, Settlement, SharedLedger};

/// What a request has taken from the limits it asks. Dropped before its end (a panic), what is left of it is charged.
#[must_use]
#[derive(Debug)]
pub struct Hold {
    guard: HoldGuard,
    org: OrgId,
    request: RequestId,
}

/// How a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Something was produced: input and output are charged as they were.
    Settled(Settlement),
    /// Nobody knows what was produced: all that is held is charged.
    Lapsed,
    /// Rejected as the client's fault: it keeps its one request.
    TokensBack,
    /// Nobody produced anything: it costs nothing.
    AllBack,
}

impl Hold {
    pub(crate) fn new(guard: HoldGuard, org: OrgId, request: RequestId) -> Self {
        Self { guard, org, request }
    }

    /// Its name in the ledger.
    #[must_use]
    pub fn id(&self) -> HoldId {
        self.guard.id()
    }

    /// The ledger it is in.
    #[must_use]
    pub fn ledger(&self) -> &SharedLedger {
        self.guard.ledger()
    }

    /// Whose it is.
    #[must_use]
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Which request's it is.
    #[must_use]
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// The input is known exactly. Returns the debt that this made, in tokens.
    pub fn input(&mut self, exact: u64, now_us: Micros) -> u64 {
        self.guard.input(exact, now_us)
    }

    /// So many output tokens were relayed from the beginning. Returns the debt that this made, in tokens.
    pub fn charge(&mut self, total_output: u64, now_us: Micros) -> u64 {
        self.guard.charge(total_output, now_us)
    }

    /// Has at least `least` and at best `want` output tokens left before so many are relayed, as [`limits::Ledger::cover`]. What was
    /// relayed is to be charged first.
    pub fn cover(&mut self, least: u64, want: u64, now_us: Micros) -> Cover {
        self.guard.cover(least, want, now_us)
    }

    /// While it waits for room: when to look again, in microseconds of the steady clock; `None` where only others' ends can help.
    #[must_use]
    pub fn next_chance(&self, now_us: Micros) -> Option<Micros> {
        self.guard.next_chance(now_us)
    }

    /// Ends it without a record. Returns the debt that this made, in tokens.
    pub fn end(self, end: End, now_us: Micros) -> u64 {
        match end {
            End::Settled(settlement) => return self.guard.settle(settlement, now_us),
            End::Lapsed => self.guard.lapse(now_us),
            End::TokensBack => self.guard.refund_tokens(now_us),
            End::AllBack => self.guard.refund_all(now_us),
        }
        0
    }
}
