//! What providers really sent, and what is concluded from it: `verdicts/<vendor>/<case>.http`, and `.expected` beside it.
//! `UPDATE_GOLDEN=1 cargo test -p providers --test verdicts` writes the expectations anew: read the difference.
//!
//! A case opens with `#` lines. One is `# source: ` and the public place where the sample stands, or `# unpublished: ` and why there
//! is none; further ones say what was shortened or is not in the sample, and `# now: ` what time it is. Then comes `HTTP <status>`
//! with the headers, or `IN-BAND` for an error inside a 200; after a blank line, the body.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use domain::UnixMicros;
use providers::{Allowance, Fault, Quota, Scope, Verdict};

/// Unless a case says otherwise.
const NOW: &str = "2026-02-05T15:32:36Z";

const VENDORS: [&str; 20] = [
    "anthropic",
    "azure",
    "bedrock",
    "castai",
    "cerebras",
    "cloudflare",
    "cohere",
    "deepseek",
    "fireworks",
    "gemini",
    "groq",
    "llama_cpp",
    "mistral",
    "moonshot",
    "ollama",
    "openai",
    "openrouter",
    "together",
    "vllm",
    "xai",
];

struct Case {
    path: PathBuf,
    is_published: bool,
    now: UnixMicros,
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: String,
}

#[test]
fn every_vendors_answers_are_understood() {
    let cases = cases();
    let mut wrong = Vec::new();
    for case in &cases {
        let told = told(case);
        let expected = case.path.with_added_extension("expected");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&expected, &told).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != told {
            wrong.push(format!("{}:\n{told}", case.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// So that neither a vendor nor the words of where a sample comes from get lost.
#[test]
fn every_vendor_has_a_case_with_its_source() {
    let cases = cases();
    let of = |vendor: &str| cases.iter().filter(|case| case.path.parent().unwrap().ends_with(vendor)).count();
    let published = |vendor: &str| cases.iter().any(|case| case.path.parent().unwrap().ends_with(vendor) && case.is_published);
    assert_eq!(VENDORS.iter().filter(|vendor| !published(vendor)).collect::<Vec<_>>(), [&""; 0]);
    assert!(VENDORS.iter().map(|vendor| of(vendor)).sum::<usize>() >= 60, "the cases are there");
}

/// A 400, 413 or 422 leaves the provider to all others, and so does whatever is said to concern its request alone. Only what is the
/// operator's, which the provider says by names of its own or at the beginning of its words, is told apart.
#[test]
fn no_clients_fault_cools_a_provider() {
    for case in cases() {
        let verdict = verdict(&case);
        if verdict.scope == Scope::Request {
            assert_eq!(verdict.retry, None, "{}", case.path.display());
        }
        if verdict.fault == Fault::Client {
            assert_eq!(verdict.scope, Scope::Request, "{}", case.path.display());
        }
        if matches!(case.status, Some(400 | 413 | 422)) {
            assert!(matches!(verdict.fault, Fault::Client | Fault::Billing | Fault::Credential), "{}", case.path.display());
        }
    }
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdicts");
    let list = |folder: &Path| -> Vec<PathBuf> { std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect() };
    let mut paths: Vec<PathBuf> = list(&root).iter().flat_map(|vendor| list(vendor)).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "http"));
    paths.sort();
    paths.into_iter().map(read).collect()
}

fn read(path: PathBuf) -> Case {
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let comments: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    let comment = |name: &str| comments.iter().find_map(|comment| comment.strip_prefix(name));
    let is_published = comment("source: ").is_some_and(|place| place.starts_with("https://"));
    assert!(is_published || comment("unpublished: ").is_some(), "{}: where is it from?", path.display());
    let mut lines = head.lines().filter(|line| !line.starts_with('#'));
    let status = match lines.next().unwrap() {
        "IN-BAND" => None,
        first => Some(first.strip_prefix("HTTP ").unwrap_or_else(|| panic!("{}: {first}", path.display())).parse().unwrap()),
    };
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers = headers.collect();
    let now = comment("now: ").unwrap_or(NOW).parse().unwrap();
    Case { is_published, now, status, headers, body: body.trim_end().to_owned(), path }
}

fn verdict(case: &Case) -> Verdict {
    match case.status {
        Some(status) => providers::judge(status, headers(case), case.body.as_bytes()),
        None => providers::judge_in_band(case.body.as_bytes()),
    }
}

fn headers(case: &Case) -> impl Iterator<Item = (&str, &[u8])> {
    case.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn told(case: &Case) -> String {
    let mut told = String::new();
    if !matches!(case.status, Some(200..=299)) {
        let verdict = verdict(case);
        writeln!(told, "{:?}, concerns the {:?}, code {}", verdict.fault, verdict.scope, verdict.code).unwrap();
        match verdict.retry {
            Some(retry) => writeln!(told, "come back in {} ms, says {:?}", retry.when.wait_ms(case.now), retry.source).unwrap(),
            None => writeln!(told, "no word of when to come back").unwrap(),
        }
    }
    let Quota { requests, tokens } = Quota::read(headers(case));
    for (name, allowance) in [("requests", requests), ("tokens", tokens)] {
        let Some(Allowance { limit, remaining, reset }) = allowance else { continue };
        let number = |number: Option<u64>| number.map_or("?".to_owned(), |number| number.to_string());
        let reset = number(reset.map(|when| when.wait_ms(case.now)));
        writeln!(told, "{name}: {} of {} left, whole in {reset} ms", number(remaining), number(limit)).unwrap();
    }
    told
}
