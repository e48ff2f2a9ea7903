//! `[server]`: where Tidegate listens and what it bears from clients.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::table::Table;
use super::written::{Parse, Written};
use listener::{Network, TlsFiles};

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The data folder.
    pub data_dir: PathBuf,
    /// How clients reach it, without a slash at the end; absent: from `listen`.
    pub public_url: Option<String>,
    /// Longest request body in bytes.
    pub max_body_bytes: u64,
    /// Time for a request's whole head.
    pub header_timeout: Duration,
    /// Time for a request's whole body.
    pub body_timeout: Duration,
    /// Time that a connection may lie idle between requests, and that a client may leave an answer unread.
    pub idle_timeout: Duration,
    /// Time that requests get to finish when the server stops.
    pub shutdown_grace: Duration,
    /// Certificate chain and key; absent: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
}

const DEFAULT_PORT: u16 = 8080;

impl Server {
    pub(super) fn read(table: Table<'_>) -> Self {
        let server = Self {
            listen: table.get("listen").unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT))),
            data_dir: table.get("data_dir").unwrap_or_else(|| PathBuf::from("./tidegate-data")),
            public_url: table.checked("public_url", public_url),
            max_body_bytes: table.whole("max_body_bytes", 1_024, 1 << 30).unwrap_or(10 << 20),
            header_timeout: table.seconds("header_timeout_seconds", 0.05, 600.0).unwrap_or(Duration::from_secs(10)),
            body_timeout: table.seconds("body_timeout_seconds", 0.05, 3_600.0).unwrap_or(Duration::from_secs(30)),
            idle_timeout: table.seconds("idle_timeout_seconds", 0.05, 86_400.0).unwrap_or(Duration::from_secs(75)),
            shutdown_grace: table.seconds("shutdown_grace_seconds", 0.0, 3_600.0).unwrap_or(Duration::from_secs(30)),
            tls: tls(table.section("tls")),
            trusted_proxies: table.get("trusted_proxies").unwrap_or_default(),
        };
        table.close();
        server
    }

    /// Whether only programs on this machine can reach the listener.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }
}

fn tls(table: Table<'_>) -> Option<TlsFiles> {
    let files = (table.get("cert"), table.get("key"));
    let place = table.place();
    let fault = |missing| table.fault(place, format!("tls.{missing} is missing: TLS needs cert and key, both PEM files"));
    let tls = match files {
        (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
        (Some(_), None) => {
            fault("key");
            None
        }
        (None, Some(_)) => {
            fault("cert");
            None
        }
        (None, None) => None,
    };
    table.close();
    tls
}

fn public_url(text: String) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(['?', '#', ' ', '@']) => Ok(url.into()),
        _ => Err("expected a URL such as https://models.example.com".into()),
    }
}

impl Parse for Network {
    fn parse(written: Written<'_>) -> Result<Self, String> {
        String::parse(written)?.parse()
    }
}

/// Whether an address means "every address of this machine", which is no use in a link.
pub(crate) fn is_unspecified(ip: IpAddr) -> bool {
    ip.to_canonical().is_unspecified()
}
