//! Providers' credentials: one, several, added, removed, and never told.

use domain::CredentialId;
use store::{
    Actor, ApplyOptions, CredentialChange, CredentialInfo, CredentialKind, Desired, ErrorClass, NewCredential, OperationError, Origin,
    PageRequest, ProviderDraft, PutMode,
};

use crate::support::{Bench, provider};

const MAIN: &str = r#"{"name":"main","kind":"vllm","headers":{"x-team":"hidden-team"}}"#;

fn all(secrets: &[&str]) -> CredentialChange {
    CredentialChange::Replace(secrets.iter().map(|secret| NewCredential::stored(*secret)).collect())
}

fn found(variable: &str, secret: &str) -> NewCredential {
    NewCredential { secret: secret.into(), found: CredentialKind::Env(variable.into()) }
}

fn infos(b: &Bench) -> Vec<CredentialInfo> {
    b.store.credentials("main").unwrap()
}

fn ids(b: &Bench) -> Vec<CredentialId> {
    infos(b).iter().map(|info| info.id).collect()
}

fn kinds(b: &Bench) -> Vec<CredentialKind> {
    infos(b).into_iter().map(|info| info.kind).collect()
}

async fn everything_audited(b: &Bench) -> String {
    format!("{:?}", b.store.audit(&PageRequest { cursor: None, limit: Some(200) }).await.unwrap())
}

fn class<T: std::fmt::Debug, E: OperationError + std::fmt::Debug>(result: Result<T, E>) -> (String, String) {
    let error = result.unwrap_err();
    (format!("{:?}", error.class()), error.to_string())
}

pub(crate) async fn they_are_kept_but_never_told(bench: Bench) {
    let mut b = bench.seeded().await;
    b.provider(MAIN, all(&["sk-first"])).await;
    let generation = b.store.directory().generation();
    b.provider(MAIN, CredentialChange::Keep).await;
    assert_eq!((b.secrets("main"), kinds(&b)), (vec!["sk-first".into()], vec![CredentialKind::Stored]));
    b.provider(MAIN, all(&["sk-second"])).await;
    assert!(b.store.directory().generation() > generation);
    b.reopen().await;
    assert_eq!((b.secrets("main"), kinds(&b)), (vec!["sk-second".into()], vec![CredentialKind::Stored]));
    assert_eq!(b.store.provider("main").unwrap().provider.headers["x-team"], "hidden-team");

    b.provider(MAIN, CredentialChange::Replace(vec![found("MAIN_KEY", "sk-run")])).await;
    assert_eq!((b.secrets("main"), kinds(&b)), (vec!["sk-run".into()], vec![CredentialKind::Env("MAIN_KEY".into())]));
    b.reopen().await;
    assert_eq!(b.secrets("main"), [""; 0]);

    b.provider(MAIN, all(&["sk-gone", "sk-too"])).await;
    b.store.delete_provider(Actor::Operator, &"main".into()).await.unwrap();
    assert_eq!(b.secrets("main"), [""; 0]);
    assert!(b.store.credentials("main").is_none());
    b.provider(MAIN, CredentialChange::Keep).await;
    assert_eq!(b.secrets("main"), [""; 0]);
    b.reopen().await;
    assert_eq!(b.secrets("main"), [""; 0]);
    b.provider(MAIN, all(&["sk-third"])).await;
    b.provider(MAIN, all(&[])).await;
    assert_eq!(b.secrets("main"), [""; 0]);
    let everything = everything_audited(&b).await;
    assert!(!everything.contains("sk-") && !everything.contains("hidden-team"), "{everything}");
    assert!(everything.contains("(secret)"), "{everything}");
}

pub(crate) async fn several_take_their_turns_in_their_order(mut b: Bench) {
    b.provider(MAIN, all(&["sk-b", "sk-a", "sk-c"])).await;
    let before = infos(&b);
    b.provider(r#"{"name":"other","kind":"vllm"}"#, all(&["sk-a"])).await;
    assert_ne!(b.store.credentials("other").unwrap()[0].id, before[1].id, "nobody learns that two providers have the same key");
    b.clock.advance_us(7);
    b.reopen().await;
    assert_eq!((b.secrets("main"), infos(&b)), (vec!["sk-b".into(), "sk-a".into(), "sk-c".into()], before.clone()));
    b.provider(MAIN, all(&["sk-c", "sk-d"])).await;
    let after = infos(&b);
    assert_eq!((b.secrets("main"), after[0].id), (vec!["sk-c".into(), "sk-d".into()], before[2].id));
    assert_eq!((after[0].added, after[1].added), (before[2].added, b.now().wall), "what stays is not new");
    b.reopen().await;
    assert_eq!(infos(&b), after);
    assert_eq!(b.store.provider("main").unwrap().credentials, after);
}

pub(crate) async fn one_is_added_and_one_removed(mut b: Bench) {
    let name = "main".into();
    b.provider(MAIN, CredentialChange::Replace(vec![found("MAIN_KEY", "sk-run")])).await;
    let generation = b.store.directory().generation();
    let added = b.store.add_credential(Actor::Operator, &name, "sk-new".into()).await.unwrap();
    assert!(b.store.directory().generation() > generation);
    assert_eq!((b.secrets("main"), added.kind.clone()), (vec!["sk-run".into(), "sk-new".into()], CredentialKind::Stored));
    assert_eq!(infos(&b)[1], added);
    for (secret, there) in [("sk-new", added.id), ("sk-run", infos(&b)[0].id)] {
        let (class, said) = class(b.store.add_credential(Actor::Operator, &name, secret.into()).await);
        assert_eq!((class.as_str(), said.contains(&there.to_string())), ("Conflict", true), "{said}");
    }
    assert_eq!(class(b.store.add_credential(Actor::Operator, &"nowhere".into(), "sk".into()).await).0, "NotFound");
    assert_eq!(class(b.store.add_credential(Actor::Operator, &name, "a b".into()).await).0, "Invalid { param: \"api_key\" }");

    let run = infos(&b)[0].id;
    b.store.remove_credential(Actor::Operator, &name, run).await.unwrap();
    assert_eq!(b.secrets("main"), ["sk-new"]);
    assert_eq!(class(b.store.remove_credential(Actor::Operator, &name, run).await).0, "NotFound");
    assert_eq!(class(b.store.remove_credential(Actor::Operator, &"nowhere".into(), added.id).await).0, "NotFound");
    b.reopen().await;
    assert_eq!(b.secrets("main"), ["sk-new"]);
    b.store.remove_credential(Actor::Operator, &name, added.id).await.unwrap();
    b.reopen().await;
    assert_eq!(ids(&b), []);
    let everything = everything_audited(&b).await;
    assert!(!everything.contains("sk-"), "{everything}");
    for id in [run, added.id] {
        assert!(everything.contains(&id.to_string()), "{everything}");
    }
}

pub(crate) async fn what_was_found_leaves_what_was_added(mut b: Bench) {
    let find = async |b: &Bench| {
        let one = ProviderDraft { provider: provider(MAIN), credential: CredentialChange::Replace(vec![found("MAIN_KEY", "sk-run")]) };
        let desired = Desired { providers: vec![one], ..Desired::default() };
        let options = ApplyOptions { origin: Origin::Discovered, overwrite: true, prune: false, dry_run: false };
        b.store.apply(Actor::System, desired, options).await.unwrap();
    };
    find(&b).await;
    b.store.add_credential(Actor::Operator, &"main".into(), "sk-new".into()).await.unwrap();
    b.reopen().await;
    assert_eq!(b.secrets("main"), ["sk-new"]);
    find(&b).await;
    find(&b).await;
    assert_eq!(b.secrets("main"), ["sk-run", "sk-new"]);
    assert_eq!(b.store.provider("main").unwrap().origin, Origin::Discovered);
}

pub(crate) async fn what_is_no_list_of_credentials_is_refused(b: Bench) {
    let many: Vec<_> = (0..33).map(|n| format!("sk-{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for (bad, param) in [
        (&[""][..], "api_key"),
        (&["a b"], "api_key"),
        (&["ä"], "api_key"),
        (&["a\n"], "api_key"),
        (&["sk-a", ""], "api_key[1]"),
        (&["sk-a", "sk-b", "sk-a"], "api_key[2]"),
        (&many, "api_key"),
    ] {
        let draft = ProviderDraft { provider: provider(MAIN), credential: all(bad) };
        let error = b.store.put_provider(Actor::Operator, draft, Origin::Api, PutMode::Upsert).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Invalid { param }, "{bad:?}");
    }
    b.provider(MAIN, all(&many[..32])).await;
    let (class, said) = class(b.store.add_credential(Actor::Operator, &"main".into(), "sk-32".into()).await);
    assert_eq!((class.as_str(), said.contains("has 32 keys")), ("Conflict", true), "{said}");
}
