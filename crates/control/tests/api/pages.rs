//! The pages that there are without the console.

use axum::body::Body;
use axum::http::{Method, Request, header};

use crate::support::{Api, Document};

async fn page(api: &Api, path: &str) -> String {
    let (status, headers, text) = api.send_quietly(Request::builder().uri(path).body(Body::empty()).unwrap()).await;
    assert_eq!(status, 200, "{path}");
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
    text
}

/// What stands between `before` and the next quotation mark, each time.
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn links_lead_to_pages_that_ask_for_what_their_operation_takes() {
    let api = Api::new().await;
    let document = Document::new();
    for name in ["setup", "invitation", "reset", "verify"] {
        let html = page(&api, &format!("/{name}")).await;
        let title = html.split_once("<title>").unwrap().1.split_once(" · Tidegate</title>").unwrap().0;
        assert!(
            html.starts_with("<!doctype html>") && html.ends_with("</html>\n") && html.contains(&format!("<h1>{title}</h1>")),
            "{html}"
        );
        let to = quoted(&html, "data-to=\"")[0];
        let operation = document.operation(&Method::POST, &format!("/{to}")).unwrap();
        let schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
        let schema = document.0.pointer(schema.trim_start_matches('#')).unwrap();
        let sent: Vec<_> = [quoted(&html, " name=\""), quoted(&html, "data-token=\"")].concat();
        let sent: Vec<_> = sent.into_iter().filter(|name| !["viewport", "referrer"].contains(name)).collect();
        assert!(sent.iter().all(|member| schema["properties"][member].is_object()), "{name}: {sent:?}");
        let needed = schema["required"].as_array().unwrap();
        assert!(needed.iter().all(|member| sent.contains(&member.as_str().unwrap())), "{name}: {sent:?} {needed:?}");
        for file in quoted(&html, "href=\"").into_iter().chain(quoted(&html, "src=\"")) {
            page(&api, &format!("/{file}")).await;
        }
        assert!(!html.contains(" style=") && !html.contains("onclick") && !html.contains("<script>"), "the policy would refuse it: {html}");
    }
    assert!(!page(&api, "/pages/account.js").await.contains("innerHTML"));
}

#[tokio::test]
async fn the_document_is_shown_to_people() {
    let api = Api::new().await;
    let html = page(&api, "/api/v1/docs").await;
    assert!(html.contains("<code>POST /api/v1/orgs/{id}/keys</code>") && html.contains("Tidegate control API"));
    assert_eq!(quoted(&html, "href=\"../../")[0], "pages/pages.css");
}
