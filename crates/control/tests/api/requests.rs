//! `GET /requests/{id}`.

use domain::{AttemptEnd, AttemptRecord, Money, Outcome, RefusalEvent, RequestId, Trouble, UsageRecord};

use crate::support::Api;
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
    assert_eq!((&told["decision"], &told["outcome"]), (&"refused".into(), &serde_json::Value::Null));
    insta::assert_json_snapshot!("request_refusals", told["refusals"]);
}

#[tokio::test]
async fn what_nobody_knows_is_a_404_that_says_why() {
    let api = Api::new().await;
    assert_eq!(api.get("/requests/nonsense").await.fault(404).0, "not_found");
    let message = api.get("/requests/req_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8").await.message(404);
    assert!(message.contains("may be in progress"), "{message}");
}
