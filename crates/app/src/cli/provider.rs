//! `tidegate provider`: upstreams.

use anyhow::Context as _;
use http::Method;
use serde_json::{Value, json};

use super::args::{ProviderArgs, ProviderCommand, ProviderKeyCommand};
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
        ProviderCommand::Key(command) => keys(command, client, surroundings, output).await?,
    }
    Ok(Exit::Done)
}

async fn keys(command: ProviderKeyCommand, client: &Client, surroundings: &Surroundings, output: &mut Output<'_>) -> anyhow::Result<()> {
    let of = |name: &str| format!("/providers/{}/keys", encode(name));
    match command {
        ProviderKeyCommand::Add { name, key } => {
            let api_key = match (&key.api_key_env, &key.api_key_file) {
                (Some(variable), _) => of_variable(variable, surroundings)?,
                (None, Some(path)) => read_secret(path)?,
                (None, None) => anyhow::bail!("give --api-key-env or --api-key-file"),
            };
            let added = client.send(Method::POST, &of(&name), &json!({ "api_key": api_key })).await?;
            let stays = stays(client, &name).await?;
            output.say(&added, || format!("{name} has the key {} from the next request on{stays}", text(&added, "id")))
        }
        ProviderKeyCommand::Remove { name, id } => {
            client.delete(&format!("{}/{}", of(&name), encode(&id))).await?;
            let stays = stays(client, &name).await?;
            output.say(&json!({ "id": id, "removed": true }), || format!("{name} is called without {id} from the next request on{stays}"))
        }
        ProviderKeyCommand::List { name } => {
            let keys = client.all(&of(&name)).await?;
            output.list(&keys, "no keys: it is called without any", |keys| {
                let members = ["id", "source", "added"];
                keys.iter().fold(Table::new(members), |table, key| table.row(members.map(|member| text(key, member))))
            })
        }
    }
}

/// What makes a change of keys pass.
async fn stays(client: &Client, name: &str) -> anyhow::Result<&'static str> {
    let provider = client.get(&format!("/providers/{}", encode(name))).await?;
    Ok(match text(&provider, "managed_by").as_str() {
        "file" => ";\nat the next start it gets the keys of the configuration file again",
        "discovered" => ";\nat the next start it gets the key of the environment again, beside those that were added",
        _ => "",
    })
}

fn of_variable(name: &str, surroundings: &Surroundings) -> anyhow::Result<String> {
    let value = surroundings.environment.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
    Ok(value.with_context(|| format!("environment variable {name} is not set"))?.to_owned())
}

fn wanted(args: &ProviderArgs, surroundings: &Surroundings) -> anyhow::Result<Value> {
    let variables = args.api_key_env.iter().map(|name| of_variable(name, surroundings));
    let keys = variables.chain(args.api_key_file.iter().map(|path| read_secret(path))).collect::<Result<Vec<_>, _>>()?;
    let api_key = match keys.as_slice() {
        [] => None,
        [one] => Some(json!(one)),
        several => Some(json!(several)),
    };
    let mut wanted = json!({ "name": args.name, "kind": args.kind });
    for (member, value) in [("base_url", args.base_url.as_ref().map(|url| json!(url))), ("api_key", api_key)] {
        if let (Some(value), Some(members)) = (value, wanted.as_object_mut()) {
            members.insert(member.into(), value);
        }
    }
    Ok(wanted)
}

/// The provider in a line, then a line for each of its API keys and models.
fn standing(state: &Value) -> String {
    let head = format!("{} is {}, {} attempts in progress", text(state, "name"), text(state, "state"), text(state, "in_flight"));
    let targets = state.get("targets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let row = |table: Table, target: &Value| {
        let of = ["model", "key"].map(|member| text(target, member));
        let of = of.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" with ");
        let of = if of.is_empty() { "(no key)".to_owned() } else { of };
        let rate = target.get("success_rate").and_then(Value::as_f64).map(|rate| format!("{:.0} %", rate * 100.0)).unwrap_or_default();
        let left = |of: &str| {
            let allowance = target.get("quota").and_then(|quota| quota.get(of)).filter(|told| !told.is_null())?;
            let number = |member| Some(text(allowance, member)).filter(|n| !n.is_empty()).unwrap_or_else(|| "?".to_owned());
            Some(format!("{} of {} {of}", number("remaining"), number("limit")))
        };
        let quota = ["requests", "tokens"].into_iter().filter_map(left).collect::<Vec<_>>().join(", ");
        let [state, why, since, until, probe, p95] = ["state", "why", "since", "until", "next_probe", "p95_ms"].map(|m| text(target, m));
        table.row([of, state, why, since, until, probe, rate, p95, quota])
    };
    let header = ["model or key", "state", "why", "since", "until", "next probe", "success", "p95 ms", "quota left"];
    format!("{head}\n{}", targets.iter().fold(Table::new(header), row))
}

fn tested(name: &str, test: &Value, is_ok: bool) -> String {
    let verdict = if is_ok { "fine" } else { "failed" };
    let elapsed = test.get("elapsed_ms").map(|ms| format!(" after {ms} ms")).filter(|_| is_ok).unwrap_or_default();
    let models = text(test, "models").replace(", ", "\n  ");
    let models = if models.is_empty() { String::new() } else { format!("\n  {models}") };
    format!("{name}: {verdict}{elapsed}: {}{models}", text(test, "message"))
}
