//! Backups: made beside a running server, and put back where none runs.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use domain::{Clock, Entropy, Now, UnixMicros};
use store::{Actor, NewOrg, Origin, PageRequest, PutMode, Store, StoreConfig, backup, restore};
use tokio_util::task::TaskTracker;

struct Still;
impl Clock for Still {
    fn now(&self) -> Now {
        Now { mono_us: 1, wall: UnixMicros(1_770_305_400_000_000) }
    }
}

struct Counting(std::sync::atomic::AtomicU8);
impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|b| *b = self.0.fetch_add(37, std::sync::atomic::Ordering::SeqCst));
    }
}

async fn open(folder: &Path) -> Store {
    let entropy = Counting(std::sync::atomic::AtomicU8::new(11));
    Store::open(StoreConfig::in_folder(folder), Arc::new(Still), Arc::new(entropy), &TaskTracker::new()).await.unwrap()
}

async fn org(store: &Store, name: &str) {
    let plan = serde_json::from_str(r#"{"id":"free","limits":[{"any":true}]}"#).unwrap();
    store.put_plan(Actor::Operator, plan, Origin::Api, PutMode::Upsert).await.unwrap();
    store.create_org(Actor::Operator, NewOrg { name: name.into(), plan: "free".into(), custom: vec![] }).await.unwrap();
}

async fn orgs(store: &Store) -> Vec<String> {
    store.list_orgs(None, &PageRequest::default()).await.unwrap().data.into_iter().map(|org| org.name.to_string()).collect()
}

const LATER: UnixMicros = UnixMicros(1_770_305_500_000_000);

#[tokio::test]
async fn a_backup_of_a_running_server_is_put_back_into_a_folder_that_nobody_uses() {
    let (live, other, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = place.path().join("backup");
    let store = open(live.path()).await;
    org(&store, "first").await;
    let made = backup(live.path(), &file).await.unwrap();
    assert_eq!(made.files, ["journal/00000001.tgj", "secret-key"]);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(backup(live.path(), &file).await.unwrap_err().to_string().contains("exists already"));
    org(&store, "second").await;

    // The running server's folder is not touched.
    let said = restore(live.path(), &file, true, LATER).await.unwrap_err().to_string();
    assert!(said.contains("in use by another server"), "{said}");
    let done = restore(other.path(), &file, false, LATER).await.unwrap();
    assert_eq!((done.files, done.replaced), (made.files, None));
    let restored = open(other.path()).await;
    assert_eq!((orgs(&restored).await, orgs(&store).await.len()), (vec!["first".to_owned()], 2));
    restored.flush_and_close().await;

    store.flush_and_close().await;
    let said = restore(live.path(), &file, false, LATER).await.unwrap_err().to_string();
    assert!(said.contains("--force"), "{said}");
    let aside = restore(live.path(), &file, true, LATER).await.unwrap().replaced.expect("there was something");
    assert_eq!(orgs(&open(live.path()).await).await, ["first"]);
    assert_eq!(orgs(&open(&aside).await).await.len(), 2);
}

#[tokio::test]
async fn what_is_no_backup_is_told_and_changes_nothing() {
    let (folder, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let said = backup(folder.path(), &place.path().join("b")).await.unwrap_err().to_string();
    assert!(said.contains("no database"), "{said}");
    let file = place.path().join("file");
    std::fs::write(&file, vec![b'x'; 5_000]).unwrap();
    let said = restore(folder.path(), &file, false, LATER).await.unwrap_err().to_string();
    assert!(said.contains("not a sound backup"), "{said}");
    let said = restore(folder.path(), &place.path().join("none"), false, LATER).await.unwrap_err().to_string();
    assert!(said.contains("none"), "{said}");
    // A database that is no backup.
    open(folder.path()).await.flush_and_close().await;
    let said = restore(place.path(), &folder.path().join("tidegate.db"), false, LATER).await.unwrap_err().to_string();
    assert!(said.contains("backup_files"), "{said}");
    assert!(!place.path().join("tidegate.db").exists());
}
