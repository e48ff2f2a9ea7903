//! Tests of the body that goes upstream: what changes, and that nothing else does.

use bytes::Bytes;
use domain::Endpoint;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{read_request, upstream_body};

fn sent(body: &str, model: &str) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let facts = read_request(Endpoint::ChatCompletions, &body).unwrap();
    let sent = upstream_body(&body, &facts, model);
    String::from_utf8(sent.to_vec()).unwrap()
}

#[test]
fn only_what_must_change_changes() {
    let tail = r#""messages":[{"content":"é \u00e9"}]  }"#;
    let same = |start: &str| assert_eq!(sent(&format!("{start}{tail}"), "m"), format!("{start}{tail}"));
    same(r#"{"model":"m","#);
    same(r#"{"model":"\u006d","stream":false,"stream_options":{},"#);
    same(r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"#);
    let cases = [
        (r#"{"model" :"m" ,"#, r#"{"model" :"other\"1" ,"#),
        (r#"{ "stream":true,"model":"m","#, r#"{"stream_options":{"include_usage":true}, "stream":true,"model":"other\"1","#),
        (
            r#"{"stream":true,"stream_options":null,"model":"m","#,
            r#"{"stream":true,"stream_options":{"include_usage":true},"model":"other\"1","#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{ },"#,
            r#"{"model":"other\"1","stream":true,"stream_options":{"include_usage":true },"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{ "x":1},"#,
            r#"{"model":"other\"1","stream":true,"stream_options":{"include_usage":true, "x":1},"#,
        ),
        (
            r#"{"stream_options":{"x":1, "include_usage" : false},"stream":true,"model":"m","#,
            r#"{"stream_options":{"x":1, "include_usage" : true},"stream":true,"model":"other\"1","#,
        ),
        (
            r#"{"stream_options":{"include_usage":null},"stream":true,"model":"m","#,
            r#"{"stream_options":{"include_usage":true},"stream":true,"model":"other\"1","#,
        ),
    ];
    for (before, after) in cases {
        assert_eq!(sent(&format!("{before}{tail}"), "other\"1"), format!("{after}{tail}"));
    }
}

#[test]
fn an_unchanged_body_is_the_same_buffer() {
    let body = Bytes::from_static(br#"{"model":"m","messages":[{}]}"#);
    let facts = read_request(Endpoint::ChatCompletions, &body).unwrap();
    assert_eq!(upstream_body(&body, &facts, "m").as_ptr(), body.as_ptr());
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// The members of a request in any order, with any others among them.
fn any_members() -> impl Strategy<Value = Vec<(String, Value)>> {
    let options = prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!({"include_usage": false, "y": [1]})),
        Just(json!({"include_usage": true})),
        Just(json!({"include_usage": null})),
        Just(json!({"x": {"include_usage": false}})),
    ];
    let others = proptest::collection::btree_map("[a-z]{3,4}", any_value(), 0..4);
    let parts = ("\\PC{1,9}", any::<Option<bool>>(), proptest::option::of(options), others, any_value());
    let members = parts.prop_map(|(model, stream, options, others, content)| {
        let mut members =
            vec![("model".to_owned(), Value::from(model)), ("messages".to_owned(), json!([{"role": "user", "content": content}]))];
        members.extend(stream.map(|stream| ("stream".to_owned(), Value::from(stream))));
        members.extend(options.map(|options| ("stream_options".to_owned(), options)));
        members.extend(others);
        members
    });
    members.prop_shuffle()
}

/// Writes each member as JSON, with white space and escapes by style.
fn written(members: &[(String, Value)], style: u8) -> Vec<String> {
    let gap = if style & 1 == 0 { "" } else { " \n" };
    let escaped = |name: &str| name.chars().map(|c| format!("\\u{:04x}", c as u32)).collect::<String>();
    let name = |name: &str| if style & 2 == 0 { name.to_owned() } else { escaped(name) };
    let value = |value: &Value| if style & 4 == 0 { value.to_string() } else { serde_json::to_string_pretty(value).unwrap() };
    members.iter().map(|(key, v)| format!("{gap}\"{}\"{gap}:{gap}{}{gap}", name(key), value(v))).collect()
}

proptest! {
    #[test]
    fn it_differs_only_where_it_must(members in any_members(), style in 0_u8..8, renamed in any::<bool>()) {
        let written = written(&members, style);
        let body = Bytes::from(format!("{{{}}}", written.join(",")));
        let facts = read_request(Endpoint::ChatCompletions, &body).unwrap();
        let model = if renamed { "at/provider".to_owned() } else { facts.model.clone() };
        let sent = upstream_body(&body, &facts, &model);

        let mut expected: Value = serde_json::from_slice(&body).unwrap();
        expected["model"] = Value::from(model);
        if facts.stream {
            if expected["stream_options"].is_null() {
                expected["stream_options"] = json!({});
            }
            expected["stream_options"]["include_usage"] = Value::from(true);
        }
        prop_assert_eq!(serde_json::from_slice::<Value>(&sent).unwrap(), expected);
        prop_assert!(read_request(Endpoint::ChatCompletions, &sent).is_ok());

        let mut rest = std::str::from_utf8(&sent).unwrap();
        for ((name, _), text) in members.iter().zip(&written) {
            if !["model", "stream_options"].contains(&name.as_str()) {
                let at = rest.find(text.as_str());
                prop_assert!(at.is_some(), "{} is not in {}", text, rest);
                rest = &rest[at.unwrap() + text.len()..];
            }
        }
        if !facts.stream && !renamed {
            prop_assert_eq!(&sent, &body);
        }
    }
}
