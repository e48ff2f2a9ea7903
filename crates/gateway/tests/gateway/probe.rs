//! Asking a provider for its models.

use std::time::Duration;

use domain::Provider;
use gateway::ProbeError;
use serde_json::json;
use testkit::{Script, Upstream};

use crate::rig::Rig;

fn provider(base_url: &str) -> Provider {
    serde_json::from_value(json!({"name": "p", "kind": "openai", "base_url": base_url, "headers": {"x-extra": "1"}})).unwrap()
}

#[tokio::test]
async fn a_provider_lists_its_models() {
    let rig = Rig::start().await;
    let secret = "sk-p".to_owned().into();
    let probe = rig.gateway.probe(&provider(&rig.upstream.base_url()), Some(&secret), Duration::from_secs(5)).await.unwrap();
    assert_eq!(probe.models, ["m"]);
    let received = &rig.upstream.received()[0];
    assert_eq!((received.path.as_str(), received.headers.get("authorization")), ("/v1/models", Some("Bearer sk-p")));
    assert_eq!(received.headers.get("x-extra"), Some("1"));
}

#[tokio::test]
async fn what_is_wrong_is_told_in_one_line() {
    let rig = Rig::start().await;
    let up = rig.upstream.base_url();
    let host = rig.upstream.addr().to_string();
    let ask = async |base_url: &str| rig.gateway.probe(&provider(base_url), None, Duration::from_millis(50)).await.unwrap_err();
    rig.upstream.push(Script::error(401, "no"));
    assert_eq!(ask(&up).await, ProbeError::Refused { host: host.clone(), status: 401 });
    rig.upstream.push(Script::error(404, "no"));
    assert_eq!(ask(&up).await, ProbeError::Status { host: host.clone(), status: 404 });
    rig.upstream.push(Script::html());
    assert_eq!(ask(&up).await, ProbeError::NotItsLanguage { host: host.clone() });
    rig.upstream.push(Script::hang());
    assert_eq!(ask(&up).await, ProbeError::TimedOut { host, seconds: 0.05 });
    assert_eq!(ask("ftp://x").await, ProbeError::BadAddress("ftp://x".into()));
    let gone = Upstream::start().await;
    let address = gone.base_url();
    gone.stop().await;
    assert!(ask(&address).await.to_string().starts_with("no connection to 127.0.0.1:"));
}
