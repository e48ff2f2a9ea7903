//! Bringing everything to what a file says.

use store::{
    Actor, ApplyOptions, CredentialChange, CredentialKind, Desired, ErrorClass, NewCredential, OperationError as _, Origin, ProviderDraft,
};

use crate::support::{Bench, model, plan, provider};

const FILE: ApplyOptions = ApplyOptions { origin: Origin::File, overwrite: true, prune: false, dry_run: false };

fn desired(rpm: u64, secret: &str) -> Desired {
    let limits = format!(r#"{{"id":"team","name":"Team","limits":[{{"category":"small","rpm":{rpm}}},{{"model":"tiny","tpm":7}}]}}"#);
    Desired {
        providers: vec![ProviderDraft {
            provider: provider(r#"{"name":"main","kind":"vllm","headers":{"x-team":"blue"}}"#),
            credential: CredentialChange::stored(secret),
        }],
        models: vec![model(r#"{"id":"tiny","parameters_b":1,"targets":[{"provider":"main","model":"tiny-1"}]}"#)],
        plans: vec![plan(&limits)],
    }
}

pub(crate) async fn a_diff_says_what_changes_and_a_second_run_changes_nothing(b: Bench) {
    let first = b.store.apply(Actor::System, desired(5, "sk-one"), FILE).await.unwrap();
    assert_eq!(first.to_string(), "+ provider main\n+ model tiny\n+ plan team\n3 to add, 0 to change, 0 to delete.");
    let generation = b.store.directory().generation();
    b.clock.advance_us(1);
    let again = b.store.apply(Actor::System, desired(5, "sk-one"), FILE).await.unwrap();
    assert_eq!(again.to_string(), "Nothing to change.");
    assert_eq!(b.store.plan("team").unwrap().updated, b.wall(-1));
    assert!(b.store.directory().generation() >= generation);

    let mut next = desired(6, "sk-two");
    next.providers[0].provider.headers.insert("x-team".into(), "green".into());
    next.providers[0].provider.headers.insert("x-new".into(), "yes".into());
    next.models[0].targets[0].priority = 2;
    next.plans[0].limits.remove(1);
    let ids = |b: &Bench| b.store.credentials("main").unwrap().iter().map(|c| c.id.to_string()).collect::<String>();
    let before = ids(&b);
    let diff = b.store.apply(Actor::System, next, FILE).await.unwrap();
    assert_eq!(
        diff.to_string().replace(&before, "cred_0").replace(&ids(&b), "cred_1"),
        "~ provider main\n    api_key.cred_1: (none) -> \"(secret)\"\n    api_key.cred_0: \"(secret)\" -> (none)\n    headers.x-new: (none) -> \"(secret)\"\n    \
         headers.x-team: \"(secret)\" -> \"(secret)\"\n~ model tiny\n    targets.main/tiny-1.priority: 0 -> 2\n~ plan team\n    \
         limits.category:small.rpm: 5 -> 6\n    limits.model:tiny: {\"enforce\":true,\"model\":\"tiny\",\"tpm\":7} -> (none)\n\
         0 to add, 3 to change, 0 to delete."
    );
    let json = serde_json::to_value(&diff).unwrap();
    assert_eq!(json["changes"][2]["fields"][0], serde_json::json!({"path":"limits.category:small.rpm","before":5,"after":6}));
    assert_eq!(json["changes"][2]["action"], "update");
}

pub(crate) async fn a_dry_run_changes_nothing(b: Bench) {
    let diff = b.store.apply(Actor::Operator, desired(5, "sk-one"), ApplyOptions { dry_run: true, ..FILE }).await.unwrap();
    assert_eq!(diff.changes.len(), 3);
    assert!(b.store.plan("team").is_none() && b.store.provider("main").is_none());
    assert!(b.secrets("main").is_empty());
    assert!(b.store.audit(&Default::default()).await.unwrap().data.is_empty());
}

pub(crate) async fn pruning_spares_what_is_in_use_and_what_was_found(bench: Bench) {
    let b = bench.seeded().await;
    let found = ApplyOptions { origin: Origin::Discovered, overwrite: false, ..FILE };
    // Of unknown size, which what was found may be.
    let local = Desired { models: vec![model(r#"{"id":"local"}"#)], ..Desired::default() };
    b.store.apply(Actor::System, local.clone(), found).await.unwrap();
    let by_file = b.store.apply(Actor::System, local, FILE).await.unwrap_err();
    assert!(by_file.to_string().contains("give category or parameters_b"), "{by_file}");
    let org = b.org("pro").await;
    let prune = ApplyOptions { prune: true, ..FILE };
    let refused = b.store.apply(Actor::Operator, desired(5, "sk-one"), prune).await.unwrap_err();
    assert_eq!((refused.class(), refused.to_string().contains("pro (1)")), (ErrorClass::Conflict, true));
    assert!(b.store.plan("team").is_none());
    b.store.delete_org(Actor::Operator, org.id).await.unwrap();
    let diff = b.store.apply(Actor::Operator, desired(5, "sk-one"), prune).await.unwrap().to_string();
    assert!(diff.ends_with("2 to add, 1 to change, 3 to delete."), "{diff}");
    for gone in ["- model huge", "- plan free", "- plan pro", "    origin: \"api\" -> \"file\""] {
        assert!(diff.contains(gone), "{diff}");
    }
    assert!(b.store.model("local").is_some());

    let less = Desired { plans: Vec::new(), ..desired(5, "sk-one") };
    let diff = b.store.apply(Actor::Operator, less, FILE).await.unwrap().to_string();
    assert_eq!(diff, "~ plan team\n    origin: \"file\" -> \"api\"\n0 to add, 1 to change, 0 to delete.");
}

pub(crate) async fn missing_ones_are_added_and_others_left(b: Bench) {
    let seed = ApplyOptions { origin: Origin::Seed, overwrite: false, ..FILE };
    b.store.apply(Actor::System, desired(5, "sk-one"), seed).await.unwrap();
    b.plan(r#"{"id":"team","limits":[{"category":"small","rpm":50}]}"#).await;
    assert!(b.store.apply(Actor::System, desired(5, "sk-other"), seed).await.unwrap().is_empty());
    assert_eq!(b.store.plan("team").unwrap().item.limits[0].rpm, Some(50));
    assert_eq!(b.secrets("main"), ["sk-one"]);

    let run = |name: &str| ProviderDraft {
        provider: provider(&format!(r#"{{"name":"{name}","kind":"ollama"}}"#)),
        credential: CredentialChange::Replace(vec![NewCredential { secret: "sk-run".into(), found: CredentialKind::Env("X".into()) }]),
    };
    let found = Desired { providers: vec![run("main"), run("other")], ..Desired::default() };
    let options = ApplyOptions { origin: Origin::Discovered, ..seed };
    assert_eq!(b.store.apply(Actor::System, found.clone(), options).await.unwrap().changes.len(), 1);
    assert_eq!(b.secrets("main"), ["sk-one"]);
    assert_eq!(b.secrets("other"), ["sk-run"]);
    let mut b = b;
    b.reopen().await;
    assert!(b.secrets("other").is_empty());
    assert!(b.store.apply(Actor::System, found, options).await.unwrap().is_empty());
    assert_eq!(b.secrets("other"), ["sk-run"]);
    assert_eq!(b.secrets("main"), ["sk-one"]);
}

pub(crate) async fn all_or_nothing(b: Bench) {
    let mut bad = desired(5, "sk-one");
    bad.providers[0].provider.base_url = "nonsense".into();
    bad.models.push(model(r#"{"id":"tiny"}"#));
    bad.plans[0].limits[1].selector = domain::Selector::Model("nothing".into());
    let error = b.store.apply(Actor::System, bad, FILE).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid { param: "" });
    for part in ["nonsense", "\"tiny\" is defined twice", "names model \"nothing\""] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(b.store.plan("team").is_none() && b.store.provider("main").is_none());
}
