//! Tests of the relay: what passes, what changes, what is counted, and that the cuts between reads make no difference.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::tokens;
use crate::verdict::Fault;

const REQUESTED: &str = "my/model";

fn settings(strip_usage: bool) -> StreamSettings<'static> {
    StreamSettings { endpoint: Endpoint::ChatCompletions, requested_model: REQUESTED, strip_usage, tokenizer: Tokenizer::O200kBase }
}

/// What a whole stream led to.
#[derive(Debug, PartialEq)]
struct Relayed {
    out: String,
    output_tokens: u64,
    first: Option<bool>,
    end: StreamEnd,
}

/// Relays the frames, checking what must hold after each.
fn relay(settings: StreamSettings<'_>, frames: &[&[u8]], ending: Ending) -> Relayed {
    let mut reader = StreamReader::new(settings);
    let mut out = Vec::new();
    let mut before = 0;
    for frame in frames {
        let pushed = reader.push(Bytes::copy_from_slice(frame));
        assert!(pushed.output_tokens >= before && pushed.output_tokens == reader.output_tokens());
        before = pushed.output_tokens;
        out.extend_from_slice(&pushed.out);
    }
    let output_tokens = reader.output_tokens();
    let first = reader.first_event().map(|first| first == FirstEvent::Answer);
    let end = reader.finish(ending);
    out.extend_from_slice(&end.tail);
    Relayed { out: String::from_utf8(out).unwrap(), output_tokens, first, end }
}

fn relay_text(text: &str, strip_usage: bool) -> Relayed {
    relay(settings(strip_usage), &[text.as_bytes()], Ending::Whole)
}

fn chunk(model: &str, content: &str) -> String {
    let content = json_string(content);
    format!(
        r#"data: {{"id":"c1","object":"chat.completion.chunk","created":1,"model":"{model}","choices":[{{"index":0,"delta":{{"content":{content}}},"finish_reason":null}}],"usage":null}}"#
    ) + "\n\n"
}

fn usage_chunk(model: &str) -> String {
    format!(
        r#"data: {{"id":"c1","model":"{model}","choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_tokens_details":{{"cached_tokens":4}}}}}}"#
    ) + "\n\n"
}

const USAGE: TokenUsage = TokenUsage { input: 9, output: 3, cached: 4, reasoning: 0 };

#[test]
fn what_needs_no_change_passes_in_the_same_buffer() {
    let text =
        Bytes::from([chunk(REQUESTED, "Hello"), chunk(REQUESTED, " world"), usage_chunk(REQUESTED), "data: [DONE]\n\n".into()].concat());
    let mut reader = StreamReader::new(settings(false));
    let pushed = reader.push(text.clone());
    assert_eq!((pushed.out.as_ptr(), pushed.out.len(), pushed.output_tokens), (text.as_ptr(), text.len(), 2));
    assert_eq!(reader.first_event(), Some(FirstEvent::Answer));
    let end = reader.finish(Ending::Whole);
    assert_eq!((end.usage, end.saw_done, end.saw_finish, end.fault, end.tail.len()), (Some(USAGE), true, false, None, 0));
}

#[test]
fn a_partial_event_is_held_back_and_nothing_else() {
    let text = Bytes::from(chunk(REQUESTED, "a") + &chunk(REQUESTED, "b"));
    let mut reader = StreamReader::new(settings(true));
    let first = reader.push(text.slice(..text.len() - 5));
    assert_eq!((first.out.len(), first.out.as_ptr(), first.output_tokens), (text.len() / 2, text.as_ptr(), 1));
    let second = reader.push(text.slice(text.len() - 5..));
    assert_eq!((second.out, second.output_tokens), (text.slice(text.len() / 2..), 2));
}

#[test]
fn the_requested_name_stands_in_every_chunk() {
    let text = chunk("gpt-4o-2024-11-20", "a") + ": keep-alive\n\n" + &chunk(REQUESTED, "b") + &chunk("", "c") + &chunk(r"my\/model", "d");
    let expected = chunk(REQUESTED, "a") + ": keep-alive\n\n" + &chunk(REQUESTED, "b") + &chunk(REQUESTED, "c") + &chunk(r"my\/model", "d");
    assert_eq!(relay_text(&text, true).out, expected);
    let quoted = StreamSettings { requested_model: "a \"b\"", ..settings(true) };
    let out = relay(quoted, &[chunk("x", "1").as_bytes(), chunk(r#"a \"b\""#, "2").as_bytes()], Ending::Whole).out;
    assert_eq!(out, chunk(r#"a \"b\""#, "1") + &chunk(r#"a \"b\""#, "2"));
}

#[test]
fn the_usage_chunk_goes_only_if_it_was_not_asked_for() {
    let azure = r#"data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}"#
        .to_owned()
        + "\n\n";
    let azure_renamed = azure.replace(r#""model":"""#, r#""model":"my/model""#);
    let last =
        r#"data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#
            .to_owned() + "\n\n";
    let text = |azure: &str, usage: &str| [azure, &chunk(REQUESTED, "a"), &last, usage, "data: [DONE]\n\n"].concat();
    let usage = usage_chunk("x");
    let stripped = relay_text(&text(&azure, &usage), true);
    assert_eq!((stripped.out, stripped.end.usage), (text(&azure_renamed, ""), Some(USAGE)));
    assert!(stripped.end.saw_finish && stripped.end.saw_done);
    assert_eq!(relay_text(&text(&azure, &usage), false).out, text(&azure_renamed, &usage_chunk(REQUESTED)));
}

#[test]
fn usage_in_the_last_content_chunk_is_taken() {
    let text = r#"data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"model":"my/model","usage":{"completion_tokens":3,"prompt_tokens":9,"total_tokens":12},"timings":{"prompt_n":9}}"#;
    let relayed = relay_text(&format!("{text}\n\n"), true);
    assert_eq!((relayed.out, relayed.end.usage), (format!("{text}\n\n"), Some(TokenUsage { cached: 0, ..USAGE })));
}

#[test]
fn usage_that_came_before_the_text_does_not_make_it_free() {
    let text =
        usage_chunk(REQUESTED) + &"one two three four five six".split_inclusive(' ').map(|word| chunk(REQUESTED, word)).collect::<String>();
    let output = tokens::count(Tokenizer::O200kBase, "one two three four five six");
    assert_eq!(relay_text(&text, false).end.usage, Some(TokenUsage { output, ..USAGE }));
}

#[test]
fn every_kind_of_output_counts_at_least_one_an_event() {
    let deltas = [
        (r#"{"role":"assistant","content":null}"#, 0),
        (r#"{"role":"assistant","content":""}"#, 0),
        (r#"{"content":"x"}"#, 1),
        (r#"{"reasoning_content":"x"}"#, 1),
        (r#"{"reasoning":"x","reasoning_details":[{"text":"x"}]}"#, 1),
        (r#"{"reasoning":"x","reasoning_content":"x"}"#, 1),
        (r#"{"refusal":"x"}"#, 1),
        (r#"{"tool_calls":[{"index":0,"id":"i","function":{"name":"f","arguments":""}}]}"#, 1),
        (r#"{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}"#, 1),
        (r#"{"function_call":{"arguments":"{"}}"#, 1),
        (r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"x"}]}]}"#, 1),
        ("{}", 0),
        ("null", 0),
    ];
    for (delta, tokens) in deltas {
        let relayed = relay_text(&format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n"), true);
        assert_eq!((relayed.output_tokens, relayed.end.counted_output), (tokens, tokens), "{delta}");
    }
    let completion = StreamSettings { endpoint: Endpoint::Completions, ..settings(true) };
    let text = "data: {\"choices\":[{\"text\":\"x\",\"index\":0},{\"text\":\"y\",\"index\":1}]}\n\n";
    assert_eq!(relay(completion, &[text.as_bytes()], Ending::Whole).end.counted_output, 2);
}

#[test]
fn without_usage_the_tokenizer_counts_each_choice_by_itself() {
    let event = |index: u32, content: &str| {
        format!(r#"data: {{"choices":[{{"delta":{{"content":{}}},"index":{index}}}]}}"#, json_string(content)) + "\n\n"
    };
    let text = ["in", "ter", "nation", "al", "iz", "ation"].map(|piece| event(0, piece) + &event(1, piece)).concat();
    let relayed = relay_text(&text, true);
    assert_eq!(relayed.output_tokens, 12);
    assert_eq!(relayed.end.counted_output, 2 * tokens::count(Tokenizer::O200kBase, "internationalization"));
}

#[test]
fn an_error_as_first_event_leaves_the_choice_to_fall_back() {
    for (text, message, fault) in [
        (r#"data: {"error":{"message":"overloaded","type":"server_error","code":503}}"#, "overloaded", Fault::Overloaded),
        (r#"data: {"error":{"message":"slow down","code":429}}"#, "slow down", Fault::RateLimited),
        (r#"data: {"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#, "slow down", Fault::RateLimited),
        (r#"data: {"error":"boom"}"#, "boom", Fault::Failed),
        (r#"error: {"code":500,"message":"boom","type":"server_error"}"#, "boom", Fault::Failed),
        ("event: error\ndata: {\"message\":\"boom\"}", "boom", Fault::Failed),
        (r#"data: {"object":"error","message":"boom","type":"BadRequestError","code":400}"#, "boom", Fault::Client),
        (
            r#"data: {"error":{"message":"boom"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
            "boom",
            Fault::Failed,
        ),
    ] {
        let mut reader = StreamReader::new(settings(true));
        let pushed = reader.push(Bytes::from(format!(": hi\n\n{text}\n\n")));
        let Some(StreamFault::InBand(error)) = &pushed.fault else { panic!("{text}: {:?}", pushed.fault) };
        assert_eq!((&pushed.out[..], error.message.as_str(), error.verdict.fault), (&b": hi\n\n"[..], message, fault), "{text}");
        assert_eq!(reader.first_event(), pushed.fault.as_ref().map(FirstEvent::Fault));
        assert!(reader.push(Bytes::from(chunk(REQUESTED, "late"))).out.is_empty());
    }
}

#[test]
fn a_later_error_ends_what_was_begun() {
    let text = chunk(REQUESTED, "a")
        + r#"data: {"error":{"message":"You are rate limited at http://10.0.0.1:8000","code":429}}"#
        + "\n\n"
        + &chunk(REQUESTED, "b");
    let relayed = relay_text(&text, true);
    assert_eq!((relayed.out, relayed.first, relayed.end.counted_output), (chunk(REQUESTED, "a"), Some(true), 1));
    let event = String::from_utf8(relayed.end.fault.unwrap().event().to_vec()).unwrap();
    assert_eq!(
        event,
        r#"data: {"error":{"code":"provider_error","message":"the provider reported an error: You are throttled at [removed]","param":null,"type":"provider_error"}}"#
            .to_owned()
            + "\n\n"
    );
}

#[test]
fn what_is_no_event_stream_is_told_at_once() {
    for text in [
        "<!DOCTYPE html>\n<html>\n\n",
        "{\"id\":\"c1\",\"choices\":[]}\n\n",
        "data: hello\n\n",
        "data: <html>\n\n",
        "data: {\"choices\":[{\n\n",
        "data: [1]\n\n",
        "data: [DONE]\n\n",
        "data: {\"detail\":\"not found\"}\n\ndata: [DONE]\n\n",
    ] {
        let relayed = relay_text(text, true);
        assert_eq!((relayed.end.fault, relayed.first), (Some(StreamFault::NotItsLanguage), Some(false)), "{text}");
    }
    for text in ["", ": only comments\n\n", "{\"id\":\"c1\",\"choices\":[]}", "data: {\"type\":\"ping\"}\n\n", "data: {\"choices\":[{\"ind"]
    {
        assert!(relay_text(text, true).end.fault.is_some(), "{text}");
    }
}

#[test]
fn a_preamble_has_a_bound() {
    let comment = b": keep-alive\n\n".repeat(10_000);
    assert_eq!(relay(settings(true), &[&comment], Ending::Whole).end.fault, Some(StreamFault::NotItsLanguage));
    let later = [chunk(REQUESTED, "a").as_bytes(), &comment].concat();
    assert_eq!(relay(settings(true), &[&later], Ending::Whole).end.fault, None);
}

#[test]
fn broken_json_after_the_begin_breaks_the_stream() {
    let relayed = relay_text(&(chunk(REQUESTED, "a") + "data: {\"choices\":[{]}\n\n"), true);
    assert_eq!((relayed.out, relayed.end.fault), (chunk(REQUESTED, "a"), Some(StreamFault::NotItsLanguage)));
}

#[test]
fn an_event_without_its_blank_line_is_written_at_the_end() {
    let start = chunk(REQUESTED, "a");
    for tail in ["data: [DONE]", "data: [DONE]\n", "data: [DONE]\r\n"] {
        let whole = relay(settings(true), &[start.as_bytes(), tail.as_bytes()], Ending::Whole);
        assert_eq!((whole.out, whole.end.saw_done, whole.end.fault), (format!("{start}{tail}"), true, None));
        let broken = relay(settings(true), &[start.as_bytes(), tail.as_bytes()], Ending::Broken);
        assert!(broken.out.starts_with(&format!("{start}{tail}")) && broken.out.ends_with('\n') && broken.end.saw_done);
    }
    let renamed = relay(settings(true), &[start.as_bytes(), chunk("x", "b").trim_end().as_bytes()], Ending::Whole);
    assert_eq!((renamed.out, renamed.end.counted_output), (start.clone() + chunk(REQUESTED, "b").trim_end(), 1));
    for ending in [Ending::Whole, Ending::Broken] {
        let cut = relay(settings(true), &[start.as_bytes(), b"data: {\"choices\":[{\"ind"], ending);
        assert_eq!((cut.out, cut.end.fault), (start.clone(), Some(StreamFault::EndedEarly)));
    }
    assert_eq!(relay(settings(true), &[start.as_bytes(), b"da"], Ending::Whole).out, format!("{start}da"));
    assert_eq!(relay(settings(true), &[start.as_bytes(), b"da"], Ending::Broken).out, start);
}

#[test]
fn the_only_event_may_lack_its_blank_line() {
    let text = chunk(REQUESTED, "a");
    let relayed = relay_text(text.trim_end(), true);
    assert_eq!((relayed.out.as_str(), relayed.end.fault), (text.trim_end(), None));
}

#[test]
fn events_of_several_data_lines_are_one() {
    let text = "id: 1\ndata: {\"model\":\"x\",\ndata: \"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"hi\"}}]}\n\n";
    let relayed = relay_text(text, true);
    assert_eq!(relayed.out, text.replace("\"x\"", "\"my/model\""));
    assert_eq!((relayed.output_tokens, relayed.end.fault), (1, None));
    let unchanged = text.replace("\"x\"", "\"my/model\"");
    assert_eq!(relay_text(&unchanged, true).out, unchanged);
}

#[test]
fn a_byte_order_mark_passes() {
    let text = format!("\u{feff}{}", chunk("x", "a"));
    assert_eq!(relay_text(&text, true).out, format!("\u{feff}{}", chunk(REQUESTED, "a")));
}

#[test]
fn an_event_that_is_too_long_breaks_the_stream_wherever_it_is_cut() {
    let long = chunk(REQUESTED, &"x".repeat(caps::MAX_EVENT_BYTES));
    for size in [long.len(), 300_000] {
        let frames: Vec<&[u8]> = long.as_bytes().chunks(size).collect();
        let relayed = relay(settings(true), &frames, Ending::Whole);
        assert_eq!((relayed.out.as_str(), relayed.end.fault), ("", Some(StreamFault::EventTooLong)));
    }
    let fits = chunk(REQUESTED, &"x ".repeat(100_000));
    assert_eq!(relay_text(&fits, true).out, fits);
}

fn any_event() -> impl Strategy<Value = String> {
    let model = prop_oneof![Just(REQUESTED), Just("other"), Just("")];
    prop_oneof![
        6 => (model.clone(), "\\PC{0,12}").prop_map(|(model, content)| chunk(model, &content)),
        1 => model.prop_map(usage_chunk),
        1 => Just(": keep-alive\n\n".to_owned()),
        1 => Just("\n".to_owned()),
        1 => Just("id: 7\nevent: message\ndata: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"index\":1}]}\n\n".to_owned()),
        1 => Just("data: {\"model\":\"other\",\ndata: \"choices\":[]}\n\n".to_owned()),
        1 => Just("data: {\"error\":{\"message\":\"boom\"}}\n\n".to_owned()),
        1 => Just("data: {broken}\n\n".to_owned()),
        1 => Just("data: [DONE]\n\n".to_owned()),
    ]
}

/// A stream with either kind of line end, perhaps cut off.
fn any_stream() -> impl Strategy<Value = String> {
    (proptest::collection::vec(any_event(), 0..12), any::<bool>(), proptest::option::of(any::<Index>())).prop_map(|(events, crlf, cut)| {
        let text = events.concat();
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        match cut {
            Some(at) if !text.is_empty() => text[..text.floor_char_boundary(at.index(text.len()))].to_owned(),
            _ => text,
        }
    })
}

fn cut_at<'a>(text: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([0, text.len()]).collect();
    at.sort_unstable();
    at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn cuts_between_reads_make_no_difference(text in any_stream(), cuts in proptest::collection::vec(any::<Index>(), 0..9), strip in any::<bool>(), broken in any::<bool>()) {
        let ending = if broken { Ending::Broken } else { Ending::Whole };
        let whole = relay(settings(strip), &[text.as_bytes()], ending);
        let in_pieces = relay(settings(strip), &cut_at(text.as_bytes(), &cuts), ending);
        prop_assert_eq!(&in_pieces.out, &whole.out);
        prop_assert_eq!((in_pieces.output_tokens, in_pieces.first), (whole.output_tokens, whole.first));
        let without_tail = |end: StreamEnd| StreamEnd { tail: Bytes::new(), ..end };
        prop_assert_eq!(without_tail(in_pieces.end), without_tail(whole.end));
        let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        prop_assert_eq!(relay(settings(strip), &single, ending).out, whole.out);
    }

    #[test]
    fn what_needs_no_change_is_passed_on_as_soon_as_it_is_whole(
        contents in proptest::collection::vec("\\PC{0,9}", 1..9), crlf in any::<bool>(), cuts in proptest::collection::vec(any::<Index>(), 0..9)
    ) {
        let text: String = contents.iter().map(|content| chunk(REQUESTED, content) + ": c\n\n").chain(["data: [DONE]\n\n".to_owned()]).collect();
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let end_of_event = if crlf { "\r\n\r\n" } else { "\n\n" };
        let mut reader = StreamReader::new(settings(true));
        let (mut read, mut written) = (0, 0);
        for frame in cut_at(text.as_bytes(), &cuts) {
            read += frame.len();
            let out = reader.push(Bytes::copy_from_slice(frame)).out;
            prop_assert_eq!(&out[..], &text.as_bytes()[written..written + out.len()]);
            written += out.len();
            let whole = text.as_bytes()[..read].windows(end_of_event.len()).rposition(|window| window == end_of_event.as_bytes());
            prop_assert_eq!(written, whole.map_or(0, |at| at + end_of_event.len()));
        }
        prop_assert_eq!(written, text.len());
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn without_usage_the_count_is_the_tokenizers(contents in proptest::collection::vec("[ a-zA-Z,.é中]{0,40}", 0..400)) {
        let text: String = contents.iter().map(|content| chunk(REQUESTED, content)).collect();
        let relayed = relay_text(&(chunk(REQUESTED, "") + &text), true);
        prop_assert_eq!(relayed.end.counted_output, tokens::count(Tokenizer::O200kBase, &contents.concat()));
        prop_assert!(relayed.output_tokens >= contents.iter().filter(|content| !content.is_empty()).count() as u64);
    }
}

/// The events of a stream that was cut after these frames, as JSON.
fn cut_after(settings: StreamSettings<'_>, frames: &[&str]) -> Vec<serde_json::Value> {
    let mut reader = StreamReader::new(settings);
    frames.iter().for_each(|frame| drop(reader.push(Bytes::copy_from_slice(frame.as_bytes()))));
    let cut = reader.cut(TokenUsage { input: 7, output: 2, cached: 0, reasoning: 0 });
    let events: Vec<_> =
        std::str::from_utf8(&cut).unwrap().split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(*done, "[DONE]");
    chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect()
}

#[test]
fn a_cut_stream_ends_in_the_words_of_the_chunks_before() {
    let length = serde_json::json!([{"index": 0, "delta": {}, "finish_reason": "length"}]);
    for behind in ["}", r#","usage":null}"#, r#", "usage": null, "extra": 1}"#] {
        let frame = format!(
            r#"data: {{"id":"c1","object":"chat.completion.chunk","created":9,"model":"theirs","choices":[{{"index":0,"delta":{{"content":"a"}}}}]{behind}"#
        );
        let events = cut_after(settings(true), &[&format!("{frame}\n\n"), &format!("{frame}\n\n")]);
        assert_eq!(events.len(), 1, "no usage that nobody asked for");
        assert_eq!(
            (&events[0]["id"], &events[0]["created"], &events[0]["model"]),
            (&"c1".into(), &9.into(), &REQUESTED.into()),
            "{behind}"
        );
        assert_eq!(events[0]["choices"], length);
        assert!(events[0].get("usage").is_none());
    }
    let sorted = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":2,\"delta\":{\"content\":\"b\"}}],\"id\":\"c1\",\"model\":\"m\",\"usage\":null}\n\n";
    let events = cut_after(settings(false), &[sorted]);
    assert_eq!((&events[0]["id"], &events[0]["model"]), (&"c1".into(), &REQUESTED.into()));
    let indices: Vec<_> = events[0]["choices"].as_array().unwrap().iter().map(|choice| choice["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [0, 2]);
    assert_eq!(events[1]["usage"], serde_json::json!({"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}));
    assert_eq!((&events[1]["choices"], &events[1]["id"]), (&serde_json::json!([]), &"c1".into()));
    let completions = StreamSettings { endpoint: Endpoint::Completions, ..settings(true) };
    let events = cut_after(
        completions,
        &["data: {\"id\":\"t\",\"choices\":[{\"index\":0,\"text\":\"a\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n"],
    );
    assert_eq!((&events[0]["object"], &events[0]["choices"][0]["finish_reason"]), (&"text_completion".into(), &"length".into()));
    assert_eq!(events[0]["choices"][0]["text"], "");
}

#[test]
fn long_texts_are_counted_as_they_come() {
    let words = " hello".repeat(100);
    let frames: Vec<_> = (0..3).map(|_| chunk(REQUESTED, &words)).collect();
    let mut reader = StreamReader::new(settings(true));
    for (n, frame) in frames.iter().enumerate() {
        let tokens = reader.push(Bytes::copy_from_slice(frame.as_bytes())).output_tokens;
        let exact = tokens::count(Tokenizer::O200kBase, &words.repeat(n + 1));
        assert!(tokens <= exact && tokens + n as u64 + 1 >= exact, "{tokens} of {exact}");
    }
}
