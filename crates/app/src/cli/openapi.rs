//! `tidegate openapi`: the control API's document, without a server.

use super::Exit;
use super::output::Output;

pub(crate) fn run(output: &mut Output<'_>) -> anyhow::Result<Exit> {
    let document = serde_json::to_value(control::openapi())?;
    let text = serde_json::to_string_pretty(&document)?;
    output.say(&document, || text)?;
    Ok(Exit::Done)
}
