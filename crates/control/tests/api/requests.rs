//! `GET /requests/{id}`, and the requests of an organisation.

use domain::{AttemptEnd, AttemptRecord, Money, Outcome, RefusalEvent, RequestId, Trouble, UsageRecord};

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::Value;

use crate::support::{Api, TOKEN, request};
use crate::usage::Client;

#[tokio::test]
async fn a_request_is_told_with_its_attempts() {
    let api = Api::new().await;
    let (client, _) = Client::new(&api, "Acme").await;
    let attempt = |provider: &str, end, status, begun_us| AttemptRecord {
        provider: provider.into(),
        model: "there".into(),
        end,
        status,
        begun_us,
        lasted_us: 1_500,
        cost: Money(0),
    };
    let plain = client.record(1, "2026-02-05T15:30:10Z", "mistral-7b", Outcome::Answered, 200);
    let overloaded = attempt("first", AttemptEnd::Failed(Trouble::Overloaded), Some(503), 250);
    let attempt_list = vec![overloaded, attempt("local", AttemptEnd::Answered, None, 1_750)];
    let recovered =
        UsageRecord { attempts: 2, attempt_list, ..client.record(2, "2026-02-05T15:30:10Z", "mistral-7b", Outcome::Answered, 200) };
    for record in [&plain, &recovered] {
        api.store.recorder().usage(record.clone());
    }
    api.store.recorder().flush().await;
    let told = api.get(&format!("/requests/{}", plain.request)).await.expect(200);
    assert_eq!((&told["attempts"], &told["outcome"]["recovered"]), (&serde_json::json!([]), &false.into()));
    let mut told = api.get(&format!("/requests/{}", recovered.request)).await.expect(200);
    let ids = [recovered.request.to_string(), recovered.org.to_string(), recovered.key.to_string()];
    for (member, id) in ["id", "org", "key"].into_iter().zip(ids) {
        assert_eq!(told[member].take(), id, "{member}");
    }
    insta::assert_json_snapshot!("request", told);
}

#[tokio::test]
async fn a_refused_request_is_told_with_the_limit_that_refused_it() {
    let api = Api::new().await;
    let (client, _) = Client::new(&api, "Acme").await;
    let at = "2026-02-05T15:30:10Z".parse().unwrap();
    let request = RequestId::from_bits(RequestId::first_of(at).bits() + 1);
    api.store.recorder().refusal(RefusalEvent { request, ..client.refusal(1, "2026-02-05T15:30:10Z") });
    api.store.recorder().flush().await;
    let told = api.get(&format!("/requests/{request}")).await.expect(200);
    assert_eq!((&told["decision"], &told["outcome"]), (&"refused".into(), &Value::Null));
    insta::assert_json_snapshot!("request_refusals", told["refusals"]);
}

#[tokio::test]
async fn what_nobody_knows_is_a_404_that_says_why() {
    let api = Api::new().await;
    assert_eq!(api.get("/requests/nonsense").await.fault(404).0, "not_found");
    let message = api.get("/requests/req_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8").await.message(404);
    assert!(message.contains("may be in progress"), "{message}");
}

/// Five that were admitted, a refusal for three, and another organisation's.
async fn several(api: &Api) -> (String, Vec<String>) {
    let (client, usage) = Client::new(api, "Acme").await;
    let (other, _) = Client::new(api, "Other").await;
    let mut ids = Vec::new();
    for (n, (outcome, status)) in
        [(Outcome::Answered, 200), (Outcome::Answered, 200), (Outcome::Failed, 503), (Outcome::Rejected, 400), (Outcome::Answered, 200)]
            .into_iter()
            .enumerate()
    {
        let record = client.record(n as u128, &format!("2026-02-05T15:3{n}:10Z"), "mistral-7b", outcome, status);
        ids.push(record.request.to_string());
        api.store.recorder().usage(record);
    }
    for n in 0..3 {
        let at = "2026-02-05T15:32:30Z".parse().unwrap();
        let request = RequestId::from_bits(RequestId::first_of(at).bits() + n);
        api.store.recorder().refusal(RefusalEvent { request, ..client.refusal(n, "2026-02-05T15:32:30Z") });
        if n == 0 {
            ids.push(request.to_string());
        }
    }
    api.store.recorder().usage(other.record(9, "2026-02-05T15:31:10Z", "mistral-7b", Outcome::Answered, 200));
    api.store.recorder().flush().await;
    api.clock.advance_s(3600);
    (usage.replace("/usage", "/requests"), ids)
}

#[tokio::test]
async fn an_organisations_requests_come_newest_first_page_by_page() {
    let api = Api::new().await;
    let (path, ids) = several(&api).await;
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}?limit=2{cursor}")).await.expect(200);
        found.extend(page["data"].as_array().unwrap().iter().map(|request| request["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let order = [4, 3, 5, 2, 1, 0].map(|n: usize| ids[n].clone());
    assert_eq!(found, order);
    let shown = async |query: &str| {
        let page = api.get(&format!("{path}?{query}")).await.expect(200);
        page["data"].as_array().unwrap().iter().map(|request| ids.iter().position(|id| request["id"] == **id).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(shown("status=refused").await, [5]);
    assert_eq!(shown("status=failed").await, [3, 2]);
    assert_eq!(shown("model=mistral-7b&status=200").await, [4, 1, 0]);
    assert_eq!(shown("order=oldest&limit=4").await, [0, 1, 2, 5]);
    assert_eq!(shown("from=2026-02-05T15:32:10Z&to=2026-02-05T15:33:10Z").await, [5, 2]);
    for (query, param) in
        [("cursor=MTI", "cursor"), ("limit=0", "limit"), ("format=xml", "format"), ("order=random", "order"), ("status=gone", "status")]
    {
        assert_eq!(api.get(&format!("{path}?{query}")).await.fault(422).1.as_deref(), Some(param), "{query}");
    }
}

#[tokio::test]
async fn the_same_view_is_a_table_and_lines() {
    let api = Api::new().await;
    let (path, ids) = several(&api).await;
    let text = async |query: &str| {
        let asked = request(Method::GET, &format!("{path}?{query}")).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        let (parts, text) = api.send_for_text(asked.body(Body::empty()).unwrap()).await;
        (parts.headers["content-type"].to_str().unwrap().to_owned(), text)
    };
    let (content_type, csv) = text("format=csv&limit=2").await;
    assert_eq!((content_type.as_str(), csv.lines().count()), ("text/csv; charset=utf-8", 7), "all, however many there are on a page");
    assert!(csv.lines().skip(1).zip([4, 3, 5, 2, 1, 0]).all(|(line, n): (_, usize)| line.starts_with(&ids[n])), "{csv}");
    let (content_type, lines) = text("format=jsonl&status=refused").await;
    let line: Value = serde_json::from_str(lines.trim_end()).unwrap();
    assert_eq!((content_type.as_str(), &line["requests"], &line["limit_kind"]), ("application/jsonl", &3.into(), &"requests".into()));
    let admitted: Value = serde_json::from_str(text("format=jsonl").await.1.lines().next().unwrap()).unwrap();
    assert_eq!((&admitted["input_tokens"], &admitted["duration_ms"], &admitted["cost"]), (&10.into(), &2.into(), &"0.0015".into()));
}

#[tokio::test]
async fn a_request_is_told_to_its_own_organisation_only() {
    let api = Api::new().await;
    let (path, ids) = several(&api).await;
    for id in &ids {
        assert_eq!(api.get(&format!("{path}/{id}")).await.expect(200)["id"], **id);
    }
    let (_, other) = Client::new(&api, "Third").await;
    let other = other.replace("/usage", "/requests");
    let message = api.get(&format!("{other}/{}", ids[0])).await.message(404);
    assert!(message.contains("Nothing is known of the request"), "{message}");
    assert_eq!(api.get(&format!("{path}/nonsense")).await.fault(404).0, "not_found");
}
