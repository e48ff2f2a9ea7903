//! For how long a target may be left alone at most, told from what it did itself by the rules that ARCHITECTURE states: a cooldown as long
//! as its word, else doubling from 1 s to 60 s until something succeeds; a circuit after five failures in a row or half of ten in a
//! minute, with one probe at a time after waits of the same kind. Where it can't be seen from outside what the gateway drew, or took an
//! attempt for, the longer time counts. It shares no line with the rules themselves.

use crate::moods::Mood;
use crate::world::Attempt;

const SECOND_US: u64 = 1_000_000;
const MINUTE_US: u64 = 60 * SECOND_US;
/// A probe of which nothing is heard keeps others away for so long.
const PROBE_US: u64 = 5 * SECOND_US;
/// The shortest wait: half of the first step.
const LEAST_US: u64 = SECOND_US / 2;
/// Outcomes are counted in slices of ten seconds.
const SLICE_US: u64 = 10 * SECOND_US;

/// The longest that a wait after so many others lasts.
fn step_us(before: u32) -> u64 {
    (SECOND_US << before.min(6)).min(MINUTE_US)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Limited,
    Overloaded,
    Open,
    Probing,
}

/// A time in which a target may be left alone: from the first microsecond until before the last.
#[derive(Clone, Copy, Debug)]
struct Rest {
    from_us: u64,
    until_us: u64,
    why: Why,
}

/// All of one target.
pub(crate) struct Rests(Vec<Rest>);

impl Rests {
    /// From all attempts at it.
    pub(crate) fn of<'a>(attempts: impl Iterator<Item = &'a Attempt> + Clone) -> Self {
        let answered = attempts.clone().filter_map(|attempt| Some((attempt.answered_us?, true, attempt)));
        let failed = attempts.clone().filter_map(|attempt| Some((attempt.failed_us?, false, attempt)));
        let mut outcomes: Vec<_> = answered.chain(failed).collect();
        outcomes.sort_by_key(|(at_us, ..)| *at_us);
        let mut rules = Rules::default();
        for (at_us, is_answer, attempt) in outcomes {
            if is_answer { rules.succeeded(attempt.begun_us, at_us) } else { rules.failed(attempt, at_us) }
        }
        rules.spans.extend(rules.circuit.map(|open| (open.since_us, u64::MAX)));
        for attempt in attempts {
            let is_probe = rules.spans.iter().any(|(since, until)| (*since..*until).contains(&attempt.begun_us));
            let ended_us = attempt.answered_us.into_iter().chain(attempt.failed_us).min().unwrap_or(u64::MAX);
            if is_probe {
                let until_us = ended_us.min(attempt.begun_us + PROBE_US);
                rules.rests.push(Rest { from_us: attempt.begun_us, until_us, why: Why::Probing });
            }
        }
        Self(rules.rests)
    }

    /// Whether it may have been left alone at any moment between these. What happens in one microsecond has no order.
    pub(crate) fn between(&self, from_us: u64, to_us: u64) -> bool {
        self.0.iter().any(|rest| rest.from_us <= to_us && rest.until_us >= from_us)
    }

    /// Whether that may have been for its rate, so that not even a request with nowhere else to go was sent there.
    pub(crate) fn limited_between(&self, from_us: u64, to_us: u64) -> bool {
        self.0.iter().any(|rest| rest.why == Why::Limited && rest.from_us <= to_us && rest.until_us >= from_us)
    }
}

/// A circuit that is open.
#[derive(Clone, Copy)]
struct Open {
    since_us: u64,
    /// When it was last left open for longer.
    last_us: u64,
}

/// What is known of a target as its outcomes come in.
#[derive(Default)]
struct Rules {
    rests: Vec<Rest>,
    /// Cooldowns since something last succeeded, when the last of them began, and when it was last said again.
    cooldowns: u32,
    since_us: u64,
    told_us: u64,
    /// Outcomes that count for the circuit.
    outcomes: Vec<(u64, bool)>,
    failures_in_a_row: u32,
    failed_us: u64,
    circuit: Option<Open>,
    rounds: u32,
    closed_us: Option<u64>,
    /// Times in which the circuit was open.
    spans: Vec<(u64, u64)>,
}

impl Rules {
    fn succeeded(&mut self, begun_us: u64, at_us: u64) {
        self.outcomes.push((at_us, true));
        self.failures_in_a_row = 0;
        if self.cooldowns > 0 && begun_us > self.told_us {
            self.cooldowns = 0;
            self.end(at_us, |why| matches!(why, Why::Limited | Why::Overloaded));
        }
        // What began before the last failure may not have known that it is open.
        if let Some(open) = self.circuit.take_if(|_| begun_us > self.failed_us) {
            self.closed_us = Some(at_us);
            self.outcomes.clear();
            self.spans.push((open.since_us, at_us));
            self.end(at_us, |why| why == Why::Open);
        }
    }

    fn failed(&mut self, attempt: &Attempt, at_us: u64) {
        match attempt.mood {
            Mood::Limited(_) => return self.cools(attempt, at_us, Why::Limited),
            Mood::Failing(503 | 529) => self.cools(attempt, at_us, Why::Overloaded),
            Mood::Well | Mood::Slow(_) | Mood::Failing(_) | Mood::Hanging | Mood::Breaking | Mood::Sick => {}
        }
        self.outcomes.push((at_us, false));
        self.failures_in_a_row += 1;
        self.failed_us = at_us;
        if let Some(open) = &mut self.circuit {
            let is_probe = attempt.begun_us >= open.last_us + LEAST_US;
            self.rests.push(Rest { from_us: at_us, until_us: at_us + step_us(self.rounds), why: Why::Open });
            if is_probe {
                open.last_us = at_us;
                self.rounds += 1;
            }
        } else if self.failures_in_a_row >= 5 || self.mostly_failed(at_us) {
            if self.closed_us.is_none_or(|closed| at_us >= closed + MINUTE_US) {
                self.rounds = 0;
            }
            self.rests.push(Rest { from_us: at_us, until_us: at_us + step_us(self.rounds), why: Why::Open });
            self.circuit = Some(Open { since_us: at_us, last_us: at_us });
            self.rounds += 1;
        }
    }

    fn cools(&mut self, attempt: &Attempt, at_us: u64, why: Why) {
        let is_new = self.cooldowns == 0 || (attempt.begun_us >= self.since_us && at_us >= self.since_us + LEAST_US);
        if is_new {
            self.cooldowns += 1;
            self.since_us = at_us;
        }
        self.told_us = at_us;
        let before = self.cooldowns - 1;
        let wait_us = match attempt.told_ms.map(|ms| (ms * 1_000).min(MINUTE_US)) {
            Some(word) if before == 0 => word,
            Some(word) => word.max(step_us(before - 1)),
            None => step_us(before),
        };
        self.rests.push(Rest { from_us: at_us, until_us: at_us + wait_us, why });
    }

    fn mostly_failed(&self, at_us: u64) -> bool {
        let recent = || self.outcomes.iter().filter(|(at, _)| at / SLICE_US + 6 > at_us / SLICE_US);
        let failed = recent().filter(|(_, is_answer)| !is_answer).count();
        recent().count() >= 10 && failed * 2 >= recent().count()
    }

    fn end(&mut self, at_us: u64, which: impl Fn(Why) -> bool) {
        self.rests.iter_mut().filter(|rest| which(rest.why)).for_each(|rest| rest.until_us = rest.until_us.min(at_us));
    }
}
