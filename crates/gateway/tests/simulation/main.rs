//! Hours of four targets that refuse, fail, hang, lie and break, in seconds: time is virtual, the network is memory, all follows from a
//! seed. `TIDEGATE_SIM_SEED` runs one seed alone, `TIDEGATE_SIM_RUNS` so many, `TIDEGATE_SIM_MINUTES` so long.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's tool fails the test")]
#![expect(clippy::print_stdout, reason = "a test tells its figures")]

mod client;
mod judge;
mod moods;
mod provider;
mod rest;
mod world;

use world::{Length, World};

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[test]
fn whatever_targets_do_clients_get_what_some_target_would_have_given() {
    let minutes = from_environment("TIDEGATE_SIM_MINUTES").unwrap_or(10);
    let seeds: Vec<u64> = match from_environment("TIDEGATE_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (1..=from_environment("TIDEGATE_SIM_RUNS").unwrap_or(3)).collect(),
    };
    let (mut hedged, mut full, several) = (0, 0, seeds.len() > 2);
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let story = runtime.block_on(World::run(seed, Length::minutes(minutes)));
        let faults = judge::faults(&story);
        println!("seed {seed}: {}", story.summary());
        assert!(story.hedges || story.hedged() == 0, "a second target beside one only where it is wanted");
        hedged += story.hedged();
        full += story.full_quotas();
        assert!(faults.is_empty(), "run it alone with TIDEGATE_SIM_SEED={seed}:\n{}", faults.join("\n"));
    }
    assert!(!several || (hedged > 0 && full > 0), "{hedged} beside another, {full} that filled a quota");
}
