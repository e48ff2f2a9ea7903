//! What organisations share, against brute force: never over in any window, nothing refused that fits, nobody waits for ever, and a kill
//! forgets nothing.

use std::path::Path;
use std::sync::Arc;

use domain::{Clock, PoolId, PoolName, RequestId, Source};
use limits::{Cover, Settlement};
use proptest::prelude::*;

use super::*;
use crate::journal::disk::Folder;
use crate::journal::tail::Position;
use crate::journal::testing::{self, HandClock};
use crate::open_journal::open_on;
use crate::pools::{End, Hold};
use crate::{Directory, Pools};

const MINUTE: u64 = 60_000_000;
/// What each organisation may use, and all together.
const OWN: u64 = 1_000;
const SHARED: u64 = 1_500;
/// The plan of `testing::facts`.
const PLAN: &str = "starter";
const BOOT: [u8; 16] = [7; 16];

fn own() -> PoolLimits {
    let limits = [PoolLimit { kind: Kind::Tokens, window_us: MINUTE, n: OWN }];
    PoolLimits { name: PoolName::Row("any".into()), id: PoolId(9), source: Source::Plan, enforce: true, limits: limits.into() }
}

/// A stream in progress.
struct Stream {
    hold: Hold,
    org: u128,
    input: u64,
    /// Output that was relayed, that is covered, and that it is to have.
    passed: u64,
    covered: u64,
    most_covered: u64,
    total: u64,
}

/// Three organisations that share, and what brute force knows of them.
struct Shared {
    clock: Arc<HandClock>,
    directory: Arc<Directory>,
    pools: Pools,
    streams: Vec<Stream>,
    /// When tokens were processed, of which organisation, and how many.
    processed: Vec<(u64, u128, u64)>,
    asked: u128,
}

impl Shared {
    fn open(folder: &Path, clock: &Arc<HandClock>, boot: [u8; 16]) -> Self {
        let directory = testing::directory(3);
        let shared: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
        let common = Some(Arc::new(CommonPool::new(PLAN.into(), SHARED, MINUTE)));
        let disk = Box::new(Folder::open(folder).unwrap());
        let (_, pools) = open_on(disk, boot, &directory, common, Position::default(), &shared).unwrap();
        Self { clock: Arc::clone(clock), directory, pools, streams: Vec::new(), processed: Vec::new(), asked: 0 }
    }

    fn now(&self) -> u64 {
        self.clock.us()
    }

    fn used(&self, org: Option<u128>) -> u64 {
        let counts = |(at, whose, _): &&(u64, u128, u64)| at + MINUTE > self.now() && org.is_none_or(|org| org == *whose);
        self.processed.iter().filter(counts).map(|(.., tokens)| tokens).sum()
    }

    fn held(&self, org: Option<u128>) -> u64 {
        let of = |stream: &&Stream| org.is_none_or(|org| org == stream.org);
        self.streams.iter().filter(of).map(|stream| stream.covered - stream.passed).sum()
    }

    /// Whether a stream waits for something.
    fn waits(&self) -> bool {
        self.pools.common_view(self.clock.now()).unwrap().remaining == 0 || self.streams.iter().any(|s| s.covered == s.passed)
    }

    fn ask(&mut self, org: u128, plan: &str, input: u64, output: u64, total: u64) -> Result<(), Box<Refused>> {
        self.asked += 1;
        let demand = Demand { request: RequestId::from_bits(self.asked), input, output };
        let entry = self.directory.org(OrgId::from_bits(org)).unwrap();
        let (limits, common) = (own(), self.pools.common_of(&plan.into()).cloned());
        let mut hold = self.pools.reserve(&entry, &[&limits], common.as_deref(), demand, self.now())?;
        let facts = crate::GrantFacts { plan, ..testing::facts() };
        self.pools.write_grant(&[&limits], demand, &mut hold, facts).unwrap();
        self.processed.push((self.now(), org, input));
        self.streams.push(Stream { hold, org, input, passed: 0, covered: output, most_covered: output, total });
        Ok(())
    }

    /// A stream relays a piece if there is room for it, and ends after its last. Whether it moved.
    fn go_on(&mut self, index: usize, piece: u64) -> bool {
        let now = self.now();
        let stream = &mut self.streams[index];
        let next = (stream.passed + piece).min(stream.total);
        if next > stream.covered {
            match stream.hold.cover(next - stream.passed, next - stream.passed, now) {
                Cover::Waiting => {
                    // It may be served before it asks again.
                    (stream.covered, stream.most_covered) = (stream.passed, stream.most_covered.max(next));
                    return false;
                }
                Cover::Covered(left) => stream.covered = stream.passed + left,
            }
            stream.most_covered = stream.most_covered.max(stream.covered);
        }
        assert_eq!(stream.hold.charge(next, now), 0, "what is covered makes no debt");
        self.processed.push((now, stream.org, next - stream.passed));
        stream.passed = next;
        if next == stream.total {
            let Stream { hold, input, total, .. } = self.streams.swap_remove(index);
            hold.end(End::Settled(Settlement { input: Some(input), output: total }), now);
        }
        true
    }

    fn check(&self) {
        assert!(self.used(None) <= SHARED, "{} of all in a minute", self.used(None));
        (1..=3).for_each(|org| assert!(self.used(Some(org)) <= OWN));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn all_together_never_exceed_it_nothing_is_refused_that_fits_and_everything_ends(
        steps in proptest::collection::vec((0_u8..4, 0_u64..9_000_000, 1_u128..4, 1_u64..400, 1_u64..300), 1..120),
    ) {
        let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
        let mut all = Shared::open(folder.path(), &clock, BOOT);
        for (what, pass_us, org, input, output) in steps {
            clock.advance(pass_us);
            if what == 0 || all.streams.is_empty() {
                let waits = all.waits();
                let fits = all.used(None) + all.held(None) + input + output <= SHARED
                    && all.used(Some(org)) + all.held(Some(org)) + input + output <= OWN;
                match all.ask(org, PLAN, input, output, output + 200) {
                    Ok(()) => prop_assert!(fits, "more than there is room for"),
                    Err(refused) if !waits => {
                        prop_assert!(!fits, "{refused:?}");
                        let shared = refused.blocked.iter().find(|blocked| &*blocked.pool == "signup:starter");
                        prop_assert!(shared.is_none_or(|b| (b.used, b.held) == (SHARED, 0)), "what others use is told");
                    }
                    Err(_) => {}
                }
            } else {
                let index = input as usize % all.streams.len();
                all.go_on(index, output);
            }
            all.check();
        }
        // With no new work everything ends: nobody waits for who waits for them.
        for _ in 0..400 {
            for index in (0..all.streams.len()).rev() {
                all.go_on(index, 150);
                all.check();
            }
            clock.advance(5_000_000);
            all.processed.retain(|(at, ..)| at + MINUTE > clock.us());
        }
        prop_assert_eq!(all.streams.len(), 0);
        clock.advance(MINUTE);
        let view = all.pools.common_view(clock.now()).unwrap();
        prop_assert_eq!((view.used, view.held, view.remaining), (0, 0, SHARED));
    }

    #[test]
    fn a_kill_forgets_nothing_of_it_and_counts_no_more_than_was_held(
        steps in proptest::collection::vec((0_u8..7, 0_u64..4_000_000, 1_u128..4, 1_u64..300, 1_u64..200), 1..60),
    ) {
        let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
        let mut all = Shared::open(folder.path(), &clock, BOOT);
        for (what, pass_us, org, input, output) in steps {
            clock.advance(pass_us);
            if what == 6 {
                all.pools.journal.take_snapshot(&all.pools).unwrap();
            } else if what < 2 || all.streams.is_empty() {
                drop(all.ask(org, PLAN, input, output, output + 100));
            } else {
                let index = input as usize % all.streams.len();
                all.go_on(index, output);
                all.pools.journal.write_figures(clock.now());
            }
        }
        all.pools.journal.kill();
        // Nobody is left who could write: their guards do nothing.
        let again = Shared::open(folder.path(), &clock, BOOT);
        // A snapshot moves the clocks of ledgers on by a microsecond.
        clock.advance(10);
        let view = again.pools.common_view(clock.now()).unwrap();
        // What was given back is written nowhere: it counts as held.
        let (used, held) = (all.used(None), all.streams.iter().map(|stream| stream.most_covered).sum::<u64>());
        prop_assert!(used <= view.used && view.used <= used + held, "{used} used, {held} held, {} after", view.used);
        prop_assert_eq!(view.held, 0);
    }
}

/// Its clock was read before the snapshot was taken, and it was admitted after that: it is in no snapshot.
#[test]
fn who_is_admitted_while_a_snapshot_is_taken_is_not_forgotten() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let mut all = Shared::open(folder.path(), &clock, BOOT);
    all.ask(1, PLAN, 100, 0, 0).unwrap();
    let read = all.now();
    clock.advance(1_000);
    all.pools.journal.take_snapshot(&all.pools).unwrap();
    let entry = all.directory.org(OrgId::from_bits(2)).unwrap();
    let (limits, common) = (own(), all.pools.common_of(&PLAN.into()).cloned());
    let demand = Demand { request: RequestId::from_bits(99), input: 700, output: 50 };
    let mut hold = all.pools.reserve(&entry, &[&limits], common.as_deref(), demand, read).unwrap();
    all.pools.write_grant(&[&limits], demand, &mut hold, testing::facts()).unwrap();
    all.pools.journal.kill();
    let again = Shared::open(folder.path(), &clock, BOOT);
    assert_eq!(again.pools.common_view(clock.now()).unwrap().used, 850);
    let own = again.pools.views(&again.directory.org(OrgId::from_bits(2)).unwrap(), clock.now());
    assert!(own.iter().all(|view| view.used <= 750), "and counted once: {own:?}");
}

#[test]
fn whoever_is_on_another_plan_neither_fills_it_nor_is_stopped_by_it() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let mut all = Shared::open(folder.path(), &clock, BOOT);
    all.ask(1, "growth", 900, 100, 100).unwrap();
    let used = |all: &Shared| all.pools.common_view(clock.now()).unwrap().used;
    assert_eq!(used(&all), 0);
    all.ask(2, PLAN, 900, 100, 100).unwrap();
    let refused = all.ask(3, PLAN, 501, 0, 0).unwrap_err();
    assert_eq!((refused.blocked.len(), &*refused.blocked[0].pool, refused.blocked[0].requested), (1, "signup:starter", 501));
    all.ask(3, "growth", 501, 0, 0).unwrap();
    all.ask(3, PLAN, 400, 0, 0).unwrap();
    assert_eq!(used(&all), 1_300);
}

#[test]
fn who_is_refused_by_both_is_told_when_both_have_room_and_what_was_refused_took_nothing() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let mut all = Shared::open(folder.path(), &clock, BOOT);
    all.ask(1, PLAN, 1_000, 0, 0).unwrap();
    clock.advance(20_000_000);
    all.ask(2, PLAN, 450, 0, 0).unwrap();
    clock.advance(1);
    // Its own limit has room a minute after the first, the shared one a minute after the second.
    let refused = all.ask(1, PLAN, 900, 700, 700).unwrap_err();
    let pools: Vec<_> = refused.blocked.iter().map(|blocked| &*blocked.pool).collect();
    assert_eq!((pools, opens(refused.retry)), (vec!["any", "signup:starter"], u64::MAX), "too much for it alone");
    let refused = all.ask(1, PLAN, 1_000, 0, 0).unwrap_err();
    assert_eq!(opens(refused.retry), all.now() - 1 - 20_000_000 + MINUTE, "its own is the later");
    all.ask(3, PLAN, 50, 0, 0).unwrap();
    clock.advance(MINUTE - 20_000_001);
    let refused = all.ask(1, PLAN, 1_000, 1, 1).unwrap_err();
    assert_eq!(&*refused.blocked[0].pool, "any");
    let refused = all.ask(3, PLAN, 900, 101, 101).unwrap_err();
    assert_eq!(opens(refused.retry), u64::MAX, "never for it alone: {refused:?}");
    all.ask(1, PLAN, 1_000, 0, 0).unwrap();
}

#[test]
fn after_a_loss_of_power_it_is_full_for_a_window() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let mut all = Shared::open(folder.path(), &clock, BOOT);
    all.ask(1, PLAN, 10, 0, 0).unwrap();
    all.pools.journal.kill();
    let lost_at = all.now();
    clock.advance(1_000_000);
    let mut again = Shared::open(folder.path(), &clock, [8; 16]);
    let view = again.pools.common_view(clock.now()).unwrap();
    assert_eq!((view.used, view.remaining), (SHARED, 0));
    let refused = again.pools.common_of(&PLAN.into()).unwrap().clone();
    let demand = Demand { request: RequestId::from_bits(77), input: 1, output: 0 };
    let refused = refused.reserve(demand, Some(lost_at), again.now()).unwrap_err();
    assert_eq!(opens(refused.retry), lost_at + MINUTE);
    clock.advance(MINUTE);
    again.ask(1, PLAN, 10, 0, 0).unwrap();
}

/// A stream that waits for its organisation holds nothing of what all share, so it keeps nobody from going on.
#[test]
fn two_streams_that_want_what_the_other_holds_both_end() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let mut all = Shared::open(folder.path(), &clock, BOOT);
    all.ask(1, PLAN, 0, 500, 900).unwrap();
    all.ask(1, PLAN, 0, 500, 900).unwrap();
    all.ask(2, PLAN, 0, 500, 900).unwrap();
    // The first waits at its organisation, which has no room for its next piece; the third gets what it held of what all share.
    assert!(all.go_on(0, 300) && !all.go_on(0, 400));
    assert!(all.go_on(2, 500) && all.go_on(2, 150));
    clock.advance(MINUTE);
    let mut rounds = 0;
    while !all.streams.is_empty() {
        for index in (0..all.streams.len()).rev() {
            all.go_on(index, 300);
        }
        all.check();
        clock.advance(1_000_000);
        rounds += 1;
        assert!(rounds < 200, "they wait for each other");
    }
}
