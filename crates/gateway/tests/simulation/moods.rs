//! How a target behaves when: a course of moods that follows from a seed. It knows no bytes.

use testkit::SeededEntropy;

use crate::world::quota;

/// What a refusing target says about coming back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// When it will answer again, rounded up to a second.
    Truth,
    /// A second, whatever is true.
    TooShort,
    /// Half a minute longer than is true.
    TooLong,
    /// Nothing.
    Nothing,
}

/// How a target answers what reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As it should.
    Well,
    /// As it should, its first byte after so many milliseconds.
    Slow(u64),
    /// 429.
    Limited(Says),
    /// This status.
    Failing(u16),
    /// Not at all.
    Hanging,
    /// It breaks off at some byte.
    Breaking,
    /// With 200, and an error instead of an answer.
    Sick,
}

impl Mood {
    /// Whether a request that comes in this mood hears nothing for so long.
    pub(crate) fn is_silent(self, for_ms: u64) -> bool {
        match self {
            Self::Slow(ms) => ms >= for_ms,
            Self::Hanging => true,
            Self::Well | Self::Limited(_) | Self::Failing(_) | Self::Breaking | Self::Sick => false,
        }
    }
}

/// A mood that lasts until a moment, in microseconds after the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) until_us: u64,
    pub(crate) mood: Mood,
}

/// The course of one target.
#[derive(Clone, Debug)]
pub(crate) struct Course(Vec<Phase>);

impl Course {
    /// In every third story targets do little but refuse, as where quotas are small. One that has a quota here is well most of the time.
    pub(crate) fn new(seed: u64, target: usize, random: &SeededEntropy, length_us: u64) -> Self {
        let (mut phases, mut at) = (Vec::new(), 0);
        while at < length_us {
            let lasts_s = 3 + random.next_u64() % 90;
            at += lasts_s * 1_000_000 + random.next_u64() % 1_000_000;
            let is_calm = quota(seed, target).is_some() && !random.next_u64().is_multiple_of(4);
            let refuses = !is_calm && seed.is_multiple_of(3) && !random.next_u64().is_multiple_of(4);
            let mood = match (is_calm, refuses) {
                (true, _) => Mood::Well,
                (false, true) => limited(random.next_u64()),
                (false, false) => mood(random),
            };
            phases.push(Phase { until_us: at, mood });
        }
        Self(phases)
    }

    /// The mood at a moment, and until when.
    pub(crate) fn at(&self, us: u64) -> Phase {
        let well = Phase { until_us: u64::MAX, mood: Mood::Well };
        self.0.iter().find(|phase| us < phase.until_us).copied().unwrap_or(well)
    }
}

fn mood(random: &SeededEntropy) -> Mood {
    let pick = random.next_u64();
    match random.next_u64() % 20 {
        0..=7 => Mood::Well,
        8 => Mood::Slow(200 + pick % 1_500),
        9 => Mood::Slow(2_500 + pick % 4_000),
        10..=14 => limited(pick),
        15 | 16 => Mood::Failing([500, 502, 503, 529][(pick % 4) as usize]),
        17 => Mood::Hanging,
        18 => Mood::Breaking,
        _ => Mood::Sick,
    }
}

fn limited(pick: u64) -> Mood {
    Mood::Limited([Says::Truth, Says::Truth, Says::TooShort, Says::TooLong, Says::Nothing][(pick % 5) as usize])
}
