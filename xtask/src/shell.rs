//! Other programs: started in the project's folder, their output shown as it comes and kept for reading.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use cargo_metadata::{Metadata, MetadataCommand};

/// Where the project lies and how programs are started in it.
pub(crate) struct Shell {
    root: PathBuf,
    target: PathBuf,
}

/// What a program printed, and whether it succeeded.
pub(crate) struct Output {
    pub(crate) ok: bool,
    pub(crate) text: String,
}

impl Shell {
    /// Finds the project's folder from the current one.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let metadata = metadata(None)?;
        Ok(Self { root: metadata.workspace_root.into(), target: metadata.target_directory.into() })
    }

    /// The project's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target folder.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A program to be started in the project's folder, without input and without what `cargo run` told this one.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        // With them in the environment, build scripts that watch them would run again each time.
        let of_cargo_run = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "LD_LIBRARY_PATH";
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_cargo_run)) {
            command.env_remove(name);
        }
        command
    }

    /// Cargo, in the project's folder.
    pub(crate) fn cargo(&self) -> Command {
        self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }
}

/// The workspace as cargo sees it.
pub(crate) fn metadata(root: Option<&Path>) -> anyhow::Result<Metadata> {
    let mut command = MetadataCommand::new();
    if let Some(root) = root {
        command.current_dir(root);
    }
    command.no_deps().exec().context("cargo metadata")
}

/// Runs a program to its end, showing both its outputs as they come.
pub(crate) fn stream(command: &mut Command) -> anyhow::Result<Output> {
    say(&format!("$ {}\n", shown(command)));
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().with_context(|| format!("can't start {}", shown(command)))?;
    let text = Mutex::new(String::new());
    let (out, err) = (child.stdout.take().context("no output")?, child.stderr.take().context("no output")?);
    std::thread::scope(|scope| {
        scope.spawn(|| copy_lines(out, &text));
        scope.spawn(|| copy_lines(err, &text));
    });
    let ok = child.wait()?.success();
    Ok(Output { ok, text: text.into_inner().unwrap_or_else(PoisonError::into_inner) })
}

/// Runs a program that must succeed.
pub(crate) fn demand(command: &mut Command, why: &str) -> anyhow::Result<()> {
    let output = stream(command)?;
    ensure!(output.ok, "{why}: `{}` failed, see above", shown(command));
    Ok(())
}

/// Whether a program can be started and succeeds; its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn copy_lines(from: impl Read, to: &Mutex<String>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line);
        say(&text);
        to.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        line.clear();
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Prints text as it is.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever closed our output does not want to read it.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Starts a stopwatch; calling the result reads it.
#[expect(clippy::disallowed_methods, reason = "a task is timed by the machine's clock; the product never runs in here")]
pub(crate) fn stopwatch() -> impl Fn() -> Duration {
    let start = std::time::Instant::now();
    move || start.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_outputs_and_the_exit_are_kept() {
        let mut command = Command::new("sh");
        let output = stream(command.args(["-c", "echo out; echo err >&2; exit 3"])).unwrap();
        assert!(!output.ok);
        assert!(output.text.contains("out\n") && output.text.contains("err\n"));
        assert!(demand(&mut command, "because").unwrap_err().to_string().starts_with("because"));
    }
}
