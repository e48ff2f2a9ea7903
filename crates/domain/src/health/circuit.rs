//! Open while what failed too often is left alone but for probes. When that is so is the caller's matter.

use super::backoff::Backoff;
use crate::caps;

#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// When it opened, and until when not even probes are sent.
    open: Option<(u64, u64)>,
    /// Times that it opened in a row.
    rounds: u32,
    closed_us: Option<u64>,
}

impl Circuit {
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn is_shut(&self, now_us: u64) -> bool {
        now_us < self.until_us()
    }

    pub(super) fn since_us(&self) -> Option<u64> {
        self.open.map(|(since, _)| since)
    }

    pub(super) fn until_us(&self) -> u64 {
        self.open.map_or(0, |(_, until)| until)
    }

    /// Opens, or stays open for longer.
    pub(super) fn open(&mut self, now_us: u64, random: u64) {
        if self.open.is_none() && self.closed_us.is_none_or(|at| now_us >= at.saturating_add(caps::RELAPSE_US)) {
            self.rounds = 0;
        }
        let until = now_us.saturating_add(Backoff::WAIT.wait_us(self.rounds, random));
        self.rounds = self.rounds.saturating_add(1);
        self.open = Some((self.since_us().unwrap_or(now_us), until));
    }

    pub(super) fn close(&mut self, now_us: u64) {
        if self.open.take().is_some() {
            self.closed_us = Some(now_us);
        }
    }
}
