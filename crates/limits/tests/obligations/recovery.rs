//! I8: what is made of a state and a journal is never less than what was processed, and no more than that and what was held.
//! The journal comes in the order of several writers, partly again, and without what was never written.

use std::collections::BTreeMap;

use limits::{Ask, Caps, Cover, Ending, Kind, Ledger, LimitKey, Recovery, Settlement, State};
use proptest::prelude::*;

use crate::history::{DAY, Fixed, HOUR, Jump, LIMITS, MINUTE, Op, Outcome, SECOND, World, cases, history};
use crate::oracle::OracleHold;

#[derive(Clone, Debug)]
enum Line {
    Grant(Vec<Ask>),
    Cover(u64),
    Charge(u64),
    Input(u64),
    End(Ending),
}

#[derive(Clone, Debug)]
struct Written {
    number: usize,
    request: u128,
    at: u64,
    line: Line,
    /// What it says is covered by the hold, so that it may be lost.
    covered: bool,
}

/// So much was processed then, of a limit; by which hold, if it can be given back.
struct Event {
    key: LimitKey,
    at: u64,
    amount: u64,
    given_by: Option<u128>,
}

#[derive(Default)]
struct Book {
    journal: Vec<Written>,
    events: Vec<Event>,
    /// What is left of holds, by what the journal says.
    left: BTreeMap<u128, u64>,
    /// Whether anything was processed beyond its hold.
    beyond: bool,
    /// What the inputs of holds were said to be before their ends, and whether one was said to be two things: what is told again then goes
    /// to and fro, and may count too much, or too early.
    inputs: BTreeMap<u128, u64>,
    to_and_fro: bool,
    /// Whether input was ever found missing and taken from a hold: a cover from before then, told again, makes that good once more.
    missing: bool,
    /// Whether a limit of a long window ever held less for a hold than the others, or its number was changed without a word in the journal.
    uneven: bool,
}

impl Book {
    fn sum(&self, key: &LimitKey, then: u64, longer: u64) -> u64 {
        let counts = |e: &&Event| e.key == *key && e.at <= then && then < e.at + key.window_us + longer;
        self.events.iter().filter(counts).map(|e| e.amount).sum()
    }

    fn process(&mut self, hold: &OracleHold, amount: u64, now: u64) {
        for key in hold.own.keys().filter(|key| key.kind == Kind::Tokens) {
            self.events.push(Event { key: *key, at: now, amount, given_by: None });
        }
    }

    fn give_back(&mut self, request: u128, kind: Kind, amount: u64) {
        for event in self.events.iter_mut().filter(|e| e.given_by == Some(request) && e.key.kind == kind) {
            event.amount -= amount;
        }
    }

    /// Takes from the hold; whether it covers it all.
    fn take(&mut self, hold: &OracleHold, due: u64, now: u64) -> bool {
        self.process(hold, due, now);
        let left = self.left.get_mut(&hold.request).unwrap();
        let short = hold.own.iter().any(|(key, own)| key.kind == Kind::Tokens && *own < hold.left);
        let covered = due <= *left && !short;
        *left = left.saturating_sub(due);
        self.beyond |= !covered;
        covered
    }

    fn input(&mut self, hold: &OracleHold, exact: u64) -> u64 {
        let counted = hold.input + hold.late_input;
        if exact < counted {
            self.give_back(hold.request, Kind::Tokens, (counted - exact).min(hold.input));
        }
        self.missing |= exact > counted;
        exact.saturating_sub(counted)
    }

    fn write(&mut self, request: u128, at: u64, line: Line, covered: bool) {
        self.journal.push(Written { number: self.journal.len(), request, at, line, covered });
    }

    /// Books and writes what happened, as a gateway would.
    fn note(&mut self, before: &World, fixed: &Fixed, outcome: &Outcome) {
        let now = before.now;
        let hold = |index: &usize| before.oracle_hold(*index).cloned();
        match fixed {
            Fixed::Reserve(request, asks) => {
                if *outcome != Outcome::Admitted(before.player.holds.len()) {
                    return;
                }
                for ask in asks.iter().filter(|ask| ask.key.kind != Kind::Concurrent) {
                    self.events.push(Event { key: ask.key, at: now, amount: ask.log, given_by: Some(*request) });
                }
                let tokens = asks.iter().find(|ask| ask.key.kind == Kind::Tokens);
                self.left.insert(*request, tokens.map_or(0, |ask| ask.hold));
                self.write(*request, now, Line::Grant(asks.clone()), false);
            }
            Fixed::Cover(index, ..) => {
                let (Some(hold), Outcome::Covered(answer)) = (hold(index), outcome) else { return };
                let left = if let Cover::Covered(left) = answer { *left } else { 0 };
                self.left.insert(hold.request, left);
                self.write(hold.request, now, Line::Cover(hold.output + left), *answer == Cover::Waiting);
            }
            Fixed::Charge(index, total) => {
                let Some(hold) = hold(index) else { return };
                let covered = self.take(&hold, total.saturating_sub(hold.output), now);
                self.write(hold.request, now, Line::Charge(*total), covered);
            }
            Fixed::Input(index, exact) => {
                let Some(hold) = hold(index) else { return };
                let missing = self.input(&hold, *exact);
                self.to_and_fro |= self.inputs.insert(hold.request, *exact).is_some_and(|before| before != *exact);
                let covered = self.take(&hold, missing, now);
                self.write(hold.request, now, Line::Input(*exact), covered);
            }
            Fixed::Settle(index, settlement) => {
                let Some(hold) = hold(index) else { return };
                let missing = settlement.input.map_or(0, |exact| self.input(&hold, exact));
                let covered = self.take(&hold, settlement.output.saturating_sub(hold.output) + missing, now);
                self.end(&hold, now, Ending::Settled(*settlement), covered);
            }
            Fixed::Release(index) => {
                let Some(hold) = hold(index) else { return };
                self.end(&hold, now, Ending::Settled(Settlement::default()), true);
            }
            Fixed::Lapse(index) => {
                let Some(hold) = hold(index) else { return };
                // What was granted while it waited becomes known.
                self.left.insert(hold.request, hold.left);
                self.write(hold.request, now, Line::Cover(hold.output + hold.left), false);
                let covered = self.take(&hold, hold.left, now);
                self.end(&hold, now, Ending::Lapsed, covered);
            }
            Fixed::RefundTokens(index) | Fixed::RefundAll(index) => {
                let Some(hold) = hold(index) else { return };
                let all = matches!(fixed, Fixed::RefundAll(_));
                self.give_back(hold.request, Kind::Tokens, hold.input);
                if all {
                    self.give_back(hold.request, Kind::Requests, 1);
                }
                self.end(&hold, now, if all { Ending::AllBack } else { Ending::TokensBack }, true);
            }
            Fixed::CancelWait(_) | Fixed::Recount(_) | Fixed::SetN(..) | Fixed::Advance | Fixed::IsEmpty => {}
        }
    }

    fn end(&mut self, hold: &OracleHold, now: u64, ending: Ending, covered: bool) {
        self.left.remove(&hold.request);
        self.write(hold.request, now, Line::End(ending), covered);
    }

    /// Without some of the last lines of each request, as far as the hold covers what they say.
    fn lose(&mut self, mut how_many: impl FnMut() -> usize) -> bool {
        let before = self.journal.len();
        let requests: Vec<u128> = self.journal.iter().filter(|w| matches!(w.line, Line::Grant(_))).map(|w| w.request).collect();
        for request in requests {
            for _ in 0..how_many() {
                match self.journal.iter().rposition(|w| w.request == request) {
                    Some(last) if self.journal[last].covered => drop(self.journal.remove(last)),
                    _ => break,
                }
            }
        }
        self.journal.len() < before
    }
}

/// What becomes of the journal and the clock.
#[derive(Clone, Debug)]
struct Fate {
    /// After so many steps the state is taken, if at all.
    dumped: Option<usize>,
    /// So many lines before it are told again.
    again: usize,
    /// Each line is written so many lines late.
    lags: Vec<usize>,
    lost: Vec<usize>,
    /// This stretch is written twice.
    twice: Option<(prop::sample::Index, usize)>,
    away_us: u64,
    shift_us: i64,
}

fn fate() -> impl Strategy<Value = Fate> {
    let lags = prop_oneof![Just(vec![0]), prop::collection::vec(0..8usize, 64)];
    let lost = prop_oneof![Just(vec![0]), prop::collection::vec(0..4usize, 64)];
    let away = prop_oneof![Just(0), 0..5 * SECOND, 0..2 * MINUTE, 0..2 * HOUR];
    let shift = prop_oneof![Just(0), Just(-400 * DAY.cast_signed()), Just(7 * DAY.cast_signed())];
    let twice = prop::option::of((any::<prop::sample::Index>(), 1..9usize));
    (prop::option::weighted(0.8, 0..50usize), 0..30usize, lags, lost, twice, away, shift)
        .prop_map(|(dumped, again, lags, lost, twice, away_us, shift_us)| Fate { dumped, again, lags, lost, twice, away_us, shift_us })
}

/// The history as it was, and the state that was taken in its midst with the number of lines that were written by then.
fn live(steps: Vec<(Jump, Op)>, dumped: Option<usize>) -> (World, Book, Option<State>, usize) {
    let mut world = World::new(&Caps::DEFAULT);
    let mut book = Book::default();
    let (mut state, mut written) = (None, 0);
    for (number, (jump, op)) in steps.into_iter().enumerate() {
        if dumped == Some(number) {
            state = Some(world.player.ledger.dump(world.now));
            written = book.journal.len();
            world.now += 1;
            world.oracle.enter(world.now);
            world.agree();
        }
        // Ids of requests are never used again.
        let op = if let Op::Reserve { limits, log, hold, .. } = op {
            Op::Reserve { request: u8::try_from(number).unwrap(), limits, log, hold }
        } else {
            op
        };
        let mut before = world.clone();
        let Some((fixed, outcome)) = world.step(jump, op) else { continue };
        before.now = world.now;
        before.oracle.enter(world.now);
        book.note(&before, &fixed, &outcome);
        let short = |hold: &OracleHold| hold.own.iter().any(|(key, own)| key.kind == Kind::Tokens && *own < hold.left);
        book.uneven |= matches!(fixed, Fixed::SetN(..)) || world.oracle.holds.values().any(short);
        assert_eq!(world.player.ledger.now(), world.now);
    }
    (world, book, state, written)
}

/// The journal as it is found: from some line before the state on, in the order in which it was written.
fn found(book: &Book, before_state: usize, fate: &Fate) -> Vec<Written> {
    let mut lines: Vec<(usize, &Written)> = Vec::new();
    let mut last: BTreeMap<u128, usize> = BTreeMap::new();
    for line in &book.journal {
        let late = last.entry(line.request).or_default();
        *late = (line.number + fate.lags[line.number % fate.lags.len()]).max(*late);
        lines.push((*late, line));
    }
    lines.sort_by_key(|(late, _)| *late);
    let from = before_state.saturating_sub(fate.again);
    let mut found: Vec<Written> = lines.into_iter().filter(|(late, _)| *late >= from).map(|(_, line)| line.clone()).collect();
    if let Some((start, len)) = fate.twice
        && !found.is_empty()
    {
        let start = start.index(found.len());
        let end = (start + len).min(found.len());
        let stretch = found[start..end].to_vec();
        found.splice(end..end, stretch);
    }
    found
}

fn recover(state: Option<State>, found: &[Written], shift_us: i64, now: u64) -> Ledger {
    let mut recovery = Recovery::new(state, shift_us, now);
    for Written { request, at, line, .. } in found {
        match line {
            Line::Grant(asks) => recovery.grant(*request, asks, *at),
            Line::Cover(total) => recovery.cover(*request, *total, *at),
            Line::Charge(total) => recovery.charge(*request, *total, *at),
            Line::Input(exact) => recovery.input(*request, *exact, *at),
            Line::End(ending) => recovery.end(*request, *ending, *at),
        }
    }
    recovery.finish()
}

fn play(steps: Vec<(Jump, Op)>, fate: &Fate) {
    let (world, mut book, state, written) = live(steps, fate.dumped);
    let mut counts = fate.lost.iter().cycle();
    // What is in the state can't be lost; what was written before it, and isn't told again, doesn't matter.
    let lost = book.lose(|| *counts.next().unwrap());
    let found = found(&book, written, fate);
    let n: Vec<u64> = world.n.iter().map(|n| (*n).max(1)).collect();
    let crashed = world.now + fate.away_us;
    let shifted = |at: u64| at.checked_add_signed(fate.shift_us).unwrap();
    let mut recovered = recover(state, &found, fate.shift_us, shifted(crashed));

    let again = found.iter().any(|line| line.number < written) || fate.twice.is_some();
    let unheard = world.oracle.holds.values().any(|hold| hold.unheard + hold.wanted > 0);
    let exact = !(lost || unheard || book.beyond || (book.to_and_fro || book.missing) && again);
    let late = fate.lags.iter().any(|lag| *lag > 0);
    let mut truth = world.player.ledger.clone();
    truth.lapse_all(crashed);

    // Every moment from then on at which anything stops counting, and the microsecond before.
    let mut times: Vec<u64> = book.events.iter().map(|e| e.at + e.key.window_us).flat_map(|at| [at - 1, at]).collect();
    times.extend(LIMITS.iter().flat_map(|(key, _)| [crashed, crashed + key.window_us - 1, crashed + key.window_us]));
    times.retain(|at| *at >= crashed);
    times.sort_unstable();
    for then in times {
        for ((key, _), n) in LIMITS.iter().zip(&n) {
            let status = recovered.status(*key, *n, shifted(then));
            let all = status.used + status.held + status.debt;
            let least = book.sum(key, then, 0);
            assert!(least <= all || (book.to_and_fro && again), "{key:?} at {then}: {least} processed, {all} known");
            let of = |(request, left): (&u128, &u64)| {
                let names = world.oracle.holds.values().find(|h| h.request == *request).is_some_and(|h| h.own.contains_key(key));
                if names && key.kind == Kind::Tokens { *left } else { 0 }
            };
            let held: u64 = book.left.iter().map(of).sum();
            let exact = exact && !(book.uneven && key.window_us > 2 * MINUTE);
            if exact {
                // Lines that came late count at the time of one of those before which they stand.
                let most = book.sum(key, then, if late { crashed } else { 0 }) + held;
                assert!(all <= most, "{key:?} at {then}: {all} known, {most} at most");
            }
            if exact && !late {
                let mut expected = truth.status(*key, *n, then);
                expected.resets_at = expected.resets_at.map(shifted);
                assert_eq!(status, expected, "{key:?} at {then}");
            }
        }
    }
    let mut last = shifted(crashed + DAY);
    while let Some(next) = recovered.advance(last) {
        last = next;
    }
    assert!(recovered.is_empty(last + DAY), "a window later nothing of it is left");
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn i8_recovery_dominates_the_truth(steps in history(60), fate in fate()) {
        play(steps, &fate);
    }
}
