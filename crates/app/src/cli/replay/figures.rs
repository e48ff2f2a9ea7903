//! Figures as people read them.

use domain::Kind;
use replay::LimitOutcome;

/// `18,305,870`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(|group| String::from_utf8_lossy(group).into_owned()).collect::<Vec<_>>().join(",")
}

/// `84 ms`, `4.2 s`, `3 min 20 s`
pub(crate) fn time(micros: u64) -> String {
    match micros {
        0..1_000_000 => format!("{} ms", micros.div_ceil(1_000)),
        1_000_000..120_000_000 => format!("{:.1} s", micros as f64 / 1e6),
        _ => {
            let seconds = micros / 1_000_000;
            let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
            if hours > 0 { format!("{hours} h {minutes} min") } else { format!("{minutes} min {} s", seconds % 60) }
        }
    }
}

/// `45 rpm`, `30,000 tpm`, `1,000 tokens in 10.0 s`, `4 at once`
pub(crate) fn limit(limit: &LimitOutcome) -> String {
    let n = count(limit.n);
    match (limit.kind, limit.window_us) {
        (Kind::Requests, 60_000_000) => format!("{n} rpm"),
        (Kind::Tokens, 60_000_000) => format!("{n} tpm"),
        (Kind::Requests, domain::DAY_US) => format!("{n} rpd"),
        (Kind::Tokens, domain::DAY_US) => format!("{n} tpd"),
        (Kind::Concurrent, _) => format!("{n} at once"),
        (Kind::Requests, window_us) => format!("{n} requests in {}", time(window_us)),
        (Kind::Tokens, window_us) => format!("{n} tokens in {}", time(window_us)),
    }
}

/// The peak as a share of the limit, never rounded down to the limit itself: `0.987`, `1.000`, `1.001`.
pub(crate) fn ratio(limit: &LimitOutcome) -> String {
    match limit.ratio() {
        Some(ratio) if ratio > 1.0 => format!("{:.3}", (ratio * 1e3).ceil() / 1e3),
        Some(ratio) => format!("{ratio:.3}"),
        None => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!([0, 999, 1_000, 18_305_870].map(count), ["0", "999", "1,000", "18,305,870"]);
        let times = [0, 1, 83_400, 4_210_000, 119_900_000, 200_000_000, 9_000_000_000];
        assert_eq!(times.map(time), ["0 ms", "1 ms", "84 ms", "4.2 s", "119.9 s", "3 min 20 s", "2 h 30 min"]);
    }
}
