//! The application where Stripe charges: a small one of the tests' own, reached without a network.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, Response};
use bytes::Bytes;
use control::{HttpClient, SignUpMode, Stripe, StripeConfig};
use domain::Clock as _;
use serde_json::Value;
use testkit::{FakeStripe, ManualClock};

use super::{Answer, Api, ORIGIN, request};

/// The key of its API.
pub(crate) const SECRET_KEY: &str = "sk_test_of_the_tests";

/// What its events are signed with.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_of_the_tests";

struct Client {
    stripe: Arc<FakeStripe>,
    clock: Arc<ManualClock>,
}

impl HttpClient for Client {
    fn send(
        &self,
        request: Request<Bytes>,
        _: Duration,
        _: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, String>> + Send + '_>> {
        let (parts, body) = request.into_parts();
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        assert_eq!(parts.uri.authority().unwrap(), "stripe.test");
        let (target, now) = (parts.uri.path_and_query().unwrap().as_str(), self.clock.now().wall.0 / 1_000_000);
        let (status, answer) = self.stripe.answer(parts.method.as_str(), target, header, std::str::from_utf8(&body).unwrap(), now);
        let answer = Response::builder().status(status).body(Bytes::from(answer.to_string())).unwrap();
        Box::pin(async move { Ok(answer) })
    }
}

impl Api {
    /// An installation where Stripe charges, and that Stripe.
    pub(crate) async fn with_stripe() -> (Self, Arc<FakeStripe>) {
        let stripe = Arc::new(FakeStripe::new(SECRET_KEY, WEBHOOK_SECRET));
        let clock = Arc::new(ManualClock::at("2026-02-05T15:30:00Z"));
        let client = Client { stripe: Arc::clone(&stripe), clock: Arc::clone(&clock) };
        let config = StripeConfig {
            secret_key: SECRET_KEY.into(),
            webhook_secret: WEBHOOK_SECRET.into(),
            api_base: "http://stripe.test".parse().unwrap(),
            currency: "usd".into(),
            own_url: ORIGIN.parse().unwrap(),
        };
        let charger = Box::new(Stripe::new(config, Box::new(client)));
        let api = Self::at(clock, Duration::from_secs(30), SignUpMode::Open, charger).await;
        api.is_secret(SECRET_KEY);
        api.is_secret(WEBHOOK_SECRET);
        api.is_secret("a text of the payment service");
        (api, stripe)
    }

    /// Seconds since 1970.
    pub(crate) fn now_s(&self) -> i64 {
        self.clock.now().wall.0 / 1_000_000
    }

    /// Stripe tells an event, signed now.
    pub(crate) async fn tell(&self, stripe: &FakeStripe, event: &Value) -> Answer {
        let body = event.to_string();
        let signature = stripe.sign(&body, self.now_s());
        self.tell_signed(&body, &signature).await
    }

    /// Somebody tells an event with this signature.
    pub(crate) async fn tell_signed(&self, body: &str, signature: &str) -> Answer {
        let told = request(Method::POST, "/billing/stripe/webhook").header("content-type", "application/json; charset=utf-8");
        self.send(told.header("stripe-signature", signature).body(Body::from(body.to_owned())).unwrap()).await
    }
}
