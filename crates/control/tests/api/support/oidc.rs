//! The application where people log in with a provider of identities: a small one of the tests' own, reached without a network.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, Response, header};
use bytes::Bytes;
use control::{HttpClient, Oidc, OidcConfig};
use domain::Clock as _;
use serde_json::Value;
use testkit::{FakeOidc, ManualClock};

use super::{Answer, Api, ORIGIN, request};

/// Shows that this server is the client that it says it is.
pub(crate) const CLIENT_SECRET: &str = "client secret/of:the+tests";

const ISSUER: &str = "https://id.test/realm";

struct Client {
    oidc: Arc<FakeOidc>,
    clock: Arc<ManualClock>,
}

impl HttpClient for Client {
    fn send(
        &self,
        request: Request<Bytes>,
        within: Duration,
        most: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, String>> + Send + '_>> {
        let (parts, body) = request.into_parts();
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        assert_eq!(parts.uri.authority().unwrap(), "id.test");
        assert!(within <= Duration::from_secs(10) && most <= 256 << 10, "every call has its bounds");
        let (target, now) = (parts.uri.path_and_query().unwrap().as_str(), self.clock.now().wall.0 / 1_000_000);
        let (status, answer) = self.oidc.answer(parts.method.as_str(), target, header, std::str::from_utf8(&body).unwrap(), now);
        let answer = Response::builder().status(status).body(Bytes::from(answer.to_string())).unwrap();
        Box::pin(async move { Ok(answer) })
    }
}

pub(super) fn provider() -> Arc<FakeOidc> {
    Arc::new(FakeOidc::new(ISSUER, "tidegate", CLIENT_SECRET))
}

pub(super) fn way_to(oidc: &Arc<FakeOidc>, clock: &Arc<ManualClock>) -> Arc<Oidc> {
    let client = Client { oidc: Arc::clone(oidc), clock: Arc::clone(clock) };
    let config = OidcConfig {
        issuer: ISSUER.into(),
        client_id: "tidegate".into(),
        client_secret: CLIENT_SECRET.into(),
        scopes: "openid email profile".into(),
        name: "Our <sign-on>".into(),
        allowed_domains: vec!["example.com".into(), "example.org".into()],
        own_url: ORIGIN.parse().unwrap(),
    };
    Arc::new(Oidc::new(config, Box::new(client)))
}

/// Somebody's browser on its way to the provider of identities and back.
pub(crate) struct Visitor {
    /// Where it was sent.
    pub(crate) url: String,
    /// What it keeps meanwhile, as it is sent.
    pub(crate) cookie: String,
}

impl Visitor {
    /// With what an answer gave it.
    #[track_caller]
    pub(crate) fn of(answer: &Answer, url: &str) -> Self {
        let given = answer.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(given.starts_with("__Host-tidegate_log_in="), "{given}");
        for attribute in ["; Path=/;", "; HttpOnly;", "; SameSite=Lax;", "; Max-Age=600;", "; Secure"] {
            assert!(given.contains(attribute), "{attribute} is not in {given}");
        }
        assert!(given.len() < 4_000, "browsers keep no longer ones");
        Self { url: url.into(), cookie: given.split(';').next().unwrap().into() }
    }

    /// Comes back with the answer that is in this target.
    pub(crate) async fn back(&self, api: &Api, target: &str) -> Answer {
        let path = target.strip_prefix("/api/v1").unwrap();
        api.send(request(Method::GET, path).header(header::COOKIE, &self.cookie).body(Body::empty()).unwrap()).await
    }

    /// Logs in at the provider as somebody of whom this is true, and comes back.
    pub(crate) async fn logs_in(&self, api: &Api, claims: &Value) -> Answer {
        self.back(api, &api.oidc.log_in(&self.url, claims)).await
    }
}

impl Api {
    /// A browser begins a log-in.
    pub(crate) async fn visitor(&self) -> Visitor {
        self.visitor_for("").await
    }

    /// The same with a query.
    pub(crate) async fn visitor_for(&self, query: &str) -> Visitor {
        let answer = self.send(request(Method::GET, &format!("/auth/oidc/login{query}")).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let url = answer.headers[header::LOCATION].to_str().unwrap().to_owned();
        Visitor::of(&answer, &url)
    }

    /// Somebody logs in at the provider of identities, and comes back.
    pub(crate) async fn comes(&self, claims: &Value) -> Answer {
        self.visitor().await.logs_in(self, claims).await
    }
}
