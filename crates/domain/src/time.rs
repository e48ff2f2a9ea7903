//! Time and randomness as parameters. This file defines their shapes and never reads a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Microseconds of a clock that never steps and counts suspension (`CLOCK_BOOTTIME`).
    pub mono_us: u64,
    /// Wall time, for text only: no decision depends on it but the validity of dated facts.
    pub wall: UnixMicros,
}

impl Now {
    /// The wall time at a moment of the steady clock, as of this reading.
    pub fn wall_at(self, mono_us: u64) -> UnixMicros {
        let delta = i64::try_from(i128::from(mono_us) - i128::from(self.mono_us)).unwrap_or(i64::MAX);
        UnixMicros(self.wall.0.saturating_add(delta))
    }
}

/// Wall time in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// RFC 3339 in UTC with whole seconds, rounded up, so that the moment named is never too early.
    pub fn to_rfc3339_rounded_up(self) -> String {
        let seconds = self.0.div_euclid(1_000_000) + i64::from(self.0.rem_euclid(1_000_000) > 0);
        UnixMicros(seconds.saturating_mul(1_000_000)).to_string()
    }
}

/// RFC 3339 in UTC; with microseconds only where there are any.
impl fmt::Display for UnixMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t}"),
            Err(_) if self.0 < 0 => f.write_str("-009999-01-02T01:59:59Z"),
            Err(_) => f.write_str("9999-12-30T22:00:00Z"),
        }
    }
}

impl std::str::FromStr for UnixMicros {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(|t| Self(t.as_microsecond()))
    }
}

impl Serialize for UnixMicros {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixMicros {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(|_| serde::de::Error::custom(format!("expected a time such as 2026-02-05T15:32:41Z, found {text:?}")))
    }
}

/// Where the time comes from. The binary holds the only clock that reads the machine's.
pub trait Clock: Send + Sync {
    /// Both clocks, read together.
    fn now(&self) -> Now;
}

/// Where randomness comes from: cryptographic in the binary, seeded in tests.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_rounds_up_to_a_whole_second() {
        let t: UnixMicros = "2026-02-05T15:32:40.000001Z".parse().unwrap();
        assert_eq!(t.to_rfc3339_rounded_up(), "2026-02-05T15:32:41Z");
        let whole: UnixMicros = "2026-02-05T15:32:40Z".parse().unwrap();
        assert_eq!(whole.to_rfc3339_rounded_up(), "2026-02-05T15:32:40Z");
    }

    #[test]
    fn wall_time_follows_the_steady_clock() {
        let now = Now { mono_us: 5_000_000, wall: UnixMicros(1_000_000) };
        assert_eq!(now.wall_at(6_000_000), UnixMicros(2_000_000));
        assert_eq!(now.wall_at(4_000_000), UnixMicros(0));
    }
}
