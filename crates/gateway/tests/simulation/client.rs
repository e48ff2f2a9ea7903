//! A client that asks, reads, sometimes leaves, and writes down what it was given.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway::Gateway;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::World;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Whole,
    /// An error inside the stream.
    InBand,
    /// The client left.
    Left,
}

/// What a client was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) marker: u64,
    pub(crate) asked_us: u64,
    /// When its head was there.
    pub(crate) at_us: u64,
    pub(crate) status: u16,
    pub(crate) provider: Option<String>,
    /// The words of the answer.
    pub(crate) text: String,
    pub(crate) end: End,
}

/// Asks again and again until the story ends.
pub(crate) async fn run(world: Arc<World>, gateway: Arc<Gateway>, key: String) {
    while world.now_us() < world.length_us {
        sleep(Duration::from_millis(world.random(3_000))).await;
        let (marker, stream) = (world.next_marker(), world.random(2) == 0);
        let leaves_after = (world.random(10) == 0).then(|| world.random(6));
        let asked_us = world.now_us();
        let body =
            json!({"model": "m", "stream": stream, "max_tokens": 50, "messages": [{"role": "user", "content": format!("{marker} words")}]});
        let request = Request::post("/v1/chat/completions")
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let answer = gateway.handle(request, ([127, 0, 0, 1], 1).into()).await;
        let (at_us, status) = (world.now_us(), answer.status().as_u16());
        let provider = answer.headers().get("x-tidegate-provider").map(|name| name.to_str().unwrap().to_owned());
        let (bytes, left) = read(answer.into_body(), leaves_after).await;
        let (text, end) = understand(&bytes, status, stream, left);
        world.note_given(Given { marker, asked_us, at_us, status, provider, text, end });
    }
}

/// The body, and whether the client left before its end.
async fn read(mut body: gateway::Body, leaves_after: Option<u64>) -> (Vec<u8>, bool) {
    let (mut bytes, mut frames) = (Vec::new(), 0);
    loop {
        if leaves_after.is_some_and(|most| frames >= most) {
            return (bytes, true);
        }
        match body.frame().await {
            Some(Ok(frame)) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(_)) | None => return (bytes, false),
        }
        frames += 1;
    }
}

fn understand(bytes: &[u8], status: u16, stream: bool, left: bool) -> (String, End) {
    let text = String::from_utf8_lossy(bytes);
    if status != 200 {
        return (text.into_owned(), End::Whole);
    }
    if !stream {
        let answer: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let words = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
        return (words, if left { End::Left } else { End::Whole });
    }
    let (mut words, mut end) = (String::new(), if left { End::Left } else { End::InBand });
    for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        if data == "[DONE]" {
            end = End::Whole;
        }
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        words.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    (words, end)
}
