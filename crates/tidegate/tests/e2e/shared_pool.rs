//! What all organisations on the sign-up plan use together: never over in any 60 s, nothing refused that fits, every announced wait exact,
//! and nobody else is touched by it or learns of it.

use domain::Clock as _;
use serde_json::{Value, json};
use testkit::{Answer, Gate, Reply, SeededEntropy, Sse, chat_chunk};
use tokio::task::JoinSet;

use crate::pace::{ask, words_after};
use crate::world::{MEDIUM, Org, SMALL, World, chat, stream, until};

const WINDOW_US: u64 = 60_000_000;
/// What one organisation may use, and all together.
const OWN: u64 = 1_500;
const SHARED: u64 = 2_000;

async fn world() -> World {
    let plan = format!(
        "[signup]\nmode = \"open\"\ntotal_tpm = {SHARED}\n\
         [[plans]]\nid = \"free\"\nhold = \"max_tokens\"\nlimits = [{{ any = true, tpm = {OWN} }}]\n\
         [[plans]]\nid = \"paid\"\nhold = \"max_tokens\"\nlimits = [{{ any = true, tpm = 1_000_000 }}]\n"
    );
    World::with("", &plan).await
}

/// What was admitted: when, of which organisation, and its tokens.
#[derive(Default)]
struct Oracle(Vec<(u64, usize, u64)>);

impl Oracle {
    fn used(&self, end_us: u64, org: Option<usize>) -> u64 {
        let within = |(at, whose, _): &&(u64, usize, u64)| *at <= end_us && at + WINDOW_US > end_us && org.is_none_or(|org| org == *whose);
        self.0.iter().filter(within).map(|(.., tokens)| tokens).sum()
    }
}

async fn send(world: &World, org: &Org, max_tokens: u64, streamed: bool) -> Answer {
    let body = if streamed { stream(SMALL, max_tokens) } else { chat(SMALL, max_tokens) };
    let answer = world.send(&org.key, &body).await;
    if answer.status == 200 {
        world.settled(&org.key).await;
    }
    answer
}

fn wait_ms(answer: &Answer) -> u64 {
    answer.json()["retry_after_ms"].as_u64().unwrap_or_else(|| panic!("{}", answer.text()))
}

#[tokio::test]
async fn all_together_get_exactly_what_fits_by_brute_force() {
    let world = world().await;
    let input = world.count(&chat(SMALL, 1)).await;
    let random = SeededEntropy::new(0x51A6);
    let below = |n: u64| random.next_u64() % n;
    let mut orgs = Vec::new();
    for _ in 0..3 {
        orgs.push(world.org("free").await);
    }
    let paying = world.org("paid").await;
    let (mut oracle, mut refused, mut shared) = (Oracle::default(), 0, 0);
    for _ in 0..400 {
        world.clock.advance_us(if below(3) == 0 { below(12_000_000) } else { below(3) });
        let (whose, max_tokens, streamed) = (below(3) as usize, 1 + below(700), below(2) == 0);
        let output = below(max_tokens + 1);
        world.upstream.otherwise(move |received| Reply::of(input, output).script(received));
        let fits = |oracle: &Oracle| {
            let (now_us, ask) = (world.clock.now().mono_us, input + max_tokens);
            oracle.used(now_us, None) + ask <= SHARED && oracle.used(now_us, Some(whose)) + ask <= OWN
        };
        let mut answer = send(&world, &orgs[whose], max_tokens, streamed).await;
        assert_eq!(answer.status == 200, fits(&oracle), "{}", answer.text());
        if answer.status != 200 {
            refused += 1;
            shared += u64::from(answer.json()["limit"]["pool"] == "signup:free");
            let wait = wait_ms(&answer);
            world.clock.advance_ms(wait - 1);
            let early = send(&world, &orgs[whose], max_tokens, streamed).await;
            assert_eq!((early.status, wait_ms(&early)), (429, 1), "a millisecond early: {}", early.text());
            assert_eq!(send(&world, &paying, max_tokens, streamed).await.status, 200, "whoever pays is not touched");
            world.clock.advance_ms(1);
            answer = send(&world, &orgs[whose], max_tokens, streamed).await;
            assert_eq!(answer.status, 200, "after the announced wait: {}", answer.text());
        }
        oracle.0.push((world.clock.now().mono_us, whose, input + output));
        let at = world.clock.now().mono_us;
        assert!(oracle.used(at, None) <= SHARED, "{} in 60 s", oracle.used(at, None));
    }
    assert!(refused > 60 && shared > 30 && shared < refused, "{refused} refused, {shared} of them by what is shared");
}

#[tokio::test]
async fn whoever_is_refused_hears_that_it_is_full_and_nothing_of_the_others() {
    let world = world().await;
    let input = world.count(&chat(SMALL, 1)).await;
    let (first, second) = (world.org("free").await, world.org("free").await);
    world.upstream.otherwise(move |received| Reply::of(input, 1_200).script(received));
    assert_eq!(send(&world, &first, 1_200, false).await.status, 200);
    world.clock.advance_s(10);
    let refused = send(&world, &second, 1_000, false).await;
    assert_eq!(refused.status, 429);
    let error = refused.json()["error"].as_str().unwrap().to_owned();
    assert!(error.starts_with("mistral-7b model is rate limited until "), "{error}");
    let limit = json!({"pool": "signup:free", "kind": "tokens", "limit": SHARED, "used": SHARED, "held": 0,
                       "requested": input + 1_000, "window_seconds": 60});
    assert_eq!((refused.json()["limit"].clone(), refused.header("retry-after")), (limit, Some("50")));
    let listed = world.limits(&second.key).await.to_string();
    assert!(!listed.contains("signup:"), "{listed}");
    let own = world.view(&second.key, "any", "tokens").await;
    assert_eq!((own.used, own.held, own.remaining), (0, 0, OWN), "a refusal takes nothing");

    world.totals_when(&second, 0, 1, 0).await;
    let told = world.operator("GET", &format!("/requests/{}", refused.header("x-request-id").unwrap()), Value::Null).await;
    assert!(told.to_string().contains("\"pool\":\"signup:free\""), "the refusal is written down");
    let status = world.operator("GET", "/status", Value::Null).await["shared_pool"].take();
    assert_eq!((&status["pool"], &status["limit"], &status["held"]), (&json!("signup:free"), &json!(SHARED), &json!(0)));
    assert_eq!((&status["used"], &status["remaining"]), (&json!(input + 1_200), &json!(SHARED - input - 1_200)));
    let metrics = world.metrics().await;
    for line in [
        "refusals_total{selector=\"signup:free\",kind=\"tokens\"} 1".to_owned(),
        format!("shared_pool_limit{{selector=\"signup:free\",kind=\"tokens\"}} {SHARED}"),
        format!("shared_pool_used{{selector=\"signup:free\",kind=\"tokens\"}} {}", input + 1_200),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    assert!(!metrics.contains(&second.id));
}

#[tokio::test]
async fn another_plan_leaves_it_at_once_and_coming_back_joins_it() {
    let world = world().await;
    let input = world.count(&chat(SMALL, 1)).await;
    let (first, second) = (world.org("free").await, world.org("free").await);
    world.upstream.otherwise(move |received| Reply::of(input, 1_300).script(received));
    assert_eq!(send(&world, &first, 1_300, false).await.status, 200);
    assert_eq!(send(&world, &second, 1_300, false).await.status, 429);
    world.set_plan(&second, "paid").await;
    assert_eq!(send(&world, &second, 1_300, false).await.status, 200, "the very next request");
    let used = || async { world.operator("GET", "/status", Value::Null).await["shared_pool"]["used"].clone() };
    assert_eq!(used().await, json!(input + 1_300), "what is paid for isn't counted");
    world.set_plan(&second, "free").await;
    assert_eq!(send(&world, &second, 1_300, false).await.status, 429);
    world.clock.advance_s(60);
    assert_eq!(send(&world, &second, 1_300, false).await.status, 200);
}

#[tokio::test]
async fn streams_of_several_organisations_pause_for_it_and_all_end() {
    let plan = "[signup]\ntotal_tpm = 100\n\
                [[plans]]\nid = \"free\"\nhold = \"fixed\"\nlimits = [{ any = true, tpm = 1_000 }]\n\
                [[models]]\nid = \"short\"\ncategory = \"large\"\ndefault_output_tokens = 20\ntargets = [{ provider = \"up\" }]\n";
    let world = World::with("", plan).await;
    let shared = async || {
        let status = world.operator("GET", "/status", Value::Null).await["shared_pool"].take();
        let (used, held) = (status["used"].as_u64().unwrap(), status["held"].as_u64().unwrap());
        assert!(used + held <= 100, "{status}");
        (used, held)
    };
    let (mut streams, gate) = (JoinSet::new(), Gate::new());
    for _ in 0..2 {
        let org = world.org("free").await;
        world.upstream.push(words_after(Sse::new().event(&chat_chunk("m", "hello")).gate(&gate), 120));
        let open = world.open(&org.key, &ask()).await;
        streams.spawn(async move { open.rest().await.expect("a whole stream") });
    }
    gate.open();
    // 240 tokens of output and two inputs take three windows.
    let late = world.org("free").await;
    for _ in 0..2 {
        until("both wait for room, holding nothing", || async {
            tokio::task::yield_now().await;
            shared().await == (100, 0)
        })
        .await;
        let refused = world.send(&late.key, &chat(SMALL, 1)).await;
        assert_eq!(refused.json()["limit"]["pool"], "signup:free", "nothing new while something waits: {}", refused.text());
        world.clock.advance_s(60);
    }
    while let Some(events) = streams.join_next().await {
        let events = events.unwrap();
        assert_eq!(events.iter().filter(|event| !event.content().is_empty()).count(), 120);
        assert_eq!(events.last().unwrap().data(), "[DONE]");
    }
    assert_eq!(shared().await.1, 0);
    assert!(world.metrics().await.contains("tidegate_debt_tokens_total 0"));
}

#[tokio::test]
async fn an_orderly_restart_keeps_it_and_without_the_setting_there_is_none() {
    let world = world().await;
    let (input, org) = (world.count(&chat(SMALL, 1)).await, world.org("free").await);
    world.upstream.otherwise(move |received| Reply::of(input, 1_300).script(received));
    assert_eq!(send(&world, &org, 1_300, false).await.status, 200);
    let world = world.restart().await;
    let other = world.org("free").await;
    assert_eq!(send(&world, &other, 1_300, false).await.json()["limit"]["pool"], "signup:free");
    let bare = World::start().await;
    assert_eq!(bare.operator("GET", "/status", Value::Null).await["shared_pool"], Value::Null);
    assert!(!bare.metrics().await.contains("shared_pool"));
}

#[tokio::test]
async fn an_input_that_is_too_much_for_all_together_is_told_so() {
    let plan = "[signup]\ntotal_tpm = 40\n[[plans]]\nid = \"free\"\nlimits = [{ any = true, tpm = 100_000 }]\n";
    let world = World::with("", plan).await;
    let org = world.org("free").await;
    let mut long = chat(MEDIUM, 1);
    long["messages"][0]["content"] = json!("word ".repeat(100));
    let answer = world.send(&org.key, &long).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (413, json!("request_exceeds_limit")), "{}", answer.text());
    // What is held for output is at most what it leaves.
    world.upstream.reply(Reply::of(12, 3));
    assert_eq!(world.send(&org.key, &chat(MEDIUM, 5_000)).await.status, 200);
}
