//! Python tests: a virtual environment beside them with what their `requirements.txt` pins, and pytest in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::counts::Counts;
use crate::shell::{Shell, demand, stream, succeeds};

/// Runs pytest in `folder`. `env` goes to the tests.
pub(crate) fn run(shell: &Shell, folder: &str, env: &[(&str, &Path)]) -> anyhow::Result<Counts> {
    let folder = shell.root().join(folder);
    let python = environment(shell, &folder)?;
    let mut pytest = shell.command(python);
    pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"]).current_dir(&folder);
    let output = stream(pytest.envs(env.iter().copied()).env("PYTHONDONTWRITEBYTECODE", "1"))?;
    Counts::of_pytest(&output.text).with_exit(output.ok)
}

/// The interpreter of an environment that holds exactly what is pinned; made or renewed if it does not.
fn environment(shell: &Shell, folder: &Path) -> anyhow::Result<PathBuf> {
    let (venv, requirements) = (folder.join(".venv"), folder.join("requirements.txt"));
    let (python, stamp) = (venv.join("bin/python"), venv.join("installed.txt"));
    let pinned = fs::read(&requirements).with_context(|| format!("{}", requirements.display()))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == pinned) && succeeds(shell.command(&python).arg("--version")) {
        return Ok(python);
    }
    ensure_python(shell)?;
    if venv.exists() {
        fs::remove_dir_all(&venv)?;
    }
    demand(shell.command("python3").args(["-m", "venv"]).arg(&venv), "a virtual environment can't be made")?;
    let mut install = shell.command(&python);
    install
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r"])
        .arg(&requirements);
    demand(&mut install, "the Python packages can't be installed (is their registry reachable?)")?;
    fs::write(stamp, pinned)?;
    Ok(python)
}

/// Python 3 with what makes virtual environments; on Debian as root they are installed where they lack.
fn ensure_python(shell: &Shell) -> anyhow::Result<()> {
    let complete = || succeeds(shell.command("python3").args(["-c", "import ensurepip, venv"]));
    if complete() {
        return Ok(());
    }
    if !succeeds(shell.command("apt-get").arg("--version")) {
        bail!("python3 with the venv module is needed: install it and try again");
    }
    let why = "python3-venv can't be installed: run `apt-get install python3 python3-venv` as root and try again";
    let quiet = |command: &mut std::process::Command| demand(command.env("DEBIAN_FRONTEND", "noninteractive"), why);
    quiet(shell.command("apt-get").args(["-qq", "update"]))?;
    quiet(shell.command("apt-get").args(["-qq", "install", "-y", "python3", "python3-venv"]))?;
    if complete() { Ok(()) } else { bail!("{why}") }
}
