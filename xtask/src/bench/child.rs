//! Child processes that never outlive the task: ended on drop, on Ctrl-C and when the task itself is killed. It knows
//! nothing of what they do.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a program may take to stop in good order: a gateway writes down what it served, and the next run is to begin where that is done.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Whether somebody asked the task to stop. A second Ctrl-C stops it on the spot.
#[derive(Clone)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(super) fn listen() -> anyhow::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
            signal_hook::flag::register_conditional_shutdown(signal, 130, flag.clone())?;
            signal_hook::flag::register(signal, flag.clone())?;
        }
        Ok(Self(flag))
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.0.load(Relaxed) { bail!("interrupted") } else { Ok(()) }
    }
}

/// How a child is run: on which core, and before all other work where that is permitted.
#[derive(Clone, Copy)]
pub(super) struct Placement {
    pub(super) core: Option<usize>,
    pub(super) real_time: bool,
}

impl Placement {
    /// Wherever the kernel likes, as anything else.
    pub(super) const ANY: Self = Self { core: None, real_time: false };

    /// Whether this user may ask for the real-time round-robin policy.
    pub(super) fn real_time_permitted() -> bool {
        let probe = Command::new("chrt").args(["-r", "1", "true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    }

    /// `program`, started so that it gets SIGTERM if this task dies.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut words: Vec<String> = ["setpriv", "--pdeathsig", "TERM"].map(str::to_owned).into();
        if let Some(core) = self.core {
            words.extend(["taskset".to_owned(), "-c".to_owned(), core.to_string()]);
        }
        if self.real_time {
            words.extend(["chrt", "-r", "1"].map(str::to_owned));
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(program);
        command
    }
}

/// A running child; dropping it ends it.
pub(super) struct Child {
    name: String,
    inner: std::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts `command`, whose output goes to `log`. `name` is for messages.
    pub(super) fn start(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let out = File::create(log).with_context(|| format!("creating the log of {name}"))?;
        command.stdout(out.try_clone()?).stderr(out);
        Self::spawn(name, command, log)
    }

    fn spawn(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        command.stdin(Stdio::null());
        let inner = command.spawn().with_context(|| format!("starting {name}: is util-linux (setpriv, taskset, chrt) installed?"))?;
        Ok(Self { name: name.to_owned(), inner, log: log.to_owned() })
    }

    /// The process' id: the wrappers replace themselves with the program.
    pub(super) fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// Fails with the end of the child's output if it has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.inner.try_wait()? {
            Some(status) => bail!("{} ended by itself ({status}):\n{}", self.name, tail(&self.log)),
            None => Ok(()),
        }
    }

    /// The end of the child's output.
    pub(super) fn output(&self) -> String {
        tail(&self.log)
    }

    /// Asks the child to end, and after five seconds makes it.
    pub(super) fn stop(&mut self) {
        if let Ok(None) = self.inner.try_wait() {
            // It may be gone between the two calls; then there is nothing to end.
            let _ = kill_process(Pid::from_child(&self.inner), Signal::TERM);
            let end = Instant::now() + STOP_LIMIT;
            while Instant::now() < end && matches!(self.inner.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let _ = self.inner.kill();
        let _ = self.inner.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs `command` to its end, at most `limit` long, and returns what it printed. Its complaints go where the task's do.
pub(super) fn output(name: &str, mut command: Command, limit: Duration, log: &Path, interrupt: &Interrupt) -> anyhow::Result<String> {
    command.stdout(File::create(log).with_context(|| format!("creating the output of {name}"))?);
    let mut child = Child::spawn(name, command, log)?;
    let status = wait(&mut child, limit, interrupt)?;
    let mut text = String::new();
    File::open(log)?.read_to_string(&mut text)?;
    if !status.success() {
        bail!("{name} failed ({status}); what it said of it stands above");
    }
    Ok(text)
}

fn wait(child: &mut Child, limit: Duration, interrupt: &Interrupt) -> anyhow::Result<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.inner.try_wait()? {
            return Ok(status);
        }
        interrupt.check()?;
        if Instant::now() > end {
            bail!("{} took more than {} s:\n{}", child.name, limit.as_secs(), tail(&child.log));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4_000)..]).into_owned()
}
