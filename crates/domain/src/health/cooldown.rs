//! A time in which nothing is sent: as long as the provider said, within bounds, else longer each time. Why it was said is the caller's.

use super::backoff::Backoff;
use super::standing::Trouble;

#[derive(Debug, Default)]
pub(super) struct Cooldown {
    /// 0: there is none.
    until_us: u64,
    /// Until when it is also rate limited.
    limited_until_us: u64,
    since_us: u64,
    /// When it was last made longer.
    told_us: u64,
    trouble: Trouble,
    /// Whether the provider said for how long.
    is_its_word: bool,
    /// Cooldowns that began since something last succeeded.
    in_a_row: u32,
}

impl Cooldown {
    pub(super) const fn is_over(&self) -> bool {
        self.until_us == 0
    }

    pub(super) const fn runs(&self, now_us: u64) -> bool {
        now_us < self.until_us
    }

    pub(super) const fn until_us(&self) -> u64 {
        self.until_us
    }

    pub(super) const fn since_us(&self) -> u64 {
        self.since_us
    }

    pub(super) const fn trouble(&self) -> Trouble {
        self.trouble
    }

    /// Whether not even a last resort is allowed: it is rate limited, whatever else is wrong with it.
    pub(super) const fn forbids_all(&self, now_us: u64) -> bool {
        now_us < self.limited_until_us
    }

    /// Whether one runs for as long as the provider said.
    pub(super) const fn is_its_word(&self, now_us: u64) -> bool {
        self.runs(now_us) && self.is_its_word
    }

    /// An attempt that began at `begun_us` shows that nothing should be sent for a while. What one burst of attempts meets is one cooldown,
    /// and a later shorter word never shortens it. A word that has just proved wrong counts no longer than the wait it should have been.
    pub(super) fn begin(&mut self, begun_us: u64, wait_ms: Option<u64>, trouble: Trouble, backoff: Backoff, now_us: u64, random: u64) {
        let is_new = !self.runs(now_us) && (self.in_a_row == 0 || begun_us >= self.since_us);
        let before = if is_new { self.in_a_row } else { self.in_a_row.saturating_sub(1) };
        let word = wait_ms.map(|ms| ms.saturating_mul(1_000).clamp(1_000, backoff.most_us()));
        let wait_us = match word {
            Some(word) if before == 0 => word,
            Some(word) => word.max(backoff.wait_us(before - 1, random)),
            None => backoff.wait_us(before, random),
        };
        if is_new {
            self.in_a_row = self.in_a_row.saturating_add(1);
            self.since_us = now_us;
        }
        let until_us = now_us.saturating_add(wait_us);
        if trouble == Trouble::RateLimited && until_us > self.limited_until_us {
            (self.limited_until_us, self.told_us) = (until_us, now_us);
        }
        if until_us > self.until_us {
            (self.until_us, self.told_us, self.trouble, self.is_its_word) = (until_us, now_us, trouble, word.is_some());
        }
    }

    /// What began at `begun_us` has succeeded. Only what knew of it ends one that runs.
    pub(super) const fn succeeded(&mut self, begun_us: u64, knew: bool, now_us: u64) {
        if self.until_us != 0 && begun_us >= self.told_us && (knew || !self.runs(now_us)) {
            self.end();
        }
    }

    pub(super) const fn end(&mut self) {
        (self.until_us, self.limited_until_us, self.in_a_row) = (0, 0, 0);
    }
}
