//! The listener: sockets, connections and their bounds, and which plane a request belongs to.
//! It knows nothing of keys, limits or providers.

mod accept;
mod activity;
mod body;
mod connection;
mod connections;
mod dispatch;
mod greeting;
mod health;
mod journal_metrics;
mod listen;
mod metrics;
mod peer;
mod socket;
mod tls;

pub(crate) use accept::{Acceptor, ConnectionBounds};
pub(crate) use activity::Order;
pub(crate) use connections::{Connections, Patience};
pub(crate) use dispatch::{ControlPlane, Planes, Routes, Site};
pub(crate) use listen::{listen, raise_open_files};
pub(crate) use metrics::ServerMetrics;
pub(crate) use tls::{TlsError, acceptor as tls_acceptor};
