//! Builds what is measured and what measures it. It knows nothing of running them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::child::{self, Interrupt, Placement};
use super::options::Options;

/// The longest that a build may take.
const LIMIT: Duration = Duration::from_secs(3_600);

pub(super) struct Binaries {
    pub(super) mock: PathBuf,
    pub(super) load: PathBuf,
    pub(super) floor: PathBuf,
    /// Absent if it is not to be run.
    pub(super) micro: Option<PathBuf>,
    /// Absent if it is not to be measured.
    pub(super) tidegate: Option<PathBuf>,
    /// Absent if it is not to be measured.
    pub(super) nginx: Option<PathBuf>,
}

impl Binaries {
    pub(super) fn build(options: &Options, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let root = super::root();
        let manifest = root.join("benches/Cargo.toml").to_string_lossy().into_owned();
        // The last of them needs the project's crates, which take their time.
        let micro: &[&str] = if options.computing { &["--package", "micro"] } else { &[] };
        let tools = ["--manifest-path", &manifest, "--package", "mock-upstream", "--package", "gwload", "--package", "hyper-floor"];
        let kit = cargo("release", &[&tools[..], micro].concat(), interrupt)?;
        let tidegate = match (&options.bin, options.tidegate) {
            (_, false) => None,
            (Some(path), true) => Some(path.canonicalize().with_context(|| format!("--bin {}", path.display()))?),
            (None, true) => {
                let manifest = root.join("Cargo.toml");
                // Instructions are compared with those of the same profile, and this one is built in a fraction of the time.
                let profile = if options.instructions { "quick" } else { "release" };
                let built = cargo(profile, &["--manifest-path", &manifest.to_string_lossy(), "--package", "tidegate"], interrupt)?;
                Some(find(&built, "tidegate")?)
            }
        };
        Ok(Self {
            mock: find(&kit, "mock-upstream")?,
            load: find(&kit, "gwload")?,
            floor: find(&kit, "hyper-floor")?,
            micro: options.computing.then(|| find(&kit, "micro")).transpose()?,
            tidegate,
            nginx: if options.nginx { Some(nginx()?) } else { None },
        })
    }
}

/// Builds in a profile and returns the paths of the executables.
fn cargo(profile: &str, args: &[&str], interrupt: &Interrupt) -> anyhow::Result<Vec<PathBuf>> {
    let mut command = Placement::ANY.command(Path::new(env!("CARGO")));
    command.args(["build", "--locked", "--profile", profile, "--message-format", "json-render-diagnostics"]).args(args);
    let log = tempfile::NamedTempFile::new()?;
    let text = child::output("cargo build", command, LIMIT, log.path(), interrupt)?;
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(messages.filter_map(|message| Some(message.get("executable")?.as_str()?.into())).collect())
}

fn find(executables: &[PathBuf], name: &str) -> anyhow::Result<PathBuf> {
    let found = executables.iter().find(|path| path.file_name().is_some_and(|n| n == name));
    found.cloned().with_context(|| format!("cargo built no executable called {name}"))
}

fn nginx() -> anyhow::Result<PathBuf> {
    let on_path = std::env::var_os("PATH").into_iter().flat_map(|paths| std::env::split_paths(&paths).collect::<Vec<_>>());
    let found = on_path.chain(["/usr/sbin".into()]).map(|folder| folder.join("nginx")).find(|path| path.is_file());
    let Some(path) = found else {
        bail!("nginx is not installed: `apt-get install nginx-light` (or your system's package), or --only floor,tidegate");
    };
    Ok(path)
}

/// The size of an executable without symbols, in bytes; nothing if binutils' `strip` is not installed.
pub(super) fn stripped_bytes(executable: &Path) -> anyhow::Result<Option<u64>> {
    let copy = tempfile::NamedTempFile::new()?;
    let strip = Command::new("strip").arg("-o").arg(copy.path()).arg(executable).status();
    let Ok(status) = strip else { return Ok(None) };
    ensure!(status.success(), "strip failed on {}", executable.display());
    Ok(Some(copy.path().metadata()?.len()))
}
