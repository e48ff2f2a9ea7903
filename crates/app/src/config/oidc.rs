//! `[oidc]`: the provider of identities with which people can log in. Without an issuer there is none.

use std::collections::BTreeMap;

use http::Uri;
use secrecy::SecretString;

use super::fault::Place;
use super::secret::secret;
use super::table::Table;

/// `[oidc]`, where it names a provider.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// Its address, as it calls itself.
    pub issuer: String,
    /// Who this server is there.
    pub client_id: String,
    /// What shows it.
    pub client_secret: SecretString,
    /// What is asked for.
    pub scopes: String,
    /// What people call it.
    pub name: String,
    /// Domains of addresses whose people may log in with it, in small letters; empty: all.
    pub allowed_domains: Vec<String>,
    /// Where it was written.
    pub(super) place: Place,
}

const SCOPES: &str = "openid email profile";
const NAME: &str = "single sign-on";
const MAX_NAME_CHARS: usize = 60;
const MAX_DOMAINS: usize = 100;
const SECRET: [&str; 3] = ["client_secret", "client_secret_env", "client_secret_file"];

impl Oidc {
    pub(super) fn read(table: Table<'_>, environment: &BTreeMap<String, String>) -> Option<Self> {
        let issuer = table.checked("issuer", issuer);
        let client_id = table.checked("client_id", |text: String| {
            if is_plain(&text, 1_000) {
                Ok(text)
            } else {
                Err("expected the id that the provider gave, printable and without spaces".to_owned())
            }
        });
        let is_meant =
            issuer.is_some() || client_id.is_some() || ["issuer", "client_id"].into_iter().chain(SECRET).any(|key| table.has(key));
        let client_secret = secret(&table, SECRET, environment, is_meant.then_some("[oidc]"));
        let is_meant = is_meant || client_secret.is_some();
        let scopes = table.checked("scopes", scopes).unwrap_or_else(|| SCOPES.into());
        let name = table.checked("name", name).unwrap_or_else(|| NAME.into());
        let allowed_domains = table.checked("allowed_domains", domains).unwrap_or_default();
        if is_meant && issuer.is_none() && !table.has("issuer") {
            table.missing("issuer", "\"https://accounts.example.com\"");
        }
        if is_meant && client_id.is_none() && !table.has("client_id") {
            table.missing("client_id", "\"…\", as the provider gave it");
        }
        let place = table.place();
        table.close();
        Some(Self { issuer: issuer?, client_id: client_id?, client_secret: client_secret?, scopes, name, allowed_domains, place })
    }
}

/// The issuer to the letter: a slash at its end is part of its name.
fn issuer(text: String) -> Result<String, String> {
    domain::checked_base_url(&text)?;
    let url: Uri = text.parse().map_err(|_| "is no address".to_owned())?;
    if url.scheme_str() == Some("https") || url.host().is_some_and(is_here) {
        return Ok(text);
    }
    Err("expected an address with https: who can change what it answers could log in as anybody (http is for this machine alone)".into())
}

/// Whether only this machine has the host.
fn is_here(host: &str) -> bool {
    let is_loopback = |ip: std::net::IpAddr| ip.is_loopback();
    host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(is_loopback)
}

fn is_plain(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn scopes(text: String) -> Result<String, String> {
    let words: Vec<_> = text.split_whitespace().collect();
    if !words.contains(&"openid") {
        return Err("openid must be among them, with spaces between".into());
    }
    let joined = words.join(" ");
    if words.iter().all(|word| is_plain(word, 200)) && joined.len() <= 1_000 {
        Ok(joined)
    } else {
        Err("expected words with spaces between".into())
    }
}

fn name(text: String) -> Result<String, String> {
    let text = text.trim();
    let is_sound = !text.is_empty() && text.chars().count() <= MAX_NAME_CHARS && !text.chars().any(char::is_control);
    if is_sound { Ok(text.into()) } else { Err(format!("expected 1 to {MAX_NAME_CHARS} printable characters")) }
}

fn domains(texts: Vec<String>) -> Result<Vec<String>, String> {
    if texts.len() > MAX_DOMAINS {
        return Err(format!("at most {MAX_DOMAINS} domains"));
    }
    let domain = |text: String| {
        let domain = text.trim().to_lowercase();
        let is_one = !domain.contains('@') && format!("a@{domain}").parse::<domain::Email>().is_ok();
        if is_one { Ok(domain) } else { Err(format!("\"{text}\" is no domain: expected one such as example.com")) }
    };
    texts.into_iter().map(domain).collect()
}
