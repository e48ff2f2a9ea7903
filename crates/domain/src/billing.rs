//! What a change of plan costs and when it is in force. It knows no card and no payment provider; all amounts are whole cents.

use crate::{Money, UnixMicros};

/// A hundredth of the currency unit, in billionths of it.
const CENT: i64 = 10_000_000;

/// What was paid for: from `start` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub start: UnixMicros,
    /// The moment it is over.
    pub end: UnixMicros,
}

impl Period {
    /// A calendar month in UTC; from the 31st it ends on the last day of a shorter month.
    pub fn month_from(start: UnixMicros) -> Self {
        let utc = jiff::Timestamp::from_microsecond(start.0).map(|at| at.to_zoned_datetime(jiff::tz::TimeZone::UTC));
        let end = utc.and_then(|at| at.checked_add(jiff::Span::new().months(1))).map(|at| at.timestamp().as_microsecond());
        Self { start, end: UnixMicros(end.unwrap_or(start.0.saturating_add(30 * 86_400_000_000))) }
    }
}

/// When a change is in force, and what is due for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quote {
    /// At once, when `due` is paid; a new month begins.
    Now {
        /// What is left of what was paid for the plan until now.
        credit: Money,
        /// The new month less the credit.
        due: Money,
    },
    /// When what was paid for is over; nothing is due.
    AtPeriodEnd(UnixMicros),
}

/// What it takes to go from a plan of one price to one of another. `paid` is the month that was paid for.
pub fn quote(present: Money, paid: Option<Period>, wanted: Money, now: UnixMicros) -> Quote {
    let running = paid.filter(|period| period.start <= now && now < period.end && present.0 > 0);
    match running {
        Some(period) if wanted < present => Quote::AtPeriodEnd(period.end),
        running => {
            let credit = running.map_or(Money(0), |period| unused(present, period, now));
            Quote::Now { credit, due: Money((cents(wanted) - credit.0).max(0)) }
        }
    }
}

/// The part of a price that pays for what is left of a month, rounded down.
fn unused(price: Money, period: Period, now: UnixMicros) -> Money {
    let (left, whole) = (i128::from(period.end.0 - now.0), i128::from(period.end.0 - period.start.0).max(1));
    let part = i128::from(cents(price)) * left / whole;
    Money(i64::try_from(part).unwrap_or(0) / CENT * CENT)
}

/// A price in whole cents, rounded up.
fn cents(price: Money) -> i64 {
    let whole = price.0.div_euclid(CENT) + i64::from(price.0.rem_euclid(CENT) > 0);
    whole.saturating_mul(CENT)
}

/// A price as it is charged: in whole cents, rounded up.
pub fn whole_cents(price: Money) -> Money {
    Money(cents(price))
}

impl Money {
    /// How many hundredths of the currency unit it is, rounded up, as those who charge cards count.
    pub fn to_cents(self) -> i64 {
        cents(self) / CENT
    }

    /// So many hundredths of the currency unit, saturating.
    pub fn of_cents(cents: i64) -> Self {
        Self(cents.saturating_mul(CENT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn at(text: &str) -> UnixMicros {
        text.parse().unwrap()
    }

    #[test]
    fn months_are_calendar_months() {
        let end = |start: &str| Period::month_from(at(start)).end;
        assert_eq!(end("2026-02-05T15:30:00Z"), at("2026-03-05T15:30:00Z"));
        assert_eq!(end("2026-01-31T00:00:00Z"), at("2026-02-28T00:00:00Z"));
        assert_eq!(end("2026-12-31T23:59:59Z"), at("2027-01-31T23:59:59Z"));
    }

    #[test]
    fn an_upgrade_is_paid_now_less_what_is_left() {
        let start = at("2026-04-01T00:00:00Z");
        let period = Period::month_from(start);
        let half = UnixMicros(start.0 + 15 * DAY);
        let due = |present: &str, paid, wanted: &str, now| quote(money(present), paid, money(wanted), now);
        assert_eq!(due("0", None, "20", start), Quote::Now { credit: money("0"), due: money("20") });
        assert_eq!(due("20", Some(period), "100", half), Quote::Now { credit: money("10"), due: money("90") });
        assert_eq!(due("9.99", Some(period), "9.995", half), Quote::Now { credit: money("4.99"), due: money("5.01") }, "in whole cents");
        assert_eq!(due("20", Some(period), "100", period.end), Quote::Now { credit: money("0"), due: money("100") }, "nothing is left");
        assert_eq!(due("20", Some(period), "20", half), Quote::Now { credit: money("10"), due: money("10") });
    }

    #[test]
    fn amounts_become_cents_and_come_back() {
        for (price, cents) in [("20", 2_000), ("0.01", 1), ("9.995", 1_000), ("0", 0)] {
            assert_eq!((money(price).to_cents(), whole_cents(money(price))), (cents, Money::of_cents(cents)), "{price}");
        }
        assert_eq!(Money::of_cents(1_785).to_string(), "17.85");
    }

    #[test]
    fn a_downgrade_waits_until_what_was_paid_for_is_over() {
        let start = at("2026-04-01T00:00:00Z");
        let period = Period::month_from(start);
        assert_eq!(quote(money("100"), Some(period), money("20"), start), Quote::AtPeriodEnd(period.end));
        assert_eq!(quote(money("100"), None, money("0"), start), Quote::Now { credit: money("0"), due: money("0") }, "nothing was paid");
    }
}
