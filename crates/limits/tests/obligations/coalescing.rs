//! Logs that are full merge: then everything holds to within the span of one entry, and memory is bounded.

use limits::{Ask, Caps, HoldId, Kind, Ledger, LimitKey, Retry};
use proptest::prelude::*;

use crate::history::{HOUR, MINUTE, SECOND, cases};

const CAPS: Caps = Caps { log_minute: 12, log_long: 6, ..Caps::DEFAULT };

const KEYS: [(LimitKey, u64); 4] = [
    (LimitKey { pool: 1, kind: Kind::Requests, window_us: MINUTE }, 60),
    (LimitKey { pool: 1, kind: Kind::Tokens, window_us: MINUTE }, 400),
    (LimitKey { pool: 1, kind: Kind::Tokens, window_us: SECOND }, 200),
    (LimitKey { pool: 1, kind: Kind::Tokens, window_us: HOUR }, 3_000),
];

#[derive(Clone, Debug)]
enum Step {
    Reserve { log: u64, hold: u64 },
    Charge(prop::sample::Index, u64),
    Input(prop::sample::Index, u64),
    Release(prop::sample::Index),
    RefundAll(prop::sample::Index),
}

/// Steps of one pace, so that entries gather, with leaps in between.
fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let pace = prop::sample::select(vec![3, 40_000, 150_000, 700_000, 2 * SECOND, 15 * SECOND]);
    pace.prop_flat_map(|pace| {
        let wait = prop_oneof![30 => 0..pace, 1 => 0..MINUTE, 1 => Just(MINUTE), 1 => Just(MINUTE - 1), 1 => Just(SECOND)];
        prop::collection::vec((wait, step()), 1..150)
    })
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (0..5u64, 0..9u64).prop_map(|(log, hold)| Step::Reserve { log, hold }),
        6 => (index(), 0..4u64).prop_map(|(hold, more)| Step::Charge(hold, more)),
        2 => (index(), 0..9u64).prop_map(|(hold, exact)| Step::Input(hold, exact)),
        3 => index().prop_map(Step::Release),
        1 => index().prop_map(Step::RefundAll),
    ]
}

/// One amount, when it was processed, and by which hold if it can be given back.
#[derive(Clone, Copy)]
struct Event {
    key: LimitKey,
    at: u64,
    amount: u64,
    given_by: Option<usize>,
}

struct Live {
    id: HoldId,
    input: u64,
    output: u64,
    left: u64,
}

#[derive(Default)]
struct Book {
    events: Vec<Event>,
    holds: Vec<Live>,
}

impl Book {
    fn sum(&self, key: &LimitKey, now: u64, window: u64) -> u64 {
        self.events.iter().filter(|e| e.key == *key && now < e.at + window).map(|e| e.amount).sum()
    }

    fn held(&self, key: &LimitKey) -> u64 {
        if key.kind == Kind::Tokens { self.holds.iter().map(|hold| hold.left).sum() } else { 0 }
    }

    fn give_back(&mut self, hold: usize, kind: Kind, amount: u64, now: u64) {
        for event in &mut self.events {
            if event.given_by == Some(hold) && event.key.kind == kind && now < event.at + event.key.window_us {
                event.amount -= amount;
            }
        }
    }

    fn log(&mut self, kind: Kind, at: u64, amount: u64, given_by: Option<usize>) {
        for (key, _) in KEYS.iter().filter(|(key, _)| key.kind == kind) {
            self.events.push(Event { key: *key, at, amount, given_by });
        }
    }
}

fn asks(log: u64, hold: u64) -> Vec<Ask> {
    let ask = |(key, n): &(LimitKey, u64)| match key.kind {
        Kind::Tokens => Ask { key: *key, n: *n, log, hold },
        Kind::Requests | Kind::Concurrent => Ask { key: *key, n: *n, log: 1, hold: 0 },
    };
    KEYS.iter().map(ask).collect()
}

/// Between the truth and what a window longer by one entry's span would count.
fn within_a_span(ledger: &Ledger, book: &Book, now: u64) {
    let mut ledger = ledger.clone();
    for (key, n) in KEYS {
        let status = ledger.status(key, n, now);
        let (least, most) = (book.sum(&key, now, key.window_us), book.sum(&key, now, key.window_us + CAPS.log_span_us(key.window_us)));
        assert!(least <= status.used && status.used <= most, "{key:?}: {least} <= {} <= {most}", status.used);
        assert_eq!(status.held, book.held(&key));
        assert!(status.used + status.held <= n);
        if let Some(at) = status.resets_at {
            assert_eq!(ledger.clone().status(key, n, at).used, 0);
            assert!(ledger.clone().status(key, n, at - 1).used > 0);
        }
    }
}

fn refused_rightly(ledger: &Ledger, book: &Book, now: u64, asks: &[Ask], retry: Retry) {
    let wide = |ask: &Ask, then: u64| book.sum(&ask.key, then, ask.key.window_us + CAPS.log_span_us(ask.key.window_us));
    let fits = |then: u64| asks.iter().all(|ask| wide(ask, then) + book.held(&ask.key) + ask.log + ask.hold <= ask.n);
    assert!(!fits(now), "refused what fits even a span later");
    let Retry::At { at, estimate } = retry else { panic!("never") };
    assert!(at > now);
    if !estimate {
        assert!(ledger.clone().reserve(u128::MAX, asks, at).is_ok());
        assert!(ledger.clone().reserve(u128::MAX, asks, at - 1).is_err());
        assert!(!fits(at - 1), "later than a span after the exact time");
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_full_log_errs_by_one_span_at_most_and_never_below_the_truth(steps in steps()) {
        let mut ledger = Ledger::with_caps(&CAPS);
        let (mut book, mut now) = (Book::default(), 1_000 * HOUR);
        for (number, (wait, step)) in steps.into_iter().enumerate() {
            now += wait;
            match step {
                Step::Reserve { log, hold } => match ledger.reserve(number as u128, &asks(log, hold), now) {
                    Ok(id) => {
                        let index = book.holds.len();
                        book.holds.push(Live { id, input: log, output: 0, left: hold });
                        book.log(Kind::Requests, now, 1, Some(index));
                        book.log(Kind::Tokens, now, log, Some(index));
                    }
                    Err(refusal) => refused_rightly(&ledger, &book, now, &asks(log, hold), refusal.retry),
                },
                _ if book.holds.is_empty() => {}
                Step::Charge(hold, more) => {
                    let index = hold.index(book.holds.len());
                    let live = &mut book.holds[index];
                    let more = more.min(live.left);
                    (live.output, live.left) = (live.output + more, live.left - more);
                    ledger.charge(live.id, live.output, now);
                    book.log(Kind::Tokens, now, more, None);
                }
                Step::Input(hold, exact) => {
                    let index = hold.index(book.holds.len());
                    let live = &mut book.holds[index];
                    let back = live.input.saturating_sub(exact);
                    if back > 0 && ledger.hold_left(live.id).is_some() {
                        live.input = exact;
                        ledger.input(live.id, exact, now);
                        book.give_back(index, Kind::Tokens, back, now);
                    }
                }
                Step::Release(hold) => {
                    let index = hold.index(book.holds.len());
                    let live = &mut book.holds[index];
                    live.left = 0;
                    ledger.release(live.id, now);
                }
                Step::RefundAll(hold) => {
                    let index = hold.index(book.holds.len());
                    let live = &mut book.holds[index];
                    live.left = 0;
                    if ledger.hold_left(live.id).is_some() {
                        ledger.refund_all(live.id, now);
                        let input = live.input;
                        book.give_back(index, Kind::Tokens, input, now);
                        book.give_back(index, Kind::Requests, 1, now);
                    }
                }
            }
            within_a_span(&ledger, &book, now);
        }
    }

    /// However much is counted, a log has half as many entries again as its bound, and one.
    #[test]
    fn a_log_is_bounded(waits in prop::collection::vec(0..300_000u64, 400..900)) {
        let key = KEYS[1].0;
        let mut ledger = Ledger::with_caps(&CAPS);
        let mut now = HOUR;
        let empty = ledger.memory_bytes();
        for (number, wait) in waits.into_iter().enumerate() {
            now += wait;
            let hold = ledger.reserve(number as u128, &[Ask { key, n: 1_000_000, log: 1, hold: 0 }], now).unwrap();
            ledger.release(hold, now);
        }
        // One chunk of 29 entries may be partly expired, another partly filled.
        prop_assert!(ledger.memory_bytes() - empty < 2_500, "{}", ledger.memory_bytes() - empty);
    }
}
