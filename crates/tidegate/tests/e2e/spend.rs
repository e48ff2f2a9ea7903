//! Ceilings on provider spend: who is refused, who isn't, what the customer hears of it, and what the operator.

use serde_json::{Value, json};
use testkit::{Gate, Reply, Script, Sse, Upstream, chat_chunk, chat_usage_chunk};

use crate::world::{Org, World, chat, stream, until};

/// A model `dear` at a provider `dear`, then at `up`; each token costs 0.001. An answer costs 1.00: more than what is held for it.
struct Dear {
    world: World,
    at: Upstream,
    org: Org,
}

impl Dear {
    async fn start(provider: &str, sections: &str) -> Self {
        let at = Upstream::start().await;
        let sections = format!(
            "[[providers]]\nname = \"dear\"\nkind = \"openai\"\nbase_url = \"{}\"\n{provider}\n\
             [[models]]\nid = \"dear\"\ncategory = \"small\"\ninput_price = \"1000\"\noutput_price = \"1000\"\n\
             targets = [{{ provider = \"dear\" }}, {{ provider = \"up\", priority = 1 }}]\n\
             [[models]]\nid = \"free\"\ncategory = \"small\"\ntargets = [{{ provider = \"dear\" }}]\n{sections}",
            at.base_url()
        );
        let world = World::with("", &sections).await;
        let org = world.org("growth").await;
        at.otherwise(|received| Reply::of(960, 40).script(received));
        world.upstream.otherwise(|received| Reply::of(960, 40).script(received));
        Self { world, at, org }
    }

    async fn restart(self) -> Self {
        let Self { world, at, org } = self;
        Self { world: world.restart().await, at, org }
    }

    /// The status of a request of which at most 40 output tokens are held, and the provider that answered.
    async fn send(&self, org: &Org, model: &str) -> (u16, Option<String>) {
        let answer = self.world.send(&org.key, &chat(model, 40)).await;
        if answer.status == 503 {
            let text = answer.text().to_lowercase();
            assert!(
                !text.contains("rate limit") && !text.contains("spen") && !text.contains("ceiling") && !text.contains("5.00"),
                "{text}"
            );
            assert_eq!(answer.json()["error"]["code"], "unavailable");
        }
        (answer.status, answer.header("x-tidegate-provider").map(str::to_owned))
    }

    async fn ok(&self, times: usize) {
        for _ in 0..times {
            assert_eq!(self.send(&self.org, "dear").await.0, 200);
        }
    }

    /// Scope, spent, held and level of every ceiling.
    async fn spend(&self) -> Vec<(String, String, String, String)> {
        let status = self.world.operator("GET", "/status", Value::Null).await;
        let text = |standing: &Value, member: &str| standing[member].as_str().unwrap().to_owned();
        let all = status["spend"].as_array().unwrap().iter();
        all.map(|one| (text(one, "scope"), text(one, "spent"), text(one, "held"), text(one, "level"))).collect()
    }

    async fn only(&self) -> (String, String) {
        let mut all = self.spend().await;
        assert_eq!((all.len(), all[0].2.as_str()), (1, "0"), "{all:?}");
        let (_, spent, _, level) = all.remove(0);
        (spent, level)
    }
}

#[tokio::test]
async fn the_installation_s_ceiling_refuses_until_the_next_day_and_survives_a_restart() {
    let dear = Dear::start("", "[spend]\nper_day = \"5.00\"\n").await;
    dear.ok(3).await;
    assert_eq!(dear.only().await, ("3".into(), "below".into()));
    dear.ok(1).await;
    assert_eq!(dear.only().await, ("4".into(), "near".into()));
    let dear = dear.restart().await;
    assert_eq!(dear.only().await, ("4".into(), "near".into()), "what was spent is not forgotten");
    dear.ok(1).await;
    assert_eq!(dear.only().await, ("5".into(), "reached".into()));
    let before = dear.at.count();
    for body in [chat("dear", 40), stream("dear", 40)] {
        let refused = dear.world.send(&dear.org.key, &body).await;
        assert_eq!((refused.status, refused.header("x-should-retry")), (503, Some("false")), "{}", refused.text());
    }
    assert_eq!(dear.send(&dear.org, "dear").await.0, 503);
    assert_eq!((dear.send(&dear.org, "free").await.0, dear.at.count()), (200, before + 1), "what costs nothing is nobody's bill");
    let dear = dear.restart().await;
    assert_eq!((dear.send(&dear.org, "dear").await.0, dear.only().await.0), (503, "5".into()));
    dear.world.settled(&dear.org.key).await;
    let metrics = dear.world.metrics().await;
    for line in ["tidegate_spend_ceiling{scope=\"installation\"} 5.0", "tidegate_spend_today{scope=\"installation\"} 5.0"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(metrics.contains("tidegate_spend_level{scope=\"installation\"} 2.0"), "{metrics}");
    // It is half past three in the afternoon.
    dear.world.clock.advance_ms(8 * 3_600_000 + 29 * 60_000);
    assert_eq!(dear.send(&dear.org, "dear").await.0, 503);
    dear.world.clock.advance_ms(60_000);
    dear.ok(1).await;
    assert_eq!(dear.only().await, ("1".into(), "below".into()));
}

#[tokio::test]
async fn a_provider_at_its_ceiling_is_passed_by() {
    let dear = Dear::start("spend_per_day = 2", "").await;
    let by = async |dear: &Dear| dear.send(&dear.org, "dear").await.1;
    assert_eq!((by(&dear).await.as_deref(), by(&dear).await.as_deref()), (Some("dear"), Some("dear")));
    for _ in 0..2 {
        assert_eq!(by(&dear).await.as_deref(), Some("up"));
    }
    assert_eq!(dear.only().await, ("2".into(), "reached".into()), "the other's spend is not its own");
    let way = dear.world.operator("GET", "/route?model=dear&input_tokens=5", Value::Null).await;
    assert_eq!((&way["targets"][0]["reason"], &way["targets"][1]["reason"]), (&json!("spent"), &Value::Null), "{way}");
    dear.world.operator("PATCH", "/providers/up", json!({"state": "disabled"})).await;
    assert_eq!(dear.send(&dear.org, "dear").await.0, 503);
    let raised = json!({"kind": "openai", "base_url": dear.at.base_url(), "spend_per_day": "3"});
    dear.world.operator("PUT", "/providers/dear", raised).await;
    assert_eq!(by(&dear).await.as_deref(), Some("dear"), "in force for the next request");
    assert_eq!(dear.send(&dear.org, "dear").await.0, 503);
}

#[tokio::test]
async fn a_plan_s_ceiling_is_no_other_plan_s() {
    let dear = Dear::start("", "[[plans]]\nid = \"capped\"\nspend_per_day = \"2\"\nlimits = [{ any = true, rpm = 100 }]\n").await;
    let (capped, other) = (dear.world.org("capped").await, dear.world.org("capped").await);
    assert_eq!((dear.send(&capped, "dear").await.0, dear.send(&other, "dear").await.0), (200, 200));
    assert_eq!((dear.send(&capped, "dear").await.0, dear.send(&other, "dear").await.0), (503, 503), "organisations of a plan share it");
    dear.ok(1).await;
    assert_eq!(dear.spend().await, [("plan:capped".into(), "2".into(), "0".into(), "reached".into())]);
    dear.world.set_plan(&capped, "growth").await;
    assert_eq!(dear.send(&capped, "dear").await.0, 200);
}

#[tokio::test]
async fn a_ceiling_that_is_set_later_knows_what_was_spent_before() {
    let dear = Dear::start("", "").await;
    dear.ok(3).await;
    assert_eq!(dear.spend().await, []);
    let plan = |ceiling: Value| json!({"limits": [{"any": true, "rpm": 100}], "spend_per_day": ceiling});
    dear.world.operator("PUT", "/plans/growth", plan(json!("4"))).await;
    until("it is known", || async { dear.only().await.0 == "3" }).await;
    dear.ok(1).await;
    assert_eq!((dear.send(&dear.org, "dear").await.0, dear.only().await.0), (503, "4".into()));
    dear.world.operator("PUT", "/plans/growth", plan(Value::Null)).await;
    dear.ok(1).await;
    assert_eq!(dear.spend().await, []);
}

#[tokio::test]
async fn requests_in_progress_can_t_pass_it_together() {
    let dear = Dear::start("", "[spend]\nper_day = \"2\"\n").await;
    let gate = Gate::new();
    for _ in 0..20 {
        let script = Sse::new().event(&chat_chunk("m", "hello")).gate(&gate).event(&chat_usage_chunk("m", 60, 40)).done();
        dear.at.push(script);
    }
    let (mut open, mut refused) = (Vec::new(), 0);
    for _ in 0..20 {
        let stream = dear.world.open(&dear.org.key, &stream("dear", 40)).await;
        if stream.status == 200 { open.push(stream) } else { refused += 1 }
    }
    let held: f64 = dear.spend().await[0].2.parse().unwrap();
    assert!(held > 1.5 && held <= 2.0 && refused > 0 && open.len() == 20 - refused, "{held} held, {refused} refused");
    gate.open();
    let answered = open.len();
    for stream in open {
        stream.rest().await.unwrap();
    }
    dear.world.settled(&dear.org.key).await;
    // 60 and 40 tokens each.
    let spent: f64 = dear.only().await.0.parse().unwrap();
    assert!((spent - answered as f64 * 0.1).abs() < 1e-9 && spent < held, "{answered} answered, {spent} spent");
}

#[tokio::test]
async fn what_a_cancelled_attempt_may_have_cost_counts_and_survives_a_restart() {
    let hedged = "[spend]\nper_day = \"5.00\"\n[[models]]\nid = \"both\"\ncategory = \"small\"\ninput_price = \"1000\"\n\
        output_price = \"1000\"\nhedge_after_ms = 20\ntargets = [{ provider = \"dear\" }, { provider = \"up\", priority = 1 }]\n";
    let dear = Dear::start("spend_per_day = \"4.00\"", hedged).await;
    dear.at.push(Script::hang());
    assert_eq!(dear.send(&dear.org, "both").await, (200, Some("up".into())));
    dear.at.abandoned(1).await;
    until("nothing is held", async || dear.spend().await.iter().all(|(_, _, held, _)| held == "0")).await;
    let spent = |all: &[(String, String, String, String)]| -> Vec<_> {
        all.iter().map(|(scope, spent, ..)| (scope.clone(), (spent.parse::<f64>().unwrap() * 1000.0).round() as u64)).collect()
    };
    let before = spent(&dear.spend().await);
    let [(_, all), (dear_s, lost)] = before.as_slice() else { panic!("two ceilings: {before:?}") };
    assert_eq!((dear_s.as_str(), *all), ("provider:dear", 1_000 + lost), "the answer's tokens, and what was held at the other provider");
    assert!((41..400).contains(lost), "its input's bound and 40 of output: {lost}");
    dear.world.totals_when(&dear.org, 1, 0, 0).await;
    assert_eq!(dear.world.totals(&dear.org).await["cost"], "1", "the organisation is charged the winner");
    let dear = dear.restart().await;
    assert_eq!(spent(&dear.spend().await), before);
}

#[tokio::test]
async fn a_ceiling_without_room_for_two_lets_one_go_on_alone() {
    let hedged = "[spend]\nper_day = \"0.30\"\n[[models]]\nid = \"both\"\ncategory = \"small\"\ninput_price = \"1000\"\n\
        output_price = \"1000\"\nhedge_after_ms = 1\ntargets = [{ provider = \"dear\" }, { provider = \"up\", priority = 1 }]\n";
    let dear = Dear::start("first_byte_timeout_seconds = 0.3", hedged).await;
    dear.at.push(Script::hang());
    assert_eq!(dear.send(&dear.org, "both").await, (200, Some("up".into())), "one after the other");
    let metrics = dear.world.metrics().await;
    assert!(metrics.contains("tidegate_hedged_requests_total 0"), "{metrics}");
    let (_, _, held, level) = dear.spend().await.remove(0);
    assert_eq!((held.as_str(), level.as_str()), ("0", "reached"), "by what the answer cost");
}
