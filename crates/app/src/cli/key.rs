//! `tidegate key`: API keys.

use http::Method;
use serde_json::{Value, json};

use super::Exit;
use super::args::KeyCommand;
use super::client::{Client, encode};
use super::output::{Output, text};
use super::table::Table;

pub(crate) async fn run(command: KeyCommand, client: &Client, output: &mut Output<'_>) -> anyhow::Result<Exit> {
    match command {
        KeyCommand::Create { org, name, expires, models, rpm, tpm } => {
            let models = (!models.is_empty()).then_some(models);
            let wanted = json!({ "name": name, "expires": expires, "models": models, "rpm": rpm, "tpm": tpm });
            let wanted: Value =
                wanted.as_object().into_iter().flatten().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
            let key = client.send(Method::POST, &keys_of(client, &org).await?, &wanted).await?;
            output.say(&key, || {
                format!("{}\n\nmade {} ({}); the key is shown this once", text(&key, "key"), text(&key, "id"), text(&key, "name"))
            })?;
        }
        KeyCommand::List { org } => {
            let keys = client.all(&keys_of(client, &org).await?).await?;
            output.list(&keys, "no keys yet: tidegate key create --org ID", |keys| {
                keys.iter().fold(Table::new(["id", "name", "key", "created", "expires", "revoked"]), |table, key| {
                    let prefix = format!("{}…", text(key, "prefix"));
                    table.row([
                        text(key, "id"),
                        text(key, "name"),
                        prefix,
                        text(key, "created"),
                        text(key, "expires"),
                        text(key, "revoked"),
                    ])
                })
            })?;
        }
        KeyCommand::Revoke { key, org } => {
            client.delete(&format!("{}/{}", keys_of(client, &org).await?, encode(&key))).await?;
            output.say(&json!({ "id": key, "revoked": true }), || format!("{key} is refused from the next request on"))?;
        }
    }
    Ok(Exit::Done)
}

async fn keys_of(client: &Client, org: &str) -> anyhow::Result<String> {
    Ok(format!("/orgs/{}/keys", encode(&client.org_id(org).await?)))
}
