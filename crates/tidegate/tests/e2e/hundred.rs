//! A hundred at once who change plans, pay, and revoke keys, while requests run: nothing is lost, nothing waits for ever, and no request is
//! served under limits that were never in force.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use testkit::CARD_PAYS;
use tokio::task::JoinSet;

use crate::world::{LARGE, Org, World, chat};

const ORGS: usize = 20;
/// Changes that each task makes.
const CHANGES: usize = 6;
/// Requests a minute of large models, by plan. The last is chosen and never paid.
const PLANS: [(&str, u64); 4] = [("one", 101), ("two", 202), ("three", 303), ("never", 999)];

async fn world() -> World {
    let world = World::with("", "[signup]\nmode = \"open\"\n[billing]\nprovider = \"test\"\n").await;
    for (n, (plan, rpm)) in PLANS.into_iter().enumerate() {
        let body = json!({"name": plan, "price_month": (n + 1).to_string(), "limits": [{"category": "large", "rpm": rpm}]});
        world.operator("PUT", &format!("/plans/{plan}"), body).await;
    }
    world
}

/// An operator sets plans, each under a name of its own, so that each is found again in the audit log.
async fn set(world: Arc<World>, org: Org, n: usize) -> Vec<String> {
    let mut names = Vec::new();
    for turn in 0..CHANGES {
        let name = format!("{n}-{turn}");
        let plan = PLANS[(n + turn) % 3].0;
        world.operator("PATCH", &format!("/orgs/{}", org.id), json!({"plan": plan, "name": name})).await;
        names.push(name);
    }
    names
}

/// A member chooses plans, up and down, and pays what is to be paid; others may be faster.
async fn buy(world: Arc<World>, org: Org, n: usize) -> Vec<String> {
    for turn in 0..CHANGES {
        let plan = PLANS[(n + turn) % 3].0;
        let chosen = world.try_operator("POST", &format!("/orgs/{}/subscription", org.id), json!({ "plan": plan })).await;
        assert!([200, 202, 409].contains(&chosen.status), "{} {}", chosen.status, chosen.text());
        if let Some(checkout) = chosen.json()["checkout"]["id"].as_str().filter(|_| chosen.status == 202) {
            let path = format!("/orgs/{}/subscription/checkouts/{checkout}/test-payment", org.id);
            let paid = world.try_operator("POST", &path, json!({"card": CARD_PAYS})).await;
            assert!([200, 409].contains(&paid.status), "{} {}", paid.status, paid.text());
        }
        world.try_operator("POST", &format!("/orgs/{}/subscription", org.id), json!({"plan": "never"})).await;
    }
    Vec::new()
}

/// Keys come, are used, and go: refused from the very next request on.
async fn keys(world: Arc<World>, org: Org, _: usize) -> Vec<String> {
    for _ in 0..CHANGES {
        let (id, key) = world.new_key(&org, json!({"name": "short-lived"})).await;
        assert_ne!(world.send(&key, &chat(LARGE, 1)).await.status, 401);
        world.operator("DELETE", &format!("/orgs/{}/keys/{id}", org.id), Value::Null).await;
        assert_eq!(world.send(&key, &chat(LARGE, 1)).await.status, 401, "it was answered that it is revoked");
    }
    Vec::new()
}

/// Requests run; the limits that they were served under.
async fn load(world: Arc<World>, org: Org, _: usize) -> Vec<String> {
    let mut limits = Vec::new();
    for _ in 0..CHANGES * 5 {
        let answer = world.send(&org.key, &chat(LARGE, 1)).await;
        assert!([200, 429].contains(&answer.status), "{} {}", answer.status, answer.text());
        limits.push(answer.header("x-ratelimit-limit-requests").unwrap().to_owned());
    }
    limits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_at_once_lose_no_change_and_serve_nothing_under_limits_never_in_force() {
    let world = Arc::new(world().await);
    let mut orgs = Vec::new();
    for _ in 0..ORGS {
        orgs.push(world.org("one").await);
    }
    let mut tasks = JoinSet::new();
    for (n, org) in orgs.iter().enumerate() {
        let of = move |kind: &'static str, done: Vec<String>| (n, kind, done);
        for task in 0..5 {
            let (world, org) = (Arc::clone(&world), org.clone());
            tasks.spawn(async move {
                match task {
                    0 | 1 => of("names", set(world, org, n * 5 + task).await),
                    2 => of("bought", buy(world, org, n).await),
                    3 => of("keys", keys(world, org, n).await),
                    _ => of("limits", load(world, org, n).await),
                }
            });
        }
    }
    let done = tokio::time::timeout(testkit::WAIT * 6, tasks.join_all()).await.expect("nobody waits for ever");
    for (n, org) in orgs.iter().enumerate() {
        let all = |kind: &str| -> Vec<&String> {
            done.iter().filter(|(of, k, _)| *of == n && *k == kind).flat_map(|(_, _, done)| done).collect()
        };
        let entries = audit(&world, &org.id).await;
        let chain: Vec<_> = entries.iter().filter(|entry| entry["action"] == "org.update").map(|entry| &entry["details"]).collect();
        check_chain(&chain, "plan", "one");
        check_chain(&chain, "name", "Acme");
        let named: BTreeSet<_> = chain.iter().filter_map(|change| change["name"]["after"].as_str()).collect();
        let answered: BTreeSet<_> = all("names").into_iter().map(String::as_str).collect();
        assert_eq!(named, answered, "each change that was answered was made, once");
        let last =
            |member: &str, first: &'static str| chain.iter().filter_map(|c| c[member]["after"].as_str()).next_back().unwrap_or(first);
        let now = world.operator("GET", &format!("/orgs/{}", org.id), Value::Null).await;
        assert_eq!(
            (&now["plan"], &now["effective_plan"], &now["name"]),
            (&json!(last("plan", "one")), &json!(last("plan", "one")), &json!(last("name", "")))
        );
        let number = |plan: &str| PLANS.iter().find(|(name, _)| *name == plan).unwrap().1;
        assert_eq!(world.view(&org.key, "category:large", "requests").await.limit, number(last("plan", "one")));
        let in_force: BTreeSet<_> = chain
            .iter()
            .filter_map(|change| change["plan"]["after"].as_str())
            .chain(["one"])
            .map(|plan| number(plan).to_string())
            .collect();
        assert!(all("limits").into_iter().all(|limit| in_force.contains(limit)), "{in_force:?}");
        let ends = |action: &str| entries.iter().filter(|entry| entry["action"] == action).count();
        assert_eq!((ends("key.create"), ends("key.revoke")), (CHANGES + 1, CHANGES));
    }
}

/// The audit log of one organisation, oldest first.
async fn audit(world: &World, org: &str) -> Vec<Value> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.operator("GET", &format!("/audit?limit=200{cursor}"), Value::Null).await;
        entries.extend(page["data"].as_array().unwrap().iter().filter(|entry| is_of(entry, org)).cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    entries.reverse();
    entries
}

fn is_of(entry: &Value, org: &str) -> bool {
    entry["subject"] == org || entry["details"]["org"] == org
}

/// Each change begins where the one before it ended.
fn check_chain(chain: &[&Value], member: &str, first: &str) {
    let mut is = first.to_owned();
    for change in chain.iter().map(|change| &change[member]).filter(|change| change.is_object()) {
        assert_eq!(change["before"], is.as_str(), "a change was lost before {change}");
        is = change["after"].as_str().unwrap().to_owned();
    }
}
