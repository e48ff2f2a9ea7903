//! The program under test as a process over a data folder: started, killed, stopped, started again. It judges nothing.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::{Answer, Call, WAIT};
use tokio::time::{Instant, sleep};

/// Of every server in here.
pub(crate) const OPERATOR_TOKEN: &str = "operator-token-of-the-tests-0123456789";

/// How it is started.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// Where the configuration and the log lie.
    pub(crate) folder: PathBuf,
    /// Where the data lies.
    pub(crate) data: PathBuf,
    /// Further environment.
    pub(crate) environment: Vec<(String, String)>,
    /// A program, with its arguments, that starts the server.
    pub(crate) through: Vec<String>,
    /// Another user and group than the tests' own.
    pub(crate) user: Option<u32>,
}

/// The program under test: another build of it, such as an optimised one, where whoever runs the tests says so.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("TIDEGATE_BIN").map_or_else(|| env!("CARGO_BIN_EXE_tidegate").into(), PathBuf::from)
}

impl Start {
    /// In this folder with this configuration.
    pub(crate) fn new(folder: &Path, config: &str) -> Self {
        std::fs::write(folder.join("tidegate.toml"), config).expect("the configuration is written");
        Self { folder: folder.into(), data: folder.join("data"), environment: Vec::new(), through: Vec::new(), user: None }
    }

    fn command(&self) -> Command {
        // Where another user may not look into the folder of the program there is a copy.
        let copy = self.folder.join("tidegate");
        let program = if copy.exists() { copy } else { program() };
        let words: Vec<OsString> = self.through.iter().map(OsString::from).chain([program.into()]).collect();
        let mut command = Command::new(&words[0]);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.args(&words[1..]).args(["serve", "--listen", "127.0.0.1:0", "--json", "--config"]);
        command.arg(self.folder.join("tidegate.toml")).arg("--data-dir").arg(&self.data);
        command.current_dir(&self.folder).env_clear().env("TIDEGATE_OPERATOR_TOKEN", OPERATOR_TOKEN);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it and waits until it serves.
    pub(crate) async fn server(&self) -> Server {
        self.try_server().await.unwrap_or_else(|said| panic!("the server does not start: {said}"))
    }

    /// The same where it may refuse; what it said then.
    pub(crate) async fn try_server(&self) -> Result<Server, String> {
        let began = Instant::now();
        let log = OpenOptions::new().create(true).append(true).open(self.log_path()).expect("a log");
        let logged = log.metadata().expect("a log").len();
        let mut command = self.command();
        let mut child = Process(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().expect("it can be started"));
        let reading = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(child.0.stdout.as_mut().expect("piped")).read_line(&mut line).map(|_| (child, line))
        });
        let (child, line) = reading.await.expect("it is read").expect("its output can be read");
        let said: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
        let Some(addr) = said["url"].as_str().and_then(|url| url.strip_prefix("http://")).and_then(|addr| addr.parse().ok()) else {
            drop(child);
            let mut log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
            return Err(log.split_off(usize::try_from(logged).unwrap_or(0)));
        };
        Ok(Server { child, addr, took: began.elapsed() })
    }

    /// The one line that a server says which may not start.
    pub(crate) async fn refusal(&self) -> String {
        let said = self.try_server().await.expect_err("it must not start");
        let line = said.lines().last().unwrap_or_default().to_owned();
        assert!(line.starts_with("tidegate: "), "{said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("tidegate: ")).count(), 1, "{said}");
        line
    }

    /// Runs another command of the program on the same data: its exit code, and what it says on both outputs.
    pub(crate) async fn run(&self, args: &[&str]) -> (i32, String) {
        let mut command = Command::new(program());
        command.args(args).arg("--data-dir").arg(&self.data).current_dir(&self.folder).env_clear().stdin(Stdio::null());
        let running = tokio::task::spawn_blocking(move || command.output().expect("it can be started"));
        let done = running.await.expect("it is waited for");
        let text = [done.stdout, done.stderr].map(|bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (done.status.code().expect("it ends by itself"), text)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Whether servers of this folder have logged this.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        std::fs::read_to_string(self.log_path()).unwrap_or_default().contains(text)
    }

    /// Ready once a server of this folder has logged this: what is logged is written a moment later.
    pub(crate) async fn until_logged(&self, text: &str) {
        for _ in 0..500 {
            if self.has_logged(text) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("never logged: {text}\n{}", self.last_words());
    }

    /// The last lines that servers of this folder have logged.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(15)).map(|line| format!("{line}\n")).collect()
    }
}

/// A child that does not outlive its test.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that serves. Dropped, it is killed as by `kill -9`.
#[derive(Debug)]
pub(crate) struct Server {
    child: Process,
    pub(crate) addr: SocketAddr,
    /// From the start to the first answer it could have given.
    pub(crate) took: Duration,
}

impl Server {
    /// One call of the operator's API, whatever becomes of it.
    pub(crate) async fn try_operator(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Answer> {
        operator(self.addr, method, path, body).await
    }

    /// One that succeeds.
    pub(crate) async fn operator(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.try_operator(method, path, body).await.unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// What `/readyz` says.
    pub(crate) async fn readiness(&self) -> (u16, Value) {
        let answer = Call::get("/readyz").send(self.addr).await;
        (answer.status, answer.json())
    }

    /// One of its metrics.
    pub(crate) async fn metric(&self, name: &str) -> i64 {
        let text = Call::get("/metrics").key(OPERATOR_TOKEN).send(self.addr).await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
        line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    /// Asks it to stop, and waits until it has; how it ended.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        kill_process(self.pid(), Signal::TERM).expect("it runs");
        tokio::task::spawn_blocking(move || self.child.0.wait().expect("it ends")).await.expect("it is waited for")
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child.0)
    }

    /// Waits until nothing is held on any limit of an organisation: everything has been settled.
    pub(crate) async fn settled(&self, org: &str) {
        until("nothing is held", async || held(&self.operator("GET", &format!("/orgs/{org}/limits"), &Value::Null).await) == 0).await;
    }
}

/// One call of the operator's API.
pub(crate) async fn operator(addr: SocketAddr, method: &str, path: &str, body: &Value) -> std::io::Result<Answer> {
    let call = Call::new(method, &format!("/api/v1{path}")).key(OPERATOR_TOKEN);
    let call = if body.is_null() { call } else { call.json(body) };
    call.try_send(addr).await
}

/// Everything that is held in an answer of `/orgs/{id}/limits`.
pub(crate) fn held(limits: &Value) -> u64 {
    let pools = limits["data"].as_array().unwrap_or_else(|| panic!("no pools in {limits}"));
    pools.iter().map(|view| view["held"].as_u64().unwrap_or_else(|| panic!("no held in {view}"))).sum()
}

/// Asks again and again, now and then, until it is so; fails after [`WAIT`].
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !is_so().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WAIT, asking).await.unwrap_or_else(|_| panic!("in {WAIT:?} it did not become so that {what}"));
}
