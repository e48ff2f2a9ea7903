//! How a target (a model at a provider) or a credential stands, judged by the attempts that were made with it. Pure: time and random bits
//! are parameters. It refuses to know requests, and where one goes instead.

mod backoff;
mod circuit;
mod cooldown;
mod outcomes;
mod standing;

pub use standing::{Allowance, HealthState, QuotaRead, Standing, Trouble, Why};

use crate::caps;
use backoff::Backoff;
use circuit::Circuit;
use cooldown::Cooldown;
use outcomes::Outcomes;

/// Whether a request may go there. Moments are of the steady clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admits {
    /// It may.
    Yes,
    /// One may, to see whether the others may again.
    Probe,
    /// It may not.
    No {
        /// The next moment at which one may.
        until_us: u64,
        /// Why.
        why: Why,
    },
}

/// An attempt, from its begin until it is told how it went, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a probe keeps others away until it is told how it went"]
pub struct Attempt {
    begun_us: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Probe(u32),
    LastResort,
}

impl Attempt {
    /// One at a place that nothing speaks against.
    pub const fn plain(begun_us: u64) -> Self {
        Self { begun_us, kind: Kind::Plain }
    }

    /// When it began.
    pub const fn begun_us(self) -> u64 {
        self.begun_us
    }

    /// Whether others wait for what comes of it.
    pub const fn is_probe(self) -> bool {
        matches!(self.kind, Kind::Probe(_))
    }

    /// Whether nothing has to be told where it says nothing.
    pub const fn is_plain(self) -> bool {
        matches!(self.kind, Kind::Plain)
    }
}

/// What an operator should hear of, once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A fault that no waiting mends.
    Alarmed(Trouble),
    /// It failed too often: nothing is sent there but probes.
    Opened,
    /// It answers again.
    Recovered,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    number: u32,
    until_us: u64,
}

/// A fault that only the operator can mend.
#[derive(Clone, Copy, Debug)]
struct Alarm {
    trouble: Trouble,
    since_us: u64,
}

/// How one target or one credential stands.
#[derive(Debug, Default)]
pub struct Health {
    cooldown: Cooldown,
    circuit: Circuit,
    alarm: Option<Alarm>,
    probe: Option<Probe>,
    probes: u32,
    /// Last resorts that are under way.
    last_resorts: u32,
    last_resort_us: Option<u64>,
    in_a_row: u32,
    /// Made with the first one: most credentials never have any of their own.
    outcomes: Option<Box<Outcomes>>,
    quota: QuotaRead,
}

impl Health {
    /// Whether anything may go there, whatever the time is: what callers may keep in a flag.
    pub const fn is_untroubled(&self) -> bool {
        self.cooldown.is_over() && !self.circuit.is_open() && self.alarm.is_none()
    }

    /// Whether a request may go there now.
    pub fn admits(&self, now_us: u64) -> Admits {
        if let Some((until_us, why)) = self.closed(now_us) {
            return Admits::No { until_us, why };
        }
        if !self.needs_probe() {
            return Admits::Yes;
        }
        match self.probing(now_us) {
            Some(probe) => Admits::No { until_us: probe.until_us, why: Why::Probing },
            None => Admits::Probe,
        }
    }

    /// Begins an attempt, if one may be made.
    pub fn begin(&mut self, now_us: u64) -> Result<Attempt, Admits> {
        match self.admits(now_us) {
            Admits::Yes => Ok(Attempt::plain(now_us)),
            Admits::Probe => Ok(self.begin_probe(now_us)),
            no @ Admits::No { .. } => Err(no),
        }
    }

    /// Begins an attempt of a request that has nowhere else to go, which had better be tried in vain than refused: at a place that should
    /// be left alone some at once, one now and then where the provider said when or only the operator can help, none where it is rate
    /// limited.
    pub fn begin_as_last_resort(&mut self, now_us: u64) -> Option<Attempt> {
        match self.admits(now_us) {
            Admits::Yes => return Some(Attempt::plain(now_us)),
            Admits::Probe => return Some(self.begin_probe(now_us)),
            Admits::No { .. } if self.cooldown.forbids_all(now_us) => return None,
            Admits::No { .. } => {}
        }
        if self.alarm.is_some() || self.cooldown.is_its_word(now_us) {
            let is_too_soon = self.last_resort_us.is_some_and(|last| now_us < last.saturating_add(caps::LAST_RESORT_US));
            if is_too_soon || self.probing(now_us).is_some() {
                return None;
            }
            self.last_resort_us = Some(now_us);
            return Some(self.begin_probe(now_us));
        }
        (self.last_resorts < caps::LAST_RESORTS).then(|| {
            self.last_resorts += 1;
            Attempt { begun_us: now_us, kind: Kind::LastResort }
        })
    }

    /// It answered; its first byte came after `first_byte_us`.
    pub fn succeeded(&mut self, attempt: Attempt, now_us: u64, first_byte_us: u64) -> Option<Change> {
        self.outcomes.get_or_insert_default().succeeded(now_us, first_byte_us);
        self.in_a_row = 0;
        self.end(attempt);
        let knew = !attempt.is_plain();
        self.cooldown.succeeded(attempt.begun_us, knew, now_us);
        let since_us = self.alarm.map(|alarm| alarm.since_us).max(self.circuit.since_us());
        let recovers = knew && since_us.is_some_and(|since| attempt.begun_us >= since);
        recovers.then(|| {
            self.close(now_us);
            Change::Recovered
        })
    }

    /// It did not answer, and that says something of it. `wait_ms` is what the provider asked for.
    pub fn failed(&mut self, attempt: Attempt, trouble: Trouble, wait_ms: Option<u64>, now_us: u64, random: u64) -> Option<Change> {
        self.end(attempt);
        if trouble.is_failure() {
            self.outcomes.get_or_insert_default().failed(now_us);
            self.in_a_row = self.in_a_row.saturating_add(1);
        }
        if trouble.is_alarm() {
            self.cooldown.begin(attempt.begun_us, None, trouble, Backoff::ALARM, now_us, random);
            let is_new = self.alarm.is_none_or(|alarm| alarm.trouble != trouble);
            let since_us = self.alarm.map_or(now_us, |alarm| alarm.since_us);
            self.alarm = Some(Alarm { trouble, since_us });
            return is_new.then_some(Change::Alarmed(trouble));
        }
        if trouble.cools_by_itself() || wait_ms.is_some() {
            self.cooldown.begin(attempt.begun_us, wait_ms, trouble, Backoff::WAIT, now_us, random);
        }
        if !trouble.is_failure() {
            return None;
        }
        if attempt.is_probe()
            && let Some(alarm) = self.alarm
        {
            self.cooldown.begin(attempt.begun_us, None, alarm.trouble, Backoff::ALARM, now_us, random);
        }
        if self.circuit.is_open() {
            if attempt.is_probe() {
                self.circuit.open(now_us, random);
            }
            return None;
        }
        let is_bad =
            self.in_a_row >= caps::FAILURES_IN_A_ROW || self.outcomes.as_ref().is_some_and(|outcomes| outcomes.mostly_failed(now_us));
        is_bad.then(|| {
            self.circuit.open(now_us, random);
            Change::Opened
        })
    }

    /// What was answered broke off later.
    pub fn broke(&mut self, trouble: Trouble, wait_ms: Option<u64>, now_us: u64, random: u64) -> Option<Change> {
        self.failed(Attempt::plain(now_us), trouble, wait_ms, now_us, random)
    }

    /// The attempt ended and says nothing of it: the client was at fault, or left.
    pub fn let_go(&mut self, attempt: Attempt) {
        self.end(attempt);
    }

    /// What an answer's headers told of the provider's own limits.
    pub fn told(&mut self, quota: QuotaRead) {
        self.quota = quota;
    }

    /// The operator says that it may be tried again.
    pub fn clear(&mut self, now_us: u64) {
        self.probe = None;
        self.last_resort_us = None;
        self.in_a_row = 0;
        self.cooldown.end();
        self.close(now_us);
    }

    /// How it stands, for people.
    pub fn standing(&self, now_us: u64) -> Standing {
        let (state, since_us) = match (self.alarm, self.circuit.since_us()) {
            (Some(alarm), _) => (HealthState::Alarm, Some(alarm.since_us)),
            (None, Some(since)) if self.circuit.is_shut(now_us) => (HealthState::Open, Some(since)),
            (None, Some(since)) => (HealthState::HalfOpen, Some(since)),
            (None, None) if self.cooldown.runs(now_us) => (HealthState::Cooling, Some(self.cooldown.since_us())),
            (None, None) => (HealthState::Healthy, None),
        };
        let closed = self.closed(now_us);
        let why = self.alarm.map(|alarm| Why::Cooling(alarm.trouble)).or(closed.map(|(_, why)| why));
        let until_us = closed.map(|(until, _)| until);
        let next_probe_us = self.needs_probe().then(|| until_us.or(self.probing(now_us).map(|probe| probe.until_us)).unwrap_or(now_us));
        Standing {
            state,
            why: why.or_else(|| self.circuit.is_open().then_some(Why::Open)),
            since_us,
            until_us,
            next_probe_us,
            success_percent: self.outcomes.as_ref().and_then(|outcomes| outcomes.success_percent(now_us)),
            p95_us: self.outcomes.as_ref().and_then(|outcomes| outcomes.p95_us(now_us)),
            failures_in_a_row: self.in_a_row,
            quota: self.quota,
        }
    }

    /// Until when nothing may go there, and why.
    fn closed(&self, now_us: u64) -> Option<(u64, Why)> {
        let cooling = self.cooldown.runs(now_us).then(|| (self.cooldown.until_us(), Why::Cooling(self.cooldown.trouble())));
        let open = self.circuit.is_shut(now_us).then(|| (self.circuit.until_us(), Why::Open));
        match (cooling, open) {
            (Some(cooling), Some(open)) => Some(if open.0 > cooling.0 { open } else { cooling }),
            (one, other) => one.or(other),
        }
    }

    const fn needs_probe(&self) -> bool {
        self.circuit.is_open() || self.alarm.is_some()
    }

    fn probing(&self, now_us: u64) -> Option<Probe> {
        self.probe.filter(|probe| now_us < probe.until_us)
    }

    fn begin_probe(&mut self, now_us: u64) -> Attempt {
        self.probes = self.probes.wrapping_add(1);
        self.probe = Some(Probe { number: self.probes, until_us: now_us.saturating_add(caps::PROBE_US) });
        Attempt { begun_us: now_us, kind: Kind::Probe(self.probes) }
    }

    /// The attempt is over. A probe that was replaced meanwhile leaves its successor be.
    fn end(&mut self, attempt: Attempt) {
        match attempt.kind {
            Kind::Plain => {}
            Kind::Probe(number) => self.probe = self.probe.filter(|probe| probe.number != number),
            Kind::LastResort => self.last_resorts = self.last_resorts.saturating_sub(1),
        }
    }

    fn close(&mut self, now_us: u64) {
        self.circuit.close(now_us);
        self.alarm = None;
        if let Some(outcomes) = &mut self.outcomes {
            outcomes.forget_failures(now_us);
        }
    }
}

#[cfg(test)]
mod against_history;
#[cfg(test)]
mod tests;
