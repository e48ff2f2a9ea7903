//! The whole application within a process: wired together, started, and stopped without losing anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use control::{Cashier, ControlConfig, ControlParts, Oidc, OidcConfig};
use domain::{Clock, Entropy};
use gateway::{Gateway, GatewayConfig, GatewayParts};
use http::Uri;
use secrecy::{ExposeSecret as _, SecretString};
use store::{Store, StoreConfig};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{self, Config, is_unspecified};
use crate::fetcher::Fetcher;
use crate::first_run::{self, DemoAccess};
use crate::mailer::{Courier, Queue, mailer};
use crate::running::{Running, Stopping};
use crate::settings::Settings;
use crate::start_error::StartError;
use crate::tester::Tester;
use crate::{discovery, entries, memory, payments};
use listener::{
    Acceptor, ConnectionBounds, Connections, ControlPlane, Patience, Planes, Routes, ServerMetrics, Site, listen, raise_open_files,
    tls_acceptor,
};

/// How often things are swept that nobody uses any more.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// The application.
#[derive(Clone, Copy, Debug)]
pub struct App;

impl App {
    /// Starts everything and returns once requests are served. A task of the current tokio runtime accepts them.
    ///
    /// # Errors
    /// One line that says what to do.
    pub async fn start(settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Running, StartError> {
        let listeners = Listeners::open(&settings.config)?;
        let config = &settings.config;
        let tls = config.server.tls.as_ref().map(tls_acceptor).transpose()?;
        let (mailer, courier) = mail(config)?.unzip();
        let tasks = TaskTracker::new();
        let store = Store::open(store_config(config), Arc::clone(&clock), Arc::clone(&entropy), &tasks).await?;
        let prepared = Self::prepare(&settings, &store, &listeners, &*clock, &*entropy).await;
        let (operator_token, demo) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                store.flush_and_close().await;
                return Err(error);
            }
        };
        let gateway = Gateway::new(GatewayParts {
            config: gateway_config(&settings),
            store: store.clone(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            tasks: tasks.clone(),
            network: None,
        });
        if let Err(source) = gateway.load_spend().await {
            store.flush_and_close().await;
            return Err(StartError::Spend { source });
        }
        let own_url = url_of(config, listeners.main_addr);
        let setup = first_run::prepare_setup_link(&store, &config.server.data_dir, &own_url).await;
        let own_url: Uri = own_url.parse().unwrap_or_default();
        let cashier = payments::cashier(config, own_url.clone(), &store, &gateway, &clock);
        let beside = Beside { cashier: cashier.clone(), mailer, tasks: tasks.clone(), clock, entropy };
        let control = control_plane(config, own_url, &store, &gateway, &operator_token, beside);
        let connections = Arc::new(Connections::default());
        let routes = Arc::new(Routes {
            planes: Planes { gateway: Arc::clone(&gateway), control },
            store: store.clone(),
            metrics: ServerMetrics::new(Arc::clone(&connections), settings.log_drops.clone(), |registry| gateway.register(registry)),
            operator_token_hash: control::hash_operator_token(operator_token.expose_secret()),
            trusted_proxies: config.server.trusted_proxies.clone(),
            is_stopping: AtomicBool::new(false),
        });
        let stopping = Stopping { stop: CancellationToken::new(), cut: CancellationToken::new(), grace: config.server.shutdown_grace };
        let running = Running {
            addr: listeners.main_addr,
            metrics_addr: listeners.metrics.as_ref().map(|(_, addr)| *addr),
            url: url_of(config, listeners.main_addr),
            local_url: local_url(config, listeners.main_addr),
            data_dir: config.server.data_dir.clone(),
            operator_token,
            is_token_given: settings.operator_token.is_some(),
            setup,
            demo,
            store,
            gateway,
            cashier,
            connections,
            routes,
            tasks,
            stopping,
        };
        if let Err(error) = running.publish_url() {
            running.shutdown().await;
            return Err(error.into());
        }
        Self::spawn(&running, &settings, listeners, tls);
        courier.into_iter().for_each(|courier| running.until_stopped(courier.run()));
        Ok(running)
    }

    /// Everything in the database and the data folder that has to be there before the first request.
    async fn prepare(
        settings: &Settings,
        store: &Store,
        listeners: &Listeners,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<(SecretString, Option<DemoAccess>), StartError> {
        let config = &settings.config;
        let data_dir = &config.server.data_dir;
        entries::apply(store, settings).await?;
        let token = first_run::operator_token(settings.operator_token.as_ref(), data_dir, entropy)?;
        let demo = if config.has_demo() && config.server.is_loopback() {
            first_run::prepare_demo(store, clock, data_dir, by_address(config, listeners.main_addr)).await.map(Some)
        } else {
            first_run::withdraw_demo_key(store, data_dir).await.map(|()| None)
        };
        let demo = demo.unwrap_or_else(|error| {
            tracing::warn!(error = format!("{error:#}"), "the demo key could not be set up");
            None
        });
        Ok((token, demo))
    }

    fn spawn(running: &Running, settings: &Settings, listeners: Listeners, tls: Option<tokio_rustls::TlsAcceptor>) {
        let server = &settings.config.server;
        let patience = Patience { head: server.header_timeout, idle: server.idle_timeout };
        let places = Arc::new(Semaphore::new(raise_open_files()));
        let has_metrics = listeners.metrics.is_none();
        let acceptor = |listener, site, tls| Acceptor {
            listener,
            tls,
            site,
            routes: Arc::clone(&running.routes),
            connections: Arc::clone(&running.connections),
            bounds: ConnectionBounds { patience, places: Arc::clone(&places) },
            tasks: running.tasks.clone(),
            stop: running.stopping.stop.clone(),
            cut: running.stopping.cut.clone(),
        };
        running.tasks.spawn(acceptor(listeners.main, Site::Main { has_metrics }, tls).run());
        if let Some((listener, _)) = listeners.metrics {
            running.tasks.spawn(acceptor(listener, Site::Metrics, None).run());
        }
        let connections = Arc::clone(&running.connections);
        running.every(patience.interval(), move || connections.look(patience, Instant::now()));
        let gateway = Arc::clone(&running.gateway);
        running.every(SWEEP_INTERVAL, move || gateway.sweep());
        running.until_stopped(payments::bill(running.cashier.clone()));
        running.until_stopped(forget_answers(running.store.clone()));
        let (found, local) = (settings.found_in_use().to_vec(), settings.local_in_use().to_vec());
        if !found.is_empty() || !local.is_empty() {
            let (store, gateway) = (running.store.clone(), Arc::clone(&running.gateway));
            let plan = discovery::Plan { found, local, own_port: running.addr.port() };
            running.until_stopped(async move { discovery::look_around(plan, &store, &gateway).await });
        }
    }
}

/// Forgets the answers whose time is over, once a minute.
async fn forget_answers(store: Store) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = store.forget_answers().await {
            tracing::warn!(error = error.to_string(), "answers whose time is over could not be forgotten; it is tried again in a minute");
        }
    }
}

fn store_config(config: &Config) -> StoreConfig {
    StoreConfig {
        window_us: config.limits.window_us(),
        common: config.total_tpm.map(|tpm| (config.sign_up.plan.clone(), tpm)),
        retention: config.retention,
        give_back: memory::give_back,
        ..StoreConfig::in_folder(&config.server.data_dir)
    }
}

fn gateway_config(settings: &Settings) -> GatewayConfig {
    GatewayConfig {
        max_body_bytes: settings.config.server.max_body_bytes,
        body_timeout: settings.config.server.body_timeout,
        rate_limit_body: settings.config.errors.rate_limit_body,
        micro_wait: settings.config.limits.micro_wait,
        max_wait: settings.config.limits.max_wait,
        max_pause: settings.config.limits.max_pause,
        spend_per_day: settings.config.spend.per_day,
        proxy_from_environment: settings.proxy_from_environment,
        demo_speed: settings.demo_speed,
    }
}

/// What the control plane is given besides store and gateway.
struct Beside {
    cashier: Cashier,
    mailer: Option<Queue>,
    tasks: TaskTracker,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Who sends mail, where a server for it is configured.
fn mail(config: &Config) -> Result<Option<(Queue, Courier)>, StartError> {
    let Some(email) = &config.email else { return Ok(None) };
    Ok(Some(mailer(email).map_err(|source| StartError::Mail { host: email.host.clone(), source })?))
}

/// Who else can say who somebody is, where that is configured.
fn oidc(config: &Config, own_url: &Uri, gateway: &Arc<Gateway>) -> Option<Arc<Oidc>> {
    let config::Oidc { issuer, client_id, client_secret, scopes, name, allowed_domains, .. } = config.oidc.clone()?;
    let config = OidcConfig { issuer, client_id, client_secret, scopes, name, allowed_domains, own_url: own_url.clone() };
    Some(Arc::new(Oidc::new(config, Box::new(Fetcher(Arc::clone(gateway))))))
}

fn control_plane(
    config: &Config,
    own_url: Uri,
    store: &Store,
    gateway: &Arc<Gateway>,
    token: &SecretString,
    beside: Beside,
) -> ControlPlane {
    let Beside { cashier, mailer, tasks, clock, entropy } = beside;
    let parts = ControlParts {
        oidc: oidc(config, &own_url, gateway),
        config: ControlConfig {
            operator_token_hash: control::hash_operator_token(token.expose_secret()),
            public_url: config.server.public_url.as_ref().and_then(|url| url.parse().ok()),
            is_secure: own_url.scheme() == Some(&http::uri::Scheme::HTTPS),
            own_url,
            sign_up: config.sign_up.clone(),
            body_timeout: config.server.body_timeout,
        },
        store: store.clone(),
        providers: Arc::clone(gateway) as Arc<dyn domain::ProviderRuntime>,
        spend: Arc::clone(gateway) as Arc<dyn domain::SpendRuntime>,
        cashier,
        tester: Arc::new(Tester::new(store.clone(), Arc::clone(gateway))),
        mailer: mailer.map(|queue| Arc::new(queue) as Arc<dyn control::Mailer>),
        tasks,
        clock,
        entropy,
    };
    ControlPlane::new(Box::new(move || control::router(parts)))
}

/// The sockets, open before anything else is touched: a taken port leaves no trace.
struct Listeners {
    main: TcpListener,
    main_addr: SocketAddr,
    metrics: Option<(TcpListener, SocketAddr)>,
}

impl Listeners {
    fn open(config: &Config) -> Result<Self, StartError> {
        let (main, main_addr) = open(config.server.listen, "--listen ADDR, or listen in [server]")?;
        let metrics = config.metrics.listen.map(|addr| open(addr, "listen in [metrics]")).transpose()?;
        Ok(Self { main, main_addr, metrics })
    }
}

fn open(addr: SocketAddr, setting: &'static str) -> Result<(TcpListener, SocketAddr), StartError> {
    let opened = listen(addr).and_then(|listener| listener.local_addr().map(|addr| (listener, addr)));
    opened.map_err(|source| StartError::Listen { addr, source, setting })
}

/// How clients reach the server: as configured, else by the listener's address, and never by one that means "any".
fn url_of(config: &Config, addr: SocketAddr) -> String {
    config.server.public_url.clone().unwrap_or_else(|| by_address(config, addr))
}

/// How the command line on this machine reaches the server. No certificate is for an address, hence the public name.
pub(crate) fn local_url(config: &Config, addr: SocketAddr) -> String {
    if config.server.tls.is_some() { url_of(config, addr) } else { by_address(config, addr) }
}

fn by_address(config: &Config, addr: SocketAddr) -> String {
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let port = addr.port();
    match addr {
        SocketAddr::V4(addr) if is_unspecified((*addr.ip()).into()) => format!("{scheme}://127.0.0.1:{port}"),
        SocketAddr::V6(addr) if is_unspecified((*addr.ip()).into()) => format!("{scheme}://[::1]:{port}"),
        SocketAddr::V4(_) | SocketAddr::V6(_) => format!("{scheme}://{addr}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_names_any_address() {
        let config = Config::from_toml("").unwrap();
        let url = |addr: &str| url_of(&config, addr.parse().unwrap());
        assert_eq!(url("0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(url("[::]:8080"), "http://[::1]:8080");
        assert_eq!(url("[::ffff:0.0.0.0]:8080"), "http://[::1]:8080");
        assert_eq!(url("192.0.2.7:80"), "http://192.0.2.7:80");
        let public = Config::from_toml("[server]\npublic_url = \"https://models.example.com/\"").unwrap();
        assert_eq!(url_of(&public, "0.0.0.0:8080".parse().unwrap()), "https://models.example.com");
    }
}
