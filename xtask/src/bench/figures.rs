//! From records to figures: for each, a value a round and subject, and Tidegate's ratio to nginx in the same round. It
//! knows the goals, but not how figures are shown.

use super::build::{self, Binaries};
use super::options::Options;
use super::rounds::{Record, Run, STREAMS};
use super::subject::Subject;

/// What is aimed at: the goal, and what would be better still.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    /// Times nginx's figure, in one round.
    Ratio(f64, f64),
    /// In the figure's own unit.
    AtMost(f64, f64),
    /// In the figure's own unit.
    AtLeast(f64, f64),
    Nothing,
}

pub(super) struct Figure {
    pub(super) id: &'static str,
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) decimals: usize,
    pub(super) goal: Goal,
    /// Values in the order of the rounds.
    pub(super) values: Vec<(Subject, Vec<f64>)>,
    /// Tidegate's to nginx's, round by round.
    pub(super) ratios: Vec<f64>,
}

/// How well a goal was met by the median.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Stretch,
    Goal,
    Missed,
}

/// Median and range.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 };
        Some(Self { median, min, max })
    }
}

impl Figure {
    pub(super) fn of(&self, subject: Subject) -> Option<Spread> {
        self.values.iter().find(|(of, _)| *of == subject).and_then(|(_, values)| Spread::of(values))
    }

    /// Nothing if there is no goal, or nothing was measured that it speaks of.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        // More is worse, but where the goal is a least, whose sign is turned.
        let (value, goal, stretch) = match self.goal {
            Goal::Ratio(goal, stretch) => (Spread::of(&self.ratios)?.median, goal, stretch),
            Goal::AtMost(goal, stretch) => (self.of(Subject::Tidegate)?.median, goal, stretch),
            Goal::AtLeast(goal, stretch) => (-self.of(Subject::Tidegate)?.median, -goal, -stretch),
            Goal::Nothing => return None,
        };
        Some(match value {
            v if v <= stretch => Verdict::Stretch,
            v if v <= goal => Verdict::Goal,
            _ => Verdict::Missed,
        })
    }
}

type Value = fn(&Rounds<'_>, usize, Subject) -> Option<f64>;

/// Every figure for which anything was measured.
pub(super) fn all(records: &[Record], options: &Options, binaries: &Binaries) -> anyhow::Result<Vec<Figure>> {
    let rounds = Rounds { records };
    let figure = |id, name: &str, unit, decimals, goal, value: Value| {
        let each = |subject| (1..=options.rounds).filter_map(|round| value(&rounds, round, subject)).collect::<Vec<_>>();
        let gateways = [Subject::Nginx, Subject::Floor, Subject::Tidegate];
        let values: Vec<_> = gateways.map(|subject| (subject, each(subject))).into_iter().filter(|(_, v)| !v.is_empty()).collect();
        let ratio = |round| Some(value(&rounds, round, Subject::Tidegate)? / value(&rounds, round, Subject::Nginx)?);
        let ratios = (1..=options.rounds).filter_map(ratio).collect();
        Figure { id, name: name.to_owned(), unit, decimals, goal, values, ratios }
    };
    let mut figures = vec![
        figure("cpu_per_request", "CPU per request, 64 connections", "us", 1, Goal::Ratio(1.5, 1.25), |r, n, s| r.cpu(n, s)),
        figure("four_targets", "CPU per request, four targets against one", "x", 3, Goal::AtMost(1.05, 1.0), |r, n, s| {
            r.four_targets(n, s)
        }),
        figure("added_p50", "added latency at 1000/s, p50", "us", 0, Goal::Ratio(1.4, 1.1), |r, n, s| r.added(n, s, "p50")),
        figure("added_p99", "added latency at 1000/s, p99", "us", 0, Goal::Ratio(1.5, 1.2), |r, n, s| r.added(n, s, "p99")),
        figure("cpu_per_event", "CPU per event, 200 streams", "us", 1, Goal::Ratio(1.25, 1.0), |r, n, s| r.event(n, s)),
        figure("first_chunk", "first chunk over direct, p50, 200 streams", "ms", 2, Goal::AtMost(2.0, 1.0), |r, n, s| r.first(n, s)),
        figure("stream_memory", "memory per open stream", "kB", 1, Goal::AtMost(32.0, 24.0), |r, n, s| r.stream_memory(n, s)),
        figure("rate", "requests/s, 64 connections", "1/s", 0, Goal::Nothing, |r, n, s| r.get(n, s, Run::Closed(64), "rps")),
        figure("lost", "requests/s lost from 64 to 256 connections", "%", 1, Goal::AtMost(25.0, 20.0), |r, n, s| r.lost(n, s)),
        figure("refusal", "CPU per refusal (nginx: per proxied request)", "us", 1, Goal::Ratio(1.0, 0.5), |r, n, s| r.refusal(n, s)),
        figure("idle_memory", "idle memory", "MB", 1, Goal::AtMost(15.0, 10.0), |r, n, s| r.idle_memory(n, s)),
        figure("start", "start to first 200", "ms", 0, Goal::AtMost(50.0, 20.0), |r, n, s| r.get(n, s, Run::Start, "start_ms")),
    ];
    if !records.is_empty() {
        figures.extend(binary(binaries)?);
    }
    figures.extend([
        figure("pool_memory", "memory per pool active in the last minute, 60 requests", "kB", 2, Goal::AtMost(2.0, 1.2), |r, n, s| {
            r.computing(n, s, "pool_kb")
        }),
        figure("count", "counting input exactly", "MB/s", 1, Goal::AtLeast(15.0, 20.0), |r, n, s| r.computing(n, s, "count_mb_s")),
        figure("ledger_two", "check + hold + charge, two limits", "ns", 0, Goal::Nothing, |r, n, s| {
            r.computing(n, s, "ledger_two_limits_ns")
        }),
        figure("ledger_six", "check + hold + charge, six limits", "ns", 0, Goal::Nothing, |r, n, s| {
            r.computing(n, s, "ledger_six_limits_ns")
        }),
        figure("read_request", "reading a request of 1 KB", "ns", 0, Goal::Nothing, |r, n, s| r.computing(n, s, "read_request_ns")),
        figure("read_answer", "reading an answer of 646 bytes", "ns", 0, Goal::Nothing, |r, n, s| r.computing(n, s, "read_answer_ns")),
        figure("relay_event", "reading one event of a stream", "ns", 0, Goal::Nothing, |r, n, s| r.computing(n, s, "relay_event_ns")),
    ]);
    figures.retain(|figure| !figure.values.is_empty());
    Ok(figures)
}

fn binary(binaries: &Binaries) -> anyhow::Result<Option<Figure>> {
    let programs =
        [(Subject::Nginx, &binaries.nginx), (Subject::Floor, &Some(binaries.floor.clone())), (Subject::Tidegate, &binaries.tidegate)];
    let mut values = Vec::new();
    for (subject, program) in programs {
        if let Some(program) = program {
            let Some(bytes) = build::stripped_bytes(program)? else { return Ok(None) };
            values.push((subject, vec![bytes as f64 / 1e6]));
        }
    }
    let goal = Goal::AtMost(20.0, 12.0);
    Ok(Some(Figure { id: "binary", name: "binary without symbols".into(), unit: "MB", decimals: 1, goal, values, ratios: Vec::new() }))
}

struct Rounds<'a> {
    records: &'a [Record],
}

impl Rounds<'_> {
    fn get(&self, round: usize, subject: Subject, run: Run, path: &str) -> Option<f64> {
        let matches = |record: &&Record| (record.round, record.subject, record.run) == (round, subject, run);
        self.records.iter().find(matches)?.number(path)
    }

    fn cpu(&self, round: usize, subject: Subject) -> Option<f64> {
        self.get(round, subject, Run::Closed(64), "cpu_us_per_req")
    }

    fn added(&self, round: usize, subject: Subject, quantile: &str) -> Option<f64> {
        let path = format!("lat_us/{quantile}");
        Some(self.get(round, subject, Run::Rate, &path)? - self.get(round, Subject::Direct, Run::Rate, &path)?)
    }

    fn four_targets(&self, round: usize, subject: Subject) -> Option<f64> {
        Some(self.get(round, subject, Run::FourTargets, "cpu_us_per_req")? / self.cpu(round, subject)?)
    }

    fn event(&self, round: usize, subject: Subject) -> Option<f64> {
        self.get(round, subject, Run::Stream, "cpu_us_per_event")
    }

    fn first(&self, round: usize, subject: Subject) -> Option<f64> {
        let path = "first_us/p50";
        Some((self.get(round, subject, Run::Stream, path)? - self.get(round, Subject::Direct, Run::Stream, path)?) / 1e3)
    }

    fn stream_memory(&self, round: usize, subject: Subject) -> Option<f64> {
        let grown = self.get(round, subject, Run::Stream, "rss_top_kb")? - self.get(round, subject, Run::Stream, "rss_idle_kb")?;
        Some(grown * 1.024 / STREAMS as f64)
    }

    fn lost(&self, round: usize, subject: Subject) -> Option<f64> {
        let rate = |conns| self.get(round, subject, Run::Closed(conns), "rps");
        Some((1.0 - rate(256)? / rate(64)?) * 100.0)
    }

    fn refusal(&self, round: usize, subject: Subject) -> Option<f64> {
        match subject {
            Subject::Nginx => self.cpu(round, subject),
            Subject::Direct | Subject::Floor | Subject::Tidegate => self.get(round, subject, Run::Refused, "cpu_us_per_req"),
        }
    }

    fn computing(&self, round: usize, subject: Subject, path: &str) -> Option<f64> {
        self.get(round, subject, Run::Computing, path)
    }

    fn idle_memory(&self, round: usize, subject: Subject) -> Option<f64> {
        Some(self.get(round, subject, Run::Idle, "rss_idle_kb")? * 1.024 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Goal, Spread, Verdict};
    use crate::bench::subject::Subject;

    fn figure(goal: Goal, tidegate: &[f64], ratios: &[f64]) -> Figure {
        let values = vec![(Subject::Tidegate, tidegate.to_vec())];
        Figure { id: "x", name: "x".into(), unit: "us", decimals: 1, goal, values, ratios: ratios.to_vec() }
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 9.0]), Some(Spread { median: 3.0, min: 1.0, max: 9.0 }));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn goals_are_met_at_their_border_and_missed_past_it() {
        assert_eq!(figure(Goal::Ratio(1.5, 1.25), &[9.0], &[1.25]).verdict(), Some(Verdict::Stretch));
        assert_eq!(figure(Goal::Ratio(1.5, 1.25), &[9.0], &[1.5]).verdict(), Some(Verdict::Goal));
        assert_eq!(figure(Goal::Ratio(1.5, 1.25), &[9.0], &[1.51]).verdict(), Some(Verdict::Missed));
        assert_eq!(figure(Goal::AtMost(2.0, 1.0), &[2.0], &[]).verdict(), Some(Verdict::Goal));
        assert_eq!(figure(Goal::Ratio(1.5, 1.25), &[9.0], &[]).verdict(), None);
        assert_eq!(figure(Goal::AtLeast(15.0, 20.0), &[16.0], &[]).verdict(), Some(Verdict::Goal));
        assert_eq!(figure(Goal::AtLeast(15.0, 20.0), &[14.9], &[]).verdict(), Some(Verdict::Missed));
    }
}
