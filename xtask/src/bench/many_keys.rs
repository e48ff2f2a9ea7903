//! Tidegate with many API keys against itself with ten: memory, start, CPU per request. It knows neither how keys are
//! stored nor how they are found.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};

use super::figures::{Figure, Goal};
use super::subject::{Bench, Running, Subject};
use super::tidegate::{Folder, Operator};

const FEW: usize = 10;
const KEYS_PER_ORG: usize = 10;
/// Connections to the operator API while keys are made.
const MAKERS: usize = 4;
/// Keys that the load client uses in turn, spread over all.
const USED: usize = 10_000;

/// A folder full of keys.
struct Filled {
    folder: Folder,
    first_key: String,
    /// The keys to use, one a line.
    keys: PathBuf,
}

/// Makes the keys and measures.
pub(super) fn figures(bench: &Bench<'_>, keys: usize) -> anyhow::Result<Vec<Figure>> {
    ensure!(keys > FEW, "--keys must be more than {FEW}, with which they are compared");
    let program = bench.binaries.tidegate.as_ref().context("tidegate is not to be measured")?;
    let few = fill(bench, program, FEW, "few")?;
    println!("\nmaking {keys} keys …");
    let many = fill(bench, program, keys, "many")?;
    let (mut starts, mut memories, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=bench.options.rounds {
        let [small, large] = [&few, &many].map(|filled| measure(bench, filled));
        let ((few_start, few_memory, few_cost), (start, memory, cost)) = (small?, large?);
        println!("round {round}: {start:.0} ms ({few_start:.0}), {memory:.1} MB ({few_memory:.1}), {cost:.1} us ({few_cost:.1})");
        starts.push(start);
        memories.push(memory);
        ratios.push(cost / few_cost);
    }
    let figure = |id, name: &str, unit, decimals, goal, values| Figure {
        id,
        name: format!("{name}, {keys} keys in {} organisations", keys.div_ceil(KEYS_PER_ORG)),
        unit,
        decimals,
        goal,
        values: vec![(Subject::Tidegate, values)],
        ratios: Vec::new(),
    };
    Ok(vec![
        figure("keys_memory", "idle memory", "MB", 1, Goal::AtMost(400.0, 250.0), memories),
        figure("keys_start", "start to first 200", "ms", 0, Goal::AtMost(3_000.0, 1_000.0), starts),
        figure("keys_cpu", "CPU per request against ten keys", "x", 3, Goal::AtMost(1.1, 1.05), ratios),
    ])
}

/// Start in milliseconds, idle memory in MB, and CPU per request in microseconds.
fn measure(bench: &Bench<'_>, filled: &Filled) -> anyhow::Result<(f64, f64, f64)> {
    let running: Running = bench.start_in(&filled.folder, &filled.first_key)?;
    std::thread::sleep(Duration::from_secs(1));
    let load = |line: String| {
        let url = format!("http://{}", running.addr);
        let end = ["--url", &url, "--pid", &running.pid().to_string(), "--keys", &filled.keys.to_string_lossy()].map(str::to_owned);
        let args: Vec<String> = line.split(' ').map(str::to_owned).chain(end).collect();
        bench.load(&args, Duration::from_secs_f64(60.0 + bench.options.secs * 3.0))
    };
    let idle = load("closed --conns 1 --count 1 --secs 5".to_owned())?;
    // Every key is used before CPU counts: what its first request costs, it costs once.
    load(format!("closed --conns 64 --count {} --secs 30", USED * 2))?;
    let line = load(format!("closed --conns 64 --secs {}", bench.options.secs))?;
    let number = |value: &serde_json::Value, member: &str| value[member].as_f64().with_context(|| format!("no {member} in {value}"));
    ensure!(line["failed"] == 0 && line["refused"] == 0, "requests failed: {line}");
    Ok((running.start_ms, number(&idle, "rss_idle_kb")? * 1.024 / 1e3, number(&line, "cpu_us_per_req")?))
}

fn fill(bench: &Bench<'_>, program: &Path, keys: usize, name: &str) -> anyhow::Result<Filled> {
    let folder = Folder::new(bench, program, name)?;
    let made = folder.fill(bench, |operator| make(bench, operator, keys))?;
    let used: Vec<&str> = made.iter().step_by((keys / USED).max(1)).map(String::as_str).collect();
    let path = bench.dir.join(format!("{name}.keys"));
    std::fs::write(&path, used.join("\n"))?;
    Ok(Filled { folder, first_key: made.first().context("no key was made")?.clone(), keys: path })
}

/// Makes `keys` keys, the first of each organisation among the first that a maker returns.
fn make(bench: &Bench<'_>, operator: Operator, keys: usize) -> anyhow::Result<Vec<String>> {
    let next = AtomicUsize::new(0);
    let per_org = if keys <= FEW { 1 } else { KEYS_PER_ORG };
    let maker = || -> anyhow::Result<Vec<String>> {
        let mut made = Vec::new();
        loop {
            let begun = next.fetch_add(per_org, Relaxed);
            if begun >= keys {
                return Ok(made);
            }
            bench.interrupt.check()?;
            if begun.is_multiple_of(100_000) && begun > 0 {
                println!("  {begun}");
            }
            let org = operator.org("roomy")?;
            for _ in begun..keys.min(begun + per_org) {
                made.push(operator.key(&org)?);
            }
        }
    };
    std::thread::scope(|scope| {
        let makers: Vec<_> = (0..MAKERS).map(|_| scope.spawn(maker)).collect();
        let mut all = Vec::with_capacity(keys);
        for maker in makers {
            all.extend(maker.join().map_err(|_| anyhow!("a maker of keys broke"))??);
        }
        Ok(all)
    })
}
