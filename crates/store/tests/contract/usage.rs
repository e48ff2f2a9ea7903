//! Usage.

use domain::{AttemptEnd, AttemptRecord, KeyId, Money, Org, Outcome, Trouble, UnixMicros, UsageRecord};
use store::{Actor, Bucket, ErrorClass, Group, GroupBy, OperationError as _, UsageQuery};

use crate::support::{Bench, MINUTE, START};

fn all(org: &Org) -> UsageQuery {
    UsageQuery::of(org.id)
}

fn shown(group: &Group) -> String {
    match group {
        Group::Of(value) => value.clone().unwrap_or("-".into()),
        Group::Others => "others".into(),
    }
}

async fn requests(b: &Bench, query: UsageQuery) -> u64 {
    b.store.usage(&query).await.unwrap().totals.counters.requests
}

pub(crate) async fn totals_are_exact_at_any_bound(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let moments = [0, 1, MINUTE - 1, MINUTE, MINUTE + 1, 3 * MINUTE, 3 * MINUTE + 30_000_000];
    for us in moments {
        b.store.recorder().usage(b.record(&org, KeyId::from_bits(1), UnixMicros(START + us)));
    }
    b.store.recorder().flush().await;
    b.clock.advance_us(10 * MINUTE as u64);
    let bounds: Vec<i64> =
        moments.iter().flat_map(|us| [us - 1, *us, us + 1]).chain([2 * MINUTE, 4 * MINUTE]).filter(|us| *us >= 0).collect();
    for from in &bounds {
        for to in bounds.iter().filter(|to| *to >= from) {
            let expected = moments.iter().filter(|us| *from <= **us && **us < *to).count() as u64;
            let span = UsageQuery { from: Some(UnixMicros(START + from)), to: Some(UnixMicros(START + to)), ..all(&org) };
            assert_eq!(requests(&b, span).await, expected, "{from} {to}");
        }
    }
    let backwards = UsageQuery { from: Some(b.wall(1)), to: Some(b.wall(0)), ..all(&org) };
    assert_eq!(b.store.usage(&backwards).await.unwrap_err().class(), ErrorClass::Invalid { param: "from" });
    assert_eq!(requests(&b, UsageQuery { from: Some(UnixMicros(i64::MIN)), to: Some(UnixMicros(i64::MAX)), ..all(&org) }).await, 7);
}

pub(crate) async fn groups_and_buckets(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let key = KeyId::from_bits(7);
    let hour = 60 * MINUTE;
    for (us, model, status, outcome) in [
        (0, "tiny", 200, Outcome::Answered),
        (1, "tiny", 200, Outcome::ClientGone),
        (MINUTE, "huge", 400, Outcome::Rejected),
        (hour, "huge", 502, Outcome::Failed),
    ] {
        let mut record = b.record(&org, key, UnixMicros(START + us));
        (record.model, record.status, record.outcome) = (model.into(), status, outcome);
        record.provider = (status != 502).then(|| "main".into());
        b.store.recorder().usage(record);
    }
    b.store.recorder().refusal(b.refusal(&org, key, UnixMicros(START + hour)));
    b.store.recorder().flush().await;
    b.clock.advance_us(2 * hour as u64);

    let series = async |group_by, bucket| {
        let usage = b.store.usage(&UsageQuery { group_by, bucket, ..all(&org) }).await.unwrap();
        let totals = usage.totals.counters;
        assert_eq!((totals.requests, totals.failed, totals.refused), (2, 2, 1));
        let row = |row: &store::SeriesRow| {
            let group = row.group.as_ref().map(|(_, group)| shown(group)).unwrap_or_default();
            let start = row.start.map(|start| start.to_string()).unwrap_or_default();
            format!("{start} {group} {}/{}/{}", row.used.counters.requests, row.used.counters.refused, row.used.counters.failed)
        };
        usage.series.iter().map(row).collect::<Vec<_>>()
    };
    assert!(series(None, None).await.is_empty());
    assert_eq!(series(Some(GroupBy::Model), None).await, [" huge 0/0/2", " tiny 2/1/0"]);
    assert_eq!(series(Some(GroupBy::Key), None).await, [format!(" {key} 2/1/2")]);
    assert_eq!(series(Some(GroupBy::Category), None).await, [" small 2/1/2"]);
    assert_eq!(series(Some(GroupBy::Provider), None).await, [" - 0/1/1", " main 2/0/1"]);
    assert_eq!(series(Some(GroupBy::Status), None).await, [" 200 2/0/0", " 400 0/0/1", " 429 0/1/0", " 502 0/0/1"]);
    let (t0, t1) = ("2026-02-05T15:00:00Z", "2026-02-05T16:00:00Z");
    assert_eq!(series(None, Some(Bucket::Hour)).await, [format!("{t0}  2/0/1"), format!("{t1}  0/1/1")]);
    assert_eq!(
        series(None, Some(Bucket::Minute)).await,
        ["2026-02-05T15:30:00Z  2/0/0", "2026-02-05T15:31:00Z  0/0/1", "2026-02-05T16:30:00Z  0/1/1"]
    );
    assert_eq!(
        series(Some(GroupBy::Model), Some(Bucket::Hour)).await,
        [format!("{t0} huge 0/0/1"), format!("{t0} tiny 2/0/0"), format!("{t1} huge 0/0/1"), format!("{t1} tiny 0/1/0")]
    );
}

pub(crate) async fn days_follow_the_time_zone(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    // The clocks of Berlin went forward on 29 March 2026 and go back on 25 October.
    let moments = [
        "2026-03-28T22:59:59.999999Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T21:59:59Z",
        "2026-03-29T22:00:00Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T22:59:59Z",
        "2026-10-25T23:00:00Z",
    ];
    for at in moments {
        b.store.recorder().usage(b.record(&org, KeyId::from_bits(1), at.parse().unwrap()));
    }
    b.store.recorder().flush().await;
    let days = |tz: &str| UsageQuery {
        to: Some("2027-01-01T00:00:00Z".parse().unwrap()),
        bucket: Some(Bucket::Day),
        tz: Some(tz.into()),
        ..all(&org)
    };
    let usage = b.store.usage(&days("Europe/Berlin")).await.unwrap();
    let seen: Vec<_> = usage.series.iter().map(|row| (row.start.unwrap().to_string(), row.used.counters.requests)).collect();
    let expected = [
        ("2026-03-27T23:00:00Z", 1),
        ("2026-03-28T23:00:00Z", 2),
        ("2026-03-29T22:00:00Z", 1),
        ("2026-10-24T22:00:00Z", 2),
        ("2026-10-25T23:00:00Z", 1),
    ];
    assert_eq!(seen, expected.map(|(start, n)| (start.to_owned(), n)));
    assert_eq!(b.store.usage(&days("Mars/Olympus")).await.unwrap_err().class(), ErrorClass::Invalid { param: "tz" });
}

pub(crate) async fn too_much_is_refused_with_advice(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    b.clock.advance_us(31 * 1_440 * MINUTE as u64);
    let error = b.store.usage(&UsageQuery { bucket: Some(Bucket::Minute), ..all(&org) }).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid { param: "bucket" });
    assert!(error.to_string().contains("44640 buckets") && error.to_string().contains("longer bucket"), "{error}");
    let long_ago = UsageQuery { from: Some(UnixMicros(i64::MIN)), bucket: Some(Bucket::Day), ..all(&org) };
    assert!(b.store.usage(&long_ago).await.unwrap().series.is_empty());
    let for_ever = UsageQuery { to: Some(UnixMicros(i64::MAX)), bucket: Some(Bucket::Day), ..all(&org) };
    assert_eq!(b.store.usage(&for_ever).await.unwrap_err().class(), ErrorClass::Invalid { param: "bucket" });
    let nobody = UsageQuery { org: domain::OrgId::from_bits(3), ..all(&org) };
    assert_eq!(b.store.usage(&nobody).await.unwrap_err().class(), ErrorClass::NotFound);
}

pub(crate) async fn a_deleted_organisations_usage_is_kept(bench: Bench) {
    let mut b = bench.seeded().await;
    let org = b.org("free").await;
    b.store.recorder().usage(b.record(&org, KeyId::from_bits(1), b.now().wall));
    b.store.delete_org(Actor::Operator, org.id).await.unwrap();
    b.store.recorder().flush().await;
    assert_eq!(requests(&b, all(&org)).await, 1);
    b.reopen().await;
    assert_eq!(requests(&b, all(&org)).await, 1);
}

pub(crate) async fn few_groups_and_the_span_before(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    b.clock.advance_us(2 * MINUTE as u64);
    for (minute, model, count) in [(0, "tiny", 1), (1, "tiny", 3), (1, "huge", 2), (1, "odd", 1), (1, "even", 1)] {
        for _ in 0..count {
            let record = b.record(&org, KeyId::from_bits(1), UnixMicros(START + minute * MINUTE));
            b.store.recorder().usage(UsageRecord { model: model.into(), ..record });
        }
    }
    b.store.recorder().flush().await;
    let (from, to) = (Some(UnixMicros(START + MINUTE)), Some(UnixMicros(START + 2 * MINUTE)));
    let query =
        UsageQuery { from, to, group_by: Some(GroupBy::Model), bucket: Some(Bucket::Auto), top: Some(2), compare: true, ..all(&org) };
    let usage = b.store.usage(&query).await.unwrap();
    let rows: Vec<_> = usage.series.iter().map(|row| (shown(&row.group.as_ref().unwrap().1), row.used.counters.requests)).collect();
    assert_eq!(rows, [("huge".into(), 2), ("tiny".into(), 3), ("others".into(), 2)]);
    let previous = usage.previous.unwrap();
    assert_eq!((usage.bucket, usage.totals.counters.requests), (Some(Bucket::Minute), 7));
    assert_eq!((previous.from, previous.to, previous.totals.counters.requests), (UnixMicros(START), UnixMicros(START + MINUTE), 1));
    let error = b.store.usage(&UsageQuery { top: Some(0), ..query }).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid { param: "top" });
}

pub(crate) async fn a_day_s_spend_is_told_by_provider_and_plan(bench: Bench) {
    let b = bench.seeded().await;
    let (free, pro) = (b.org("free").await, b.org("pro").await);
    for (us, org, provider, cost) in [
        (-1, &free, Some("main"), 64),
        (0, &free, Some("main"), 1),
        (0, &free, Some("main"), 2),
        (5, &pro, Some("main"), 4),
        (MINUTE, &free, Some("other"), 8),
        (MINUTE, &free, None, 16),
        (MINUTE, &free, Some("idle"), 0),
    ] {
        let mut record = b.record(org, KeyId::from_bits(1), UnixMicros(START + us));
        (record.provider, record.cost) = (provider.map(Into::into), Money(cost));
        b.store.recorder().usage(record);
    }
    let mut record = b.record(&free, KeyId::from_bits(1), UnixMicros(START + 9));
    record.cost = Money(0);
    let (provider, model, end) = ("beside".into(), "there".into(), AttemptEnd::Cancelled);
    record.attempt_list = vec![AttemptRecord { provider, model, end, status: None, begun_us: 1, lasted_us: 2, cost: Money(32) }];
    b.store.recorder().usage(record);
    let mut sums = b.store.spend_since(UnixMicros(START)).await.unwrap();
    sums.sort_by_key(|sum| sum.cost);
    let shown: Vec<_> = sums.iter().map(|sum| (sum.provider.as_ref().map(|p| p.as_str()), sum.plan.as_str(), sum.cost.0)).collect();
    assert_eq!(
        shown,
        [(Some("main"), "free", 3), (Some("main"), "pro", 4), (Some("other"), "free", 8), (None, "free", 16), (Some("beside"), "free", 32)]
    );
}

pub(crate) async fn a_request_s_story_is_told(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let key = KeyId::from_bits(7);
    let attempt = |provider: &str, end, status| AttemptRecord {
        provider: provider.into(),
        model: "there".into(),
        end,
        status,
        begun_us: 5,
        lasted_us: 70,
        cost: Money(0),
    };
    let plain = b.record(&org, key, b.wall(0));
    let failed = attempt("first", AttemptEnd::Failed(Trouble::RateLimited), Some(429));
    let attempt_list = vec![failed, attempt("main", AttemptEnd::Answered, None)];
    let recovered = UsageRecord { attempt_list, attempts: 2, category: None, ..b.record(&org, key, b.wall(1)) };
    let unserved = UsageRecord { provider: None, outcome: Outcome::Failed, status: 503, ..b.record(&org, key, b.wall(2)) };
    let refusal = b.refusal(&org, key, b.wall(0));
    for record in [&plain, &recovered, &unserved] {
        b.store.recorder().usage(record.clone());
    }
    b.store.recorder().refusal(refusal.clone());
    b.store.recorder().flush().await;
    for record in [&plain, &recovered, &unserved] {
        let story = b.store.request(record.request).await.unwrap().unwrap();
        let told = story.usage.unwrap();
        assert_eq!(format!("{told:?}"), format!("{record:?}"));
        assert_eq!(told.is_recovered(), record.request == recovered.request);
        assert!(story.refusals.is_empty());
    }
    let story = b.store.request(refusal.request).await.unwrap().unwrap();
    assert!(story.usage.is_none());
    assert_eq!(format!("{:?}", story.refusals[0].event), format!("{refusal:?}"));
    assert_eq!((story.refusals.len(), story.refusals[0].refused), (1, 1));
    assert!(b.store.request(b.request()).await.unwrap().is_none());
}
