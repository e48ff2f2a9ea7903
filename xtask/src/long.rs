//! `cargo xtask crash` and `cargo xtask soak`: the long versions of the tests that kill, starve and load the program, on an optimised
//! build of it. It knows how they are started, and not what they do.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};

use crate::counts::Counts;
use crate::shell::{Shell, demand, say, stream};

const HELP: &str = "\
cargo xtask crash [--times N] [--seed S] [--bin PATH]: kills the program N times (50) under load, and breaks its disk, its folder,
  its database, its clock and its power
cargo xtask soak [--minutes M] [--seed S] [--bin PATH]: streams, clients that leave, refusals, plans that change and providers that fail
  for M minutes (60): memory must stay flat, no hold be left, and every counter be what clients saw

  --seed S        the same load and the same moments as another run with it (1)
  --bin PATH      this program instead of an optimised build of the present state
";

/// How the figures begin that a test wants to be read at the end.
const FIGURES: &str = "figures: ";
/// The one test that is long for itself.
const SOAK: &str = "under_mixed_load";

/// What is run, and how long.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    amount: u64,
    seed: u64,
    bin: Option<PathBuf>,
}

impl Options {
    fn parse(args: &[String], amount_name: &str, usual: u64) -> anyhow::Result<Self> {
        let mut options = Self { amount: usual, seed: 1, bin: None };
        let mut args = args.iter();
        while let Some(name) = args.next() {
            let value = args.next().with_context(|| format!("`{name}` needs a value\n{HELP}"))?;
            let number = || value.parse::<u64>().with_context(|| format!("`{name} {value}` is not a number"));
            match name.as_str() {
                "--seed" => options.seed = number()?,
                "--bin" => options.bin = Some(value.into()),
                name if name == amount_name => options.amount = number()?,
                _ => bail!("unknown option `{name}`\n{HELP}"),
            }
        }
        ensure!(options.amount > 0, "{amount_name} must be 1 or more");
        Ok(options)
    }
}

/// Kills and faults of all kinds.
pub(crate) fn crash(args: &[String]) -> anyhow::Result<ExitCode> {
    if wants_help(args) {
        return Ok(ExitCode::SUCCESS);
    }
    let Options { amount, seed, bin } = Options::parse(args, "--times", 50)?;
    // Long enough for the journal to begin its next file, and a stop while the database is locked.
    let env =
        [("TIDEGATE_CRASH_TIMES", amount), ("TIDEGATE_CRASH_SEED", seed), ("TIDEGATE_ROTATION_SECONDS", 90), ("TIDEGATE_STOP_LOCKED", 1)];
    run(bin, &["--skip", SOAK], &env)
}

/// Mixed load.
pub(crate) fn soak(args: &[String]) -> anyhow::Result<ExitCode> {
    if wants_help(args) {
        return Ok(ExitCode::SUCCESS);
    }
    let Options { amount, seed, bin } = Options::parse(args, "--minutes", 60)?;
    run(bin, &[SOAK], &[("TIDEGATE_SOAK_SECONDS", amount.saturating_mul(60)), ("TIDEGATE_SOAK_SEED", seed)])
}

fn wants_help(args: &[String]) -> bool {
    let is_wanted = args.iter().any(|arg| arg == "--help" || arg == "-h");
    if is_wanted {
        say(HELP);
    }
    is_wanted
}

fn run(bin: Option<PathBuf>, which: &[&str], env: &[(&str, u64)]) -> anyhow::Result<ExitCode> {
    let shell = Shell::new()?;
    let program = match bin {
        Some(path) => path.canonicalize().with_context(|| format!("--bin {}", path.display()))?,
        None => {
            demand(shell.cargo().args(["build", "--release", "--locked", "--package", "tidegate"]), "the program does not build")?;
            shell.target().join("release/tidegate")
        }
    };
    let mut tests = shell.cargo();
    tests.args(["test", "--locked", "--package", "tidegate", "--test", "crash", "--"]).args(which);
    // One after the other: each looks at the clock.
    tests.args(["--nocapture", "--test-threads=1"]).env("TIDEGATE_BIN", program);
    tests.envs(env.iter().map(|(name, value)| (name, value.to_string())));
    let output = stream(&mut tests)?;
    let counts = Counts::of_cargo(&output.text).with_exit(output.ok)?;
    say("\n");
    output.text.lines().filter_map(figures).for_each(|line| say(&format!("{line}\n")));
    say(&format!("{counts}\n"));
    Ok(if counts.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What stands behind the mark, wherever a line has it: the runner writes names of tests before it.
fn figures(line: &str) -> Option<&str> {
    line.split_once(FIGURES).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Options> {
        let args: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&args, "--times", 50)
    }

    #[test]
    fn options_have_usual_values_and_wrong_ones_are_said() {
        assert_eq!(parse("").unwrap(), Options { amount: 50, seed: 1, bin: None });
        assert_eq!(parse("--seed 7 --times 3 --bin x").unwrap(), Options { amount: 3, seed: 7, bin: Some("x".into()) });
        for wrong in ["--times", "--times x", "--times 0", "--minutes 3", "--seed -1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn figures_are_found_behind_the_names_of_tests() {
        assert_eq!(figures("test a ... figures: 3 kills"), Some("3 kills"));
        assert_eq!(figures("3 kills"), None);
    }
}
