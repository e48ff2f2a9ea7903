//! `GET /orgs/{id}/usage`.

use axum::body::Body;
use axum::http::{Method, header};
use domain::{
    ApiKeyHash, Category, Counted, Endpoint, KeyId, Kind, Money, OrgId, Outcome, RefusalEvent, RequestId, TokenUsage, UnixMicros,
    UsageRecord,
};
use serde_json::json;

use crate::support::{Api, TOKEN, request};

pub(crate) struct Client {
    org: OrgId,
    key: KeyId,
}

impl Client {
    pub(crate) async fn new(api: &Api, name: &str) -> (Self, String) {
        let org = api.org(name).await;
        let (_, secret) = api.key(&org, "ci").await;
        let caller = api.store.directory().caller(&ApiKeyHash::of(secret.as_bytes())).unwrap();
        (Self { org: caller.org().id(), key: caller.id() }, format!("/orgs/{org}/usage"))
    }

    pub(crate) fn record(&self, id: u128, at: &str, model: &str, outcome: Outcome, status: u16) -> UsageRecord {
        let at = at.parse::<UnixMicros>().unwrap();
        UsageRecord {
            request: RequestId::from_bits(RequestId::first_of(at).bits() + id),
            at,
            org: self.org,
            key: self.key,
            plan: "starter".into(),
            model: model.into(),
            category: Some(Category::Large),
            pool: "category:large".into(),
            provider: Some("local".into()),
            endpoint: Endpoint::ChatCompletions,
            stream: false,
            status,
            outcome,
            tokens: TokenUsage { input: 10, output: 5, cached: 2, reasoning: 1 },
            counted: Counted::Provider,
            cost: Money(1_500_000),
            attempts: 1,
            first_byte_us: 1_000,
            duration_us: 2_000,
            waited_us: 0,
            paused_us: 0,
            debt: 0,
            attempt_list: Vec::new(),
        }
    }

    pub(crate) fn refusal(&self, id: u128, at: &str) -> RefusalEvent {
        RefusalEvent {
            request: RequestId::from_bits(id),
            at: at.parse::<UnixMicros>().unwrap(),
            org: self.org,
            key: self.key,
            plan: "starter".into(),
            model: "meta/llama-3.3-70b".into(),
            category: Some(Category::Large),
            pool: "category:large".into(),
            kind: Kind::Requests,
            window_us: 60_000_000,
            limit: 45,
            used: 45,
            held: 0,
            requested: 1,
            retry_after_ms: Some(5_000),
            shadow: false,
        }
    }
}

async fn used(api: &Api) -> String {
    let (client, path) = Client::new(api, "Acme").await;
    let (other, _) = Client::new(api, "Other").await;
    let recorder = api.store.recorder();
    recorder.usage(client.record(1, "2026-02-05T15:30:10Z", "meta/llama-3.3-70b", Outcome::Answered, 200));
    recorder.usage(client.record(2, "2026-02-05T15:31:20Z", "meta/llama-3.3-70b", Outcome::ClientGone, 200));
    recorder.usage(client.record(3, "2026-02-05T16:31:20Z", "mistral-7b", Outcome::Rejected, 400));
    recorder.usage(UsageRecord {
        provider: None,
        tokens: TokenUsage::default(),
        cost: Money(0),
        ..client.record(4, "2026-02-05T16:31:30Z", "mistral-7b", Outcome::Failed, 503)
    });
    recorder.refusal(client.refusal(5, "2026-02-05T15:31:30Z"));
    recorder.usage(other.record(6, "2026-02-05T15:31:20Z", "mistral-7b", Outcome::Answered, 200));
    recorder.flush().await;
    api.clock.advance_s(2 * 3600);
    path
}

#[tokio::test]
async fn totals_count_answered_refused_and_failed_apart_and_one_organisation_only() {
    let api = Api::new().await;
    let path = used(&api).await;
    insta::assert_json_snapshot!("usage_totals", api.get(&path).await.expect(200));
}

#[tokio::test]
async fn a_series_is_split_as_asked() {
    let api = Api::new().await;
    let path = used(&api).await;
    for split in ["model", "key", "category", "provider", "status", "outcome", "pool", "limit"] {
        let usage = api.get(&format!("{path}?group_by={split}")).await.expect(200);
        assert!(
            usage["series"].as_array().unwrap().iter().all(|point| point.get(split).is_some() && point.get("start").is_none()),
            "{usage:#}"
        );
        let sum: u64 = usage["series"].as_array().unwrap().iter().map(|point| point["requests"].as_u64().unwrap()).sum();
        assert_eq!(sum, usage["totals"]["requests"].as_u64().unwrap());
    }
    insta::assert_json_snapshot!("usage_by_provider", api.get(&format!("{path}?group_by=provider")).await.expect(200)["series"]);
    insta::assert_json_snapshot!("usage_by_status", api.get(&format!("{path}?group_by=status")).await.expect(200)["series"]);
    for bucket in ["minute", "hour", "day"] {
        let usage = api.get(&format!("{path}?bucket={bucket}&tz=Asia/Kolkata")).await.expect(200);
        assert!(usage["series"].as_array().unwrap().iter().all(|point| point["start"].is_string()), "{usage:#}");
    }
    insta::assert_json_snapshot!(
        "usage_by_hour_and_model",
        api.get(&format!("{path}?bucket=hour&group_by=model")).await.expect(200)["series"]
    );
}

#[tokio::test]
async fn from_is_inclusive_and_to_exclusive() {
    let api = Api::new().await;
    let path = used(&api).await;
    let requests = async |query: &str| api.get(&format!("{path}?{query}")).await.expect(200)["totals"]["requests"].clone();
    assert_eq!(requests("from=2026-02-05T15:31:20Z").await, 1);
    assert_eq!(requests("from=2026-02-05T15:31:20.000001Z").await, 0);
    assert_eq!(requests("to=2026-02-05T15:31:20Z").await, 1);
    assert_eq!(requests("to=2026-02-05T15:31:20.000001Z").await, 2);
    assert_eq!(requests("from=2026-02-05T16:31:20%2B01:00&to=2026-02-05T16:31:21+01:00").await, 1);
}

#[tokio::test]
async fn wrong_questions_are_named() {
    let api = Api::new().await;
    let path = used(&api).await;
    for (query, code, param) in [
        ("from=yesterday", "invalid_value", "from"),
        ("to=", "invalid_value", "to"),
        ("from=2026-02-06T00:00:00Z&to=2026-02-05T00:00:00Z", "invalid_value", "from"),
        ("group_by=colour", "invalid_value", "group_by"),
        ("bucket=week", "invalid_value", "bucket"),
        ("bucket=day&tz=Mars/Olympus", "invalid_value", "tz"),
        ("key=nobody", "invalid_value", "key"),
        ("category=huge", "invalid_value", "category"),
        ("status=often", "invalid_value", "status"),
        ("group_by=key&top=101", "invalid_value", "top"),
        ("compare=next", "invalid_value", "compare"),
        ("times=maybe", "invalid_value", "times"),
        ("format=xml", "invalid_value", "format"),
        ("since=2026-02-05T00:00:00Z", "unknown_parameter", "since"),
    ] {
        assert_eq!(api.get(&format!("{path}?{query}")).await.fault(422), (code.into(), Some(param.into())), "{query}");
    }
    let message = api.get(&format!("{path}?group_by=colour")).await.message(422);
    assert_eq!(
        message,
        r#"group_by: there is no "colour", expected one of "model", "key", "category", "provider", "status", "outcome", "pool", "limit"."#
    );
}

#[tokio::test]
async fn a_view_is_narrowed_compared_and_timed() {
    let api = Api::new().await;
    let path = used(&api).await;
    for (filter, sums) in [
        ("model=mistral-7b", [0, 0, 2]),
        ("status=refused", [0, 1, 0]),
        ("status=200", [2, 0, 0]),
        ("status=failed&provider=local", [0, 0, 1]),
        ("category=small", [0, 0, 0]),
        ("pool=category:large", [2, 1, 2]),
    ] {
        let totals = api.get(&format!("{path}?{filter}")).await.expect(200)["totals"].take();
        assert_eq!(["requests", "refused", "failed"].map(|name| totals[name].as_u64().unwrap()), sums, "{filter}");
    }
    let query = "from=2026-02-05T15:31:00Z&to=2026-02-05T15:32:00Z&compare=previous&bucket=auto&group_by=model&top=1&times=true";
    insta::assert_json_snapshot!("usage_compared", api.get(&format!("{path}?{query}")).await.expect(200));
    let asked = request(Method::GET, &format!("{path}?group_by=status&bucket=day&times=true&format=csv"));
    let asked = asked.header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    let (parts, text) = api.send_for_text(asked.body(Body::empty()).unwrap()).await;
    assert_eq!((parts.status.as_u16(), parts.headers["content-type"].to_str().unwrap()), (200, "text/csv; charset=utf-8"));
    insta::assert_snapshot!("usage_csv", text);
}

#[tokio::test]
async fn the_greatest_minutes_of_pools_and_why_they_refused() {
    let api = Api::new().await;
    let path = used(&api).await;
    let query = "from=2026-02-05T15:30:00Z&to=2026-02-05T17:00:00Z&bucket=hour&tz=Asia/Kolkata";
    let mut told = api.get(&format!("{path}/pools?{query}")).await.expect(200);
    // The plan has others, which nobody used.
    told["pools"].as_array_mut().unwrap().retain(|of| of["pool"].is_null() || of["pool"] == "category:large");
    insta::assert_json_snapshot!("usage_pools", told);
    let mut why = api.get(&format!("{path}/refusals?model=meta/llama-3.3-70b")).await.expect(200);
    let key = why["limits"][0]["keys"][0]["key"].take();
    assert!(key.as_str().unwrap().starts_with("key_"));
    insta::assert_json_snapshot!("usage_refusals", why);
    for (query, param) in
        [("pools?bucket=week", "bucket"), ("pools?from=soon", "from"), ("refusals?key=x", "key"), ("refusals?status=200", "status")]
    {
        assert_eq!(api.get(&format!("{path}/{query}")).await.fault(422).1.as_deref(), Some(param), "{query}");
    }
}

#[tokio::test]
async fn an_organisation_that_used_nothing_has_zeros() {
    let api = Api::new().await;
    let (_, path) = Client::new(&api, "Quiet").await;
    let usage = api.get(&path).await.expect(200);
    assert_eq!(usage["series"], json!([]));
    assert_eq!(usage["totals"]["cost"], "0");
}
