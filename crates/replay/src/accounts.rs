//! The organisations of a simulation, each with its ledger, its pools and what its answers have been like.
//! What is measured here is measured beside the ledger, never asked of it.

use std::collections::VecDeque;

use domain::{Kind, OutputLengths};
use hashbrown::HashMap;
use limits::Ledger;

use crate::lanes::Lane;
use crate::meter::Meter;
use crate::outcome::{LimitOutcome, PoolOutcome};
use crate::row::Label;
use crate::series::Series;
use crate::settings::Settings;

const NONE: u32 = u32::MAX;

/// One organisation.
pub(crate) struct Org {
    pub(crate) ledger: Ledger,
    /// Its account in each lane.
    accounts: Vec<u32>,
    /// When it is to be woken; `u64::MAX` when it isn't.
    pub(crate) wakes_at: u64,
}

/// One pool of one organisation.
pub(crate) struct Account {
    pub(crate) org: u32,
    pub(crate) lane: u32,
    /// Streams that wait for room, in the order in which the ledger serves them.
    pub(crate) waiting: VecDeque<u32>,
    /// One for each limit; that of a limit of concurrency stays empty.
    gauges: Vec<Gauge>,
    open: u64,
}

/// What really happened in the window of a limit, and what of that has been written into its series.
struct Gauge {
    meter: Meter,
    /// The most in the slot that is being written, and when the next begins.
    most: u64,
    next_slot_at: u64,
}

impl Gauge {
    fn new(window_us: u64) -> Self {
        Self { meter: Meter::new(window_us), most: 0, next_slot_at: 0 }
    }

    fn add(&mut self, amount: u64, now: u64, limit: &mut LimitOutcome) {
        if now >= self.next_slot_at {
            self.begin_slot(now, &mut limit.over_time);
        }
        self.meter.add(amount, now);
        let sum = self.meter.sum(now);
        if sum > self.most {
            self.most = sum;
            limit.note(sum, now);
        }
    }

    /// A slot begins with what is still in the window, and so did those in which nothing happened.
    #[cold]
    fn begin_slot(&mut self, now: u64, series: &mut Series) {
        let slot_us = series.slot_us();
        let mut at = self.next_slot_at;
        self.most = 0;
        while at <= now {
            self.most = self.meter.sum(at);
            if self.most == 0 {
                break;
            }
            series.note(self.most, at);
            at += slot_us;
        }
        self.next_slot_at = (now / slot_us + 1) * slot_us;
    }
}

#[derive(Default)]
pub(crate) struct Accounts {
    pub(crate) orgs: Vec<Org>,
    pub(crate) all: Vec<Account>,
    by_label: HashMap<Label, u32>,
    last: Option<(Label, u32)>,
    /// Output lengths of each organisation and model.
    pub(crate) lengths: Vec<OutputLengths>,
    lengths_by_label: HashMap<(Label, Label), u32>,
    last_lengths: Option<((Label, Label), u32)>,
}

impl Accounts {
    /// The account of an organisation in a lane, made if need be.
    pub(crate) fn of(&mut self, label: Label, lane: u32, lanes: &[Lane], settings: &Settings) -> u32 {
        let org = match self.last {
            Some((last, org)) if last == label => org,
            Some(_) | None => self.org(label, settings),
        };
        self.last = Some((label, org));
        let new = self.all.len() as u32;
        let accounts = &mut self.orgs[org as usize].accounts;
        if accounts.len() <= lane as usize {
            accounts.resize(lane as usize + 1, NONE);
        }
        let account = &mut accounts[lane as usize];
        if *account == NONE {
            *account = new;
            let gauges = lanes[lane as usize].pool.limits.iter().map(|limit| Gauge::new(limit.window_us)).collect();
            self.all.push(Account { org, lane, waiting: VecDeque::new(), gauges, open: 0 });
            return new;
        }
        *account
    }

    fn org(&mut self, label: Label, settings: &Settings) -> u32 {
        let new = self.orgs.len() as u32;
        let org = *self.by_label.entry(label).or_insert(new);
        if org == new {
            self.orgs.push(Org { ledger: Ledger::with_caps(settings.caps), accounts: Vec::new(), wakes_at: u64::MAX });
        }
        org
    }

    /// Where the output lengths of this organisation and model are kept.
    pub(crate) fn lengths_of(&mut self, org: Label, model: Label) -> u32 {
        let key = (org, model);
        if let Some((_, index)) = self.last_lengths.filter(|(last, _)| *last == key) {
            return index;
        }
        let new = self.lengths.len() as u32;
        let index = *self.lengths_by_label.entry(key).or_insert(new);
        if index == new {
            self.lengths.push(OutputLengths::new());
        }
        self.last_lengths = Some((key, index));
        index
    }

    pub(crate) fn ledger(&mut self, account: u32) -> &mut Ledger {
        let org = self.all[account as usize].org;
        &mut self.orgs[org as usize].ledger
    }
}

impl Org {
    /// Its account in a lane, if it has one.
    pub(crate) fn account(&self, lane: usize) -> Option<u32> {
        self.accounts.get(lane).copied().filter(|account| *account != NONE)
    }
}

impl Account {
    /// So much of a kind really happened.
    pub(crate) fn happened(&mut self, kind: Kind, amount: u64, now: u64, pool: &mut PoolOutcome) {
        for (gauge, limit) in self.gauges.iter_mut().zip(&mut pool.limits) {
            if limit.kind == kind {
                gauge.add(amount, now, limit);
            }
        }
    }

    /// A request began, or ended.
    pub(crate) fn open(&mut self, more: bool, now: u64, pool: &mut PoolOutcome) {
        self.open = if more { self.open + 1 } else { self.open.saturating_sub(1) };
        for limit in pool.limits.iter_mut().filter(|limit| limit.kind == Kind::Concurrent) {
            limit.note(self.open, now);
        }
    }
}
