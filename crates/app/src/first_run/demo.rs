//! The demo's organisation and key: for programs on this machine only, for the simulated models only.

use std::path::{Path, PathBuf};

use domain::{ApiKey, Clock, KeyLimits, ModelId, Org, OrgId};
use store::{Actor, NewKey, NewOrg, PageRequest, Store};

use super::private_file::{note_private, read_private};

const FILE: &str = "demo-key";
const ORG: &str = "Demo (simulated models)";
const PLAN: &str = "starter";
/// The model of the curl line.
const MODEL: &str = "demo-small";
const MODELS: [&str; 3] = ["demo-small", "demo-medium", "demo-large"];

/// How to call the demo.
#[derive(Clone, Debug)]
pub struct DemoAccess {
    /// The key.
    pub key: ApiKey,
    /// The file that holds the curl line, 0600.
    pub file: PathBuf,
    /// Where the server is reached.
    pub url: String,
}

impl DemoAccess {
    /// A command that a shell can run as it is.
    pub fn curl(&self) -> String {
        let (url, key) = (&self.url, self.key.expose());
        // The demo is reached over loopback, where no certificate can be for the name.
        let trusting = if url.starts_with("https://") { "-k " } else { "" };
        format!(
            "curl {trusting}{url}/v1/chat/completions -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \
             -d '{{\"model\":\"{MODEL}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello!\"}}]}}'"
        )
    }
}

/// Makes the demo's organisation and key where they are missing, and writes the curl line down.
pub(crate) async fn prepare(store: &Store, clock: &dyn Clock, data_dir: &Path, url: String) -> anyhow::Result<DemoAccess> {
    let file = data_dir.join(FILE);
    let written = read_private(&file)?;
    let kept = written.as_deref().and_then(key_in).filter(|key| is_working(store, clock, key));
    let key = match kept {
        Some(key) => key,
        None => make_key(store).await?,
    };
    let access = DemoAccess { key, file, url };
    let line = format!("{}\n", access.curl());
    if written.as_ref() != Some(&line) {
        // A lost line costs a new key.
        note_private(&access.file, &line)?;
    }
    Ok(access)
}

/// Revokes the demo's key, where there is one: it must not work on a listener that others can reach.
pub(crate) async fn withdraw_key(store: &Store, data_dir: &Path) -> anyhow::Result<()> {
    let file = data_dir.join(FILE);
    let Some(text) = read_private(&file)? else { return Ok(()) };
    if let Some(entry) = key_in(&text).and_then(|key| store.directory().caller(&key.hash()))
        && entry.revoked().is_none()
    {
        store.revoke_key(Actor::System, entry.org().id(), entry.id()).await?;
        tracing::info!("the demo key was revoked: it works on a loopback listener with the demo only");
    }
    std::fs::remove_file(&file)?;
    Ok(())
}

fn key_in(text: &str) -> Option<ApiKey> {
    let from = text.find("tg_")?;
    let key: String = text.get(from..)?.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    key.parse().ok()
}

/// Whether the key can call the demo, and nothing else.
fn is_working(store: &Store, clock: &dyn Clock, key: &ApiKey) -> bool {
    let entry = store.directory().caller(&key.hash());
    entry.is_some_and(|entry| {
        let is_narrow = entry.models().is_some_and(|models| models.iter().all(|m| MODELS.contains(&m.as_str())));
        is_narrow && entry.is_valid_at(clock.now().wall) && !entry.org().state().deleted
    })
}

async fn make_key(store: &Store) -> anyhow::Result<ApiKey> {
    let org = match find_org(store).await? {
        Some(id) => id,
        None => make_org(store).await?.id,
    };
    let models = MODELS.iter().map(|m| ModelId::from(*m)).collect();
    let new = NewKey { name: "demo".into(), expires: None, models: Some(models), limits: KeyLimits::default(), rate_limit_body: None };
    let (_, key) = store.create_key(Actor::System, org, new).await?;
    Ok(key)
}

async fn find_org(store: &Store) -> anyhow::Result<Option<OrgId>> {
    let page = store.list_orgs(Some(ORG), &PageRequest { cursor: None, limit: Some(50) }).await?;
    Ok(page.data.iter().find(|org| org.name == ORG).map(|org| org.id))
}

/// On Starter, whose category rows the demo's models fall under; else on the first plan that has the model.
async fn make_org(store: &Store) -> anyhow::Result<Org> {
    let plan = {
        let catalogue = store.directory().catalogue();
        let model = catalogue.find(MODEL).and_then(|index| catalogue.model(index));
        let plans = model.map(|model| catalogue.plans_with(model)).unwrap_or_default();
        plans.iter().find(|plan| plan.as_str() == PLAN).or(plans.first()).cloned()
    };
    let plan = plan.ok_or_else(|| anyhow::anyhow!("no plan has {MODEL}"))?;
    Ok(store.create_org(Actor::System, NewOrg { name: ORG.into(), plan, custom: Vec::new() }).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curl_line_carries_its_key_and_gives_it_back() {
        let key = ApiKey::generate(&crate::SystemEntropy::default());
        let access = DemoAccess { key: key.clone(), file: "f".into(), url: "http://127.0.0.1:8080".into() };
        assert_eq!(key_in(&access.curl()), Some(key));
        assert!(access.curl().starts_with("curl http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer tg_"));
        assert_eq!(key_in("nothing tg_short"), None);
        assert_eq!(key_in(""), None);
    }
}
