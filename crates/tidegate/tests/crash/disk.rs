//! A file system that is full: what has room goes on, then new requests are refused, what is open ends; all is told, and all goes on by
//! itself once there is room. Killed meanwhile it loses nothing.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use crate::account::{Account, call, start_in};
use crate::load::on_one_thread;
use crate::provider::{Errand, Provider, Way};
use crate::server::{Server, until};
use crate::tell;

/// So much that the files of a new server fit and its journal can't have all the room that it would like to keep.
const LEFT: u64 = 3 << 20;
const SIZE: u64 = 16 << 20;

/// A small file system in memory, for as long as this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `Err`: why there is none.
    fn mount(at: &Path) -> Result<Self, String> {
        std::fs::create_dir(at).expect("a folder");
        let size = format!("size={SIZE},mode=700");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output().map_err(|e| e.to_string())?;
        if done.status.success() { Ok(Self(at.into())) } else { Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()) }
    }

    /// Leaves no more than so many bytes.
    fn fill(&self, name: &str, left: u64) {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.0.join(name)).expect("a file");
        for step in [64 << 10, 4 << 10] {
            while self.free() >= left + step && ballast.write_all(&vec![1; usize::try_from(step).expect("small")]).is_ok() {}
        }
    }

    fn free(&self) -> u64 {
        let found = rustix::fs::statvfs(&self.0).expect("a file system");
        found.f_bavail * found.f_frsize
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.0.join(name)).expect("a file");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has files open keeps them until then.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_stops_new_requests_and_loses_none() {
    on_one_thread(full_disk()).await;
}

async fn full_disk() {
    let (folder, provider) = (TempDir::new().unwrap(), Provider::start().await);
    let disk = match SmallDisk::mount(&folder.path().join("small")) {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!("skipped: a small file system can't be mounted here ({why})");
            return;
        }
    };
    disk.fill("ballast", LEFT);
    let mut start = start_in(folder.path(), &provider, Duration::from_secs(60), 1);
    start.data = disk.0.join("data");
    let server = start.server().await;
    let mut account = Account::open(&server, "wide").await;
    account.must_ask(&server, 20).await;
    account.is_written_down(&server).await;

    // A stream that has begun ends as it should, whatever the disk.
    let errand = Errand { id: 2, input: 9, words: 6, stride: 1, way: Way::Gated };
    let mut open = call(&account.key, &errand, true).open(server.addr).await;
    assert!(open.next().await.unwrap().is_some());
    let served = ask_until_refused(&disk, &mut account, &server).await;
    let (status, said) = server.readiness().await;
    assert_eq!(status, 503, "{said}");
    assert!(said["checks"]["journal"].as_str().unwrap().contains("make room on its disk"), "{said}");
    assert_eq!((server.metric("tidegate_journal_admits").await, server.metric("tidegate_ready").await), (0, 0));
    start.until_logged("the journal's disk is full: new requests get 503").await;
    provider.open_all();
    let rest = open.rest().await.unwrap();
    assert_eq!(rest.last().unwrap().data(), "[DONE]");
    account.add(1, 9, 6);

    disk.remove("more");
    until("it is ready again", async || server.readiness().await.0 == 200).await;
    account.must_ask(&server, 20).await;
    account.is_written_down(&server).await;
    server.operator("POST", &format!("/orgs/{}/keys", account.org), &json!({"name": "after"})).await;
    let (status, said) = server.readiness().await;
    assert_eq!((status, said["checks"]["journal"].as_str(), said["checks"]["store"].as_str()), (200, Some("ok"), Some("ok")));

    // Once more, and killed while it is full: it starts in the room that was kept for its journal, and with more everything is there.
    let again = ask_until_refused(&disk, &mut account, &server).await;
    kill_process(server.pid(), Signal::KILL).unwrap();
    drop(server);
    let server = start.server().await;
    disk.fill("more", 0);
    let (_, refused) = account.ask(&server, 8).await;
    assert!(refused.is_none_or(|(status, _)| status == 503));
    // A server that has nothing yet can't begin.
    start.data = disk.0.join("other");
    let line = start.refusal().await;
    assert!(line.contains("its disk"), "{line}");
    ["more", "ballast"].iter().for_each(|name| disk.remove(name));
    until("it is ready again", async || server.readiness().await.0 == 200).await;
    account.must_ask(&server, 5).await;
    account.is_written_down(&server).await;
    tell(&format!("{served} and {again} requests were served after the disk was full; refused to start with: {line}"));
    assert!(served > 100 && again > 100, "what has room goes on");
}

/// Fills the disk and asks until that is no longer served; how many were.
async fn ask_until_refused(disk: &SmallDisk, account: &mut Account, server: &Server) -> u64 {
    disk.fill("more", 0);
    let mut served = 0;
    for _ in 0..200 {
        let (answered, refused) = account.ask(server, 80).await;
        served += answered;
        if let Some((status, text)) = refused {
            assert!(status == 503 && text.contains("unavailable"), "{status} {text}");
            // The same for everybody until there is room.
            assert_eq!(account.ask(server, 8).await.0, 0);
            assert!(File::create(disk.0.join("probe")).and_then(|mut file| file.write_all(&[0; 8_192])).is_err(), "the disk is full");
            std::fs::remove_file(disk.0.join("probe")).unwrap();
            return served;
        }
    }
    panic!("{served} requests were served on a full disk");
}
