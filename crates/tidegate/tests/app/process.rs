//! The binary as a process: exit codes, what it prints where, and signals.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn tidegate(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(args).current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn run(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = tidegate(folder, args).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A server on a free port, ready to serve, with the first line it printed as JSON.
pub(crate) fn serve(folder: &Path, further: &[&str]) -> (Process, Value) {
    let args = [&["serve", "--listen", "127.0.0.1:0", "--json"], further].concat();
    let mut command = tidegate(folder, &args);
    let mut child = Process(command.env("TIDEGATE_LOG__FILTER", "trace").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

/// A child that does not outlive its test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended by itself, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn exit_codes_are_0_and_1_and_2() {
    let folder = TempDir::new().unwrap();
    assert_eq!(run(folder.path(), &["--help"]).0, 0);
    assert_eq!(run(folder.path(), &["--version"]).0, 0);
    for usage in [&["nonsense"][..], &["org", "create"], &["check", "--listen", ":1"], &["--listen", "x"], &["explain"]] {
        let (code, out, err) = run(folder.path(), usage);
        assert_eq!((code, out.as_str()), (2, ""), "{usage:?}");
        assert!(!err.is_empty());
    }
    let (code, _, err) = run(folder.path(), &["org", "list"]);
    assert_eq!(code, 1);
    assert!(err.starts_with("tidegate: ") && err.trim_end().lines().count() == 1, "{err}");
}

#[test]
fn check_tells_every_fault_with_its_line() {
    let folder = TempDir::new().unwrap();
    assert_eq!(run(folder.path(), &["check"]).0, 0);
    std::fs::write(folder.path().join("tidegate.toml"), "[server]\nlistne = 1\nlisten = 2\n[nowhere]\n").unwrap();
    let (code, out, _) = run(folder.path(), &["check"]);
    assert_eq!(code, 1);
    let lines: Vec<_> = out.lines().map(|l| l.split(": ").next().unwrap()).collect();
    assert_eq!(lines, ["tidegate.toml:2:1", "tidegate.toml:3:10", "tidegate.toml:4:2", "tidegate.toml"], "{out}");
    let (code, out, _) = run(folder.path(), &["check", "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["ok"], told["faults"][0]["line"].as_u64()), (1, &Value::Bool(false), Some(2)));
    let (code, _, err) = run(folder.path(), &["serve"]);
    assert_eq!(code, 1);
    assert_eq!(err.lines().filter(|l| l.contains("tidegate.toml:")).count(), 3, "{err}");
    assert!(!folder.path().join("tidegate-data").exists(), "a faulty configuration leaves no trace");
    let (code, _, err) = run(folder.path(), &["check", "--config", "missing.toml"]);
    assert_eq!(code, 1);
    assert!(err.contains("missing.toml") && err.trim_end().lines().count() == 1, "{err}");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tidegate.example.toml");
    assert_eq!(run(folder.path(), &["check", "--config", example]).0, 0);
}

#[test]
fn a_server_serves_keeps_secrets_from_pipes_and_stops_on_a_signal() {
    let folder = TempDir::new().unwrap();
    let (mut child, said) = serve(folder.path(), &["--data-dir", "data"]);
    let key_file = folder.path().join(said["demo_key_file"].as_str().unwrap());
    let curl = std::fs::read_to_string(key_file).unwrap();
    let key = curl.split("Bearer ").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let called = Command::new("sh").arg(folder.path().join("data/demo-key")).output().unwrap();
    let answer = String::from_utf8(called.stdout).unwrap();
    assert!(answer.contains("chat.completion"), "the curl line works as it is: {answer} {:?}", String::from_utf8(called.stderr));
    let token = std::fs::read_to_string(folder.path().join(said["operator_token_file"].as_str().unwrap())).unwrap();
    let link = std::fs::read_to_string(folder.path().join(said["setup_link_file"].as_str().unwrap())).unwrap();
    let setup_token = link.trim().split_once("/setup#token=").unwrap().1;
    let (code, out, err) = run(folder.path(), &["org", "create", "acme", "--plan", "starter", "--data-dir", "data"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("acme"));

    let (code, _, second) = run(folder.path(), &["serve", "--listen", said["url"].as_str().unwrap().strip_prefix("http://").unwrap()]);
    assert_eq!(code, 1);
    let last = second.trim_end().lines().last().unwrap();
    assert!(last.starts_with("tidegate: ") && last.contains("is taken"), "{second}");
    assert_eq!(last.matches("os error").count(), 0, "said once, in words: {last}");

    signal(&child.0, rustix::process::Signal::TERM);
    let mut logs = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut logs).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0), "{logs}");
    assert!(logs.contains("tidegate::access") && logs.contains("/v1/chat/completions"), "{logs}");
    for secret in [key.as_str(), token.trim(), "Hello!"] {
        assert!(!logs.contains(secret), "{secret}: {logs}");
    }
    assert!(!said.to_string().contains(&key) && !said.to_string().contains(token.trim()));
    assert!(!said.to_string().contains(setup_token) && !logs.contains(setup_token), "{said} {logs}");
    for line in logs.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
    }
}

#[test]
fn the_environment_configures_the_server_too() {
    let folder = TempDir::new().unwrap();
    let mut command = tidegate(folder.path(), &["check"]);
    let output = command.env("TIDEGATE_SERVER__LISTNE", "x").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("TIDEGATE_SERVER__LISTEN?"));
}

/// A pseudo terminal: its end for the test, and the other for the process.
fn terminal() -> (File, File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    (File::from(ours), OpenOptions::new().read(true).write(true).open(name).unwrap())
}

#[test]
fn on_a_terminal_the_first_run_prints_a_curl_line_that_works() {
    let folder = TempDir::new().unwrap();
    let (ours, theirs) = terminal();
    let mut command = tidegate(folder.path(), &["--listen", "127.0.0.1:0"]);
    let mut child = Process(command.stdout(theirs.try_clone().unwrap()).stderr(theirs).spawn().unwrap());
    drop(command);
    let mut said = String::new();
    let mut lines = BufReader::new(ours).lines();
    let curl = loop {
        let line = lines.next().unwrap().unwrap();
        said.push_str(&format!("{line}\n"));
        if line.starts_with("curl ") {
            break line;
        }
    };
    assert!(
        said.contains("Operator token  in ./tidegate-data/operator-token") && said.contains("/setup#token=") && said.contains("simulated"),
        "{said}"
    );
    let called = Command::new("sh").args(["-c", curl.trim()]).output().unwrap();
    assert!(String::from_utf8(called.stdout).unwrap().contains("chat.completion"));
    signal(&child.0, rustix::process::Signal::INT);
    // The terminal reads until the process has closed it.
    while let Some(Ok(line)) = lines.next() {
        said.push_str(&line);
    }
    assert!(said.contains(" INFO ") && !said.contains("\"level\""), "logs are for people on a terminal: {said}");
    let token = std::fs::read_to_string(folder.path().join("tidegate-data/operator-token")).unwrap();
    assert!(!said.contains(token.trim()), "{said}");
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}
