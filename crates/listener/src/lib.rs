//! The listener: sockets, connections and their bounds, and which plane a request belongs to.
//! It knows nothing of keys, limits or providers.

mod accept;
mod activity;
mod body;
mod caps;
mod connection;
mod connections;
mod dispatch;
mod greeting;
mod health;
mod journal_metrics;
mod listen;
mod metrics;
mod network;
mod peer;
mod socket;
mod tls;

pub use accept::{Acceptor, ConnectionBounds};
pub use activity::Order;
pub use connections::{Connections, Patience};
pub use dispatch::{ControlPlane, Planes, Routes, Site};
pub use listen::{listen, raise_open_files};
pub use metrics::ServerMetrics;
pub use network::Network;
pub use tls::{TlsError, TlsFiles, acceptor as tls_acceptor};
