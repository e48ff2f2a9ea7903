//! The catalogue compiled for dispatch: for each model its targets with addresses, credentials, timeouts and counters ready
//! to use. Compiled once for each generation of the directory; it sends nothing.

use std::sync::Arc;
use std::time::Duration;

use domain::{Catalogue, CredentialId, Endpoint, Features, Model, Provider};
use hashbrown::HashMap;
use http::Uri;
use http::header::{HeaderName, HeaderValue};
use providers::openai::Dialect;
use providers::{Wire, wire};
use secrecy::{ExposeSecret, SecretString};
use store::Directory;

use crate::caps;
use crate::credentials::CredentialRoute;
use crate::health::{Place, Slot, Slots};
use crate::metrics::{Metrics, ModelCounters, TargetCounters};
use crate::quota::{Quota, Quotas};
use crate::rotation::Rotation;
use crate::target_order::{Candidate, order};

/// Everything that dispatch needs, as of one generation.
pub(crate) struct Routes {
    generation: u64,
    catalogue: Arc<Catalogue>,
    by_name: HashMap<String, Arc<ModelRoute>>,
}

/// A model with its targets in order of priority.
pub(crate) struct ModelRoute {
    pub(crate) model: Arc<Model>,
    pub(crate) targets: Vec<TargetRoute>,
    /// For all attempts of a request together: the longest of its providers'.
    pub(crate) timeout: Duration,
    /// How long an attempt may take for its first byte before another is made beside it; `None`: for ever, or there is no other target.
    pub(crate) hedge_after: Option<Duration>,
    pub(crate) counters: ModelCounters,
}

/// A model at a provider.
pub(crate) struct TargetRoute {
    pub(crate) provider: Arc<ProviderRoute>,
    /// Its name there.
    pub(crate) model: String,
    pub(crate) priority: u32,
    pub(crate) weight: u32,
    /// Longest input plus output there, where another target takes more. Where none does, the provider tells the client.
    pub(crate) window: Option<u64>,
    /// What it can do, where that is known.
    pub(crate) features: Option<Features>,
    pub(crate) quota: Option<Arc<Quota>>,
    pub(crate) slot: Arc<Slot>,
    /// The state of each credential here; empty where there are not several.
    pub(crate) by_credential: Vec<Arc<Slot>>,
    pub(crate) counters: TargetCounters,
}

/// A provider ready to be called.
pub(crate) struct ProviderRoute {
    pub(crate) provider: Arc<Provider>,
    /// The value of `x-tidegate-provider`.
    pub(crate) name: HeaderValue,
    pub(crate) call: Call,
    /// At least one.
    pub(crate) credentials: Vec<CredentialRoute>,
    pub(crate) rotation: Rotation,
    pub(crate) timeout: Duration,
    pub(crate) first_byte_timeout: Duration,
    /// What a client must never see in a provider's words.
    pub(crate) secrets: Vec<String>,
}

/// How a provider is called.
pub(crate) enum Call {
    /// Over HTTP, with the address of each endpoint.
    Http(Box<Addresses>),
    /// Simulated in this process.
    Demo,
    /// Not at all, for this reason.
    Broken(&'static str),
}

/// The address of each endpoint at one provider.
pub(crate) struct Addresses {
    chat_completions: Uri,
    completions: Uri,
    embeddings: Uri,
}

impl Addresses {
    fn of(dialect: &Dialect, base_url: &str) -> Option<Self> {
        let base = base_url.trim_end_matches('/');
        let at = |endpoint| format!("{base}{}", dialect.path(endpoint)).parse::<Uri>().ok().filter(is_absolute);
        Some(Self {
            chat_completions: at(Endpoint::ChatCompletions)?,
            completions: at(Endpoint::Completions)?,
            embeddings: at(Endpoint::Embeddings)?,
        })
    }

    pub(crate) fn get(&self, endpoint: Endpoint) -> &Uri {
        match endpoint {
            Endpoint::ChatCompletions => &self.chat_completions,
            Endpoint::Completions => &self.completions,
            Endpoint::Embeddings => &self.embeddings,
        }
    }
}

/// `http://host…` or `https://host…`.
pub(crate) fn is_absolute(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
}

impl ProviderRoute {
    pub(crate) fn new(provider: &Arc<Provider>, credentials: &[(CredentialId, SecretString)], slots: &Slots) -> Self {
        let (call, dialect) = match wire(provider.kind) {
            Wire::Demo => (Call::Demo, None),
            Wire::OpenAi(dialect) => {
                let base = if provider.base_url.is_empty() { dialect.default_base_url } else { &provider.base_url };
                let call = Addresses::of(dialect, base)
                    .map_or(Call::Broken("its base_url is no http or https address"), |addresses| Call::Http(Box::new(addresses)));
                (call, Some(dialect))
            }
        };
        let with = |(id, secret): &(CredentialId, SecretString)| CredentialRoute {
            id: Some(*id),
            headers: headers(provider, dialect.map(|dialect| dialect.credential_header(secret.expose_secret()))),
            slot: slots.slot(Place::new(&provider.name, None, Some(*id))),
        };
        let mut routes: Vec<_> = credentials.iter().map(with).collect();
        if routes.is_empty() {
            let slot = slots.slot(Place::new(&provider.name, None, None));
            routes.push(CredentialRoute { id: None, headers: headers(provider, None), slot });
        }
        let seconds = |s: Option<f64>| s.and_then(|s| Duration::try_from_secs_f64(s).ok()).filter(|d| !d.is_zero());
        let timeout = seconds(provider.timeout_seconds).unwrap_or(caps::ATTEMPT);
        Self {
            name: HeaderValue::from_str(provider.name.as_str()).unwrap_or_else(|_| HeaderValue::from_static("provider")),
            call,
            credentials: routes,
            rotation: Rotation::default(),
            timeout,
            first_byte_timeout: seconds(provider.first_byte_timeout_seconds).unwrap_or(timeout).min(timeout),
            secrets: secrets(provider, credentials),
            provider: Arc::clone(provider),
        }
    }
}

/// What is sent with every request: the credential's header, then what is configured.
fn headers(provider: &Provider, credential: Option<(&'static str, String)>) -> Vec<(HeaderName, HeaderValue)> {
    let header = |name: &str, value: &str| Some((name.parse().ok()?, value.parse().ok()?));
    let mut headers: Vec<(HeaderName, HeaderValue)> = credential.iter().filter_map(|(name, value)| header(name, value)).collect();
    headers.iter_mut().for_each(|(_, value)| value.set_sensitive(true));
    headers.extend(provider.headers.iter().filter_map(|(name, value)| header(name, value)));
    headers
}

fn secrets(provider: &Provider, credentials: &[(CredentialId, SecretString)]) -> Vec<String> {
    let host = provider.base_url.parse::<Uri>().ok().and_then(|uri| uri.authority().map(|a| a.as_str().to_owned()));
    let credentials = credentials.iter().map(|(_, secret)| secret.expose_secret().to_owned());
    let texts = credentials.chain([provider.base_url.clone()]).chain(host);
    texts.chain(provider.headers.values().cloned()).filter(|text| text.len() >= 4).collect()
}

impl Routes {
    /// Compiles the directory's catalogue. How targets stand, and quotas, are the same objects as before.
    pub(crate) fn compile(directory: &Directory, slots: &Slots, quotas: &Quotas, metrics: &Metrics) -> Self {
        let generation = directory.generation();
        let catalogue = Arc::clone(&directory.catalogue());
        let provider_routes: HashMap<&str, Arc<ProviderRoute>> = catalogue
            .providers()
            .iter()
            .map(|provider| {
                let credentials = directory.credentials(provider.name.as_str());
                let route = ProviderRoute::new(provider, &credentials, slots);
                (provider.name.as_str(), Arc::new(route))
            })
            .collect();
        let mut by_name = HashMap::new();
        for (_, model) in catalogue.models() {
            let route = Arc::new(ModelRoute::new(model, &provider_routes, slots, quotas, metrics, &catalogue));
            by_name.entry(model.id.as_str().to_owned()).or_insert(route);
        }
        for (_, model) in catalogue.models() {
            for alias in &model.aliases {
                if let Some(route) = by_name.get(model.id.as_str()).cloned() {
                    by_name.entry(alias.as_str().to_owned()).or_insert(route);
                }
            }
        }
        drop(provider_routes);
        Self { generation, catalogue, by_name }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// The model of this name or alias.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<ModelRoute>> {
        self.by_name.get(name)
    }
}

impl ModelRoute {
    fn new(
        model: &Arc<Model>,
        providers: &HashMap<&str, Arc<ProviderRoute>>,
        slots: &Slots,
        quotas: &Quotas,
        metrics: &Metrics,
        catalogue: &Catalogue,
    ) -> Self {
        let window = |target: &domain::Target| target.context_window.or(model.context_window).unwrap_or(u64::MAX);
        let widest = model.targets.iter().map(window).max();
        let targets = model.targets.iter().filter_map(|target| {
            let provider = providers.get(target.provider.as_str())?;
            let name = target.model.as_deref().unwrap_or(model.id.as_str());
            let ids = provider.credentials.iter().filter_map(|credential| credential.id);
            let ids = ids.filter(|_| provider.credentials.len() > 1);
            Some(TargetRoute {
                by_credential: ids.map(|id| slots.slot(Place::new(&target.provider, Some(name), Some(id)))).collect(),
                provider: Arc::clone(provider),
                model: name.into(),
                priority: target.priority,
                weight: target.weight,
                window: Some(window(target)).filter(|window| Some(*window) < widest),
                features: target.features.or(model.features),
                quota: quotas.of(&provider.provider, target, name, catalogue.window_us()),
                slot: slots.slot(Place::new(&target.provider, Some(name), None)),
                counters: metrics.target(&target.provider, &model.id),
            })
        });
        let mut targets: Vec<_> = targets.collect();
        targets.sort_by_key(|target| target.priority);
        let timeout = targets.iter().map(|target| target.provider.timeout).max().unwrap_or(caps::ATTEMPT);
        let counters = metrics.model(&model.id, catalogue.plans().map(|plan| &plan.id));
        let hedge_after = model.hedge_after_ms.filter(|_| targets.len() > 1).map(Duration::from_millis);
        Self { model: Arc::clone(model), targets, timeout, hedge_after, counters }
    }

    /// The places of its targets, first to last, as a request with these random bits takes them.
    pub(crate) fn order(&self, random: u64) -> Vec<usize> {
        let places = self.targets.iter().enumerate();
        let candidates: Vec<_> = places.map(|(index, t)| Candidate { index, priority: t.priority, weight: t.weight }).collect();
        order(&candidates, random)
    }
}
