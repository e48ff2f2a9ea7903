//! The options of `cargo xtask bench`. It knows nothing of what they lead to.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};

pub(super) const HELP: &str = "\
cargo xtask bench [options]: measures Tidegate beside nginx and a floor, on this machine

  --rounds N      rounds, each of which starts everything afresh (5)
  --secs S        length of one closed or paced run in seconds (4)
  --quick         one round of short runs, and no million of keys; writes no file unless --out says where
  --only LIST     of nginx, floor, tidegate, computing, keys: what to measure (all; keys: Tidegate with a million of them)
  --bin PATH      this tidegate instead of the one that is built
  --out PATH      where the Markdown goes (benches/RESULTS.md)
  --json PATH     where the JSON goes (nowhere)

cargo xtask bench --instructions [--bless] [--only LIST] [--bin PATH]: counts instructions in user space under
valgrind's callgrind instead, which hardly vary: fails if Tidegate needs more than benches/instructions.json says

  --bless         writes what was counted to that file

cargo xtask bench --keys N [--rounds N] [--secs S] [--bin PATH] [--out PATH]: measures nothing but Tidegate with N API keys,
ten an organisation, against itself with ten; making a million of them over the operator API takes some minutes";

/// As many keys as the goals speak of.
const MANY_KEYS: usize = 1_000_000;

pub(super) struct Options {
    pub(super) rounds: usize,
    /// Length of one closed or paced run, in seconds.
    pub(super) secs: f64,
    /// Events of content in each stream, 50 ms apart.
    pub(super) chunks: u64,
    pub(super) nginx: bool,
    pub(super) floor: bool,
    pub(super) tidegate: bool,
    /// The pure computing alone.
    pub(super) computing: bool,
    pub(super) bin: Option<PathBuf>,
    pub(super) out: Option<PathBuf>,
    pub(super) json: Option<PathBuf>,
    /// Count instructions instead of measuring time.
    pub(super) instructions: bool,
    /// Accept the instructions that are counted.
    pub(super) bless: bool,
    /// Measure with so many keys.
    pub(super) keys: Option<usize>,
    /// Measure nothing else.
    pub(super) only_keys: bool,
}

impl Options {
    pub(super) fn parse(args: &[String]) -> anyhow::Result<Self> {
        let given = |flag: &str| args.iter().any(|arg| arg == flag);
        let mut options = Self {
            rounds: 5,
            secs: 4.0,
            chunks: 100,
            nginx: true,
            floor: true,
            tidegate: true,
            computing: true,
            bin: None,
            out: Some(super::root().join("benches/RESULTS.md")),
            json: None,
            instructions: given("--instructions"),
            bless: given("--bless"),
            keys: Some(MANY_KEYS),
            only_keys: false,
        };
        // First, so that others may change what it sets, wherever they stand.
        if given("--quick") {
            (options.rounds, options.secs, options.chunks, options.out, options.keys) = (1, 1.0, 20, None, None);
        }
        let mut args = args.iter().filter(|arg| !["--quick", "--instructions", "--bless"].contains(&arg.as_str()));
        while let Some(name) = args.next() {
            let value = args.next().with_context(|| format!("`{name}` needs a value; see --help"))?;
            options.set(name, value)?;
        }
        ensure!(options.rounds > 0, "--rounds must be 1 or more");
        ensure!((0.1..=600.0).contains(&options.secs), "--secs must lie between 0.1 and 600");
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> anyhow::Result<()> {
        match name {
            "--rounds" => self.rounds = value.parse().context("--rounds must be a number")?,
            "--secs" => self.secs = value.parse().context("--secs must be a number")?,
            "--only" => {
                let names: Vec<&str> = value.split(',').collect();
                let known = ["nginx", "floor", "tidegate", "computing", "keys"];
                if let Some(other) = names.iter().find(|name| !known.contains(name)) {
                    bail!("--only knows {}, not `{other}`", known.join(", "));
                }
                let keys;
                [self.nginx, self.floor, self.tidegate, self.computing, keys] = known.map(|name| names.contains(&name));
                self.only_keys = names == ["keys"];
                self.keys = keys.then_some(MANY_KEYS);
                self.tidegate |= keys;
            }
            "--keys" => {
                self.keys = Some(value.parse().context("--keys must be a number")?);
                (self.out, self.only_keys) = (None, true);
                (self.nginx, self.floor, self.computing) = (false, false, false);
            }
            "--bin" => self.bin = Some(value.into()),
            "--out" => self.out = Some(value.into()),
            "--json" => self.json = Some(value.into()),
            _ => bail!("unknown option `{name}`; see --help"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn parse(line: &str) -> anyhow::Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn quick_is_a_default_that_others_change() {
        let options = parse("--rounds 2 --quick").unwrap();
        assert_eq!((options.rounds, options.secs, options.out, options.keys), (2, 1.0, None, None));
    }

    #[test]
    fn keys_are_measured_with_the_rest_or_alone() {
        let of = |line| parse(line).map(|options| (options.keys, options.only_keys, options.nginx)).unwrap();
        assert_eq!(of(""), (Some(1_000_000), false, true));
        assert_eq!(of("--only nginx,tidegate"), (None, false, true));
        assert_eq!(of("--only keys"), (Some(1_000_000), true, false));
        assert_eq!(of("--keys 5000"), (Some(5_000), true, false));
    }

    #[test]
    fn says_what_it_does_not_know() {
        assert!(parse("--only nginx,apache").err().unwrap().to_string().contains("apache"));
        assert!(parse("--fast yes").err().unwrap().to_string().contains("--fast"));
        assert!(parse("--rounds").is_err());
    }
}
