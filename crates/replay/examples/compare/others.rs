//! The limiters of other systems, each as those systems do it, and what each would have admitted.
//! None pauses or cuts: what they admitted is relayed as it comes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use domain::OutputLengths;
use replay::{Meter, Spread};

use crate::Found;
use crate::workload::{DEFAULT_OUTPUT, PIECE_US, US_PER_TOKEN, WINDOW_US, Workload};

/// How one of them decides. Index 0 is requests, 1 is tokens.
trait Limiter {
    fn name(&self) -> &'static str;
    /// Decides, and counts what it counts at once.
    fn admit(&mut self, input: u64, estimate: u64, now: u64) -> bool;
    /// The answer is over, and its provider has said what it took.
    fn ended(&mut self, input: u64, estimate: u64, output: u64, now: u64);
    /// Output that it keeps free from the beginning for a request of this estimate.
    fn promises(&self, estimate: u64) -> u64 {
        let _ = estimate;
        0
    }
    /// Tokens that it wants to be free before it admits.
    fn wants_free(&self, input: u64, estimate: u64) -> u64 {
        let _ = (input, estimate);
        1
    }
}

/// Counters of the minute of the clock; tokens are added when the answer is over: Envoy's rate limit service and with it Envoy AI Gateway,
/// LiteLLM's first limiter (`parallel_request_limiter.py`).
struct FixedWindow {
    n: [u64; 2],
    minute: u64,
    used: [u64; 2],
}

impl FixedWindow {
    fn roll(&mut self, now: u64) {
        if self.minute != now / WINDOW_US {
            (self.minute, self.used) = (now / WINDOW_US, [0, 0]);
        }
    }
}

impl Limiter for FixedWindow {
    fn name(&self) -> &'static str {
        "fixed window"
    }

    fn admit(&mut self, _: u64, _: u64, now: u64) -> bool {
        self.roll(now);
        let admits = self.used[0] < self.n[0] && self.used[1] < self.n[1];
        self.used[0] += u64::from(admits);
        admits
    }

    fn ended(&mut self, input: u64, _: u64, output: u64, now: u64) {
        self.roll(now);
        self.used[1] += input + output;
    }
}

/// Counters whose minute begins with what is counted first; tokens are added when the answer is over: LiteLLM's third limiter
/// (`parallel_request_limiter_v3.py`), Limitador, and whatever else is `INCR` and `EXPIRE` of Redis.
struct AnchoredWindow {
    n: [u64; 2],
    began: [Option<u64>; 2],
    used: [u64; 2],
}

impl AnchoredWindow {
    fn roll(&mut self, now: u64) {
        for kind in 0..2 {
            if self.began[kind].is_some_and(|began| now - began >= WINDOW_US) {
                (self.began[kind], self.used[kind]) = (None, 0);
            }
        }
    }

    fn count(&mut self, kind: usize, amount: u64, now: u64) {
        self.began[kind].get_or_insert(now);
        self.used[kind] += amount;
    }
}

impl Limiter for AnchoredWindow {
    fn name(&self) -> &'static str {
        "window anchored at the first request"
    }

    fn admit(&mut self, _: u64, _: u64, now: u64) -> bool {
        self.roll(now);
        let admits = self.used[0] < self.n[0] && self.used[1] < self.n[1];
        if admits {
            self.count(0, 1, now);
        }
        admits
    }

    fn ended(&mut self, input: u64, _: u64, output: u64, now: u64) {
        self.roll(now);
        self.count(1, input + output, now);
    }
}

/// This minute's counter and the last one's share by the time that has passed, as Cloudflare and Kong (`window_type = sliding`) have it;
/// tokens are added when the answer is over.
struct SlidingCounter {
    n: [u64; 2],
    minute: u64,
    used: [u64; 2],
    before: [u64; 2],
}

impl SlidingCounter {
    fn roll(&mut self, now: u64) {
        let minute = now / WINDOW_US;
        match minute - self.minute {
            0 => return,
            1 => self.before = self.used,
            _ => self.before = [0, 0],
        }
        (self.minute, self.used) = (minute, [0, 0]);
    }

    fn estimate(&self, kind: usize, now: u64) -> f64 {
        let left = 1.0 - (now % WINDOW_US) as f64 / WINDOW_US as f64;
        self.before[kind] as f64 * left + self.used[kind] as f64
    }
}

impl Limiter for SlidingCounter {
    fn name(&self) -> &'static str {
        "interpolated sliding counter"
    }

    fn admit(&mut self, _: u64, _: u64, now: u64) -> bool {
        self.roll(now);
        let admits = self.estimate(0, now) + 1.0 <= self.n[0] as f64 && self.estimate(1, now) < self.n[1] as f64;
        self.used[0] += u64::from(admits);
        admits
    }

    fn ended(&mut self, input: u64, _: u64, output: u64, now: u64) {
        self.roll(now);
        self.used[1] += input + output;
    }
}

/// Buckets of a minute's size that fill steadily, which is what GCRA computes: governor, redis-cell, OpenAI's and Groq's limits,
/// TensorZero. Input and an estimate of the output are taken at the beginning, and settled at the end as TensorZero does; the estimate
/// is the same as Tidegate's, which is more than these systems have.
struct TokenBucket {
    n: [u64; 2],
    level: [f64; 2],
    at: u64,
}

impl TokenBucket {
    fn fill(&mut self, now: u64) {
        for kind in 0..2 {
            let n = self.n[kind] as f64;
            self.level[kind] = (self.level[kind] + n * (now - self.at) as f64 / WINDOW_US as f64).min(n);
        }
        self.at = now;
    }
}

impl Limiter for TokenBucket {
    fn name(&self) -> &'static str {
        "token bucket (GCRA)"
    }

    fn admit(&mut self, input: u64, estimate: u64, now: u64) -> bool {
        self.fill(now);
        let asks = [1.0, (input + estimate) as f64];
        let admits = (0..2).all(|kind| self.level[kind] >= asks[kind]);
        if admits {
            (0..2).for_each(|kind| self.level[kind] -= asks[kind]);
        }
        admits
    }

    fn ended(&mut self, _: u64, estimate: u64, output: u64, now: u64) {
        self.fill(now);
        self.level[1] = (self.level[1] + estimate as f64 - output as f64).min(self.n[1] as f64);
    }

    fn promises(&self, estimate: u64) -> u64 {
        estimate
    }

    fn wants_free(&self, input: u64, estimate: u64) -> u64 {
        input + estimate
    }
}

/// An exact log of the last minute, in which tokens are written when the answer is over.
struct PostHoc {
    n: [u64; 2],
    used: [Meter; 2],
}

impl Limiter for PostHoc {
    fn name(&self) -> &'static str {
        "exact window, tokens counted after the answer"
    }

    fn admit(&mut self, _: u64, _: u64, now: u64) -> bool {
        let admits = (0..2).all(|kind| self.used[kind].sum(now) < self.n[kind]);
        if admits {
            self.used[0].add(1, now);
        }
        admits
    }

    fn ended(&mut self, input: u64, _: u64, output: u64, now: u64) {
        self.used[1].add(input + output, now);
    }
}

pub(crate) fn run(workload: &Workload) -> Vec<Found> {
    let n = workload.n;
    let limiters: [Box<dyn Limiter>; 5] = [
        Box::new(FixedWindow { n, minute: 0, used: [0, 0] }),
        Box::new(AnchoredWindow { n, began: [None, None], used: [0, 0] }),
        Box::new(SlidingCounter { n, minute: 0, used: [0, 0], before: [0, 0] }),
        Box::new(TokenBucket { n, level: n.map(|n| n as f64), at: 0 }),
        Box::new(PostHoc { n, used: [Meter::new(WINDOW_US), Meter::new(WINDOW_US)] }),
    ];
    limiters.into_iter().map(|limiter| of_limiter(workload, limiter)).collect()
}

/// An answer under way.
struct Answer {
    began: u64,
    input: u64,
    output: u64,
    relayed: u64,
    estimate: u64,
}

struct Run {
    limiter: Box<dyn Limiter>,
    /// What really happened.
    happened: [Meter; 2],
    promised: u64,
    lengths: OutputLengths,
    answers: Vec<Answer>,
    events: BinaryHeap<Reverse<(u64, usize)>>,
    served: u64,
}

impl Run {
    /// What the limiter still keeps free for an answer.
    fn promise(&self, answer: &Answer) -> u64 {
        self.limiter.promises(answer.estimate).saturating_sub(answer.relayed)
    }

    fn relay(&mut self, index: usize, now: u64) {
        let answer = &self.answers[index];
        let produced = ((now - answer.began) / US_PER_TOKEN).min(answer.output);
        let (due, before) = (produced - answer.relayed, self.promise(answer));
        self.happened[1].add(due, now);
        self.served += due;
        self.answers[index].relayed = produced;
        let answer = &self.answers[index];
        if produced < answer.output {
            let end = answer.began + answer.output * US_PER_TOKEN;
            self.promised = self.promised - before + self.promise(answer);
            self.events.push(Reverse((end.min(now + PIECE_US), index)));
        } else {
            self.promised -= before;
            self.limiter.ended(answer.input, answer.estimate, answer.output, now);
            self.lengths.note(answer.output);
        }
    }

    fn run_until(&mut self, until: u64) {
        while let Some(Reverse((at, index))) = self.events.peek().copied().filter(|Reverse((at, _))| *at <= until) {
            self.events.pop();
            self.relay(index, at);
        }
    }
}

fn of_limiter(workload: &Workload, limiter: Box<dyn Limiter>) -> Found {
    let happened = [Meter::new(WINDOW_US), Meter::new(WINDOW_US)];
    let (answers, events) = (Vec::new(), BinaryHeap::new());
    let mut run = Run { limiter, happened, promised: 0, lengths: OutputLengths::new(), answers, events, served: 0 };
    let (mut refused, mut wrong) = (0, 0);
    for row in &workload.rows {
        let now = workload.arrival_us(row);
        run.run_until(now);
        let (input, output) = (u64::from(row.input), u64::from(row.output));
        let estimate = run.lengths.hold(DEFAULT_OUTPUT).min(workload.n[1].saturating_sub(input));
        if run.limiter.admit(input, estimate, now) {
            run.happened[0].add(1, now);
            run.happened[1].add(input, now);
            run.served += input;
            run.promised += run.limiter.promises(estimate);
            run.answers.push(Answer { began: now, input, output, relayed: 0, estimate });
            run.relay(run.answers.len() - 1, now);
        } else {
            refused += 1;
            let free = run.happened[1].sum(now) + run.promised + run.limiter.wants_free(input, estimate) <= workload.n[1];
            wrong += u64::from(free && run.happened[0].sum(now) < workload.n[0]);
        }
    }
    run.run_until(u64::MAX);
    let peak = [run.happened[0].peak().0, run.happened[1].peak().0];
    Found { name: run.limiter.name().to_owned(), peak, refused, wrong, served: run.served, paused: Spread::default(), cut: 0 }
}
