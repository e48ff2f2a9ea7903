//! `tidegate model`: the catalogue.

use serde_json::Value;

use super::Exit;
use super::args::ModelCommand;
use super::client::{Client, encode};
use super::output::{Output, text};
use super::table::Table;

pub(crate) async fn run(command: ModelCommand, client: &Client, output: &mut Output<'_>) -> anyhow::Result<Exit> {
    match command {
        ModelCommand::List => {
            let models = client.all("/models").await?;
            output.list(&models, "no models", |models| {
                models.iter().fold(Table::new(["id", "category", "context", "targets", "managed by"]), |table, model| {
                    let context = text(model, "context_window");
                    table.row([text(model, "id"), text(model, "category"), context, targets(model), text(model, "managed_by")])
                })
            })?;
        }
        ModelCommand::Route(args) => {
            let (needs, model) = (encode(&args.needs.join(",")), encode(&args.model));
            let path = format!("/route?model={model}&input_tokens={}&output_tokens={}&features={needs}", args.input, args.output);
            let route = client.get(&path).await?;
            output.say(&route, || way(&route))?;
        }
    }
    Ok(Exit::Done)
}

/// A line for each target, in order.
fn way(route: &Value) -> String {
    let targets = route.get("targets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if targets.is_empty() {
        return format!("no provider has {}", text(route, "model"));
    }
    let row = |table: Table, (place, target): (usize, &Value)| {
        let is = |name: &str| target.get(name).and_then(Value::as_bool).unwrap_or(false);
        let decision = match (is("tried"), is("last_resort")) {
            (true, _) => "try".to_owned(),
            (false, true) => format!("skip unless no other answers: {}", text(target, "why")),
            (false, false) => format!("skip: {}", text(target, "why")),
        };
        let share = format!("{}/{}", text(target, "priority"), text(target, "weight"));
        table.row([(place + 1).to_string(), text(target, "provider"), text(target, "model"), share, decision, text(target, "until")])
    };
    let header = ["", "provider", "model there", "priority/weight", "decision", "until"];
    targets.iter().enumerate().fold(Table::new(header), row).to_string()
}

/// `openai, local (as qwen3:32b)`.
fn targets(model: &Value) -> String {
    let one = |target: &Value| match target.get("model").and_then(Value::as_str) {
        Some(name) => format!("{} (as {name})", text(target, "provider")),
        None => text(target, "provider"),
    };
    let all = model.get("targets").and_then(Value::as_array);
    all.map(|targets| targets.iter().map(one).collect::<Vec<_>>().join(", ")).unwrap_or_default()
}
