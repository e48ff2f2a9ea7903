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

/// A data folder from which Tidegate can be started again and again.
pub(super) struct Folder {
    program: PathBuf,
    dir: PathBuf,
    mock: SocketAddr,
}

/// What is measured most: two organisations with a key each.
pub(super) struct Prepared {
    pub(super) folder: Folder,
    /// Five limits of its pool and one of its own, all with room.
    pub(super) key: String,
    /// The same, but with room for one request a minute.
    pub(super) tight_key: String,
}

impl Prepared {
    pub(super) fn new(bench: &Bench<'_>, program: &Path) -> anyhow::Result<Self> {
        let folder = Folder::new(bench, program, "tidegate")?;
        let (key, tight_key) = folder.fill(bench, |operator| Ok((operator.org_with_key("roomy")?, operator.org_with_key("tight")?)))?;
        Ok(Self { folder, key, tight_key })
    }
}

impl Folder {
    pub(super) fn new(bench: &Bench<'_>, program: &Path, name: &str) -> anyhow::Result<Self> {
        let dir = bench.dir.join(name);
        std::fs::create_dir_all(&dir)?;
        Ok(Self { program: program.to_owned(), dir, mock: bench.mock_addr })
    }

    /// Lets `work` use the operator API of a server in this folder, and stops it in good order.
    pub(super) fn fill<T>(&self, bench: &Bench<'_>, work: impl FnOnce(Operator) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let addr = free_addr()?;
        let command = self.command(addr, |program| Placement::ANY.command(program))?;
        let mut child = Child::start("tidegate", command, &self.dir.join("fill.log"))?;
        wait_ready(bench, addr, &mut child)?;
        let made = work(Operator { addr });
        child.check()?;
        child.stop();
        made
    }

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

{}
[[plans]]
id = "roomy"
name = "Roomy"
limits = [{{ any = true, rpm = 1000000000, tpm = 1000000000000, rpd = 1000000000000, tpd = 1000000000000, concurrent = 9000 }}]

[[plans]]
id = "tight"
name = "Tight"
limits = [{{ any = true, rpm = 1, tpm = 1000000000000, rpd = 1000000000000, tpd = 1000000000000, concurrent = 9000 }}]
"#,
            four_targets(mock)
        );
        std::fs::write(self.dir.join("tidegate.toml"), text).context("writing tidegate's configuration")
    }
}

/// A model with a target at each of four providers, two before the others, of unequal weights.
fn four_targets(mock: SocketAddr) -> String {
    let provider =
        |n| format!("[[providers]]\nname = \"mock-{n}\"\nkind = \"openai\"\nbase_url = \"http://{mock}/v1\"\napi_key = \"sk-upstream\"\n");
    let target = |n| format!("{{ provider = \"mock-{n}\", priority = {}, weight = {} }}", n / 2, n + 1);
    let targets: Vec<_> = (0..4).map(target).collect();
    let providers: String = (0..4).map(provider).collect();
    format!("{providers}[[models]]\nid = \"gpt-4o-four\"\ncategory = \"small\"\ntargets = [{}]\n", targets.join(", "))
}

/// The operator API of a running server.
#[derive(Clone, Copy)]
pub(super) struct Operator {
    addr: SocketAddr,
}

impl Operator {
    /// A new organisation's id.
    pub(super) fn org(self, plan: &str) -> anyhow::Result<String> {
        let org = http::create(self.addr, "/api/v1/orgs", OPERATOR_TOKEN, &json!({"name": plan, "plan": plan}))?;
        Ok(org["id"].as_str().context("the new organisation has no id")?.to_owned())
    }

    /// A new key of an organisation, with a limit of its own.
    pub(super) fn key(self, org: &str) -> anyhow::Result<String> {
        let key = json!({"name": "bench", "rpm": 1_000_000_000_u64});
        let key = http::create(self.addr, &format!("/api/v1/orgs/{org}/keys"), OPERATOR_TOKEN, &key)?;
        Ok(key["key"].as_str().context("the new key has no key")?.to_owned())
    }

    fn org_with_key(self, plan: &str) -> anyhow::Result<String> {
        self.key(&self.org(plan)?)
    }
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
