//! The rules against brute force over the whole history.

use proptest::prelude::*;

use super::*;

const S: u64 = 1_000_000;

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Begin,
    LastResort,
    /// One of the attempts in progress ends.
    Succeed(usize),
    Fail(usize, Trouble, Option<u64>, u64),
    LetGo(usize),
    Clear,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    use Trouble::*;
    prop_oneof![4 => Just(Failed), 2 => Just(RateLimited), 2 => Just(Overloaded), 1 => Just(TimedOut),
        1 => prop_oneof![Just(Credential), Just(Billing), Just(Missing)]]
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![Just(0), Just(1), 0..3 * S, 0..40 * S, 0..400 * S];
    let word = proptest::option::of(prop_oneof![0..3_000_u64, 0..100_000_u64, Just(u64::MAX)]);
    prop_oneof![
        3 => wait.prop_map(Step::Wait),
        8 => Just(Step::Begin),
        1 => Just(Step::LastResort),
        4 => any::<usize>().prop_map(Step::Succeed),
        6 => (any::<usize>(), trouble(), word, any::<u64>()).prop_map(|(i, t, w, r)| Step::Fail(i, t, w, r)),
        1 => any::<usize>().prop_map(Step::LetGo),
        1 => Just(Step::Clear),
    ]
}

/// The history, looked at whole each time.
#[derive(Default)]
struct History {
    outcomes: Vec<(u64, bool)>,
    /// Outcomes before this place no longer count for the circuit.
    forgotten: usize,
    in_a_row: u32,
    live: Vec<Attempt>,
    last_resorts: Vec<u64>,
}

impl History {
    fn of_slices(&self, now: u64, slices: u64, from: usize) -> (u64, u64) {
        let recent = self.outcomes[from..].iter().filter(|(at, _)| at / caps::SLICE_US + slices > now / caps::SLICE_US);
        recent.fold((0, 0), |(ok, failed), (_, is_ok)| if *is_ok { (ok + 1, failed) } else { (ok, failed + 1) })
    }

    fn opens(&self, now: u64) -> bool {
        let (ok, failed) = self.of_slices(now, 6, self.forgotten);
        self.in_a_row >= 5 || (ok + failed >= 10 && failed >= ok)
    }

    fn running_probes(&self, now: u64) -> usize {
        self.live.iter().filter(|a| a.is_probe() && now < a.begun_us() + caps::PROBE_US).count()
    }
}

/// What holds whatever happened: closed times are bounded and end when they say, and nothing else is promised on the way.
fn looks_right(health: &Health, now: u64) -> Result<(), TestCaseError> {
    if let Admits::No { until_us, why } = health.admits(now) {
        let most = match why {
            Why::Probing => 5 * S,
            Why::Cooling(trouble) if trouble.is_alarm() => 300 * S,
            Why::Cooling(_) | Why::Open => 60 * S,
        };
        prop_assert!(now < until_us && until_us <= now + most, "{why:?} until {until_us} at {now}");
        let before = matches!(health.admits(until_us - 1), Admits::No { until_us: same, .. } if same == until_us);
        prop_assert!(before, "no longer closed before its end");
        match health.admits(until_us) {
            Admits::No { why: later, .. } => prop_assert!(later == Why::Probing && why != Why::Probing, "closed beyond its end"),
            Admits::Yes | Admits::Probe => {}
        }
    }
    prop_assert!(!health.is_untroubled() || health.admits(now) == Admits::Yes);
    Ok(())
}

fn until(admits: Admits) -> u64 {
    match admits {
        Admits::No { why: Why::Probing, .. } | Admits::Yes | Admits::Probe => 0,
        Admits::No { until_us, .. } => until_us,
    }
}

/// One health and its history.
struct Trial {
    health: Health,
    now: u64,
    history: History,
}

impl Trial {
    fn take(&mut self, place: usize) -> Option<Attempt> {
        let live = &mut self.history.live;
        (!live.is_empty()).then(|| live.swap_remove(place % live.len()))
    }

    fn begin(&mut self) -> Result<(), TestCaseError> {
        let (before, running) = (self.health.admits(self.now), self.history.running_probes(self.now));
        match self.health.begin(self.now) {
            Ok(attempt) => {
                prop_assert_eq!(attempt.is_probe(), before == Admits::Probe);
                prop_assert!(matches!(before, Admits::Yes | Admits::Probe));
                prop_assert!(!attempt.is_probe() || running == 0, "two probes");
                self.history.live.push(attempt);
            }
            Err(refused) => prop_assert_eq!(refused, before),
        }
        Ok(())
    }

    fn last_resort(&mut self) -> Result<(), TestCaseError> {
        let (before, running) = (self.health.admits(self.now), self.history.running_probes(self.now));
        let Some(attempt) = self.health.begin_as_last_resort(self.now) else { return Ok(()) };
        prop_assert!(!attempt.is_probe() || running == 0, "two probes");
        if matches!(before, Admits::No { .. }) {
            let limited = matches!(before, Admits::No { why: Why::Cooling(Trouble::RateLimited), .. });
            prop_assert!(!limited, "tried although the provider said when");
            if attempt.is_probe() {
                prop_assert!(self.history.last_resorts.last().is_none_or(|last| last + S <= self.now), "hammered");
                self.history.last_resorts.push(self.now);
            }
            let others = self.history.live.iter().filter(|a| !a.is_probe() && !a.is_plain()).count();
            prop_assert!(others < 8, "too many at once");
        }
        self.history.live.push(attempt);
        Ok(())
    }

    fn succeed(&mut self, attempt: Attempt) -> Result<(), TestCaseError> {
        let before = until(self.health.admits(self.now));
        let change = self.health.succeeded(attempt, self.now, 1_000);
        self.history.outcomes.push((self.now, true));
        self.history.in_a_row = 0;
        prop_assert!(change.is_none() || !attempt.is_plain());
        if change.is_some() {
            prop_assert!(!self.health.needs_probe());
            self.history.forgotten = self.history.outcomes.len();
        }
        prop_assert!(!attempt.is_plain() || until(self.health.admits(self.now)) >= before, "shortened by one that knew nothing");
        Ok(())
    }

    fn fail(&mut self, attempt: Attempt, trouble: Trouble, word: Option<u64>, random: u64) -> Result<(), TestCaseError> {
        let (before, was_open) = (until(self.health.admits(self.now)), self.health.circuit.is_open());
        let change = self.health.failed(attempt, trouble, word, self.now, random);
        if trouble.is_failure() {
            self.history.outcomes.push((self.now, false));
            self.history.in_a_row += 1;
        }
        let opens = trouble.is_failure() && !was_open && self.history.opens(self.now);
        prop_assert_eq!(change == Some(Change::Opened), opens);
        let after = until(self.health.admits(self.now));
        prop_assert!(after >= before, "shortened");
        if let (Some(word), false) = (word, trouble.is_alarm()) {
            prop_assert!(after >= self.now + word.saturating_mul(1_000).clamp(1_000, 60 * S), "its word was not kept");
        }
        let leaves_alone = trouble == Trouble::RateLimited || trouble == Trouble::Overloaded || trouble.is_alarm() || opens;
        prop_assert!(!leaves_alone || after > self.now);
        Ok(())
    }

    fn let_go(&mut self, attempt: Attempt) -> Result<(), TestCaseError> {
        let before = until(self.health.admits(self.now));
        self.health.let_go(attempt);
        prop_assert_eq!(until(self.health.admits(self.now)), before);
        Ok(())
    }

    fn clear(&mut self) -> Result<(), TestCaseError> {
        self.health.clear(self.now);
        // Attempts under way are no longer probes of anything.
        self.history.live.retain(|attempt| !attempt.is_probe());
        self.history.last_resorts.clear();
        (self.history.in_a_row, self.history.forgotten) = (0, self.history.outcomes.len());
        prop_assert_eq!(self.health.admits(self.now), Admits::Yes);
        Ok(())
    }

    fn figures_are_right(&self) -> Result<(), TestCaseError> {
        let (ok, failed) = self.history.of_slices(self.now, 30, 0);
        let percent = (ok + failed > 0).then(|| ok as f64 * 100.0 / (ok + failed) as f64);
        let standing = self.health.standing(self.now);
        prop_assert_eq!(standing.success_percent, percent);
        prop_assert_eq!(standing.failures_in_a_row, self.history.in_a_row);
        Ok(())
    }
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut trial = Trial { health: Health::default(), now: 1_000 * S, history: History::default() };
    for step in steps {
        match step {
            Step::Wait(us) => trial.now += us,
            Step::Begin => trial.begin()?,
            Step::LastResort => trial.last_resort()?,
            Step::Succeed(i) => trial.take(i).map_or(Ok(()), |attempt| trial.succeed(attempt))?,
            Step::Fail(i, trouble, word, random) => {
                trial.take(i).map_or(Ok(()), |attempt| trial.fail(attempt, trouble, word, random))?;
            }
            Step::LetGo(i) => trial.take(i).map_or(Ok(()), |attempt| trial.let_go(attempt))?,
            Step::Clear => trial.clear()?,
        }
        looks_right(&trial.health, trial.now)?;
        trial.figures_are_right()?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_does_what_its_history_says(steps in proptest::collection::vec(step(), 1..100)) {
        run(steps)?;
    }

    #[test]
    fn the_95th_percentile_is_right_to_within_its_class(times in proptest::collection::vec(0..2_000_000_000_u64, 1..200)) {
        let mut outcomes = Outcomes::default();
        times.iter().for_each(|us| outcomes.succeeded(S, *us));
        let mut sorted = times;
        sorted.sort_unstable();
        let exact = sorted[(sorted.len() * 95).div_ceil(100) - 1].clamp(512, (1 << 30) - 1);
        let told = outcomes.p95_us(S).unwrap();
        prop_assert!(exact < told && told <= exact + exact / 4 + 1, "{exact} {told}");
    }
}
