//! The OpenAPI document as a page for people: operations by their tag, and the schemas. It knows as much of the document as this API uses.

use std::sync::OnceLock;

use serde_json::Value;

/// The page, made for the first who asks.
pub(super) fn page() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| written(&serde_json::to_value(crate::openapi()).unwrap_or_default()))
}

fn written(document: &Value) -> String {
    let title = escaped(&document["info"]["title"]);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"../../pages/pages.css\">\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{}</p>\n\
         <p>For programs: <a href=\"openapi.json\">openapi.json</a>.</p>\n",
        escaped(&document["info"]["description"])
    );
    for tag in entries(&document["tags"]) {
        page.push_str(&format!("<h2>{}</h2>\n<p>{}.</p>\n", escaped(&tag["name"]), escaped(&tag["description"])));
        for (path, method, operation) in operations(document) {
            if entries(&operation["tags"]).contains(&tag["name"]) {
                put_operation(&mut page, path, method, operation);
            }
        }
    }
    page.push_str("<h2>Schemas</h2>\n");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let name = escaped(name);
        page.push_str(&format!(
            "<details id=\"{name}\"><summary><code>{name}</code></summary>\n<p>{}</p>\n",
            escaped(&schema["description"])
        ));
        put_schema(&mut page, schema);
        page.push_str("</details>\n");
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    members(&document["paths"]).flat_map(|(path, item)| members(item).map(move |(method, operation)| (path, method, operation)))
}

fn put_operation(page: &mut String, path: &str, method: &str, operation: &Value) {
    page.push_str(&format!(
        "<details id=\"{}\"><summary><code>{} {}</code> {}</summary>\n<p>{}</p>\n<p>{}</p>\n",
        escaped(&operation["operationId"]),
        method.to_uppercase(),
        escaped(path),
        escaped(&operation["summary"]),
        escaped(&operation["description"]),
        who(operation)
    ));
    let parameters = entries(&operation["parameters"]);
    if !parameters.is_empty() {
        page.push_str("<table><tr><th>Parameter</th><th>In</th><th>Type</th><th>What</th></tr>\n");
        for parameter in parameters {
            put_row(
                page,
                &[&code(&parameter["name"]), &escaped(&parameter["in"]), &kind(&parameter["schema"]), &escaped(&parameter["description"])],
            );
        }
        page.push_str("</table>\n");
    }
    for (media, content) in members(&operation["requestBody"]["content"]) {
        page.push_str(&format!("<p>Body ({}): {}</p>\n", escaped(media), kind(&content["schema"])));
    }
    page.push_str("<table><tr><th>Status</th><th>Body</th><th>When</th></tr>\n");
    for (status, response) in members(&operation["responses"]) {
        let bodies: Vec<_> = members(&response["content"]).map(|(_, content)| kind(&content["schema"])).collect();
        put_row(page, &[&escaped(status), &bodies.join(", "), &escaped(&response["description"])]);
    }
    page.push_str("</table>\n</details>\n");
}

/// Who may call.
fn who(operation: &Value) -> String {
    let ways: Vec<_> = entries(&operation["security"]).iter().flat_map(members).map(|(way, _)| way.as_str()).collect();
    match (&operation["security"], &operation["x-role"]) {
        (Value::Null, _) => "For operators.".into(),
        (_, Value::String(role)) => format!("For members from the role {} on, and operators.", escaped(role)),
        (_, _) if ways.is_empty() => "For everybody.".into(),
        (_, _) if !ways.contains(&"session") => "For operators.".into(),
        (_, _) => "For whoever is logged in.".into(),
    }
}

fn put_schema(page: &mut String, schema: &Value) {
    let required = entries(&schema["required"]);
    let mut rows = members(&schema["properties"]).peekable();
    if rows.peek().is_none() {
        page.push_str(&format!("<p>{}</p>\n", kind(schema)));
        return;
    }
    page.push_str("<table><tr><th>Member</th><th>Type</th><th>What</th></tr>\n");
    for (name, member) in rows {
        let needed = if required.iter().any(|one| one == name) { " (always)" } else { "" };
        put_row(page, &[&format!("{}{needed}", code(name)), &kind(member), &escaped(&member["description"])]);
    }
    page.push_str("</table>\n");
}

fn put_row(page: &mut String, cells: &[&str]) {
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    page.push_str(&format!("<tr>{cells}</tr>\n"));
}

/// A schema's type in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#{0}\">{0}</a>", escaped(name));
    }
    let choices = entries(&schema["oneOf"]);
    if !choices.is_empty() {
        let mut choices: Vec<_> = choices.iter().map(kind_of_choice).collect();
        choices.dedup();
        return choices.join(" or ");
    }
    let named = entries(&schema["enum"]);
    if !named.is_empty() {
        return named.iter().map(code).collect::<Vec<_>>().join(", ");
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().map(escaped).collect::<Vec<_>>().join(" or "),
        one => escaped(one),
    };
    let format = schema["format"].as_str().map(|format| format!(" ({})", escaped(format))).unwrap_or_default();
    if schema["items"].is_object() { format!("{types} of {}", kind(&schema["items"])) } else { format!("{types}{format}") }
}

/// One of several schemas: what tells it apart where it is a constant.
fn kind_of_choice(choice: &Value) -> String {
    if choice["const"].is_null() { kind(choice) } else { code(&choice["const"]) }
}

fn entries(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn code(text: impl Text) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// What may be a text.
trait Text {
    /// The text, where it is one.
    fn text(&self) -> &str;
}

impl Text for &Value {
    fn text(&self) -> &str {
        self.as_str().unwrap_or_default()
    }
}

impl Text for &String {
    fn text(&self) -> &str {
        self
    }
}

impl Text for &str {
    fn text(&self) -> &str {
        self
    }
}

fn escaped(text: impl Text) -> String {
    super::escaped(text.text())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_operation_and_schema_is_on_the_page_and_every_link_leads_somewhere() {
        let document = serde_json::to_value(crate::openapi()).unwrap();
        let page = written(&document);
        for (path, method, operation) in operations(&document) {
            assert!(page.contains(&format!("<code>{} {path}</code>", method.to_uppercase())), "{method} {path}");
            assert!(page.contains(&format!("id=\"{}\"", operation["operationId"].as_str().unwrap())));
        }
        for (name, _) in members(&document["components"]["schemas"]) {
            assert!(page.contains(&format!("<details id=\"{name}\">")), "{name}");
        }
        for link in page.split("href=\"#").skip(1) {
            let target = link.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"{target}\"")), "{target}");
        }
        for elsewhere in [" src=", "href=\"http", "href=\"//", "url("] {
            assert!(!page.contains(elsewhere), "nothing comes from elsewhere");
        }
    }

    #[test]
    fn a_document_is_text_and_never_markup() {
        let evil = "<script>alert('x')</script>\"&";
        let document = json!({
            "info": {"title": evil, "description": evil},
            "tags": [{"name": evil, "description": evil}],
            "paths": {evil: {"get": {
                "tags": [evil], "operationId": evil, "summary": evil, "description": evil, "x-role": evil, "security": [{evil: []}],
                "parameters": [{"name": evil, "in": evil, "description": evil, "schema": {"type": evil, "format": evil}}],
                "requestBody": {"content": {evil: {"schema": {"$ref": evil}}}},
                "responses": {evil: {"description": evil, "content": {evil: {"schema": {"enum": [evil]}}}}}
            }}},
            "components": {"schemas": {evil: {"description": evil, "required": [evil], "properties": {evil: {"description": evil, "oneOf": [{"const": evil}]}}}}}
        });
        let page = written(&document);
        assert!(!page.contains("<script") && !page.contains("alert('") && page.contains("&lt;script&gt;"), "{page}");
    }
}
