//! `tidegate doctor`: looks at an installation from outside and says what is wrong and what to do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use http::Method;
use serde_json::{Value, json};

use super::args::{Common, ServeArgs};
use super::client::{Client, Whereabouts, encode};
use super::output::{Output, text};
use super::{Exit, Surroundings, file};
use crate::config::Config;
use crate::first_run::TOKEN_FILE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    Note,
    Wrong,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Wrong => "wrong",
        }
    }
}

struct Finding {
    verdict: Verdict,
    about: &'static str,
    said: String,
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, verdict: Verdict, about: &'static str, said: impl Into<String>) {
        self.0.push(Finding { verdict, about, said: said.into() });
    }
}

pub(crate) async fn run(common: &Common, surroundings: &Surroundings, output: &mut Output<'_>) -> anyhow::Result<Exit> {
    let mut findings = Findings(Vec::new());
    let place = Whereabouts::find(common, surroundings)?;
    let oidc = configuration(common, surroundings, &mut findings)?.and_then(|config| config.oidc);
    data_folder(&place.data_dir, &mut findings);
    open_files(&mut findings);
    match Client::of(&place, surroundings) {
        Ok(client) => server(&client, &place.url, oidc.as_ref().map(|oidc| oidc.issuer.as_str()), &mut findings).await,
        Err(error) => findings.add(Verdict::Wrong, "server", error.to_string()),
    }
    let is_sound = findings.0.iter().all(|f| f.verdict != Verdict::Wrong);
    let shown = |f: &Finding| json!({ "verdict": f.verdict.word(), "about": f.about, "message": f.said });
    let value = json!({ "ok": is_sound, "findings": findings.0.iter().map(shown).collect::<Vec<_>>() });
    output.say(&value, || {
        let lines = findings
            .0
            .iter()
            .map(|f| format!("{:<6} {:<14} {}", f.verdict.word(), f.about, f.said.replace('\n', "\n                      ")));
        lines.collect::<Vec<_>>().join("\n")
    })?;
    Ok(if is_sound { Exit::Done } else { Exit::Failed })
}

fn configuration(common: &Common, surroundings: &Surroundings, findings: &mut Findings) -> anyhow::Result<Option<Config>> {
    let sources = file::sources(common, &ServeArgs::default(), surroundings)?;
    let name = sources.file.as_ref().map_or("none: the defaults", |(name, _)| name);
    let config = match Config::read(&sources) {
        Ok(config) => config,
        Err(faults) => {
            findings.add(Verdict::Wrong, "configuration", faults.to_string());
            return Ok(None);
        }
    };
    if config.warnings.is_empty() {
        findings.add(Verdict::Fine, "configuration", name);
    } else {
        let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
        findings.add(Verdict::Note, "configuration", warnings.join("\n"));
    }
    Ok(Some(config))
}

fn data_folder(path: &Path, findings: &mut Findings) {
    let shown = path.display();
    let mode = |path: &Path| path.metadata().map(|m| m.permissions().mode() & 0o777);
    match mode(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            findings.add(Verdict::Note, "data folder", format!("{shown} is not there yet: the first start makes it"));
            return;
        }
        Err(error) => {
            findings.add(Verdict::Wrong, "data folder", format!("{shown} can't be looked into: {error}"));
            return;
        }
        Ok(mode) if mode & 0o077 != 0 => {
            findings.add(Verdict::Wrong, "data folder", format!("others can look into {shown} (mode {mode:o}): chmod 700 {shown}"));
        }
        Ok(_) => findings.add(Verdict::Fine, "data folder", shown.to_string()),
    }
    for name in [TOKEN_FILE, "secret-key", "demo-key"] {
        let file = path.join(name);
        if let Ok(mode) = mode(&file)
            && mode & 0o077 != 0
        {
            let file = file.display();
            findings.add(Verdict::Wrong, "data folder", format!("others can read {file} (mode {mode:o}): chmod 600 {file}"));
        }
    }
}

fn open_files(findings: &mut Findings) {
    const ENOUGH: u64 = 4_096;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    match limit.maximum {
        Some(most) if most < ENOUGH => {
            findings.add(Verdict::Note, "open files", format!("at most {most}, enough for {} connections: raise ulimit -Hn", most / 2));
        }
        Some(most) => findings.add(Verdict::Fine, "open files", format!("at most {most}")),
        None => findings.add(Verdict::Fine, "open files", "no limit"),
    }
}

async fn server(client: &Client, url: &str, oidc: Option<&str>, findings: &mut Findings) {
    let providers = match client.all("/providers").await {
        Ok(providers) => providers,
        Err(error) => return findings.add(Verdict::Wrong, "server", error.to_string()),
    };
    findings.add(Verdict::Fine, "server", format!("answers at {url} and takes the operator token"));
    if providers.iter().all(|p| text(p, "kind") == "demo") {
        findings.add(Verdict::Note, "providers", "none but the simulated demo: tidegate provider add NAME --kind KIND");
    }
    for provider in &providers {
        standing(client, &text(provider, "name"), findings).await;
    }
    if let Some(oidc) = oidc {
        identities(client, oidc, findings).await;
    }
    match client.all("/models").await {
        Ok(models) => {
            let has_target = |m: &&Value| m.get("targets").and_then(Value::as_array).is_some_and(|t| !t.is_empty());
            let served = models.iter().filter(has_target).count();
            let verdict = if served == 0 { Verdict::Wrong } else { Verdict::Fine };
            findings.add(verdict, "models", format!("{served} of {} have a provider", models.len()));
            quotas(&providers, &models, findings);
        }
        Err(error) => findings.add(Verdict::Wrong, "models", error.to_string()),
    }
}

/// A token quota holds all that an answer can have, where that is known.
fn quotas(providers: &[Value], models: &[Value], findings: &mut Findings) {
    let is_number = |value: &Value, name: &str| value.get(name).is_some_and(Value::is_number);
    let with_quota = |name: &str| providers.iter().any(|p| text(p, "name") == name && is_number(p, "tpm"));
    for model in models.iter().filter(|model| !is_number(model, "max_output_tokens")) {
        let targets = model.get("targets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if let Some(target) = targets.iter().find(|target| is_number(target, "tpm") || with_quota(&text(target, "provider"))) {
            let said = format!(
                "{} has no max_output_tokens, so that long answers to requests without max_tokens may pass the tpm at {}",
                text(model, "id"),
                text(target, "provider")
            );
            findings.add(Verdict::Note, "quota", said);
        }
    }
}

/// Whether the server can have what the provider of identities publishes.
async fn identities(client: &Client, issuer: &str, findings: &mut Findings) {
    match client.send(Method::POST, "/oidc/test", &json!({})).await {
        Err(error) => findings.add(Verdict::Wrong, "log-in", format!("{issuer}: {error}")),
        Ok(test) => {
            let verdict = if test.get("ok") == Some(&Value::Bool(true)) { Verdict::Fine } else { Verdict::Wrong };
            findings.add(verdict, "log-in", format!("{}: {}", text(&test, "issuer"), text(&test, "message")));
        }
    }
}

async fn standing(client: &Client, name: &str, findings: &mut Findings) {
    match client.get(&format!("/providers/{}/state", encode(name))).await {
        Err(error) => findings.add(Verdict::Wrong, "provider", format!("{name}: {error}")),
        Ok(state) if state.get("cooldown_until").is_some_and(|until| !until.is_null()) => {
            let said = format!("{name} cools down until {}: {}", text(&state, "cooldown_until"), text(&state, "why"));
            findings.add(Verdict::Note, "provider", said);
        }
        Ok(state) if text(&state, "state") == "enabled" => findings.add(Verdict::Fine, "provider", name),
        Ok(state) => findings.add(Verdict::Note, "provider", format!("{name} is {}", text(&state, "state"))),
    }
}
