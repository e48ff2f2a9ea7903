//! Times as the API writes them.

use domain::UnixMicros;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A time: RFC 3339. Answers are in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = DateTime, example = "2026-02-05T15:32:41Z")]
pub(crate) struct Time(pub(crate) UnixMicros);
