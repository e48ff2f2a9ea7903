//! The rules by hand.

use super::*;

const S: u64 = 1_000_000;

fn no(until_us: u64, why: Why) -> Admits {
    Admits::No { until_us, why }
}

fn fail(health: &mut Health, trouble: Trouble, wait_ms: Option<u64>, now_us: u64) -> Option<Change> {
    // Random bits of 0 give the whole of a step.
    health.failed(Attempt::plain(now_us), trouble, wait_ms, now_us, 0)
}

#[test]
fn a_cooldown_lasts_as_long_as_the_provider_said_and_is_never_shortened() {
    let mut health = Health::default();
    assert!(health.is_untroubled());
    fail(&mut health, Trouble::RateLimited, Some(20_000), S);
    fail(&mut health, Trouble::Overloaded, Some(1_000), S);
    let limited = Why::Cooling(Trouble::RateLimited);
    assert_eq!(health.admits(21 * S - 1), no(21 * S, limited));
    assert_eq!(health.admits(21 * S), Admits::Yes);
    assert!(!health.is_untroubled(), "until something succeeds the next wait is longer");
    fail(&mut health, Trouble::RateLimited, Some(86_400_000), 30 * S);
    assert_eq!(health.admits(30 * S), no(90 * S, limited), "bounded");
}

#[test]
fn without_a_word_waits_double_until_something_succeeds() {
    let mut health = Health::default();
    let mut now = S;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        fail(&mut health, Trouble::RateLimited, None, now);
        fail(&mut health, Trouble::RateLimited, None, now);
        assert_eq!(health.admits(now), no(now + wait * S, Why::Cooling(Trouble::RateLimited)), "one burst is one cooldown");
        now += wait * S;
    }
    assert_eq!(health.succeeded(Attempt::plain(S), now, 1), None);
    fail(&mut health, Trouble::RateLimited, None, now);
    assert_eq!(health.admits(now), no(now + 60 * S, Why::Cooling(Trouble::RateLimited)), "what began before says nothing");
    now += 60 * S;
    health.succeeded(Attempt::plain(now), now, 1);
    assert!(health.is_untroubled());
    fail(&mut health, Trouble::RateLimited, None, now);
    assert_eq!(health.admits(now), no(now + S, Why::Cooling(Trouble::RateLimited)));
    let jitter: Vec<_> = (0..9).map(|random| Backoff::WAIT.wait_us(2, random * 250_000)).collect();
    assert!(
        jitter.iter().all(|wait| (2 * S..=4 * S).contains(wait)) && jitter.contains(&(2 * S)) && jitter.contains(&(4 * S)),
        "{jitter:?}"
    );
}

#[test]
fn a_word_that_proves_wrong_again_and_again_is_believed_less() {
    let mut health = Health::default();
    let mut now = S;
    for wait_ms in [1, 1_000, 2_000, 4_000] {
        fail(&mut health, Trouble::RateLimited, Some(0), now);
        assert_eq!(health.admits(now), no(now + wait_ms * 1_000, Why::Cooling(Trouble::RateLimited)));
        now += wait_ms * 1_000;
    }
}

#[test]
fn five_failures_in_a_row_open_the_circuit_and_one_probe_at_a_time_closes_it() {
    let mut health = Health::default();
    for _ in 0..4 {
        assert_eq!(fail(&mut health, Trouble::Failed, None, S), None);
    }
    health.let_go(Attempt::plain(S));
    assert_eq!(health.admits(S), Admits::Yes);
    assert_eq!(fail(&mut health, Trouble::TimedOut, None, S), Some(Change::Opened));
    assert_eq!(health.begin(S), Err(no(2 * S, Why::Open)));
    let probe = health.begin(2 * S).unwrap();
    assert!(probe.is_probe());
    assert_eq!(health.begin(2 * S), Err(no(7 * S, Why::Probing)));
    assert_eq!(fail(&mut health, Trouble::Failed, None, 2 * S), None, "one that began before isn't the probe");
    assert_eq!(health.failed(probe, Trouble::Failed, None, 3 * S, 0), None);
    assert_eq!(health.begin(3 * S), Err(no(5 * S, Why::Open)), "open for longer");
    let left = health.begin(5 * S).unwrap();
    health.let_go(left);
    let probe = health.begin(5 * S).unwrap();
    assert_eq!(health.succeeded(Attempt::plain(S), 5 * S, 1), None, "nor does one that began before close it");
    assert_eq!(health.succeeded(probe, 6 * S, 1), Some(Change::Recovered));
    assert!(health.is_untroubled());
    for _ in 0..5 {
        fail(&mut health, Trouble::Failed, None, 7 * S);
    }
    assert_eq!(health.begin(7 * S), Err(no(11 * S, Why::Open)), "a relapse goes on where it was");
}

#[test]
fn half_of_ten_open_the_circuit_and_a_probe_that_is_not_heard_of_is_replaced() {
    let mut health = Health::default();
    for _ in 0..5 {
        health.succeeded(Attempt::plain(S), S, 1);
        assert_eq!(fail(&mut health, Trouble::RateLimited, Some(1), S), None);
        health.succeeded(Attempt::plain(S), S, 1);
    }
    for opened in [false, false, false, false, true] {
        assert_eq!(fail(&mut health, Trouble::Failed, None, 59 * S) == Some(Change::Opened), opened);
    }
    let lost = health.begin(60 * S).unwrap();
    assert_eq!(health.begin(65 * S - 1), Err(no(65 * S, Why::Probing)));
    let second = health.begin(65 * S).unwrap();
    assert!(second.is_probe());
    health.let_go(lost);
    assert_eq!(health.admits(66 * S), no(70 * S, Why::Probing), "the end of the lost one doesn't end the second");
    assert_eq!(health.succeeded(lost, 66 * S, 1), Some(Change::Recovered), "but its success is one");
}

#[test]
fn an_alarm_is_told_once_and_probed_now_and_then() {
    let mut health = Health::default();
    assert_eq!(fail(&mut health, Trouble::Credential, None, S), Some(Change::Alarmed(Trouble::Credential)));
    assert_eq!(fail(&mut health, Trouble::Credential, None, S), None);
    let refused = Why::Cooling(Trouble::Credential);
    assert_eq!(health.admits(S), no(11 * S, refused));
    let mut now = 11 * S;
    for wait in [20, 40, 80, 160, 300, 300] {
        let probe = health.begin(now).unwrap();
        assert!(probe.is_probe());
        assert_eq!(health.failed(probe, Trouble::Credential, None, now, 0), None);
        assert_eq!(health.admits(now), no(now + wait * S, refused));
        assert_eq!(health.standing(now).state, HealthState::Alarm);
        now += wait * S;
    }
    assert_eq!(health.standing(now).next_probe_us, Some(now));
    let probe = health.begin(now).unwrap();
    assert_eq!(health.succeeded(probe, now, 1), Some(Change::Recovered));
    assert!(health.is_untroubled());
}

#[test]
fn a_last_resort_is_a_probe_now_and_then_and_never_while_the_provider_said_when() {
    let mut health = Health::default();
    fail(&mut health, Trouble::Overloaded, Some(20_000), S);
    let probe = health.begin_as_last_resort(S).unwrap();
    assert!(probe.is_probe());
    assert_eq!(health.begin_as_last_resort(S), None, "one at a time");
    health.failed(probe, Trouble::Overloaded, Some(20_000), S, 0);
    assert_eq!(health.begin_as_last_resort(2 * S - 1), None, "and one a second");
    let probe = health.begin_as_last_resort(2 * S).unwrap();
    fail(&mut health, Trouble::RateLimited, Some(40_000), 3 * S);
    health.succeeded(probe, 3 * S, 1);
    assert_eq!(health.admits(3 * S), no(43 * S, Why::Cooling(Trouble::RateLimited)), "it knew nothing of that");
    assert_eq!(health.begin_as_last_resort(9 * S), None);
    health.clear(9 * S);
    fail(&mut health, Trouble::Overloaded, Some(20_000), 9 * S);
    let probe = health.begin_as_last_resort(10 * S).unwrap();
    health.succeeded(probe, 10 * S, 1);
    assert!(health.is_untroubled(), "a probe's success ends it");
}

#[test]
fn some_with_nowhere_else_to_go_may_try_at_once_what_only_fails() {
    let mut health = Health::default();
    for _ in 0..5 {
        fail(&mut health, Trouble::Failed, None, S);
    }
    let tries: Vec<_> = (0..8).map(|_| health.begin_as_last_resort(S).unwrap()).collect();
    assert!(tries.iter().all(|attempt| !attempt.is_probe() && !attempt.is_plain()));
    assert_eq!(health.begin_as_last_resort(S), None, "eight at once");
    health.failed(tries[0], Trouble::Failed, None, S, 0);
    assert_eq!(health.admits(S), no(2 * S, Why::Open), "what was to be expected makes nobody wait longer");
    let again = health.begin_as_last_resort(S).unwrap();
    health.let_go(again);
    assert_eq!(health.succeeded(tries[1], S, 1), Some(Change::Recovered));
    assert!(health.is_untroubled());

    for _ in 0..5 {
        fail(&mut health, Trouble::Failed, Some(3_000), 9 * S);
    }
    fail(&mut health, Trouble::RateLimited, Some(3_500), 9 * S);
    health.circuit.open(9 * S, 0);
    assert_eq!(health.admits(9 * S), no(13 * S, Why::Open), "longer than the provider said");
    assert_eq!(health.begin_as_last_resort(12 * S), None, "but it did say so");
    assert!(health.begin_as_last_resort(12_500_000).is_some());
}

#[test]
fn people_see_how_it_stands() {
    let mut health = Health::default();
    assert_eq!(health.standing(S), Standing::default());
    for ms in 1..=100 {
        health.succeeded(Attempt::plain(S), 60 * S, ms * 1_000);
    }
    for _ in 0..5 {
        fail(&mut health, Trouble::Failed, None, 61 * S);
    }
    health.told(QuotaRead { at_us: 5, ..Default::default() });
    let standing = health.standing(61 * S);
    assert_eq!((standing.state, standing.why, standing.since_us), (HealthState::Open, Some(Why::Open), Some(61 * S)));
    assert_eq!((standing.until_us, standing.next_probe_us, standing.failures_in_a_row), (Some(62 * S), Some(62 * S), 5));
    assert!((standing.success_percent.unwrap() - 10_000.0 / 105.0).abs() < 1e-9);
    assert_eq!((standing.p95_us, standing.quota.at_us), (Some(98_304), 5));
    assert_eq!(health.standing(62 * S).state, HealthState::HalfOpen);
    let later = health.standing(360 * S);
    assert_eq!((later.success_percent, later.p95_us), (None, None), "five minutes");
    health.clear(361 * S);
    assert_eq!(health.standing(361 * S).state, HealthState::Healthy);
}

#[test]
fn what_is_rate_limited_beside_other_trouble_is_no_last_resort() {
    let mut health = Health::default();
    for _ in 0..4 {
        fail(&mut health, Trouble::Overloaded, Some(50_000), S);
    }
    fail(&mut health, Trouble::RateLimited, Some(7_000), 2 * S);
    assert_eq!(health.admits(2 * S), no(51 * S, Why::Cooling(Trouble::Overloaded)));
    assert_eq!(health.begin_as_last_resort(9 * S - 1), None);
    let probe = health.begin_as_last_resort(9 * S).unwrap();
    health.succeeded(probe, 9 * S, 1);
    assert!(health.is_untroubled());
}
