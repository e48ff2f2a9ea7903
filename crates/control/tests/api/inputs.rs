//! Bad input, generated from the document: to every member of every body, to every parameter and every segment of every path something is
//! given that it can't be. All of it is the caller's fault, and nothing happens.

use axum::http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::support::{Answer, Api, Document, TOKEN, request, with_body};

/// What no member of this schema can be.
fn wrong_values(document: &Document, schema: &Value) -> Vec<Value> {
    let all = [json!("\u{0}"), json!(-1), json!(1.5), json!(true), json!([[]]), json!({"x": {}}), json!(1e300)];
    // Money is documented as text, which is exact; a number is understood all the same.
    let is_money = resolved(document, schema)["pattern"].is_string() || schema.to_string().contains("Amount");
    let wrong = all.into_iter().filter(|value| document.conforms(value, schema, "x").is_err());
    wrong.filter(|value| !(is_money && value.is_number())).collect()
}

/// Something that this schema takes, as far as it says.
fn sample(document: &Document, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return sample(document, document.0.pointer(reference.trim_start_matches('#')).unwrap());
    }
    if let Some(first) = schema["oneOf"].as_array().and_then(|choices| choices.iter().find(|choice| choice["type"] != "null")) {
        return sample(document, first);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|choices| choices.first()) {
        return first.clone();
    }
    let kind = schema["type"].as_array().and_then(|kinds| kinds.first()).unwrap_or(&schema["type"]);
    match kind.as_str() {
        Some("object") => required(document, schema),
        Some("array") => json!([]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(false),
        Some(_) | None if schema["format"] == "date-time" => json!("2027-01-01T00:00:00Z"),
        Some(_) | None => json!("x"),
    }
}

/// An object with what it must have and nothing else.
fn required(document: &Document, schema: &Value) -> Value {
    let names = schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap());
    Value::Object(names.map(|name| (name.to_owned(), sample(document, &schema["properties"][name]))).collect())
}

fn resolved<'a>(document: &'a Document, schema: &'a Value) -> &'a Value {
    schema["$ref"].as_str().map_or(schema, |reference| document.0.pointer(reference.trim_start_matches('#')).unwrap())
}

/// A body with one thing wrong, and whether only a value is: what is wrong with its shape is a 422 at once.
fn bad_bodies(document: &Document, schema: &Value) -> Vec<(Value, bool)> {
    let mut bodies: Vec<_> = [json!(null), json!([]), json!("x"), json!(3)].map(|body| (body, false)).to_vec();
    if schema["type"] == "array" {
        bodies.retain(|(body, _)| !body.is_array());
        bodies.extend([json!([3]), json!([null]), json!({}), json!([{"nonsense": 1}])].map(|body| (body, false)));
        return bodies;
    }
    let base = required(document, schema);
    let with = |name: &str, value: Value| {
        let mut body = base.clone();
        body[name] = value;
        body
    };
    bodies.push((with("nonsense", json!(1)), false));
    for name in base.as_object().unwrap().keys() {
        let mut without: Map<_, _> = base.as_object().unwrap().clone();
        without.remove(name);
        bodies.push((without.into(), false));
    }
    for (name, member) in schema["properties"].as_object().unwrap() {
        bodies.extend(wrong_values(document, member).into_iter().map(|value| (with(name, value), false)));
        for long in ["x".repeat(100_000), "\u{1F600}".repeat(5_000), "\u{7}".into(), String::new()] {
            bodies.push((with(name, json!(long)), true));
        }
    }
    bodies
}

async fn send(api: &Api, method: &Method, path: &str, body: Option<Value>) -> Answer {
    let builder = request(method.clone(), path).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    api.send(with_body(builder, body)).await
}

fn is_the_callers_fault(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::UNAUTHORIZED
}

#[tokio::test]
async fn no_bad_body_does_anything_and_none_is_the_servers_fault() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let document = Document::new();
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let before = api.get("/audit").await.expect(200);
    let (mut tried, mut done) = (0, 0);
    for (method, path, operation) in document.operations() {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        // What is signed is refused for its signature, whatever it holds.
        if schema.is_null() || schema["type"] == "string" {
            continue;
        }
        let needs_session = operation["security"] == json!([{"session": []}]);
        let is_of_org = path.starts_with("/api/v1/orgs/{id}");
        let target = path.strip_prefix("/api/v1").unwrap().replace("{id}", if is_of_org { &org } else { "x" }).replace(['{', '}'], "");
        for (body, is_value) in bad_bodies(&document, resolved(&document, schema)) {
            let answer = if needs_session {
                ada.call(&api, method.clone(), &target, Some(body.clone())).await
            } else {
                send(&api, &method, &target, Some(body.clone())).await
            };
            tried += 1;
            done += usize::from(answer.status.is_success());
            let said = || format!("{method} {path} {:.200}: {} {:#}", body.to_string(), answer.status, answer.body);
            if is_value {
                // A name, a reason or a password may be any text; what is too long never is.
                let is_long = body.to_string().len() > 15_000;
                assert!(!answer.status.is_server_error() && (!is_long || answer.status.is_client_error()), "{}", said());
            } else {
                assert_eq!(answer.status, 422, "{}", said());
            }
            assert!(
                answer.status.is_success() || answer.body.to_string().len() < 10_000,
                "what was sent is not sent back: {:.9000}",
                said()
            );
        }
    }
    assert!(tried > 700, "{tried}");
    let after = api.get("/audit").await.expect(200);
    let new = after["data"].as_array().unwrap().len() - before["data"].as_array().unwrap().len();
    assert!(new <= done && done < 5, "only what a short text may be has done anything: {new}, {done}: {:#}", after["data"]);
}

#[tokio::test]
async fn no_bad_parameter_or_path_is_the_servers_fault() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let long = "x".repeat(5_000);
    let bad = ["%00", "%0a", "%FF", "..", "%2e%2e", "'%20OR%201=1--", "%F0%9F%98%80", "-1", "9223372036854775808", "*", "%25", &long];
    let (document, mut tried) = (Document::new(), 0);
    for (method, path, operation) in document.operations() {
        let template = path.strip_prefix("/api/v1").unwrap();
        for value in bad {
            let mut target: String = template.into();
            while let Some((before, rest)) = target.split_once('{') {
                let after = rest.split_once('}').unwrap().1;
                target = format!("{before}{value}{after}");
            }
            if target != template {
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                let body = (method == Method::POST && !schema.is_null()).then(|| sample(&document, schema));
                let answer = send(&api, &method, &target, body).await;
                let is_read = answer.status.is_success() && method == Method::GET;
                tried += 1;
                assert!(is_read || is_the_callers_fault(answer.status), "{method} {target:.200}: {} {:#}", answer.status, answer.body);
            }
        }
        if method != Method::GET {
            continue;
        }
        let target = template.replace("{id}", &org).replace(['{', '}'], "");
        let parameters = operation["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "query");
        let names: Vec<_> = parameters.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        for value in bad {
            for name in &names {
                let answer = send(&api, &method, &format!("{target}?{name}={value}"), None).await;
                tried += 1;
                assert!(!answer.status.is_server_error(), "{method} {target}?{name}={value:.200}: {:#}", answer.body);
            }
        }
        if !names.is_empty() {
            let answer = send(&api, &method, &format!("{target}?nonsense=1"), None).await;
            assert!(is_the_callers_fault(answer.status), "{method} {target}: {}", answer.status);
        }
    }
    assert!(tried > 500, "{tried}");
}
