//! Simulations against brute force: everything that happened is written down and added up anew for each question.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use domain::{Catalogue, HoldPolicy, Kind, OnExhausted, Plan, PlanId, UnixMicros};
use limits::Ask;
use proptest::prelude::*;
use replay::{Labels, Outcome, Row, Settings, Simulation, Witness};
use serde_json::json;

const MINUTE: u64 = 60_000_000;

/// What happened, in full.
#[derive(Default)]
struct Diary {
    /// When, whether it is tokens, and how much.
    events: Vec<(u64, bool, u64)>,
    held: u64,
    open: u64,
    waiting: u64,
    admitted: u64,
    refused: u64,
    /// Refusals for which nothing here gives a reason, and admissions for which there was no room.
    wrong: Vec<String>,
}

impl Diary {
    fn sum(&self, tokens: bool, now: u64) -> u64 {
        let within = self.events.iter().filter(|(at, kind, _)| *kind == tokens && *at + MINUTE > now && *at <= now);
        within.map(|(_, _, amount)| amount).sum()
    }

    fn fits(&self, ask: &Ask, now: u64) -> bool {
        match ask.key.kind {
            limits::Kind::Requests => self.sum(false, now) + ask.log <= ask.n,
            limits::Kind::Tokens => self.sum(true, now) + self.held + ask.log + ask.hold <= ask.n,
            limits::Kind::Concurrent => self.open + ask.hold <= ask.n,
        }
    }

    fn all_fit(&self, asks: &[Ask], now: u64) -> bool {
        self.waiting == 0 && asks.iter().all(|ask| self.fits(ask, now))
    }

    fn peak(&self, tokens: bool) -> u64 {
        self.events.iter().map(|(at, ..)| self.sum(tokens, *at)).max().unwrap_or(0)
    }
}

impl Witness for Diary {
    fn admitted(&mut self, _: usize, asks: &[Ask], now: u64) {
        if !self.all_fit(asks, now) {
            self.wrong.push(format!("admitted at {now} without room"));
        }
        self.admitted += 1;
        self.open += 1;
        self.events.push((now, false, 1));
        for ask in asks.iter().filter(|ask| ask.key.kind == limits::Kind::Tokens) {
            self.events.push((now, true, ask.log));
            self.held += ask.hold;
        }
    }

    fn refused(&mut self, _: usize, asks: &[Ask], now: u64) {
        self.refused += 1;
        if self.all_fit(asks, now) {
            self.wrong.push(format!("refused at {now} although there was room"));
        }
    }

    fn relayed(&mut self, _: usize, tokens: u64, now: u64) {
        self.events.push((now, true, tokens));
    }

    fn held(&mut self, _: usize, before: u64, after: u64) {
        self.held = self.held - before + after;
    }

    fn waits(&mut self, _: usize, more: bool) {
        self.waiting = if more { self.waiting + 1 } else { self.waiting - 1 };
    }

    fn ended(&mut self, _: usize, _: u64) {
        self.open -= 1;
    }
}

fn catalogue(rows: serde_json::Value) -> Catalogue {
    let plan: Plan = serde_json::from_value(json!({ "id": "p", "limits": rows })).unwrap();
    let model = serde_json::from_value(json!({ "id": "m", "category": "large", "default_output_tokens": 40 })).unwrap();
    Catalogue::build(Vec::new(), vec![model], vec![plan], MINUTE)
}

fn run(catalogue: &Catalogue, settings: &Settings, rows: &[Row]) -> (Outcome, Diary) {
    let mut simulation = Simulation::new(catalogue, &PlanId::from("p"), settings, Diary::default()).unwrap();
    rows.iter().for_each(|row| simulation.arrive(row, &Labels::default()));
    simulation.finish()
}

fn row(ms: i64, input: u32, output: u32) -> Row {
    Row { at: UnixMicros(ms * 1_000), input, output, ..Row::EMPTY }
}

fn settings() -> Settings {
    Settings { model: Some("m".into()), micro_wait_us: 0, ..Settings::default() }
}

fn peak(outcome: &Outcome, kind: Kind) -> u64 {
    outcome.pools[0].limits.iter().find(|limit| limit.kind == kind).map_or(0, |limit| limit.peak)
}

#[test]
fn the_second_of_two_is_told_when_and_comes_back_then() {
    let catalogue = catalogue(json!([{ "any": true, "rpm": 1 }]));
    let rows = [row(0, 10, 0), row(12_000, 10, 0)];
    let (outcome, diary) = run(&catalogue, &settings(), &rows);
    let pool = &outcome.pools[0];
    assert_eq!((pool.admitted, pool.refused, pool.refusals, pool.announced.most()), (1, 1, 1, 48_000_000));
    assert_eq!(pool.refusals_over_time.iter().map(|(_, refusals)| refusals).sum::<u64>(), 1);
    assert!(!outcome.admitted_all() && diary.wrong.is_empty());

    let patient = Settings { wait_us: 48_000_000, ..settings() };
    let (outcome, _) = run(&catalogue, &patient, &rows);
    let pool = &outcome.pools[0];
    assert_eq!((pool.admitted, pool.refused, pool.refusals, pool.waited.most()), (2, 0, 1, 48_000_000));
    let less = Settings { wait_us: 47_999_999, ..settings() };
    assert_eq!(run(&catalogue, &less, &rows).0.pools[0].admitted, 1);
    let in_gateway = Settings { micro_wait_us: 48_000_000, ..settings() };
    let (outcome, _) = run(&catalogue, &in_gateway, &rows);
    assert_eq!((outcome.pools[0].admitted, outcome.pools[0].refusals, outcome.admitted_all()), (2, 0, true));
}

#[test]
fn a_stream_beyond_its_hold_pauses_overdraws_or_is_cut() {
    let catalogue = catalogue(json!([{ "any": true, "tpm": 100 }]));
    // 30 and 10 of input and all 60 of output just fit, although only 40 were held.
    let rows = [row(0, 30, 0), row(1_000, 10, 60)];
    let of = |on_exhausted| run(&catalogue, &Settings { on_exhausted: Some(on_exhausted), tokens_per_second: 10.0, ..settings() }, &rows).0;
    let paced = of(OnExhausted::Pace);
    assert_eq!((paced.pools[0].cut, paced.pools[0].output, peak(&paced, Kind::Tokens)), (0, 60, 100));
    assert_eq!(paced.pools[0].paused.count(), 0);

    // Now the last 20 don't.
    let rows = [row(0, 30, 0), row(1_000, 10, 80)];
    let of = |on_exhausted| run(&catalogue, &Settings { on_exhausted: Some(on_exhausted), tokens_per_second: 10.0, ..settings() }, &rows).0;
    let paced = of(OnExhausted::Pace);
    let pool = &paced.pools[0];
    // The sixtieth token is relayed at 7 s; the next has room when the first's input expires, at 60 s.
    assert_eq!((pool.cut, pool.output, pool.paused.count(), peak(&paced, Kind::Tokens)), (0, 80, 1, 100));
    assert_eq!(pool.paused.most(), 60_000_000 - 8_000_000);
    let cut = of(OnExhausted::Cut);
    assert_eq!((cut.pools[0].cut, cut.pools[0].cut_tokens, peak(&cut, Kind::Tokens)), (1, 20, 100));
    let overdrawn = of(OnExhausted::Overdraft);
    assert_eq!((overdrawn.pools[0].cut, overdrawn.pools[0].debt, peak(&overdrawn, Kind::Tokens)), (0, 20, 120));
}

#[test]
fn a_pause_that_lasts_too_long_is_a_cut() {
    let catalogue = catalogue(json!([{ "any": true, "tpm": 100 }]));
    let rows = [row(0, 30, 0), row(1_000, 10, 80)];
    let settings = Settings { max_pause_us: 51_999_999, tokens_per_second: 10.0, ..settings() };
    let (outcome, _) = run(&catalogue, &settings, &rows);
    assert_eq!((outcome.pools[0].cut, outcome.pools[0].cut_tokens, outcome.pools[0].paused.most()), (1, 20, 51_999_999));
}

#[test]
fn a_model_without_a_row_is_not_in_the_plan() {
    let catalogue = catalogue(json!([{ "category": "small", "rpm": 1 }]));
    let (outcome, _) = run(&catalogue, &settings(), &[row(0, 1, 1)]);
    assert_eq!((outcome.requests, outcome.not_in_plan, outcome.pools.len(), outcome.admitted_all()), (1, 1, 0, false));
}

#[test]
fn shadow_limits_refuse_nothing_and_are_measured() {
    let catalogue = catalogue(json!([{ "any": true, "rpm": 1, "tpm": 10, "enforce": false }]));
    let (outcome, _) = run(&catalogue, &settings(), &[row(0, 5, 1), row(1, 50, 100)]);
    assert_eq!((outcome.pools[0].admitted, peak(&outcome, Kind::Requests), peak(&outcome, Kind::Tokens)), (2, 2, 156));
    assert!(outcome.admitted_all() && !outcome.pools[0].enforce);
}

#[test]
fn organisations_have_limits_of_their_own() {
    let catalogue = catalogue(json!([{ "any": true, "rpm": 1 }]));
    let mut labels = Labels::default();
    let [a, b] = ["a", "b"].map(|org| labels.of(org).unwrap());
    let mut simulation = Simulation::new(&catalogue, &PlanId::from("p"), &settings(), ()).unwrap();
    for org in [a, b, a] {
        simulation.arrive(&Row { org, ..row(0, 1, 0) }, &labels);
    }
    let (outcome, ()) = simulation.finish();
    assert_eq!((outcome.pools[0].admitted, outcome.pools[0].refused, peak(&outcome, Kind::Requests)), (2, 1, 1));
}

#[test]
fn requests_arrive_as_densely_as_wanted() {
    let catalogue = catalogue(json!([{ "any": true, "rpm": 5 }]));
    let rows: Vec<_> = (0..10).map(|n| row(n * 30_000, 1, 0)).collect();
    let of = |speed_up| run(&catalogue, &Settings { speed_up, ..settings() }, &rows).0.pools[0].refused;
    assert_eq!((of(1.0), of(2.0), of(10.0)), (0, 0, 5));
}

fn workload() -> impl Strategy<Value = Vec<Row>> {
    let gap = prop_oneof![0i64..40, 0i64..4_000, 0i64..40_000];
    let length = prop_oneof![0u32..30, 0u32..200, 0u32..900];
    prop::collection::vec((gap, length.clone(), length), 1..60).prop_map(|parts| {
        let mut at = 0;
        let arrive = |(gap, input, output)| {
            at += gap;
            row(at, input, output)
        };
        parts.into_iter().map(arrive).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_over_nothing_is_refused_that_fits(
        rows in workload(),
        (rpm, tpm, concurrent) in (1u64..30, 50u64..3_000, 1u64..20),
        on_exhausted in prop_oneof![Just(OnExhausted::Pace), Just(OnExhausted::Cut)],
        hold in prop_oneof![Just(HoldPolicy::Learned), Just(HoldPolicy::MaxTokens)],
        (wait_s, speed) in (0u64..100, 1u64..400),
    ) {
        let catalogue = catalogue(json!([{ "any": true, "rpm": rpm, "tpm": tpm, "concurrent": concurrent }]));
        let settings = Settings {
            on_exhausted: Some(on_exhausted),
            hold: Some(hold),
            wait_us: wait_s * 1_000_000,
            tokens_per_second: speed as f64,
            max_pause_us: u64::MAX,
            ..settings()
        };
        let (outcome, diary) = run(&catalogue, &settings, &rows);
        prop_assert_eq!(&diary.wrong, &Vec::<String>::new());
        let pool = &outcome.pools[0];
        // The peak that was measured is the one that happened, and none is over.
        prop_assert_eq!(peak(&outcome, Kind::Requests), diary.peak(false));
        prop_assert_eq!(peak(&outcome, Kind::Tokens), diary.peak(true));
        prop_assert!(diary.peak(false) <= rpm && diary.peak(true) <= tpm && peak(&outcome, Kind::Concurrent) <= concurrent);
        // Every request and every token ends somewhere, and nothing is left.
        prop_assert_eq!((pool.requests, pool.admitted + pool.refused), (rows.len() as u64, rows.len() as u64));
        prop_assert_eq!((pool.admitted, pool.refusals), (diary.admitted, diary.refused));
        prop_assert_eq!((diary.open, diary.waiting, diary.held, pool.debt), (0, 0, 0, 0));
        let tokens: u64 = diary.events.iter().filter(|(_, tokens, _)| *tokens).map(|(.., amount)| amount).sum();
        prop_assert_eq!(tokens, pool.input + pool.output);
        if on_exhausted == OnExhausted::Pace {
            prop_assert_eq!(pool.cut, 0);
        }
        if wait_s == 0 && pool.refused == 0 && pool.cut == 0 {
            prop_assert_eq!(pool.output, rows.iter().map(|row| u64::from(row.output)).sum::<u64>());
            prop_assert!(outcome.admitted_all());
        }
    }

    #[test]
    fn overdraft_delivers_all_and_owes_what_is_over(rows in workload(), tpm in 50u64..3_000) {
        let catalogue = catalogue(json!([{ "any": true, "tpm": tpm }]));
        let (outcome, diary) = run(&catalogue, &Settings { on_exhausted: Some(OnExhausted::Overdraft), ..settings() }, &rows);
        let pool = &outcome.pools[0];
        prop_assert_eq!((pool.cut, pool.paused.count()), (0, 0));
        prop_assert_eq!(peak(&outcome, Kind::Tokens), diary.peak(true));
        prop_assert!(diary.peak(true) <= tpm + pool.debt);
    }
}
