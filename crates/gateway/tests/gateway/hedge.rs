//! A second target tried beside one that takes long (`hedge_after_ms`): the first byte wins, one request is charged, both are told.

use domain::{AttemptEnd, Kind, ProviderRuntime as _, RouteQuestion, SkipReason, Trouble, UsageRecord};
use serde_json::{Value, json};
use testkit::{Answer, Call, Gate, Reply, Script, Sse, Upstream, chat_chunk};

use crate::rig::{Rig, Setup, define};

const SMALL: &str = "category:small";

/// `small-1` is at `first`, then at `second`, then at `third`; the next is tried beside one that takes 20 ms.
struct Three {
    rig: Rig,
    second: Upstream,
    third: Upstream,
}

impl Three {
    async fn start() -> Self {
        Self::with(json!({}), &["first", "second", "third"]).await
    }

    /// `first` has these members as a target.
    async fn with(first: Value, names: &[&str]) -> Self {
        let (second, third) = (Upstream::start().await, Upstream::start().await);
        let mut setup = Setup::default();
        setup.providers.push(json!({"name": "second", "kind": "vllm", "base_url": second.base_url()}));
        setup.providers.push(json!({"name": "third", "kind": "vllm", "base_url": third.base_url()}));
        let target = |(priority, name): (usize, &&str)| {
            let mut target = if *name == "first" { first.clone() } else { json!({}) };
            (target["provider"], target["priority"]) = ((*name).into(), priority.into());
            target
        };
        setup.models[0]["targets"] = names.iter().enumerate().map(target).collect();
        setup.models[0]["hedge_after_ms"] = 20.into();
        Self { rig: Rig::with(setup).await, second, third }
    }

    fn calls(&self) -> [Call; 2] {
        [self.rig.chat("small-1"), self.rig.stream("small-1")]
    }

    fn counts(&self) -> (usize, usize, usize) {
        (self.rig.upstream.count(), self.second.count(), self.third.count())
    }

    async fn record(&self, answer: &Answer) -> UsageRecord {
        self.rig.settled().await;
        self.rig.store.recorder().flush().await;
        let id = answer.header("x-request-id").unwrap().parse().unwrap();
        self.rig.store.request(id).await.unwrap().unwrap().usage.unwrap()
    }

    /// Provider and end of each attempt.
    async fn told(&self, answer: &Answer) -> Vec<(String, AttemptEnd)> {
        let record = self.record(answer).await;
        assert_eq!(record.attempts as usize, record.attempt_list.len());
        record.attempt_list.into_iter().map(|attempt| (attempt.provider.to_string(), attempt.end)).collect()
    }

    fn failures(&self, provider: &str) -> u32 {
        let status = self.rig.gateway.status(&provider.into());
        status.targets.iter().map(|target| target.failures_in_a_row).sum()
    }
}

fn ends(list: &[(&str, AttemptEnd)]) -> Vec<(String, AttemptEnd)> {
    list.iter().map(|(provider, end)| ((*provider).to_owned(), *end)).collect()
}

fn by(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.header("x-tidegate-provider"))
}

#[tokio::test]
async fn the_second_answers_where_the_first_gives_no_first_byte() {
    let three = Three::start().await;
    for (n, call) in three.calls().iter().enumerate() {
        three.rig.upstream.push(Script::hang());
        three.second.reply(Reply::of(10, 2));
        let answer = three.rig.send(call).await;
        assert_eq!(by(&answer), (200, Some("second")), "{}", answer.text());
        three.rig.upstream.abandoned(n + 1).await;
        assert_eq!(three.told(&answer).await, ends(&[("first", AttemptEnd::Cancelled), ("second", AttemptEnd::Answered)]));
        let record = three.record(&answer).await;
        assert!(!record.is_recovered(), "nothing failed");
        assert_eq!((record.tokens.input, record.tokens.output), (10, 2));
        assert!(record.attempt_list[0].cost > record.cost, "what was held at the first's provider: {record:?}");
        assert_eq!(three.rig.pool(SMALL, Kind::Requests), (n as u64 + 1, 0), "one request");
        assert_eq!(three.rig.pool(SMALL, Kind::Tokens), (12 * (n as u64 + 1), 0), "one hold, and the winner's tokens");
    }
    assert_eq!((three.counts(), three.failures("first")), ((2, 2, 0), 0));
    let metrics = three.rig.metrics();
    for line in ["hedged_requests_total 2", "hedges_won_total{by=\"second\"} 2", "recovered_requests_total 0"] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(metrics.contains("provider=\"first\",model=\"small-1\",outcome=\"cancelled\"} 2"), "{metrics}");
}

#[tokio::test]
async fn the_first_answers_where_it_is_faster_after_all() {
    let three = Three::start().await;
    for (n, call) in three.calls().iter().enumerate() {
        let gate = Gate::new();
        three.rig.upstream.otherwise({
            let gate = gate.clone();
            move |received| Reply::of(10, 2).script(received).after(&gate)
        });
        three.second.push(Script::hang());
        let open_when_hedged = async {
            three.second.arrived(n + 1).await;
            gate.open();
        };
        let (answer, ()) = tokio::join!(three.rig.send(call), open_when_hedged);
        assert_eq!(by(&answer), (200, Some("first")), "{}", answer.text());
        three.second.abandoned(n + 1).await;
        assert_eq!(three.told(&answer).await, ends(&[("second", AttemptEnd::Cancelled), ("first", AttemptEnd::Answered)]));
    }
    assert_eq!(three.counts(), (2, 2, 0));
    assert_eq!(three.rig.pool(SMALL, Kind::Tokens), (24, 0));
    assert!(three.rig.metrics().contains("hedges_won_total{by=\"first\"} 2"));
}

#[tokio::test]
async fn one_that_fails_leaves_the_other_to_answer() {
    for call in [0, 1] {
        // The first fails while the second works.
        let three = Three::start().await;
        let (fail, answer) = (Gate::new(), Gate::new());
        three.rig.upstream.push(Script::error(503, "overloaded").after(&fail));
        three.second.otherwise({
            let gate = answer.clone();
            move |received| Reply::of(10, 2).script(received).after(&gate)
        });
        let steps = async {
            answer.reached(1).await;
            fail.open();
            while three.failures("first") == 0 {
                tokio::task::yield_now().await;
            }
            answer.open();
        };
        let calls = three.calls();
        let (given, ()) = tokio::join!(three.rig.send(&calls[call]), steps);
        assert_eq!(by(&given), (200, Some("second")), "{}", given.text());
        let overloaded = AttemptEnd::Failed(Trouble::Overloaded);
        assert_eq!(three.told(&given).await, ends(&[("first", overloaded), ("second", AttemptEnd::Answered)]));
        assert!(three.record(&given).await.is_recovered());

        // The second fails while the first works.
        let three = Three::start().await;
        let gate = Gate::new();
        three.rig.upstream.otherwise({
            let gate = gate.clone();
            move |received| Reply::of(10, 2).script(received).after(&gate)
        });
        three.second.push(Script::rate_limited(9));
        let steps = async {
            while three.rig.gateway.status(&"second".into()).targets.iter().all(|target| target.why.is_none()) {
                tokio::task::yield_now().await;
            }
            gate.open();
        };
        let calls = three.calls();
        let (given, ()) = tokio::join!(three.rig.send(&calls[call]), steps);
        assert_eq!(by(&given), (200, Some("first")), "{}", given.text());
        let limited = AttemptEnd::Failed(Trouble::RateLimited);
        assert_eq!(three.told(&given).await, ends(&[("second", limited), ("first", AttemptEnd::Answered)]));
        assert_eq!(three.counts(), (1, 1, 0), "no third one: once a request");
        assert_eq!(three.rig.pool(SMALL, Kind::Tokens), (12, 0));
    }
}

#[tokio::test]
async fn where_both_fail_the_others_are_tried_and_neither_again() {
    let three = Three::start().await;
    let gate = Gate::new();
    three.rig.upstream.push(Script::error(500, "no").after(&gate));
    three.second.push(Script::error(500, "no").after(&gate));
    three.third.reply(Reply::of(10, 2));
    let open = async {
        gate.reached(2).await;
        gate.open();
    };
    let call = three.rig.chat("small-1");
    let (answer, ()) = tokio::join!(three.rig.send(&call), open);
    assert_eq!(by(&answer), (200, Some("third")), "{}", answer.text());
    assert_eq!(three.counts(), (1, 1, 1));
    let told = three.told(&answer).await;
    assert_eq!(told.len(), 3);
    assert_eq!(told[2], ("third".into(), AttemptEnd::Answered));
}

#[tokio::test]
async fn what_fails_at_once_goes_to_the_next_as_ever() {
    let three = Three::start().await;
    three.rig.upstream.push(Script::error(500, "no"));
    three.second.push(Script::hang());
    three.third.reply(Reply::of(10, 2));
    let answer = three.rig.send(&three.rig.chat("small-1")).await;
    assert_eq!(by(&answer), (200, Some("third")), "the second takes long: {}", answer.text());
    let failed = AttemptEnd::Failed(Trouble::Failed);
    let expected = [("first", failed), ("second", AttemptEnd::Cancelled), ("third", AttemptEnd::Answered)];
    assert_eq!(three.told(&answer).await, ends(&expected));
}

#[tokio::test]
async fn without_another_usable_target_there_is_no_second_attempt() {
    let three = Three::with(json!({}), &["first", "second"]).await;
    let gate = Gate::new();
    three.rig.upstream.push(Script::error(500, "no"));
    three.second.push(Script::rate_limited(30));
    assert_eq!(three.rig.send(&three.rig.chat("small-1")).await.status, 502);
    // The second one is rate limited from here on.
    three.rig.upstream.otherwise({
        let gate = gate.clone();
        move |received| Reply::of(10, 2).script(received).after(&gate)
    });
    let before = three.counts();
    let call = three.rig.chat("small-1");
    let late = passed_20_ms(&gate);
    let (answer, ()) = tokio::join!(three.rig.send(&call), late);
    assert_eq!(by(&answer), (200, Some("first")), "{}", answer.text());
    assert_eq!(three.counts(), (before.0 + 1, before.1, 0));
    assert!(three.record(&answer).await.attempt_list.is_empty());
}

/// Opens the gate when another gateway has tried a second target beside one that came to the gate no earlier.
async fn passed_20_ms(gate: &Gate) {
    gate.reached(1).await;
    let witness = Three::start().await;
    witness.rig.upstream.push(Script::hang());
    assert_eq!(witness.rig.send(&witness.rig.chat("small-1")).await.header("x-tidegate-provider"), Some("second"));
    gate.open();
}

#[tokio::test]
async fn nothing_is_tried_beside_an_answer_that_has_begun() {
    let three = Three::start().await;
    let gate = Gate::new();
    let body = json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "message": {"role": "assistant",
        "content": "hello"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}})
    .to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    three.rig.upstream.push(Script::raw(head).then(&gate, body));
    let call = three.rig.chat("small-1");
    let (answer, ()) = tokio::join!(three.rig.send(&call), passed_20_ms(&gate));
    assert_eq!((by(&answer), three.counts()), ((200, Some("first")), (1, 0, 0)), "{}", answer.text());

    let gate = Gate::new();
    three.rig.upstream.push(Sse::new().event(&chat_chunk("m", "hello")).gate(&gate).event(&chat_chunk("m", " hello")).done());
    let call = three.rig.stream("small-1");
    let (answer, ()) = tokio::join!(three.rig.send(&call), passed_20_ms(&gate));
    assert_eq!((by(&answer), three.counts()), ((200, Some("first")), (2, 0, 0)), "{}", answer.text());
}

#[tokio::test]
async fn the_cancelled_one_s_quota_is_charged_what_it_held() {
    let dry = |three: &Three| {
        let question = RouteQuestion { input_tokens: 1, output_tokens: 100, ..Default::default() };
        let steps = three.rig.gateway.route("small-1", &question).unwrap();
        steps.into_iter().find(|step| step.provider.as_str() == "first").unwrap().skipped.map(|skipped| skipped.reason)
    };
    // Room for one request's input at its bound and its output, and not for another.
    let three = Three::with(json!({"tpm": 220, "concurrent": 1}), &["first", "second"]).await;
    three.rig.upstream.push(Script::error(500, "no"));
    assert_eq!(three.rig.send(&three.rig.chat("small-1")).await.status, 200);
    assert_eq!(dry(&three), None, "nothing was produced");
    three.rig.upstream.push(Script::hang());
    let answer = three.rig.send(&three.rig.chat("small-1")).await;
    assert_eq!(by(&answer), (200, Some("second")));
    assert_eq!(dry(&three), Some(SkipReason::NoRoom), "nobody knows what was produced");
    three.rig.clock.advance_s(60);
    assert_eq!(dry(&three), None, "and the one place is free");
}

#[tokio::test]
async fn a_client_that_leaves_cancels_both_and_pays_one_hold() {
    let three = Three::start().await;
    three.rig.upstream.push(Script::hang());
    three.second.push(Script::hang());
    let call = three.rig.chat("small-1");
    let mut connection = testkit::Connection::open(three.rig.addr).await.unwrap();
    connection.write(&call.bytes()).await.unwrap();
    three.second.arrived(1).await;
    connection.reset();
    three.rig.upstream.abandoned(1).await;
    three.second.abandoned(1).await;
    let usage = three.rig.usage().await;
    assert_eq!((usage.totals.counters.requests, usage.totals.counters.failed), (0, 1));
    let (used, held) = three.rig.pool(SMALL, Kind::Tokens);
    let charged = usage.totals.counters.input_tokens + usage.totals.counters.output_tokens;
    assert!(held == 0 && used == charged && (200..400).contains(&used), "its input's bound and 100 tokens of output, once: {used}");
    assert_eq!((three.failures("first"), three.failures("second")), (0, 0));
    assert_eq!(three.rig.gateway.open_requests(), 0);
}

#[tokio::test]
async fn the_time_for_all_attempts_holds_for_both() {
    let three = Three::with(json!({}), &["first", "second"]).await;
    let provider = |name: &str, at: &Upstream| json!({"name": name, "kind": "openai", "base_url": at.base_url(), "timeout_seconds": 0.2});
    define(&three.rig.store, &[provider("first", &three.rig.upstream), provider("second", &three.second)], &[], &[]).await;
    three.rig.upstream.push(Script::hang());
    three.second.push(Script::hang());
    let answer = three.rig.send(&three.rig.chat("small-1")).await;
    assert_eq!(answer.status, 504, "{}", answer.text());
    let late = AttemptEnd::Failed(Trouble::TimedOut);
    assert_eq!(three.told(&answer).await, ends(&[("first", late), ("second", late)]));
    assert_eq!(three.rig.pool(SMALL, Kind::Tokens), (0, 0));
}
