//! Licences, banned crates and sources, as `deny.toml` says, by cargo-deny. Advisories need a network and are not asked.

use std::path::PathBuf;

use crate::counts::Counts;
use crate::shell::{Shell, demand, stream, succeeds};

const VERSION: &str = "0.20.2";

/// Runs the checks, after installing the tool under `target/tools` if there is none.
pub(crate) fn run(shell: &Shell) -> anyhow::Result<Counts> {
    let mut command = shell.command(tool(shell)?);
    command.args(["--all-features", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
    Ok(Counts::of_check(stream(&mut command)?.ok))
}

fn tool(shell: &Shell) -> anyhow::Result<PathBuf> {
    let home = shell.target().join("tools");
    let own = home.join("bin/cargo-deny");
    let found = ["cargo-deny".into(), own.clone()].into_iter().find(|program| succeeds(shell.command(program).arg("--version")));
    if let Some(program) = found {
        return Ok(program);
    }
    let mut install = shell.cargo();
    install.args(["install", "--locked", "--quiet", "cargo-deny", "--version", VERSION, "--root"]).arg(&home);
    install.env("CARGO_TARGET_DIR", home.join("build"));
    demand(&mut install, "cargo-deny can't be installed (is the registry of crates reachable?)")?;
    Ok(own)
}
