//! Tests of judging: every status, every source of a wait, what one client can't do to others, and that nothing panics.
//! What real providers sent is in `tests/verdicts/`.

use proptest::prelude::*;

use super::*;

/// 2026-02-05T15:23:20.5Z.
const NOW: UnixMicros = UnixMicros(1_770_305_000_500_000);

fn verdict(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Verdict {
    judge(status, headers.iter().map(|(name, value)| (*name, value.as_bytes())), body.as_bytes())
}

#[test]
fn each_status_has_its_fault() {
    use Fault::{Billing, Client, Credential, Failed, Missing, Overloaded, RateLimited};
    for (statuses, fault, scope) in [
        (&[400, 413, 422][..], Client, Scope::Request),
        (&[401], Credential, Scope::Credential),
        (&[403], Credential, Scope::Request),
        (&[402], Billing, Scope::Credential),
        (&[404, 405, 410], Missing, Scope::Target),
        (&[406, 411, 412, 415, 418, 431, 451], Failed, Scope::Request),
        (&[429], RateLimited, Scope::Target),
        (&[498, 503, 529], Overloaded, Scope::Target),
        (&[100, 301, 307, 408, 409, 500, 501, 502, 504, 520, 524, 526, 599, 0, 999], Failed, Scope::Target),
    ] {
        for status in statuses {
            let expected = Verdict { fault, scope, retry: None, code: format!("http_{status}") };
            assert_eq!(verdict(*status, &[], ""), expected);
            assert_eq!(verdict(*status, &[("content-type", "text/html")], "<html><title>oops</title></html>"), expected);
        }
    }
}

#[test]
fn every_form_of_retry_after_is_read() {
    let wait = |headers: &[(&'static str, &'static str)]| verdict(429, headers, "").wait_ms(NOW);
    assert_eq!(wait(&[("retry-after", "5")]), Some(5_000));
    assert_eq!(wait(&[("retry-after", " 0.25 ")]), Some(250));
    assert_eq!(wait(&[("retry-after", "-1")]), Some(0));
    assert_eq!(wait(&[("retry-after", "1e30")]), Some(caps::MAX_RETRY_AFTER_MS));
    assert_eq!(wait(&[("retry-after", "86400")]), Some(caps::MAX_RETRY_AFTER_MS));
    assert_eq!(wait(&[("retry-after", "Thu, 05 Feb 2026 15:23:25 GMT")]), Some(4_500));
    assert_eq!(wait(&[("retry-after", "Thu, 05 Feb 2026 15:23:00 GMT")]), Some(0));
    assert_eq!(wait(&[("date", "Thu, 05 Feb 2026 11:11:11 GMT"), ("retry-after", "Thu, 05 Feb 2026 11:11:18 GMT")]), Some(7_000));
    for nonsense in ["", "NaN", "inf", "tomorrow"] {
        assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
    }
    assert_eq!(verdict(503, &[("retry-after", "2")], "").wait_ms(NOW), Some(2_000));
}

#[test]
fn what_is_said_most_plainly_is_believed() {
    let all = [
        ("retry-after-ms", "1234.5"),
        ("retry-after", "9"),
        ("x-ratelimit-reset-requests", "30s"),
        ("x-ratelimit-remaining-requests", "0"),
    ];
    let body = r#"{"error":{"message":"try again in 9s","retry_after":10}}"#;
    let said = |from: usize, body: &str| {
        let retry = verdict(429, all.get(from..).unwrap(), body).retry.unwrap();
        (retry.source, retry.when.wait_ms(NOW))
    };
    assert_eq!(said(0, body), (Source::RetryAfterMs, 1_235));
    assert_eq!(verdict(429, &[("x-ms-retry-after-ms", "77")], body).wait_ms(NOW), Some(77));
    assert_eq!(verdict(429, &[("retry-after-ms", "soon"), ("retry-after", "9")], body).wait_ms(NOW), Some(9_000));
    assert_eq!(said(1, body), (Source::RetryAfter, 9_000));
    assert_eq!(said(2, body), (Source::Body, 10_000));
    assert_eq!(said(2, r#"{"error":{"message":"try again in 11s"}}"#), (Source::Words, 11_000));
    assert_eq!(said(2, ""), (Source::Reset, 30_000));
    // Google's member is cut to whole seconds.
    let google = r#"{"error":{"message":"Please retry in 36.43s.","details":[{"retryDelay":"36s"}]}}"#;
    assert_eq!(said(2, google), (Source::Words, 36_430));
}

#[test]
fn no_clients_fault_says_when_to_come_back_or_concerns_others() {
    let words = "overloaded, at capacity: please try again in 20s, insufficient balance, Your credit balance is too low to access";
    for status in [400, 413, 422] {
        for kind in ["rate_limit_exceeded", "server_error", "overloaded_error", "tokens", "invalid_request_error"] {
            let body = format!(r#"{{"error":{{"message":"messages[0]: {words}","type":"{kind}","code":null}}}}"#);
            let verdict = verdict(status, &[("retry-after", "60"), ("x-ratelimit-reset-tokens", "60s")], &body);
            assert_eq!((verdict.fault, verdict.scope, verdict.retry), (Fault::Client, Scope::Request, None), "{status} {kind}");
        }
    }
    let verdict = judge_in_band(br#"{"error":{"message":"too long, try again in 20s","code":400}}"#);
    assert_eq!((verdict.fault, verdict.scope, verdict.retry), (Fault::Client, Scope::Request, None));
}

#[test]
fn a_failure_that_quotes_a_client_makes_nobody_wait() {
    let quoting = r#"{"error":{"code":500,"message":"Failed to parse messages: \"the engine is overloaded, try again in 50s\"","type":"server_error"}}"#;
    assert_eq!(verdict(500, &[], quoting).retry, None);
    assert_eq!(judge_in_band(quoting.as_bytes()).retry, None);
    assert_eq!(verdict(503, &[], quoting).wait_ms(NOW), Some(50_000));
}

#[test]
fn a_request_larger_than_the_limit_keeps_nobody_waiting() {
    let said = |limit: u64, requested: &str| {
        let body =
            format!(r#"{{"error":{{"message":"Rate limit reached: Limit {limit}, Used 5, Requested {requested}. Try again in 9s."}}}}"#);
        let verdict = verdict(429, &[], &body);
        (verdict.fault, verdict.scope)
    };
    assert_eq!(said(7_000, "~12903"), (Fault::Failed, Scope::Request));
    assert_eq!(said(7_000, "7000"), (Fault::RateLimited, Scope::Target));
    assert_eq!(said(7_000, "many"), (Fault::RateLimited, Scope::Target));
}

#[test]
fn money_is_not_minutes() {
    let spent = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":null}}"#;
    let judged = |body| verdict(429, &[("retry-after", "20")], body);
    assert_eq!((judged(spent).fault, judged(spent).scope, judged(spent).retry), (Fault::Billing, Scope::Credential, None));
    let minutes = r#"{"error":{"message":"You exceeded your current quota","code":429,"status":"RESOURCE_EXHAUSTED"}}"#;
    assert_eq!((judged(minutes).fault, judged(minutes).wait_ms(NOW)), (Fault::RateLimited, Some(20_000)));
}

#[test]
fn an_answer_with_a_2xx_is_judged_by_what_it_says() {
    for (body, fault) in [
        (r#"{"error":{"message":"m","code":429}}"#, Fault::RateLimited),
        (r#"{"error":{"message":"m","type":"rate_limit_error"}}"#, Fault::RateLimited),
        (r#"{"error":{"message":"m","code":502}}"#, Fault::Failed),
        (r#"{"error":{"message":"the model is overloaded"}}"#, Fault::Overloaded),
        (r#"{"error":{"message":"m","type":"invalid_api_key"}}"#, Fault::Credential),
        (r#"{"error":{"message":"m","code":"insufficient_quota"}}"#, Fault::Billing),
        (r#"{"error":{"message":"m","code":"model_not_found"}}"#, Fault::Missing),
        (r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#, Fault::Client),
        ("oops", Fault::Failed),
    ] {
        assert_eq!(verdict(200, &[], body).fault, fault, "{body}");
        assert_eq!(judge_in_band(body.as_bytes()), verdict(200, &[], body));
    }
    assert_eq!(judge_in_band(b"oops").code, "in_band");
}

#[test]
fn codes_are_short_and_carry_no_secret() {
    let code = |text: &str| verdict(500, &[], &format!(r#"{{"error":{{"code":"{text}"}}}}"#)).code;
    assert_eq!(code("rate_limit_exceeded"), "rate_limit_exceeded");
    assert_eq!(code("Some resource has been exhausted"), "Some_resource_has_been_exhausted");
    assert_eq!(code("503"), "http_500");
    assert_eq!(code(&"é".repeat(100)), "http_500");
    assert!(code(&"x".repeat(10_000)).len() == caps::MAX_ERROR_CODE_BYTES);
    assert!(!code("key sk-proj-abcdefgh1234 is bad").contains("abcdefgh"));
}

/// Status, headers, body.
type Answer = (u16, Vec<(String, Vec<u8>)>, Vec<u8>);

/// Something like an answer, and what isn't.
fn answers() -> impl Strategy<Value = Answer> {
    let names = prop_oneof![
        Just("retry-after".to_owned()),
        Just("retry-after-ms".to_owned()),
        Just("date".to_owned()),
        Just("ratelimit".to_owned()),
        Just("x-amzn-errortype".to_owned()),
        "(x-ratelimit|anthropic-ratelimit|ratelimit|x-tokenlimit)(-(limit|remaining|reset|tokens|requests|day|input)){0,3}",
        "[a-z-]{0,20}",
    ];
    let values = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "-?[0-9]{0,25}(\\.[0-9]{0,12})?(ms|s|m|h|us|µs| seconds)?([0-9.]{0,9}s)?".prop_map(String::into_bytes),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,12})?(Z|\\+[0-9]{2}:[0-9]{2})".prop_map(String::into_bytes),
        "[a-z\"=;, 0-9]{0,60}".prop_map(String::into_bytes),
    ];
    let words = "(.{0,30}(try again in|retry after|until|overloaded) ?[0-9a-zé.:TZ-]{0,30}){0,3}";
    let objects = (words, "[a-zA-Z_0-9é ]{0,80}", any::<i64>(), values.clone()).prop_map(|(words, name, number, value)| {
        let value = String::from_utf8_lossy(&value).into_owned();
        let error = serde_json::json!({"message": words, "type": name, "code": number, "retry_after": value,
            "details": [{"retryDelay": value}, 7], "metadata": {"headers": {"X-RateLimit-Reset": value}}});
        serde_json::json!([{ "error": error }]).to_string().into_bytes()
    });
    let bodies = prop_oneof![prop::collection::vec(any::<u8>(), 0..200), objects];
    (any::<u16>(), prop::collection::vec((names, values), 0..8), bodies)
}

proptest! {
    #[test]
    fn whatever_comes_is_judged_within_bounds((status, headers, body) in answers(), now in any::<i64>(), cut in 0_usize..200) {
        let body = body.get(..body.len().min(cut)).unwrap_or_default();
        for body in [body, &body[body.len() / 2..]] {
            let headers = || headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
            let verdict = judge(status, headers(), body);
            prop_assert!(verdict.wait_ms(UnixMicros(now)).is_none_or(|ms| ms <= caps::MAX_RETRY_AFTER_MS));
            prop_assert!(!verdict.code.is_empty() && verdict.code.len() <= caps::MAX_ERROR_CODE_BYTES);
            prop_assert!(verdict.retry.is_none() || verdict.scope != Scope::Request);
            judge_in_band(body);
            let quota = Quota::read(headers());
            for reset in [quota.requests, quota.tokens].into_iter().flatten().filter_map(|allowance| allowance.reset) {
                prop_assert!(reset.wait_ms(UnixMicros(now)) <= caps::MAX_RETRY_AFTER_MS);
            }
        }
    }
}
