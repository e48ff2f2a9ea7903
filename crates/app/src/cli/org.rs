//! `tidegate org`: organisations.

use http::Method;
use serde_json::{Map, Value, json};

use super::Exit;
use super::args::OrgCommand;
use super::client::{Client, encode};
use super::output::{Output, plain, text};
use super::row;
use super::table::Table;

pub(crate) async fn run(command: OrgCommand, client: &Client, output: &mut Output<'_>) -> anyhow::Result<Exit> {
    match command {
        OrgCommand::Create { name, plan } => {
            let org = client.send(Method::POST, "/orgs", &json!({ "name": name, "plan": plan })).await?;
            output.say(&org, || format!("made {} ({}) on plan {}", text(&org, "id"), text(&org, "name"), text(&org, "plan")))?;
        }
        OrgCommand::List { query } => {
            let path = query.map_or_else(|| "/orgs".into(), |q| format!("/orgs?q={}", encode(&q)));
            output.list(&client.all(&path).await?, "no organisations yet: tidegate org create NAME --plan PLAN", |orgs| {
                orgs.iter().fold(Table::new(["id", "name", "plan", "created"]), |table, org| {
                    table.row(["id", "name", "plan", "created"].map(|member| text(org, member)))
                })
            })?;
        }
        OrgCommand::Show { id } => {
            let org = client.get(&path_of(client, &id, "").await?).await?;
            output.say(&org, || shown(&org))?;
        }
        OrgCommand::SetPlan { id, plan } => {
            let org = client.send(Method::PATCH, &path_of(client, &id, "").await?, &json!({ "plan": plan })).await?;
            output.say(&org, || {
                format!("{} ({}) is on plan {} from the next request on", text(&org, "id"), text(&org, "name"), text(&org, "plan"))
            })?;
        }
        OrgCommand::Limits { id, rows, clear } => limits(client, &id, rows, clear, output).await?,
    }
    Ok(Exit::Done)
}

async fn path_of(client: &Client, id: &str, rest: &str) -> anyhow::Result<String> {
    Ok(format!("/orgs/{}{rest}", encode(&client.org_id(id).await?)))
}

async fn limits(client: &Client, id: &str, rows: Vec<String>, clear: bool, output: &mut Output<'_>) -> anyhow::Result<()> {
    let path = path_of(client, id, "/limits").await?;
    if clear || !rows.is_empty() {
        let rows = rows.iter().map(|text| row::parse(text)).collect::<Result<Vec<_>, _>>()?;
        client.send(Method::PUT, &path, &Value::Array(rows)).await?;
    }
    let pools = client.all(&path).await?;
    output.list(&pools, "no pool: its plan admits nothing until it has custom limits", |pools| {
        let header = ["pool", "kind", "window_seconds", "limit", "used", "held", "remaining", "resets_at", "source"];
        let members = header;
        pools.iter().fold(
            Table::new(header.map(|h| match h {
                "window_seconds" => "window s",
                "resets_at" => "resets at",
                other => other,
            })),
            |table, pool| table.row(members.map(|member| text(pool, member))),
        )
    })
}

fn shown(org: &Value) -> String {
    let mut said = String::new();
    for member in ["id", "name", "plan", "effective_plan", "created"] {
        said.push_str(&format!("{:<15} {}\n", member.replace('_', " "), text(org, member)));
    }
    let empty = Vec::new();
    let rows = org.get("limits").and_then(Value::as_array).unwrap_or(&empty);
    if rows.is_empty() {
        return said + "no limit row: its plan admits nothing until it has custom limits\n";
    }
    let table = rows.iter().filter_map(Value::as_object).fold(Table::new(["limits of", "numbers", "source"]), |table, row| {
        table.row([selector(row), numbers(row), row.get("source").map(plain).unwrap_or_default()])
    });
    format!("{said}\n{table}")
}

/// `category:large`, `model:ID` or `any`.
pub(crate) fn selector(row: &Map<String, Value>) -> String {
    let named = ["model", "category"].iter().find_map(|kind| row.get(*kind).map(|name| format!("{kind}:{}", plain(name))));
    named.unwrap_or_else(|| "any".into())
}

/// `rpm 45, tpm 30000`.
pub(crate) fn numbers(row: &Map<String, Value>) -> String {
    let members = ["rpm", "tpm", "rpd", "tpd", "concurrent", "window_seconds", "from", "until"];
    let known = members.iter().filter_map(|m| row.get(*m).filter(|v| !v.is_null()).map(|v| format!("{m} {}", plain(v))));
    let shadow = (row.get("enforce") == Some(&Value::Bool(false))).then(|| "only recorded".to_owned());
    let all: Vec<String> = known.chain(shadow).collect();
    if all.is_empty() { "unlimited".into() } else { all.join(", ") }
}
