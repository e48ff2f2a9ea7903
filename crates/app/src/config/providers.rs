//! `[[providers]]`: upstreams and their API keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::{Provider, ProviderKind, ProviderState, QuotaHold, checked_base_url, header_fault};
use secrecy::{ExposeSecret as _, SecretString};
use store::CredentialKind;

use super::cross::Places;
use super::table::Table;
use super::written::{OneOrSeveral, Parse, Word, Written};
use crate::caps::MAX_PROVIDER_KEYS;

/// A provider with its credentials.
#[derive(Clone, Debug)]
pub struct ConfiguredProvider {
    /// The provider.
    pub provider: Provider,
    /// Its API keys, in the order in which they take turns; empty: it asks for none.
    pub credentials: Vec<Credential>,
}

/// A provider's API key with where it was found.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The key.
    pub secret: SecretString,
    /// Where it was found; a key from an environment variable or a file is kept in memory only.
    pub found: CredentialKind,
}

const MOST_HEADERS: usize = 32;

pub(super) fn read(tables: Vec<Table<'_>>, environment: &BTreeMap<String, String>, places: &mut Places) -> Vec<ConfiguredProvider> {
    tables.into_iter().filter_map(|table| provider(table, environment, places)).collect()
}

fn provider(table: Table<'_>, environment: &BTreeMap<String, String>, places: &mut Places) -> Option<ConfiguredProvider> {
    let name = table.located::<String>("name");
    table.missing("name", "\"openai\"");
    if let Some((name, place)) = &name {
        places.add("provider", name, place.clone());
    }
    let kind = table.get::<Kind>("kind").map(|Kind(kind)| kind);
    table.missing("kind", "\"openai\"");
    let base_url = table.checked("base_url", |text: String| checked_base_url(&text));
    let timeout_seconds = table.seconds("timeout_seconds", 0.001, 86_400.0).map(|d| d.as_secs_f64());
    let first_byte_timeout_seconds = table.seconds("first_byte_timeout_seconds", 0.001, 86_400.0).map(|d| d.as_secs_f64());
    let headers = headers(&table);
    let (rpm, tpm, spend_per_day) = (table.get("rpm"), table.get("tpm"), table.get("spend_per_day"));
    let quota_hold = table.get::<Word<QuotaHold>>("quota_hold").map(|Word(hold)| hold).unwrap_or_default();
    let state = table.get::<Word<ProviderState>>("state").map(|Word(state)| state).unwrap_or_default();
    let credentials = credentials(&table, environment);
    let kind_place = table.place();
    if let Some(kind) = kind
        && base_url.is_none()
        && kind.default_base_url().is_none()
    {
        table.missing("base_url", "\"http://127.0.0.1:8081/v1\"");
    }
    let read = name.zip(kind).map(|((name, _), kind)| {
        let base_url = base_url.unwrap_or_else(|| kind.default_base_url().unwrap_or_default().into());
        let provider = Provider {
            name: name.into(),
            kind,
            base_url,
            timeout_seconds,
            first_byte_timeout_seconds,
            headers,
            rpm,
            tpm,
            quota_hold,
            spend_per_day,
            state,
        };
        if kind == ProviderKind::Demo && !provider.base_url.is_empty() {
            table.fault(kind_place, "base_url: the demo provider is built in and has none; remove base_url");
        }
        ConfiguredProvider { provider, credentials }
    });
    table.close();
    read
}

struct Kind(ProviderKind);

impl Parse for Kind {
    fn parse(written: Written<'_>) -> Result<Self, String> {
        const KNOWN: &str = "\"openai\" (and every look-alike), \"vllm\", \"ollama\", \"llama_cpp\", \"demo\"";
        let text = String::parse(written)?;
        match Word::<ProviderKind>::parse(Written::Text(&text)) {
            Ok(Word(kind)) => Ok(Self(kind)),
            Err(_) if matches!(text.as_str(), "anthropic" | "gemini" | "azure" | "bedrock") => {
                Err(format!("\"{text}\" is not in this version; its kinds are {KNOWN}"))
            }
            Err(_) => Err(format!("unknown kind \"{text}\"; the kinds are {KNOWN}")),
        }
    }
}

fn headers(table: &Table<'_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value, place) in table.pairs("headers") {
        let crowded = headers.len() == MOST_HEADERS;
        let fault = header_fault(&name, &value).or(crowded.then_some("is one too many"));
        match fault {
            Some(fault) => table.fault(place, format!("headers: {name} {fault}")),
            None => drop(headers.insert(name.to_lowercase(), value)),
        }
    }
    headers
}

fn credentials(table: &Table<'_>, environment: &BTreeMap<String, String>) -> Vec<Credential> {
    let texts = table.located::<OneOrSeveral<SecretString>>("api_key");
    let variables = table.located::<OneOrSeveral<String>>("api_key_env");
    let files = table.located::<OneOrSeveral<PathBuf>>("api_key_file");
    let places = [texts.as_ref().map(|t| &t.1), variables.as_ref().map(|v| &v.1), files.as_ref().map(|f| &f.1)];
    if let Some(second) = places.into_iter().flatten().max().filter(|_| places.iter().flatten().count() > 1) {
        table.fault(second.clone(), "give exactly one of api_key, api_key_env, api_key_file");
        return Vec::new();
    }
    let of_text = |secret| Ok(Credential { secret, found: CredentialKind::Stored });
    let (found, place): (Vec<Result<Credential, String>>, _) = match (texts, variables, files) {
        (Some((texts, place)), _, _) => (texts.0.into_iter().map(of_text).collect(), place),
        (None, Some((names, place)), _) => (names.0.into_iter().map(|name| of_variable(name, environment)).collect(), place),
        (None, None, Some((paths, place))) => (paths.0.iter().map(|path| of_file(path)).collect(), place),
        (None, None, None) => return Vec::new(),
    };
    if found.len() > MAX_PROVIDER_KEYS {
        table.fault(place.clone(), format!("{} keys are more than the {MAX_PROVIDER_KEYS} a provider may have", found.len()));
    }
    let mut credentials: Vec<Credential> = Vec::with_capacity(found.len());
    for one in found {
        match one {
            Ok(one) if credentials.iter().any(|other| other.secret.expose_secret() == one.secret.expose_secret()) => {
                table.fault(place.clone(), format!("the same key is there twice, the second time {}", place_of(&one.found)));
            }
            Ok(one) => credentials.push(one),
            Err(fault) => table.fault(place.clone(), fault),
        }
    }
    credentials
}

fn place_of(found: &CredentialKind) -> String {
    match found {
        CredentialKind::Stored => "in api_key".into(),
        CredentialKind::Env(name) => format!("in environment variable {name}"),
        CredentialKind::File(path) => format!("in {path}"),
    }
}

fn of_variable(name: String, environment: &BTreeMap<String, String>) -> Result<Credential, String> {
    let value = environment.get(&name).map(|v| v.trim()).filter(|v| !v.is_empty());
    let secret = value.ok_or_else(|| format!("api_key_env: environment variable {name} is not set"))?;
    Ok(Credential { secret: secret.into(), found: CredentialKind::Env(name) })
}

fn of_file(path: &Path) -> Result<Credential, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("api_key_file: can't read {}: {e}", path.display()))?;
    let secret = text.trim();
    if secret.is_empty() {
        return Err(format!("api_key_file: {} is empty", path.display()));
    }
    Ok(Credential { secret: secret.into(), found: CredentialKind::File(path.display().to_string()) })
}
