//! What must hold of every story, whatever the seed.

use std::collections::HashMap;

use crate::client::{End, Given};
use crate::moods::Mood;
use crate::rest::Rests;
use crate::world::{Attempt, HEDGE_MS, Story, TARGETS, quota};

/// What a target's word is worth at most: a longer wait is not believed.
const BELIEVED_US: u64 = 60_000_000;
const SECOND_US: u64 = 1_000_000;

/// Everything that should not have happened, in words.
pub(crate) fn faults(story: &Story) -> Vec<String> {
    let all = as_heard(story);
    let mut of_marker: HashMap<u64, Vec<&Attempt>> = HashMap::new();
    for attempt in &all {
        of_marker.entry(attempt.marker).or_default().push(attempt);
    }
    of_marker.values_mut().for_each(|attempts| attempts.sort_by_key(|attempt| attempt.begun_us));
    let of_target = |target| all.iter().filter(move |attempt| attempt.target == target);
    let rests: Vec<_> = (0..TARGETS).map(|target| Rests::of(of_target(target))).collect();
    let mut faults = Vec::new();
    for given in &story.given {
        let attempts = of_marker.get(&given.marker).map(Vec::as_slice).unwrap_or_default();
        let wrong = refused_wrongly(story, &rests, given, attempts).or_else(|| passed_over(story, &rests, given, attempts));
        faults.extend(wrong.into_iter().chain(mixed(given)).chain(tried_too_late(given, attempts)));
        faults.extend(impatient(story, given, attempts).into_iter().chain(patient(story, &rests, given, attempts)));
    }
    for target in 0..TARGETS {
        let attempts: Vec<_> = of_target(target).collect();
        faults.extend(hammered(&attempts));
        faults.extend(over_quota(story, target, &attempts));
    }
    faults.extend(unsettled(story));
    faults.truncate(20);
    faults
}

/// The attempts as the gateway heard of them: what one says whose request was answered by another by then, nobody reads.
fn as_heard(story: &Story) -> Vec<Attempt> {
    let won: HashMap<_, _> = story.given.iter().filter(|given| given.status == 200).map(|given| (given.marker, given)).collect();
    let mut attempts = story.attempts.clone();
    for attempt in &mut attempts {
        let is_mine = |given: &Given| given.provider.as_ref().is_some_and(|name| *name == format!("t{}", attempt.target));
        if let Some(given) = won.get(&attempt.marker).filter(|given| !is_mine(given)) {
            let is_heard = |at_us: &u64| *at_us < given.at_us;
            attempt.answered_us = attempt.answered_us.filter(is_heard);
            attempt.failed_us = attempt.failed_us.filter(is_heard);
            attempt.told_ms = attempt.told_ms.filter(|_| attempt.failed_us.is_some());
        }
    }
    attempts
}

/// A refusal or failure while some target, even if it had better be left alone, could have been asked.
fn refused_wrongly(story: &Story, rests: &[Rests], given: &Given, attempts: &[&Attempt]) -> Option<String> {
    if given.status == 200 {
        return None;
    }
    if given.status == 429 && attempts.iter().any(|attempt| !matches!(attempt.mood, Mood::Limited(_))) {
        return Some(format!("a 429 though a target failed otherwise: {given:?} after {attempts:?}"));
    }
    let was_asked = |target| attempts.iter().any(|attempt| attempt.target == target);
    let is_limited =
        |target: usize| rests[target].limited_between(given.asked_us, given.at_us) || was_full(story, target, given.asked_us, given.at_us);
    let missed = (0..TARGETS).find(|target| !was_asked(*target) && !is_limited(*target));
    missed.map(|target| format!("target {target} does not refuse for its rate, and was not asked: {given:?} after {attempts:?}"))
}

/// A target that comes before the one that answered, and was left alone for longer than the rules allow. When broken streams are counted
/// can't be told from outside: a target with one in the last minute is excused.
fn passed_over(story: &Story, rests: &[Rests], given: &Given, attempts: &[&Attempt]) -> Option<String> {
    let taken = attempts.last()?.target;
    let was_asked = |target| attempts.iter().any(|attempt| attempt.target == target);
    let earlier = (0..TARGETS).filter(|target| target / 2 < taken / 2 && !was_asked(*target));
    let broke = |target| {
        let recent = |failed_us: u64| failed_us <= given.at_us && failed_us + 60 * SECOND_US > given.asked_us;
        story.attempts.iter().any(|a| a.target == target && a.mood == Mood::Breaking && a.failed_us.is_some_and(recent))
    };
    let is_full = |target| was_full(story, target, given.asked_us, given.at_us);
    let missed =
        earlier.into_iter().find(|target| !rests[*target].between(given.asked_us, given.at_us) && !broke(*target) && !is_full(*target));
    missed.map(|target| format!("target {target} should have been asked before {taken}: {given:?} after {attempts:?}"))
}

/// Whether a target's quota may have had no room at some moment between these. The gateway counts a request at most a second after it is
/// there.
fn was_full(story: &Story, target: usize, from_us: u64, to_us: u64) -> bool {
    let counts = |attempt: &&Attempt| attempt.target == target && attempt.begun_us <= to_us && attempt.at_us + 61 * SECOND_US > from_us;
    quota(story.seed, target).is_some_and(|quota| story.attempts.iter().filter(counts).count() as u64 >= quota)
}

/// More requests in a window of a target's own than its quota.
fn over_quota(story: &Story, target: usize, attempts: &[&Attempt]) -> Option<String> {
    let quota = usize::try_from(quota(story.seed, target)?).ok()?;
    let over = attempts.windows(quota + 1).find(|window| window[quota].at_us < window[0].at_us + 60 * SECOND_US)?;
    Some(format!("{} requests in a minute, of {quota}: from {:?} to {:?}", over.len(), over[0], over[quota]))
}

/// Words of two targets, or of another than is named.
fn mixed(given: &Given) -> Option<String> {
    let name = given.provider.as_ref().filter(|_| given.status == 200)?;
    let is_alien = given.text.split_whitespace().any(|word| word != name);
    is_alien.then(|| format!("words that are not {name}'s: {given:?}"))
}

/// Another attempt after the client had the first byte.
fn tried_too_late(given: &Given, attempts: &[&Attempt]) -> Option<String> {
    let late = attempts.iter().find(|attempt| given.status == 200 && attempt.begun_us > given.at_us)?;
    Some(format!("tried again after the first byte: {late:?} for {given:?}"))
}

/// Another target asked although the one before had neither failed nor been silent for long enough; or one asked twice.
fn impatient(story: &Story, given: &Given, attempts: &[&Attempt]) -> Option<String> {
    let is_early = |pair: &&[&Attempt]| {
        let is_working = matches!(pair[0].mood, Mood::Well | Mood::Slow(_) | Mood::Hanging);
        is_working && pair[1].begun_us < pair[0].begun_us + story.patience_us()
    };
    if let Some(pair) = attempts.windows(2).find(is_early) {
        return Some(format!("asked another too early: {pair:?} for {given:?}"));
    }
    let twice = attempts.iter().enumerate().find(|(n, attempt)| attempts[..*n].iter().any(|before| before.target == attempt.target));
    twice.map(|(_, attempt)| format!("asked twice: {attempt:?} for {given:?}"))
}

/// A silent target waited for, though another that would have answered was to be tried beside it.
fn patient(story: &Story, rests: &[Rests], given: &Given, attempts: &[&Attempt]) -> Option<String> {
    let [only] = attempts else { return None };
    if !story.hedges || given.status != 200 || !only.mood.is_silent(HEDGE_MS) || only.begun_us != given.asked_us {
        return None;
    }
    let hedge_us = only.begun_us + story.patience_us();
    // The other is dropped unseen if its connection isn't there yet.
    if given.at_us <= hedge_us + story.connects_us() {
        return None;
    }
    // Those of a higher priority were asked before, or left alone.
    let mut others = (0..TARGETS).filter(|target| *target != only.target && target / 2 > only.target / 2);
    let rested = others.find(|target| !rests[*target].between(hedge_us, hedge_us) && !was_full(story, *target, hedge_us, hedge_us));
    rested.map(|target| format!("target {target} was not tried beside {only:?} for {given:?}"))
}

/// Requests to a target that had said when to come back, before that.
fn hammered(attempts: &[&Attempt]) -> Option<String> {
    let mut rest: Option<(u64, u64)> = None;
    for attempt in attempts {
        if let Some((since, until)) = rest.filter(|(since, until)| attempt.begun_us > *since && attempt.begun_us < *until) {
            return Some(format!("asked while it cools from {since} to {until}: {attempt:?}"));
        }
        if let Some(told_ms) = attempt.told_ms {
            let until = attempt.at_us + (told_ms * 1_000).min(BELIEVED_US);
            rest = Some((attempt.at_us, rest.map_or(until, |(_, earlier)| earlier.max(until))));
        }
    }
    // Without a word it is left alone for longer and longer: not asked more than once a second on average.
    let silent: Vec<_> =
        attempts.iter().filter(|a| matches!(a.mood, Mood::Limited(_)) && a.told_ms.is_none() && a.failed_us.is_some()).collect();
    let spans = silent.chunk_by(|a, b| b.at_us - a.at_us < 30 * SECOND_US);
    spans.filter(|span| span.len() > 8).find_map(|span| {
        let (first, last) = (span.first()?, span.last()?);
        let seconds = (last.at_us - first.at_us) / SECOND_US + 1;
        (span.len() as u64 > 8 + seconds).then(|| format!("asked {} times in {seconds} s though it refuses: {first:?}", span.len()))
    })
}

/// Something is held, or was not written down.
fn unsettled(story: &Story) -> Option<String> {
    let answered = story.given.iter().filter(|given| given.status == 200).count() as u64;
    let whole = story.given.iter().filter(|given| given.status == 200 && given.end != End::Left).count();
    let is_settled = story.held == 0 && story.open == 0 && story.recorded == answered && whole > 0;
    (!is_settled).then(|| format!("{} held, {} open, {} recorded of {answered} answered", story.held, story.open, story.recorded))
}
