//! `tidegate model`: the catalogue.

use serde_json::Value;

use super::Exit;
use super::args::ModelCommand;
use super::client::Client;
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
    }
    Ok(Exit::Done)
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
