//! How the limits of a request stand, as headers of its answer: OpenAI's `x-ratelimit-*` and the IETF draft's
//! `RateLimit-Policy` and `RateLimit`. It counts nothing.
//!
//! Source of the latter: draft-ietf-httpapi-ratelimit-headers-10 (List of Strings with parameters). Its quota units know no
//! tokens, so those carry `tidegate-unit="tokens"`.

use domain::{Kind, Source};
use http::HeaderMap;
use http::header::HeaderName;
use store::pools::{Standing, least_left};

use crate::header_text::HeaderText;

/// A refused limit and the wait that was announced for it, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) kind: Kind,
    pub(crate) window_us: u64,
    pub(crate) source: Source,
    pub(crate) wait_us: u64,
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

struct Trio {
    kind: Kind,
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
}

const TRIOS: [Trio; 2] = [
    Trio {
        kind: Kind::Requests,
        limit: HeaderName::from_static("x-ratelimit-limit-requests"),
        remaining: HeaderName::from_static("x-ratelimit-remaining-requests"),
        reset: HeaderName::from_static("x-ratelimit-reset-requests"),
    },
    Trio {
        kind: Kind::Tokens,
        limit: HeaderName::from_static("x-ratelimit-limit-tokens"),
        remaining: HeaderName::from_static("x-ratelimit-remaining-tokens"),
        reset: HeaderName::from_static("x-ratelimit-reset-tokens"),
    },
];

/// Adds the headers for limits that stand like this at `now_us`.
pub(crate) fn write(headers: &mut HeaderMap, standing: &[Standing], announced: Option<Announced>, now_us: u64) {
    let mut text = HeaderText::with_capacity(128 + standing.len() * 112);
    for trio in TRIOS {
        let Some(s) = least_left(standing, trio.kind) else { continue };
        put(headers, trio.limit, text.number(s.n));
        put(headers, trio.remaining, text.number(s.remaining));
        put(headers, trio.reset, text.duration(s.resets_at.map_or(0, |at| at.saturating_sub(now_us))));
    }
    for (index, s) in distinct(standing) {
        name(if index == 0 { &mut text } else { text.text(", ") }, s).text(";q=").number(s.n);
        match s.kind {
            Kind::Requests => {}
            Kind::Tokens => drop(text.text(";tidegate-unit=\"tokens\"")),
            Kind::Concurrent => drop(text.text(";qu=\"concurrent-requests\"")),
        }
        if s.window_us > 0 {
            text.text(";w=").number(whole_seconds(s.window_us));
        }
    }
    put(headers, POLICY, &mut text);
    for (index, s) in distinct(standing) {
        name(if index == 0 { &mut text } else { text.text(", ") }, s).text(";r=").number(s.remaining);
        let told = announced.filter(|a| (a.kind, a.window_us, a.source) == (s.kind, s.window_us, s.source)).map(|a| a.wait_us);
        if let Some(us) = told.or_else(|| s.resets_at.map(|at| at.saturating_sub(now_us))) {
            text.text(";t=").number(whole_seconds(us));
        }
    }
    put(headers, LIMIT, &mut text);
}

fn put(headers: &mut HeaderMap, header: HeaderName, text: &mut HeaderText) {
    if !text.is_empty()
        && let Some(value) = text.cut()
    {
        headers.insert(header, value);
    }
}

/// Without those that repeat the name of an earlier one: a row's window may be the day of its `rpd`.
fn distinct(standing: &[Standing]) -> impl Iterator<Item = (usize, &Standing)> {
    let same = |a: &Standing, b: &Standing| (a.pool, a.kind, whole_seconds(a.window_us)) == (b.pool, b.kind, whole_seconds(b.window_us));
    let repeats = move |index: usize, s: &Standing| standing.iter().take(index).any(|earlier| same(earlier, s));
    standing.iter().enumerate().filter(move |(index, s)| !repeats(*index, s))
}

/// `"requests-60s"`, `"key-tokens-60s"`, `"concurrent"`.
fn name<'a>(text: &'a mut HeaderText, s: &Standing) -> &'a mut HeaderText {
    let prefix = match s.source {
        Source::Plan | Source::Custom => "\"",
        Source::Key => "\"key-",
    };
    text.text(prefix).text(s.kind.as_str());
    if s.window_us > 0 {
        text.text("-").number(whole_seconds(s.window_us)).text("s");
    }
    text.text("\"")
}

fn whole_seconds(us: u64) -> u64 {
    us.div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000;

    fn standing(kind: Kind, n: u64, remaining: u64, resets_at: Option<u64>) -> Standing {
        let window_us = if kind == Kind::Concurrent { 0 } else { MINUTE };
        Standing { pool: 0, source: Source::Plan, kind, window_us, n, used: 0, held: 0, remaining, resets_at }
    }

    fn headers(standing: &[Standing], announced: Option<Announced>) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        write(&mut headers, standing, announced, 1_000_000);
        let mut list: Vec<_> = headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
        list.sort();
        list
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_plan_row_gives_all_headers() {
        let rows = [standing(Kind::Requests, 180, 179, Some(61_000_000)), standing(Kind::Tokens, 120_000, 119_000, Some(43_160_000))];
        let expected = pairs(&[
            ("ratelimit", r#""requests-60s";r=179;t=60, "tokens-60s";r=119000;t=43"#),
            ("ratelimit-policy", r#""requests-60s";q=180;w=60, "tokens-60s";q=120000;tidegate-unit="tokens";w=60"#),
            ("x-ratelimit-limit-requests", "180"),
            ("x-ratelimit-limit-tokens", "120000"),
            ("x-ratelimit-remaining-requests", "179"),
            ("x-ratelimit-remaining-tokens", "119000"),
            ("x-ratelimit-reset-requests", "1m0s"),
            ("x-ratelimit-reset-tokens", "42.16s"),
        ]);
        assert_eq!(headers(&rows, None), expected);
    }

    #[test]
    fn the_limit_with_least_left_wins_and_keys_are_told_apart() {
        let own = Standing { pool: 1, source: Source::Key, ..standing(Kind::Requests, 10, 3, None) };
        let list = headers(&[standing(Kind::Requests, 180, 179, None), own, standing(Kind::Concurrent, 4, 4, None)], None);
        assert!(list.contains(&("x-ratelimit-remaining-requests".into(), "3".into())));
        assert!(list.contains(&("x-ratelimit-reset-requests".into(), "0s".into())));
        let policy = r#""requests-60s";q=180;w=60, "key-requests-60s";q=10;w=60, "concurrent";q=4;qu="concurrent-requests""#;
        assert!(list.contains(&("ratelimit-policy".into(), policy.into())));
    }

    #[test]
    fn a_refused_limit_points_at_the_time_of_retry_after() {
        let announced = Announced { kind: Kind::Requests, window_us: MINUTE, source: Source::Plan, wait_us: 2_000_001 };
        let list = headers(&[standing(Kind::Requests, 1, 0, Some(61_000_000))], Some(announced));
        assert!(list.contains(&("ratelimit".into(), r#""requests-60s";r=0;t=3"#.into())));
    }

    #[test]
    fn nothing_is_written_where_nothing_is_limited_and_no_name_stands_twice() {
        assert_eq!(headers(&[], None), pairs(&[]));
        let twice = [standing(Kind::Requests, 5, 5, None), standing(Kind::Requests, 9, 9, None)];
        assert!(headers(&twice, None).contains(&("ratelimit-policy".into(), r#""requests-60s";q=5;w=60"#.into())));
    }
}
