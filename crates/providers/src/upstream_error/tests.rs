//! Tests of judging a provider's errors and of passing them on.

use super::*;

const NOW: UnixMicros = UnixMicros(1_770_305_000_500_000);

fn verdict(status: u16, headers: &[(&str, &'static str)]) -> Verdict {
    judge(status, |name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_bytes()), b"", NOW)
}

#[test]
fn each_status_has_its_verdict() {
    let failed = Verdict::Failed { retry_after_ms: None };
    for (statuses, expected) in [
        (&[200, 201, 204][..], Verdict::Answer),
        (&[400, 413, 422], Verdict::RequestFault),
        (&[401, 402, 403, 404, 405, 406, 410, 415, 451], Verdict::OperatorFault),
        (&[429], Verdict::RateLimited { retry_after_ms: None }),
        (&[100, 301, 307, 408, 409, 500, 501, 502, 503, 504, 520, 529, 599], failed),
    ] {
        for status in statuses {
            assert_eq!(verdict(*status, &[]), expected, "{status}");
        }
    }
}

#[test]
fn every_form_of_retry_after_is_read() {
    let wait = |headers: &[(&str, &'static str)]| match verdict(429, headers) {
        Verdict::RateLimited { retry_after_ms } => retry_after_ms,
        other => panic!("{other:?}"),
    };
    assert_eq!(wait(&[("retry-after", "5")]), Some(5_000));
    assert_eq!(wait(&[("retry-after", " 0.25 ")]), Some(250));
    assert_eq!(wait(&[("retry-after-ms", "1234.5"), ("retry-after", "9")]), Some(1_235));
    assert_eq!(wait(&[("retry-after-ms", "soon"), ("retry-after", "9")]), Some(9_000));
    assert_eq!(wait(&[("retry-after", "Thu, 05 Feb 2026 15:23:25 GMT")]), Some(4_500));
    assert_eq!(wait(&[("retry-after", "Thu, 05 Feb 2026 15:23:00 GMT")]), Some(0));
    assert_eq!(wait(&[("retry-after", "1e30")]), Some(caps::MAX_RETRY_AFTER_MS));
    for nonsense in ["", "-1", "NaN", "inf", "tomorrow"] {
        assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
    }
    assert_eq!(verdict(503, &[("retry-after", "2")]), Verdict::Failed { retry_after_ms: Some(2_000) });
}

#[test]
fn a_spent_quota_is_no_rate_limit() {
    let body =
        br#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
    assert_eq!(judge(429, |_| None, body, NOW), Verdict::OperatorFault);
    let body = br#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    assert_eq!(judge(429, |_| None, body, NOW), Verdict::RateLimited { retry_after_ms: None });
}

fn passed_on(body: &str) -> Value {
    serde_json::from_slice(&passed_on_body(400, body.as_bytes(), &["gpu-7.prod"])).unwrap()
}

#[test]
fn every_shape_becomes_openais_object() {
    let object = |message: &str| json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}});
    assert_eq!(passed_on(r#"{"error":"model is required"}"#), object("model is required"));
    assert_eq!(passed_on(r#"{"message":"bad"}"#), object("bad"));
    assert_eq!(passed_on(r#"{"detail":"bad"}"#), object("bad"));
    assert_eq!(
        passed_on(r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#),
        object(r#"[{"loc":["body"],"msg":"field required"}]"#)
    );
    assert_eq!(passed_on("prompt too long"), object("prompt too long"));
    for empty in ["", "<html><body>Bad Request</body></html>", "null", "[]", "{}"] {
        let told = passed_on(empty);
        assert!(told["error"]["message"].as_str().is_some_and(|message| !message.is_empty() && !message.contains('<')), "{told}");
    }
}

#[test]
fn members_of_an_error_object_are_kept() {
    let passed_on = passed_on(
        r#"{"error":{"code":400,"message":"request (4390 tokens) exceeds the available context size","type":"exceed_context_size_error","n_ctx":4096}}"#,
    );
    assert_eq!(passed_on["error"]["n_ctx"], 4096);
    assert_eq!(passed_on["error"]["type"], "exceed_context_size_error");
    assert_eq!(passed_on["error"]["code"], 400);
}

#[test]
fn nothing_that_must_not_be_seen_is_passed_on() {
    let said = r#"{"error":{"message":"gpu-7.prod is rate\u0020limited","type":"rate_limit_error","inner":{"a":["Rate Limit", "at gpu-7.prod"]}}}"#;
    let told = passed_on(said).to_string();
    assert!(!told.contains("gpu-7") && !speaks_of_rate_limits(&told), "{told}");
    let in_a_name = passed_on(r#"{"error":{"message":"m","rate limited":true}}"#).to_string();
    assert!(!speaks_of_rate_limits(&in_a_name), "{in_a_name}");
    let huge = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(200_000));
    assert!(passed_on(&huge).to_string().len() < 10_000);
}
