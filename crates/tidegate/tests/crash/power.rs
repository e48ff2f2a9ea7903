//! A loss of power, as far as a program can be shown one: killed, another boot id, and the end of its journal torn, filled with nonsense
//! or gone. Limits then count as full for a window, also to whoever asks how they stand; what was written down stays.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use testkit::Call;
use tokio::time::{Instant, sleep_until};

use crate::account::{Account, start_in};
use crate::load::on_one_thread;
use crate::provider::Provider;
use crate::server::{Server, Start};

const WINDOW: Duration = Duration::from_secs(3);
/// Requests of a window.
const LIMIT: u64 = 50;
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Starts the server with another boot id, which a mount of its own puts in the place of the machine's.
fn boot(start: &mut Start, id: u32) {
    let file = start.folder.join("boot-id");
    std::fs::write(&file, format!("{id:08x}-0000-4000-8000-000000000000\n")).expect("a file");
    let script = format!("mount --bind '{}' {BOOT_ID} && exec \"$@\"", file.display());
    start.through = ["unshare", "--mount", "--", "sh", "-c", &script, "sh"].map(str::to_owned).into();
}

/// Whether this machine lets its boot id be replaced for a process.
fn can_boot(start: &Start) -> bool {
    let words = &start.through;
    Command::new(&words[0]).args(&words[1..]).arg("true").output().is_ok_and(|done| done.status.success())
}

/// What became of the journal's newest file.
#[derive(Clone, Copy, Debug)]
enum Harm {
    /// It ends in the middle of a record.
    Torn,
    /// It ends in what was never written.
    Nonsense,
    /// There is no journal.
    Gone,
}

fn newest(start: &Start) -> PathBuf {
    let entries = std::fs::read_dir(start.data.join("journal")).expect("a folder").flatten();
    entries.map(|entry| entry.path()).max().expect("a file")
}

fn harm(start: &Start, harm: Harm) {
    let file = newest(start);
    let mut bytes = std::fs::read(&file).expect("it can be read");
    match harm {
        Harm::Torn => bytes.truncate(bytes.len() - 3),
        Harm::Nonsense => bytes.extend_from_slice(&[0xA5; 5_000]),
        Harm::Gone => {
            std::fs::remove_dir_all(start.data.join("journal")).expect("it can be removed");
            return;
        }
    }
    std::fs::write(&file, bytes).expect("it can be written");
}

#[tokio::test]
async fn after_a_loss_of_power_limits_count_as_full_for_a_window_and_usage_is_kept() {
    on_one_thread(lose_power()).await;
}

async fn lose_power() {
    let (folder, provider) = (TempDir::new().unwrap(), Provider::start().await);
    let mut start = start_in(folder.path(), &provider, WINDOW, LIMIT);
    boot(&mut start, 0);
    if !can_boot(&start) {
        eprintln!("skipped: the boot id can't be replaced for one process here (unshare and mount need root)");
        return;
    }
    let mut server = start.server().await;
    let mut account = Account::open(&server, "narrow").await;
    for (id, what) in [(1, Harm::Torn), (2, Harm::Nonsense), (3, Harm::Gone)] {
        account.must_ask(&server, 3).await;
        account.is_written_down(&server).await;
        kill_process(server.pid(), Signal::KILL).unwrap();
        drop(server);
        harm(&start, what);
        // In the same boot nothing is missing but what was being written when it ended.
        if !matches!(what, Harm::Gone) {
            server = start.server().await;
            account.must_ask(&server, 1).await;
            account.is_written_down(&server).await;
            kill_process(server.pid(), Signal::KILL).unwrap();
            drop(server);
            harm(&start, what);
        }
        boot(&mut start, id);
        server = start.server().await;
        let opens = is_full(&server, &mut account).await;
        assert!(start.has_logged("the end of the journal may be missing"), "{what:?}: {}", start.last_words());
        sleep_until(opens).await;
        account.must_ask(&server, 1).await;
        account.is_written_down(&server).await;
    }
    assert!(start.has_logged("the journal's files are gone"), "{}", start.last_words());
    // An orderly stop leaves nothing unknown.
    assert_eq!(server.stop().await.code(), Some(0));
    boot(&mut start, 9);
    let server = start.server().await;
    account.must_ask(&server, 1).await;
    account.is_written_down(&server).await;
}

/// The pool is full, says so, and says until when; returns that.
async fn is_full(server: &Server, account: &mut Account) -> Instant {
    let limits = server.operator("GET", &format!("/orgs/{}/limits", account.org), &Value::Null).await;
    let views = limits["data"].as_array().unwrap();
    let view = views.iter().find(|view| view["kind"] == "requests").unwrap();
    assert_eq!((view["used"].as_u64(), view["remaining"].as_u64()), (Some(LIMIT), Some(0)), "{view}");
    assert!(view["resets_at"].is_string(), "{view}");
    let own = Call::get("/v1/limits").key(&account.key).send(server.addr).await;
    assert!(own.text().contains("\"remaining\":0"), "{}", own.text());
    let (answered, refused) = account.ask(server, 1).await;
    assert_eq!((answered, refused.as_ref().map(|(status, _)| *status)), (0, Some(429)));
    let refusal: Value = serde_json::from_str(&refused.unwrap().1).unwrap();
    let wait = Duration::from_millis(refusal["retry_after_ms"].as_u64().unwrap());
    assert!(wait <= WINDOW, "{refusal}");
    Instant::now() + wait
}
