//! The document as a judge of answers: which statuses an operation may have, and what their bodies look like.
//! It knows as much of JSON Schema as the document uses, and refuses the rest.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value};

/// The OpenAPI document.
pub(crate) struct Document(pub(crate) Value);

const KNOWN: [&str; 22] = [
    "$ref",
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "additionalProperties",
    "propertyNames",
    "oneOf",
    "pattern",
    "minimum",
    "maximum",
    "format",
    "description",
    "example",
    "readOnly",
    "writeOnly",
    "default",
    "deprecated",
    "title",
    "const",
    "examples",
];

impl Document {
    pub(crate) fn new() -> Self {
        Self(serde_json::to_value(control::openapi()).unwrap())
    }

    /// Every operation: method, path, and what is said of it.
    pub(crate) fn operations(&self) -> Vec<(Method, String, &Value)> {
        let paths = self.0["paths"].as_object().unwrap();
        let of = |(path, item): (&String, &'_ Value)| {
            let methods: Vec<_> = item.as_object().unwrap().keys().cloned().collect();
            methods
                .into_iter()
                .map(|method| (Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), path.clone(), method))
                .collect::<Vec<_>>()
        };
        let all = paths.iter().flat_map(of);
        all.map(|(method, path, name)| (method, path.clone(), &self.0["paths"][&path][&name])).collect()
    }

    /// Fails unless the document allows this answer.
    #[track_caller]
    pub(crate) fn check(&self, method: &Method, path: &str, status: StatusCode, body: &Value) {
        let Some(operation) = self.operation(method, path) else {
            assert!([404, 405].contains(&status.as_u16()), "{method} {path} is not in the document, yet answered {status}");
            return self.validate(body, "#/components/schemas/Error");
        };
        let response = &operation["responses"][status.as_str()];
        assert!(response.is_object(), "{method} {path} answered {status}, which is not in the document: {body:#}");
        let schema = &response["content"]["application/json"]["schema"];
        match schema {
            Value::Null => assert!(body.is_null(), "{method} {path}: {status} has no body in the document, yet {body:#}"),
            schema => self.conforms(body, schema, "body").unwrap_or_else(|fault| panic!("{method} {path} {status}: {fault}: {body:#}")),
        }
    }

    /// Fails unless the document says that this may be answered with a page.
    #[track_caller]
    pub(crate) fn check_page(&self, method: &Method, path: &str, status: StatusCode) {
        let operation = self.operation(method, path).unwrap_or_else(|| panic!("{method} {path} is not in the document"));
        let content = &operation["responses"][status.as_str()]["content"]["text/html"];
        assert!(content.is_object(), "{method} {path} answered {status} with a page, which is not in the document");
    }

    #[track_caller]
    fn validate(&self, body: &Value, reference: &str) {
        let schema = Value::Object(Map::from_iter([("$ref".into(), reference.into())]));
        self.conforms(body, &schema, "body").unwrap_or_else(|fault| panic!("{fault}: {body:#}"));
    }

    /// What is said of an operation.
    pub(crate) fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let fits = |template: &str| {
            let (mut wanted, mut given) = (template.split('/'), path.split('/'));
            let raw_model =
                template == "/api/v1/models/{id}" && path.starts_with("/api/v1/models/") && path.len() > "/api/v1/models/".len();
            let same = template.split('/').count() == path.split('/').count();
            raw_model || (same && wanted.all(|w| given.next().is_some_and(|g| w == g || (w.starts_with('{') && !g.is_empty()))))
        };
        let item = self.0["paths"].as_object()?.iter().find(|(template, _)| fits(template))?.1;
        item.get(method.as_str().to_lowercase())
    }

    /// Whether a value is what a schema says.
    pub(crate) fn conforms(&self, value: &Value, schema: &Value, at: &str) -> Result<(), String> {
        let Some(schema) = schema.as_object() else { return Err(format!("{at}: {schema} is no schema")) };
        if let Some(unknown) = schema.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(format!("{at}: the judge does not know {unknown}"));
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.0.pointer(reference.trim_start_matches('#')).ok_or(format!("{at}: {reference} leads nowhere"))?;
            return self.conforms(value, target, at);
        }
        if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
            let fitting = choices.iter().filter(|choice| self.conforms(value, choice, at).is_ok()).count();
            return if fitting == 1 { Ok(()) } else { Err(format!("{at}: {value} fits {fitting} of oneOf")) };
        }
        self.typed(value, schema, at)?;
        match value {
            Value::Object(members) => self.members(members, schema, at),
            Value::Array(entries) => match schema.get("items") {
                Some(items) => entries.iter().enumerate().try_for_each(|(i, entry)| self.conforms(entry, items, &format!("{at}[{i}]"))),
                None => Ok(()),
            },
            Value::String(text) if schema.get("format").is_some_and(|format| format == "date-time") => {
                let utc = text.ends_with('Z') && text.parse::<domain::UnixMicros>().is_ok();
                if utc { Ok(()) } else { Err(format!("{at}: {text} is not a time in UTC")) }
            }
            _ => Ok(()),
        }
    }

    fn typed(&self, value: &Value, schema: &Map<String, Value>, at: &str) -> Result<(), String> {
        let is = |name: &str| match name {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{at}: the judge does not know the type {other}"),
        };
        let fits = match schema.get("type") {
            None => true,
            Some(Value::Array(names)) => names.iter().any(|name| is(name.as_str().unwrap())),
            Some(name) => is(name.as_str().unwrap()),
        };
        let chosen = schema.get("enum").and_then(Value::as_array).is_none_or(|choices| choices.contains(value));
        if fits && chosen { Ok(()) } else { Err(format!("{at}: {value} is not {}", Value::Object(schema.clone()))) }
    }

    fn members(&self, members: &Map<String, Value>, schema: &Map<String, Value>, at: &str) -> Result<(), String> {
        let none = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        if let Some(missing) = required.filter_map(Value::as_str).find(|name| !members.contains_key(*name)) {
            return Err(format!("{at}.{missing} is missing"));
        }
        for (name, member) in members {
            match (known.get(name), known.is_empty()) {
                (Some(schema), _) => self.conforms(member, schema, &format!("{at}.{name}"))?,
                (None, true) => {}
                (None, false) => return Err(format!("{at}.{name} is not in the document")),
            }
        }
        Ok(())
    }

    /// Every `$ref` of the document with the place it leads to.
    pub(crate) fn references(&self) -> BTreeMap<String, bool> {
        let mut found = BTreeMap::new();
        collect(&self.0, &mut |reference| {
            found.insert(reference.to_owned(), self.0.pointer(reference.trim_start_matches('#')).is_some());
        });
        found
    }
}

fn collect(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                found(reference);
            }
            members.values().for_each(|member| collect(member, found));
        }
        Value::Array(entries) => entries.iter().for_each(|entry| collect(entry, found)),
        _ => {}
    }
}
