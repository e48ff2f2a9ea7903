//! Providers, models and plans.

use domain::{ProviderName, ProviderState};
use store::{Actor, CredentialChange, ErrorClass, OperationError as _, Origin, PageRequest, ProviderDraft, ProviderPatch, PutMode};

use crate::support::{Bench, model, plan, provider};

pub(crate) async fn a_models_life(bench: Bench) {
    let b = bench.seeded().await;
    let before = b.store.directory().generation();
    let new = model(r#"{"id":"mid/8x7","parameters_b":20,"aliases":["m"]}"#);
    let written = b.store.put_model(Actor::Operator, new.clone(), Origin::Api, PutMode::Create).await.unwrap();
    assert!(written.created);
    assert_eq!((&*written.value.item, written.value.origin, written.value.updated), (&new, Origin::Api, b.now().wall));
    assert!(b.store.directory().generation() > before);
    assert!(b.store.directory().catalogue().find("m").is_some());
    let twice = b.store.put_model(Actor::Operator, new, Origin::Api, PutMode::Create).await.unwrap_err();
    assert_eq!(twice.class(), ErrorClass::Conflict);

    b.clock.advance_us(1);
    let larger = model(r#"{"id":"mid/8x7","parameters_b":56}"#);
    assert!(!b.store.put_model(Actor::Operator, larger.clone(), Origin::Api, PutMode::Upsert).await.unwrap().created);
    assert_eq!(*b.store.model("mid/8x7").unwrap().item, larger);
    assert!(b.store.directory().catalogue().find("m").is_none());

    b.plan(r#"{"id":"special","limits":[{"model":"mid/8x7","rpm":1}]}"#).await;
    let used = b.store.delete_model(Actor::Operator, &"mid/8x7".into()).await.unwrap_err();
    assert_eq!((used.class(), used.to_string().contains("special")), (ErrorClass::Conflict, true));
    b.store.delete_plan(Actor::Operator, &"special".into()).await.unwrap();
    b.store.delete_model(Actor::Operator, &"mid/8x7".into()).await.unwrap();
    assert_eq!(b.store.delete_model(Actor::Operator, &"mid/8x7".into()).await.unwrap_err().class(), ErrorClass::NotFound);
    assert!(b.store.model("mid/8x7").is_none());
    let page = b.store.models(&PageRequest { cursor: None, limit: Some(1) });
    assert_eq!(page.data[0].item.id.as_str(), "tiny");
    let rest = b.store.models(&PageRequest { cursor: page.next_cursor, limit: Some(1) });
    assert_eq!((rest.data[0].item.id.as_str(), rest.next_cursor), ("huge", None));
}

pub(crate) async fn a_plans_life(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("pro").await;
    let used = b.store.delete_plan(Actor::Operator, &"pro".into()).await.unwrap_err();
    assert_eq!((used.class(), used.to_string().starts_with("1 organisations")), (ErrorClass::Conflict, true));
    b.store.delete_org(Actor::Operator, org.id).await.unwrap();
    b.store.delete_plan(Actor::Operator, &"pro".into()).await.unwrap();
    assert!(b.store.directory().catalogue().plan("pro").is_none());
    assert_eq!(b.store.delete_plan(Actor::Operator, &"pro".into()).await.unwrap_err().class(), ErrorClass::NotFound);
    let twice = plan(r#"{"id":"odd","limits":[{"any":true},{"any":true}]}"#);
    let error = b.store.put_plan(Actor::Operator, twice, Origin::Api, PutMode::Create).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid { param: "limits" });
    let names: Vec<_> = b.store.plans(&PageRequest::default()).data.iter().map(|p| p.item.id.to_string()).collect();
    assert_eq!(names, ["free"]);
}

pub(crate) async fn a_providers_life(bench: Bench) {
    let b = bench.seeded().await;
    b.provider(r#"{"name":"main","kind":"openai"}"#, CredentialChange::Keep).await;
    let info = b.store.provider("main").unwrap();
    assert_eq!((info.provider.base_url.as_str(), info.credentials, info.origin), ("https://api.openai.com/v1", Vec::new(), Origin::Api));
    b.model(r#"{"id":"tiny","parameters_b":1,"targets":[{"provider":"main"}]}"#).await;
    let name = ProviderName::from("main");
    let used = b.store.delete_provider(Actor::Operator, &name).await.unwrap_err();
    assert_eq!((used.class(), used.to_string().contains("tiny")), (ErrorClass::Conflict, true));
    let to = |state| ProviderPatch { state: Some(state), ..ProviderPatch::default() };
    let draining = b.store.change_provider(Actor::Operator, &name, to(ProviderState::Draining)).await.unwrap();
    assert_eq!(draining.provider.state, ProviderState::Draining);
    assert_eq!(b.store.directory().catalogue().provider("main").unwrap().state, ProviderState::Draining);
    let unknown = b.store.change_provider(Actor::Operator, &"none".into(), to(ProviderState::Enabled)).await.unwrap_err();
    assert_eq!(unknown.class(), ErrorClass::NotFound);

    for (json, param) in [
        (r#"{"name":"x","kind":"openai","base_url":"http://169.254.169.254/"}"#, "base_url"),
        (r#"{"name":"x","kind":"llama_cpp"}"#, "base_url"),
        (r#"{"name":"x","kind":"openai","timeout_seconds":0}"#, "timeout_seconds"),
        (r#"{"name":"x","kind":"openai","headers":{"Cookie":"a"}}"#, "headers.Cookie"),
        (r#"{"name":"","kind":"openai"}"#, ""),
    ] {
        let draft = ProviderDraft { provider: provider(json), credential: CredentialChange::Keep };
        let error = b.store.put_provider(Actor::Operator, draft, Origin::Api, PutMode::Create).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Invalid { param }, "{error}");
    }
    b.model(r#"{"id":"tiny","parameters_b":1}"#).await;
    b.store.delete_provider(Actor::Operator, &name).await.unwrap();
    assert!(b.store.provider("main").is_none());
    assert_eq!(b.store.delete_provider(Actor::Operator, &name).await.unwrap_err().class(), ErrorClass::NotFound);
}

pub(crate) async fn faults_are_told_all_at_once_and_old_ones_do_not_block(bench: Bench) {
    let b = bench.seeded().await;
    let bad = model(r#"{"id":"mystery","aliases":["t"],"targets":[{"provider":"nowhere"}]}"#);
    let error = b.store.put_model(Actor::Operator, bad, Origin::Api, PutMode::Create).await.unwrap_err().to_string();
    for part in ["\"t\" is defined twice", "give category or parameters_b", "provider \"nowhere\""] {
        assert!(error.contains(part), "{error}");
    }
    assert!(b.store.model("mystery").is_none());
    b.model(r#"{"id":"tiny","parameters_b":1,"aliases":["t","t2"]}"#).await;
    assert!(b.store.directory().catalogue().find("t2").is_some());
}

pub(crate) async fn what_the_file_manages_stays_the_files(bench: Bench) {
    let b = bench.seeded().await;
    let file = plan(r#"{"id":"team","limits":[{"any":true,"rpm":1}]}"#);
    b.store.put_plan(Actor::System, file, Origin::File, PutMode::Upsert).await.unwrap();
    let edited = plan(r#"{"id":"team","limits":[{"any":true,"rpm":2}]}"#);
    let written = b.store.put_plan(Actor::Operator, edited.clone(), Origin::Api, PutMode::Upsert).await.unwrap();
    assert_eq!((written.value.origin, &*written.value.item), (Origin::File, &edited));
}
