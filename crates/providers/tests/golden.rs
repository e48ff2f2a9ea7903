//! Golden files: what each provider sends (`golden/<provider>/<endpoint>.<case>`), and beside it what the client gets and what is
//! counted (`.expected`). `UPDATE_GOLDEN=1 cargo test -p providers --test golden` writes the expectations anew: read the difference.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use domain::{Endpoint, TokenUsage, Tokenizer};
use providers::{Ending, Fault, StreamReader, StreamSettings};

const REQUESTED: &str = "the/requested-name";
const TOKENIZER: Tokenizer = Tokenizer::O200kBase;

#[test]
fn every_provider_is_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut wrong = Vec::new();
    let cases = cases(&root);
    assert!(cases.len() >= 30, "the golden files are there");
    for case in cases {
        let told = told(&case);
        let expected = case.with_added_extension("expected");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&expected, &told).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != told {
            wrong.push(format!("{}:\n{told}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn cases(root: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> { std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect() };
    let mut cases: Vec<PathBuf> = list(root).iter().flat_map(|provider| list(provider)).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension != "expected"));
    cases.sort();
    cases
}

fn told(case: &Path) -> String {
    let name = case.file_name().and_then(|name| name.to_str()).unwrap();
    let mut parts = name.split('.');
    let endpoint = match parts.next() {
        Some("chat") => Endpoint::ChatCompletions,
        Some("completions") => Endpoint::Completions,
        Some("embeddings") => Endpoint::Embeddings,
        other => panic!("{other:?} is no endpoint"),
    };
    let bytes = std::fs::read(case).unwrap();
    let what = parts.next().unwrap();
    match what.split('_').collect::<Vec<_>>()[..] {
        ["answer", ..] => answer(endpoint, Bytes::from(bytes)),
        ["stream", ..] => stream(endpoint, &bytes),
        ["error", status, ..] => error(status.parse().unwrap(), &bytes),
        _ => panic!("{what} is no case"),
    }
}

fn usage(usage: Option<TokenUsage>) -> String {
    usage.map_or("none".to_owned(), |usage| format!("input {}, output {}, cached {}", usage.input, usage.output, usage.cached))
}

fn answer(endpoint: Endpoint, body: Bytes) -> String {
    let facts = match providers::read_answer(endpoint, &body) {
        Ok(facts) => facts,
        Err(fault) => return format!("fault: {fault}\n"),
    };
    let counted = providers::count_output(endpoint, &body, TOKENIZER);
    let out = providers::with_model(body, &facts, REQUESTED);
    format!("usage: {}\noutput by the tokenizer: {counted}\n\n{}", usage(facts.usage), String::from_utf8_lossy(&out))
}

/// Relays the stream twice: as a client gets it that hadn't asked for usage, and, for the facts, as one that had.
fn stream(endpoint: Endpoint, bytes: &[u8]) -> String {
    let relay = |strip_usage| {
        let mut reader = StreamReader::new(StreamSettings { endpoint, requested_model: REQUESTED, strip_usage, tokenizer: TOKENIZER });
        let mut out = Vec::new();
        bytes.chunks(100).for_each(|frame| out.extend_from_slice(&reader.push(Bytes::copy_from_slice(frame)).out));
        let first = format!("{:?}", reader.first_event());
        let output_tokens = reader.output_tokens();
        (out, first, output_tokens, reader.finish(Ending::Whole))
    };
    let (asked, ..) = relay(false);
    let (out, first, output_tokens, end) = relay(true);
    let mut told = String::new();
    writeln!(told, "first event: {first}\nusage: {}", usage(end.usage)).unwrap();
    writeln!(told, "output: at least {output_tokens} while it ran, {} counted at the end", end.counted_output).unwrap();
    writeln!(told, "done: {}, finished: {}, fault: {:?}", end.saw_done, end.saw_finish, end.fault).unwrap();
    writeln!(told, "usage chunk taken out: {}\n", asked.len() > out.len()).unwrap();
    told.push_str(&String::from_utf8_lossy(&out));
    told.push_str(&end.fault.map_or(String::new(), |fault| String::from_utf8_lossy(&fault.event()).into_owned()));
    told
}

fn error(status: u16, body: &[u8]) -> String {
    let verdict = providers::judge(status, [], body);
    let passed_on = providers::passed_on_body(status, body, &[]);
    let passed_on =
        if verdict.fault == Fault::Client { String::from_utf8_lossy(&passed_on).into_owned() } else { "not passed on".to_owned() };
    format!("{verdict:?}\n\n{passed_on}\n")
}
