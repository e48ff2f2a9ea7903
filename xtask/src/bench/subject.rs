//! Who is measured and how each is started: the bare mock, nginx, the floor, Tidegate. It knows nothing of the runs.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::build::Binaries;
use super::child::{self, Child, Interrupt, Placement};
use super::http;
use super::options::Options;
use super::tidegate::{Folder, Prepared};

/// The longest wait for a server's first answer.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The longest that the pure computing is measured.
const COMPUTING_LIMIT: Duration = Duration::from_secs(120);
/// The key that nginx and the floor know.
const KEY: &str = "sk-test";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// The mock without anything before it: what latencies are added to.
    Direct,
    Nginx,
    Floor,
    Tidegate,
}

impl Subject {
    pub(super) const ALL: [Self; 4] = [Self::Direct, Self::Nginx, Self::Floor, Self::Tidegate];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Floor => "floor",
            Self::Tidegate => "tidegate",
        }
    }
}

/// What all runs share: the programs, the cores, the folder, and the mock, which runs as long as this lives.
pub(super) struct Bench<'a> {
    pub(super) options: &'a Options,
    pub(super) binaries: &'a Binaries,
    pub(super) interrupt: &'a Interrupt,
    pub(super) dir: &'a Path,
    /// Where the gateway runs.
    pub(super) gateway: Placement,
    /// Where the mock and the load client run.
    pub(super) others: Placement,
    /// Where callgrind leaves its files, if the gateways run under it.
    pub(super) callgrind: Option<PathBuf>,
    pub(super) mock_addr: SocketAddr,
    mock: Child,
    tidegate: Option<Prepared>,
}

/// A gateway that has answered its first request.
pub(super) struct Running {
    pub(super) subject: Subject,
    pub(super) addr: SocketAddr,
    pub(super) key: String,
    /// A key whose pool is exhausted after one request, if the gateway has such a thing.
    pub(super) tight_key: Option<String>,
    /// From the start of the process to the end of its first answer with 200, in milliseconds.
    pub(super) start_ms: f64,
    /// Absent for the bare mock.
    child: Option<Child>,
    mock_pid: u32,
}

impl Running {
    /// The process whose CPU and memory count.
    pub(super) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(self.mock_pid, Child::pid)
    }

    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        self.child.as_mut().map_or(Ok(()), Child::check)
    }
}

impl<'a> Bench<'a> {
    /// Starts the mock and, if Tidegate is measured, prepares its data folder.
    pub(super) fn new(options: &'a Options, binaries: &'a Binaries, interrupt: &'a Interrupt, dir: &'a Path) -> anyhow::Result<Self> {
        let (gateway, others) = placements();
        let mock_addr = free_addr()?;
        let mut command = others.command(&binaries.mock);
        command.env("MOCK_ADDR", mock_addr.to_string());
        let mock = Child::start("the mock", command, &dir.join("mock.log"))?;
        let mut bench = Self { options, binaries, interrupt, dir, gateway, others, callgrind: None, mock_addr, mock, tidegate: None };
        bench.first_answer(Instant::now(), mock_addr, KEY, None)?;
        if let Some(program) = &binaries.tidegate {
            bench.tidegate = Some(Prepared::new(&bench, program)?);
        }
        Ok(bench)
    }

    /// Those that are measured, in the order in which they take turns.
    pub(super) fn subjects(&self) -> Vec<Subject> {
        let wanted = |subject: &Subject| match subject {
            Subject::Direct => true,
            Subject::Nginx => self.binaries.nginx.is_some(),
            Subject::Floor => self.options.floor,
            Subject::Tidegate => self.tidegate.is_some(),
        };
        Subject::ALL.into_iter().filter(wanted).collect()
    }

    /// Starts one of them afresh and waits for its first answer.
    pub(super) fn start(&self, subject: Subject) -> anyhow::Result<Running> {
        let addr = free_addr()?;
        match subject {
            Subject::Direct => Ok(Running {
                subject,
                addr: self.mock_addr,
                key: KEY.to_owned(),
                tight_key: None,
                start_ms: 0.0,
                child: None,
                mock_pid: self.mock.pid(),
            }),
            Subject::Nginx => self.launch(subject, self.nginx(addr)?, addr, KEY),
            Subject::Floor => {
                let mut command = self.command(&self.binaries.floor);
                command.env("FLOOR_ADDR", addr.to_string()).env("FLOOR_UPSTREAM", format!("http://{}", self.mock_addr));
                self.launch(subject, command, addr, KEY)
            }
            Subject::Tidegate => {
                let prepared = self.tidegate.as_ref().context("tidegate was not prepared")?;
                let running = self.start_in(&prepared.folder, &prepared.key)?;
                Ok(Running { tight_key: Some(prepared.tight_key.clone()), ..running })
            }
        }
    }

    /// Starts Tidegate in this folder; `key` must be one that it finds there.
    pub(super) fn start_in(&self, folder: &Folder, key: &str) -> anyhow::Result<Running> {
        let addr = free_addr()?;
        self.launch(Subject::Tidegate, folder.command(addr, |program| self.command(program))?, addr, key)
    }

    fn launch(&self, subject: Subject, command: Command, addr: SocketAddr, key: &str) -> anyhow::Result<Running> {
        let from = Instant::now();
        let mut child = Child::start(subject.name(), command, &self.dir.join(format!("{}.log", subject.name())))?;
        let start_ms = self.first_answer(from, addr, key, Some(&mut child))?;
        let key = key.to_owned();
        Ok(Running { subject, addr, key, tight_key: None, start_ms, child: Some(child), mock_pid: self.mock.pid() })
    }

    /// Waits for the first 200 and returns the time since `from`, in milliseconds.
    pub(super) fn first_answer(&self, from: Instant, addr: SocketAddr, key: &str, mut child: Option<&mut Child>) -> anyhow::Result<f64> {
        let body = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}"#;
        loop {
            let answer = http::call(addr, "POST", "/v1/chat/completions", key, body);
            if matches!(answer, Ok((200, _))) {
                return Ok(from.elapsed().as_secs_f64() * 1e3);
            }
            self.interrupt.check()?;
            if let Some(child) = &mut child {
                child.check()?;
            }
            if from.elapsed() > START_LIMIT {
                let said = child.map(|child| child.output()).unwrap_or_default();
                bail!("no answer with 200 within {} s; the last: {answer:?}\n{said}", START_LIMIT.as_secs());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Runs the load client once and returns its line.
    pub(super) fn load(&self, args: &[String], limit: Duration) -> anyhow::Result<Value> {
        let mut command = self.others.command(&self.binaries.load);
        command.args(args);
        let line = child::output("gwload", command, limit, &self.dir.join("load.log"), self.interrupt)?;
        serde_json::from_str(&line).with_context(|| format!("gwload printed what is not JSON: {line}"))
    }

    /// What the pure computing costs, unless it is not wanted.
    pub(super) fn computing(&self) -> anyhow::Result<Option<Value>> {
        let Some(program) = &self.binaries.micro else { return Ok(None) };
        let line = child::output("micro", self.gateway.command(program), COMPUTING_LIMIT, &self.dir.join("micro.log"), self.interrupt)?;
        Ok(Some(serde_json::from_str(&line).with_context(|| format!("micro printed what is not JSON: {line}"))?))
    }

    /// A gateway's program, to be run where gateways run.
    fn command(&self, program: &Path) -> Command {
        let Some(out) = &self.callgrind else { return self.gateway.command(program) };
        let mut command = self.gateway.command(Path::new("valgrind"));
        command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display())).arg(program);
        command
    }

    fn nginx(&self, addr: SocketAddr) -> anyhow::Result<Command> {
        let program = self.binaries.nginx.as_ref().context("nginx is not to be measured")?;
        let template = std::fs::read_to_string(super::root().join("benches/nginx.conf")).context("reading benches/nginx.conf")?;
        let text = template.replace("{{KEY}}", KEY).replace("{{MOCK}}", &self.mock_addr.to_string());
        let text = text.replace("{{LISTEN}}", &addr.to_string());
        let prefix: PathBuf = self.dir.join("nginx");
        std::fs::create_dir_all(&prefix)?;
        std::fs::write(prefix.join("nginx.conf"), text)?;
        let mut command = self.command(program);
        command.arg("-p").arg(&prefix).args(["-e", "stderr", "-c", "nginx.conf"]);
        Ok(command)
    }
}

/// The gateway has the first core to itself, the mock and the load client share the second.
fn placements() -> (Placement, Placement) {
    let real_time = Placement::real_time_permitted();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let on = |core| Placement { core: (cores > 1).then_some(core), real_time };
    (on(0), on(1))
}

/// A loopback address that nobody listens on.
pub(super) fn free_addr() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").context("looking for a free port")?.local_addr()?)
}
