//! `cargo xtask bench`: measures the gateway beside nginx and a floor. It knows nothing of how the gateway works inside.
#![expect(clippy::print_stdout, reason = "a task speaks to whoever started it")]
#![expect(clippy::disallowed_methods, reason = "what measures time reads the clock")]

mod build;
mod child;
mod figures;
mod http;
mod instructions;
mod machine;
mod many_keys;
mod options;
mod report;
mod rounds;
mod subject;
mod tidegate;

use std::path::PathBuf;

use anyhow::Context;

use build::Binaries;
use child::Interrupt;
use options::Options;

/// Runs the command with the arguments that follow `bench`.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        println!("{}", options::HELP);
        return Ok(());
    }
    let options = Options::parse(args)?;
    let interrupt = Interrupt::listen()?;
    let binaries = Binaries::build(&options, &interrupt)?;
    let dir = tempfile::Builder::new().prefix("tidegate-bench-").tempdir().context("making a temporary folder")?;
    let mut bench = subject::Bench::new(&options, &binaries, &interrupt, dir.path())?;
    if options.instructions {
        return instructions::run(&mut bench);
    }
    let records = if options.only_keys { Vec::new() } else { rounds::all(&bench)? };
    let mut figures = figures::all(&records, &options, &binaries)?;
    if let Some(keys) = options.keys {
        figures.extend(many_keys::figures(&bench, keys)?);
    }
    let report = report::Report::new(&options, &records, &figures)?;
    println!("\n{}", report.markdown());
    report.write(&options)
}

/// The folder of the whole project.
fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map_or(own.clone(), PathBuf::from)
}
