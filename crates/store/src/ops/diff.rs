//! What changes between two sets of definitions, for people and for the audit log. Secrets never show.

use std::fmt;

use domain::{LimitRow, Model, Plan, Provider};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::definitions::{Definitions, Entries, Named};
use crate::directory::Credentials;
use crate::{CredentialKind, Origin};

/// What happens to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeAction {
    /// It is new.
    Create,
    /// Some of its fields change.
    Update,
    /// It is deleted.
    Delete,
}

impl ChangeAction {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What happens to one entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// `provider`, `model` or `plan`.
    pub kind: &'static str,
    /// Its name or id.
    pub name: String,
    /// What happens.
    pub action: ChangeAction,
    /// The fields that change; empty unless it is updated.
    pub fields: Vec<FieldChange>,
}

/// A field that changes. Secrets show as `(secret)`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Its path, such as `limits.category:large.rpm`.
    pub path: String,
    /// What it was; `null`: absent.
    pub before: Value,
    /// What it becomes; `null`: absent.
    pub after: Value,
}

/// All that changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diff {
    /// One element an entry: providers first, then models, then plans.
    pub changes: Vec<Change>,
}

impl Diff {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn count(&self, action: ChangeAction) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }
}

/// One line an entry and one a field, then a count; `Nothing to change.` where there is nothing.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("Nothing to change.");
        }
        for change in &self.changes {
            let mark = match change.action {
                ChangeAction::Create => '+',
                ChangeAction::Update => '~',
                ChangeAction::Delete => '-',
            };
            writeln!(f, "{mark} {} {}", change.kind, change.name)?;
            for field in &change.fields {
                writeln!(f, "    {}: {} -> {}", field.path, shown(&field.before), shown(&field.after))?;
            }
        }
        let [added, changed, deleted] = [ChangeAction::Create, ChangeAction::Update, ChangeAction::Delete].map(|action| self.count(action));
        write!(f, "{added} to add, {changed} to change, {deleted} to delete.")
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() { "(none)".into() } else { value.to_string() }
}

/// One side of a comparison.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) definitions: &'a Definitions,
    pub(crate) credentials: &'a Credentials,
}

pub(crate) fn between(before: Side<'_>, after: Side<'_>) -> Diff {
    let (old, new) = (before.definitions, after.definitions);
    let mut changes = Vec::new();
    of_kind("provider", &old.providers, &new.providers, &mut changes, |provider, is_after| {
        provider_fields(provider, if is_after { after.credentials } else { before.credentials })
    });
    of_kind("model", &old.models, &new.models, &mut changes, |model, _| model_fields(model));
    of_kind("plan", &old.plans, &new.plans, &mut changes, |plan, _| plan_fields(plan));
    for change in &mut changes {
        change.fields.iter_mut().filter(|field| is_secret(&field.path)).for_each(hide);
    }
    Diff { changes }
}

fn of_kind<T: Named + Clone>(
    kind: &'static str,
    old: &Entries<T>,
    new: &Entries<T>,
    changes: &mut Vec<Change>,
    fields: impl Fn(&T, bool) -> Value,
) {
    let change = |name: &str, action, fields| Change { kind, name: name.into(), action, fields };
    for entry in &new.0 {
        let name = entry.item.name();
        let Some(was) = old.get(name) else {
            changes.push(change(name, ChangeAction::Create, Vec::new()));
            continue;
        };
        let mut found = Vec::new();
        compare("", &fields(&was.item, false), &fields(&entry.item, true), &mut found);
        if was.origin != entry.origin {
            let side = |origin: Origin| json!(origin);
            found.push(FieldChange { path: "origin".into(), before: side(was.origin), after: side(entry.origin) });
        }
        if !found.is_empty() {
            changes.push(change(name, ChangeAction::Update, found));
        }
    }
    let gone = old.0.iter().map(|entry| entry.item.name()).filter(|name| new.get(name).is_none());
    changes.extend(gone.map(|name| change(name, ChangeAction::Delete, Vec::new())));
}

/// A provider's fields; its credentials among them, by their ids, where they are kept in the database.
fn provider_fields(provider: &Provider, credentials: &Credentials) -> Value {
    let mut fields = object(provider);
    let all = credentials.get(&provider.name).into_iter().flatten();
    let stored = all.filter(|credential| credential.kind == CredentialKind::Stored);
    let stored: Map<_, _> = stored.map(|credential| (credential.id.to_string(), Value::from("(secret)"))).collect();
    fields.insert("api_key".into(), stored.into());
    fields.into()
}

fn is_secret(path: &str) -> bool {
    path == "headers" || path.starts_with("headers.")
}

fn hide(field: &mut FieldChange) {
    for value in [&mut field.before, &mut field.after] {
        if !value.is_null() {
            *value = "(secret)".into();
        }
    }
}

/// A model's fields, its targets by where they lead.
fn model_fields(model: &Model) -> Value {
    let mut fields = object(model);
    let targets = model.targets.iter().map(|target| {
        let path = format!("{}/{}", target.provider, target.model.as_deref().unwrap_or(model.id.as_str()));
        (path, json!({"priority": target.priority, "weight": target.weight}))
    });
    fields.insert("targets".into(), targets.collect::<Map<_, _>>().into());
    fields.into()
}

/// A plan's fields, its rows by selector.
fn plan_fields(plan: &Plan) -> Value {
    let mut fields = object(plan);
    let row = |row: &LimitRow| (row.selector.to_string(), Value::from(object(row)));
    fields.insert("limits".into(), plan.limits.iter().map(row).collect::<Map<_, _>>().into());
    fields.into()
}

fn object<T: Serialize>(item: &T) -> Map<String, Value> {
    match serde_json::to_value(item) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::new(),
    }
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<FieldChange>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let gone = old.keys().filter(|name| !new.contains_key(*name));
            for name in new.keys().chain(gone) {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&inner, old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null), found);
            }
        }
        (before, after) if before != after => {
            found.push(FieldChange { path: path.into(), before: before.clone(), after: after.clone() });
        }
        (_, _) => {}
    }
}
