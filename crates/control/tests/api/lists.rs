//! Lists: pages, cursors, bounds.

use serde_json::{Value, json};

use crate::support::Api;

fn names(page: &Value, member: &str) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|entry| entry[member].as_str().unwrap().to_owned()).collect()
}

/// All entries of a list, read in pages of `limit`.
async fn all(api: &Api, path: &str, limit: usize, member: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}?limit={limit}{cursor}")).await.expect(200);
        assert!(page["data"].as_array().unwrap().len() <= limit);
        found.extend(names(&page, member));
        let Some(next) = page["next_cursor"].as_str() else { return found };
        assert!(next.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{next} needs no encoding");
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn pages_join_to_the_whole_list() {
    let api = Api::new().await;
    let mut orgs = Vec::new();
    for n in 0..7 {
        orgs.push(api.org(&format!("org {n}")).await);
        api.clock.advance_ms(3);
    }
    for n in 0..5 {
        api.key(&orgs[0], &format!("key {n}")).await;
        api.clock.advance_ms(1);
    }
    for limit in [1, 2, 3, 7, 200] {
        assert_eq!(all(&api, "/orgs", limit, "id").await, orgs);
        assert_eq!(all(&api, &format!("/orgs/{}/keys", orgs[0]), limit, "name").await, ["key 0", "key 1", "key 2", "key 3", "key 4"]);
        assert_eq!(all(&api, "/models", limit, "id").await.len(), 3);
        assert_eq!(all(&api, "/plans", limit, "id").await.len(), 3);
        assert_eq!(all(&api, "/providers", limit, "name").await, ["local"]);
    }
    assert_eq!(
        all(&api, "/audit", 2, "action").await.len(),
        api.get("/audit?limit=200").await.expect(200)["data"].as_array().unwrap().len()
    );
}

#[tokio::test]
async fn a_page_has_50_entries_unless_asked_and_200_at_most() {
    let api = Api::new().await;
    for n in 0..51 {
        api.org(&format!("org {n}")).await;
        api.clock.advance_ms(1);
    }
    let page = api.get("/orgs").await.expect(200);
    assert_eq!(page["data"].as_array().unwrap().len(), 50);
    assert!(page["next_cursor"].is_string());
    let whole = api.get("/orgs?limit=200").await.expect(200);
    assert_eq!((whole["data"].as_array().unwrap().len(), &whole["next_cursor"]), (51, &json!(null)));
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    for path in ["/orgs".to_owned(), format!("/orgs/{org}/keys"), "/providers".into(), "/models".into(), "/plans".into(), "/audit".into()] {
        for limit in ["0", "201", "-1", "x", "", "1.5", "99999999999999999999"] {
            assert_eq!(
                api.get(&format!("{path}?limit={limit}")).await.fault(422),
                ("invalid_value".into(), Some("limit".into())),
                "{limit}"
            );
        }
        for cursor in ["%00", "ä", "!!", "_w"] {
            let cursor = cursor.replace('ä', "%C3%A4");
            assert_eq!(api.get(&format!("{path}?cursor={cursor}")).await.fault(422).1.as_deref(), Some("cursor"), "{path} {cursor}");
        }
        assert_eq!(api.get(&format!("{path}?limt=5")).await.fault(422), ("unknown_parameter".into(), Some("limt".into())));
        assert_eq!(api.get(&format!("{path}?limit=5&limit=6")).await.fault(422).0, "invalid_query");
    }
    insta::assert_json_snapshot!("unknown_parameter", api.get("/orgs?page=2").await.expect(422));
}

#[tokio::test]
async fn organisations_are_found_by_name_and_id() {
    let api = Api::new().await;
    let (acme, other) = (api.org("Acme 100% _ Ltd").await, api.org("Other").await);
    let found = async |q: &str| names(&api.get(&format!("/orgs?q={q}")).await.expect(200), "id");
    assert_eq!(found("acme").await, [acme.as_str()]);
    assert_eq!(found("100%25%20_").await, [acme.as_str()]);
    assert_eq!(found("%25").await, [acme.as_str()]);
    assert_eq!(found(&other).await, [other]);
    assert_eq!(found("nobody").await, Vec::<String>::new());
    assert_eq!(found("").await.len(), 2);
}
