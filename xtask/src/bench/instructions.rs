//! Instructions in user space, counted by valgrind's callgrind: unlike time, they hardly vary from run to run or from
//! machine to machine. It knows how to count and compare, not what a request does.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::child;
use super::subject::{Bench, Running, Subject};

/// Growth over the accepted count that is not accepted, as a factor.
const TOLERANCE: f64 = 1.05;
/// The most that a request may cost whose model has four targets, all well, as a factor of one with a single target.
const FOUR_TARGETS: f64 = 1.05;
/// The longest that one count may take; callgrind slows a program down some fifty times.
const LIMIT: Duration = Duration::from_secs(300);

/// What is counted: one connection at a time, so that nothing depends on how work happens to be batched.
#[derive(Clone, Copy)]
enum Work {
    Request,
    FourTargets,
    Refusal,
    Event,
}

impl Work {
    const ALL: [Self; 4] = [Self::Request, Self::FourTargets, Self::Refusal, Self::Event];

    /// The name in the accepted counts.
    fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::FourTargets => "four targets",
            Self::Refusal => "refusal",
            Self::Event => "event",
        }
    }

    /// The load client's arguments, and the member of its line that says how many there were.
    fn load(self) -> (&'static str, &'static str) {
        match self {
            Self::Request => ("closed --conns 1 --count 1000 --secs 120", "ok"),
            Self::FourTargets => ("closed --conns 1 --count 1000 --secs 120 --model gpt-4o-four", "ok"),
            Self::Refusal => ("closed --conns 1 --count 1000 --secs 120 --expect 429", "ok"),
            // A pause long enough that each event is read alone even now.
            Self::Event => ("stream --conns 1 --chunks 1000 --delay-us 4000", "events"),
        }
    }

    fn concerns(self, subject: Subject) -> bool {
        match self {
            Self::Request | Self::Event => subject == Subject::Floor || subject == Subject::Tidegate,
            Self::Refusal | Self::FourTargets => subject == Subject::Tidegate,
        }
    }
}

/// Counts, prints, and compares with what was accepted.
pub(super) fn run(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    if !Command::new("callgrind_control").arg("--version").output().is_ok_and(|output| output.status.success()) {
        bail!("valgrind is not installed: `apt-get install valgrind` (or your system's package)");
    }
    bench.callgrind = Some(bench.dir.join("callgrind.%p"));
    bench.gateway.real_time = false;
    let mut counts = BTreeMap::new();
    for subject in bench.subjects().into_iter().filter(|subject| Work::ALL.iter().any(|work| work.concerns(*subject))) {
        println!("counting {} …", subject.name());
        let mut running = bench.start(subject)?;
        for work in Work::ALL.into_iter().filter(|work| work.concerns(subject)) {
            counts.insert((subject, work.name()), count(bench, &mut running, work)?);
        }
    }
    compare(&counts, &super::root().join("benches/instructions.json"), bench.options.bless)
}

/// Instructions for one piece of work.
fn count(bench: &Bench<'_>, running: &mut Running, work: Work) -> anyhow::Result<u64> {
    let (args, member) = work.load();
    let key = match work {
        Work::Refusal => running.tight_key.clone().unwrap_or_default(),
        Work::Request | Work::FourTargets | Work::Event => running.key.clone(),
    };
    let common = ["--url".to_owned(), format!("http://{}", running.addr), "--key".to_owned(), key];
    let load = |line: &str| {
        let words: Vec<String> = line.split(' ').map(str::to_owned).chain(common.clone()).collect();
        bench.load(&words, LIMIT)
    };
    // First requests and streams make lasting things that the later ones find.
    let warmed = load("closed --conns 1 --count 200 --secs 60");
    let warmed = warmed.and_then(|_| load("stream --conns 1 --chunks 20 --delay-us 4000"));
    let warmed = warmed.and_then(|_| control(bench, running, "--zero"));
    running.check()?;
    warmed?;
    let line = load(args)?;
    control(bench, running, "--dump")?;
    running.check()?;
    let done = line[member].as_u64().filter(|done| *done > 0 && line["failed"] == 0);
    let done = done.with_context(|| format!("{} of {}: {line}", work.name(), running.subject.name()))?;
    Ok(last_total(bench.dir, running.pid())? / done)
}

fn control(bench: &Bench<'_>, running: &Running, what: &str) -> anyhow::Result<()> {
    let mut command = Command::new("callgrind_control");
    command.arg(what).arg(running.pid().to_string());
    child::output("callgrind_control", command, LIMIT, &bench.dir.join("control.log"), bench.interrupt).map(|_| ())
}

/// The instructions in the newest dump: dumps are numbered.
fn last_total(dir: &Path, pid: u32) -> anyhow::Result<u64> {
    let dump = |part: u32| dir.join(format!("callgrind.{pid}.{part}"));
    let newest = (1..).map(dump).take_while(|path| path.exists()).last().context("callgrind left no dump")?;
    let text = std::fs::read_to_string(newest)?;
    let total = text.lines().find_map(|line| line.strip_prefix("summary: ")?.trim().parse().ok());
    total.context("a dump of callgrind's without a summary")
}

type Counts = BTreeMap<(Subject, &'static str), u64>;

fn compare(counts: &Counts, accepted: &Path, bless: bool) -> anyhow::Result<()> {
    let before: Value = match std::fs::read_to_string(accepted) {
        Ok(text) => serde_json::from_str(&text).context("reading benches/instructions.json")?,
        Err(_) => Value::Null,
    };
    println!("\n| instructions per | floor | Tidegate | Tidegate / floor | accepted | change |\n|---|---|---|---|---|---|");
    let (mut grown, mut now) = (Vec::new(), serde_json::Map::new());
    for name in Work::ALL.map(Work::name) {
        let of = |subject| counts.get(&(subject, name)).copied();
        let text = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
        let (floor, ours) = (of(Subject::Floor), of(Subject::Tidegate));
        let times_floor = floor.zip(ours).map(|(floor, ours)| ours as f64 / floor as f64);
        let old = &before[name];
        let change = ours.zip(old["count"].as_u64()).map(|(ours, old)| ours as f64 / old as f64);
        let ratio_change = times_floor.zip(old["times_floor"].as_f64()).map(|(ratio, old)| ratio / old);
        println!(
            "| {name} | {} | {} | {} | {} | {} |",
            text(floor),
            text(ours),
            times_floor.map_or("-".into(), |ratio| format!("{ratio:.2}")),
            text(old["count"].as_u64()),
            change.map_or("-".into(), |change| format!("{:+.1} %", (change - 1.0) * 100.0))
        );
        if [change, ratio_change].into_iter().flatten().any(|change| change > TOLERANCE) {
            grown.push(name);
        }
        if let Some(ours) = ours {
            let times_floor = times_floor.map(|ratio| (ratio * 100.0).round() / 100.0);
            now.insert(name.to_owned(), json!({"count": ours, "times_floor": times_floor}));
        }
    }
    let ours = |work: Work| counts.get(&(Subject::Tidegate, work.name())).copied();
    let four = ours(Work::FourTargets).zip(ours(Work::Request)).map(|(four, one)| four as f64 / one as f64);
    if let Some(ratio) = four {
        println!("\nfour targets / one: {ratio:.3}");
    }
    ensure!(four.is_none_or(|ratio| ratio <= FOUR_TARGETS), "four targets cost more than {FOUR_TARGETS} times what one does");
    if bless && !now.is_empty() {
        let text = serde_json::to_string_pretty(&now)? + "\n";
        return std::fs::write(accepted, text).context("writing benches/instructions.json");
    }
    ensure!(!before.is_null() || counts.is_empty(), "there is no benches/instructions.json to compare with: make it with --bless");
    ensure!(grown.is_empty(), "more instructions than accepted per {}: make it less, or accept it with --bless", grown.join(", "));
    Ok(())
}
