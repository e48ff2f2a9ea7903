//! `tidegate provider`: upstreams.

use anyhow::Context as _;
use http::Method;
use serde_json::{Value, json};

use super::args::{ProviderArgs, ProviderCommand};
use super::client::{Client, encode, read_secret};
use super::output::{Output, text};
use super::table::Table;
use super::{Exit, Surroundings};

pub(crate) async fn run(
    command: ProviderCommand,
    client: &Client,
    surroundings: &Surroundings,
    output: &mut Output<'_>,
) -> anyhow::Result<Exit> {
    match command {
        ProviderCommand::Add(args) => {
            let provider = client.send(Method::POST, "/providers", &wanted(&args, surroundings)?).await?;
            let hint = format!("see what it has with: tidegate provider test {}", args.name);
            output.say(&provider, || {
                format!("added {} ({} at {}); {hint}", text(&provider, "name"), text(&provider, "kind"), text(&provider, "base_url"))
            })?;
        }
        ProviderCommand::List => {
            let providers = client.all("/providers").await?;
            output.list(&providers, "no providers", |providers| {
                let members = ["name", "kind", "base_url", "credential", "state", "managed_by"];
                let header = members.map(|m| {
                    if m == "base_url" {
                        "base url"
                    } else if m == "managed_by" {
                        "managed by"
                    } else {
                        m
                    }
                });
                providers.iter().fold(Table::new(header), |table, provider| table.row(members.map(|member| text(provider, member))))
            })?;
        }
        ProviderCommand::State { name } => {
            let state = client.get(&format!("/providers/{}/state", encode(&name))).await?;
            output.say(&state, || standing(&state))?;
        }
        ProviderCommand::Test { name } => {
            let test = client.send(Method::POST, &format!("/providers/{}/test", encode(&name)), &json!({})).await?;
            let is_ok = test.get("ok").and_then(Value::as_bool).unwrap_or(false);
            output.say(&test, || tested(&name, &test, is_ok))?;
            return Ok(if is_ok { Exit::Done } else { Exit::Failed });
        }
    }
    Ok(Exit::Done)
}

fn wanted(args: &ProviderArgs, surroundings: &Surroundings) -> anyhow::Result<Value> {
    let api_key = match (&args.api_key_env, &args.api_key_file) {
        (Some(name), _) => {
            let value = surroundings.environment.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
            Some(value.with_context(|| format!("environment variable {name} is not set"))?.to_owned())
        }
        (None, Some(path)) => Some(read_secret(path)?),
        (None, None) => None,
    };
    let mut wanted = json!({ "name": args.name, "kind": args.kind });
    for (member, value) in [("base_url", args.base_url.clone()), ("api_key", api_key)] {
        if let (Some(value), Some(members)) = (value, wanted.as_object_mut()) {
            members.insert(member.into(), value.into());
        }
    }
    Ok(wanted)
}

/// The provider in a line, then a line for its credential and each of its models.
fn standing(state: &Value) -> String {
    let head = format!("{} is {}, {} attempts in progress", text(state, "name"), text(state, "state"), text(state, "in_flight"));
    let targets = state.get("targets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let row = |table: Table, target: &Value| {
        let model = Some(text(target, "model")).filter(|model| !model.is_empty()).unwrap_or_else(|| "(credential)".to_owned());
        let rate = target.get("success_rate").and_then(Value::as_f64).map(|rate| format!("{:.0} %", rate * 100.0)).unwrap_or_default();
        let left = |of: &str| {
            let allowance = target.get("quota").and_then(|quota| quota.get(of)).filter(|told| !told.is_null())?;
            let number = |member| Some(text(allowance, member)).filter(|n| !n.is_empty()).unwrap_or_else(|| "?".to_owned());
            Some(format!("{} of {} {of}", number("remaining"), number("limit")))
        };
        let quota = ["requests", "tokens"].into_iter().filter_map(left).collect::<Vec<_>>().join(", ");
        let [state, why, since, until, probe, p95] = ["state", "why", "since", "until", "next_probe", "p95_ms"].map(|m| text(target, m));
        table.row([model, state, why, since, until, probe, rate, p95, quota])
    };
    let header = ["model", "state", "why", "since", "until", "next probe", "success", "p95 ms", "quota left"];
    format!("{head}\n{}", targets.iter().fold(Table::new(header), row))
}

fn tested(name: &str, test: &Value, is_ok: bool) -> String {
    let verdict = if is_ok { "fine" } else { "failed" };
    let elapsed = test.get("elapsed_ms").map(|ms| format!(" after {ms} ms")).filter(|_| is_ok).unwrap_or_default();
    let models = text(test, "models").replace(", ", "\n  ");
    let models = if models.is_empty() { String::new() } else { format!("\n  {models}") };
    format!("{name}: {verdict}{elapsed}: {}{models}", text(test, "message"))
}
