//! The recorder.

use store::UsageQuery;

use crate::support::Bench;

fn all(org: domain::OrgId) -> UsageQuery {
    UsageQuery::of(org)
}

pub(crate) async fn everything_queued_is_written(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let (key, _) = b.key(&org).await;
    for _ in 0..12_345 {
        b.store.recorder().usage(b.record(&org, key.id, b.now().wall));
    }
    for _ in 0..77 {
        b.store.recorder().refusal(b.refusal(&org, key.id, b.now().wall));
    }
    b.store.recorder().flush().await;
    assert_eq!(b.store.recorder().queued(), 0);
    let health = b.store.health();
    assert!(health.is_ready() && health.writable && health.last_fault.is_none());
    assert_eq!((health.written, health.failed_attempts), (12_422, 0));
    let totals = b.store.usage(&all(org.id)).await.unwrap().totals.counters;
    assert_eq!((totals.requests, totals.refused, totals.input_tokens, totals.cost.0), (12_345, 77, 123_450, 12_345_000));
}

pub(crate) async fn what_is_recorded_shows_without_being_asked_for(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let (key, _) = b.key(&org).await;
    for n in 1..=3 {
        b.store.recorder().usage(b.record(&org, key.id, b.now().wall));
        while b.store.usage(&all(org.id)).await.unwrap().totals.counters.requests < n {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) async fn a_request_counts_once(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let (key, _) = b.key(&org).await;
    let record = b.record(&org, key.id, b.now().wall);
    let refusal = b.refusal(&org, key.id, b.now().wall);
    for _ in 0..3 {
        b.store.recorder().usage(record.clone());
        b.store.recorder().usage(record.clone());
        b.store.recorder().refusal(refusal.clone());
        b.store.recorder().flush().await;
    }
    let totals = b.store.usage(&all(org.id)).await.unwrap().totals.counters;
    assert_eq!((totals.requests, totals.refused), (1, 1));
    assert_eq!(b.store.recorder().queued(), 0);
}

pub(crate) async fn a_flood_of_refusals_is_bounded(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let (key, _) = b.key(&org).await;
    for n in 0..20_000 {
        // Two seconds, a thousand moments in each.
        b.store.recorder().refusal(b.refusal(&org, key.id, b.wall((n % 2) * 1_000_000 + n / 20)));
    }
    b.store.recorder().flush().await;
    b.clock.advance_us(2_000_000);
    assert_eq!(b.store.usage(&all(org.id)).await.unwrap().totals.counters.refused, 20_000);
    let part = UsageQuery { from: Some(b.wall(-1_000_000)), ..all(org.id) };
    assert_eq!(b.store.usage(&part).await.unwrap().totals.counters.refused, 10_000);
}

pub(crate) async fn what_limits_that_only_record_would_refuse_is_counted_apart(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let (key, _) = b.key(&org).await;
    let shadow = |of: &domain::RefusalEvent| domain::RefusalEvent { shadow: true, ..of.clone() };
    for _ in 0..3 {
        // Two limits tell of one request.
        let of_requests = shadow(&b.refusal(&org, key.id, b.now().wall));
        let of_tokens = domain::RefusalEvent { kind: domain::Kind::Tokens, ..of_requests.clone() };
        b.store.recorder().refusal(of_requests);
        b.store.recorder().refusal(of_tokens);
        b.store.recorder().flush().await;
    }
    b.store.recorder().refusal(b.refusal(&org, key.id, b.now().wall));
    b.store.recorder().flush().await;
    assert_eq!(b.store.health().failed_attempts, 0);
    // A part of a minute, then whole ones.
    for _ in 0..2 {
        let totals = b.store.usage(&all(org.id)).await.unwrap().totals.counters;
        assert_eq!((totals.refused, totals.would_have_been_refused, totals.requests), (1, 3, 0));
        b.clock.advance_us(120_000_000);
    }
}

pub(crate) async fn closing_writes_everything(bench: Bench) {
    let mut b = bench.seeded().await;
    let org = b.org("free").await;
    let (key, _) = b.key(&org).await;
    for _ in 0..100 {
        b.store.recorder().usage(b.record(&org, key.id, b.now().wall));
    }
    let old = b.store.clone();
    b.reopen().await;
    assert_eq!(b.store.usage(&all(org.id)).await.unwrap().totals.counters.requests, 100);
    old.recorder().usage(b.record(&org, key.id, b.now().wall));
    old.recorder().flush().await;
    old.flush_and_close().await;
    assert_eq!(old.recorder().queued(), 0);
    assert!(old.audit(&Default::default()).await.is_err());
    b.store.flush_and_close().await;
    b.tasks.close();
    b.tasks.wait().await;
}
