//! Requests of an organisation one by one, newest first: those that were admitted, and among them those that were refused.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use domain::{OrgId, RequestId, UnixMicros};

use super::requests::RequestStory;
use super::usage::{Asking, UsageError};
use super::usage_filter::UsageFilter;
use crate::sql::kept::Kept;
use crate::sql::request_list::{self, Wanted};
use crate::sql::usage::Minutes;
use crate::{DatabaseFault, ListError, Page, PageRequest, Store, caps};

const MINUTE_US: i64 = 60_000_000;

/// Which requests.
#[derive(Clone, Debug)]
pub struct RequestsQuery {
    /// Whose.
    pub org: OrgId,
    /// That arrived at this moment or later, or were refused then; `None`: since the organisation was made.
    pub from: Option<UnixMicros>,
    /// Before this moment; `None`: now.
    pub to: Option<UnixMicros>,
    /// Only these.
    pub filter: UsageFilter,
    /// The oldest first, as whoever replays them needs it.
    pub oldest_first: bool,
    /// Which page. One may have fewer elements than were asked for, though another follows.
    pub page: PageRequest,
}

/// Why requests can't be told.
#[derive(Debug, thiserror::Error)]
pub enum RequestsError {
    /// The span is wrong, or there is no such organisation.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The cursor is none that a page gave.
    #[error(transparent)]
    List(#[from] ListError),
}

impl crate::OperationError for RequestsError {
    fn class(&self) -> crate::ErrorClass<'_> {
        match self {
            Self::Usage(fault) => fault.class(),
            Self::List(fault) => fault.class(),
        }
    }
}

impl From<DatabaseFault> for RequestsError {
    fn from(fault: DatabaseFault) -> Self {
        Self::Usage(fault.into())
    }
}

/// Where a request stands: by the millisecond, then by its id. Those before it are older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) ms: i64,
    pub(crate) id: u128,
}

impl Display for Position {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:x}", self.ms, self.id)
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (ms, id) = text.split_once(' ').ok_or(())?;
        let ms: i64 = ms.parse().map_err(|_| ())?;
        let in_range = ms.unsigned_abs() < i64::MAX as u64 / 2_000;
        Ok(Self { ms, id: u128::from_str_radix(id, 16).map_err(|_| ())? }).and_then(|at| if in_range { Ok(at) } else { Err(()) })
    }
}

impl Position {
    /// Behind all that happened at this moment or later.
    fn before(at: UnixMicros) -> Self {
        Self { ms: at.0.div_euclid(1_000), id: 0 }
    }

    /// Behind all that happened before this moment.
    fn behind(at: UnixMicros) -> Self {
        Self { ms: at.0.div_euclid(1_000) - 1, id: u128::MAX }
    }

    pub(crate) fn of(story: &RequestStory) -> Self {
        let of_usage = story.usage.as_ref().map(|of| (of.at, of.request));
        let of_refusal = story.refusals.first().map(|told| (told.event.at, told.event.request));
        let (at, request) = of_usage.or(of_refusal).unwrap_or((UnixMicros(0), RequestId::from_bits(0)));
        Self { ms: at.0.div_euclid(1_000), id: request.bits() }
    }
}

fn start_of(minute: i64) -> UnixMicros {
    UnixMicros(minute.saturating_mul(MINUTE_US))
}

/// The minutes of the span from where the page begins.
fn minutes_left(wanted: &Wanted<'_>) -> Minutes {
    let (mut from, mut to) = (wanted.from.0, wanted.to.0);
    match wanted.after {
        Some(after) if wanted.oldest_first => from = from.max(after.ms.saturating_mul(1_000)),
        Some(after) => to = to.min(after.ms.saturating_add(1).saturating_mul(1_000)),
        None => {}
    }
    Minutes { first: from.div_euclid(MINUTE_US), end: to.div_euclid(MINUTE_US) + i64::from(to.rem_euclid(MINUTE_US) > 0) }
}

impl Store {
    /// Requests, newest first unless it is asked otherwise. Those that one limit refused within a second are one element, the first of them. What limits that only record
    /// would have refused is among those that were admitted.
    pub async fn requests(&self, query: &RequestsQuery) -> Result<Page<RequestStory>, RequestsError> {
        let after: Option<Position> = query.page.position()?;
        let mut transaction = self.inner.database.reads.begin().await.map_err(DatabaseFault::from)?;
        let kept = Kept::read(&mut transaction).await?;
        let Asking { span, .. } = self.asking(query.org, query.from, query.to, Kept::default())?;
        let oldest_first = query.oldest_first;
        let wanted = Wanted { org: query.org, filter: &query.filter, from: span.from, to: span.to, kept, oldest_first, after };
        let most = query.page.size() + 1;
        let mut found: Vec<RequestStory> = Vec::new();
        let mut minutes = minutes_left(&wanted);
        for _ in 0..caps::REQUEST_RUNS {
            // The counters know in which minutes there is something: where there is little it lies far apart.
            let Some(run) = request_list::next_run(&mut transaction, &wanted, minutes).await? else {
                return Ok(Page::of(found, &query.page, |story| Position::of(story).to_string()));
            };
            found.extend(request_list::of_run(&mut transaction, &wanted, run, most - found.len()).await?);
            if found.len() >= most {
                return Ok(Page::of(found, &query.page, |story| Position::of(story).to_string()));
            }
            if oldest_first {
                minutes.first = run.end;
            } else {
                minutes.end = run.first;
            }
        }
        let next = if oldest_first { Position::behind(start_of(minutes.first)) } else { Position::before(start_of(minutes.end)) };
        Ok(Page { data: found, next_cursor: Some(next.to_string()) })
    }

    /// What was decided about a request of an organisation; `None`: nothing is known of it there.
    pub async fn request_of(&self, org: OrgId, id: RequestId) -> Result<Option<RequestStory>, DatabaseFault> {
        let story = self.request(id).await?;
        Ok(story.filter(|story| {
            let whose = story.usage.iter().map(|of| of.org).chain(story.refusals.iter().map(|told| told.event.org));
            whose.into_iter().all(|of| of == org)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_what_a_page_gave_or_none() {
        let at = Position { ms: 1_770_305_400_123, id: 0xAB };
        assert_eq!(at.to_string().parse(), Ok(at));
        for bad in ["", "5", "x 5", "5 x", "9223372036854775807 1", "-9223372036854775808 1"] {
            assert_eq!(bad.parse::<Position>(), Err(()), "{bad}");
        }
    }
}
