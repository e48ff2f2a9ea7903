//! `cargo xtask test`: everything that a change must pass, what it lacks installed first.

use std::path::PathBuf;

use crate::counts::Counts;
use crate::shell::{Shell, demand, stream, succeeds};
use crate::steps::Step;
use crate::{bench, check, deny, node, python};

/// All steps, the quick ones first.
pub(crate) fn steps() -> Vec<Step> {
    let mut steps = check::steps();
    steps.extend([
        Step { name: "Rust tests", run: rust_tests },
        Step { name: "lock and guard in every interleaving (loom)", run: loom },
        Step { name: "SDKs for Python", run: |shell| python::run(shell, "tests/sdk/python", &[("TIDEGATE_BIN", &binary(shell)?)]) },
        Step {
            name: "a Stripe of others (localstripe)",
            run: |shell| python::run(shell, "tests/stripe", &[("TIDEGATE_BIN", &binary(shell)?)]),
        },
        Step {
            name: "an OpenID Connect provider of others (oidc-provider)",
            run: |shell| node::run(shell, "tests/oidc", &[("TIDEGATE_BIN", &binary(shell)?)]),
        },
        Step { name: "SDK for Node", run: |shell| node::run(shell, "tests/sdk/node", &[("TIDEGATE_BIN", &binary(shell)?)]) },
        Step {
            name: "the API's document (Schemathesis)",
            run: |shell| python::run(shell, "tests/api", &[("TIDEGATE_BIN", &binary(shell)?)]),
        },
        Step { name: "a real model server", run: |shell| python::run(shell, "tests/model_server", &[("TIDEGATE_BIN", &binary(shell)?)]) },
        Step { name: "instructions per request (callgrind)", run: instructions },
        Step { name: "licences, bans, sources", run: deny::run },
    ]);
    steps
}

fn rust_tests(shell: &Shell) -> anyhow::Result<Counts> {
    let output = stream(shell.cargo().args(["test", "--workspace", "--locked", "--quiet", "--no-fail-fast"]))?;
    Counts::of_cargo(&output.text).with_exit(output.ok)
}

/// The model check of `limits`, in a target folder of its own because every crate is built with another cfg.
fn loom(shell: &Shell) -> anyhow::Result<Counts> {
    let mut cargo = shell.cargo();
    cargo.args(["test", "--package", "limits", "--locked", "--quiet", "--no-fail-fast", "--profile", "quick", "--test", "loom"]);
    cargo.env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", shell.target().join("loom"));
    let output = stream(&mut cargo)?;
    Counts::of_cargo(&output.text).with_exit(output.ok)
}

/// The hot path against the instructions that are accepted for it.
fn instructions(shell: &Shell) -> anyhow::Result<Counts> {
    if !succeeds(shell.command("valgrind").arg("--version")) {
        let asks = if is_root(shell) { "" } else { "sudo -n " };
        let script = format!("{asks}apt-get update -qq && {asks}apt-get install -y -qq --no-install-recommends valgrind libc6-dbg");
        demand(shell.command("sh").args(["-c", &script]), "valgrind can't be installed: install it with your system's package manager")?;
    }
    bench::run(&["--instructions".to_owned(), "--only".to_owned(), "floor,tidegate".to_owned()])?;
    Ok(Counts::of_check(true))
}

fn is_root(shell: &Shell) -> bool {
    succeeds(shell.command("sh").args(["-c", "test \"$(id -u)\" = 0"]))
}

/// The program, built as the tests of the workspace have built it already.
fn binary(shell: &Shell) -> anyhow::Result<PathBuf> {
    demand(shell.cargo().args(["build", "--workspace", "--bin", "tidegate", "--locked", "--quiet"]), "the program does not build")?;
    Ok(shell.target().join("debug/tidegate"))
}
