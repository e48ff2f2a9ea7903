//! Tidegate's limiter, and beside it brute force: events added up by themselves, which say whether a refusal was right.

use std::error::Error;

use domain::{Catalogue, HoldPolicy, OnExhausted, PlanId};
use limits::{Ask, Kind};
use replay::{Meter, Settings, Simulation, Witness};

use crate::Found;
use crate::workload::{PIECE_US, US_PER_TOKEN, WINDOW_US, Workload};

/// Knows what was processed and what is promised, from the events alone.
struct BruteForce {
    requests: Meter,
    tokens: Meter,
    held: u64,
    waiting: u64,
    refused: u64,
    wrong: u64,
}

impl BruteForce {
    fn fits(&mut self, ask: &Ask, now: u64) -> bool {
        match ask.key.kind {
            Kind::Requests => self.requests.sum(now) + ask.log <= ask.n,
            Kind::Tokens => self.tokens.sum(now) + self.held + ask.log + ask.hold <= ask.n,
            Kind::Concurrent => true,
        }
    }
}

impl Witness for BruteForce {
    fn admitted(&mut self, _: usize, asks: &[Ask], now: u64) {
        for ask in asks {
            match ask.key.kind {
                Kind::Requests => self.requests.add(ask.log, now),
                Kind::Tokens => {
                    self.tokens.add(ask.log, now);
                    self.held += ask.hold;
                }
                Kind::Concurrent => {}
            }
        }
    }

    fn refused(&mut self, _: usize, asks: &[Ask], now: u64) {
        self.refused += 1;
        let had_room = self.waiting == 0 && asks.iter().all(|ask| self.fits(ask, now));
        self.wrong += u64::from(had_room);
    }

    fn relayed(&mut self, _: usize, tokens: u64, now: u64) {
        self.tokens.add(tokens, now);
    }

    fn held(&mut self, _: usize, before: u64, after: u64) {
        self.held = self.held - before + after;
    }

    fn waits(&mut self, _: usize, more: bool) {
        if more { self.waiting += 1 } else { self.waiting -= 1 }
    }
}

pub(crate) fn run(workload: &Workload) -> Result<Vec<Found>, Box<dyn Error>> {
    let learned = Some(HoldPolicy::Learned);
    [
        ("exact window, holding max_tokens = 4096", Some(HoldPolicy::MaxTokens), Some(4_096), OnExhausted::Overdraft),
        ("**Tidegate: learned, overdraft**", learned, None, OnExhausted::Overdraft),
        ("**Tidegate: learned, cut**", learned, None, OnExhausted::Cut),
        ("**Tidegate: learned, pace** (default)", learned, None, OnExhausted::Pace),
    ]
    .into_iter()
    .map(|(name, hold, max_tokens, on_exhausted)| {
        let settings = Settings { hold, max_tokens, on_exhausted: Some(on_exhausted), ..settings() };
        of_settings(workload, name, &settings)
    })
    .collect()
}

fn settings() -> Settings {
    Settings { tokens_per_second: 1e6 / US_PER_TOKEN as f64, piece_us: PIECE_US, micro_wait_us: 0, ..Settings::default() }
}

fn of_settings(workload: &Workload, name: &str, settings: &Settings) -> Result<Found, Box<dyn Error>> {
    let [rpm, tpm] = workload.n;
    let plan = serde_json::from_value(serde_json::json!({ "id": "compared", "limits": [{ "any": true, "rpm": rpm, "tpm": tpm }] }))?;
    let catalogue = Catalogue::build(Vec::new(), Vec::new(), vec![plan], WINDOW_US);
    let (requests, tokens) = (Meter::new(WINDOW_US), Meter::new(WINDOW_US));
    let witness = BruteForce { requests, tokens, held: 0, waiting: 0, refused: 0, wrong: 0 };
    let mut simulation = Simulation::new(&catalogue, &PlanId::from("compared"), settings, witness).ok_or("the plan is there")?;
    for row in &workload.rows {
        simulation.arrive(row, &workload.models);
    }
    let (outcome, seen) = simulation.finish();
    let pool = outcome.pools.into_iter().next().ok_or("nothing was asked")?;
    Ok(Found {
        name: name.to_owned(),
        peak: [seen.requests.peak().0, seen.tokens.peak().0],
        refused: seen.refused,
        wrong: seen.wrong,
        served: pool.input + pool.output,
        paused: pool.paused,
        cut: pool.cut,
    })
}
