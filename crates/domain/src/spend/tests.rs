//! Ceilings by hand and against a model: what holds keep free, what alarms, and what a day forgets.

use proptest::prelude::*;

use super::*;

const TODAY: SpendDay = SpendDay(20_000);
const TOMORROW: SpendDay = SpendDay(20_001);

fn name(n: usize) -> ProviderName {
    format!("p{n}").into()
}

fn plan(n: usize) -> PlanId {
    format!("plan{n}").into()
}

fn ceilings(installation: Option<i64>, providers: &[Option<i64>], plans: &[Option<i64>]) -> SpendCeilings {
    let of = |list: &[Option<i64>]| list.iter().copied().enumerate().filter_map(|(n, c)| Some((n, Money(c?)))).collect::<Vec<_>>();
    SpendCeilings {
        installation: installation.map(Money),
        providers: of(providers).into_iter().map(|(n, c)| (name(n), c)).collect(),
        plans: of(plans).into_iter().map(|(n, c)| (plan(n), c)).collect(),
    }
}

fn with(ceilings: SpendCeilings) -> DaySpend {
    let mut spend = DaySpend::default();
    spend.set_ceilings(ceilings);
    spend
}

/// Spent and held of the first ceiling.
fn first(spend: &mut DaySpend, day: SpendDay) -> (i64, i64) {
    let standing = spend.standings(day).remove(0);
    (standing.spent.0, standing.held.0)
}

#[test]
fn what_is_held_is_not_free_and_comes_back_when_it_was_not_needed() {
    let mut spend = with(ceilings(Some(100), &[], &[]));
    let alarms = &mut Vec::new();
    let one = spend.hold(TODAY, &plan(0), Money(60), alarms).unwrap();
    assert_eq!(spend.hold(TODAY, &plan(0), Money(41), alarms), None);
    let two = spend.hold(TODAY, &plan(1), Money(40), alarms).unwrap();
    spend.settle(one, Some(&name(0)), Money(10), alarms);
    assert_eq!(first(&mut spend, TODAY), (10, 40));
    let three = spend.hold(TODAY, &plan(0), Money(50), alarms).unwrap();
    spend.release(two);
    spend.settle(three, Some(&name(0)), Money(70), alarms);
    assert_eq!(first(&mut spend, TODAY), (80, 0), "what a provider reveals later counts, too");
}

#[test]
fn a_provider_that_has_no_room_is_one_to_pass_by() {
    let mut spend = with(ceilings(None, &[Some(100), Some(500)], &[]));
    let alarms = &mut Vec::new();
    let mut hold = spend.hold(TODAY, &plan(0), Money(80), alarms).unwrap();
    assert!(spend.hold_at(&mut hold, &name(0), alarms));
    let mut other = spend.hold(TODAY, &plan(0), Money(80), alarms).unwrap();
    assert!(!spend.hold_at(&mut other, &name(0), alarms) && spend.hold_at(&mut other, &name(1), alarms));
    assert_eq!(spend.standings(TODAY).iter().map(|s| s.held.0).collect::<Vec<_>>(), [80, 80]);
    assert!(spend.hold_at(&mut hold, &name(1), alarms), "and the one before is let go");
    assert!(spend.hold_at(&mut other, &name(0), alarms));
    spend.grow(&mut other, Money(90));
    spend.grow(&mut other, Money(85));
    assert_eq!(spend.standings(TODAY).iter().map(|s| s.held.0).collect::<Vec<_>>(), [90, 80]);
    spend.settle(other, Some(&name(0)), Money(90), alarms);
    spend.release(hold);
    assert_eq!(spend.standings(TODAY).iter().map(|s| (s.spent.0, s.held.0)).collect::<Vec<_>>(), [(90, 0), (0, 0)]);
}

#[test]
fn each_level_is_told_once_a_day_and_anew_under_a_higher_ceiling() {
    let mut spend = with(ceilings(Some(100), &[], &[Some(1_000)]));
    let told = |spend: &mut DaySpend, day, cost| {
        let mut alarms = Vec::new();
        spend.spend(day, &plan(0), Some(&name(0)), Money(cost), &mut alarms);
        alarms.iter().map(|alarm| (alarm.scope.to_string(), alarm.level)).collect::<Vec<_>>()
    };
    let whole = |level| vec![("installation".to_owned(), level)];
    assert_eq!(told(&mut spend, TODAY, 79), []);
    assert_eq!(told(&mut spend, TODAY, 1), whole(SpendLevel::Near));
    assert_eq!(told(&mut spend, TODAY, 19), []);
    assert_eq!(told(&mut spend, TODAY, 1), whole(SpendLevel::Reached));
    assert_eq!(told(&mut spend, TODAY, 100), []);
    spend.set_ceilings(ceilings(Some(1_000), &[], &[]));
    assert_eq!(told(&mut spend, TODAY, 600), whole(SpendLevel::Near));
    assert_eq!(told(&mut spend, TOMORROW, 900), whole(SpendLevel::Near), "and on the next day");
    let mut alarms = Vec::new();
    assert_eq!(spend.hold(TOMORROW, &plan(0), Money(101), &mut alarms), None);
    assert_eq!((alarms.len(), alarms[0].level), (1, SpendLevel::Reached), "a refusal says that it is reached");
    assert_eq!(spend.hold(TOMORROW, &plan(0), Money(101), &mut alarms), None);
    assert_eq!(alarms.len(), 1);
}

#[test]
fn a_day_begins_with_nothing_and_no_day_comes_back() {
    let mut spend = with(ceilings(Some(100), &[Some(100)], &[]));
    let alarms = &mut Vec::new();
    let mut old = spend.hold(TODAY, &plan(0), Money(100), alarms).unwrap();
    let new = spend.hold(TOMORROW, &plan(0), Money(90), alarms).unwrap();
    assert!(spend.hold_at(&mut old, &name(0), alarms));
    spend.grow(&mut old, Money(1_000));
    assert_eq!(first(&mut spend, TOMORROW), (0, 90));
    spend.settle(old, Some(&name(0)), Money(100), alarms);
    assert_eq!(first(&mut spend, TOMORROW), (0, 90), "what began yesterday counts yesterday");
    assert_eq!(spend.hold(TODAY, &plan(0), Money(11), alarms), None, "a clock that is set back opens nothing");
    spend.settle(new, Some(&name(0)), Money(5), alarms);
    assert_eq!(first(&mut spend, TODAY), (5, 0));
    assert_eq!(SpendDay::of(UnixMicros(-1)).begin(), UnixMicros(-86_400_000_000));
}

#[test]
fn what_is_counted_from_elsewhere_is_counted_once() {
    let mut spend = with(ceilings(Some(100), &[Some(100)], &[Some(100)]));
    let alarms = &mut Vec::new();
    let hold = spend.hold(TODAY, &plan(0), Money(10), alarms).unwrap();
    spend.spend(TODAY, &plan(0), Some(&name(0)), Money(3), alarms);
    let before = spend.clone();
    spend.settle(hold, Some(&name(0)), Money(5), alarms);
    spend.forget(&before);
    spend.spend(TODAY, &plan(0), Some(&name(0)), Money(40), alarms);
    assert_eq!(spend.standings(TODAY).iter().map(|s| (s.spent.0, s.held.0)).collect::<Vec<_>>(), [(45, 0); 3]);
    spend.spend(TOMORROW, &plan(0), Some(&name(0)), Money(7), alarms);
    spend.forget(&before);
    assert_eq!(first(&mut spend, TOMORROW), (7, 0));
}

#[test]
fn what_costs_nothing_has_room_and_what_nobody_knows_counts_everywhere() {
    let mut spend = with(ceilings(Some(0), &[Some(0), Some(9)], &[]));
    let alarms = &mut Vec::new();
    let mut free = spend.hold(TODAY, &plan(0), Money(0), alarms).unwrap();
    assert!(spend.hold_at(&mut free, &name(0), alarms) && spend.hold(TODAY, &plan(0), Money(1), alarms).is_none());
    spend.release(free);
    spend.spend(TODAY, &plan(0), None, Money(7), alarms);
    assert_eq!(spend.standings(TODAY).iter().map(|s| s.spent.0).collect::<Vec<_>>(), [7, 7, 7]);
}

#[derive(Clone, Debug)]
enum Step {
    Begin { plan: usize, provider: usize, amount: i64 },
    Grow { which: usize, more: i64 },
    Fail { which: usize, provider: usize },
    End { which: usize, percent: i64 },
    Leave { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize, 0..3_usize, 0..60_i64).prop_map(|(plan, provider, amount)| Step::Begin { plan, provider, amount }),
        1 => (0..9_usize, 0..20_i64).prop_map(|(which, more)| Step::Grow { which, more }),
        1 => (0..9_usize, 0..3_usize).prop_map(|(which, provider)| Step::Fail { which, provider }),
        3 => (0..9_usize, 0..150_i64).prop_map(|(which, percent)| Step::End { which, percent }),
        1 => (0..9_usize).prop_map(|which| Step::Leave { which }),
    ]
}

proptest! {
    #[test]
    fn no_ceiling_is_passed_but_by_what_is_revealed_later(
        whole in proptest::option::of(0..400_i64),
        providers in proptest::collection::vec(proptest::option::of(0..200_i64), 3),
        plans in proptest::collection::vec(proptest::option::of(0..200_i64), 3),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut spend = with(ceilings(whole, &providers, &plans));
        let mut alarms = Vec::new();
        let mut open: Vec<(SpendHold, usize, Option<usize>)> = Vec::new();
        let (mut revealed, mut costs) = (0, 0);
        for step in steps {
            match step {
                Step::Begin { plan: of, provider, amount } => {
                    if let Some(mut hold) = spend.hold(TODAY, &plan(of), Money(amount), &mut alarms) {
                        let at = spend.hold_at(&mut hold, &name(provider), &mut alarms).then_some(provider);
                        open.push((hold, of, at));
                    }
                }
                Step::Grow { which, more } => if let Some((hold, _, _)) = open.get_mut(which) {
                    revealed += more;
                    let amount = Money(hold.amount().0 + more);
                    spend.grow(hold, amount);
                },
                Step::Fail { which, provider } => if let Some((hold, _, at)) = open.get_mut(which) {
                    *at = spend.hold_at(hold, &name(provider), &mut alarms).then_some(provider);
                },
                Step::End { which, percent } if which < open.len() => {
                    let (hold, _, at) = open.swap_remove(which);
                    // Nobody is charged by a provider that was not asked.
                    let cost = if at.is_some() { hold.amount().0 * percent / 100 } else { 0 };
                    revealed += (cost - hold.amount().0).max(0);
                    costs += cost;
                    spend.settle(hold, at.map(name).as_ref(), Money(cost), &mut alarms);
                }
                Step::Leave { which } if which < open.len() => spend.release(open.swap_remove(which).0),
                Step::End { .. } | Step::Leave { .. } => {}
            }
            for standing in spend.standings(TODAY) {
                prop_assert!(standing.spent.0 + standing.held.0 <= standing.ceiling.0 + revealed, "{standing:?}, {revealed} revealed");
            }
        }
        open.into_iter().for_each(|(hold, _, _)| spend.release(hold));
        spend.set_ceilings(ceilings(Some(1_000_000), &[Some(1_000_000); 3], &[Some(1_000_000); 3]));
        let standings = spend.standings(TODAY);
        prop_assert!(standings.iter().all(|standing| standing.held.0 == 0));
        let sums = [0..1, 1..4, 4..7].map(|part| standings[part].iter().map(|standing| standing.spent.0).sum::<i64>());
        prop_assert_eq!(sums, [costs; 3]);
    }
}
