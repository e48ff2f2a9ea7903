//! Histories: what clients, plans and clocks may do, generated, and played to the ledger and the oracle alike.
//! Clocks jump to the moments at which something changes, and to the microsecond before.

use limits::{Ask, Caps, Cover, HoldId, Kind, Ledger, LimitKey, Refusal, Retry, Settlement, Status};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::oracle::{Oracle, OracleHold, asked_of};

pub(crate) const SECOND: u64 = 1_000_000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

const fn key(pool: u64, kind: Kind, window_us: u64) -> LimitKey {
    LimitKey { pool, kind, window_us }
}

/// Every limit that histories use, and its number at the start.
pub(crate) const LIMITS: [(LimitKey, u64); 9] = [
    (key(1, Kind::Requests, MINUTE), 6),
    (key(1, Kind::Tokens, MINUTE), 100),
    (key(1, Kind::Tokens, SECOND), 70),
    (key(1, Kind::Concurrent, 0), 4),
    (key(1, Kind::Tokens, HOUR), 260),
    (key(2, Kind::Tokens, MINUTE), 90),
    (key(2, Kind::Requests, SECOND), 3),
    (key(2, Kind::Tokens, DAY), 400),
    (key(2, Kind::Requests, DAY), 30),
];

#[derive(Clone, Copy, Debug)]
pub(crate) enum Jump {
    Stay,
    By(u64),
    Back(u64),
    /// To a moment at which something stops counting, or the microsecond before.
    ToExpiry(prop::sample::Index, u64),
    /// To a time that was announced, or the microsecond before.
    ToAnnounced(prop::sample::Index, u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Bits of `limits` choose from [`LIMITS`].
    Reserve {
        request: u8,
        limits: u16,
        log: u64,
        hold: u64,
    },
    Input(prop::sample::Index, u64),
    /// By so much more, which may be nothing.
    Charge(prop::sample::Index, u64),
    /// So much at least, and at best so much more.
    Cover(prop::sample::Index, u64, u64),
    CancelWait(prop::sample::Index),
    Release(prop::sample::Index),
    Settle(prop::sample::Index, Option<u64>, u64),
    Recount(prop::sample::Index),
    Lapse(prop::sample::Index),
    RefundTokens(prop::sample::Index),
    RefundAll(prop::sample::Index),
    SetN(prop::sample::Index, u64),
    Advance,
    IsEmpty,
}

pub(crate) fn jump() -> impl Strategy<Value = Jump> {
    prop_oneof![
        3 => Just(Jump::Stay),
        6 => prop_oneof![1..2_000u64, 1..SECOND, 1..40 * SECOND].prop_map(Jump::By),
        1 => prop_oneof![1..3u64, 1..HOUR].prop_map(Jump::Back),
        1 => prop_oneof![3 => 1..2 * MINUTE, 1 => 1..HOUR, 1 => 1..2 * DAY].prop_map(Jump::By),
        4 => (any::<prop::sample::Index>(), 0..2u64).prop_map(|(i, early)| Jump::ToExpiry(i, early)),
        4 => (any::<prop::sample::Index>(), 0..2u64).prop_map(|(i, early)| Jump::ToAnnounced(i, early)),
    ]
}

/// Which limits a request asks: often those of a plan, and sometimes any.
pub(crate) fn limits() -> impl Strategy<Value = u16> {
    let plans =
        vec![0b1, 0b10, 0b11, 0b100, 0b110, 0b1111, 0b1_0010, 0b1_1111, 0b10_0000, 0b10_0010, 0b110_0000, 0b1110_0000, 0b1_1110_0000];
    prop_oneof![3 => prop::sample::select(plans), 1 => any::<u16>()]
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let hold = any::<prop::sample::Index>;
    let amount = || prop_oneof![8 => 0..24u64, 2 => 0..110u64, 1 => Just(0u64), 1 => Just(1u64)];
    prop_oneof![
        12 => (0..40u8, limits(), prop_oneof![2 => amount(), 1 => 20..100u64], prop_oneof![2 => amount(), 2 => 0..6u64])
            .prop_map(|(request, limits, log, hold)| Op::Reserve { request, limits, log, hold }),
        2 => (hold(), amount()).prop_map(|(h, x)| Op::Input(h, x)),
        5 => (hold(), amount()).prop_map(|(h, x)| Op::Charge(h, x)),
        8 => (hold(), prop_oneof![amount(), 20..90u64], prop_oneof![Just(0), amount()]).prop_map(|(h, x, y)| Op::Cover(h, x, y)),
        1 => hold().prop_map(Op::CancelWait),
        2 => hold().prop_map(Op::Release),
        1 => (hold(), prop::option::of(amount()), amount()).prop_map(|(h, i, o)| Op::Settle(h, i, o)),
        1 => hold().prop_map(Op::Lapse),
        1 => hold().prop_map(Op::RefundTokens),
        1 => hold().prop_map(Op::RefundAll),
        1 => (any::<prop::sample::Index>(), prop_oneof![0..8u64, 1..150u64, 100..500u64]).prop_map(|(k, n)| Op::SetN(k, n)),
        1 => Just(Op::Advance),
        1 => Just(Op::IsEmpty),
    ]
}

/// What is counted again later, among all else.
pub(crate) fn history_with_recounts(steps: usize) -> impl Strategy<Value = Vec<(Jump, Op)>> {
    let recount = any::<prop::sample::Index>().prop_map(Op::Recount);
    prop::collection::vec((jump(), prop_oneof![4 => op(), 1 => recount]), 1..steps)
}

/// The same cases each time, unless the environment asks for a longer search: then others each time.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let base = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { base } else { ProptestConfig { cases, rng_seed: RngSeed::Fixed(1), ..base } }
}

pub(crate) fn history(steps: usize) -> impl Strategy<Value = Vec<(Jump, Op)>> {
    prop::collection::vec((jump(), op()), 1..steps)
}

/// An op whose hold, time and numbers are fixed, so that another ledger can play it.
#[derive(Clone, Debug)]
pub(crate) enum Fixed {
    Reserve(u128, Vec<Ask>),
    Input(usize, u64),
    Charge(usize, u64),
    Cover(usize, u64, u64),
    CancelWait(usize),
    Release(usize),
    Settle(usize, Settlement),
    Recount(usize),
    Lapse(usize),
    RefundTokens(usize),
    RefundAll(usize),
    SetN(LimitKey, u64),
    Advance,
    IsEmpty,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Admitted(usize),
    Refused(Refusal),
    Debt(u64),
    Covered(Cover),
    Done,
    Change(Option<u64>),
    Empty(bool),
}

/// A ledger as histories use it: holds by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Player {
    pub(crate) ledger: Ledger,
    pub(crate) holds: Vec<HoldId>,
}

impl Player {
    pub(crate) fn statuses(&self, n: &[u64], now: u64) -> Vec<Status> {
        let mut ledger = self.ledger.clone();
        LIMITS.iter().zip(n).map(|((key, _), n)| ledger.status(*key, *n, now)).collect()
    }

    pub(crate) fn play(&mut self, fixed: &Fixed, now: u64) -> Outcome {
        let ledger = &mut self.ledger;
        let hold = |index: &usize| self.holds[*index];
        match fixed {
            Fixed::Reserve(request, asks) => match ledger.reserve(*request, asks, now) {
                Ok(id) => {
                    let known = self.holds.iter().position(|known| *known == id);
                    Outcome::Admitted(known.unwrap_or_else(|| {
                        self.holds.push(id);
                        self.holds.len() - 1
                    }))
                }
                Err(refusal) => Outcome::Refused(refusal),
            },
            Fixed::Input(h, exact) => Outcome::Debt(ledger.input(hold(h), *exact, now)),
            Fixed::Charge(h, total) => Outcome::Debt(ledger.charge(hold(h), *total, now)),
            Fixed::Cover(h, least, want) => Outcome::Covered(ledger.cover(hold(h), *least, *want, now)),
            Fixed::CancelWait(h) => {
                ledger.cancel_wait(hold(h), now);
                Outcome::Done
            }
            Fixed::Settle(h, settlement) => Outcome::Debt(ledger.settle(hold(h), *settlement, now)),
            Fixed::Recount(h) => {
                ledger.recount(hold(h), now);
                Outcome::Done
            }
            Fixed::Release(h) => {
                ledger.release(hold(h), now);
                Outcome::Done
            }
            Fixed::Lapse(h) => {
                ledger.lapse(hold(h), now);
                Outcome::Done
            }
            Fixed::RefundTokens(h) => {
                ledger.refund_tokens(hold(h), now);
                Outcome::Done
            }
            Fixed::RefundAll(h) => {
                ledger.refund_all(hold(h), now);
                Outcome::Done
            }
            Fixed::SetN(key, n) => {
                // As the plan's change comes: with the time told first.
                ledger.advance(now);
                ledger.set_n(*key, *n);
                Outcome::Done
            }
            Fixed::Advance => Outcome::Change(ledger.advance(now)),
            Fixed::IsEmpty => Outcome::Empty(ledger.is_empty(now)),
        }
    }
}

/// The ledger beside its oracle.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) player: Player,
    pub(crate) oracle: Oracle,
    pub(crate) n: Vec<u64>,
    pub(crate) now: u64,
    pub(crate) announced: Vec<u64>,
    /// Totals charged so far, by hold.
    outputs: Vec<u64>,
    oracle_holds: Vec<u64>,
    pub(crate) played: Vec<(u64, Fixed, Outcome)>,
}

impl World {
    pub(crate) fn new(caps: &'static Caps) -> Self {
        let now = 1_000 * DAY;
        let mut ledger = Ledger::with_caps(caps);
        ledger.advance(now);
        Self {
            player: Player { ledger, holds: Vec::new() },
            oracle: Oracle { now, ..Oracle::default() },
            n: LIMITS.iter().map(|(_, n)| *n).collect(),
            now,
            announced: Vec::new(),
            outputs: Vec::new(),
            oracle_holds: Vec::new(),
            played: Vec::new(),
        }
    }

    pub(crate) fn oracle_hold(&self, hold: usize) -> Option<&OracleHold> {
        self.oracle.holds.get(&self.oracle_holds[hold])
    }

    pub(crate) fn asks(&self, limits: u16, log: u64, hold: u64) -> Vec<Ask> {
        let chosen = (0..LIMITS.len()).filter(|i| limits & (1 << i) != 0);
        chosen
            .map(|i| {
                let (key, n) = (LIMITS[i].0, self.n[i]);
                match key.kind {
                    Kind::Requests => Ask { key, n, log: 1, hold: 0 },
                    Kind::Tokens => Ask { key, n, log, hold },
                    Kind::Concurrent => Ask { key, n, log: 0, hold: 1 },
                }
            })
            .collect()
    }

    fn jump(&self, jump: Jump) -> u64 {
        match jump {
            Jump::Stay => self.now,
            Jump::By(us) => self.now + us,
            Jump::Back(us) => self.now - us,
            Jump::ToExpiry(index, early) => {
                let times = self.oracle.expiries();
                if times.is_empty() { self.now } else { index.get(&times) - early }
            }
            Jump::ToAnnounced(index, early) => {
                let times: Vec<u64> = self.announced.iter().copied().filter(|t| *t > self.now).collect();
                if times.is_empty() { self.now } else { index.get(&times) - early }
            }
        }
    }

    /// A hold: usually one that lives, and often one that is preferred; sometimes one that has ended.
    fn choose(&self, index: prop::sample::Index, preferred: impl Fn(&OracleHold) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.player.holds.len()).collect();
        let live: Vec<usize> = all.iter().copied().filter(|hold| self.oracle_hold(*hold).is_some()).collect();
        let best: Vec<usize> = live.iter().copied().filter(|hold| self.oracle_hold(*hold).is_some_and(&preferred)).collect();
        let from = match index.index(16) {
            0 => &all,
            1..=8 if !best.is_empty() => &best,
            _ if live.is_empty() => &all,
            _ => &live,
        };
        // The choice among them must not follow from the choice of them.
        (!from.is_empty()).then(|| from[index.index(1 << 20) % from.len()])
    }

    fn fix(&mut self, op: Op) -> Option<Fixed> {
        let any = |index: prop::sample::Index| self.choose(index, |_| true);
        Some(match op {
            Op::Reserve { request, limits, log, hold } => Fixed::Reserve(u128::from(request), self.asks(limits, log, hold)),
            Op::Input(h, exact) => Fixed::Input(any(h)?, exact),
            Op::Charge(h, more) => Fixed::Charge(any(h)?, self.outputs[any(h)?] + more),
            Op::Cover(h, least, more) => Fixed::Cover(self.choose(h, |hold| hold.wanted + hold.unheard > 0)?, least, least + more),
            Op::CancelWait(h) => Fixed::CancelWait(self.choose(h, |hold| hold.wanted > 0)?),
            Op::Release(h) => Fixed::Release(any(h)?),
            Op::Settle(h, input, more) => {
                Fixed::Settle(any(h)?, Settlement { input, output: (self.outputs[any(h)?] + more).saturating_sub(3) })
            }
            Op::Recount(h) => Fixed::Recount(any(h)?),
            Op::Lapse(h) => Fixed::Lapse(any(h)?),
            Op::RefundTokens(h) => Fixed::RefundTokens(any(h)?),
            Op::RefundAll(h) => Fixed::RefundAll(any(h)?),
            Op::SetN(k, n) => {
                let index = k.index(LIMITS.len());
                self.n[index] = n;
                Fixed::SetN(LIMITS[index].0, n)
            }
            Op::Advance => Fixed::Advance,
            Op::IsEmpty => Fixed::IsEmpty,
        })
    }

    /// Plays one step to both, and demands that both answer the same; what happened, and when.
    pub(crate) fn step(&mut self, jump: Jump, op: Op) -> Option<(Fixed, Outcome)> {
        let now = self.jump(jump);
        let fixed = self.fix(op)?;
        self.now = self.now.max(now);
        let outcome = self.player.play(&fixed, now);
        self.tell_oracle(&fixed, &outcome, now);
        if let Outcome::Refused(Refusal { retry: Retry::At { at, .. }, .. }) | Outcome::Change(Some(at)) = outcome {
            self.announced.push(at);
        }
        self.played.push((now, fixed.clone(), outcome.clone()));
        Some((fixed, outcome))
    }

    fn tell_oracle(&mut self, fixed: &Fixed, outcome: &Outcome, now: u64) {
        let hold = |index: &usize| self.oracle_holds[*index];
        let oracle = &mut self.oracle;
        match fixed {
            Fixed::Reserve(request, asks) => match (oracle.reserve(*request, asks, now), outcome) {
                (Ok(id), Outcome::Admitted(hold)) if *hold == self.oracle_holds.len() => {
                    self.oracle_holds.push(id);
                    self.outputs.push(0);
                }
                (Ok(id), Outcome::Admitted(hold)) => assert_eq!(self.oracle_holds[*hold], id, "the same request is the same hold"),
                (Err(blocked), Outcome::Refused(refusal)) => {
                    let mut named: Vec<usize> = refusal.blocked.iter().map(|b| b.ask).collect();
                    named.sort_unstable();
                    assert_eq!(named, blocked, "the limits that refuse");
                    for told in &refusal.blocked {
                        let (key, n) = (asks[told.ask].key, asks[told.ask].n);
                        let truth = (oracle.used(&key), oracle.held(&key), oracle.waiting(&key), n);
                        assert_eq!((told.used, told.held, told.waiting, told.n), truth, "what a refusal tells of {key:?}");
                        assert_eq!(told.requested, asked_of(&asks[told.ask]));
                    }
                }
                (oracle, ledger) => panic!("oracle {oracle:?}, ledger {ledger:?}"),
            },
            Fixed::Input(h, exact) => assert_eq!(*outcome, Outcome::Debt(oracle.input(hold(h), *exact, now)), "debt of input"),
            Fixed::Charge(h, total) => {
                assert_eq!(*outcome, Outcome::Debt(oracle.charge(hold(h), *total, now)), "debt of output");
                self.outputs[*h] = self.outputs[*h].max(*total);
            }
            Fixed::Settle(h, s) => {
                assert_eq!(*outcome, Outcome::Debt(oracle.settle(hold(h), s.input, s.output, now)), "debt of a settlement");
            }
            Fixed::Cover(h, least, want) => {
                let cover = oracle.cover(hold(h), *least, *want, now).map_or(Cover::Waiting, Cover::Covered);
                assert_eq!(*outcome, Outcome::Covered(cover), "cover");
            }
            Fixed::Recount(h) => oracle.recount(hold(h), now),
            Fixed::CancelWait(h) => oracle.cancel_wait(hold(h), now),
            Fixed::Release(h) => oracle.release(hold(h), now),
            Fixed::Lapse(h) => oracle.lapse(hold(h), now),
            Fixed::RefundTokens(h) => oracle.refund(hold(h), false, now),
            Fixed::RefundAll(h) => oracle.refund(hold(h), true, now),
            Fixed::SetN(key, n) => {
                oracle.enter(now);
                oracle.set_n(*key, *n);
            }
            Fixed::Advance => oracle.enter(now),
            Fixed::IsEmpty => {
                oracle.enter(now);
                let idle = |(key, _): (&LimitKey, _)| oracle.used(key) == 0 && oracle.waiting(key) == 0;
                let empty = oracle.holds.is_empty() && oracle.lines.iter().all(idle);
                let Outcome::Empty(said) = outcome else { panic!("not an answer: {outcome:?}") };
                assert_eq!(*said, empty, "empty");
            }
        }
    }

    /// Tells the oracle alone what an input was.
    pub(crate) fn input_only(&mut self, hold: usize, exact: u64) {
        self.oracle.input(self.oracle_holds[hold], exact, self.now);
    }

    /// Every limit as the ledger sees it now, looked at through a copy, so that looking changes nothing.
    pub(crate) fn statuses(&self) -> Vec<Status> {
        self.player.statuses(&self.n, self.now)
    }

    /// Both see the same of every limit, now.
    pub(crate) fn agree(&self) {
        for (index, status) in self.statuses().into_iter().enumerate() {
            let key = LIMITS[index].0;
            assert_eq!(status, self.oracle.status(&key, self.n[index]), "{key:?}");
        }
        for (index, id) in self.player.holds.iter().enumerate() {
            assert_eq!(self.player.ledger.hold_left(*id), self.oracle_hold(index).map(|hold| hold.left), "left of hold {index}");
            let chance = self.player.ledger.clone().next_chance(*id, self.now);
            let oracle = self.oracle.next_chance(self.oracle_holds[index]);
            let in_time = oracle.is_none_or(|at| chance.is_some_and(|chance| chance > self.now && chance <= at));
            assert!(in_time, "hold {index} looks again at {chance:?}, and things change at {oracle:?}");
        }
    }
}
