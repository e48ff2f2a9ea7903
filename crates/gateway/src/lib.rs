//! The data plane, `/v1/*`: from a request's first byte to its record. It knows no configuration file, no SQL and no session.

mod addresses;
mod admit;
mod authenticate;
mod body;
mod caps;
mod config;
mod dispatch;
mod dry_run;
mod errors;
mod estimate;
mod gateway;
mod header_text;
mod health;
mod limit_headers;
mod linger;
mod metrics;
mod models;
mod pipeline;
mod probe;
mod problem;
mod quota;
mod receive;
mod relay;
mod resolve;
mod router;
mod routes;
mod routing;
mod settle;
mod target_order;
mod uncounted;
mod upstream;

pub use body::Body;
pub use config::GatewayConfig;
pub use gateway::{Gateway, GatewayParts};
pub use probe::{Probe, ProbeError};
pub use upstream::Network;
