//! The runs: each round starts all afresh, and in each run the subjects take turns. It only records; figures are made
//! from the records elsewhere.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::subject::{Bench, Running, Subject};

/// Event streams open at once.
pub(super) const STREAMS: u64 = 200;
/// The pause between two events of a stream.
const DELAY_US: u64 = 50_000;

/// One kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// The start of the process until its first answer.
    Start,
    /// One request, for the memory before any load.
    Idle,
    /// `STREAMS` event streams at once.
    Stream,
    /// As fast as answers come, over this many connections.
    Closed(u64),
    /// As `Closed(64)`, of a model with four targets that are all well.
    FourTargets,
    /// 1,000 requests a second over 64 connections.
    Rate,
    /// As `Closed(64)`, but every request is refused.
    Refused,
    /// The pure computing alone, without a server.
    Computing,
}

impl Run {
    /// Those that make load, in their order: memory is read before there was much load.
    const LOADS: [Self; 7] = [Self::Idle, Self::Stream, Self::Closed(64), Self::FourTargets, Self::Closed(256), Self::Rate, Self::Refused];

    pub(super) fn name(self) -> String {
        match self {
            Self::Start => "start".into(),
            Self::Idle => "idle".into(),
            Self::Stream => format!("{STREAMS} streams"),
            Self::Closed(conns) => format!("closed loop, {conns} connections"),
            Self::FourTargets => "four targets".into(),
            Self::Rate => "1000/s".into(),
            Self::Refused => "refusals".into(),
            Self::Computing => "computing".into(),
        }
    }

    /// Whether the run says anything about `subject`.
    fn concerns(self, subject: Subject) -> bool {
        match self {
            Self::Rate | Self::Stream => true,
            Self::Start | Self::Idle | Self::Closed(_) => subject != Subject::Direct,
            Self::FourTargets | Self::Refused | Self::Computing => subject == Subject::Tidegate,
        }
    }

    /// The load client's arguments, but for the address, the key and the process.
    fn args(self, secs: f64, chunks: u64) -> Vec<String> {
        let line = match self {
            Self::Start | Self::Computing | Self::Idle => "closed --conns 1 --count 1 --secs 5".to_owned(),
            // Streams are not warmed up by streams, since each takes seconds.
            Self::Stream => format!("stream --conns {STREAMS} --chunks {chunks} --delay-us {DELAY_US}"),
            Self::Closed(conns) => format!("closed --conns {conns} --secs {secs} --warm 20"),
            Self::FourTargets => format!("closed --conns 64 --secs {secs} --warm 20 --model gpt-4o-four"),
            Self::Rate => format!("rate --conns 64 --rate 1000 --secs {secs} --warm 20"),
            Self::Refused => format!("closed --conns 64 --secs {secs} --warm 20 --expect 429"),
        };
        line.split(' ').map(str::to_owned).collect()
    }

    fn limit(self, secs: f64, chunks: u64) -> Duration {
        let stream_secs = (chunks * DELAY_US) as f64 / 1e6;
        Duration::from_secs_f64(30.0 + secs.max(stream_secs) * 3.0)
    }
}

/// What one run of one subject in one round gave.
pub(super) struct Record {
    pub(super) round: usize,
    pub(super) subject: Subject,
    pub(super) run: Run,
    /// The load client's line; for `Start`, `{"start_ms"}`; for `Computing`, what `micro` prints.
    pub(super) data: Value,
}

impl Record {
    /// The number at a path such as `lat_us/p50`.
    pub(super) fn number(&self, path: &str) -> Option<f64> {
        self.data.pointer(&format!("/{path}"))?.as_f64()
    }
}

/// All rounds.
pub(super) fn all(bench: &Bench<'_>) -> anyhow::Result<Vec<Record>> {
    let mut records = Vec::new();
    for round in 1..=bench.options.rounds {
        println!("\nround {round} of {}", bench.options.rounds);
        let mut running = Vec::new();
        for subject in bench.subjects() {
            let one = bench.start(subject)?;
            if Run::Start.concerns(subject) {
                records.push(Record { round, subject, run: Run::Start, data: json!({"start_ms": one.start_ms}) });
            }
            running.push(one);
        }
        // What starting set off comes to rest before memory is read.
        std::thread::sleep(Duration::from_secs(1));
        for run in Run::LOADS {
            for one in running.iter_mut().filter(|one| run.concerns(one.subject)) {
                let data = measure(bench, run, one)?;
                println!("  {:28} {:9} {}", run.name(), one.subject.name(), line(run, &data));
                records.push(Record { round, subject: one.subject, run, data });
            }
        }
        drop(running);
        if let Some(data) = bench.computing()? {
            records.push(Record { round, subject: Subject::Tidegate, run: Run::Computing, data });
        }
    }
    Ok(records)
}

fn measure(bench: &Bench<'_>, run: Run, one: &mut Running) -> anyhow::Result<Value> {
    let (secs, chunks) = (bench.options.secs, bench.options.chunks);
    let key = match (run, &one.tight_key) {
        (Run::Refused, Some(tight)) => tight,
        _ => &one.key,
    };
    let common = [
        ("--url", format!("http://{}", one.addr)),
        ("--key", key.clone()),
        ("--pid", one.pid().to_string()),
        ("--label", one.subject.name().to_owned()),
    ];
    let common: Vec<String> = common.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
    if run == Run::Stream {
        // First requests make lasting things, such as buffers and pooled connections, that no stream is to be charged for.
        let warm = ["closed", "--conns", "8", "--count", "400", "--secs", "5"].map(str::to_owned);
        bench.load(&[&warm[..], &common].concat(), Duration::from_secs(30))?;
    }
    let data = bench.load(&[run.args(secs, chunks), common].concat(), run.limit(secs, chunks));
    one.check()?;
    let data = data.with_context(|| format!("{} of {}", run.name(), one.subject.name()))?;
    if data["ok"].as_u64().unwrap_or(0) == 0 {
        bail!("{} of {}: no request was answered as expected: {data}", run.name(), one.subject.name());
    }
    Ok(data)
}

/// What is worth seeing while it runs.
fn line(run: Run, data: &Value) -> String {
    let number = |path: &str| data.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let text = match run {
        Run::Start | Run::Computing => String::new(),
        Run::Idle => format!("{:.0} KB", number("/rss_idle_kb")),
        Run::Stream => format!(
            "{:.1} us/event, first {:.1} ms, {:.0} -> {:.0} KB",
            number("/cpu_us_per_event"),
            number("/first_us/p50") / 1e3,
            number("/rss_idle_kb"),
            number("/rss_top_kb")
        ),
        Run::Closed(_) | Run::FourTargets | Run::Refused => format!("{:.0}/s, {:.1} us/request", number("/rps"), number("/cpu_us_per_req")),
        Run::Rate => {
            format!("p50 {:.0} us, p99 {:.0} us, {:.1} us/request", number("/lat_us/p50"), number("/lat_us/p99"), number("/cpu_us_per_req"))
        }
    };
    let faults = number("/failed") + number("/short");
    if faults > 0.0 { format!("{text}, {faults} FAILED: {}", data["note"]) } else { text }
}
