//! The query of `/route`.

use domain::{Features, RouteQuestion};
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};
use utoipa::IntoParams;

use crate::problem::Problem;

/// A request that isn't made.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RouteQuery {
    /// The model's id or an alias.
    pub(crate) model: String,
    /// Its input in tokens; absent: 0.
    #[param(value_type = Option<u64>)]
    input_tokens: Option<String>,
    /// The output that it asks for in tokens; absent: 0.
    #[param(value_type = Option<u64>)]
    output_tokens: Option<String>,
    /// What it needs beyond text, with commas between: `tools`, `vision`, `audio`, `video`, `files`, `json_object`, `json_schema`.
    features: Option<String>,
}

impl RouteQuery {
    /// What the query asks.
    pub(crate) fn question(&self) -> Result<RouteQuestion, Problem> {
        Ok(RouteQuestion {
            input_tokens: count("input_tokens", self.input_tokens.as_deref())?,
            output_tokens: count("output_tokens", self.output_tokens.as_deref())?,
            features: features(self.features.as_deref().unwrap_or_default())?,
        })
    }
}

fn count(param: &'static str, text: Option<&str>) -> Result<u64, Problem> {
    let fault = |_| Problem::invalid(param, format!("{param}: expected a whole number, 0 or more."));
    text.map_or(Ok(0), str::parse).map_err(fault)
}

fn features(text: &str) -> Result<Features, Problem> {
    let feature = |name: &str| {
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        domain::Feature::deserialize(name)
    };
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let read: Result<Features, _> = names.map(feature).collect();
    read.map_err(|fault| Problem::invalid("features", format!("features: {}.", fault.to_string().replace('`', "\""))))
}
