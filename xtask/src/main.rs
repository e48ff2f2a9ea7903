//! The project's tasks: `cargo xtask test | check | tidy | crash | soak | bench`. What a task does, its module says.

mod bench;
mod check;
mod counts;
mod deny;
mod long;
mod node;
mod python;
mod shell;
mod steps;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::bail;

use crate::shell::Shell;

const USAGE: &str = "cargo xtask TASK
  test [WORD…]   everything: format, lints, tidy, licences, all tests, the SDKs, a real model server; installs what it
                 lacks. With words: only the steps whose names hold one of them, such as `cargo xtask test node`
  check          format, lints and tidy: what to run before a commit
  tidy           the project's own rules on files and crates
  crash          kills the program fifty times under load and breaks what it stands on; see `cargo xtask crash --help`
  soak           an hour of mixed load: memory, holds, counters; see `cargo xtask soak --help`
  bench          measures the gateway; see `cargo xtask bench --help`";

fn main() -> anyhow::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((task, words)) if task == "test" => steps::run(&Shell::new()?, &steps::named(test::steps(), words)?),
        Some((task, [])) if task == "check" => steps::run(&Shell::new()?, &check::steps()),
        Some((task, [])) if task == "tidy" => steps::run(&Shell::new()?, &[tidy::step()]),
        Some((task, rest)) if task == "crash" => long::crash(rest),
        Some((task, rest)) if task == "soak" => long::soak(rest),
        Some((task, rest)) if task == "bench" => bench::run(rest).map(|()| ExitCode::SUCCESS),
        Some((task, _)) => bail!("no such task: {task}\n{USAGE}"),
        None => bail!("{USAGE}"),
    }
}
