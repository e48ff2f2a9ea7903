//! Tests of reading requests: what is read, and how each fault is told.

use super::*;
use Endpoint::{ChatCompletions, Completions, Embeddings};

fn chat(body: &str) -> Result<RequestFacts, RequestFault> {
    read_request(ChatCompletions, body.as_bytes())
}

/// A chat request with these further members.
fn with(members: &str) -> Result<RequestFacts, RequestFault> {
    chat(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{members}}}"#))
}

fn fault_of(members: &str) -> String {
    with(members).unwrap_err().to_string()
}

#[test]
fn everything_the_gateway_needs_is_read() {
    let body = r#"{ "model" : "gpt\u002d4o", "messages": [ {"role":"system","content":"s"}, {"role":"user","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"data:..."}}]} ],
      "stream":true, "stream_options":{"include_usage":false,"x":1}, "max_tokens":7, "max_completion_tokens":null, "n":3, "tools":[{}], "unknown":{"model":"other"} }"#;
    let facts = chat(body).unwrap();
    assert_eq!((facts.model.as_str(), &body[facts.model_span.clone()]), ("gpt-4o", r#""gpt\u002d4o""#));
    assert_eq!((facts.stream, facts.include_usage, facts.max_output, facts.choices), (true, Some(false), Some(7), 3));
    assert_eq!((facts.messages, facts.media, facts.has_tools), (2, 1, true));
    assert_eq!(facts.media_tokens, crate::caps::TOKENS_PER_IMAGE);
}

#[test]
fn absent_and_null_members_have_their_defaults() {
    for members in [r#""a":1"#, r#""stream":null,"stream_options":null,"max_tokens":null,"n":null,"tools":null"#] {
        let facts = with(members).unwrap();
        assert_eq!((facts.stream, facts.include_usage, facts.max_output, facts.choices, facts.has_tools), (false, None, None, 1, false));
    }
    assert_eq!(with(r#""stream_options":{"include_usage":null}"#).unwrap().include_usage, None);
}

#[test]
fn the_larger_maximum_is_held() {
    assert_eq!(with(r#""max_tokens":5,"max_completion_tokens":9"#).unwrap().max_output, Some(9));
    assert_eq!(with(r#""max_completion_tokens":1,"max_tokens":100"#).unwrap().max_output, Some(100));
}

#[test]
fn completions_and_embeddings_count_their_texts() {
    let items = |endpoint, name, value: &str, more: &str| {
        let facts = read_request(endpoint, format!(r#"{{"model":"m","{name}":{value}{more}}}"#).as_bytes()).unwrap();
        (facts.messages, facts.choices)
    };
    for (value, texts) in [(r#""hi""#, 1), (r#"["a","b"]"#, 2), ("[1,2,3]", 1), ("[[1,2],[3],[4]]", 3)] {
        assert_eq!(items(Completions, "prompt", value, ""), (texts, texts), "{value}");
        assert_eq!(items(Completions, "prompt", value, r#","n":2,"best_of":4"#), (texts, 4 * texts), "{value}");
        assert_eq!(items(Embeddings, "input", value, r#","n":2"#), (texts, 0), "{value}");
    }
}

#[test]
fn embeddings_never_stream_and_ignore_what_only_generation_knows() {
    let facts = read_request(Embeddings, br#"{"model":"m","input":"x","stream":true,"max_tokens":"many"}"#).unwrap();
    assert_eq!((facts.stream, facts.max_output), (false, None));
}

#[test]
fn what_is_not_json_is_told_with_its_place() {
    let told = |body: &str| chat(body).unwrap_err().to_string();
    assert_eq!(told(""), "the body is not valid JSON at line 1, column 1: it is empty");
    assert_eq!(told("hello"), "the body is not valid JSON at line 1, column 1: a value was expected");
    assert_eq!(
        told("{\n  \"model\": \"m\",\n}"),
        "the body is not valid JSON at line 3, column 1: a member's name in double quotes was expected"
    );
    assert_eq!(told(r#"{"model":"m","messages":[{"role":"us"#), "the body is not valid JSON at line 1, column 37: it ends inside a string");
    assert_eq!(told(r#"{"model":"m""#), "the body is not valid JSON at line 1, column 13: it ends too early");
    assert_eq!(told("{}x"), "the body is not valid JSON at line 1, column 3: something follows after the end");
    assert_eq!(
        told("\u{feff}{}"),
        "the body is not valid JSON at line 1, column 1: it starts with a byte order mark, which JSON does not allow"
    );
    assert_eq!(told("[1]"), "`body` must be a JSON object, but an array was found at line 1, column 1");
    assert_eq!(chat("[1]").unwrap_err().param(), None);
    let utf16: Vec<u8> = r#"{"model":"m"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(matches!(read_request(ChatCompletions, &utf16), Err(RequestFault::NotJson { .. })));
}

#[test]
fn bad_utf8_and_deep_nesting_are_told_apart() {
    let fault = read_request(ChatCompletions, b"{\"model\":\"\xff\"}").unwrap_err();
    assert_eq!(fault.to_string(), "the body is not valid UTF-8 at line 1, column 11");
    let deep = format!(r#"{{"model":"m","messages":{}"#, "[".repeat(1_000_000));
    assert_eq!(chat(&deep).unwrap_err().to_string(), "`messages` must be an array of objects, but an array was found at line 1, column 26");
    let deep = format!(r#"{{"model":"m","x":{}"#, "[".repeat(1_000_000));
    assert_eq!(
        chat(&deep).unwrap_err().to_string(),
        "the body is nested too deeply at line 1, column 145: at most 128 levels are accepted"
    );
    let deep = format!(r#"{{"model":"m","messages":[{{"content":{}"#, r#"{"a":"#.repeat(1_000_000));
    assert!(matches!(chat(&deep), Err(RequestFault::TooDeep { .. })));
}

#[test]
fn a_missing_or_unusable_model_is_told() {
    let of = |model: &str| chat(&format!(r#"{{{model}"messages":[{{}}]}}"#)).unwrap_err();
    assert_eq!(of(""), RequestFault::NoModel);
    assert_eq!(of(r#""model":null,"#), RequestFault::NoModel);
    assert_eq!(of(r#""model":"","#), RequestFault::EmptyModel);
    assert_eq!(of(r#""model":7,"#).to_string(), "`model` must be a string, the model's name, but a number was found at line 1, column 10");
    assert_eq!(
        of(r#""model":"a\ud800b","#).to_string(),
        "`model` must be a string, the model's name, but half of a surrogate pair was found at line 1, column 10"
    );
    assert_eq!(of(r#""model":7,"#).param(), Some("model"));
}

#[test]
fn wrong_types_name_the_member_and_what_it_must_be() {
    assert_eq!(fault_of(r#""stream":"yes""#), "`stream` must be true or false, but a string was found at line 1, column 67");
    assert_eq!(fault_of(r#""stream":1"#), "`stream` must be true or false, but a number was found at line 1, column 67");
    assert_eq!(fault_of(r#""stream_options":true"#), "`stream_options` must be an object, but a boolean was found at line 1, column 75");
    assert_eq!(
        fault_of(r#""stream_options":{"include_usage":1}"#),
        "`stream_options.include_usage` must be true or false, but a number was found at line 1, column 92"
    );
    assert_eq!(
        fault_of(r#""max_tokens":-1"#),
        "`max_tokens` must be a whole number, 0 or more, but a negative number was found at line 1, column 71"
    );
    assert_eq!(
        fault_of(r#""max_tokens":1.5"#),
        "`max_tokens` must be a whole number, 0 or more, but a number that isn't written as a whole one was found at line 1, column 71"
    );
    assert_eq!(
        fault_of(r#""max_completion_tokens":"9""#),
        "`max_completion_tokens` must be a whole number, 0 or more, but a string was found at line 1, column 82"
    );
    assert_eq!(fault_of(r#""n":0"#), "`n` must be a whole number, 1 or more, but 0 was found at line 1, column 62");
    assert!(fault_of(r#""n":99999999999999999999"#).contains("a number that is too large"));
    assert!(fault_of(r#""max_tokens":1e9"#).contains("isn't written as a whole one"));
    assert_eq!(with(r#""max_tokens":"9""#).unwrap_err().param(), Some("max_tokens"));
}

#[test]
fn a_request_must_carry_something() {
    let told = |endpoint, members: &str| read_request(endpoint, format!(r#"{{"model":"m"{members}}}"#).as_bytes()).unwrap_err();
    for members in ["", r#","messages":null"#, r#","messages":[]"#] {
        let fault = told(ChatCompletions, members);
        assert_eq!(
            (fault.to_string().as_str(), fault.param()),
            ("`messages` is missing or empty: it must be an array of messages, at least one", Some("messages"))
        );
    }
    for (endpoint, name) in [(Completions, "prompt"), (Embeddings, "input")] {
        for value in ["null", r#""""#, "[]"] {
            assert_eq!(told(endpoint, &format!(r#","{name}":{value}"#)).param(), Some(name), "{value}");
        }
        assert!(matches!(told(endpoint, ""), RequestFault::Missing { .. }));
        assert!(matches!(told(endpoint, &format!(r#","{name}":{{}}"#)), RequestFault::WrongType { .. }));
        assert!(matches!(told(endpoint, &format!(r#","{name}":[true]"#)), RequestFault::WrongType { .. }));
    }
    assert!(matches!(told(ChatCompletions, r#","messages":"hi""#), RequestFault::WrongType { param: "messages", .. }));
    assert!(matches!(told(ChatCompletions, r#","messages":["hi"]"#), RequestFault::WrongType { param: "messages", .. }));
}

#[test]
fn a_second_name_for_a_deciding_member_is_refused() {
    for second in ["model", "mod\\u0065l", "Model", "MODEL", "mode\\u006C"] {
        let fault = with(&format!(r#""{second}":"dear""#)).unwrap_err();
        assert_eq!(fault.param(), Some("model"), "{second}: {fault}");
    }
    for (name, value) in [("stream", "true"), ("stream_options", "{}"), ("max_tokens", "1"), ("n", "1"), ("tools", "[]")] {
        let member = format!(r#""{name}":{value}"#);
        let fault = with(&format!("{member},{member}")).unwrap_err();
        assert_eq!(fault.to_string(), format!("`{name}` stands twice, the second time at line 1, column {}", 58 + member.len() + 1));
        assert_eq!(fault.param(), Some(name));
    }
    assert_eq!(
        fault_of(r#""Stream":true"#),
        "a member's name differs from `stream` only in upper and lower case at line 1, column 58: write `stream`"
    );
    assert!(matches!(with(r#""\u017Ftream":true"#), Err(RequestFault::Misspelt { param: "stream", .. })));
    assert!(matches!(with("\"max_to\u{212A}ens\":1"), Err(RequestFault::Misspelt { param: "max_tokens", .. })));
    assert!(matches!(with(r#""stream_options":{"Include_Usage":true}"#), Err(RequestFault::Misspelt { .. })));
    assert!(matches!(with(r#""stream_options":{"include_usage":true,"include_usage":false}"#), Err(RequestFault::Repeated { .. })));
    assert!(with(r#""Models":1,"modeL_":2,"metadata":{"model":"x","model":"y"}"#).is_ok());
}

#[test]
fn escaped_names_are_the_same_members() {
    let body = r#"{"mod\u0065l":"m","mess\u0061ges":[{"content":"x"}],"\u0073tream":true,"m\u0061x_tokens":3}"#;
    let facts = chat(body).unwrap();
    assert_eq!((facts.model.as_str(), facts.stream, facts.max_output), ("m", true, Some(3)));
    assert_eq!(&body[facts.model_span], r#""m""#);
}

#[test]
fn no_fault_speaks_of_rate_limits() {
    for body in ["", "[]", "{}", r#"{"model":1}"#, r#"{"model":"m"}"#, r#"{"model":"m","model":"m"}"#, r#"{"Model":"m"}"#] {
        let told = chat(body).unwrap_err().to_string();
        assert!(!told.contains("rate limit"), "{told}");
    }
}

#[test]
fn what_a_request_needs_beyond_text_is_told() {
    let needs = |rest: &str| {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"text","text":"a"}}]}}]{rest}}}"#);
        read_request(ChatCompletions, body.as_bytes()).unwrap().features.to_string()
    };
    assert_eq!(needs(""), "");
    assert_eq!(needs(r#","response_format":{"type":"text"},"tool_choice":"none""#), "");
    assert_eq!(needs(r#","response_format":null"#), "");
    assert_eq!(needs(r#","response_format":{"json_schema":{"type":"object"},"type":"json_schema"}"#), "json_schema");
    assert_eq!(needs(r#","Response_Format":{"type":"json_schema"}"#), "");
    assert_eq!(needs(r#","response_format":{"type":"json_object"},"tools":[{"type":"function"}]"#), "tools, json_object");
    let media = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}},{"type":"input_audio",
        "input_audio":{}},{"type":"file","file":{}},{"type":"video_url","video_url":{}}]}]}"#;
    let facts = read_request(ChatCompletions, media.as_bytes()).unwrap();
    assert_eq!(facts.features.to_string(), "vision, audio, video, files");
    let embedding = read_request(Embeddings, br#"{"model":"m","input":"a","response_format":{"type":"json_schema"}}"#).unwrap();
    assert!(embedding.features.is_empty());
}
