//! One attempt at one target over HTTP: sends, judges what comes, and reads until it is clear that the target answers.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::UnixMicros;
use futures_util::TryFutureExt as _;
use http::{Method, Request, Response};
use providers::{AnswerFault, Ending, Fault, FirstEvent, Scope, StreamFault, StreamReader, StreamSettings, Verdict};
use tokio::time::{Instant, timeout_at};

use super::learn::{quota_read, trouble};
use super::{Answer, Asked, AttemptFault, Dispatched, headers};
use crate::attempts::SentMark;
use crate::caps;
use crate::relay::{Opened, Silence, Source};
use crate::routes::{Call, TargetRoute};
use crate::upstream::{AnswerBody, Outgoing, SendFault};

/// When an attempt must have come how far.
#[derive(Clone, Copy)]
pub(super) struct Deadlines {
    pub(super) first_byte: Instant,
    pub(super) whole: Instant,
}

impl Deadlines {
    /// `left` is the time for all attempts together.
    pub(super) fn of(target: &TargetRoute, left: Duration) -> Self {
        let now = Instant::now();
        Self { first_byte: now + target.provider.first_byte_timeout.min(left), whole: now + target.provider.timeout.min(left) }
    }
}

pub(super) fn by<F: Future>(deadline: Instant, work: F) -> impl Future<Output = Result<F::Output, AttemptFault>> {
    timeout_at(deadline, work).map_err(|_| AttemptFault::timed_out())
}

impl Asked<'_> {
    /// Asks the target at `index`, with the credential at the place `credential` of its provider's, within the time `left`. `begun` is
    /// set when an answer begins that isn't streamed; one that is streamed is given back then.
    pub(super) async fn attempt(
        &self,
        index: usize,
        target: &TargetRoute,
        credential: usize,
        mark: SentMark,
        left: Duration,
        begun: Option<&AtomicBool>,
    ) -> Result<Dispatched, AttemptFault> {
        match &target.provider.call {
            Call::Http(addresses) => {
                let mut request = Request::new(Outgoing::new(providers::upstream_body(self.body, self.facts, &target.model), Some(mark)));
                *request.method_mut() = Method::POST;
                *request.uri_mut() = addresses.get(self.facts.endpoint).clone();
                let own = target.provider.credentials.get(credential).map_or(&[][..], |credential| &credential.headers);
                *request.headers_mut() = headers::upstream(self.headers, own);
                self.attempt_http(index, target, credential, &mut request, left, begun).await
            }
            Call::Demo => {
                mark.set();
                Box::pin(self.attempt_demo(index, target, left)).await
            }
            Call::Broken(why) => Err(AttemptFault::failed(*why)),
        }
    }

    async fn attempt_http(
        &self,
        index: usize,
        target: &TargetRoute,
        credential: usize,
        request: &mut Request<Outgoing>,
        left: Duration,
        begun: Option<&AtomicBool>,
    ) -> Result<Dispatched, AttemptFault> {
        let in_flight = Self::in_flight(target);
        let deadlines = Deadlines::of(target, left);
        let response = self.gateway.upstream.send(request, deadlines.first_byte).await.map_err(fault)?;
        let (head, body) = response.into_parts();
        if let Some(quota) = quota_read(&head.headers, || self.gateway.clock.now()) {
            target.slot.told(quota);
        }
        if !head.status.is_success() {
            return Box::pin(self.refused(index, target, Response::from_parts(head, body), deadlines.whole)).await;
        }
        let answer = if self.facts.stream {
            let source = Source::Http(body);
            // Boxed: a request without a stream would carry the room for it.
            let (reader, first, source) = Box::pin(self.open(source, deadlines.first_byte)).await?;
            let silence = Silence::new(caps::STREAM_IDLE, deadlines.whole);
            let status = head.status.as_u16();
            Answer::Stream(Box::new(Opened { source, reader, first, target: index, credential, in_flight, silence, status }))
        } else {
            if let Some(begun) = begun {
                begun.store(true, Relaxed);
            }
            let body = by(deadlines.whole, read(body, caps::ANSWER_BYTES)).await??;
            self.whole(body)?
        };
        let at = self.gateway.clock.now();
        Ok(Dispatched { status: head.status, headers: headers::to_client(&head.headers), answer, target: index, at })
    }

    /// A whole answer, if it is one.
    pub(super) fn whole(&self, body: Bytes) -> Result<Answer, AttemptFault> {
        match providers::read_answer(self.facts.endpoint, &body) {
            Ok(facts) => Ok(Answer::Whole { body, facts }),
            // Its words are not for the client.
            Err(AnswerFault::Error { verdict, .. }) => Err(in_band(&verdict, self.gateway.clock.now().wall)),
            Err(fault @ (AnswerFault::NotJson { .. } | AnswerFault::NotAnAnswer { .. })) => Err(AttemptFault::failed(fault.to_string())),
        }
    }

    /// Reads a stream until its first event shows whether it is an answer.
    pub(crate) async fn open(&self, mut source: Source, deadline: Instant) -> Result<(StreamReader, Bytes, Source), AttemptFault> {
        let mut reader = StreamReader::new(StreamSettings {
            endpoint: self.facts.endpoint,
            requested_model: &self.facts.model,
            strip_usage: self.facts.include_usage != Some(true),
            tokenizer: self.model.model.tokenizer,
        });
        let mut held_back = BytesMut::new();
        let mut read_bytes = 0;
        loop {
            match by(deadline, poll_fn(|cx| source.poll_within(cx, caps::FIRST_READ_BYTES))).await? {
                Some(Ok(bytes)) => {
                    read_bytes += bytes.len();
                    let pushed = reader.push(bytes);
                    match reader.first_event() {
                        Some(FirstEvent::Answer) => {
                            let first = if held_back.is_empty() { pushed.out } else { join(held_back, &pushed.out) };
                            return Ok((reader, first, source));
                        }
                        Some(FirstEvent::Fault(fault)) => return Err(self.stream_fault(fault)),
                        None if pushed.fault.is_some() || read_bytes > caps::FIRST_EVENT_BYTES => {
                            return Err(self.stream_fault(pushed.fault.as_ref().unwrap_or(&StreamFault::NotItsLanguage)));
                        }
                        None => held_back.extend_from_slice(&pushed.out),
                    }
                }
                None => {
                    let end = reader.finish(Ending::Whole);
                    return Err(self.stream_fault(end.fault.as_ref().unwrap_or(&StreamFault::EndedEarly)));
                }
                Some(Err(_)) => return Err(self.stream_fault(&StreamFault::EndedEarly)),
            }
        }
    }

    /// An answer whose status is no success.
    async fn refused(
        &self,
        index: usize,
        target: &TargetRoute,
        response: Response<AnswerBody>,
        deadline: Instant,
    ) -> Result<Dispatched, AttemptFault> {
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        // What the status means is known even where the words are cut off.
        let soon = deadline.min(Instant::now() + caps::ERROR_BODY);
        let body = by(soon, read(body, caps::ERROR_BODY_BYTES)).await.and_then(|read| read).unwrap_or_default();
        let now = self.gateway.clock.now();
        let verdict = providers::judge(status, head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())), &body);
        match verdict.fault {
            Fault::Client if matches!(status, 400 | 413 | 422) => {
                target.counters.count(crate::metrics::UpstreamOutcome::Rejected);
                let secrets: Vec<&str> = target.provider.secrets.iter().map(String::as_str).collect();
                let body = providers::passed_on_body(status, &body, &secrets);
                let mut headers = headers::to_client(&head.headers);
                headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
                Ok(Dispatched { status: head.status, headers, answer: Answer::Rejected { body }, target: index, at: now })
            }
            Fault::Client
            | Fault::RateLimited
            | Fault::Overloaded
            | Fault::Failed
            | Fault::Credential
            | Fault::Billing
            | Fault::Missing => Err(AttemptFault {
                status: Some(status),
                why: format!("it answered with status {status}").into(),
                ..judged(&verdict, now.wall)
            }),
        }
    }

    fn stream_fault(&self, fault: &StreamFault) -> AttemptFault {
        match fault {
            StreamFault::InBand(error) => in_band(&error.verdict, self.gateway.clock.now().wall),
            StreamFault::NotItsLanguage | StreamFault::EventTooLong | StreamFault::EndedEarly => AttemptFault::failed(fault.to_string()),
        }
    }
}

/// An error inside a 200. Whoever's fault it is, the next target is tried: it may understand what this one didn't.
fn in_band(verdict: &Verdict, now: UnixMicros) -> AttemptFault {
    AttemptFault { why: "it reported an error instead of an answer".into(), ..judged(verdict, now) }
}

fn judged(verdict: &Verdict, now: UnixMicros) -> AttemptFault {
    let scope = if verdict.fault == Fault::Client { Scope::Request } else { verdict.scope };
    AttemptFault { trouble: trouble(verdict.fault), scope, wait_ms: verdict.wait_ms(now), status: None, why: "".into() }
}

fn fault(fault: SendFault) -> AttemptFault {
    match fault {
        SendFault::Connect(why) => AttemptFault::failed(format!("no connection to it ({why})")),
        SendFault::Broke(why) => AttemptFault::failed(format!("the connection to it broke ({why})")),
        SendFault::NoTls(why) => AttemptFault::failed(why),
        SendFault::TimedOut => AttemptFault::timed_out(),
    }
}

fn join(mut first: BytesMut, rest: &Bytes) -> Bytes {
    first.extend_from_slice(rest);
    first.freeze()
}

/// A whole body of at most `most` bytes.
async fn read(mut body: AnswerBody, most: usize) -> Result<Bytes, AttemptFault> {
    use http_body_util::BodyExt as _;
    let mut one: Option<Bytes> = None;
    let mut many = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| AttemptFault::failed("its answer broke off"))?;
        let Ok(bytes) = frame.into_data() else { continue };
        if many.len() + one.as_ref().map_or(0, Bytes::len) + bytes.len() > most {
            return Err(AttemptFault::failed("its answer is too long"));
        }
        match one.take() {
            None if many.is_empty() => one = Some(bytes),
            None => many.extend_from_slice(&bytes),
            Some(first) => {
                many.extend_from_slice(&first);
                many.extend_from_slice(&bytes);
            }
        }
    }
    Ok(one.unwrap_or_else(|| many.freeze()))
}
