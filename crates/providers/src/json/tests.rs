//! Tests of the reader against serde_json as the judge.

use proptest::prelude::*;

use super::{Cursor, Flaw, What};
use crate::caps;

fn check(text: &[u8]) -> Result<(), Flaw> {
    let mut cursor = Cursor::new(text);
    let read = cursor.skip().and_then(|()| cursor.end());
    read.map_err(|_| cursor.flaw())
}

/// serde_json's verdict, without its own limits: it takes no depth above 127 and refuses lone surrogates.
fn judge(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok() && serde_json::from_slice::<&serde_json::value::RawValue>(text).is_ok()
}

#[test]
fn what_is_not_json_is_refused() {
    let wrong: &[&str] = &[
        "",
        " ",
        "{",
        "[",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "[1,]",
        "[,]",
        "{,}",
        "{a:1}",
        "{'a':1}",
        "\"",
        "\"\\",
        "\"\\u12",
        "\"\\u12g4\"",
        "\"\\x\"",
        "\"\n\"",
        "\"\u{1}\"",
        "01",
        "-",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "Infinity",
        "tru",
        "nul",
        "True",
        "1 2",
        "{} {}",
        "[1 2]",
        "{\"a\" 1}",
        "\u{feff}{}",
        "{\"a\":1]",
        "[1}",
        "]",
        "}",
        "//c\n1",
    ];
    for text in wrong {
        assert!(check(text.as_bytes()).is_err(), "{text:?} was accepted");
        assert!(!judge(text.as_bytes()), "{text:?} is JSON after all");
    }
}

#[test]
fn what_is_json_is_accepted() {
    let right = [
        "{}",
        "[]",
        "0",
        "-0.5e+3",
        " [ 1 , {\"a\" : \"\\u00e9\\n\\/\" } ]\r\n\t",
        "\"é\u{7f}\"",
        "true",
        "false",
        "null",
        "\"\\ud800\"",
        "12E9",
    ];
    for text in right {
        assert_eq!(check(text.as_bytes()), Ok(()), "{text:?}");
    }
}

#[test]
fn nesting_ends_at_the_cap() {
    let nested = |levels: u32| ["[".repeat(levels as usize), "]".repeat(levels as usize)].concat();
    assert_eq!(check(nested(caps::MAX_DEPTH).as_bytes()), Ok(()));
    assert!(check(nested(caps::MAX_DEPTH + 1).as_bytes()).is_err_and(|flaw| flaw.what == What::TooDeep));
    assert!(check("{\"a\":".repeat(1_000_000).as_bytes()).is_err_and(|flaw| flaw.what == What::TooDeep));
    let siblings = format!("[{}]", vec!["[]"; 500].join(","));
    assert_eq!(check(siblings.as_bytes()), Ok(()));
}

/// Any JSON value, shallow, with every sort of string.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            proptest::collection::btree_map(any::<String>(), inner, 0..5).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_mutilated_json(value in value(), cut in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..4) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let at = cut.index(text.len());
        match how {
            0 => {}
            1 => text.truncate(at),
            2 => text[at] = byte,
            _ => { text.remove(at); }
        }
        let accepted = check(&text).is_ok() && std::str::from_utf8(&text).is_ok();
        prop_assert_eq!(accepted, judge(&text), "{:?}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn strings_say_what_serde_json_says(said in any::<String>()) {
        let escaped: String = said.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        for text in [serde_json::to_string(&said).unwrap(), format!("\"{escaped}\"")] {
            let read = Cursor::new(text.as_bytes()).string().unwrap();
            prop_assert_eq!(read.decode(), said.as_str());
            prop_assert!(read.is(&said));
            prop_assert_eq!(read.span(), 0..text.len());
            let mut out = String::new();
            prop_assert!(read.decode_into(&mut out));
        }
    }

    #[test]
    fn the_wide_scan_finds_what_the_narrow_one_finds(bytes in proptest::collection::vec(any_byte(), 0..100)) {
        let narrow = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(bytes.len());
        prop_assert_eq!(super::text::run_to_quote(&bytes), narrow);
    }
}

/// Mostly plain letters, sometimes what the scan looks for, sometimes anything.
fn any_byte() -> impl Strategy<Value = u8> {
    prop_oneof![4 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\\'), 1 => Just(0x1f_u8), 30 => Just(b'a')]
}
