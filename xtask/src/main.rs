//! The project's tasks, one module each. What a task does, its module says.

mod bench;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((task, rest)) if task == "bench" => bench::run(rest),
        Some((task, _)) => bail!("there is no task `{task}`: try bench"),
        None => bail!("which task? cargo xtask bench"),
    }
}
