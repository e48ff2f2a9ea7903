//! `tidegate apply`: brings a running server's providers, models and plans to what a file says, and shows the difference.

use anyhow::bail;
use http::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::args::ApplyArgs;
use super::client::Client;
use super::output::{Output, plain, text};
use super::{Exit, Surroundings, file};
use crate::config::{Config, ConfiguredProvider, Sources};

pub(crate) async fn run(args: ApplyArgs, client: &Client, surroundings: &Surroundings, output: &mut Output<'_>) -> anyhow::Result<Exit> {
    // The file's other sections and their variables are the server's; only its own keys are looked up.
    let environment = surroundings.environment.iter().filter(|(name, _)| !name.starts_with("TIDEGATE_"));
    let environment = environment.map(|(name, value)| (name.clone(), value.clone())).collect();
    let sources = Sources { file: Some(file::read(&args.file)?), environment, ..Sources::default() };
    let config = match Config::read(&sources) {
        Ok(config) => config,
        Err(faults) => bail!("{faults}"),
    };
    let providers = config.providers.iter().map(written).collect::<Result<Vec<_>, _>>()?;
    let wanted = json!({
        "providers": providers, "models": config.models, "plans": config.plans, "prune": args.prune, "dry_run": args.dry_run,
    });
    let diff = client.send(Method::POST, "/apply", &wanted).await?;
    output.say(&diff, || shown(&diff, args.dry_run))?;
    Ok(Exit::Done)
}

fn written(configured: &ConfiguredProvider) -> anyhow::Result<Value> {
    let mut provider = serde_json::to_value(&configured.provider)?;
    if let Some(members) = provider.as_object_mut() {
        let keys: Vec<_> = configured.credentials.iter().map(|credential| credential.secret.expose_secret()).collect();
        let key = match keys.as_slice() {
            [] => Value::Null,
            [one] => json!(one),
            several => json!(several),
        };
        members.insert("api_key".into(), key);
    }
    Ok(provider)
}

fn shown(diff: &Value, is_dry_run: bool) -> String {
    let empty = Vec::new();
    let changes = diff.get("changes").and_then(Value::as_array).unwrap_or(&empty);
    if changes.is_empty() {
        return "nothing to change".into();
    }
    let mut said = String::new();
    for change in changes {
        let action = text(change, "action");
        let sign = match action.as_str() {
            "create" => '+',
            "delete" => '-',
            _ => '~',
        };
        said.push_str(&format!("{sign} {} {}\n", text(change, "kind"), text(change, "name")));
        for field in change.get("fields").and_then(Value::as_array).unwrap_or(&empty) {
            let value = |member| field.get(member).filter(|v| !v.is_null()).map_or_else(|| "(none)".into(), plain);
            said.push_str(&format!("    {}: {} -> {}\n", text(field, "path"), value("before"), value("after")));
        }
    }
    let what = if changes.len() == 1 { "1 entry".to_owned() } else { format!("{} entries", changes.len()) };
    said + &if is_dry_run { format!("{what} would change") } else { format!("{what} changed") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_line_by_line() {
        let diff = json!({ "changes": [
            { "kind": "model", "name": "m", "action": "create", "fields": [] },
            { "kind": "plan", "name": "free", "action": "update", "fields": [{ "path": "limits.any.rpm", "before": null, "after": 5 }] },
            { "kind": "plan", "name": "old", "action": "delete", "fields": [] },
        ]});
        assert_eq!(shown(&diff, true), "+ model m\n~ plan free\n    limits.any.rpm: (none) -> 5\n- plan old\n3 entries would change");
        assert_eq!(shown(&json!({ "changes": [] }), false), "nothing to change");
    }
}
