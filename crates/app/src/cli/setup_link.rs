//! `tidegate setup-link`: a new one-time link to set up the first operator.

use http::Method;
use serde_json::json;

use super::Exit;
use super::client::Client;
use super::output::{Output, text};

pub(crate) async fn run(client: &Client, output: &mut Output<'_>) -> anyhow::Result<Exit> {
    let link = client.send(Method::POST, "/people/setup-links", &json!({})).await?;
    output.say(&link, || {
        format!(
            "{}\nIt works once, within 60 minutes; earlier links no longer work. Whoever has it becomes the operator.",
            text(&link, "url")
        )
    })?;
    Ok(Exit::Done)
}
