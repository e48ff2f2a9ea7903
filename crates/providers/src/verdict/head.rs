//! What an answer's headers say of its failure, read in one pass.
//! It refuses to weigh them against the body.

use domain::UnixMicros;

use super::quota::Limits;
use super::times::{self, When};

/// The headers that matter.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// `retry-after-ms` (OpenAI, Azure) or `x-ms-retry-after-ms` (Azure).
    pub(super) retry_after_ms: Option<When>,
    /// `retry-after`, in seconds or as a date (RFC 9110, 10.2.3).
    pub(super) retry_after: Option<When>,
    /// The provider's clock.
    pub(super) date: Option<UnixMicros>,
    /// AWS's name of the error, such as `ThrottlingException`.
    pub(super) error_type: Option<String>,
    pub(super) limits: Limits,
}

impl Head {
    pub(super) fn read<'h>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut head = Self::default();
        for (name, value) in headers {
            head.limits.take(name, value);
            let Ok(value) = std::str::from_utf8(value).map(str::trim) else { continue };
            match name {
                "retry-after-ms" | "x-ms-retry-after-ms" => {
                    head.retry_after_ms = times::count(value, times::MILLISECOND_US).or(head.retry_after_ms);
                }
                // An epoch or a span with a unit, which the standard doesn't know, is told apart from seconds all the same.
                "retry-after" => head.retry_after = times::reset(value).or(head.retry_after),
                "date" => head.date = times::http_date(value).or(head.date),
                // `ThrottlingException:http://internal.amazon.com/…`
                "x-amzn-errortype" => head.error_type = value.split(':').next().map(str::to_owned),
                _ => {}
            }
        }
        head
    }
}
