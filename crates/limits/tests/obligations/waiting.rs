//! I13, I14: whoever waits is served, and whatever is owed is paid.

use limits::{Ask, Caps, Cover, HoldId, Kind, Ledger, LimitKey, Retry};
use proptest::prelude::*;

use crate::history::{DAY, Fixed, LIMITS, MINUTE, SECOND, World, cases, history};

/// A paced stream: on some limits, with so much to say, in pieces that can't be divided, wanting some more ahead.
#[derive(Clone, Debug)]
struct Stream {
    limits: Vec<usize>,
    starts_us: u64,
    input: u64,
    hold: u64,
    output: u64,
    piece: u64,
    ahead: u64,
    /// Charges only when it waits and at its end.
    charges_late: bool,
}

#[derive(Clone, Debug)]
enum State {
    Coming(u64),
    Running(HoldId, u64),
    Ended,
}

const STREAM_LIMITS: [(LimitKey, u64); 6] = [
    (LimitKey { pool: 1, kind: Kind::Tokens, window_us: MINUTE }, 50),
    (LimitKey { pool: 1, kind: Kind::Tokens, window_us: SECOND }, 12),
    (LimitKey { pool: 2, kind: Kind::Tokens, window_us: MINUTE }, 40),
    (LimitKey { pool: 3, kind: Kind::Tokens, window_us: MINUTE }, 64),
    (LimitKey { pool: 3, kind: Kind::Requests, window_us: MINUTE }, 3),
    (LimitKey { pool: 2, kind: Kind::Tokens, window_us: 24 * 60 * MINUTE }, 100),
];

fn streams() -> impl Strategy<Value = Vec<Stream>> {
    let stream = (
        prop::sample::subsequence(vec![0, 1, 2, 3, 4, 5], 1..=6),
        0..3 * MINUTE,
        0..12u64,
        0..20u64,
        0..150u64,
        (1..70u64, 0..30u64, any::<bool>()),
    );
    let stream = stream.prop_map(|(limits, starts_us, input, hold, output, (piece, ahead, charges_late))| Stream {
        limits,
        starts_us,
        input,
        hold,
        output,
        piece,
        ahead,
        charges_late,
    });
    prop::collection::vec(stream, 1..12)
}

/// The one whose window makes no stream wait.
const LONG: usize = 5;

fn pauses(key: &LimitKey) -> bool {
    key.kind == Kind::Tokens && key.window_us <= 2 * MINUTE
}

fn asks_of(stream: &Stream, n: &[u64]) -> Vec<Ask> {
    let least = stream.limits.iter().filter(|i| STREAM_LIMITS[**i].0.kind == Kind::Tokens).map(|i| n[*i]).min().unwrap_or(0);
    let log = stream.input.min(least);
    let hold = stream.hold.min(least - log);
    let ask = |i: &usize| match STREAM_LIMITS[*i].0.kind {
        Kind::Tokens => Ask { key: STREAM_LIMITS[*i].0, n: n[*i], log, hold },
        Kind::Requests | Kind::Concurrent => Ask { key: STREAM_LIMITS[*i].0, n: n[*i], log: 1, hold: 0 },
    };
    stream.limits.iter().map(ask).collect()
}

/// Lets a stream go as far as it can; when it wants to be asked again, if it knows.
fn run(ledger: &mut Ledger, request: usize, stream: &Stream, state: &mut State, n: &[u64], now: u64) -> Option<u64> {
    if let State::Coming(at) = *state {
        if at > now {
            return Some(at);
        }
        match ledger.reserve(request as u128, &asks_of(stream, n), now) {
            Ok(hold) => *state = State::Running(hold, 0),
            Err(refusal) => {
                let Retry::At { at, .. } = refusal.retry else { panic!("never: {refusal:?}") };
                *state = State::Coming(at);
                return Some(at);
            }
        }
    }
    let State::Running(hold, mut said) = *state else { return None };
    loop {
        if said == stream.output {
            ledger.release(hold, now);
            *state = State::Ended;
            return Some(now);
        }
        let piece = stream.piece.min(stream.output - said);
        let Cover::Covered(left) = ledger.cover_beyond(hold, said, piece, piece + stream.ahead, now) else {
            assert_eq!(ledger.hold_left(hold), Some(0), "holds while it waits");
            return ledger.next_chance(hold, now);
        };
        let ever = stream.limits.iter().filter(|i| pauses(&STREAM_LIMITS[**i].0)).map(|i| n[*i]).min().unwrap_or(u64::MAX);
        assert!(left >= piece.min(ever), "{left} left of {piece}");
        said += piece.min(left);
        let debt = if stream.charges_late && said < stream.output { 0 } else { ledger.charge(hold, said, now) };
        assert!(debt == 0 || stream.limits.contains(&LONG), "what is covered owes nothing");
        *state = State::Running(hold, said);
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn i13_every_paced_stream_ends(streams in streams(), n in prop::collection::vec(1..70u64, 6)) {
        let mut ledger = Ledger::new();
        let mut states: Vec<State> = streams.iter().map(|stream| State::Coming(1 + stream.starts_us)).collect();
        let mut now = 1;
        for round in 0.. {
            prop_assert!(round < 60_000, "no end: {:?}", states);
            let mut next: Option<u64> = None;
            for (request, (stream, state)) in streams.iter().zip(&mut states).enumerate() {
                let wish = run(&mut ledger, request, stream, state, &n, now);
                next = [next, wish].into_iter().flatten().min();
            }
            if states.iter().all(|state| matches!(state, State::Ended)) {
                break;
            }
            let next = [next, ledger.advance(now)].into_iter().flatten().min();
            prop_assert!(next.is_some(), "stuck: {:?}", states);
            now = next.unwrap();
        }
        for ((key, _), n) in STREAM_LIMITS.iter().zip(&n) {
            let status = ledger.status(*key, *n, now);
            // Long windows make no stream wait, so there streams may owe.
            prop_assert!(status.waiting == 0 || (key.window_us > 2 * MINUTE && status.waiting == status.debt));
            prop_assert_eq!(status.held, 0);
        }
    }

    #[test]
    fn i13_without_new_work_every_queue_empties(steps in history(60), chosen in any::<u64>()) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            world.step(jump, op);
        }
        let n: Vec<u64> = world.n.iter().map(|n| (*n).max(1)).collect();
        for ((key, _), n) in LIMITS.iter().zip(&n) {
            world.player.ledger.set_n(*key, *n);
        }
        // Streams end in any order: some at once, the others each time that nothing else happens.
        let (at_once, late): (Vec<usize>, Vec<usize>) = (0..world.player.holds.len()).partition(|hold| chosen >> (hold % 64) & 1 == 1);
        for hold in at_once {
            world.player.play(&Fixed::Release(hold), world.now);
        }
        let mut late = late.into_iter();
        let mut now = world.now;
        for round in 0.. {
            prop_assert!(round < 20_000);
            match world.player.ledger.advance(now) {
                Some(next) => {
                    prop_assert!(next > now);
                    now = next;
                }
                None => match late.next() {
                    Some(hold) => drop(world.player.play(&Fixed::Release(hold), now)),
                    None => break,
                },
            }
        }
        prop_assert!(world.player.statuses(&n, now).iter().all(|status| status.waiting == 0));
    }

    /// Nobody need call: debts and those who wait, on several limits, come to the same at every later time, however seldom anybody looks.
    #[test]
    fn i14_whoever_looks_seldom_sees_the_same(steps in history(60), looks in prop::collection::vec(prop_oneof![0..SECOND, 0..DAY], 1..5)) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            world.step(jump, op);
        }
        let mut watched = world.player.clone();
        let mut next = watched.ledger.advance(world.now);
        let mut then = world.now;
        for look in looks {
            then += look;
            while let Some(at) = next.filter(|at| *at <= then) {
                next = watched.ledger.advance(at);
            }
            let seen = world.player.statuses(&world.n, then);
            prop_assert_eq!(&seen, &watched.statuses(&world.n, then));
            let mut oracle = world.oracle.clone();
            oracle.enter(then);
            for ((key, n), seen) in LIMITS.iter().map(|(key, _)| key).zip(&world.n).zip(seen) {
                prop_assert_eq!(seen, oracle.status(key, *n));
            }
        }
    }

    #[test]
    fn i14_debt_is_paid_in_full_as_room_frees(
        n in 1..40u64,
        used in prop::collection::vec((0..SECOND, 0..40u64), 0..6),
        debts in prop::collection::vec(1..120u64, 1..4),
        looks in prop::collection::vec(0..4 * MINUTE, 0..20),
    ) {
        let key = LimitKey { pool: 1, kind: Kind::Tokens, window_us: MINUTE };
        let mut ledger = Ledger::new();
        let mut now = 1;
        let ask = |log| [Ask { key, n, log, hold: 0 }];
        let hold = ledger.reserve(0, &ask(0), now).unwrap();
        // (when, how much): everything that was ever counted.
        let mut counted: Vec<(u64, u64)> = Vec::new();
        for (request, (wait, amount)) in used.into_iter().enumerate() {
            now += wait;
            if ledger.reserve(1 + request as u128, &ask(amount), now).is_ok() {
                counted.push((now, amount));
            }
        }
        let total = debts.iter().sum::<u64>();
        let before = counted.iter().map(|(_, amount)| amount).sum::<u64>();
        let owed = ledger.charge(hold, total, now);
        prop_assert_eq!(owed, total.saturating_sub(n - before));
        counted.push((now, total - owed));
        ledger.release(hold, now);

        let mut unwatched = ledger.clone();
        let (started, mut debt) = (now, owed);
        while let Some(next) = ledger.advance(now) {
            let early = ledger.status(key, n, next - 1);
            prop_assert_eq!(early.debt, debt, "nothing changes before it was said to");
            prop_assert!(ledger.clone().reserve(99, &ask(0), next - 1).is_err(), "nothing passes those who wait");
            now = next;
            let status = ledger.status(key, n, now);
            prop_assert!(status.debt < debt);
            counted.push((now, debt - status.debt));
            debt = status.debt;
            let window: u64 = counted.iter().filter(|(at, _)| now < at + MINUTE).map(|(_, amount)| amount).sum();
            prop_assert_eq!(status.used, window);
            prop_assert!(window <= n);
        }
        prop_assert_eq!(debt, 0);
        prop_assert_eq!(counted.iter().map(|(_, amount)| amount).sum::<u64>(), before + total);
        prop_assert!(now <= started + MINUTE * (owed.div_ceil(n) + 1));

        // Whoever looks seldom sees the same.
        let mut then = started;
        for look in looks {
            then += look;
            let window: u64 = counted.iter().filter(|(at, _)| *at <= then && then < at + MINUTE).map(|(_, amount)| amount).sum();
            let paid: u64 = counted.iter().filter(|(at, _)| *at > started && *at <= then).map(|(_, amount)| amount).sum();
            let status = unwatched.status(key, n, then);
            prop_assert_eq!((status.used, status.debt), (window, owed - paid));
        }
    }
}
