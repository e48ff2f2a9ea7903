//! Tests of passing a provider's errors on.

use super::*;

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
