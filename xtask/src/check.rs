//! `cargo xtask check`: format, lints, tidy. The quick part of `test`.

use crate::counts::Counts;
use crate::shell::{Shell, stream};
use crate::steps::Step;
use crate::tidy;

/// What runs before a commit.
pub(crate) fn steps() -> Vec<Step> {
    vec![Step { name: "format", run: format }, tidy::step(), Step { name: "lints", run: lints }]
}

fn format(shell: &Shell) -> anyhow::Result<Counts> {
    Ok(Counts::of_check(stream(shell.cargo().args(["fmt", "--all", "--check"]))?.ok))
}

fn lints(shell: &Shell) -> anyhow::Result<Counts> {
    let args = ["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"];
    Ok(Counts::of_check(stream(shell.cargo().args(args))?.ok))
}
