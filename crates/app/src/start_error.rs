//! Why a server can't start: one line each, which says what to do.

use std::io;
use std::net::SocketAddr;

use crate::first_run::FileFault;
use listener::TlsError;

/// Why a server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can't be listened on.
    #[error("{}", explain_listen(*addr, source, setting))]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
        /// Where it is set, such as `--listen or [server] listen`.
        setting: &'static str,
    },
    /// The certificate or key can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// A file of the data folder can't be used.
    #[error(transparent)]
    File(#[from] FileFault),
    /// Providers, models and plans can't be brought to what is configured.
    #[error("{origin} can't be applied: {source}")]
    Apply {
        /// What was applied.
        origin: &'static str,
        /// What is wrong.
        source: store::ApplyError,
    },
    /// What was spent today can't be read, so that no ceiling on it would hold.
    #[error("what was spent today can't be read: {source}; take spend_per_day and [spend] out to start without ceilings")]
    Spend {
        /// What the database said.
        source: store::DatabaseFault,
    },
    /// Mail can't be sent as it is configured.
    #[error("mail can't be sent through {host}: {source}; see host in [email]")]
    Mail {
        /// The mail server.
        host: String,
        /// What is wrong.
        source: lettre::transport::smtp::Error,
    },
    /// What is built in is broken: a fault of the build.
    #[error("what is built in can't be read: {0}")]
    BuiltIn(#[from] crate::config::Faults),
}

fn explain_listen(addr: SocketAddr, source: &io::Error, setting: &str) -> String {
    let port = addr.port();
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{addr} is taken: another program listens there; stop it, or choose another port ({setting})")
        }
        io::ErrorKind::PermissionDenied => {
            format!("port {port} needs more rights than this user has; choose one above 1023 ({setting})")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{} is not an address of this machine; choose one that is, or 127.0.0.1 ({setting})", addr.ip())
        }
        _ => format!("can't listen on {addr}: {source}; choose another address ({setting})"),
    }
}
