//! Every fault as an answer.

use std::time::Duration;

use domain::{KeyId, Now, UnixMicros};
use http_body_util::BodyExt as _;
use limits::Retry;
use store::pools::BlockedLimit;

use super::*;

async fn written(problem: Problem) -> (u16, Vec<(String, String)>, serde_json::Value) {
    let (head, body) = problem.into_response().into_parts();
    let headers = head.headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status.as_u16(), headers, serde_json::from_slice(&body).unwrap())
}

fn text_or_openai(fault: AdmitFault) -> Problem {
    fault.into_problem("m", RateLimitBody::Text)
}

/// One problem of each kind but the 429.
fn all_but_429() -> Vec<Problem> {
    let dispatch = |fault: DispatchFault| fault.into_problem("m", RateLimitBody::Text);
    let (provider, name) = (|| "p".to_owned(), || "m".to_owned());
    let at = "2026-02-05T15:32:41Z".parse().unwrap();
    let auth = [
        AuthFault::NoKey,
        AuthFault::NotBearer,
        AuthFault::TwoKeys,
        AuthFault::Unknown,
        AuthFault::Revoked,
        AuthFault::Disabled,
        AuthFault::OrgDeleted,
    ];
    let receive = [ReceiveFault::Encoded, ReceiveFault::TooLarge(10), ReceiveFault::TooSlow(Duration::from_secs(30)), ReceiveFault::Broken];
    let resolve = [
        ResolveFault::NoSuchModel { name: name(), near: vec!["n".into(), "o".into()] },
        ResolveFault::NoSuchModel { name: name(), near: Vec::new() },
        ResolveFault::NotInPlan { name: name(), plan: "free".into(), plans: vec!["starter".into(), "growth".into()] },
        ResolveFault::NotInPlan { name: name(), plan: "free".into(), plans: Vec::new() },
        ResolveFault::NotForKey { name: name(), key: KeyId::from_bits(1) },
    ];
    let too_large = AdmitFault::InputTooLarge { input: 11, limit: 10, window_us: 60_000_000, pool: "any".into(), source: Source::Plan };
    let admit = [
        AdmitFault::JournalRefuses,
        AdmitFault::TooManyInProgress,
        too_large,
        AdmitFault::Closed { pool: "any".into(), kind: Kind::Tokens },
    ];
    let dispatched = [
        DispatchFault::NoTarget,
        DispatchFault::NoneTakes { opens: None },
        DispatchFault::NoneTakes { opens: Some((2, Now { mono_us: 1, wall: UnixMicros(1) })) },
        DispatchFault::Unfit { lacking: domain::Features::NONE.with(domain::Feature::Vision) },
        DispatchFault::TimedOut { provider: provider(), tried: 1 },
        DispatchFault::Failed { provider: provider(), why: "it answered with status 500".into(), tried: 3 },
        DispatchFault::OperatorFault { provider: provider(), status: 401, tried: 1 },
    ];
    let method = http::Method::PUT;
    let fixed = [unknown_path(&method, "/v1/x"), wrong_method(&method, "GET"), shutting_down(), internal(), AuthFault::Expired(at).into()];
    let request = RequestFault::NoModel;
    fixed
        .into_iter()
        .chain(auth.into_iter().map(Problem::from))
        .chain(receive.into_iter().map(Problem::from))
        .chain(resolve.into_iter().map(Problem::from))
        .chain(admit.into_iter().map(text_or_openai))
        .chain(dispatched.into_iter().map(dispatch))
        .chain([request.into()])
        .collect()
}

#[tokio::test]
async fn every_error_is_openais_object_and_none_has_the_words_of_the_429() {
    for problem in all_but_429() {
        let may_wait = problem.status == 503 && problem.wait_us.is_some();
        let (status, headers, body) = written(problem).await;
        let error = body["error"].as_object().unwrap();
        assert!(["message", "type", "param", "code"].iter().all(|name| error.contains_key(*name)), "{body}");
        let message = error["message"].as_str().unwrap();
        assert!(message.ends_with(['.', '?']) && message.chars().next().unwrap().is_uppercase(), "{message}");
        assert!(!body.to_string().to_lowercase().contains("rate limit"), "{body}");
        assert!(status != 429 && headers.iter().any(|(name, _)| name.starts_with("retry-after")) == may_wait, "{body}");
    }
}

#[tokio::test]
async fn what_waiting_cannot_heal_is_not_to_be_retried() {
    for problem in all_but_429() {
        let is_final = matches!(problem.status.as_u16(), 403 | 404 | 413) && problem.code != "unknown_url";
        assert_eq!(problem.should_retry == Some(false), is_final, "{problem:?}");
    }
}

fn limited(at_us: u64, now_us: u64) -> RateLimited {
    let limit = BlockedLimit {
        pool: "category:large".into(),
        source: Source::Plan,
        kind: Kind::Tokens,
        window_us: 500_000,
        n: 30_000,
        used: 29_990,
        held: 7,
        waiting: 0,
        requested: 20,
        retry: Retry::At { at: at_us, estimate: true },
    };
    let wall: UnixMicros = "2026-02-05T15:32:40Z".parse().unwrap();
    RateLimited { limit: Some(limit), at_us, is_estimate: true, now: Now { mono_us: now_us, wall } }
}

#[tokio::test]
async fn a_refusals_times_are_rounded_up_and_lie_in_the_future() {
    let cases = [
        (1_000_000, 999_999, "2026-02-05T15:32:41Z", "1", "1"),
        (3_500_000, 0, "2026-02-05T15:32:44Z", "4", "3500"),
        (4_000_001, 0, "2026-02-05T15:32:45Z", "5", "4001"),
        (60_000_000, 0, "2026-02-05T15:33:40Z", "60", "60000"),
        // Never in the past, even if something announced it.
        (5, 10, "2026-02-05T15:32:41Z", "1", "1"),
    ];
    for (at_us, now_us, until, seconds, ms) in cases {
        let (status, headers, body) = written(refusal("a\"b", &limited(at_us, now_us), RateLimitBody::Text)).await;
        assert_eq!((status, body["error"].as_str().unwrap()), (429, format!("a\"b model is rate limited until {until}").as_str()));
        let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        assert_eq!((header("retry-after"), header("retry-after-ms"), header("x-should-retry")), (Some(seconds), Some(ms), None));
        assert_eq!(body["retry_after_ms"].to_string(), ms);
    }
}

#[tokio::test]
async fn both_shapes_tell_the_limit() {
    let limit = serde_json::json!({"pool": "category:large", "kind": "tokens", "limit": 30_000, "used": 29_990, "held": 7, "requested": 20,
                                   "window_seconds": 0.5});
    for shape in [RateLimitBody::Text, RateLimitBody::Openai] {
        let (_, _, body) = written(refusal("m", &limited(9, 0), shape)).await;
        assert_eq!((&body["limit"], &body["estimate"]), (&limit, &true.into()));
        match shape {
            RateLimitBody::Text => assert_eq!(body["code"], "rate_limit_exceeded"),
            RateLimitBody::Openai => {
                assert_eq!((&body["error"]["code"], &body["error"]["type"]), (&"rate_limit_exceeded".into(), &"tokens".into()));
            }
        }
    }
}
