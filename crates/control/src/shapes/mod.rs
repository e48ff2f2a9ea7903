//! The JSON that the control API speaks, with its schemas, and its conversions from and to the domain. It knows no HTTP.

pub(crate) mod account;
pub(crate) mod amount;
pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod choice;
pub(crate) mod key;
pub(crate) mod limit_row;
pub(crate) mod log_in;
pub(crate) mod member;
pub(crate) mod model;
pub(crate) mod org;
pub(crate) mod password;
pub(crate) mod plan;
pub(crate) mod pool;
pub(crate) mod pool_usage;
pub(crate) mod provider;
pub(crate) mod provider_key;
pub(crate) mod provider_state;
pub(crate) mod request;
pub(crate) mod request_line;
pub(crate) mod route;
pub(crate) mod status;
pub(crate) mod subscription;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod usage;
