//! The OpenAPI document: what it lists is what there is.

use axum::body::Body;
use axum::http::Method;
use serde_json::Value;

use crate::support::{Api, Document, request};

#[tokio::test]
async fn every_operation_of_the_document_is_routed_and_needs_the_token() {
    let api = Api::new().await;
    for (method, path, operation) in Document::new().operations() {
        let path = path.strip_prefix("/api/v1").unwrap().replace(['{', '}'], "");
        let answer = api.send(request(method.clone(), &path).body(Body::empty()).unwrap()).await;
        let public = operation["security"] == serde_json::json!([{}]);
        assert_eq!(answer.status == 401, !public, "{method} {path}");
        assert_eq!(
            public,
            ["/openapi.json", "/auth/methods", "/auth/oidc/callback"].contains(&path.as_str())
                || ["signup", "login", "reset", "reset-requests", "verify", "setup", "webhook"].iter().any(|name| path.ends_with(name))
        );
    }
}

#[tokio::test]
async fn every_other_method_of_a_documented_path_is_refused_and_the_allowed_ones_named() {
    let api = Api::new().await;
    let document = Document::new();
    let all = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    for path in document.0["paths"].as_object().unwrap().keys() {
        let has: Vec<_> = document.operations().into_iter().filter(|(_, p, _)| p == path).map(|(method, _, _)| method).collect();
        let path = path.strip_prefix("/api/v1").unwrap().replace(['{', '}'], "");
        for method in all.iter().filter(|method| !has.contains(method)) {
            let answer = api.call(method.clone(), &path, None).await;
            let allowed = answer.headers["allow"].to_str().unwrap().to_owned();
            assert!(has.iter().all(|method| allowed.contains(method.as_str())), "{method} {path}: {allowed}");
            assert!(!allowed.contains(method.as_str()));
            assert_eq!(answer.fault(405).0, "method_not_allowed");
        }
    }
}

#[test]
fn operation_ids_are_unique_and_summarised() {
    let document = Document::new();
    let mut ids: Vec<_> =
        document.operations().iter().map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned()).collect();
    assert!(document.operations().iter().all(|(_, _, operation)| operation["summary"].is_string() && operation["tags"].is_array()));
    let count = ids.len();
    ids.sort();
    insta::assert_json_snapshot!("operation_ids", ids);
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = Document::new();
    let references = document.references();
    assert_eq!(references.iter().filter(|(_, leads)| !**leads).collect::<Vec<_>>(), Vec::new());
    for name in document.0["components"]["schemas"].as_object().unwrap().keys() {
        assert!(references.contains_key(&format!("#/components/schemas/{name}")), "{name} is not used");
    }
}

#[tokio::test]
async fn the_document_is_served_as_it_is_printed() {
    let api = Api::new().await;
    let served = api.send(request(Method::GET, "/openapi.json").body(Body::empty()).unwrap()).await.expect(200);
    assert_eq!(served, serde_json::to_value(control::openapi()).unwrap());
    assert_eq!(served["openapi"], "3.1.0");
    assert_eq!(served["components"]["securitySchemes"]["operator_token"]["scheme"], "bearer");
}

#[test]
fn writes_document_every_error_of_their_body() {
    for (method, path, operation) in Document::new().operations() {
        let has = |status: &str| operation["responses"][status].is_object();
        // What others tell is signed text, whose sender is asked for nothing else.
        if path.ends_with("/webhook") {
            assert!(["400", "404", "408", "413", "503"].iter().all(|status| has(status)), "{method} {path}");
        } else if operation["requestBody"] != Value::Null {
            assert!(["400", "401", "403", "408", "413", "415", "422", "503"].iter().all(|status| has(status)), "{method} {path}");
        }
        if path.contains('{') && method != Method::PUT {
            assert!(has("404"), "{method} {path}");
        }
    }
}
