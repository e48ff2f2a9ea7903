//! Builds many header values in one buffer. It knows no header's meaning.

use bytes::{BufMut, BytesMut};
use http::HeaderValue;

/// A buffer from which header values are cut one after the other, so that all of an answer's share one allocation.
pub(crate) struct HeaderText {
    bytes: BytesMut,
}

impl HeaderText {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: BytesMut::with_capacity(bytes) }
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes.put_slice(text.as_bytes());
        self
    }

    pub(crate) fn display(&mut self, value: impl std::fmt::Display) -> &mut Self {
        use std::fmt::Write as _;
        // Writing to a buffer that grows does not fail.
        let _ = write!(self.bytes, "{value}");
        self
    }

    pub(crate) fn number(&mut self, n: u64) -> &mut Self {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = n;
        loop {
            at -= 1;
            if let Some(digit) = digits.get_mut(at) {
                *digit = b'0' + (rest % 10) as u8;
            }
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.bytes.put_slice(digits.get(at..).unwrap_or_default());
        self
    }

    /// OpenAI's form of a duration, rounded up to a millisecond: `84ms`, `1s`, `1.5s`, `6m0s`, `24h0m0s`.
    pub(crate) fn duration(&mut self, us: u64) -> &mut Self {
        let ms = us.div_ceil(1_000);
        if ms == 0 {
            return self.text("0s");
        }
        if ms < 1_000 {
            return self.number(ms).text("ms");
        }
        let (hours, minutes, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms % 60_000);
        if hours > 0 {
            self.number(hours).text("h");
        }
        if hours > 0 || minutes > 0 {
            self.number(minutes).text("m");
        }
        self.number(rest / 1_000);
        match (rest % 1_000 / 100, rest % 100 / 10, rest % 10) {
            (0, 0, 0) => {}
            (a, 0, 0) => drop(self.text(".").number(a)),
            (a, b, 0) => drop(self.text(".").number(a).number(b)),
            (a, b, c) => drop(self.text(".").number(a).number(b).number(c)),
        }
        self.text("s")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was written since the last value; `None` where it is no header value.
    pub(crate) fn cut(&mut self) -> Option<HeaderValue> {
        HeaderValue::from_maybe_shared(self.bytes.split().freeze()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duration(us: u64) -> String {
        HeaderText::with_capacity(64).duration(us).cut().unwrap().to_str().unwrap().into()
    }

    #[test]
    fn durations_are_written_as_openai_does_and_never_too_short() {
        let cases = [
            (0, "0s"),
            (1, "1ms"),
            (84_000, "84ms"),
            (83_001, "84ms"),
            (999_001, "1s"),
            (1_000_000, "1s"),
            (1_500_000, "1.5s"),
            (7_660_000, "7.66s"),
            (7_066_000, "7.066s"),
            (59_999_001, "1m0s"),
            (360_000_000, "6m0s"),
            (61_050_000, "1m1.05s"),
            (86_400_000_000, "24h0m0s"),
        ];
        for (us, text) in cases {
            assert_eq!(duration(us), text, "{us}");
        }
    }

    #[test]
    fn values_are_cut_one_after_the_other() {
        let mut text = HeaderText::with_capacity(8);
        let first = text.text("a=").number(0).cut().unwrap();
        let second = text.number(u64::MAX).cut().unwrap();
        assert_eq!((first.as_bytes(), second.as_bytes()), (&b"a=0"[..], &b"18446744073709551615"[..]));
        assert!(text.is_empty());
    }
}
