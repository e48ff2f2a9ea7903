//! A small client of the control API: where the server is, the token, and errors that say what to do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::args::{Common, ServeArgs};
use super::{Surroundings, file};
use crate::caps::{CLIENT_ANSWER_BYTES, CLIENT_PAGE, CLIENT_TIMEOUT};
use crate::config::Config;
use crate::first_run::{TOKEN_FILE, read_private};
use crate::running::URL_FILE;

/// A server's control API with the token for it.
pub(crate) struct Client {
    url: String,
    token: SecretString,
    /// Where the token comes from, for errors.
    token_from: String,
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// Where the server and its data folder are, as far as anybody said.
pub(crate) struct Whereabouts {
    pub(crate) url: String,
    pub(crate) data_dir: PathBuf,
}

impl Whereabouts {
    /// `--url`, else what the running server left in the data folder, else where the configuration has it listen.
    pub(crate) fn find(common: &Common, surroundings: &Surroundings) -> anyhow::Result<Self> {
        let sources = file::sources(common, &ServeArgs::default(), surroundings)?;
        let config = Config::read(&sources);
        let data_dir = match (&common.data_dir, &config) {
            (Some(dir), _) => dir.clone(),
            (None, Ok(config)) => config.server.data_dir.clone(),
            (None, Err(_)) => PathBuf::from("./tidegate-data"),
        };
        let left = || std::fs::read_to_string(data_dir.join(URL_FILE)).ok().map(|text| text.trim().to_owned());
        let configured = || config.as_ref().map_or_else(|_| "http://127.0.0.1:8080".into(), |c| crate::app::local_url(c, c.server.listen));
        let url = common.url.clone().or_else(left).unwrap_or_else(configured);
        Ok(Self { url: url.trim_end_matches('/').to_owned(), data_dir })
    }

    fn token(&self, surroundings: &Surroundings) -> anyhow::Result<(SecretString, String)> {
        let given = surroundings.environment.get("TIDEGATE_OPERATOR_TOKEN").map(|t| t.trim()).filter(|t| !t.is_empty());
        if let Some(token) = given {
            return Ok((token.into(), "TIDEGATE_OPERATOR_TOKEN".into()));
        }
        let path = self.data_dir.join(TOKEN_FILE);
        let kept = if path.exists() { read_private(&path)? } else { None };
        match kept {
            Some(text) if !text.trim().is_empty() => Ok((text.trim().into(), path.display().to_string())),
            Some(_) | None => bail!(
                "there is no operator token in {}: set TIDEGATE_OPERATOR_TOKEN, or give the running server's data folder (--data-dir)",
                self.data_dir.display()
            ),
        }
    }
}

impl Client {
    pub(crate) fn find(common: &Common, surroundings: &Surroundings) -> anyhow::Result<Self> {
        Self::of(&Whereabouts::find(common, surroundings)?, surroundings)
    }

    pub(crate) fn of(place: &Whereabouts, surroundings: &Surroundings) -> anyhow::Result<Self> {
        let (token, token_from) = place.token(surroundings)?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls(&place.url)?).https_or_http().enable_http1().build();
        let http = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { url: place.url.clone(), token, token_from, http })
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(method, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::DELETE, path, None).await
    }

    /// Every element of a list, page after page. `path` may have a query.
    pub(crate) async fn all(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        let mut next = format!("{path}{joint}limit={CLIENT_PAGE}");
        loop {
            let mut page = self.get(&next).await?;
            match page.get_mut("data").map(Value::take) {
                Some(Value::Array(data)) => all.extend(data),
                Some(_) | None => bail!("the server's answer to {path} is no list: is {} a Tidegate server?", self.url),
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(cursor) => next = format!("{path}{joint}limit={CLIENT_PAGE}&cursor={}", encode(cursor)),
                None => return Ok(all),
            }
        }
    }

    /// The organisation's id, given by id or by a name that only one has.
    pub(crate) async fn org_id(&self, given: &str) -> anyhow::Result<String> {
        if given.starts_with("org_") {
            return Ok(given.into());
        }
        let found = self.all(&format!("/orgs?q={}", encode(given))).await?;
        let named: Vec<_> = found.iter().filter(|org| org.get("name").and_then(Value::as_str) == Some(given)).collect();
        match named.as_slice() {
            [org] => org.get("id").and_then(Value::as_str).map(Into::into).ok_or_else(|| anyhow!("an organisation without id")),
            [] => bail!("there is no organisation named \"{given}\"; see tidegate org list"),
            _ => bail!("{} organisations are named \"{given}\"; give the id", named.len()),
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let uri: Uri = format!("{}/api/v1{path}", self.url).parse().with_context(|| format!("\"{}\" is not a URL", self.url))?;
        let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let request = Request::builder().method(method).uri(uri).header(AUTHORIZATION, format!("Bearer {}", self.token.expose_secret()));
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::new(Bytes::from(bytes)))?;
        let (status, answer) = tokio::time::timeout(CLIENT_TIMEOUT, self.exchange(request))
            .await
            .map_err(|_| anyhow!("{} does not answer within {} s", self.url, CLIENT_TIMEOUT.as_secs()))??;
        if status.is_success() {
            return Ok(answer.unwrap_or(Value::Null));
        }
        let message = answer.as_ref().and_then(|a| a.pointer("/error/message")).and_then(Value::as_str);
        match (status, message) {
            (StatusCode::UNAUTHORIZED, _) => bail!(
                "{} does not take the operator token from {}: give the data folder of that server (--data-dir), or set TIDEGATE_OPERATOR_TOKEN",
                self.url,
                self.token_from
            ),
            (_, Some(message)) => bail!("{message}"),
            (status, None) => bail!("{} answered {status}: is it a Tidegate server?", self.url),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Option<Value>)> {
        let answer = self.http.request(request).await.map_err(|error| self.explain(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), CLIENT_ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| anyhow!("{} broke off its answer: {error}", self.url))?.to_bytes();
        Ok((status, serde_json::from_slice(&body).ok()))
    }

    fn explain(&self, error: &legacy::Error) -> anyhow::Error {
        if error.is_connect() {
            let cause = root_cause(error);
            anyhow!("no server answers at {} ({cause}): start it with `tidegate serve`, or say where it runs with --url", self.url)
        } else {
            anyhow!("the request to {} failed: {}", self.url, root_cause(error))
        }
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Trust for `https`; without it no certificates are read.
fn tls(url: &str) -> anyhow::Result<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    if url.starts_with("https://") {
        use hyper_rustls::ConfigBuilderExt as _;
        Ok(builder.with_native_roots().context("the system's certificates can't be read")?.with_no_client_auth())
    } else {
        Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
    }
}

/// A text as a segment of a path or a value of a query.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A file that a command reads a secret from.
pub(crate) fn read_secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    let secret = text.trim();
    if secret.is_empty() { bail!("{} is empty", path.display()) } else { Ok(secret.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_segments() {
        assert_eq!(encode("a/b c?ü"), "a%2Fb%20c%3F%C3%BC");
        assert_eq!(encode("org_01-x.y~"), "org_01-x.y~");
    }
}
