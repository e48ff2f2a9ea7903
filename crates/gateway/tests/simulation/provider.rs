//! A target as bytes on a connection: reads requests, and answers each as its mood is. It writes down what it was asked.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::sleep;

use crate::moods::{Mood, Says};
use crate::world::{Attempt, FIRST_BYTE_MS, World};

/// A request as a target reads it.
struct Asked {
    marker: u64,
    stream: bool,
}

/// Answers on one connection, for whose first request it was made from `begun_us` on, until either side ends it.
pub(crate) async fn serve(world: Arc<World>, target: usize, mut io: DuplexStream, begun_us: u64) {
    let (mut read, mut connecting_us) = (Vec::new(), Some(begun_us));
    while let Some(asked) = next_request(&mut io, &mut read).await {
        let begun_us = connecting_us.take().unwrap_or_else(|| world.now_us());
        if !answer(&world, target, &mut io, &asked, begun_us).await {
            return;
        }
    }
}

async fn next_request(io: &mut DuplexStream, read: &mut Vec<u8>) -> Option<Asked> {
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok()).unwrap_or(0);
            if read.len() >= end + 4 + length {
                let body: Value = serde_json::from_slice(&read[end + 4..end + 4 + length]).expect("the body as the client sent it");
                read.drain(..end + 4 + length);
                let marker = body["messages"][0]["content"].as_str().and_then(|text| text.split(' ').next()?.parse().ok());
                return Some(Asked { marker: marker.expect("the request's number"), stream: body["stream"] == true });
            }
        }
        let mut piece = [0; 4096];
        match io.read(&mut piece).await {
            Ok(n) if n > 0 => read.extend_from_slice(&piece[..n]),
            Ok(_) | Err(_) => return None,
        }
    }
}

/// Whether the connection goes on.
async fn answer(world: &Arc<World>, target: usize, io: &mut DuplexStream, asked: &Asked, begun_us: u64) -> bool {
    let now_us = world.now_us();
    let phase = world.courses[target].at(now_us);
    let told_ms = match phase.mood {
        Mood::Limited(says) => told_ms(says, phase.until_us - now_us),
        Mood::Well | Mood::Slow(_) | Mood::Failing(_) | Mood::Hanging | Mood::Breaking | Mood::Sick => None,
    };
    let attempt =
        Attempt { marker: asked.marker, target, begun_us, at_us: now_us, mood: phase.mood, told_ms, answered_us: None, failed_us: None };
    let place = world.note_attempt(attempt);
    let fails_at = |us| world.note_outcome(place, |attempt| attempt.failed_us = Some(us));
    match phase.mood {
        Mood::Well => write_answer(world, place, io, asked, usize::MAX).await,
        Mood::Slow(ms) => {
            sleep(Duration::from_millis(ms)).await;
            write_answer(world, place, io, asked, usize::MAX).await
        }
        Mood::Breaking => {
            let most = (world.random(1_600)) as usize;
            write_answer(world, place, io, asked, most).await;
            fails_at(world.now_us());
            false
        }
        Mood::Limited(_) => {
            fails_at(now_us);
            let wait = told_ms.map(|ms| format!("retry-after: {}\r\n", ms / 1_000)).unwrap_or_default();
            let body = json!({"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}).to_string();
            write(io, &whole(429, &wait, "application/json", &body)).await
        }
        Mood::Failing(status) => {
            fails_at(now_us);
            write(io, &whole(status, "", "text/html", "<html>it does not work</html>")).await
        }
        Mood::Sick => {
            fails_at(now_us);
            let error = json!({"error": {"message": "The engine failed", "type": "server_error"}}).to_string();
            let (kind, body) = if asked.stream { ("text/event-stream", format!("data: {error}\n\n")) } else { ("application/json", error) };
            write(io, &whole(200, "", kind, &body)).await
        }
        Mood::Hanging => {
            fails_at(begun_us + FIRST_BYTE_MS * 1_000);
            // Until the other side has enough of it.
            let _ = io.read(&mut [0]).await;
            false
        }
    }
}

/// What it says, in milliseconds that are whole seconds.
fn told_ms(says: Says, left_us: u64) -> Option<u64> {
    let true_s = left_us.div_ceil(1_000_000);
    match says {
        Says::Truth => Some(true_s * 1_000),
        Says::TooShort => Some(1_000),
        Says::TooLong => Some((true_s + 30) * 1_000),
        Says::Nothing => None,
    }
}

async fn write(io: &mut DuplexStream, bytes: &[u8]) -> bool {
    io.write_all(bytes).await.is_ok()
}

fn whole(status: u16, more: &str, kind: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Told\r\n{more}content-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Writes an answer, at most so many bytes of it; whether it was all. What comes of the attempt is clear with its first event.
async fn write_answer(world: &Arc<World>, place: usize, io: &mut DuplexStream, asked: &Asked, most: usize) -> bool {
    let attempt = world.attempt(place);
    let too_late_us = attempt.begun_us + FIRST_BYTE_MS * 1_000;
    let mut left = most;
    for (number, (pause_ms, bytes)) in pieces(world, attempt.target, asked).into_iter().enumerate() {
        sleep(Duration::from_millis(pause_ms)).await;
        let size = bytes.len().min(left);
        left -= size;
        let is_written = write(io, &bytes[..size]).await;
        let now_us = world.now_us();
        let decides = usize::from(asked.stream);
        // A timer may be a millisecond late.
        let is_late = !is_written || now_us + 2_000 >= too_late_us;
        if number <= decides && is_late {
            world.note_outcome(place, |attempt| attempt.failed_us = Some(too_late_us));
        } else if number == decides && size == bytes.len() {
            world.note_outcome(place, |attempt| attempt.answered_us = Some(now_us));
        }
        if !is_written || left == 0 && most != usize::MAX {
            return false;
        }
    }
    true
}

/// An answer in pieces with the milliseconds before each. Every word names the target.
fn pieces(world: &Arc<World>, target: usize, asked: &Asked) -> Vec<(u64, Vec<u8>)> {
    let words = 1 + world.random(12);
    let word = format!("t{target} ");
    let usage = json!({"prompt_tokens": 9, "completion_tokens": words, "total_tokens": 9 + words});
    let first_ms = 20 + world.random(300);
    if !asked.stream {
        let message = json!({"role": "assistant", "content": word.repeat(words as usize)});
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
        let body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage});
        return vec![(first_ms, whole(200, "", "application/json", &body.to_string()))];
    }
    let chunk = |data: &str| format!("{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8).into_bytes();
    let event = |choices: Value, usage: Value| {
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, "usage": usage}).to_string()
    };
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let mut pieces = vec![(first_ms, head)];
    for _ in 0..words {
        let choices = json!([{"index": 0, "delta": {"content": word}, "finish_reason": null}]);
        pieces.push((world.random(200), chunk(&event(choices, Value::Null))));
    }
    let last = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    pieces.push((0, chunk(&event(last, Value::Null))));
    pieces.push((0, chunk(&event(json!([]), usage))));
    pieces.push((0, chunk("[DONE]")));
    pieces.push((0, b"0\r\n\r\n".to_vec()));
    pieces
}
