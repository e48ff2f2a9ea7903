//! What the data folder looks like, and what is said when it can't be used.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use domain::{Clock, Entropy, Now, UnixMicros};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use store::{Actor, CredentialChange, NewKey, NewOrg, OpenError, Origin, ProviderDraft, PutMode, SecretKey, Store, StoreConfig};
use tokio_util::task::TaskTracker;

struct Still;
impl Clock for Still {
    fn now(&self) -> Now {
        Now { mono_us: 1, wall: UnixMicros(1_770_305_400_000_000) }
    }
}

/// Bytes that no file has by chance.
struct Counting(std::sync::atomic::AtomicU8);
impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|b| *b = self.0.fetch_add(37, std::sync::atomic::Ordering::SeqCst));
    }
}

async fn open(config: &StoreConfig) -> Result<Store, OpenError> {
    let entropy = Counting(std::sync::atomic::AtomicU8::new(11));
    Store::open(config.clone(), Arc::new(Still), Arc::new(entropy), &TaskTracker::new()).await
}

async fn fault(config: &StoreConfig) -> String {
    open(config).await.err().expect("it must not open").to_string()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Runs SQL on the file behind the store's back.
async fn sql(file: &Path, statement: &'static str) {
    let pool = SqlitePoolOptions::new().connect_with(SqliteConnectOptions::new().filename(file)).await.unwrap();
    sqlx::raw_sql(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test]
async fn files_are_for_the_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("deep/data");
    let store = open(&StoreConfig::in_folder(&folder)).await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, ["journal", "secret-key", "tidegate.db", "tidegate.db-shm", "tidegate.db-wal", "tidegate.lock"]);
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("journal/00000001.tgj")), 0o600);
    store.flush_and_close().await;
    assert!(!folder.join("tidegate.db-wal").exists());

    for file in ["journal", "secret-key", "tidegate.db"] {
        std::fs::set_permissions(folder.join(file), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let store = open(&StoreConfig::in_folder(&folder)).await.unwrap();
    assert_eq!((mode(&folder.join("secret-key")), mode(&folder.join("tidegate.db"))), (0o600, 0o600));
    store.flush_and_close().await;
}

#[tokio::test]
async fn no_secret_is_in_the_files_in_plain() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&StoreConfig::in_folder(folder.path())).await.unwrap();
    let json = r#"{"name":"main","kind":"openai","headers":{"x-token":"hdr-fedcba9876543210"}}"#;
    let draft =
        ProviderDraft { provider: serde_json::from_str(json).unwrap(), credential: CredentialChange::stored("sk-0123456789abcdef") };
    store.put_provider(Actor::Operator, draft, Origin::Api, PutMode::Create).await.unwrap();
    let plan = serde_json::from_str(r#"{"id":"free","limits":[{"any":true}]}"#).unwrap();
    store.put_plan(Actor::Operator, plan, Origin::Api, PutMode::Create).await.unwrap();
    let org = store.create_org(Actor::Operator, NewOrg { name: "visible-name".into(), plan: "free".into(), custom: vec![] }).await.unwrap();
    let (_, key) = store.create_key(Actor::Operator, org.id, NewKey { name: "k".into(), ..NewKey::default() }).await.unwrap();
    let holds = |needle: &str| {
        let entries = [folder.path().to_path_buf(), folder.path().join("journal")].map(|path| std::fs::read_dir(path).unwrap());
        let paths = entries.into_iter().flatten().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        paths.map(|path| std::fs::read(path).unwrap()).any(|bytes| bytes.windows(needle.len()).any(|window| window == needle.as_bytes()))
    };
    for closed in [false, true] {
        if closed {
            store.flush_and_close().await;
        }
        assert!(holds("visible-name"));
        assert!(!holds("sk-0123456789abcdef") && !holds("hdr-fedcba9876543210"));
        assert!(!holds(key.expose()) && !holds(&key.expose()[7..]));
    }
}

#[tokio::test]
async fn a_damaged_or_foreign_file_is_told_from_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_folder(folder.path());
    let file = folder.path().join("tidegate.db");
    std::fs::write(&file, vec![b'x'; 8_192]).unwrap();
    let said = fault(&config).await;
    assert!(said.contains("damaged or not a database") && said.contains("restore a backup"), "{said}");

    std::fs::remove_file(&file).unwrap();
    open(&config).await.unwrap().flush_and_close().await;
    let mut bytes = std::fs::read(&file).unwrap();
    let len = bytes.len();
    bytes[4_096..len / 2].fill(0xA5);
    std::fs::write(&file, bytes).unwrap();
    let said = fault(&config).await;
    assert!(said.contains("damaged"), "{said}");
}

#[tokio::test]
async fn damage_where_a_start_would_not_read_is_told_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_folder(folder.path());
    open(&config).await.unwrap().flush_and_close().await;
    let file = folder.path().join("tidegate.db");
    sql(&file, "CREATE TABLE filler (x BLOB); INSERT INTO filler VALUES (zeroblob(1000000))").await;
    open(&config).await.unwrap().flush_and_close().await;
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xA5);
    std::fs::write(&file, bytes).unwrap();
    let said = fault(&config).await;
    assert!(said.contains("damaged") && said.contains("tidegate restore FILE --force"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[tokio::test]
async fn newer_and_differing_schemas_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_folder(folder.path());
    let file = folder.path().join("tidegate.db");
    open(&config).await.unwrap().flush_and_close().await;
    sql(&file, "INSERT INTO migrations (version, checksum, applied) VALUES (99, 'x', 0)").await;
    let said = fault(&config).await;
    assert!(said.contains("has schema 99, this Tidegate knows 17"), "{said}");
    sql(&file, "DELETE FROM migrations WHERE version = 99; UPDATE migrations SET checksum = 'other'").await;
    let said = fault(&config).await;
    assert!(said.contains("migration 1 differs"), "{said}");
}

#[tokio::test]
async fn values_that_make_no_sense_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_folder(folder.path());
    open(&config).await.unwrap().flush_and_close().await;
    sql(&folder.path().join("tidegate.db"), "INSERT INTO plans (id, body, origin, place, updated) VALUES ('p', '{', 'api', 0, 0)").await;
    let said = fault(&config).await;
    assert!(said.contains("column body") && said.contains("can't read"), "{said}");
}

#[tokio::test]
async fn the_secret_key_must_be_the_databases() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_folder(folder.path());
    open(&config).await.unwrap().flush_and_close().await;
    let other = StoreConfig { secret_key: Some(SecretKey::from_bytes([9; 32])), ..config.clone() };
    let said = fault(&other).await;
    assert!(said.contains("restore the secret-key file"), "{said}");

    let key = folder.path().join("secret-key");
    let text = std::fs::read_to_string(&key).unwrap();
    std::fs::write(&key, "nonsense").unwrap();
    let said = fault(&config).await;
    assert!(said.contains("64 hexadecimal digits"), "{said}");
    std::fs::remove_file(&key).unwrap();
    std::fs::write(&key, format!("{}\n", text.trim().to_uppercase())).unwrap();
    open(&config).await.unwrap().flush_and_close().await;
}

#[tokio::test]
async fn places_that_cannot_be_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let occupied = folder.path().join("file");
    std::fs::write(&occupied, "").unwrap();
    let said = fault(&StoreConfig::in_folder(occupied.join("data"))).await;
    assert!(said.contains("can't be used") && said.contains("--data-dir"), "{said}");
    for database in ["mysql://x", "sqlite:", "", "postgres://localhost/tidegate"] {
        let said = fault(&StoreConfig { database: database.into(), ..StoreConfig::in_folder(folder.path()) }).await;
        assert!(said.contains("use \"sqlite\""), "{said}");
    }
    let elsewhere = folder.path().join("elsewhere.db");
    let config = StoreConfig { database: format!("sqlite://{}", elsewhere.display()), ..StoreConfig::in_folder(folder.path()) };
    open(&config).await.unwrap().flush_and_close().await;
    assert_eq!(mode(&elsewhere), 0o600);
    assert!(!folder.path().join("tidegate.db").exists());
}

#[tokio::test]
async fn a_lock_of_another_process_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { busy_timeout: std::time::Duration::from_millis(1), ..StoreConfig::in_folder(folder.path()) };
    open(&config).await.unwrap().flush_and_close().await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("tidegate.db"));
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let held = pool.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let said = fault(&config).await;
    assert!(said.contains("another process holds a lock on it"), "{said}");
    held.rollback().await.unwrap();
    open(&config).await.unwrap().flush_and_close().await;
}
