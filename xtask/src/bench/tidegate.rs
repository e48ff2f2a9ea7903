//! Tidegate as it is measured: all features on, six limits checked on each request. It uses the operator API alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::json;

use super::child::{Child, Placement};
use super::http;
use super::subject::{Bench, free_addr};

/// The operator token of the servers that are measured: they listen on loopback and hold nothing.
const OPERATOR_TOKEN: &str = "bench-operator-token-of-a-server-that-holds-nothing";
/// The longest wait for the server to be ready.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// A data folder with an organisation and its keys, from which Tidegate can be started again and again.
pub(super) struct Prepared {
    program: PathBuf,
    dir: PathBuf,
    mock: SocketAddr,
    /// Five limits of its pool and one of its own, all with room.
    pub(super) key: String,
    /// The same, but with room for one request a minute.
    pub(super) tight_key: String,
}

pub(super) fn prepare(bench: &Bench<'_>, program: &Path, mock: SocketAddr) -> anyhow::Result<Prepared> {
    let dir = bench.dir.join("tidegate");
    std::fs::create_dir_all(&dir)?;
    let mut prepared = Prepared { program: program.to_owned(), dir, mock, key: String::new(), tight_key: String::new() };
    let addr = free_addr()?;
    let command = prepared.command(addr, |program| Placement::ANY.command(program))?;
    let mut child = Child::start("tidegate", command, &bench.dir.join("tidegate-setup.log"))?;
    wait_ready(bench, addr, &mut child)?;
    prepared.key = create_key(addr, "roomy")?;
    prepared.tight_key = create_key(addr, "tight")?;
    child.stop();
    Ok(prepared)
}

impl Prepared {
    /// How to start it on `addr`; `run` says how a program is run.
    pub(super) fn command(&self, addr: SocketAddr, run: impl FnOnce(&Path) -> Command) -> anyhow::Result<Command> {
        self.configure(addr)?;
        let mut command = run(&self.program);
        command.arg("serve").arg("--config").arg(self.dir.join("tidegate.toml")).env("TIDEGATE_OPERATOR_TOKEN", OPERATOR_TOKEN);
        Ok(command)
    }

    fn configure(&self, addr: SocketAddr) -> anyhow::Result<()> {
        let data_dir = self.dir.join("data");
        let mock = self.mock;
        let text = format!(
            r#"[server]
listen = "{addr}"
data_dir = {data_dir:?}

[[providers]]
name = "mock"
kind = "openai"
base_url = "http://{mock}/v1"
api_key = "sk-upstream"

[[models]]
id = "gpt-4o-mini"
category = "small"
targets = [{{ provider = "mock", model = "gpt-4o-mini" }}]

[[plans]]
id = "roomy"
name = "Roomy"
limits = [{{ any = true, rpm = 1000000000, tpm = 1000000000000, rpd = 1000000000000, tpd = 1000000000000, concurrent = 9000 }}]

[[plans]]
id = "tight"
name = "Tight"
limits = [{{ any = true, rpm = 1, tpm = 1000000000000, rpd = 1000000000000, tpd = 1000000000000, concurrent = 9000 }}]
"#
        );
        std::fs::write(self.dir.join("tidegate.toml"), text).context("writing tidegate's configuration")
    }
}

/// An organisation on `plan` with a key that has a limit of its own. Returns the key.
fn create_key(addr: SocketAddr, plan: &str) -> anyhow::Result<String> {
    let org = http::create(addr, "/api/v1/orgs", OPERATOR_TOKEN, &json!({"name": plan, "plan": plan}))?;
    let id = org["id"].as_str().context("the new organisation has no id")?;
    let key = json!({"name": "bench", "rpm": 1_000_000_000_u64});
    let key = http::create(addr, &format!("/api/v1/orgs/{id}/keys"), OPERATOR_TOKEN, &key)?;
    Ok(key["key"].as_str().context("the new key has no key")?.to_owned())
}

fn wait_ready(bench: &Bench<'_>, addr: SocketAddr, child: &mut Child) -> anyhow::Result<()> {
    let end = Instant::now() + READY_LIMIT;
    loop {
        let answer = http::call(addr, "GET", "/readyz", "", "");
        if matches!(answer, Ok((200, _))) {
            return Ok(());
        }
        bench.interrupt.check()?;
        child.check()?;
        if Instant::now() > end {
            bail!("tidegate is not ready after {} s: {answer:?}\n{}", READY_LIMIT.as_secs(), child.output());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
