//! Node tests: `npm ci` from the committed lock file, then Node's own test runner.

use std::fs;
use std::path::Path;

use anyhow::ensure;

use crate::counts::Counts;
use crate::shell::{Shell, demand, stream, succeeds};

/// Runs the tests of `folder`. `env` goes to the tests.
pub(crate) fn run(shell: &Shell, folder: &str, env: &[(&str, &Path)]) -> anyhow::Result<Counts> {
    let folder = shell.root().join(folder);
    ensure!(succeeds(shell.command("node").arg("--version")), "node 20 or newer is needed: install it and try again");
    install(shell, &folder)?;
    let mut node = shell.command("node");
    node.args(["--test", "--test-reporter=tap"]).current_dir(&folder);
    let output = stream(node.envs(env.iter().copied()))?;
    Counts::of_node(&output.text).with_exit(output.ok)
}

fn install(shell: &Shell, folder: &Path) -> anyhow::Result<()> {
    let (lock, stamp) = (folder.join("package-lock.json"), folder.join("node_modules/installed.json"));
    let pinned = fs::read(&lock)?;
    if fs::read(&stamp).is_ok_and(|installed| installed == pinned) {
        return Ok(());
    }
    let mut npm = shell.command("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
    demand(&mut npm, "the Node packages can't be installed (is their registry reachable?)")?;
    fs::write(stamp, pinned)?;
    Ok(())
}
