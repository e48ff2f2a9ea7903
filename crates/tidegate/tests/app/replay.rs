//! `tidegate replay` as it is called: what it writes, byte for byte, and how it fails. No server runs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use app::cli::{self, Cli, Exit, Surroundings};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/app/replay").join(name)
}

async fn run(line: &[&str]) -> Result<String, String> {
    let args = ["tidegate", "replay"].into_iter().chain(line.iter().copied()).map(OsString::from);
    let cli = Cli::read(args).map_err(|error| format!("usage, exit {}: {error}", error.exit_code()))?;
    let mut out = Vec::new();
    let exit = cli::run(cli, &Surroundings::default(), &mut out).await.map_err(|error| format!("{error:#}"))?;
    assert_eq!(exit, Exit::Done);
    Ok(String::from_utf8(out).unwrap())
}

/// What is written of the tiny trace is what the golden file says; `UPDATE_GOLDEN=1` writes it anew.
async fn writes(name: &str, options: &[&str]) {
    let trace = golden("tiny.csv");
    let trace = trace.to_str().unwrap();
    let said = run(&[&[trace], options].concat()).await.unwrap().replace(trace, "tiny.csv");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden(name), &said).unwrap();
    }
    assert_eq!(said, fs::read_to_string(golden(name)).unwrap(), "{name}");
}

const PLANS: [&str; 8] =
    ["--plan", "starter", "--category", "small", "--limit", "rpm=3,tpm=500,concurrent=2", "--limit", "any=true,tpm=300,enforce=false"];

#[tokio::test]
async fn every_form_of_the_result() {
    writes("table.txt", &PLANS).await;
    writes("result.json", &[&PLANS[..], &["--json"]].concat()).await;
    writes("result.json", &[&PLANS[..], &["--format", "json"]].concat()).await;
    writes("result.csv", &[&PLANS[..], &["--format", "csv"]].concat()).await;
    writes("by_minute.txt", &[&PLANS[..], &["--by-minute"]].concat()).await;
    writes("by_minute.csv", &[&PLANS[..], &["--by-minute", "--format", "csv"]].concat()).await;
}

#[tokio::test]
async fn what_is_assumed_changes_what_happens() {
    let trace = golden("tiny.csv");
    let of = async |options: &[&str]| {
        let line = [&[trace.to_str().unwrap(), "--limit", "tpm=300", "--json"], options].concat();
        let result: serde_json::Value = serde_json::from_str(&run(&line).await.unwrap()).unwrap();
        let pool = &result["plans"][0]["pools"][0];
        ["admitted", "cut", "debt_tokens"].map(|figure| pool[figure].as_u64().unwrap())
    };
    let default = of(&[]).await;
    for (options, differs) in [
        (&["--wait", "600"][..], true),
        (&["--speed-up", "20"], true),
        (&["--hold", "max_tokens", "--max-tokens", "1"], true),
        (&["--on-exhausted", "overdraft", "--hold", "max_tokens", "--max-tokens", "1"], true),
        (&["--micro-wait", "60000"], true),
        (&["--tokens-per-second", "49.9"], false),
        (&["--model", "gemma-3-4b"], false),
    ] {
        assert_eq!(of(options).await != default, differs, "{options:?}");
    }
}

#[tokio::test]
async fn the_plot_is_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("plot.svg");
    let trace = golden("tiny.csv");
    run(&[&[trace.to_str().unwrap(), "--plot", plot.to_str().unwrap()], &PLANS[..]].concat()).await.unwrap();
    let svg = fs::read_to_string(plot).unwrap();
    well_formed(&svg);
    for part in ["<svg xmlns=", "starter · category:small", "refused of 8", "<polygon", "limit</text>", "refusals a minute"] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

/// Every element is closed in turn, attributes are quoted and text holds no bare `<` or `&`.
fn well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>'), "a stray > in {text:?}");
        assert!(text.split('&').skip(1).all(|entity| ["amp;", "lt;", "gt;", "quot;"].iter().any(|e| entity.starts_with(e))), "{text:?}");
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag:?}");
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest:?}");
}

#[tokio::test]
async fn plans_come_from_the_configuration_if_it_has_any() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("plans.toml");
    fs::write(&config, "[[plans]]\nid = \"mine\"\nlimits = [{ any = true, rpm = 100, tpm = 100_000 }]\n").unwrap();
    let trace = golden("tiny.csv");
    let said = run(&[trace.to_str().unwrap(), "--config", config.to_str().unwrap()]).await.unwrap();
    assert!(said.contains("mine admits all of it.") && !said.contains("starter"), "{said}");
    fs::write(&config, "[[plans]]\nidd = \"mine\"\n").unwrap();
    assert!(run(&[trace.to_str().unwrap(), "--config", config.to_str().unwrap()]).await.unwrap_err().contains("idd"));
}

#[tokio::test]
async fn tidegates_own_lines_bring_their_models_and_organisations() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("usage.jsonl");
    let line = |second: u32, org: &str, model: &str| {
        format!(
            "{{\"at\":\"2026-02-05T15:32:{second:02}Z\",\"org\":\"{org}\",\"model\":\"{model}\",\"input_tokens\":29000,\"output_tokens\":5}}\n"
        )
    };
    let lines = [line(1, "a", "llama-3.3-70b"), line(0, "b", "gpt-oss-120b"), line(2, "a", "gpt-oss-120b"), line(3, "a", "gemma-3-4b")];
    fs::write(&trace, lines.concat()).unwrap();
    let said = run(&[trace.to_str().unwrap(), "--plan", "starter", "--format", "csv"]).await.unwrap();
    let pools: Vec<_> = said.lines().skip(1).map(|line| line.splitn(6, ',').take(5).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(pools, ["starter category:large 3 2 1", "starter category:small 1 1 0"]);
}

#[tokio::test]
async fn faults_are_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let bad = file("bad.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1,1\nx,1,1\n");
    let trace = golden("tiny.csv");
    let trace = trace.to_str().unwrap();
    for (line, part) in [
        (&[&*bad, "--limit", "rpm=5"][..], "bad.csv: line 3 TIMESTAMP is not a time"),
        (&[&*file("prose.txt", "Dear all,\n"), "--limit", "rpm=5"], "this is no trace that can be read"),
        (&[&*file("empty.csv", ""), "--limit", "rpm=5"], "there is no request in it"),
        (&["nowhere.csv"], "can't open the trace nowhere.csv"),
        (&[trace], "tiny.csv: it names no model: say --model ID, or --category"),
        (&[trace, "--plan", "platinum"], "there is no plan \"platinum\"; there are free, starter, growth, enterprise"),
        (&[trace, "--model", "nobody"], "there is no model \"nobody\""),
        (&[trace, "--limit", "rpm=5", "--plot", "/nowhere/at/all.svg"], "can't write the plot"),
    ] {
        let error = run(line).await.unwrap_err();
        assert!(error.contains(part) && !error.contains('\n'), "{line:?}: {error}");
    }
    for line in [
        &[trace, "--limit", "rpn=5"][..],
        &[trace, "--speed-up", "0"],
        &[trace, "--wait", "-1"],
        &[trace, "--hold", "none"],
        &[trace, "--category", "huge"],
        &[trace, "--json", "--format", "csv"],
        &[],
    ] {
        let error = run(line).await.unwrap_err();
        assert!(error.starts_with("usage, exit 2"), "{line:?}: {error}");
    }
    let skipped = run(&[&*bad, "--limit", "rpm=5", "--skip-bad-lines"]).await.unwrap();
    assert!(skipped.contains("1 requests") && skipped.contains("1 lines could not be read"), "{skipped}");
}
