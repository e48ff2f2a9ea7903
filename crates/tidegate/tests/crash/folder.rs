//! A data folder that became read-only: files that are open go on, nothing is lost, a start says what it lacks.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use crate::account::{Account, start_in};
use crate::load::{on_one_thread, setting};
use crate::provider::Provider;
use crate::server::{Server, Start, program, until};

/// A user to whom nothing belongs, by most systems' convention.
const NOBODY: u32 = 65_534;

#[tokio::test]
async fn a_folder_that_became_read_only_harms_nothing_that_runs() {
    on_one_thread(read_only()).await;
}

/// Gives every file and folder a mode of these bits for its owner.
fn chmod_all(folder: &Path, of_folder: u32, of_file: u32) {
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its mode is set");
    set(folder, 0o700);
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() { chmod_all(&entry.path(), of_folder, of_file) } else { set(&entry.path(), of_file) }
    }
    set(folder, of_folder);
}

/// No mode stops root, so the server is another user where root runs the tests.
fn as_somebody(start: &mut Start) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    start.user = Some(NOBODY);
    std::fs::set_permissions(&start.folder, std::fs::Permissions::from_mode(0o755)).expect("its mode is set");
    std::fs::create_dir(&start.data).expect("a folder");
    chown(&start.data, Some(NOBODY), Some(NOBODY)).expect("root may");
    std::fs::copy(program(), start.folder.join("tidegate")).expect("a copy that anybody may run");
}

async fn read_only() {
    let (folder, provider) = (TempDir::new().unwrap(), Provider::start().await);
    let mut start = start_in(folder.path(), &provider, Duration::from_secs(60), 1);
    as_somebody(&mut start);
    let server = start.server().await;
    let mut account = Account::open(&server, "wide").await;
    account.must_ask(&server, 10).await;
    chmod_all(&start.data, 0o500, 0o400);
    account.must_ask(&server, 200).await;
    account.is_written_down(&server).await;
    assert_eq!(server.readiness().await.0, 200);
    let seconds = setting("TIDEGATE_ROTATION_SECONDS", 0);
    if seconds > 0 {
        next_file_is_told(&start, &server, &mut account, Duration::from_secs(seconds)).await;
    }
    assert_eq!(server.stop().await.code(), Some(0), "{}", start.last_words());

    let line = start.refusal().await;
    assert!(line.contains("ermission denied") && line.contains("may write to"), "{line}");
    chmod_all(&start.data, 0o700, 0o600);
    let server = start.server().await;
    account.is_written_down(&server).await;
    account.must_ask(&server, 5).await;
    account.is_written_down(&server).await;
}

/// Each minute the journal begins a file: that this can't be done is told, and it is done as soon as it can.
async fn next_file_is_told(start: &Start, server: &Server, account: &mut Account, longest: Duration) {
    for _ in 0..longest.as_secs() {
        account.must_ask(server, 2).await;
        if server.metric("tidegate_journal_rotation_failures").await > 0 {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    let (status, said) = server.readiness().await;
    assert_eq!(status, 200, "{said}");
    assert!(said["checks"]["journal"].as_str().unwrap().contains("no new file can be begun"), "{said}");
    assert!(start.has_logged("no new file of the journal can be begun"), "{}", start.last_words());
    account.must_ask(server, 20).await;
    account.is_written_down(server).await;
    chmod_all(&start.data, 0o700, 0o600);
    until("it can be begun again", async || server.readiness().await.1["checks"]["journal"] == "ok").await;
    chmod_all(&start.data, 0o500, 0o400);
}
