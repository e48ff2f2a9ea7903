//! A request's way, stop after stop. Each returns what the next demands, so that none can be left out.

use std::sync::Arc;

use bytes::Bytes;
use domain::{Endpoint, Now, RequestId};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use providers::{RequestFacts, read_request};

use crate::Gateway;
use crate::admit::{Admission, AdmitFault, RequestPools, patience};
use crate::authenticate::Caller;
use crate::body::Body;
use crate::dispatch::{Answer, Asked, Dispatched};
use crate::estimate::estimate;
use crate::limit_headers::{self, Announced};
use crate::metrics::UpstreamOutcome;
use crate::problem::Problem;
use crate::relay::{Relay, Waiting, deliver_whole};
use crate::resolve::{Resolved, resolve};
use crate::settle::{Exchange, OutputTokens, Subject, Tally};

const X_TIDEGATE_PROVIDER: HeaderName = HeaderName::from_static("x-tidegate-provider");

/// A recognised caller's call, its body read.
pub(crate) struct Received<'a> {
    pub(crate) id: RequestId,
    pub(crate) endpoint: Endpoint,
    pub(crate) arrived: Now,
    pub(crate) caller: &'a Caller,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Bytes,
}

/// Answers a call.
pub(crate) async fn call(gateway: &Arc<Gateway>, received: &Received<'_>) -> Response<Body> {
    let facts = match read_request(received.endpoint, &received.body) {
        Ok(facts) => facts,
        Err(fault) => return unresolved(gateway, Problem::from(fault)),
    };
    let resolved = resolve(&received.caller.key, &gateway.routes(), &facts.model, received.arrived.wall);
    let resolved = match resolved {
        Ok(resolved) => resolved,
        Err(fault) => return unresolved(gateway, Problem::from(fault)),
    };
    let pools = RequestPools::new(&resolved.pool, &received.caller.key, gateway.store.pools().common_of(&resolved.plan));
    let mut announced = None;
    let mut response = match answer(gateway, received, &facts, &resolved, &pools, &mut announced).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    gateway.metrics.answered(Some((&resolved.model.counters, &resolved.plan)), response.status());
    write_limits(gateway, received, &pools, announced, response.headers_mut());
    response
}

fn unresolved(gateway: &Gateway, problem: Problem) -> Response<Body> {
    gateway.metrics.answered(None, problem.status);
    problem.into_response()
}

/// The stops from `estimate` on.
async fn answer(
    gateway: &Arc<Gateway>,
    received: &Received<'_>,
    facts: &RequestFacts,
    resolved: &Resolved,
    pools: &RequestPools,
    announced: &mut Option<Announced>,
) -> Result<Response<Body>, Problem> {
    let shape = received.caller.rate_limit_body.unwrap_or(gateway.config.rate_limit_body);
    let org = received.caller.key.org();
    let estimate = estimate(facts, &received.body, resolved, org);
    let now = gateway.clock.now();
    let admission = Admission { gateway, org, pools, estimate, patience: patience(received.headers, &gateway.config) };
    let subject = subject(received, facts, resolved);
    let admitted = admission.admit(&subject, now).await.map_err(|fault| {
        *announced = announcement(&fault, pools);
        fault.into_problem(&facts.model, shape)
    })?;
    let mut exchange = Exchange::new(gateway, subject, admitted);
    if gateway.spend.is_on()
        && let Err(refused) = exchange.hold_spend()
    {
        let problem = refused.into_problem(&facts.model);
        exchange.nothing(problem.status.as_u16());
        return Err(problem);
    }
    let before_us = now.mono_us.saturating_sub(received.arrived.mono_us);
    let begun_us = now.mono_us.saturating_add(exchange.waited_us());
    let asked = Asked { gateway, model: &resolved.model, facts, body: &received.body, headers: received.headers, begun_us };
    match asked.dispatch(&mut exchange).await {
        Ok(dispatched) => {
            let at_us = dispatched.at.mono_us;
            let (response, waiting) = deliver(exchange, dispatched, facts, resolved);
            if let Some(waiting) = waiting {
                waiting.await;
            }
            gateway.metrics.overhead.observe(before_us + gateway.clock.now().mono_us.saturating_sub(at_us));
            Ok(response)
        }
        Err(fault) => {
            let problem = fault.into_problem(&facts.model, shape);
            exchange.nothing(problem.status.as_u16());
            Err(problem)
        }
    }
}

pub(crate) fn subject(received: &Received<'_>, facts: &RequestFacts, resolved: &Resolved) -> Subject {
    Subject {
        request: received.id,
        arrived: received.arrived,
        key: Arc::clone(&received.caller.key),
        plan: resolved.plan.clone(),
        on_exhausted: resolved.on_exhausted,
        model: Arc::clone(&resolved.model),
        pool: resolved.pool.name.text(),
        endpoint: received.endpoint,
        stream: facts.stream,
        choices: facts.choices,
        most_output: match received.endpoint {
            Endpoint::ChatCompletions | Endpoint::Completions => {
                resolved.model.model.most_output(facts.max_output).saturating_mul(facts.choices)
            }
            Endpoint::Embeddings => 0,
        },
    }
}

/// Hands an answer to the client: a stream as a relay, anything else settled; with what it has to wait for.
fn deliver(mut exchange: Exchange, dispatched: Dispatched, facts: &RequestFacts, resolved: &Resolved) -> (Response<Body>, Option<Waiting>) {
    let mut waiting = None;
    let Dispatched { status, mut headers, answer, target, at } = dispatched;
    if let Some(target) = resolved.model.targets.get(target) {
        headers.insert(X_TIDEGATE_PROVIDER, target.provider.name.clone());
    }
    let body = match answer {
        Answer::Stream(opened) => {
            headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
            Body::from(Relay::new(exchange, *opened))
        }
        Answer::Rejected { body } => {
            exchange.rejected(status.as_u16());
            Body::from(body)
        }
        Answer::Whole { body, facts: answer } => {
            exchange.first_byte(at);
            if let Some(target) = resolved.model.targets.get(target) {
                target.counters.count(UpstreamOutcome::Answered);
            }
            let tally = Tally { usage: answer.usage, output: OutputTokens::OfAnswer(body.clone()) };
            waiting = deliver_whole(exchange, status.as_u16(), tally);
            Body::from(providers::with_model(body, &answer, &facts.model))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    (response, waiting)
}

/// How the pools stand now, after what was just settled.
fn write_limits(gateway: &Gateway, received: &Received<'_>, pools: &RequestPools, announced: Option<Announced>, headers: &mut HeaderMap) {
    let now_us = gateway.clock.now().mono_us;
    let mut standing = Vec::with_capacity(crate::caps::LIMITS_PER_REQUEST);
    pools.with(|pools| gateway.store.pools().standing(received.caller.key.org(), pools, now_us, &mut standing));
    limit_headers::write(headers, &standing, announced, now_us);
}

/// The headers tell of what is the organisation's own.
fn announcement(fault: &AdmitFault, pools: &RequestPools) -> Option<Announced> {
    match fault {
        AdmitFault::RateLimited(limited) => {
            limited.limit.as_ref().filter(|blocked| !pools.shares(&blocked.pool)).map(|blocked| Announced {
                kind: blocked.kind,
                window_us: blocked.window_us,
                source: blocked.source,
                wait_us: limited.at_us.saturating_sub(limited.now.mono_us),
            })
        }
        AdmitFault::JournalRefuses | AdmitFault::TooManyInProgress | AdmitFault::InputTooLarge { .. } | AdmitFault::Closed { .. } => None,
    }
}

/// An answer that is no error.
pub(crate) fn json_response(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
