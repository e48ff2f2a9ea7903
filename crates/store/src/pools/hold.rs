//! A request's hold on its organisation's limits. It ends in one way only: together with its usage record, at the recorder.

use domain::{OrgId, RequestId};
use limits::{Cover, HoldGuard, HoldId, Micros, Settlement, SharedLedger};

use crate::journal::Entry;

/// What a request has taken from the limits it asks. Dropped before its end (a panic), what is left of it is charged.
#[must_use]
#[derive(Debug)]
pub struct Hold {
    guard: HoldGuard,
    /// What it has taken from the pool that organisations share.
    common: Option<Box<HoldGuard>>,
    org: OrgId,
    request: RequestId,
    /// Output tokens relayed so far.
    output: u64,
    /// Those of them that were charged.
    charged: u64,
    /// Its place in the journal, once its grant is written there.
    entry: Option<Entry>,
}

/// How a hold ends.
pub use limits::Ending as End;

impl Hold {
    pub(crate) fn new(guard: HoldGuard, common: Option<HoldGuard>, org: OrgId, request: RequestId) -> Self {
        Self { guard, common: common.map(Box::new), org, request, output: 0, charged: 0, entry: None }
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
        let mut debt = self.guard.input(exact, now_us);
        if let Some(common) = &mut self.common {
            debt = debt.max(common.input(exact, now_us));
        }
        if let Some(entry) = &self.entry {
            entry.input(exact, now_us);
        }
        debt
    }

    /// So many output tokens are being relayed, from the beginning, which it covers. Until they are charged they stay held.
    pub fn relay(&mut self, total_output: u64) {
        self.output = self.output.max(total_output);
        if let Some(entry) = &self.entry {
            entry.charge(self.output);
        }
    }

    /// So many output tokens were relayed from the beginning. Returns the debt that this made, in tokens.
    pub fn charge(&mut self, total_output: u64, now_us: Micros) -> u64 {
        self.relay(total_output);
        self.charge_relayed(now_us)
    }

    /// Charges what was relayed and isn't charged yet. Returns the debt that this made, in tokens: none of what was covered.
    pub fn charge_relayed(&mut self, now_us: Micros) -> u64 {
        if self.charged >= self.output {
            return 0;
        }
        self.charged = self.output;
        let debt = self.guard.charge(self.output, now_us);
        self.common.as_mut().map_or(debt, |common| debt.max(common.charge(self.output, now_us)))
    }

    /// Has at least `least` and at best `want` output tokens left beyond those relayed, as [`limits::Ledger::cover_beyond`]. What is
    /// covered is in the journal when this returns.
    pub fn cover(&mut self, least: u64, want: u64, now_us: Micros) -> Cover {
        let mut cover = self.guard.cover_beyond(self.output, least, want, now_us);
        if let Some(common) = &mut self.common {
            cover = match cover {
                // Whoever waits for its organisation's limits keeps nobody from the common ones, so no two can wait for each other.
                Cover::Waiting => {
                    common.stand_back(self.output, now_us);
                    Cover::Waiting
                }
                Cover::Covered(own) => match common.cover_beyond(self.output, least, want, now_us) {
                    Cover::Waiting => Cover::Waiting,
                    Cover::Covered(shared) => Cover::Covered(own.min(shared)),
                },
            };
        }
        if let (Cover::Covered(left), Some(entry)) = (cover, &self.entry) {
            entry.cover(self.output.saturating_add(left), now_us);
        }
        cover
    }

    /// Whether ending it so makes no debt.
    pub(crate) fn covers(&self, end: End) -> bool {
        match end {
            End::Settled(settlement) => {
                let settlement = Settlement { output: settlement.output.max(self.output), ..settlement };
                self.guard.covers(settlement) && self.common.as_ref().is_none_or(|common| common.covers(settlement))
            }
            End::Lapsed | End::TokensBack | End::AllBack => true,
        }
    }

    /// While it waits for room: when to look again, in microseconds of the steady clock; `None` where only others' ends can help.
    #[must_use]
    pub fn next_chance(&self, now_us: Micros) -> Option<Micros> {
        let own = self.guard.next_chance(now_us);
        own.or_else(|| self.common.as_ref().and_then(|common| common.next_chance(now_us)))
    }

    /// Ends it without a record. Returns the debt that this made, in tokens.
    pub fn end(self, end: End, now_us: Micros) -> u64 {
        let (debt, entry) = self.end_in_ledger(end, now_us);
        if let Some(entry) = entry {
            entry.end(end, now_us, None);
        }
        debt
    }

    /// Ends it in the ledger; in the journal the caller does. Returns the debt that this made, in tokens.
    pub(crate) fn end_in_ledger(mut self, end: End, now_us: Micros) -> (u64, Option<Entry>) {
        let mut debt = self.charge_relayed(now_us);
        let shared = self.common.map(|common| settle(*common, end, now_us));
        debt += settle(self.guard, end, now_us).max(shared.unwrap_or(0));
        (debt, self.entry)
    }

    /// When it was admitted, by the later of its ledgers' clocks, in microseconds: a ledger whose state was taken before that hasn't seen it.
    pub(crate) fn admitted_at(&self) -> Micros {
        let own = self.guard.admitted_at();
        self.common.as_ref().map_or(own, |common| own.max(common.admitted_at()))
    }

    /// Its place in the journal, to be ended before the ledger's.
    pub(crate) fn take_entry(&mut self) -> Option<Entry> {
        self.entry.take()
    }

    pub(crate) fn put_entry(&mut self, entry: Entry) {
        self.entry = Some(entry);
    }
}

/// Ends a hold. Returns the debt that this made, in tokens.
fn settle(guard: HoldGuard, end: End, now_us: Micros) -> u64 {
    match end {
        End::Settled(settlement) => return guard.settle(settlement, now_us),
        End::Lapsed => guard.lapse(now_us),
        End::TokensBack => guard.refund_tokens(now_us),
        End::AllBack => guard.refund_all(now_us),
    }
    0
}
