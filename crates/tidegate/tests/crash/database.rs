//! A database that another process locks, or whose file is ruined: requests are served as far as is safe, the operator is told,
//! usage catches up.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use crate::account::{Account, start_in};
use crate::load::{on_one_thread, setting};
use crate::provider::Provider;
use crate::server::{Server, Start, until};

const WINDOW: Duration = Duration::from_secs(60);

async fn connect(start: &Start) -> SqliteConnection {
    SqliteConnectOptions::new().filename(start.data.join("tidegate.db")).connect().await.unwrap()
}

async fn lock(start: &Start) -> SqliteConnection {
    let mut other = connect(start).await;
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    other
}

async fn unlock(mut other: SqliteConnection) {
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_database_that_another_process_locks_delays_usage_and_nothing_else() {
    on_one_thread(locked()).await;
}

async fn locked() {
    let (folder, provider) = (TempDir::new().unwrap(), Provider::start().await);
    let start = start_in(folder.path(), &provider, WINDOW, 1);
    let server = start.server().await;
    let mut account = Account::open(&server, "wide").await;
    account.must_ask(&server, 10).await;
    account.is_written_down(&server).await;

    let other = lock(&start).await;
    account.must_ask(&server, 60).await;
    until("it is told", async || server.metric("tidegate_store_failed_attempts").await > 0).await;
    let (status, said) = server.readiness().await;
    assert_eq!((status, said["checks"]["journal"].as_str()), (200, Some("ok")));
    assert!(said["checks"]["store"].as_str().unwrap().contains("another process holds a lock"), "{said}");
    assert_eq!((server.metric("tidegate_records_queued").await, server.metric("tidegate_ready").await), (60, 1));
    assert!(start.has_logged("records can't be written to the database; they wait in the journal"), "{}", start.last_words());
    // What can't be kept is refused, and what is there can be read.
    let refused = server.try_operator("POST", &format!("/orgs/{}/keys", account.org), &json!({"name": "k"})).await.unwrap();
    assert!(refused.status == 503 && refused.text().contains("holds a lock"), "{} {}", refused.status, refused.text());
    assert_eq!(account.counted(&server).await.requests, 10);
    account.must_ask(&server, 40).await;
    unlock(other).await;
    account.is_written_down(&server).await;
    assert_eq!(server.readiness().await.1["checks"]["store"], "ok");

    // Killed with records that only the journal has; a start says what is in its way.
    let other = lock(&start).await;
    account.must_ask(&server, 30).await;
    kill_process(server.pid(), Signal::KILL).unwrap();
    drop(server);
    let line = start.refusal().await;
    assert!(line.contains("another process holds a lock on it: end that"), "{line}");
    unlock(other).await;
    let server = start.server().await;
    account.is_written_down(&server).await;
    if setting("TIDEGATE_STOP_LOCKED", 0) > 0 {
        stop_while_locked(&start, server, account).await;
    }
}

/// A stop waits for the database, but not for ever; what is not in it then is there after the next start.
async fn stop_while_locked(start: &Start, server: Server, mut account: Account) {
    let other = lock(start).await;
    account.must_ask(&server, 30).await;
    assert_eq!(server.stop().await.code(), Some(0));
    assert!(start.has_logged("they wait in the journal for the next start"), "{}", start.last_words());
    unlock(other).await;
    let server = start.server().await;
    account.is_written_down(&server).await;
}

/// Writes nonsense over the middle third of a file.
fn ruin(file: &Path) {
    let file = OpenOptions::new().write(true).open(file).unwrap();
    let len = file.metadata().unwrap().len();
    let third = usize::try_from(len / 3).unwrap();
    file.write_all_at(&vec![0xA5; third], len / 3).unwrap();
}

#[tokio::test]
async fn a_ruined_database_is_told_before_anything_is_served() {
    on_one_thread(ruined()).await;
}

async fn ruined() {
    let (folder, provider) = (TempDir::new().unwrap(), Provider::start().await);
    let start = start_in(folder.path(), &provider, WINDOW, 1);
    let server = start.server().await;
    let mut account = Account::open(&server, "wide").await;
    account.must_ask(&server, 400).await;
    account.is_written_down(&server).await;
    let backup = folder.path().join("kept");
    assert_eq!(start.run(&["backup", backup.to_str().unwrap()]).await.0, 0);
    assert_eq!(server.stop().await.code(), Some(0));

    let database = start.data.join("tidegate.db");
    ruin(&database);
    let line = start.refusal().await;
    assert!(line.contains("tidegate.db is damaged") && line.contains("tidegate restore FILE --force"), "{line}");
    // Which is what helps.
    let (code, said) = start.run(&["restore", backup.to_str().unwrap(), "--force"]).await;
    assert_eq!(code, 0, "{said}");
    let server = start.server().await;
    account.must_ask(&server, 5).await;
    account.is_written_down(&server).await;
}

#[tokio::test]
async fn damage_in_a_large_database_is_told_while_it_serves() {
    on_one_thread(large_and_ruined()).await;
}

async fn large_and_ruined() {
    let (folder, provider) = (TempDir::new().unwrap(), Provider::start().await);
    let start = start_in(folder.path(), &provider, WINDOW, 1);
    assert_eq!(start.server().await.stop().await.code(), Some(0));
    let mut other = connect(&start).await;
    sqlx::raw_sql("CREATE TABLE filler (x BLOB); INSERT INTO filler VALUES (zeroblob(20000000))").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    ruin(&start.data.join("tidegate.db"));

    let server = start.server().await;
    let mut account = Account::open(&server, "wide").await;
    until("it is told", async || server.metric("tidegate_store_sound").await == 0).await;
    let (status, said) = server.readiness().await;
    assert!(said["checks"]["store"].as_str().unwrap().contains("the database is damaged (table filler: "), "{said}");
    assert!(start.has_logged("the database is damaged: stop the server and restore a backup"), "{}", start.last_words());
    account.must_ask(&server, 20).await;
    account.is_written_down(&server).await;
    assert_eq!(status, 200);
}
