//! What usage must be, added up event by event. It knows neither counters nor what is kept how.

use std::collections::BTreeMap;

use domain::{Category, KeyId, Kind, Money, Org, Outcome, RefusalEvent, TokenUsage, UnixMicros, UsageRecord};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use store::{Bucket, Group, GroupBy, StatusFilter, UsageCounters, UsageFilter, UsageQuery, Used};

use crate::support::{Bench, MINUTE, START};

/// One thing recorded: when (microseconds after the start), by whom, and how it went.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) us: i64,
    pub(crate) org: usize,
    pub(crate) key: u128,
    pub(crate) model: usize,
    pub(crate) ending: usize,
    pub(crate) tokens: (u64, u64, u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) org: usize,
    pub(crate) from: i64,
    pub(crate) length: i64,
    pub(crate) group_by: Option<GroupBy>,
    pub(crate) bucket: Option<Bucket>,
    pub(crate) tz: usize,
    pub(crate) filter: usize,
}

pub(crate) const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"];
/// (status, outcome, provider); `None` as outcome: refused.
pub(crate) const ENDINGS: [(u16, Option<Outcome>, Option<&str>); 5] = [
    (200, Some(Outcome::Answered), Some("main")),
    (200, Some(Outcome::Broken), Some("spare")),
    (422, Some(Outcome::Rejected), Some("main")),
    (503, Some(Outcome::Failed), None),
    (429, None, None),
];
/// Model, category, pool.
pub(crate) const MODELS: [(&str, Option<Category>, &str); 3] =
    [("tiny", Some(Category::Small), "category:small"), ("huge", Some(Category::Large), "category:large"), ("odd", None, "any")];
pub(crate) const FILTERS: usize = 9;

pub(crate) fn narrowed(index: usize) -> UsageFilter {
    let all = UsageFilter::default();
    match index {
        0 => UsageFilter { model: Some("tiny".into()), ..all },
        1 => UsageFilter { key: Some(KeyId::from_bits(2)), ..all },
        2 => UsageFilter { category: Some(Category::Large), ..all },
        3 => UsageFilter { provider: Some("main".into()), key: Some(KeyId::from_bits(1)), ..all },
        4 => UsageFilter { status: Some(StatusFilter::Refused), ..all },
        5 => UsageFilter { status: Some(StatusFilter::Code(200)), pool: Some("any".into()), ..all },
        6 => UsageFilter { status: Some(StatusFilter::Failed), ..all },
        7 => UsageFilter { status: Some(StatusFilter::Answered), ..all },
        _ => all,
    }
}

/// Since when what is kept, in microseconds after the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    pub(crate) moments: i64,
    pub(crate) minutes: i64,
    pub(crate) quarters: i64,
}

impl Since {
    /// Everything, for ever.
    pub(crate) const EVER: Self = Self { moments: i64::MIN, minutes: i64::MIN, quarters: i64::MIN };

    /// How long the spans are in which what happened then is kept, but for moments themselves.
    fn span(self, us: i64) -> i64 {
        match us {
            _ if us < self.quarters => 1_440 * MINUTE,
            _ if us < self.minutes => 15 * MINUTE,
            _ => MINUTE,
        }
    }

    pub(crate) fn begin(self, us: i64) -> i64 {
        us - (START + us).rem_euclid(self.span(us))
    }

    pub(crate) fn widened(self, from: i64, to: i64) -> (i64, i64) {
        let end = if to >= self.moments || to <= from { to } else { self.begin(to - 1) + self.span(to - 1) };
        (if from >= self.moments { from } else { self.begin(from) }, end)
    }
}

pub(crate) fn at(us: i64) -> UnixMicros {
    UnixMicros(START + us)
}

impl Question {
    pub(crate) fn query(&self, orgs: &[Org]) -> UsageQuery {
        UsageQuery {
            from: Some(at(self.from)),
            to: Some(at(self.from + self.length)),
            group_by: self.group_by,
            bucket: self.bucket,
            tz: Some(ZONES[self.tz].into()),
            filter: narrowed(self.filter),
            times: true,
            ..UsageQuery::of(orgs[self.org].id)
        }
    }
}

impl Event {
    /// The record; of what was refused the refusal.
    pub(crate) fn told(&self, b: &Bench, org: &Org) -> Result<UsageRecord, Box<RefusalEvent>> {
        let (status, outcome, provider) = ENDINGS[self.ending];
        let (model, category, pool) = MODELS[self.model];
        let key = KeyId::from_bits(self.key);
        let (input, output, cached) = self.tokens;
        let Some(outcome) = outcome else {
            let refusal = b.refusal(org, key, at(self.us));
            return Err(Box::new(RefusalEvent { model: model.into(), category, pool: pool.into(), kind: Kind::Tokens, ..refusal }));
        };
        Ok(UsageRecord {
            status,
            outcome,
            provider: provider.map(Into::into),
            model: model.into(),
            category,
            pool: pool.into(),
            tokens: TokenUsage { input, output, cached, reasoning: cached * 2 },
            cost: Money(input as i64 * 3),
            first_byte_us: output * 1_000,
            duration_us: (input + output) * 1_000,
            ..b.record(org, key, at(self.us))
        })
    }

    fn used(&self) -> Used {
        let mut used = Used::default();
        let Some(outcome) = ENDINGS[self.ending].1 else {
            used.counters.refused = 1;
            return used;
        };
        let (input_tokens, output_tokens, cached_tokens) = self.tokens;
        let (requests, failed) = if outcome.is_answered() { (1, 0) } else { (0, 1) };
        let cost = Money(input_tokens as i64 * 3);
        let counters = UsageCounters { requests, failed, input_tokens, output_tokens, cached_tokens, cost, ..UsageCounters::default() };
        used.counters = UsageCounters { reasoning_tokens: cached_tokens * 2, ..counters };
        if outcome.is_answered() {
            used.times.duration.add((input_tokens + output_tokens) * 1_000);
            if output_tokens > 0 {
                used.times.first_byte.add(output_tokens * 1_000);
            }
        }
        used
    }

    fn group(&self, by: GroupBy) -> Option<String> {
        let (status, outcome, provider) = ENDINGS[self.ending];
        match by {
            GroupBy::Model => Some(MODELS[self.model].0.into()),
            GroupBy::Key => Some(KeyId::from_bits(self.key).to_string()),
            GroupBy::Category => MODELS[self.model].1.map(|c| c.to_string()),
            GroupBy::Provider => outcome.and(provider).map(Into::into),
            GroupBy::Status => Some(status.to_string()),
            GroupBy::Outcome => Some(outcome.map_or("refused", Outcome::as_str).into()),
            GroupBy::Pool => Some(MODELS[self.model].2.into()),
            GroupBy::Limit => outcome.is_none().then(|| format!("{} tokens", MODELS[self.model].2)),
        }
    }
}

/// Whether the filter of this number asks for it.
pub(crate) fn is_asked(event: &Event, index: usize) -> bool {
    let (status, outcome, provider) = ENDINGS[event.ending];
    match index {
        0 => event.model == 0,
        1 => event.key == 2,
        2 => event.model == 1,
        3 => provider == Some("main") && event.key == 1,
        4 => outcome.is_none(),
        5 => status == 200 && event.model == 2,
        6 => event.ending == 2 || event.ending == 3,
        7 => event.ending < 2,
        _ => true,
    }
}

/// The bucket's beginning by the calendar's own arithmetic.
pub(crate) fn start(us: i64, bucket: Bucket, zone: &TimeZone) -> UnixMicros {
    let minute = at(us).0.div_euclid(MINUTE) * MINUTE;
    let local = Timestamp::from_microsecond(minute).unwrap().to_zoned_datetime(zone.clone());
    let begun = match bucket {
        Bucket::Minute => local.timestamp(),
        Bucket::Hour => {
            // Where clocks went back by half an hour the second half hour is the first one's.
            let past = i64::from(local.minute()) * MINUTE;
            Timestamp::from_microsecond(minute - past).unwrap()
        }
        Bucket::Day | Bucket::Auto => local.start_of_day().unwrap().timestamp(),
    };
    UnixMicros(begun.as_microsecond())
}

pub(crate) type Rows = BTreeMap<(Option<UnixMicros>, Option<Group>), Used>;

pub(crate) fn expected(events: &[Event], q: &Question, since: Since) -> (Used, Rows) {
    let zone = TimeZone::get(ZONES[q.tz]).unwrap();
    let (from, to) = since.widened(q.from, q.from + q.length);
    let (mut totals, mut rows) = (Used::default(), Rows::new());
    for event in events.iter().filter(|e| e.org == q.org && from <= e.us && e.us < to && is_asked(e, q.filter)) {
        add(&mut totals, &event.used());
        let begin = since.begin(event.us);
        let place = (q.bucket.map(|bucket| start(begin, bucket, &zone)), q.group_by.map(|by| Group::Of(event.group(by))));
        add(rows.entry(place).or_default(), &event.used());
    }
    if q.bucket.is_none() && q.group_by.is_none() {
        rows.clear();
    }
    (totals, rows)
}

fn add(sum: &mut Used, used: &Used) {
    sum.counters = sum.counters.plus(&used.counters);
    sum.times.add_all(&used.times);
}
